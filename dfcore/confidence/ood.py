"""Out-of-distribution detection: whether an image resembles a detector's training images.

Compares size, compression, colour and features. A network scores any input, but its reliability was never measured far
from its training images in feature space. The distance is to the k-th nearest training image after whitening (Sun et
al., 2022, "Out-of-distribution detection with deep nearest neighbors"), which makes no assumption about the
distribution. Its limit is a quantile over held-out images, so a known share of in-distribution images is rejected.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from dfcore.utils.archives import from_arrays

NEIGHBOURS = 5
# Principal directions kept after whitening; the rest is noise.
DIRECTIONS = 64
# Relative to the largest singular value; anything smaller is rounding error.
_MIN_SPREAD = 1e-6
# Limits for a stored OOD detector.
_MAX_VALUE = 1e12
_ARRAYS = ("mean", "basis", "references", "limit")
_MAX_BYTES = 64 * 2**20
QUANTILE = 0.98
# The rules that refuse an image, {name: what it refuses}.
RULES = {
    "small": "too small",
    "large": "too large",
    "compressed": "too strongly compressed",
    "colourless": "hardly any colour",
    "noisy": "hardly any like neighbours (noise)",
    "flat": "too much perfectly flat (drawings, screenshots)",
    "handled": "handled so that the score breaks, by its features",
    "far": "features unlike the training images",
    "faceless": "no face that fills the picture (detectors of portraits)",
    "portrait": "one face fills the picture (detectors that err on portraits)",
}


@dataclass(frozen=True)
class OODResult:
    """Whether an image is out of distribution for a detector, and why.

    Attributes:
        distance: Distance in feature space as a multiple of the limit: out of distribution above 1. None if the
            detector has no OOD data.
        reasons: Phrases that say why the image is out of distribution; empty if it is not.
        rules: Short names of the rules that refuse it, one for each reason, see `RULES`.
    """

    distance: float | None
    reasons: tuple[str, ...] = field(default_factory=tuple)
    rules: tuple[str, ...] = field(default_factory=tuple)

    @property
    def is_ood(self) -> bool:
        """Whether the image is out of distribution: its score is then of unknown reliability."""
        return bool(self.reasons)

    def refused(self, rule: str, reason: str) -> "OODResult":
        """The same, refused for one more reason."""
        return replace(self, reasons=(*self.reasons, reason), rules=(*self.rules, rule))


NOT_CHECKED = OODResult(None)


@dataclass(frozen=True)
class OODDetector:
    """A detector's training images in feature space, with a distance limit.

    Attributes:
        mean, basis: Whitening: (features - mean) @ basis, with shapes (D,) and (D, K). Of longer feature vectors the
            first D count.
        references: Whitened coordinates of training images, float16 (N, K).
        limit: Distance above which an image is out of distribution.
        handled: Weights and, last, the bias of a line in whitened coordinates, (K + 1,), beyond which an image looks
            like one after handling that breaks the score; empty if that was not measured.
    """

    mean: np.ndarray
    basis: np.ndarray
    references: np.ndarray
    limit: float
    handled: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def fit(cls, features: np.ndarray, held_out: np.ndarray, *, most: int = 2000, seed: int = 0) -> "OODDetector":
        """Fits the detector.

        Args:
            features: Feature vectors of training images, (N, D).
            held_out: Feature vectors of held-out images, (M, D), which set the limit.
            most: Maximum number of training images to store.
            seed: Seed for choosing them.
        """
        features = np.asarray(features, np.float64)
        mean = features.mean(0)
        _, spread, directions = np.linalg.svd(features - mean, full_matrices=False)
        rank = min(DIRECTIONS, int((spread > _MIN_SPREAD * spread[0]).sum()))
        basis = directions[:rank].T / (spread[:rank] / np.sqrt(max(len(features) - 1, 1)))
        chosen = np.random.default_rng(seed).permutation(len(features))[:most]
        references = ((features[chosen] - mean) @ basis).astype(np.float16)
        unlimited = cls(mean.astype(np.float32), basis.astype(np.float32), references, 1.0)
        return unlimited.limited(held_out)

    def limited(self, held_out: np.ndarray, quantile: float = QUANTILE) -> "OODDetector":
        """The same with the limit that these held-out images set, feature vectors (M, D): such a share is within it."""
        return self.within(self.distances(held_out), quantile)

    def within(self, distances: np.ndarray, quantile: float = QUANTILE) -> "OODDetector":
        """The same with the limit within which such a share of these distances, (M,), is."""
        return replace(self, limit=max(float(np.quantile(distances, quantile)), 1e-6))

    def joined(self, features: np.ndarray, before: int = 0) -> "OODDetector":
        """The same with further training images, feature vectors (M, D), such as handled ones; the limit stays.

        Args:
            features: Their features.
            before: Number of references, at the end, before which they are put in.
        """
        own, rest = np.split(self.references, [len(self.references) - before])
        return replace(self, references=np.concatenate([own, self.points(features).astype(np.float16), rest]))

    def points(self, features: np.ndarray) -> np.ndarray:
        """Whitened coordinates of feature vectors, (N, D): (N, K)."""
        # One at a time: the result must not depend on the rest of the batch.
        centred = np.asarray(features[:, : len(self.mean)], np.float32) - self.mean
        return np.array([row @ self.basis for row in centred], np.float32).reshape(len(centred), self.basis.shape[1])

    def judged(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the features, (N, D), say of images.

        Returns:
            Distances as multiples of the limit, (N,), infinite where they are NaN; and whether the features are like
            those of images after handling that breaks the score, bool (N,).
        """
        points = self.points(features)
        relative = np.nan_to_num(self._nearest(points) / self.limit, nan=np.inf)
        if not len(self.handled):
            return relative, np.zeros(len(points), bool)
        return relative, np.array([point @ self.handled[:-1] + self.handled[-1] > 0 for point in points], bool)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distance from each feature vector, (N, D), to its `NEIGHBOURS`-th nearest training image, (N,)."""
        return self._nearest(self.points(features))

    def relative(self, features: np.ndarray) -> np.ndarray:
        """Distances as multiples of the limit, (N,); infinite where the distance is NaN."""
        return self.judged(features)[0]

    def _nearest(self, points: np.ndarray) -> np.ndarray:
        references = self.references.astype(np.float32)
        k = min(NEIGHBOURS, len(references)) - 1
        result = np.empty(len(points))
        for number, point in enumerate(points):
            result[number] = np.sqrt(np.partition(((references - point) ** 2).sum(1), k)[k])
        return result

    def to_bytes(self) -> bytes:
        """Serialises to an .npz file without pickled objects."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            mean=self.mean,
            basis=self.basis,
            references=self.references,
            limit=self.limit,
            handled=self.handled,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "OODDetector":
        """Reads the output of `to_bytes`.

        Raises:
            ValueError, ArchiveError: If the data is anything else.
        """

        def make(*, limit: np.ndarray, **arrays: np.ndarray) -> "OODDetector":
            return cls(**arrays, limit=float(limit))

        return from_arrays(data, make, _ARRAYS, _MAX_BYTES, optional=("handled",))

    def is_valid(self) -> bool:
        """See `Checked`."""
        arrays = (self.mean, self.basis, self.references, self.handled)
        return bool(
            [array.ndim for array in arrays] == [1, 2, 2, 1]
            and all(
                array.dtype.kind == "f" and (np.abs(array.astype(np.float64)) < _MAX_VALUE).all() for array in arrays
            )
            and self.basis.shape == (len(self.mean), self.references.shape[1])
            and len(self.references) > 0
            and len(self.handled) in (0, self.basis.shape[1] + 1)
            and 0 < self.limit < _MAX_VALUE
        )


class Limits(Protocol):
    """What says which file properties are out of distribution: `FileRange`, or `Gate`."""

    def misfits(self, side: int | None, quality: float | None, colour: float, flat: float) -> Iterator[tuple[str, str]]:
        """Yields (rule, phrase) for each property outside the limits; unknown properties are skipped."""


def check_ood(
    files: Limits,
    relative: float,
    side: int | None,
    quality: float | None,
    colour: float,
    flat: float,
    looks_handled: bool = False,
) -> OODResult:
    """Compares one image with the training images.

    Args:
        files: Limits of the file properties.
        relative: Distance in feature space as a multiple of the limit.
        side: Shorter side of the image in pixels, if known.
        quality: Estimated JPEG quality in [0, 100], if any.
        colour: Mean saturation, see `saturation`.
        flat: Share of flat pixels, see `flatness`.
        looks_handled: Whether its features are those of images after handling that breaks the score.
    """
    found = list(files.misfits(side, quality, colour, flat))
    if relative > 1:
        beyond = f"{relative:.1f} times" if relative >= 1.05 else "just beyond"
        text = f"its features are unlike those of the training images ({beyond} the distance limit)"
        found.append(("far", text))
    if looks_handled:
        found.append(
            ("handled", "it looks resized, blurred, compressed or otherwise handled so that the score errs too often")
        )
    return OODResult(relative, tuple(phrase for _, phrase in found), tuple(rule for rule, _ in found))
