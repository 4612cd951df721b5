"""A compact description of a picture's pixels: thumbnail, perceptual hashes, blockiness."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

THUMB = 32
_HASHED = 8


@dataclass(frozen=True)
class Signature:
    """What is kept of a picture's pixels.

    Attributes:
        thumb: RGB uint8 (32, 32, 3), box-resized.
        hashes: uint64 (k,): perceptual hashes; the first is the whole picture's, the second its mirror image's.
        blockiness: Step at the borders of 8 x 8 blocks relative to the steps within them, minus 1; about 0 without
            JPEG traces.
        mean: Mean of R, G and B, float32 (3,), in [0, 255].
        spread: Standard deviation of the grey levels.
    """

    thumb: np.ndarray
    hashes: np.ndarray
    blockiness: float
    mean: np.ndarray
    spread: float

    def to_bytes(self) -> bytes:
        """Packs it."""
        numbers = np.array([self.blockiness, self.spread, *self.mean], "<f4")
        return self.thumb.tobytes() + numbers.tobytes() + self.hashes.astype("<u8").tobytes()

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Signature":
        """Unpacks what `to_bytes` packed.

        Raises:
            ValueError: If it is something else.
        """
        pixels = THUMB * THUMB * 3
        if len(packed) < pixels + 20 + 16 or (len(packed) - pixels - 20) % 8:
            raise ValueError(f"a signature of {len(packed)} bytes")
        thumb = np.frombuffer(packed, np.uint8, pixels).reshape(THUMB, THUMB, 3)
        blockiness, spread, *mean = np.frombuffer(packed, "<f4", 5, pixels).tolist()
        hashes = np.frombuffer(packed, "<u8", offset=pixels + 20)
        return cls(thumb, hashes, blockiness, np.array(mean, np.float32), spread)


def signature(rgb: np.ndarray) -> Signature:
    """Describes a picture.

    Args:
        rgb: uint8, shape (H, W, 3).
    """
    image = Image.fromarray(rgb)
    thumb = np.asarray(image.resize((THUMB, THUMB), Image.Resampling.BOX, reducing_gap=2.0))
    grey = thumb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return Signature(
        thumb=thumb,
        hashes=_hashes(grey),
        blockiness=_blockiness(rgb),
        mean=thumb.reshape(-1, 3).mean(axis=0, dtype=np.float32),
        spread=float(grey.std()),
    )


def _cosines() -> np.ndarray:
    k, n = np.arange(_HASHED)[:, None], np.arange(THUMB)[None]
    return np.cos(np.pi * k * (2 * n + 1) / (2 * THUMB)).astype(np.float32)


def _hashes(grey: np.ndarray) -> np.ndarray:
    """The 64-bit pHash of the picture and of its mirror image, whose odd horizontal frequencies change sign."""
    basis = _cosines()
    frequencies = basis @ grey @ basis.T
    mirrored = frequencies * np.where(np.arange(_HASHED) % 2, -1, 1)
    return np.array([_bits(frequencies), _bits(mirrored)], np.uint64)


def _bits(frequencies: np.ndarray) -> int:
    bits = (frequencies > np.median(frequencies)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _blockiness(rgb: np.ndarray) -> float:
    if rgb.shape[1] < 24:
        return 0.0
    green = rgb[:, :, 1].astype(np.int16)
    steps = np.abs(np.diff(green, axis=1)).mean(axis=0)
    border = np.arange(len(steps)) % 8 == 7
    within = steps[~border].mean()
    return float(steps[border].mean() / within - 1) if within > 0 else 0.0
