"""What a scan keeps of an image's pixels, in three kilobytes: enough to find its copies and to question a data set.

Made in the decoding process, so it needs NumPy and Pillow only. The library `imagehash`, whose pHash `hashes` follows,
would load SciPy and PyWavelets in each of these processes.
"""

import math
import struct
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from dfcore.imaging.resizing import resized

THUMB = 32
_HASHED = 8
_MOST = 384
_LARGEST = 2**16 - 1
_TAIL = struct.Struct("<2Q5fH")
SIZE = THUMB * THUMB * 3 + _TAIL.size
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_COSINES = np.cos(np.pi * np.arange(_HASHED)[:, None] * (np.arange(THUMB) + 0.5) / THUMB).astype(np.float32)
_BITS = 1 << np.arange(_HASHED**2, dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Signature:
    """What is kept of an image's pixels.

    Attributes:
        thumb: uint8 (THUMB, THUMB, 3), RGB: the image squeezed into a square, each pixel the mean of its area.
        hashes: uint64 (2,), perceptual hashes (pHash) of the image and of its mirror image: the bits tell which of its
            8 x 8 lowest cosine terms are above their median. Few bits differ between re-encoded or resized copies.
        blockiness: Step at the borders of JPEG's 8 x 8 blocks relative to the steps within them, minus 1: about 0
            without JPEG traces, more the lower the quality was. Measured on at most 384 x 384 pixels from the middle.
        mean: float32 (3,), the mean of R, G and B, in [0, 255].
        spread: Standard deviation of brightness, in grey levels; about 0 for a blank image.
        side: The shorter side of the image, in pixels, at most 65,535.
    """

    thumb: np.ndarray = field(repr=False)
    hashes: np.ndarray
    blockiness: float
    mean: np.ndarray
    spread: float
    side: int = _LARGEST

    def to_bytes(self) -> bytes:
        """Packs it into `SIZE` bytes."""
        numbers = (*map(int, self.hashes), self.blockiness, self.spread, *map(float, self.mean), self.side)
        return self.thumb.tobytes() + _TAIL.pack(*numbers)

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Signature":
        """Unpacks what `to_bytes` packed.

        Raises:
            ValueError: If it is something else.
        """
        if len(packed) != SIZE:
            raise ValueError(f"Expected a signature of {SIZE} bytes. Received: {len(packed)}.")
        thumb = np.frombuffer(packed, np.uint8, THUMB * THUMB * 3).reshape(THUMB, THUMB, 3)
        whole, mirrored, blockiness, spread, *mean, side = _TAIL.unpack_from(packed, thumb.size)
        if not all(map(math.isfinite, (blockiness, spread, *mean))):
            raise ValueError("Expected a signature of finite numbers. Received: NaN or infinity.")
        hashes = np.array([whole, mirrored], np.uint64)
        return cls(thumb, hashes, blockiness, np.array(mean, np.float32), spread, side)


def signature(rgb: np.ndarray) -> Signature:
    """Describes an image, uint8 (H, W, 3)."""
    side = min(rgb.shape[:2])
    # Enlarged by the box filter, a tiny image would show edges of pixels that it does not have.
    sampling = Image.Resampling.BOX if side >= THUMB else Image.Resampling.BICUBIC
    thumb = resized(rgb, THUMB, THUMB, sampling)
    grey = _centre(rgb) @ _LUMA
    mean = thumb.mean((0, 1), dtype=np.float32)
    return Signature(thumb, perceptual_hashes(thumb), _blockiness(grey), mean, float(grey.std()), min(side, _LARGEST))


def perceptual_hashes(thumb: np.ndarray) -> np.ndarray:
    """The `hashes` of a thumbnail, uint64 (2,)."""
    terms = _COSINES @ (thumb @ _LUMA) @ _COSINES.T
    both = np.stack([terms, terms * np.where(np.arange(_HASHED) % 2, -1, 1)]).reshape(2, -1)
    return ((both > np.median(both, axis=1, keepdims=True)) * _BITS).sum(1, dtype=np.uint64)


def _centre(rgb: np.ndarray) -> np.ndarray:
    """At most 384 x 384 pixels from the middle, starting at the border of a JPEG block."""
    top, left = (max(0, (side - _MOST) // 2) // 8 * 8 for side in rgb.shape[:2])
    return rgb[top : top + _MOST, left : left + _MOST]


def _blockiness(grey: np.ndarray) -> float:
    border, within = [], []
    for lines in (grey, grey.T):
        steps = np.abs(np.diff(lines, axis=0)).mean(1)
        if len(steps) >= 16:
            at_border = np.arange(len(steps)) % 8 == 7
            border.append(steps[at_border].mean())
            within.append(steps[~at_border].mean())
    return float(sum(border) / sum(within) - 1) if sum(within) > 0 else 0.0
