"""Writes verdicts into the store of cases, in a thread of its own; see `memory`, which decides what is written."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dfcore
from dashboard import decode_cache, detectors, uploads
from dfcore.cases import Judgement, Picture
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError, TransientImageError
from dfcore.inspection import record

if TYPE_CHECKING:
    from dfcore.cases import Seen, Store

Known = dict[str, "list[Seen]"]
# One, so that verdicts come in order; what waits when the server ends is written before it does.
_thread = ThreadPoolExecutor(1, thread_name_prefix="memory")


@dataclass(frozen=True)
class Told:
    """A verdict as Inspect shows it.

    Attributes:
        picture: The picture.
        entry: The detector that judged.
        verdict: Its verdict, under the thresholds in use.
        engine: Name of the engine that ran it.
    """

    picture: uploads.Picture
    entry: detectors.Entry
    verdict: Verdict
    engine: str


def warm() -> None:
    """Opens the store in the background; whether it can be is told where it is used."""
    _thread.submit(_open)


def hand_over(verdicts: Sequence[Told], by: str) -> "Future[Known]":
    """Has verdicts written soon; the result is that of `write`."""
    return _thread.submit(write, verdicts, by)


def write(verdicts: Sequence[Told], by: str) -> Known:
    """Writes verdicts that are not there yet.

    Args:
        verdicts: The verdicts; one that failed for want of the machine, not of the picture, is left out.
        by: Who had them judged.

    Returns:
        For each picture, by its hash, which pictures like it had been judged before.

    Raises:
        InputError, StorageError: As the store does.
    """
    store, pairs = _open(), []
    for one in verdicts:
        with suppress(TransientImageError):
            pairs.append(_pair(one, by))
    before = {picture.sha256: store.seen(picture) for picture, _ in pairs}
    store.remember_many(pairs)
    return before


def _open() -> "Store":
    from dfcore.cases import open_store

    return open_store()


def _pair(told: Told, by: str) -> tuple[Picture, Judgement]:
    picture, verdict, card = told.picture, told.verdict, told.entry.card
    try:
        facts, (phash, mirrored) = decode_cache.described(picture.data)
    except TransientImageError:
        raise
    except ImageError:
        known, whole = Picture(picture.id, name=picture.name, bytes=len(picture.data)), None
    else:
        known = Picture(
            picture.id, facts.pixels_sha256, phash, picture.name, facts.format, facts.width, facts.height, facts.bytes,
            mirrored,
        )  # fmt: skip
        whole = record(card, picture.name, verdict, facts)
    at = verdict.thresholds
    return known, Judgement(
        picture=picture.id, name=picture.name, by=by, detector=told.entry.key, title=card.title,
        model_sha256=card.model_sha256, card_sha256=told.entry.version, tool=dfcore.__version__,
        engine=told.engine, score=verdict.score, logit=verdict.logit,
        finding=verdict.finding, decision=verdict.decision, reason=verdict.reason,
        thresholds=None if at is None or at == card.thresholds else at.model_dump(),
        ignore_ood=verdict.ignore_ood, error=verdict.error, record=whole, via="inspect",
        ood=verdict.ood.is_ood if verdict.score is not None else None,
    )  # fmt: skip
