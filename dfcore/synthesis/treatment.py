"""What both sides of a pair go through alike, before and after the decoder, so that nothing but its traces differs.

Before: the picture is shrunk, so that blocks of its earlier JPEG coding, which no decoder would keep, do not tell the
real side; of a large one a window is cut. After: crop, resize and JPEG. All of it is drawn from a seed and the size of
the picture alone.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

# Largest side of what goes through a decoder, and the side below which a picture is shrunk as little as possible.
MOST, _SMALL = 1024, 192
_SHRUNK = (0.5, 0.9)
# A crop takes this share of each side at least; half of the pictures are resized by a factor within these limits.
_CROP, _RESIZED, _SCALES = 0.7, 0.5, (0.5, 1.25)
_KERNELS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
_QUALITIES = (60, 97)
_FULL_COLOUR = 0.3
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Treatment:
    """What is done to both sides of a pair.

    Attributes:
        shrunk: Size (width, height) to which the original is shrunk.
        window: Part (left, top, right, bottom) of that which is used.
        box: Part of the window that is kept after the decoder.
        size: Size (width, height) to which that is brought.
        kernel: Of this resizing.
        quality: JPEG quality.
        subsampling: Chroma subsampling, "4:2:0" or "4:4:4".
    """

    shrunk: tuple[int, int]
    window: Box
    box: Box
    size: tuple[int, int]
    kernel: Image.Resampling
    quality: int
    subsampling: str

    def before(self, rgb: np.ndarray) -> np.ndarray:
        """The part of a picture that goes through the decoder: uint8 (H, W, 3)."""
        image = Image.fromarray(rgb).resize(self.shrunk, Image.Resampling.LANCZOS, reducing_gap=None)
        return np.asarray(image.crop(self.window))

    def place(self, pixels: np.ndarray) -> np.ndarray:
        """Crops and resizes a side of the pair, or a mask: uint8 (H, W, 3) or (H, W)."""
        image = Image.fromarray(pixels).crop(self.box)
        return np.asarray(image if image.size == self.size else image.resize(self.size, self.kernel))

    def after(self, rgb: np.ndarray) -> bytes:
        """Crops, resizes and codes a side of the pair; returns the content of the JPEG file, without metadata."""
        coded = io.BytesIO()
        Image.fromarray(self.place(rgb)).save(coded, "JPEG", quality=self.quality, subsampling=self.subsampling)
        return coded.getvalue()

    def __str__(self) -> str:
        """In words, for tables."""
        left, top, right, bottom = self.box
        resized = f", resized to {self.size[0]} x {self.size[1]} ({self.kernel.name.lower()})"
        return (
            f"shrunk to {self.shrunk[0]} x {self.shrunk[1]}, cropped to {right - left} x {bottom - top}"
            f"{resized if self.size != (right - left, bottom - top) else ''}, JPEG {self.quality} {self.subsampling}"
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
    size = (box[2] - box[0], box[3] - box[1])
    if random.random() < _RESIZED:
        size = _scaled(size, random.uniform(*_SCALES))
    kernel = _KERNELS[random.integers(len(_KERNELS))]
    quality = int(random.integers(_QUALITIES[0], _QUALITIES[1] + 1))
    return Treatment(
        shrunk, window, box, size, kernel, quality, "4:4:4" if random.random() < _FULL_COLOUR else "4:2:0"
    )


def _scaled(size: tuple[int, int], factor: float | np.ndarray) -> tuple[int, int]:
    width, height = np.maximum(np.round(np.array(size) * factor), 1).astype(int)
    return int(width), int(height)


def _part(size: tuple[int, int], inner: tuple[int, int], random: np.random.Generator) -> Box:
    left, top = (int(random.integers(whole - part + 1)) for whole, part in zip(size, inner, strict=True))
    return left, top, left + inner[0], top + inner[1]
