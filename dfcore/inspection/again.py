"""Verdicts of cases judged again by the detectors that are there now, beside the old ones, which are never changed.

Where a picture is at hand, it is judged. Where it is not, and the detector has the same network and refuses the same
pictures as then, the stored logit gives the new score. Elsewhere it cannot be told whether the verdict would change.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from dfcore import workspace
from dfcore.cases.changes import Change, Changed
from dfcore.cases.changes import Detector as Present
from dfcore.cases.store import Store
from dfcore.cases.values import Judgement, Row
from dfcore.confidence import Policy
from dfcore.confidence.ood import OODResult
from dfcore.detectors.bundle import read_card
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import list_bundles
from dfcore.detectors.remembered import card_sha256, gate_sha256, judgement
from dfcore.detectors.verdict import Verdict
from dfcore.errors import BundleError, DfcoreError, ImageError, StorageError
from dfcore.imaging import decoder, sandbox
from dfcore.inspection.record import record
from dfcore.runs import RunStore, State, readable

_RUN = "run:"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Again:
    """A picture judged again.

    Attributes:
        row: The picture with the verdict that it has.
        how: What became of the detector that gave it.
        detector: Key of the detector that judged again.
        judgement: The new verdict, not yet stored; None if it cannot be told.
        source: Whether the picture was judged, or the stored logit; None if neither.
        why: Why it cannot be told.
    """

    row: Row
    how: Change
    detector: str
    judgement: Judgement | None = None
    source: Literal["picture", "logit"] | None = None
    why: str = ""

    @property
    def changes(self) -> bool | None:
        """Whether another thing is said of the picture now; None if it cannot be told."""
        old = self.row.judgement
        return None if self.judgement is None or old is None else self.judgement.finding != old.finding


def bundles() -> dict[str, Path]:
    """Bundles of the detectors that are there, by their keys: those of the library and of completed runs."""
    found = {path.name: path for path in list_bundles()}
    for run in RunStore(workspace.runs_dir()):
        status = readable(run.status)
        if status is not None and status.state is State.COMPLETED:
            found[_RUN + run.id] = run.bundle
    return found


def present() -> dict[str, Present]:
    """The detectors that are there, as `Store.changed` compares them."""
    result = {}
    for key, folder in bundles().items():
        try:
            card = read_card(folder)
        except BundleError:
            continue
        result[key] = Present(card_sha256(card), card.model_sha256)
    return result


def judge_again(
    store: Store, changed: Iterable[Changed], *, by: str, pictures: Callable[[str], Path | None] = lambda _: None,
    detector: str | None = None,
) -> Iterator[Again]:  # fmt: skip
    """Judges pictures again; nothing is stored.

    Args:
        store: Where the pictures may be kept.
        changed: What `Store.changed` gives.
        by: Who has them judged.
        pictures: Gives the file of a picture by its SHA-256 where it is not kept; None if there is none.
        detector: Key of the detector to judge by; None for the one that judged them, as it is now.
    """
    known = bundles()
    load = cache(Detector.load)
    for one in changed:
        old = one.row.judgement
        key = detector or (old.detector if old else "")
        if old is None or key not in known:
            yield Again(one.row, one.how, key, why=f"The detector {key} is gone, and no other one was named.")
            continue
        try:
            data, missing = _data(store, one.row, pictures)
            card = read_card(known[key])
            new = None if data is None else _judged(data, old, key, load(known[key]), by)
            if new is not None:
                yield Again(one.row, one.how, key, new, "picture")
            elif (new := _from_logit(old, key, card, by)) is not None:
                yield Again(one.row, one.how, key, new, "logit")
            else:
                yield Again(one.row, one.how, key, why=missing)
        except DfcoreError as error:
            yield Again(one.row, one.how, key, why=str(error))


def keep(store: Store, again: Iterable[Again]) -> int:
    """Writes new verdicts beside the old ones; returns their number."""
    pairs = [(one.row.picture, one.judgement) for one in again if one.judgement is not None]
    return len(store.remember_many(pairs))


def _data(store: Store, row: Row, pictures: Callable[[str], Path | None]) -> tuple[bytes | None, str]:
    """The bytes of a picture, or why there are none."""
    missing = "The picture was not kept."
    try:
        if (data := store.image(row.picture.sha256)) is not None:
            return data, ""
    except StorageError as error:
        missing = str(error)
    path = pictures(row.picture.sha256)
    if path is None:
        return None, missing
    try:
        return decoder.read_bytes(path), ""
    except ImageError as error:
        return None, str(error)


def _judged(data: bytes, old: Judgement, key: str, detector: Detector, by: str) -> Judgement:
    image = sandbox.prepare(data, [detector.spec])
    (verdict,) = detector.judge([image], Policy(ignore_ood=old.ignore_ood))
    whole = record(detector.card, old.name, verdict, image.facts) if image.facts else None
    return _new(old, key, detector.card, verdict, by, detector.engine.name, whole)


def _from_logit(old: Judgement, key: str, card: Card, by: str) -> Judgement | None:
    """The verdict by the logit of then; None unless the detector would have the same and refuse the same pictures."""
    same = old.model_sha256 == card.model_sha256 and old.gate_sha256 == gate_sha256(card)
    if old.logit is None or old.ood is None or not same:
        return None
    score = float(card.calibration.apply(np.array([old.logit], np.float32))[0])
    # What was refused is refused for the same reasons.
    reasons = ((old.reason or "").partition(": ")[2] or "as when it was judged before",) if old.ood else ()
    verdict = Verdict(
        score, card.threshold.value, old.logit, thresholds=card.thresholds, ood=OODResult(None, reasons),
        ignore_ood=old.ignore_ood,
    )  # fmt: skip
    return _new(old, key, card, verdict, by, old.engine, None)


def _new(old: Judgement, key: str, card: Card, verdict: Verdict, by: str, engine: str, whole: dict | None) -> Judgement:
    return judgement(
        card, verdict, key=key, title=card.title, by=by, via="again", engine=engine, name=old.name, record=whole
    )
