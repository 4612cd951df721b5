"""Reads ZIP archives of strangers entry by entry: a bad entry is one row, never the end, and nothing is written.

Names are text to show and never become paths. Sizes are counted while unpacking; what headers say is only compared. The
directory of the archive is read as a stream, so that memory does not grow with what it claims, and an entry is unpacked
when it is its turn, up to the limit of an image.
"""

import os
import stat
import zlib
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np

from dfcore.batch.entries import Entry, ToJudge
from dfcore.batch.zip_directory import MOST_ENTRIES, Directory, Listed, open_directory
from dfcore.datasets import kinds
from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.kinds import Kind
from dfcore.datasets.walk import is_of_system
from dfcore.errors import ArchiveError, ImageError
from dfcore.imaging import decoder
from dfcore.imaging.formats import recognised
from dfcore.utils.files import stamp
from dfcore.utils.texts import printable, storable

# Between the archive and the name of an entry.
WITHIN = "!/"
# No picture that was made to be looked at shrinks to less than a hundredth; smaller ones may.
MOST_RATIO, FREE_BYTES = 100, 4 * 2**20
_LONGEST_NAME = 200
_PIECE, _FIRST = 1 << 16, 4096
_METHODS = {
    1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 96: "a JPEG variant",
    97: "WavPack", 98: "PPMd", 99: "AES encryption",
}  # fmt: skip
STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def is_zip(path: Path) -> bool:
    """Whether a file is a ZIP archive by its suffix or first bytes; False if it cannot be opened."""
    if path.suffix.lower() == ".zip":
        return path.is_file()
    try:
        # Opening a named pipe could block forever.
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(4) in STARTS
    except (OSError, ValueError):
        return False


def entries(path: Path, name: str | None = None) -> Iterator[ToJudge]:
    """All entries of an archive, in its order: each to be judged, or left out with its reason.

    Folders have none. What systems and tools add is counted in one entry at the end.

    Args:
        path: The archive.
        name: What to call it; its path by default.
    """
    shown = storable(path if name is None else name)
    try:
        with open(path, "rb") as file:
            directory = open_directory(file)
            bad = _Suspects(directory)
            yield from _entries(path, shown, directory, bad)
    except ArchiveError as error:
        yield LeftOut(shown, str(error))
    except OSError as error:
        yield LeftOut(shown, f"The archive could not be read: {error.strerror or error}.")


def read_entry(path: Path, offset: int, digest: str) -> bytes:
    """The content of one entry, found again by where its header lies in the archive, and by its name.

    Raises:
        ImageError: If it cannot be read, or no such entry is there any more.
    """
    try:
        with open(path, "rb") as file:
            for listed in open_directory(file):
                if (listed.offset, listed.digest) == (offset, digest):
                    return _unpacked(file, listed)
    except ArchiveError as error:
        raise ImageError(str(error)) from error
    except OSError as error:
        raise ImageError(f"The archive could not be read: {error.strerror or error}.") from error
    raise ImageError("The archive has changed: this entry is not there any more.")


class _Suspects:
    """Entries of a directory whose bytes are also those of others, and names that occur more than once."""

    def __init__(self, directory: Directory):
        starts, ends, names = array("Q"), array("Q"), array("Q")
        for listed in directory:
            starts.append(listed.offset)
            ends.append(listed.offset + listed.least_bytes)
            names.append(_number(listed.name))
        self.overlapping = _overlapping(np.array(starts, np.uint64), np.array(ends, np.uint64))
        values, counts = np.unique(np.array(names, np.uint64), return_counts=True)
        self._doubled = dict.fromkeys(values[counts > 1].tolist(), 0)

    def which(self, listed: Listed) -> int:
        """How many entries of this name came before, and this one; 0 if the name occurs once."""
        number = _number(listed.name)
        if number not in self._doubled:
            return 0
        self._doubled[number] += 1
        return self._doubled[number]


def _overlapping(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether another entry begins within the bytes of each, or an earlier one where it does, bool (N,)."""
    order = np.argsort(starts, kind="stable")
    first = starts[order]
    after = np.searchsorted(first, first, side="right")
    next_start = np.append(first, np.iinfo(first.dtype).max)[after]
    again = np.diff(first, prepend=first[:1] + 1) == 0
    result = np.zeros(len(starts), bool)
    result[order] = again | (next_start < ends[order])
    return result


def _entries(path: Path, shown: str, directory: Directory, bad: _Suspects) -> Iterator[ToJudge]:
    now, of_systems, rows = stamp(path), 0, 0
    for number, listed in enumerate(directory):
        name = listed.text
        if listed.is_folder:
            continue
        if is_of_system(name):
            of_systems += 1
            continue
        rows += 1
        which = bad.which(listed)
        full = f"{shown}{WITHIN}{_short(name)}" + (f" ({which} of this name)" if which else "")
        reason = _refused(listed) or (_OVERLAPPING if bad.overlapping[number] else "")
        if reason:
            yield LeftOut(full, reason)
        else:
            yield _entry(path, full, listed, now)
    if of_systems:
        text = f"{of_systems:,} {'file' if of_systems == 1 else 'files'} of the system and of tools."
        yield LeftOut(f"{shown}{WITHIN}*", text, of_systems, missed=False)
    if directory.trouble:
        yield LeftOut(shown, directory.trouble)
    elif not rows:
        yield LeftOut(shown, "There is no file in the archive.")


_OVERLAPPING = (
    "Its bytes are also those of another entry, as in archives that are made to do harm. It was not unpacked."
)


def _entry(path: Path, full: str, listed: Listed, now: str | None) -> Entry:
    def read() -> bytes:
        try:
            with open(path, "rb") as file:
                return _unpacked(file, listed)
        except OSError as error:
            raise ImageError(f"The archive could not be read: {error.strerror or error}.") from error

    of_archive = now and f"{now} {listed.offset} {listed.crc}"
    return Entry(full, read, of_archive, ("zip", str(path), listed.offset, listed.digest))


def _refused(listed: Listed) -> str:
    """Why an entry is not unpacked, by what the directory says of it; "" if it is."""
    kind = stat.S_IFMT(listed.mode)
    if kind == stat.S_IFLNK:
        return "A link, not a file. Links in archives are not followed."
    if kind not in (0, stat.S_IFREG):
        return "A folder, device or pipe by its mode, not a file."
    if listed.name.endswith(b"/"):
        return "It is named as a folder but holds bytes."
    if listed.encrypted:
        return "It is encrypted. Unpack the archive with its password and add the pictures."
    if listed.method not in (0, 8):
        how = _METHODS.get(listed.method, f"method {listed.method}")
        return f"It is compressed with {how}, which is not read here. Pack it again as an ordinary ZIP."
    return ""


def _unpacked(file: IO[bytes], listed: Listed) -> bytes:
    """Unpacks an entry, at most as much as an image may have.

    Raises:
        ImageError: If it is damaged, too large, made to do harm, or no image.
    """
    file.seek(listed.offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise ImageError("The archive is damaged: this entry is not where its directory says.")
    if header[6] & 1:
        raise ImageError("It is encrypted. Unpack the archive with its password and add the pictures.")
    begin = listed.offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    if begin + listed.packed > os.fstat(file.fileno()).st_size:
        raise ImageError("The archive is cut off: the rest of this entry is missing.")
    file.seek(begin)
    pieces, size, crc, first = [], 0, 0, b""
    for piece in _pieces(file, listed):
        pieces.append(piece)
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        if not first and (size >= _FIRST or size >= listed.size):
            first = b"".join(pieces)[:_FIRST]
            _require_picture(first)
        if size > decoder.MAX_BYTES:
            raise ImageError(f"It unpacks to more than the limit of {decoder.MAX_BYTES // 2**20} MB.")
        if size > FREE_BYTES and size > MOST_RATIO * max(listed.packed, 1):
            raise ImageError(
                f"It unpacks to more than {MOST_RATIO} times its size, as archives do that are made to do harm."
            )
    if crc != listed.crc or size != listed.size:
        raise ImageError("The archive is damaged: this entry is not what its checksum and size say.")
    if not size:
        raise ImageError("The file is empty (0 bytes).")
    return b"".join(pieces)


def _pieces(file: IO[bytes], listed: Listed) -> Iterator[bytes]:
    left = listed.packed
    unpack = zlib.decompressobj(-zlib.MAX_WBITS) if listed.method else None
    while left:
        packed = file.read(min(_PIECE, left))
        if not packed:
            raise ImageError("The archive is cut off: the rest of this entry is missing.")
        left -= len(packed)
        if unpack is None:
            yield packed
            continue
        while packed:
            try:
                piece = unpack.decompress(packed, _PIECE)
            except zlib.error:
                raise ImageError("The archive is damaged: this entry cannot be unpacked.") from None
            if piece:
                yield piece
            packed = unpack.unconsumed_tail
            if unpack.eof:
                return
    if unpack is not None and not unpack.eof:
        raise ImageError("The archive is damaged: this entry ends too early.")


def _require_picture(first: bytes) -> None:
    """Raises the reason if the first bytes are not those of a picture, before the rest is unpacked."""
    if kinds.of_bytes(first) is Kind.ARCHIVE:
        raise ImageError("An archive within the archive is not opened. Unpack it and add the pictures in it.")
    recognised(first)


def _number(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")


def _short(name: str) -> str:
    text = printable(name)
    if len(text) > _LONGEST_NAME:
        return f"{text[:_LONGEST_NAME]}… ({len(text):,} characters)"
    return text or "(without a name)"


__all__ = ["MOST_ENTRIES", "WITHIN", "entries", "is_zip", "read_entry"]
