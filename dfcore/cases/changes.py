"""Pictures whose newest verdict is by a detector that is not there any more as it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from dfcore.cases.find import rows_of
from dfcore.cases.tables import FILINGS, PICTURES
from dfcore.cases.values import Found, Row

Change = Literal["settings", "network", "gone"]


@dataclass(frozen=True)
class Detector:
    """A detector that is there: the hashes of its card and of its network."""

    card_sha256: str
    model_sha256: str


@dataclass(frozen=True)
class Changed:
    """A picture whose detector changed since it was judged.

    Attributes:
        row: The picture with its newest judgement.
        how: Whether the detector has the same network with other settings (calibration, thresholds, limits), another
            network, or is gone.
    """

    row: Row
    how: Change


def changed(
    connection: Connection, detectors: Mapping[str, Detector], case: int | None, limit: int | None, offset: int
) -> Found[Changed]:
    """See `Store.changed`."""
    p = PICTURES.c
    # A detector that was only renamed has the card that it had.
    cards = {one.card_sha256 for one in detectors.values()}
    where = [p.finding.is_not(None), p.card_sha256.not_in(cards)]
    if case is not None:
        where.append(p.sha256.in_(select(FILINGS.c.picture).where(FILINGS.c.case_id == case)))
    total = connection.execute(select(func.count()).select_from(PICTURES).where(*where)).scalar_one()
    names = select(p.sha256).where(*where).order_by(p.last.desc()).limit(limit).offset(offset)
    rows = rows_of(connection, list(connection.execute(names).scalars()))
    return Found(tuple(Changed(row, _how(row, detectors)) for row in rows), total)


def _how(row: Row, detectors: Mapping[str, Detector]) -> Change:
    judged = row.judgement
    now = detectors.get(judged.detector) if judged else None
    if judged is None or now is None:
        return "gone"
    return "settings" if judged.model_sha256 and judged.model_sha256 == now.model_sha256 else "network"
