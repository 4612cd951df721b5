"""Small up-sampling decoders with random weights, fitted to nothing.

Their weights are drawn close to identity, so that the content stays, and differ between the phases of the up-sampling,
so that a periodic trace remains: a learned up-sampling layer leaves one too (Odena et al., "Deconvolution and
Checkerboard Artifacts", 2016; Durall et al., "Watch your Up-Convolution", 2020). What varies between the decoders is
what varies between generators: the way of up-sampling, its factor, and all weights.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import convolve

WAYS = ("shuffle", "transposed", "nearest")
# Standard deviation of the weights about those of the identity; by factor, how much of the lost detail a skip
# connection keeps. After zero insertion, this share of the difference between the phases stays: with all of it, the
# grid is seen.
_NOISE, _SKIP = (0.01, 0.05), {2: (0.2, 0.8), 4: (0.5, 0.85)}
_UNEVEN = 0.2


@dataclass(frozen=True)
class DrawnDecoder:
    """One decoder; calling it passes RGB uint8 (H, W, 3) through it, of any size.

    Attributes:
        way: One of `WAYS`: "shuffle" (sub-pixel convolution), "transposed" (zero insertion and a kernel), "nearest"
            (nearest neighbour and a kernel).
        factor: Of the up-sampling, 2 or 4; also the period of its trace in pixels.
        kernels: float32: for "shuffle" (3 factor², 3 factor², 3, 3), else (3, k, k), one for each colour.
        last: float32 (3, 3, 3), the kernel of each colour of a last convolution.
        skip: Share of the detail lost by the others that a skip connection brings back, in [0, 1].
    """

    way: str
    factor: int
    kernels: np.ndarray
    last: np.ndarray
    skip: float

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Passes a picture through it."""
        height, width = rgb.shape[:2]
        rim = 2 * self.factor  # Where a kernel reaches beyond the picture, its edge would show.
        wide = ((rim, rim - height % -self.factor), (rim, rim - width % -self.factor), (0, 0))
        padded = np.pad(rgb, wide, mode="edge")
        large = self._shuffled(padded) if self.way == "shuffle" else self._upsampled(padded)
        large = np.stack([convolve(large[..., c], self.last[c], mode="nearest") for c in range(3)], axis=-1)
        large = _toned(large, padded)
        return np.ascontiguousarray(np.clip(np.round(large), 0, 255).astype(np.uint8)[rim:, rim:][:height, :width])

    def _shuffled(self, rgb: np.ndarray) -> np.ndarray:
        f = self.factor
        height, width = rgb.shape[0] // f, rgb.shape[1] // f
        cells = rgb.reshape(height, f, width, f, 3).transpose(0, 2, 1, 3, 4).reshape(height, width, -1)
        centred = cells.astype(np.float32) / 127.5 - 1
        padded = np.pad(centred, ((1, 1), (1, 1), (0, 0)), mode="edge")
        mixed = np.zeros_like(centred)
        for down in range(3):
            for right in range(3):
                mixed += padded[down : down + height, right : right + width] @ self.kernels[:, :, down, right].T
        # Bends the range a little, as the layers of a network do.
        bent = (np.tanh(0.5 * mixed) / np.float32(np.tanh(0.5)) + 1) * 127.5
        return bent.reshape(height, width, f, f, 3).transpose(0, 2, 1, 3, 4).reshape(rgb.shape)

    def _upsampled(self, rgb: np.ndarray) -> np.ndarray:
        f = self.factor
        height, width = rgb.shape[0] // f, rgb.shape[1] // f
        small = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX), np.float32)
        if self.way == "nearest":
            large = small.repeat(f, axis=0).repeat(f, axis=1)
        else:
            large = np.zeros(rgb.shape, np.float32)
            large[f // 2 :: f, f // 2 :: f] = small
        large = np.stack([convolve(large[..., c], self.kernels[c], mode="reflect") for c in range(3)], axis=-1)
        return large + self.skip * (rgb - large)


def draw_decoder(random: np.random.Generator) -> DrawnDecoder:
    """Draws a decoder; the same state of `random` gives the same one."""
    way, factor = WAYS[random.integers(len(WAYS))], int(random.choice([*_SKIP]))
    noise, skip = random.uniform(*_NOISE), random.uniform(*_SKIP[factor])
    if way == "shuffle":
        channels = 3 * factor**2
        kernels = random.normal(0, noise / factor, (channels, channels, 3, 3))
        kernels[range(channels), range(channels), 1, 1] += 1
    else:
        # Linear interpolation after zero insertion; less after nearest neighbour, so that its cells remain.
        box = np.ones(factor) / factor
        taps = np.convolve(box, np.ones(factor) if way == "transposed" else np.ones(2) / 2)
        kernels = np.outer(taps, taps)[None] * (1 + random.normal(0, 4 * noise, (3, len(taps), len(taps))))
        if way == "transposed":
            for row in range(factor):
                for column in range(factor):
                    phase = kernels[:, row::factor, column::factor]
                    phase /= phase.sum(axis=(1, 2), keepdims=True) ** (1 - _UNEVEN)
    last = random.normal(0, noise, (3, 3, 3))
    last[:, 1, 1] += 1
    last /= last.sum(axis=(1, 2), keepdims=True)
    return DrawnDecoder(way, factor, kernels.astype(np.float32), last.astype(np.float32), skip)


def _toned(made: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """With mean and spread of each colour as before, since a trained decoder keeps them."""
    before, after = rgb.astype(np.float32).reshape(-1, 3), made.reshape(-1, 3)
    spread = before.std(axis=0) / np.maximum(after.std(axis=0), 1e-3)
    return (made - after.mean(axis=0)) * np.clip(spread, 0.5, 2) + before.mean(axis=0)
