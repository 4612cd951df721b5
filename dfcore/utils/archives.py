"""Reads untrusted zip archives in memory; names and sizes are checked before anything is unpacked."""

import io
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

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
