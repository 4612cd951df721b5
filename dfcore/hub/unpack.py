"""Unpacks archives of strangers into a folder: nothing outside of it, no links, no bombs, and what was unpacked stays.

A bad entry is left out and told, never the end of all. Unpacking that was killed goes on: what is there with the right
checksum is not written again.
"""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from dfcore.errors import ArchiveError
from dfcore.hub.pieces import Report, Seen, after, pieces
from dfcore.utils.files import make_folder
from dfcore.utils.space import require_room
from dfcore.utils.texts import printable, storable, volume

LeftOut = list[tuple[str, str]]
# Collections of pictures shrink to no less than this share; small archives of tables may.
_MOST_RATIO, _FREE_BYTES = 50, 2**30
_LONGEST_NAME, _LONGEST_PATH = 240, 1000
_MOST_ENTRIES = 5_000_000
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ARCHIVES = (".zip", *_TAR)
ASIDE = ".unpacking"


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    crc: int | None
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that is unpacked here, by its suffix."""
    return path.name.lower().endswith(ARCHIVES)


def unpack(archive: Path, folder: Path, report: Report, taken: set[Path] | None = None) -> LeftOut:
    """Unpacks an archive.

    Args:
        archive: ZIP or tar archive, by its content.
        folder: Where to; made if it is missing.
        report: Called with (bytes done, bytes in all; 0 if not known); may raise to stop.
        taken: Places that other files have; those of its entries are added.

    Returns:
        (name, reason) of each entry that was left out.

    Raises:
        ArchiveError: If it is neither, or is made to do harm.
        StorageError: If there is no room.
        OSError: If it cannot be read or written.
    """
    left_out: LeftOut = []
    taken = set() if taken is None else taken
    make_folder(folder)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _write_all(archive, folder, list(_of_zip(packed, left_out)), left_out, taken, report)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as packed_tar:
                members = list(_of_tar(packed_tar, left_out, report))
                _write_all(archive, folder, members, left_out, taken, report)
        else:
            raise ArchiveError(f"{archive.name} is no ZIP or tar archive, or is cut off.")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError) as error:
        raise ArchiveError(f"{archive.name} is damaged ({printable(error)[:200]}).") from error
    (folder / ASIDE).unlink(missing_ok=True)
    return left_out


def unpack_below(folder: Path, given: set[Path], report: Report) -> LeftOut:
    """Unpacks archives beside where they lie, each into a folder of its name, and deletes them.

    An entry whose place another file has is left out. What archives hold that were in archives stays packed, and so
    does an archive that is damaged or made to do harm; it is told as left out.

    Args:
        folder: The data set.
        given: Places of the files that came with it, the archives among them. What an earlier attempt has unpacked is
            none of them: it is written again or found to be right.
        report: As for `unpack`.

    Raises:
        StorageError: If there is no room.
        OSError: If something cannot be read or written.
    """
    left_out: LeftOut = []
    taken = set(given)
    for archive in sorted(path for path in given if is_archive(path) and path.is_file()):
        suffix = next(one for one in (".zip", *reversed(_TAR)) if archive.name.lower().endswith(one))
        place = archive.with_name(archive.name[: -len(suffix)] or "archive")
        if place.exists() and not place.is_dir():
            place = archive.with_name(f"{place.name}-unpacked")
        try:
            found = unpack(archive, place, report, taken)
        except ArchiveError as error:  # Found before anything is written.
            left_out.append((_short(archive.relative_to(folder).as_posix()), f"{error} It stays packed."))
            with suppress(OSError):
                place.rmdir()
            continue
        inside = place.relative_to(folder).as_posix()
        left_out += [(f"{inside}/{name}", reason) for name, reason in found]
        archive.unlink()
    return left_out


def safe_path(name: str) -> tuple[PurePosixPath | None, str]:
    """A name in an archive as a path below a folder, or None and the reason why it is not used as one."""
    text = name.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts or (parts and len(parts[0]) > 1 and parts[0][1] == ":"):
        return None, "Its name leads out of the folder."
    if not parts or any(not part.strip() for part in parts):
        return None, "It has no name."
    if any(ord(sign) < 32 for sign in text) or storable(text) != text:
        return None, "Its name has signs that no file name should have."
    if len(text.encode()) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        return None, "Its name is too long."
    return PurePosixPath(*parts), ""


# === Internals ===


def _of_zip(packed: zipfile.ZipFile, left_out: LeftOut) -> Iterator[_Member]:
    for one in packed.infolist():
        kind = stat.S_IFMT(one.external_attr >> 16)
        if "\0" in one.orig_filename:
            left_out.append((_short(one.orig_filename), "Its name has signs that no file name should have."))
        elif one.filename.endswith("/"):
            if one.file_size:
                left_out.append((_short(one.filename), "It is named as a folder but holds bytes."))
        elif kind not in (0, stat.S_IFREG):
            left_out.append((_short(one.filename), "A link or a device, not a file."))
        elif one.flag_bits & 0x2041:
            left_out.append((_short(one.filename), "It is encrypted."))
        else:
            yield _Member(one.filename, one.file_size, one.CRC, partial(packed.open, one))


def _of_tar(packed: tarfile.TarFile, left_out: LeftOut, report: Report) -> Iterator[_Member]:
    for number, one in enumerate(packed):  # Reads all of it, if it is compressed.
        report(0, 0)
        if number >= _MOST_ENTRIES:
            raise ArchiveError(f"It has more than {_MOST_ENTRIES:,} entries.")
        if one.isdir():
            continue
        if not one.isreg():
            left_out.append((_short(one.name), "A link or a device, not a file."))
        else:
            yield _Member(one.name, one.size, None, partial(packed.extractfile, one))


def _write_all(
    archive: Path, folder: Path, members: list[_Member], left_out: LeftOut, taken: set[Path], report: Report
) -> None:
    total, packed = sum(one.size for one in members), archive.stat().st_size
    if len(members) > _MOST_ENTRIES:
        raise ArchiveError(f"{archive.name} has {len(members):,} entries; at most {_MOST_ENTRIES:,} are unpacked.")
    if total > _FREE_BYTES and total > _MOST_RATIO * packed:
        raise ArchiveError(
            f"{archive.name} has {volume(packed)} and would unpack to {volume(total)}, as archives do that are "
            "made to do harm. It was not unpacked."
        )
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    require_room(folder, max(total - there, 0), f"Unpacking {archive.name}")
    done = 0
    for one in members:
        path, reason = safe_path(one.name)
        if path is None or folder / path in taken:
            left_out.append((_short(one.name), reason or "Its name occurs twice; the first was taken."))
            continue
        taken.add(folder / path)
        if trouble := _write(one, folder / path, folder / ASIDE, after(done, total, report)):
            left_out.append((_short(one.name), trouble))
        done += one.size
        report(done, total)


def _write(member: _Member, path: Path, aside: Path, seen: Seen) -> str:
    """Writes an entry; returns why it was left out, "" if it was not."""
    as_large = path.is_file() and path.stat().st_size == member.size
    if as_large and member.crc is not None and _crc(path, seen) == member.crc:
        return ""
    for parent in path.parents:
        if parent == aside.parent:
            break
        if os.path.lexists(parent) and not parent.is_dir():
            return "A folder in its name is a file."
    if path.is_dir():
        return "Its name is that of a folder."
    make_folder(path.parent)
    try:
        source = member.open()
        if source is None:
            return "It cannot be read."
        with source, open(aside, "wb") as file:
            _copy(source, file, member.size, seen)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        return f"It is damaged ({printable(error)[:120]})."
    except NotImplementedError:
        return "It is compressed in a way that is not read here."
    aside.replace(path)
    return ""


def _copy(source: IO[bytes], file: IO[bytes], most: int, seen: Seen) -> None:
    size = 0
    for piece in pieces(source, seen):
        size += len(piece)
        if size > most:
            raise zipfile.BadZipFile("it unpacks to more than it says")
        file.write(piece)
    if size != most:
        raise EOFError("it ends too early")


def _crc(path: Path, seen: Seen) -> int:
    result = 0
    with open(path, "rb") as file:
        for piece in pieces(file, seen):
            result = zlib.crc32(piece, result)
    return result


def _short(name: str) -> str:
    return printable(storable(name))[:200]
