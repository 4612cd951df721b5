"""Thumbnails of a batch in one file that only grows; a row says where its own lies."""

import io
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from dfcore.utils.files import share

SIDE = 160
_QUALITY = 80
_MOST_BYTES = 1 << 20


class Thumbnails:
    """Writes thumbnails; a context manager."""

    def __init__(self, path: Path):
        self._path = path
        self._file: IO[bytes]

    def __enter__(self) -> "Thumbnails":
        self._file = open(self._path, "ab")  # Closed by `__exit__`.
        share(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, pixels: np.ndarray) -> tuple[int, int]:
        """Appends one, RGB uint8 (H, W, 3); returns where it lies, as place and length in bytes."""
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, "JPEG", quality=_QUALITY)
        begin = self._file.tell()
        self._file.write(packed.getbuffer())
        return begin, packed.tell()

    def flush(self) -> None:
        """Hands what was added to the system, so that it survives a kill of this process."""
        self._file.flush()


def read_thumbnail(path: Path, begin: int, length: int) -> bytes | None:
    """A thumbnail as JPEG; None if it is not there any more."""
    try:
        with open(path, "rb") as file:
            file.seek(begin)
            data = file.read(min(length, _MOST_BYTES))
    except OSError:
        return None
    return data if len(data) == length and data.startswith(b"\xff\xd8") else None
