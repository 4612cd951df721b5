"""Verdicts on their way into a file: written as they come, and taken up again after a kill, each exactly once.

While it lasts they stand in a journal beside the file that was asked for: JSON, one row a line, the first line telling
how they are made. A line that a kill cut off is dropped and its image judged again.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Self

from filelock import Timeout

from dfcore.errors import InputError, StorageError
from dfcore.utils.files import lock, make_folder, sweep_of

# Rows that a crash of the whole machine may take, in seconds.
_FLUSH_SECONDS = 2.0


class ResumeLog:
    """The journal of one file of verdicts; a context manager, for one process at a time.

    Attributes:
        path: where it lies.
        judged: rows that stand in it.
        resumed: rows that stood in it before.
        failed: of those, how many tell an error.
    """

    def __init__(self, out: Path, how: Mapping[str, Any]):
        """Opens or begins it.

        Args:
            out: the file that was asked for.
            how: what the rows depend on, as plain data; rows that were made in another way are not mixed with these.
        """
        out = Path(out)
        self._out = out
        self.path = out.with_name(f".{out.name}.journal")
        self.judged = self.failed = self.resumed = self._struck = 0
        self._how = json.loads(json.dumps(how))
        self._known: Counter[bytes] = Counter()
        self._flushed = time.monotonic()
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        """Takes it for this process.

        Raises:
            InputError: when another process writes it, or its rows were made in another way.
            StorageError: when it cannot be written.
        """
        try:
            make_folder(self.path.parent)
            self._lock = lock(self._out.with_name(f".{self._out.name}.lock"), timeout=0)
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {error.strerror or error}.") from error
        try:
            self._lock.acquire()
            sweep_of(self._out)
            self._file = open(self.path, "a+b")  # Closed by `__exit__`.
        except Timeout:
            raise InputError(f"{self.path} is being written by another process; wait for it or stop it.") from None
        except OSError as error:
            self._lock.release()
            raise StorageError(f"{self.path} could not be written: {error.strerror or error}.") from error
        try:
            self._resume()
        except OSError as error:
            self.__exit__()
            raise StorageError(f"{self.path} could not be written: {error.strerror or error}.") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves it as it is, to be taken up again."""
        with suppress(OSError):  # What a full disk does not take was told by `add`.
            self._file.close()
        self._lock.release()

    @property
    def done(self) -> int:
        """Files that are behind us: rows of before that were struck off, and rows that were added."""
        return self._struck + self.judged - self.resumed

    def strike(self, path: str) -> bool:
        """Whether a row of before is on this file, by the name that the row has; each row counts for one file."""
        digest = _digest(path)
        if not self._known.get(digest):
            return False
        self._known[digest] -= 1
        self._struck += 1
        return True

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows; after this a kill does not take them.

        Raises:
            StorageError: when the disk is full.
        """
        try:
            self._file.write(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
            self._file.flush()
            if time.monotonic() - self._flushed > _FLUSH_SECONDS:
                os.fsync(self._file.fileno())
                self._flushed = time.monotonic()
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {error.strerror or error}.") from error
        for row in rows:
            self._count(row)

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows, in the order in which they came."""
        self._file.flush()
        with open(self.path, "rb") as file:
            next(file)
            yield from map(json.loads, file)

    def remove(self) -> None:
        """Takes it away, when its rows stand in the file that was asked for."""
        self._file.close()
        self.path.unlink(missing_ok=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _resume(self) -> None:
        """Reads what stands there; the rest of a line that a kill cut off goes."""
        self._file.seek(0)
        begun = self._file.readline()
        if not begun.endswith(b"\n"):
            self._file.truncate(0)
            self._file.write(json.dumps(self._how).encode() + b"\n")
            self._file.flush()
            return
        if _parsed(begun) != self._how:
            raise InputError(
                f"{self.path} holds verdicts that were made in another way: {_difference(begun, self._how)} Finish it "
                "with the same detectors and settings, delete it, or give another --out."
            )
        end = self._file.tell()
        for line in self._file:
            row = _parsed(line) if line.endswith(b"\n") else None
            if not isinstance(row, dict) or not isinstance(row.get("path"), str) or "error" not in row:
                break
            self._count(row)
            self._known[_digest(row["path"])] += 1
            end += len(line)
        self._file.truncate(end)
        self.resumed = self.judged

    def _count(self, row: Mapping[str, Any]) -> None:
        self.judged += 1
        self.failed += bool(row.get("error"))


def _digest(path: str) -> bytes:
    """A million names would take several times the memory."""
    return blake2b(path.encode(), digest_size=16).digest()


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _difference(begun: bytes, how: dict[str, Any]) -> str:
    before = _parsed(begun)
    if not isinstance(before, dict):
        return "its first line cannot be read."
    names = [name for name in sorted({*before, *how}) if before.get(name) != how.get(name)]
    return f"{', '.join(names)} differ."
