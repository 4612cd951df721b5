"""Judges what arrives in folders: looks, waits until it is complete, judges, remembers, writes a line."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfcore.batch.memory import Memory
from dfcore.batch.predict import BatchOptions, Judged, judge_files, row_of
from dfcore.batch.ready import Ready
from dfcore.datasets import kinds
from dfcore.datasets.kinds import Kind
from dfcore.detectors.bundle import now
from dfcore.detectors.remembered import card_sha256
from dfcore.errors import BusyError, InputError, StorageError
from dfcore.utils.texts import storable
from dfcore.watch.looking import Arrived, Folders, Signature
from dfcore.watch.stream import Stream

# Files judged before the folders are looked at again.
_ROUND = 1024
# Times that a file is tried which could not be read for want of the machine.
_TRIES = 3
# The pause between two looks is so many times as long as a look, however many files there are.
_REST = 20
_NO_PICTURE = {
    Kind.VIDEO: "A video; extract the frames that are to be judged.",
    Kind.ARCHIVE: "An archive; unpack it first.",
    Kind.LINK: "A text that names another file: a link was copied as a file.",
}


@dataclass(frozen=True)
class Pace:
    """How a watcher waits.

    Attributes:
        settle: Seconds for which a file must stay as it is before it counts as complete.
        interval: Seconds between two looks at least.
    """

    settle: float = 2.0
    interval: float = 1.0


class Watcher:
    """Watches folders.

    Args:
        folders: Folders that exist; none inside another.
        ready: The detectors.
        stream: Where lines are written; open.
        memory: The store of cases; None if nothing is to be remembered.
        pace: How to wait.
        tell: Called with each row that was written.
        warn: Called with what a person should know, a sentence.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        ready: Ready,
        stream: Stream,
        memory: Memory | None,
        *,
        pace: Pace = Pace(),
        tell: Callable[[dict[str, Any]], None] = lambda row: None,
        warn: Callable[[str], None] = lambda text: None,
    ):
        self._ready, self._stream, self._memory, self._pace = ready, stream, memory, pace
        self._tell, self._warn = tell, warn
        self._folders = Folders(folders, pace.settle, (stream.path, stream.lock_path))
        self._failures: dict[Path, int] = {}
        self._looked = 0.0

    @property
    def waiting(self) -> list[Path]:
        """Files that were there at the last look and have no line for what they were like."""
        return self._folders.waiting

    def run(self, stop: Callable[[float], bool], *, once: bool = False, patience: float = 60.0) -> bool:
        """Judges until it is told to stop, or, if only once, until all that is there is done.

        Args:
            stop: Waits for so many seconds, at most; whether to stop.
            once: Whether to end when everything is done.
            patience: Seconds to wait for files that are not complete, if only once.

        Returns:
            Whether all that was there has a line.

        Raises:
            StorageError: If lines cannot be written.
        """
        until = time.monotonic() + patience
        while True:
            more = self.step(stop)
            if once and not more and (time.monotonic() > until or not self.waiting):
                return not self.waiting
            if stop(0.0 if more else max(self._pace.interval, _REST * self._looked)):
                return not self.waiting

    def step(self, stop: Callable[[float], bool] = lambda _: False) -> bool:
        """Looks once and judges what is complete, up to a number of files; whether there may be more."""
        began = time.monotonic()
        arrived = list(self._folders.look(self._known))
        self._looked = time.monotonic() - began
        todo = arrived[:_ROUND]
        pictures: dict[Path, Arrived] = {}
        for one in todo:
            reason = one.reason or _no_picture(one.path)
            if reason is None:
                self._folders.later(one)
            elif reason:
                self._write(one, _row_without(one, reason))
            else:
                pictures[one.path] = one
        options = BatchOptions(policies=self._ready.policies, signed=True)
        for batch in judge_files(_until(pictures, stop), self._ready.detectors, options):
            self._take(batch, pictures)
        return len(arrived) > len(todo)

    def _known(self, path: str, signature: Signature) -> bool:
        return self._stream.was_done(path, signature)

    def _take(self, batch: Sequence[Judged], arrived: dict[Path, Arrived]) -> None:
        """Remembers and writes what was judged, unless its file changed meanwhile."""
        sound = [one for one in batch if self._is_sound(one, arrived[Path(one.file.path)])]
        try:
            if self._memory is not None:
                # First: what is judged again after a kill is the same verdict, which is remembered once.
                self._memory.add(sound)
        except (StorageError, BusyError) as error:
            self._warn(f"What was judged could not be remembered, and is tried again: {error}")
            for one in sound:
                self._folders.later(arrived[Path(one.file.path)])
            return
        for one in sound:
            self._write(arrived[Path(one.file.path)], self._row(one))

    def _is_sound(self, judged: Judged, arrived: Arrived) -> bool:
        if _signature(arrived.path) != arrived.signature:
            return False  # It changed, or is gone: the next look finds it as it is then.
        row = row_of(judged)
        denied = isinstance(getattr(judged.file.image, "__cause__", None), PermissionError)
        if row.get("accident") and not denied:
            self._failures[arrived.path] = self._failures.get(arrived.path, 0) + 1
            if self._failures[arrived.path] < _TRIES:
                self._folders.later(arrived)
                return False
        self._failures.pop(arrived.path, None)
        return True

    def _row(self, judged: Judged) -> dict[str, Any]:
        detector = self._ready.detectors[judged.detector]
        row = row_of(judged)
        row.pop("accident", None)
        thresholds = self._ready.policies[judged.detector].thresholds or detector.card.thresholds
        return row | {
            "logit": judged.verdict.logit,
            "real_below": thresholds.real_below, "fake_from": thresholds.fake_from,
            "model_sha256": detector.card.model_sha256, "card_sha256": card_sha256(detector.card),
        }  # fmt: skip

    def _write(self, arrived: Arrived, row: dict[str, Any]) -> None:
        if self._stream.add(row | {"at": now()}, arrived.signature or ""):
            self._tell(row)
        self._folders.done(arrived)


def resolved(folders: Sequence[str]) -> list[Path]:
    """Folders to watch as they are named, checked.

    Raises:
        InputError: If one is none, or lies in another.
    """
    result = [Path(folder).resolve() for folder in folders]
    for given, folder in zip(folders, result, strict=True):
        if not folder.is_dir():
            raise InputError(f"Expected a folder. Received: {given}, which is none.")
        if any(folder != other and folder.is_relative_to(other) for other in result) or result.count(folder) > 1:
            raise InputError(f"Expected folders of which none lies in another. Received: {given}, which does.")
    return result


def _until(pictures: dict[Path, Arrived], stop: Callable[[float], bool]) -> Iterator[Path]:
    for path in pictures:
        if stop(0.0):
            return
        yield path


def _no_picture(path: Path) -> str | None:
    """Why a file is not to be judged; "" if it is, None if it is gone."""
    try:
        kind = kinds.of_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"The file could not be opened: {error.strerror or error}."
    return "" if kind is Kind.PICTURE else _NO_PICTURE.get(kind, "No picture, by its name and its first bytes.")


def _row_without(arrived: Arrived, reason: str) -> dict[str, Any]:
    names = ("score", "verdict", "finding", "label", "threshold", "reason", "ood_distance", "detector", "trained_on")
    return {"path": storable(arrived.path), "sha256": None, "error": reason} | dict.fromkeys(names)


def _signature(path: Path) -> Signature | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return Signature(found.st_size, found.st_mtime_ns, found.st_ctime_ns)
