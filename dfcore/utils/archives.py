"""Reads untrusted zip archives in memory; names and sizes are checked before anything is unpacked."""

import io
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from dfcore.errors import ArchiveError
from dfcore.utils.texts import printable

_MAX_MEMBERS = 100
_PIECE = 1 << 20


def read_zip(
    source: bytes | Path, *, limit: Callable[[str], int], most_members: int = _MAX_MEMBERS
) -> dict[str, bytes]:
    """Reads all members of a zip archive into memory.

    Args:
        source: Content of the archive, or its path.
        limit: Maps a member's name to its maximum unpacked size in bytes; 0 if the name is not allowed, in which case
            the archive is refused.
        most_members: Maximum number of members.

    Returns:
        {name: content}, in archive order.

    Raises:
        ArchiveError: If it is not a zip archive, is damaged, encrypted or too large, or has members that are links,
            duplicates or have a name that is not allowed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            members = archive.infolist()
            _require_sound(members, limit, most_members)
            return {member.filename: _read(archive, member, limit(member.filename)) for member in members}
    except ArchiveError:
        raise
    except Exception as error:  # zipfile raises arbitrary exceptions on damaged archives.
        # They may quote the archive at any length.
        reason = printable(error)[:200]
        raise ArchiveError(f"Expected a zip archive. Received one that cannot be read: {reason}.") from error


class Checked(Protocol):
    """Something made of arrays that can tell whether they fit together."""

    def is_valid(self) -> bool:
        """Whether shapes, types and values are as they must be; may raise anything on others."""
        ...


_Made = TypeVar("_Made", bound=Checked)


def from_arrays(
    data: bytes, make: Callable[..., _Made], names: Collection[str], most: int, optional: Collection[str] = ()
) -> _Made:
    """Makes something of the arrays in an untrusted .npz file.

    Args:
        data: Content of the file.
        make: Takes the arrays by their names.
        names: The names of all arrays.
        most: Maximum size of an array in bytes.
        optional: Further arrays, given to `make` if they are there.

    Raises:
        ValueError: If arrays are missing, cannot be read or do not fit together.
        ArchiveError: As `read_zip`.
    """
    allowed = {f"{name}.npy" for name in (*names, *optional)}
    read_zip(data, limit=lambda name: most if name in allowed else 0)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            result = make(**{name: file[name] for name in (*names, *(name for name in optional if name in file))})
        valid = result.is_valid()
    except Exception as error:  # NumPy raises many exception types on damaged files.
        raise ValueError(f"no readable arrays ({type(error).__name__})") from error
    if not valid:
        raise ValueError("arrays with inconsistent shapes or invalid values")
    return result


def _require_sound(members: list[zipfile.ZipInfo], limit: Callable[[str], int], most_members: int) -> None:
    if len(members) > most_members:
        raise ArchiveError(f"Expected at most {most_members} members. Received: {len(members):,}.")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        # The name as stored, before zipfile truncates it at a zero byte.
        most = limit(name)
        if not most or member.orig_filename != name:
            raise ArchiveError(f"A member has a name that has no place here: {member.orig_filename[:100]!r}.")
        if member.file_size > most:
            raise ArchiveError(
                f"The member {name!r} would unpack to {member.file_size / 2**20:,.0f} MB. At most "
                f"{most / 2**20:,.0f} MB are read."
            )
        plain = unicodedata.normalize("NFKC", name).casefold()
        if plain in seen:
            raise ArchiveError(f"The member {name!r} occurs twice.")
        seen.add(plain)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise ArchiveError(f"The member {name!r} is a link or a device, not a file.")
        if member.flag_bits & 1:
            raise ArchiveError(f"The member {name!r} is encrypted.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArchiveError(f"The member {name!r} is compressed in a way that is not read here.")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Reads a member without trusting the size in its header."""
    parts, size = [], 0
    with archive.open(member) as file:
        while part := file.read(_PIECE):
            parts.append(part)
            size += len(part)
            if size > most:
                raise ArchiveError(f"The member {member.filename!r} unpacks to more than it says.")
    return b"".join(parts)
