"""Finds images to judge: files, and folders with all that lies below them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from dfcore.datasets.scan import walk
from dfcore.errors import InputError
from dfcore.imaging import decoder


def list_images(paths: Iterable[str | Path]) -> list[Path]:
    """Files as they are named, and the images of folders in natural order (2.png before 10.png).

    Raises:
        InputError: when a path does not exist, or no image was found.
    """
    result = list(iter_images(paths))
    if not result:
        raise InputError("No images were found. Expected image files, or folders that hold some.")
    return result


def iter_images(paths: Iterable[str | Path]) -> Iterator[Path]:
    """As `list_images`, one after the other, so that a million of them take no memory; none is no error.

    Raises:
        InputError: when a path does not exist.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from (file for file in walk(path) if file.suffix.lower() in decoder.SUFFIXES)
        elif path.exists():
            yield path
        else:
            raise InputError(f"There is no file or folder {path}.")
