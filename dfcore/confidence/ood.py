"""Whether an image is of the kind that a detector learned: its size, compression, colour and features.

A network gives a score to anything. What lies far from its training images, in the space of its own features,
was never measured, and a verdict on it means nothing. The distance is to the k-th nearest training image after
whitening (Sun et al., 2022, "Out-of-distribution detection with deep nearest neighbors"), which assumes no shape
of the cloud; its limit is a quantile over held-out images, so that a known share of familiar images is refused.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dfcore.utils.archives import read_zip

NEIGHBOURS = 5
# Directions kept after whitening; further ones hold noise.
DIRECTIONS = 64
# Of the largest one; what spreads less is rounding.
_LEAST_SPREAD = 1e-6
# What a file that holds one is made of, and how large it may be.
_MAX_VALUE = 1e12
_MEMBERS, _MAX_BYTES = ("mean.npy", "basis.npy", "references.npy", "limit.npy"), 64 * 2**20
QUANTILE = 0.98
# How far outside of the range of the training images a size may lie.
SIZE_MARGIN = 1.5
QUALITY_MARGIN = 15
FLATNESS_MARGIN = 0.15


_Side = Annotated[int, Field(ge=0, le=10**6)]
_Quality = Annotated[int, Field(ge=0, le=100)]


class FileRange(BaseModel):
    """What the training images were like as files.

    Attributes:
        sides: shortest and longest shorter side in pixels (1st and 99th percentile).
        qualities: the same for estimated JPEG quality; None where most were stored without loss.
        colourfulness: least mean saturation, in [0, 1] (1st percentile).
        flatness: largest share of pixels that equal their neighbours (99th percentile); 1 where it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    sides: tuple[_Side, _Side]
    qualities: tuple[_Quality, _Quality] | None = None
    colourfulness: float = 0.0
    flatness: float = 1.0

    @classmethod
    def of(cls, sides: np.ndarray, qualities: np.ndarray, colours: np.ndarray, flat: np.ndarray) -> "FileRange":
        """The ranges of training images, from an array (N,) each.

        Args:
            sides: shorter sides in pixels.
            qualities: JPEG qualities, NaN where unknown.
            colours: see `saturation`.
            flat: see `flatness`.
        """
        text = qualities[np.isfinite(qualities)]
        enough = len(text) > len(qualities) / 2
        low, high = np.percentile(sides, [1, 99]).astype(int).tolist()
        worst, best = np.percentile(text, [1, 99]).astype(int).tolist() if enough else (0, 0)
        return cls(
            sides=(low, high),
            qualities=(worst, best) if enough else None,
            colourfulness=round(float(np.percentile(colours, 1)), 4),
            flatness=round(float(np.percentile(flat, 99)), 4),
        )

    def misfits(self, side: int | None, quality: float | None, colour: float, flat: float) -> Iterator[str]:
        """What is unlike the training images, in words; what is not known of an image is passed over."""
        low, high = self.sides
        if side is not None and not low / SIZE_MARGIN <= side <= high * SIZE_MARGIN:
            text = f"{low}" if low == high else f"{low} to {high}"
            yield f"its shorter side has {side} pixels; the training images had {text}"
        if self.qualities and quality is not None and quality < self.qualities[0] - QUALITY_MARGIN:
            yield (
                f"it was compressed harder (JPEG quality about {quality:.0f}) than the training images "
                f"({self.qualities[0]} and more)"
            )
        if colour < self.colourfulness / 2:
            yield "it has hardly any colour; the training images had"
        if flat > self.flatness + FLATNESS_MARGIN:
            yield f"{flat:.0%} of it is perfectly flat, as in drawings and screenshots; the training images were not"


@dataclass(frozen=True)
class OODResult:
    """Whether an image is out of distribution for a detector, and why.

    Attributes:
        distance: in its features, as a multiple of the limit: above 1 it is out of distribution; None where the
            detector has no record of its training images.
        reasons: why it is out of distribution, in words; empty where it is not.
    """

    distance: float | None
    reasons: tuple[str, ...] = field(default_factory=tuple)

    @property
    def is_ood(self) -> bool:
        """Whether the image is out of distribution: what its score is worth was never measured."""
        return bool(self.reasons)


NOT_CHECKED = OODResult(None)


@dataclass(frozen=True)
class OODDetector:
    """The training images of a detector in its feature space, and how far from them is too far.

    Attributes:
        mean, basis: features (D,) less the mean, times the basis (D, K), are whitened coordinates.
        references: coordinates of training images, float16 (N, K).
        limit: distance from which on an image is out of distribution.
    """

    mean: np.ndarray
    basis: np.ndarray
    references: np.ndarray
    limit: float

    @classmethod
    def fit(cls, features: np.ndarray, held_out: np.ndarray, *, most: int = 2000, seed: int = 0) -> "OODDetector":
        """Learns it from features of training images (N, D), and its limit from those of held-out ones (M, D)."""
        features = np.asarray(features, np.float64)
        mean = features.mean(0)
        _, spread, directions = np.linalg.svd(features - mean, full_matrices=False)
        saved = min(DIRECTIONS, int((spread > _LEAST_SPREAD * spread[0]).sum()))
        basis = directions[:saved].T / (spread[:saved] / np.sqrt(max(len(features) - 1, 1)))
        chosen = np.random.default_rng(seed).permutation(len(features))[:most]
        references = ((features[chosen] - mean) @ basis).astype(np.float16)
        domain = cls(mean.astype(np.float32), basis.astype(np.float32), references, 1.0)
        limit = float(np.quantile(domain.distances(held_out), QUANTILE))
        return cls(domain.mean, domain.basis, references, max(limit, 1e-6))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distance of each image, (N, D) to (N,), to its `NEIGHBOURS`-th nearest training image."""
        centred = np.asarray(features, np.float32) - self.mean
        known = self.references.astype(np.float32)
        nearest = min(NEIGHBOURS, len(known)) - 1
        result = np.empty(len(centred))
        for number, row in enumerate(centred):  # One by one: an image's distance depends on itself alone.
            point = row @ self.basis
            result[number] = np.sqrt(np.partition(((known - point) ** 2).sum(1), nearest)[nearest])
        return result

    def relative(self, features: np.ndarray) -> np.ndarray:
        """Distances as multiples of the limit."""
        # What cannot be compared is as far off as can be.
        return np.nan_to_num(self.distances(features) / self.limit, nan=np.inf)

    def to_bytes(self) -> bytes:
        """As an .npz file without pickled objects."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, mean=self.mean, basis=self.basis, references=self.references, limit=self.limit)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "OODDetector":
        """Reads what `to_bytes` wrote.

        Raises:
            ValueError, KeyError, ArchiveError: when it is anything else.
        """
        read_zip(data, limit=lambda name: _MAX_BYTES if name in _MEMBERS else 0)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                result = cls(file["mean"], file["basis"], file["references"], float(file["limit"]))
            fitting = result._fits()
        except Exception as error:  # NumPy raises all sorts on damaged files.
            raise ValueError(f"no arrays that can be read ({type(error).__name__})") from error
        if not fitting:
            raise ValueError("arrays that do not fit together")
        return result

    def _fits(self) -> bool:
        arrays = (self.mean, self.basis, self.references)
        return bool(
            [array.ndim for array in arrays] == [1, 2, 2]
            and all(
                array.dtype.kind == "f" and (np.abs(array.astype(np.float64)) < _MAX_VALUE).all() for array in arrays
            )
            and self.basis.shape == (len(self.mean), self.references.shape[1])
            and len(self.references) > 0
            and 0 < self.limit < _MAX_VALUE
        )


def saturation(pixels: np.ndarray) -> np.ndarray:
    """Mean saturation of images, uint8 (N, H, W, 3) to float (N,) in [0, 1]: the spread of the channels."""
    red, green, blue = (pixels[..., channel] for channel in range(3))
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return spread.mean((1, 2)) / 255


def flatness(pixels: np.ndarray) -> np.ndarray:
    """Share of pixels that equal their right neighbour in all channels, uint8 (N, H, W, 3) to float (N,) in [0, 1]."""
    same = pixels[:, :, 1:] == pixels[:, :, :-1]
    return (same[..., 0] & same[..., 1] & same[..., 2]).mean((1, 2))


def check_ood(
    files: FileRange, relative: float, side: int | None, quality: float | None, colour: float, flat: float
) -> OODResult:
    """Compares one image with the training images.

    Args:
        files: what those were like as files.
        relative: distance in the feature space as a multiple of its limit.
        side: the image's shorter side in pixels, if known.
        quality: its estimated JPEG quality, if it has one.
        colour: its mean saturation, see `saturation`.
        flat: its share of flat pixels, see `flatness`.
    """
    reasons = list(files.misfits(side, quality, colour, flat))
    if relative > 1:
        reasons.append(f"to the network it looks unlike the training images ({relative:.1f} times the usual distance)")
    return OODResult(relative, tuple(reasons))
