"""The verdicts of a watched folder: a JSON Lines file that only grows, one line for each content of each file.

A line is on the disk before the next one is written. One that was cut off by a kill is removed when the file is opened
again, and its picture judged again.
"""

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Self

from filelock import Timeout

from dfcore.errors import InputError, StorageError
from dfcore.utils.files import explained, lock, make_folder, share
from dfcore.utils.texts import storable

STAMP = "stamp"


class Stream:
    """The file; a context manager, for one process at a time.

    Attributes:
        path: The file.
        lines: Number of its lines.
        cards: Hashes of the cards of the detectors in it.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.lines = 0
        self.cards: set[str] = set()
        # Digests of path and content of each line, and, by the path's digest, of what its file was like at the last.
        self._there: set[bytes] = set()
        self._stamps: dict[bytes, bytes] = {}
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        """Locks and reads the file, or makes it.

        Raises:
            InputError: If another process writes it, or it holds something else.
            StorageError: If it cannot be written.
        """
        try:
            make_folder(self.path.parent)
            self._lock = lock(self.lock_path, timeout=0)
            self._lock.acquire()
        except Timeout:
            raise InputError(
                f"{self.path} is being written by another watcher; stop it, or give another --out."
            ) from None
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        try:
            self._file = open(self.path, "a+b")  # Closed by `__exit__`.
            share(self.path)
            self._read()
        except OSError as error:
            self._lock.release()
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._file.close()
        self._lock.release()

    @property
    def lock_path(self) -> Path:
        """The lock file beside it."""
        return self.path.with_name(f".{self.path.name}.lock")

    def was_done(self, path: str, stamp: object) -> bool:
        """Whether the last line of a file was written when the file was like this."""
        return self._stamps.get(_digest(storable(path))) == _digest(str(stamp))

    def add(self, row: Mapping[str, Any], stamp: object) -> bool:
        """Writes a line, unless there is one of this path with this content, or this reason; whether it did.

        Args:
            row: Plain data with `path`, `sha256` and `error`.
            stamp: What the file is like, as text.

        Raises:
            StorageError: If it cannot be written.
        """
        key = _key(row)
        if key in self._there:
            self._stamps[_digest(row["path"])] = _digest(str(stamp))
            return False
        whole = {**row, STAMP: str(stamp)}
        try:
            self._file.write(json.dumps(whole, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError(f"{self.path} could not be written: {explained(error, self.path)}.") from error
        self._note(whole)
        return True

    def _read(self) -> None:
        """Reads all lines and removes a last one that was cut off."""
        self._file.seek(0)
        end = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            row = _parsed(line)
            if row is None:
                raise InputError(
                    f"Expected {self.path} to hold lines of dfcore watch, or not to be there. Received: something else "
                    f"in line {number}. Give another --out."
                )
            self._note(row)
            end += len(line)
        self._file.truncate(end)

    def _note(self, row: Mapping[str, Any]) -> None:
        self.lines += 1
        self._there.add(_key(row))
        self._stamps[_digest(row["path"])] = _digest(str(row[STAMP]))
        if row.get("card_sha256"):
            self.cards.add(row["card_sha256"])


def _key(row: Mapping[str, Any]) -> bytes:
    return _digest(f"{row['path']}\0{row['sha256'] or row['error']}")


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).digest()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    sound = isinstance(row, dict) and isinstance(row.get("path"), str) and {"sha256", "error", STAMP} <= row.keys()
    return row if sound else None
