"""Resume log of batch prediction: rows are saved as they come, so a killed run resumes with each file judged once.

The log is a JSON Lines journal next to the output file; its first line states the settings. A line truncated by a kill
is dropped and its image judged again. A row counts for a file only if the file's content is still the same: by size,
times and inode, or where these differ, or are too new to tell versions apart, by SHA-256.
"""

import json
import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from filelock import Timeout

from dfcore import compat
from dfcore.batch.entries import Entry, ToJudge
from dfcore.datasets.dataset import LeftOut
from dfcore.errors import ImageError, InputError, StorageError
from dfcore.imaging import decoder
from dfcore.utils.files import explained, lock, make_folder, sha256_bytes, share, stamp, sweep_of
from dfcore.utils.texts import storable

# Seconds of work that a crash of the machine may lose.
_FLUSH_SECONDS = 2.0
STAMP = "stamp"


class _Entry(NamedTuple):
    """What is kept in memory of an earlier row.

    Attributes:
        stamp: Digest of the file's stamp.
        content: Digest of the file's SHA-256; of the error, if the file could not be read.
        line: Number of its line.
        read: Whether the file could be read.
        failed: Whether it has an error.
    """

    stamp: bytes
    content: bytes
    line: int
    read: bool
    failed: bool


_PACKED = struct.Struct("16s16sQ??")


class ResumeLog:
    """The journal of an output file; a context manager, for one process at a time.

    Attributes:
        path: Path of the journal.
        judged: Number of rows in it that count.
        resumed: Number of rows from earlier runs.
        failed: Number of those of `judged` with an error.
        replaced: Number of rows from earlier runs whose files have changed since; they do not count.
        moved: Number of rows from earlier runs whose files have another path now; they do not count.
        gone: Number of rows from earlier runs whose files are not there any more; they do count.
        unstamped: Whether some of its rows are of a version that did not write stamps; their files are hashed.
        lines: Number of rows in it, with those that do not count.
    """

    def __init__(self, out: Path, how: Mapping[str, Any]):
        """Creates the log; `with` opens it.

        Args:
            out: Output file.
            how: Settings that the rows depend on, as plain data; a journal with other settings is refused.
        """
        out = Path(out)
        self._out = out
        self.path = journal_of(out)
        self.judged = self.failed = self.resumed = self._struck = self.lines = 0
        self.replaced = self.moved = self.gone = self._new = 0
        self.unstamped = False
        self._how = json.loads(json.dumps(how))
        # {digest of the path: packed entries of its rows that no file has been found for yet}.
        self._known: dict[bytes, bytes] = {}
        self._visited: set[bytes] = set()
        self._added: set[bytes] = set()
        self._dropped: set[int] = set()
        self._stamps: dict[str, list[str | None]] = {}
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
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        try:
            self._lock.acquire()
            sweep_of(self._out)
            self._file = open(self.path, "a+b")  # Closed by `__exit__`.
            share(self.path)
        except Timeout:
            raise InputError(f"{self.path} is being written by another process; wait for it or stop it.") from None
        except OSError as error:
            self._lock.release()
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        try:
            self._resume()
        except OSError as error:
            self.__exit__()
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
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
        return self._struck + self._new

    @property
    def added(self) -> int:
        """Number of rows added by this process."""
        return self._new

    def strike(self, found: ToJudge) -> bool:
        """Whether an earlier row is of this file as it is now, or of what was left out; each earlier row matches once.

        Call it before the file is read.
        """
        name, now = _name_and_stamp(found)
        key = _digest(name)
        entries = _unpacked(self._known.get(key, b""))
        if entries:
            self._visited.add(key)
            match = _match_left_out(entries, found) if isinstance(found, LeftOut) else _match(entries, now, found)
            if match:
                entries.remove(match)
                self._known[key] = _packed(entries)
                self._struck += 1
                return True
        if not isinstance(found, LeftOut):
            waiting = self._stamps.get(name, [])
            # Of files whose names are written alike, nobody knows later whose row it is.
            self._stamps[name] = [None] * (len(waiting) + 1) if waiting else [now]
        return False

    def add(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Writes rows; they survive a kill of the process from then on.

        Returns:
            Where each of them begins in the journal.

        Raises:
            StorageError: If they cannot be written, e.g. because the disk is full.
        """
        stamped = [{**row, STAMP: self._stamp_of(row)} for row in rows]
        lines = [json.dumps(row).encode() + b"\n" for row in stamped]
        try:
            begins = list(accumulate(map(len, lines[:-1]), initial=self._file.seek(0, os.SEEK_END)))
            self._file.write(b"".join(lines))
            self._file.flush()
            if time.monotonic() - self._flushed > _FLUSH_SECONDS:
                os.fsync(self._file.fileno())
                self._flushed = time.monotonic()
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        self._new += len(rows)
        self.lines += len(rows)
        for row in stamped:
            self._count(row)
            if self.resumed and row.get("sha256"):
                self._added.add(_digest(row["sha256"]))
        return begins

    def settle(self) -> None:
        """Decides on the earlier rows that no file was found for; call it when every file has been struck or added."""
        for key, packed in self._known.items():
            for entry in _unpacked(packed):
                if key in self._visited:
                    self.replaced += 1
                elif entry.content in self._added:
                    self.moved += 1
                elif entry.read:
                    self.gone += 1
                    continue
                self._dropped.add(entry.line)
                self.judged -= 1
                self.failed -= entry.failed
        self._known = {}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Iterates over all rows that count, in the order written."""
        return (row for _, _, row in self.placed())

    def placed(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """As `rows`, with the number of each and where it begins in the journal."""
        self._file.flush()
        return ((number, *row) for number, row in enumerate(read_journal(self.path)) if number not in self._dropped)

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
        for number, line in enumerate(self._file):
            row = _parsed(line) if line.endswith(b"\n") else None
            if not isinstance(row, dict) or not isinstance(row.get("path"), str) or "error" not in row:
                break
            self._know(row, number)
            end += len(line)
            self.lines += 1
        self._file.truncate(end)
        self.resumed = self.judged

    def _know(self, row: Mapping[str, Any], line: int) -> None:
        """Keeps in mind an earlier row; what failed by accident is tried again."""
        if row.get("accident"):
            self._dropped.add(line)
            return
        self._count(row)
        self.unstamped |= STAMP not in row
        key = _digest(row["path"])
        content = _digest(str(row.get("sha256") or row["error"]))
        entry = _Entry(_digest(str(row.get(STAMP))), content, line, bool(row.get("sha256")), bool(row["error"]))
        self._known[key] = self._known.get(key, b"") + _packed([entry])

    def _stamp_of(self, row: Mapping[str, Any]) -> str | None:
        waiting = self._stamps.get(row["path"], [None])
        result = waiting.pop()
        if not waiting:
            self._stamps.pop(row["path"], None)
        return result

    def _count(self, row: Mapping[str, Any]) -> None:
        self.judged += 1
        self.failed += bool(row.get("error"))


def journal_of(out: Path) -> Path:
    """The journal of an output file."""
    return out.with_name(f".{out.name}.journal")


def read_journal(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """All rows of a journal, each with where it begins; one that is being written ends it."""
    with open(path, "rb") as file:
        begin = len(file.readline())
        for line in file:
            row = _parsed(line) if line.endswith(b"\n") else None
            if row is None:
                return
            row.pop(STAMP, None)
            yield begin, compat.prediction(row)
            begin += len(line)


def read_row(path: Path, begin: int) -> dict[str, Any]:
    """The row that begins there.

    Raises:
        OSError, ValueError: If there is none.
    """
    with open(path, "rb") as file:
        file.seek(begin)
        row = json.loads(file.readline())
    row.pop(STAMP, None)
    return compat.prediction(row)


def _name_and_stamp(found: ToJudge) -> tuple[str, str | None]:
    if isinstance(found, LeftOut):
        return storable(found.path), None
    return (storable(found.name), found.stamp) if isinstance(found, Entry) else (storable(found), stamp(found))


def _match(entries: list[_Entry], now: str | None, found: Path | Entry) -> _Entry | None:
    """The row that was made of a file as it is now."""
    if now is not None:
        digest = _digest(now)
        if same := next((entry for entry in entries if entry.stamp == digest), None):
            return same
    try:
        content = found.read() if isinstance(found, Entry) else decoder.read_bytes(found)
    except ImageError:
        return None
    digest = _digest(sha256_bytes(content))
    return next((entry for entry in entries if entry.read and entry.content == digest), None)


def _match_left_out(entries: list[_Entry], left: LeftOut) -> _Entry | None:
    """The row with the same reason."""
    digest = _digest(storable(left.reason))
    return next((entry for entry in entries if not entry.read and entry.content == digest), None)


def _digest(text: str) -> bytes:
    """Digest stored instead of a text, to save memory."""
    return blake2b(text.encode(), digest_size=16).digest()


def _packed(entries: Sequence[_Entry]) -> bytes:
    return b"".join(_PACKED.pack(*entry) for entry in entries)


def _unpacked(packed: bytes) -> list[_Entry]:
    return [_Entry(*values) for values in _PACKED.iter_unpack(packed)]


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
