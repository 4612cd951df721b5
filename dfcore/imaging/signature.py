"""What a scan keeps of an image's pixels, in three kilobytes: enough to find its copies and to question a data set.

Made in the decoding process, so it needs NumPy and Pillow only. `imagehash`, whose pHash `hashes` follows, would load
SciPy and PyWavelets in each of these processes.
"""

import struct
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

SIDE = 32
_TERMS = 8
_MOST = 384
_TAIL = struct.Struct("<H2Q5f")
_LUMA = np.float32([0.299, 0.587, 0.114])
_COSINES = np.cos(np.pi * np.arange(_TERMS)[:, None] * (np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)
_BITS = 1 << np.arange(_TERMS**2, dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Signature:
    """Properties of an image's pixels.

    Attributes:
        side: the shorter side of the image, in pixels (65,535 for all that are larger).
        thumb: uint8 (SIDE, SIDE, 3), RGB: the image squeezed into a square, each pixel the mean of its area.
        hashes: uint64 (2,), perceptual hashes (pHash) of the image and of its mirror image: the bits tell which of its
            8 x 8 lowest cosine terms are above their median. Few bits differ between re-encoded or resized copies.
        blockiness: how much neighbours differ across the borders of JPEG's 8 x 8 blocks, relative to elsewhere: about 1
            for images that were never JPEG, more the lower the quality was; 1 for flat images.
        mean: float32 (3,), the mean colour, 0 to 255.
        spread: standard deviation of brightness, in grey levels; about 0 for a blank image.
    """

    side: int
    thumb: np.ndarray = field(repr=False)
    hashes: np.ndarray
    blockiness: float
    mean: np.ndarray
    spread: float

    def to_bytes(self) -> bytes:
        """The signature in `SIZE` bytes."""
        tail = _TAIL.pack(self.side, *map(int, self.hashes), self.blockiness, *map(float, self.mean), self.spread)
        return self.thumb.tobytes() + tail

    @classmethod
    def from_bytes(cls, data: bytes) -> "Signature":
        """Reads what `to_bytes` wrote.

        Raises:
            ValueError: If it has another length.
        """
        if len(data) != SIZE:
            raise ValueError(f"Expected a signature of {SIZE} bytes. Received: {len(data)}.")
        thumb = np.frombuffer(data, np.uint8, SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)
        side, first, second, blockiness, *mean, spread = _TAIL.unpack_from(data, thumb.size)
        return cls(side, thumb, np.array([first, second], np.uint64), blockiness, np.array(mean, np.float32), spread)


SIZE = SIDE * SIDE * 3 + _TAIL.size


def signature(rgb: np.ndarray) -> Signature:
    """The signature of an image, uint8 (H, W, 3)."""
    side = min(rgb.shape[:2])
    # Enlarged by the box filter, a tiny image would show edges of pixels that it does not have.
    sampling = Image.Resampling.BOX if side >= SIDE else Image.Resampling.BICUBIC
    thumb = np.asarray(Image.fromarray(rgb).resize((SIDE, SIDE), sampling))
    grey = _centre(rgb) @ _LUMA
    mean = thumb.mean((0, 1), dtype=np.float32)
    return Signature(min(side, 65535), thumb, perceptual_hashes(thumb), _blockiness(grey), mean, float(grey.std()))


def perceptual_hashes(thumb: np.ndarray) -> np.ndarray:
    """The `hashes` of a thumbnail, uint64 (2,)."""
    terms = _COSINES @ (thumb @ _LUMA) @ _COSINES.T
    both = np.stack([terms, terms * np.where(np.arange(_TERMS) % 2, -1, 1)]).reshape(2, -1)
    return ((both > np.median(both, axis=1, keepdims=True)) * _BITS).sum(1, dtype=np.uint64)


def _centre(rgb: np.ndarray) -> np.ndarray:
    """At most 384 x 384 pixels from the middle, starting at the border of a JPEG block."""
    top, left = (max(0, (side - _MOST) // 2) // 8 * 8 for side in rgb.shape[:2])
    return rgb[top : top + _MOST, left : left + _MOST]


def _blockiness(grey: np.ndarray) -> float:
    across, elsewhere = 0.0, 0.0
    for lines in (grey, grey.T):
        steps = np.abs(np.diff(lines, axis=0)).mean(1)
        border = np.arange(len(steps)) % 8 == 7
        if border.any():
            across, elsewhere = across + steps[border].mean(), elsewhere + steps[~border].mean()
    return float(across / elsewhere) if across and elsewhere else 1.0
