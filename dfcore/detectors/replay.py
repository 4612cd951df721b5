"""What a detector learned from, as features: enough to teach its last layer something new without forgetting the old.

A bundle keeps the inputs of the last layer for images of its training and validation splits. No image can be restored
from them. They are rounded relative to their distance from the feature's median, not to its range: a few images far off
would else cost all others their differences.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dfcore.utils.archives import from_arrays

# Images of which a bundle keeps features: 4 MB for a thousand with one view of 3,840.
MOST_IMAGES = 2000
_LONGEST_GROUP = 200
# Bits of the significand that are kept of float16's 10, so that the file packs well: distances are within 6.3%.
_BITS = 3
MAX_BYTES = 256 * 2**20
_MEMBERS = ("sha256", "labels", "groups", "held", "columns", "medians", "scales", "features")


@dataclass(frozen=True)
class Replay:
    """Features of N images with V views.

    Attributes:
        sha256: SHA-256 of each file, in hexadecimal digits, str (N,).
        labels: 0 real, 1 fake, uint8 (N,).
        groups: Group of each image, str (N,); "" without.
        held: Whether it belongs to the validation split, from which the network did not learn, bool (N,).
        columns: The features that are kept, of all that enter the last layer, int32 (D,); it ignores the others.
        medians, scales: Features are medians + scales * `features`, float32 (V, D).
        features: float16 (N, V, D), within [-1, 1].
    """

    sha256: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    held: np.ndarray
    columns: np.ndarray
    medians: np.ndarray
    scales: np.ndarray
    features: np.ndarray

    @classmethod
    def of(
        cls,
        sha256: Sequence[str],
        labels: Sequence[int],
        groups: Sequence[str],
        held: Sequence[bool],
        features: np.ndarray,
        columns: np.ndarray,
    ) -> "Replay":
        """Takes images down.

        Args:
            sha256: As the attribute, as are the next three.
            labels: 0 real, 1 fake.
            groups: "" without.
            held: Whether it belongs to the validation split.
            features: Of each view of each image, (N, V, D), those of `columns` alone.
            columns: Their numbers among all that enter the last layer, (D,).
        """
        values = np.asarray(features, np.float32)
        medians = np.median(values, axis=0).astype(np.float32)
        scales = np.maximum(np.abs(values - medians).max(0), np.float32(1e-12))
        return cls(
            np.array(sha256, "U64"),
            np.array(labels, np.uint8),
            np.array([group[:_LONGEST_GROUP] for group in groups], str),
            np.array(held, bool),
            np.asarray(columns, np.int32),
            medians,
            scales,
            _rounded(((values - medians) / scales).astype(np.float16)),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def views(self) -> int:
        """Number of views of an image."""
        return self.features.shape[1]

    def values(self, rows: np.ndarray) -> np.ndarray:
        """Features of some images, float32 (n, V, D)."""
        return self.medians + self.scales * self.features[rows].astype(np.float32)

    def to_bytes(self) -> bytes:
        """Serialises to an .npz file without pickled objects."""
        buffer = io.BytesIO()
        members = {name: getattr(self, name) for name in _MEMBERS}
        np.savez_compressed(buffer, **members | {"features": _apart(self.features)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Replay":
        """Reads the output of `to_bytes`.

        Raises:
            ValueError, ArchiveError: If the data is anything else.
        """
        return from_arrays(
            data, lambda **found: cls(**found | {"features": _joined(found["features"])}), _MEMBERS, MAX_BYTES
        )

    def is_valid(self) -> bool:
        """See `Checked`."""
        images, views, width = self.features.shape
        kinds = [getattr(self, name).dtype.kind for name in _MEMBERS]
        return bool(
            kinds == ["U", "u", "U", "b", "i", "f", "f", "f"]
            and self.features.dtype == np.float16
            and (np.abs(self.features) <= 1).all()
            and 0 < images <= MOST_IMAGES
            and views > 0
            and width > 0
            and all(each.shape == (images,) for each in (self.sha256, self.labels, self.groups, self.held))
            and all(each.shape == (views, width) for each in (self.medians, self.scales))
            and np.isin(self.labels, (0, 1)).all()
            and self.columns.shape == (width,)
            and (self.columns >= 0).all()
            and (np.diff(self.columns) > 0).all()
            and np.isfinite(self.medians).all()
            and np.isfinite(self.scales).all()
            and (np.abs(self.medians) < 1e9).all()
            and (self.scales > 0).all()
            and (self.scales < 1e9).all()
        )


def _apart(values: np.ndarray) -> np.ndarray:
    """First and second bytes of float16 numbers, uint8 (2, ...): apart they pack better by a sixth."""
    if values.dtype != np.float16:
        return values
    found = np.ascontiguousarray(values, "<f2").view(np.uint8)
    return np.stack([found[..., byte::2] for byte in (0, 1)])


def _joined(values: np.ndarray) -> np.ndarray:
    """The numbers again; those of earlier versions are stored as they are."""
    if values.dtype != np.uint8 or len(values) != 2:
        return values
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)).view("<f2")[..., 0]


def _rounded(values: np.ndarray) -> np.ndarray:
    """Rounds the significands of float16 numbers within [-1, 1] to `_BITS` bits."""
    bits = values.view(np.uint16)
    dropped = 10 - _BITS
    return ((bits + np.uint16(1 << (dropped - 1))) & np.uint16(0xFFFF << dropped & 0xFFFF)).view(np.float16)
