"""Resume log of batch prediction: rows are saved as they come, so a killed run resumes with each file judged once.

The log is a JSON Lines journal next to the output file; its first line states the settings. A line truncated by a kill
is dropped and its image judged again.
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

# Seconds of work that a crash of the machine may lose.
_FLUSH_SECONDS = 2.0


class ResumeLog:
    """The journal of an output file; a context manager, for one process at a time.

    Attributes:
        path: Path of the journal.
        judged: Number of rows in it.
        resumed: Number of rows from earlier runs.
        failed: Number of rows with an error.
    """

    def __init__(self, out: Path, how: Mapping[str, Any]):
        """Creates the log; `with` opens it.

        Args:
            out: Output file.
            how: Settings that the rows depend on, as plain data; a journal with other settings is refused.
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
        """Locks the journal, then reads or creates it.

        Raises:
            InputError: If another process is writing it, or its rows were made with other settings.
            StorageError: If it cannot be written.
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
        """Closes the journal, which stays for a later run."""
        with suppress(OSError):  # `add` has already reported a full disk.
            self._file.close()
        self._lock.release()

    @property
    def done(self) -> int:
        """Number of files done: earlier rows matched by `strike`, and rows added."""
        return self._struck + self.judged - self.resumed

    def strike(self, path: str) -> bool:
        """Whether an earlier row has this path; each earlier row matches once."""
        digest = _digest(path)
        if not self._known.get(digest):
            return False
        self._known[digest] -= 1
        self._struck += 1
        return True

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows; they survive a kill of the process from then on.

        Raises:
            StorageError: If they cannot be written, e.g. because the disk is full.
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
        """Iterates over all rows in the order written."""
        self._file.flush()
        with open(self.path, "rb") as file:
            next(file)
            yield from map(json.loads, file)

    def remove(self) -> None:
        """Deletes the journal, once its rows are in the output file."""
        self._file.close()
        self.path.unlink(missing_ok=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _resume(self) -> None:
        """Reads an existing journal and removes a truncated last line; starts a new one if there is none."""
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
    """Digest stored instead of the path, to save memory."""
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
