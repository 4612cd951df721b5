"""Writes verdicts into the store of cases, in a thread of its own; see `memory`, which decides what is written."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dashboard import decode_cache, detectors, uploads
from dfcore.cases import Judgement, Picture
from dfcore.detectors import remembered
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError, TransientImageError, detached
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
    return _thread.submit(_write, verdicts, by)


def _write(verdicts: Sequence[Told], by: str) -> Known:
    try:
        return write(verdicts, by)
    except Exception as error:  # What is told of it is decided where the result is asked for.
        failure = detached(error)
    # The session keeps the error, which keeps this frame.
    del verdicts
    raise failure


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
    picture, entry = told.picture, told.entry
    try:
        facts, (phash, mirrored) = decode_cache.described(picture.data)
    except TransientImageError:
        raise
    except ImageError:
        known, whole = Picture(picture.id, name=picture.name, bytes=len(picture.data)), None
    else:
        known = replace(remembered.picture(facts, picture.name), phash=phash, mirrored=mirrored)
        whole = record(entry.card, picture.name, told.verdict, facts)
    return known, remembered.judgement(
        entry.card, told.verdict, key=entry.key, title=entry.card.title, by=by, via="inspect", engine=told.engine,
        name=picture.name, record=whole,
    )  # fmt: skip
