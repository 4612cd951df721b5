"""Finds images to judge: files, and folders with all that lies below them."""

from collections.abc import Iterable
from pathlib import Path

from dfcore.datasets.scan import walk_images
from dfcore.errors import InputError


def list_images(paths: Iterable[str | Path]) -> list[Path]:
    """Files as they are named, and the images of folders in natural order (2.png before 10.png).

    Raises:
        InputError: when a path does not exist, or no image was found.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += walk_images(path)[0]
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"There is no file or folder {path}.")
    if not found:
        raise InputError("No images were found. Expected image files, or folders that hold some.")
    return found
