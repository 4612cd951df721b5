"""Writing verdicts: each once, with the picture they are about."""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, func, select

from dfcore.cases.entry import Draft, canonical, kept, moment, now
from dfcore.cases.log import append
from dfcore.cases.tables import JUDGEMENTS, PICTURES
from dfcore.cases.values import VIAS, Judgement, Picture
from dfcore.confidence import FINDINGS
from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes

_HASH, _LOOK = re.compile(r"[0-9a-f]{64}"), re.compile(r"([0-9a-f]{16})?")
_SAME = ("picture", "card_sha256", "model_sha256", "detector", "thresholds", "tool", "ignore_ood", "score", "error")


def remember(connection: Connection, pairs: Sequence[tuple[Picture, Judgement]]) -> list[int]:
    """Writes verdicts that are not there yet; see `Store.remember_many`."""
    fit = [_fit(picture, judgement) for picture, judgement in pairs]
    sames = [_same(judgement) for _, judgement in fit]
    pictures, newest = _known(connection, [picture.sha256 for picture, _ in fit])
    there = _there(connection, sames)
    # Numbers of entries; of those that are still to be written, -1 for the first draft, -2 for the second.
    drafts: list[Draft] = []
    numbers: list[int] = []
    for (picture, judgement), same in zip(fit, sames, strict=True):
        before = pictures.get(picture.sha256)
        merged = _merged(before, picture) if before else picture
        if merged != before:
            pictures[picture.sha256] = merged
            drafts.append(_picture_draft(picture, judgement.by))
        # What is judged again is to be the newest, also where an older verdict was the same.
        if same not in there or (judgement.via == "again" and there[same] != newest.get(picture.sha256)):
            drafts.append(_judgement_draft(judgement, same))
            there[same] = newest[picture.sha256] = -len(drafts)
        numbers.append(there[same])
    written = append(connection, drafts, "")
    return [number if number > 0 else written[-number - 1] for number in numbers]


def _fit(picture: Picture, judgement: Judgement) -> tuple[Picture, Judgement]:
    """Both as they are stored: checked, texts without what databases refuse, plain numbers."""
    if not _HASH.fullmatch(picture.sha256) or not _HASH.fullmatch(picture.pixels_sha256 or picture.sha256):
        raise InputError(
            f"Expected a picture with a SHA-256 of 64 hexadecimal digits. Received: {picture.sha256[:80]!r}."
        )
    if not (_LOOK.fullmatch(picture.phash) and _LOOK.fullmatch(picture.mirrored)):
        raise InputError(f"Expected perceptual hashes of 16 hexadecimal digits. Received: {picture.phash[:80]!r}.")
    if judgement.via not in VIAS:
        raise InputError(f"Expected via to be one of {', '.join(VIAS)}. Received: {judgement.via!r}.")
    if judgement.finding is not None and judgement.finding not in FINDINGS:
        raise InputError(f"Expected a finding: {', '.join(FINDINGS)}, or none. Received: {judgement.finding!r}.")
    changes: dict[str, Any] = {
        name: kept(value)
        for name, value in vars(judgement).items()
        if isinstance(value, str) and name not in ("picture", "at")
    }
    for name in ("score", "logit"):
        value = getattr(judgement, name)
        changes[name] = None if value is None else float(value)
    name = kept(picture.name) or changes["name"]
    changes |= {"picture": picture.sha256, "at": moment(judgement.at) if judgement.at else now()}
    changes["name"] = changes["name"] or name
    return replace(picture, name=name, format=kept(picture.format)), replace(judgement, **changes)


def _same(judgement: Judgement) -> str:
    """Hash of what makes two verdicts the same."""
    try:
        return sha256_bytes(canonical({name: getattr(judgement, name) for name in _SAME}).encode())
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected finite numbers and plain thresholds in a judgement. Received: {error}.") from None


def _known(connection: Connection, names: Sequence[str]) -> tuple[dict[str, Picture], dict[str, int | None]]:
    """Pictures that are in the store, and the numbers of their newest judgements."""
    fields = tuple(Picture.__dataclass_fields__)
    columns = (*(PICTURES.c[name] for name in fields), PICTURES.c.judgement)
    found = connection.execute(select(*columns).where(PICTURES.c.sha256.in_(set(names)))).all()
    pictures = {row.sha256: Picture(**{name: getattr(row, name) for name in fields}) for row in found}
    return pictures, {row.sha256: row.judgement for row in found}


def _there(connection: Connection, sames: Sequence[str]) -> dict[str, int]:
    """The newest judgement that is the same, for those where there is one."""
    j = JUDGEMENTS.c
    found = select(j.same, func.max(j.sequence)).where(j.same.in_(set(sames))).group_by(j.same)
    return {row[0]: row[1] for row in connection.execute(found)}


def _merged(before: Picture, picture: Picture) -> Picture:
    """What is known now: what was known stays, what was not is added."""
    return Picture(**{name: value or getattr(picture, name) for name, value in vars(before).items()})


def _picture_draft(picture: Picture, by: str) -> Draft:
    body = {name: value for name, value in vars(picture).items() if name != "sha256"}
    return Draft("picture", body, picture.sha256, by=by)


def _judgement_draft(judgement: Judgement, same: str) -> Draft:
    body: dict[str, Any] = asdict(replace(judgement, record=None)) | {"same": same}
    for name in ("id", "picture", "record"):
        del body[name]
    return Draft("judgement", body, judgement.picture, more=judgement.record, by=judgement.by)
