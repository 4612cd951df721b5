"""The judged samples of a film on disk, a line each: what a kill cuts off is dropped and judged again."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from filelock import Timeout

from dfcore.errors import InputError, StorageError
from dfcore.films.rows import JudgedSample
from dfcore.films.tracks import Tracker
from dfcore.utils.files import explained, lock, release, share

# A line holds at most some hundred faces.
_MOST_LINE = 1 << 20


class SampleLog:
    """Adds judged samples to a file; a context manager, for one process at a time.

    Attributes:
        path: The file.
        last: The last sample that is in it; None if there is none.
        number: Number of its samples.
        tracker: Knows the faces up to there.
    """

    def __init__(self, path: Path):
        self.path = path
        self.last: JudgedSample | None = None
        self.number = 0
        self.tracker = Tracker()
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        """Reads what is there, and cuts off what is no whole line.

        Raises:
            InputError: If another process is writing it.
            StorageError: If it cannot be written.
        """
        try:
            self._lock = lock(self.path.with_name(f".{self.path.name}.lock"), timeout=0)
            self._lock.acquire()
        except Timeout:
            raise InputError(f"{self.path} is being written by another process; wait for it or stop it.") from None
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        try:
            self._file = open(self.path, "a+b")  # Closed by `__exit__`.
            share(self.path)
            whole = 0
            for sample, end in _lines(self.path):
                whole = end
                faces = [(row.track, row.box) for row in sample.rows if row.track is not None and row.box is not None]
                self.tracker.recall([track for track, _ in faces], [box for _, box in faces])
                self.last, self.number = sample, self.number + 1
            self._file.truncate(whole)
        except OSError as error:
            self._lock.release()
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        with suppress(OSError):  # `add` has already reported a full disk.
            self._file.close()
        release(self._lock, remove=True)

    def add(self, samples: Sequence[JudgedSample]) -> None:
        """Appends samples in their order, and hands them to the system, so that they survive a kill of this process.

        Raises:
            StorageError: If they cannot be written; what was written of them is dropped by the next run.
        """
        try:
            for sample in samples:
                self._file.write(json.dumps(sample.to_dict()).encode() + b"\n")
                self.last, self.number = sample, self.number + 1
            self._file.flush()
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error


def read_samples(path: Path) -> Iterator[JudgedSample]:
    """The samples of a file that may be written meanwhile; none if there is no such file."""
    with suppress(FileNotFoundError):
        for sample, _ in _lines(path):
            yield sample


def _lines(path: Path) -> Iterator[tuple[JudgedSample, int]]:
    """Samples up to the first line that is cut off, damaged, or out of turn, each with the place where it ends."""
    end = number = 0
    with open(path, "rb") as file:
        while (line := file.readline(_MOST_LINE)).endswith(b"\n"):
            try:
                sample = JudgedSample.from_dict(json.loads(line))
            except (KeyError, TypeError, ValueError, RecursionError):
                return
            if sample.position.index != number:
                return
            end, number = end + len(line), number + 1
            yield sample, end
