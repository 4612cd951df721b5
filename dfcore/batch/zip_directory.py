"""The directory at the end of a ZIP archive, read as a stream: memory does not depend on what it claims."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import IO

from dfcore.errors import ArchiveError

# More entries than this are not read.
MOST_ENTRIES = 200_000
_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY = struct.Struct("<4s6H3I5H2I")
_END_RECORD = struct.Struct("<4s4H2IH")
_END64_RECORD = struct.Struct("<4sQ2H2I4Q")
_LONGEST_COMMENT = 2**16
_MANY = 2**32 - 1
_MOST_BYTES = 2**60


@dataclass(frozen=True)
class Listed:
    """An entry as the directory lists it; nothing of it is to be trusted.

    Attributes:
        name: As stored.
        mode: Its file mode on Unix; 0 if it has none.
        flags, method, crc: As stored.
        packed, size: Bytes in the archive, and unpacked.
        offset: Where its header begins in the file.
    """

    name: bytes
    mode: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def encrypted(self) -> bool:
        """Whether it, or its header, is encrypted."""
        return bool(self.flags & 0x2041)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which holds nothing itself."""
        return self.name.endswith((b"/", b"\\")) and not self.size and self.packed <= 2

    @property
    def least_bytes(self) -> int:
        """Bytes that it takes in the archive at least, with its header."""
        return 30 + self.packed

    @property
    def digest(self) -> str:
        """Short digest of its name, by which it is found again."""
        return blake2b(self.name, digest_size=8).hexdigest()

    @cached_property
    def text(self) -> str:
        """Its name as text. Many tools write UTF-8 without saying so."""
        try:
            return self.name.decode("utf-8")
        except UnicodeDecodeError:
            return self.name.decode("utf-8", "backslashreplace") if self.flags & 0x800 else self.name.decode("cp437")


class Directory:
    """The entries of an archive; can be gone through several times.

    Attributes:
        trouble: Why the last time did not reach all of them, as a sentence; "" if it did.
    """

    def __init__(self, file: IO[bytes], begin: int, end: int, shift: int, count: int):
        self._file, self._begin, self._end, self._shift, self._count = file, begin, end, shift, count
        self.trouble = ""

    def __iter__(self) -> Iterator[Listed]:
        self.trouble, at, number = "", self._begin, 0
        while at + _ENTRY.size <= self._end:
            if number == MOST_ENTRIES:
                left = max(self._count - number, 1)
                self.trouble = f"It has more than {MOST_ENTRIES:,} entries: the other {left:,} were not read. Split it."
                return
            listed, at = self._listed(at)
            if listed is None:
                break
            number += 1
            yield listed
        if number < self._count or at < self._end:
            self.trouble = f"Its directory is damaged after {number:,} entries: what else is in it is not known."

    def _listed(self, at: int) -> tuple[Listed | None, int]:
        """The entry that begins there, None if there is none, and where the next one begins."""
        self._file.seek(at)
        fields = _ENTRY.unpack(self._file.read(_ENTRY.size).ljust(_ENTRY.size, b"\0"))
        if fields[0] != b"PK\x01\x02":
            return None, at
        system = fields[1] >> 8
        flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
        lengths, attributes, offset = fields[10:13], fields[15], fields[16]
        name, extra = self._file.read(lengths[0]), self._file.read(lengths[1])
        size, packed, offset = _from_extra(extra, (size, packed, offset))
        # Only what was packed on Unix or a Mac has a mode there.
        mode = attributes >> 16 if system in (3, 19) else 0
        # An entry that claims to lie behind the directory is told when it is read.
        offset, packed = min(offset + self._shift, self._end), min(packed, _MOST_BYTES)
        listed = Listed(name, mode, flags, method, crc, packed, size, offset)
        return listed, at + _ENTRY.size + sum(lengths)


def open_directory(file: IO[bytes]) -> Directory:
    """Finds the directory of an archive.

    Args:
        file: An open file; it is used while the directory is gone through.

    Raises:
        ArchiveError: If there is none, as in an archive that is cut off.
    """
    whole = os.fstat(file.fileno()).st_size
    begin = max(0, whole - _LONGEST_COMMENT - _END_RECORD.size)
    file.seek(begin)
    tail = file.read(_LONGEST_COMMENT + _END_RECORD.size)
    at = _end_in(tail)
    if at is None:
        raise ArchiveError(
            "It is no ZIP archive, or one that is cut off: the directory at its end is missing. Get the file again."
        )
    _, disk, of_directory, _, count, size, offset, _ = _END_RECORD.unpack_from(tail, at)
    end = begin + at
    if wide := _wide(file, end):
        disk, of_directory, count, size, offset, end = wide
    if disk or of_directory:
        raise ArchiveError("It is one part of a split archive. Join the parts first.")
    start = end - size
    # Programs that unpack themselves stand before the archive; offsets may count from behind them.
    if start < offset or start < 0:
        raise ArchiveError("The archive is damaged or cut off: its directory is not where its end says.")
    return Directory(file, start, end, start - offset, count)


def _end_in(tail: bytes) -> int | None:
    """Where the record at the end of an archive begins, with a comment that reaches to the end of the file."""
    at = tail.rfind(_END)
    while at >= 0:
        if at + _END_RECORD.size <= len(tail):
            comment = _END_RECORD.unpack_from(tail, at)[-1]
            if at + _END_RECORD.size + comment == len(tail):
                return at
        at = tail.rfind(_END, 0, at)
    # Bytes behind the end, such as of a download that went on.
    at = tail.rfind(_END)
    return at if 0 <= at <= len(tail) - _END_RECORD.size else None


def _wide(file: IO[bytes], end: int) -> tuple[int, int, int, int, int, int] | None:
    """Disks, number of entries, size, offset and end of the directory of an archive in the form ZIP64; None if none."""
    if end < 20 + _END64_RECORD.size:
        return None
    file.seek(end - 20)
    if file.read(4) != _LOCATOR:
        return None
    at = end - 20 - _END64_RECORD.size
    file.seek(at)
    record = file.read(_END64_RECORD.size)
    if record[:4] != _END64:
        raise ArchiveError("The archive is damaged: its directory is not where its end says.")
    _, _, _, _, disk, of_directory, _, count, size, offset = _END64_RECORD.unpack(record)
    return disk, of_directory, count, size, offset, at


def _from_extra(extra: bytes, stored: tuple[int, int, int]) -> list[int]:
    """Size, packed size and offset, those that are too large for the directory from its extra field."""
    result = list(stored)
    if _MANY not in result:
        return result
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            return [next(numbers, value) if value == _MANY else value for value in result]
        at += 4 + length
    return result
