"""Whether there is room on the disk for what is fetched or made, before and while it is."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from dfcore.errors import StorageError
from dfcore.utils.texts import volume

# Left free for everything else on the disk.
SPARE_BYTES = 200 * 10**6
_FULL = {errno.ENOSPC, errno.EDQUOT}


def free_bytes(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be made."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free


def bytes_below(folder: Path) -> int:
    """Bytes of the files in a folder; one that is moved away meanwhile does not count."""
    result = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                result += (Path(place) / name).stat().st_size
    return result


def shortage(size: int | None, folder: Path, half: Path) -> str:
    """Says that what is to be fetched does or may not fit, as a sentence; "" if it does.

    Args:
        size: Bytes to load; None if not known, of which nothing is said.
        folder: Where it will be.
        half: Where it is while it is not finished. Nothing is said of what is there in part: only the rest counts then.
    """
    free = free_bytes(folder.parent)
    if not size or 2 * size + SPARE_BYTES <= free or folder.exists() or half.exists():
        return ""
    does = "does not" if size + SPARE_BYTES > free else "may not"
    return (
        f"It {does} fit: {volume(size)} to load, and up to twice that on the disk while it is fetched, where "
        f"{volume(free)} are free."
    )


def require_room(folder: Path, needed: int, what: str, variable: str = "DFCORE_DATA") -> None:
    """Checks that there is room.

    Args:
        folder: Where it is needed.
        needed: Bytes that will be written.
        what: What needs them, as the beginning of a sentence.
        variable: The variable that names the folder in which it lies; "" if a user named the folder.

    Raises:
        StorageError: If there is not; states what is needed, what is free, and where.
    """
    free = free_bytes(folder)
    if needed + SPARE_BYTES > free:
        how = f"set {variable} to" if variable else "name"
        raise StorageError(
            f"{what} needs {volume(needed)} and {volume(SPARE_BYTES)} to spare; {volume(free)} are free in "
            f"{folder}. Make room, or {how} a folder on a larger disk."
        )


def is_full(error: OSError) -> bool:
    """Whether a disk or an account's share of it is full."""
    return error.errno in _FULL


def told_full(folder: Path) -> StorageError:
    """What is said when the disk became full in the middle."""
    return StorageError(
        f"The disk became full: {volume(free_bytes(folder))} are free in {folder}. What was loaded stays there; make "
        "room, and the same request goes on with it."
    )
