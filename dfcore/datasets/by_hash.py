"""Pictures in folders, found again by the hash of their files, wherever they lie and whatever they are called now."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from dfcore import workspace
from dfcore.datasets.listing import iter_images
from dfcore.utils.files import sha256_file


def find_by_hash(
    folders: Iterable[str | Path], wanted: Collection[str], sizes: Collection[int] = ()
) -> dict[str, Path]:
    """Finds files by their SHA-256; ends as soon as all are found.

    Args:
        folders: Files, and folders with all that lies below them.
        wanted: SHA-256 of the files to find.
        sizes: Their sizes in bytes, if all are known; files of other sizes are then not read.

    Returns:
        {sha256: path} of those that were found.

    Raises:
        AccessError: If a folder may not be read.
        InputError: If a path does not exist.
    """
    left, found = set(wanted), dict[str, Path]()
    listed = [Path(folder) for folder in folders]
    for folder in listed:
        workspace.require_readable(folder)
    for path in iter_images(listed):
        if not left:
            break
        with suppress(OSError):  # It cannot be read, and so not be found.
            if not sizes or path.stat().st_size in sizes:
                digest = sha256_file(path)
                if digest in left:
                    found[digest] = path
                    left.discard(digest)
    return found
