"""Finds images to judge: files, and folders with all that lies below them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dfcore.datasets.walk import Found, pictures
from dfcore.errors import InputError


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
    return (found for found in iter_found(paths) if isinstance(found, Path))


def iter_found(paths: Iterable[str | Path]) -> Iterator[Found]:
    """As `iter_images`, with what is left out in the folders, see `dfcore.datasets.walk.pictures`.

    Raises:
        InputError: when a path does not exist.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from pictures(path)
        elif os.path.lexists(path):
            yield path
        else:
            raise InputError(f"There is no file or folder {path}.")
