"""What both sides of a pair go through alike, before and after the decoder, so that nothing but its traces differs.

Before: the picture is shrunk, so that blocks of its earlier JPEG coding, which no decoder would keep, do not tell the
real side; of a large one a window is cut. After: a crop, so that the decoder's grid begins anywhere, and a handling as
pictures get it (resizing, coding), the same one. All of it is drawn from a seed and the size of the picture alone.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dfcore.imaging import handling

# Largest side of what goes through a decoder, and the side below which a picture is shrunk as little as possible.
MOST, _SMALL = 1024, 320
_SHRUNK = (0.5, 0.9)
_CROP = 0.7  # A crop keeps at least this share of each side.
# Of the file where the handling ends in no JPEG: all files of a data set are of one format.
_FINE = {"quality": 95, "subsampling": "4:4:4"}
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Treatment:
    """What is done to both sides of a pair.

    Attributes:
        shrunk: Size (width, height) to which the original is shrunk.
        window: Part (left, top, right, bottom) of that which is used.
        box: Part of the window that is kept after the decoder.
        handling: Name of what is done then, see `dfcore.imaging.handling.get`.
    """

    shrunk: tuple[int, int]
    window: Box
    box: Box
    handling: str

    def before(self, rgb: np.ndarray) -> np.ndarray:
        """The part of a picture that goes through the decoder: uint8 (H, W, 3)."""
        image = Image.fromarray(rgb).resize(self.shrunk, Image.Resampling.LANCZOS, reducing_gap=None)
        return np.asarray(image.crop(self.window))

    def after(self, rgb: np.ndarray) -> bytes:
        """Crops, handles and codes a side of the pair; returns the content of the JPEG file, without metadata."""
        handled, quality = handling.get(self.handling).handle(np.asarray(Image.fromarray(rgb).crop(self.box)))
        # The same tables on the same grid once more: they change next to nothing.
        how = _FINE if quality is None else {"quality": quality}
        coded = io.BytesIO()
        Image.fromarray(handled).save(coded, "JPEG", **how)
        return coded.getvalue()

    def of_mask(self, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Crops a mask, uint8 (H, W), and brings it to the size (width, height) of the file."""
        image = Image.fromarray(mask).crop(self.box)
        return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BILINEAR))

    def __str__(self) -> str:
        """In words, for tables."""
        left, top, right, bottom = self.box
        return (
            f"shrunk to {self.shrunk[0]} x {self.shrunk[1]}, cropped to {right - left} x {bottom - top}. "
            f"{handling.get(self.handling).title}"
        )


def draw_treatment(height: int, width: int, random: np.random.Generator) -> Treatment:
    """Draws a treatment for pictures of a size in pixels."""
    smallest = max(_SHRUNK[0], min(_SHRUNK[1], _SMALL / min(height, width)))
    factor = random.uniform(smallest, _SHRUNK[1])
    if random.random() < 0.5:  # Half of the large ones are shown whole, the others at finer detail.
        factor = min(factor, MOST / max(height, width))
    shrunk = _scaled((width, height), factor)
    window = _part(shrunk, (min(shrunk[0], MOST), min(shrunk[1], MOST)), random)
    inner = (window[2] - window[0], window[3] - window[1])
    box = _part(inner, _scaled(inner, random.uniform(_CROP, 1, 2)), random)
    return Treatment(shrunk, window, box, f"drawn_{random.integers(2**31)}")


def _scaled(size: tuple[int, int], factor: float | np.ndarray) -> tuple[int, int]:
    width, height = np.maximum(np.round(np.array(size) * factor), 1).astype(int)
    return int(width), int(height)


def _part(size: tuple[int, int], inner: tuple[int, int], random: np.random.Generator) -> Box:
    left, top = (int(random.integers(whole - part + 1)) for whole, part in zip(size, inner, strict=True))
    return left, top, left + inner[0], top + inner[1]
