"""Which images a detector was trained on: hashes of each, so that it can tell whether it has seen an image before.

A score on an image that a network learned from says nothing about new images, and figures that include such images
flatter. A bundle therefore keeps 33 bytes of each training image: parts of the hashes of its pixels and of its file,
and how it looks (a perceptual hash, and the colours of its quarters). From these no image can be restored, but whoever
has an image can ask whether it was among them.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np

from dfcore.imaging.signature import Signature
from dfcore.utils.archives import from_arrays

# An image looks like another if at most `_MOST_BITS` of 64 bits of their perceptual hashes differ, and the colours of
# their quarters by at most `_MOST_COLOUR` of 31 levels on average. See `benchmarks/trained_on.py` for the figures.
_MOST_BITS, _MOST_COLOUR = 4, 0.75
# Below this standard deviation of its thumbnail, in grey levels, an image shows too little to look like another.
_LEAST_CONTRAST = 4.0
# To be raised whenever `Signature.thumb` or `Signature.hashes` of an image change; other versions are not compared.
VERSION = 1
_ARRAYS = ("pixels", "files", "looks", "colours", "held", "version")
# Limits of a stored list: eight million images.
MOST_IMAGES = 8 * 2**20
MAX_BYTES, _MAX_ARRAY = 34 * MOST_IMAGES, 8 * MOST_IMAGES + 1024
# Quarters of the picture times colour channels, each with five bits.
_SHIFTS = 5 * np.arange(12, dtype=np.uint64)
_LEVELS = np.uint64(31)


class Seen(StrEnum):
    """Whether an image was among those that a detector was trained on."""

    UNKNOWN = "unknown"
    """The detector does not know its training images."""
    NOT_FOUND = "not found"
    TRAIN = "train"
    """Its weights were fitted to this very image."""
    VALIDATION = "validation"
    """Its best epoch, calibration or thresholds were chosen on this very image."""
    LIKE_TRAIN = "like train"
    """It looks like a training image: a re-saved, resized or mirrored copy, or one that can hardly be told apart."""
    LIKE_VALIDATION = "like validation"

    @property
    def found(self) -> bool:
        """Whether the image, or one that looks like it, was used in training."""
        return self not in (Seen.UNKNOWN, Seen.NOT_FOUND)


_SHORT = {
    Seen.UNKNOWN: "",
    Seen.NOT_FOUND: "",
    Seen.TRAIN: "trained on",
    Seen.VALIDATION: "used to tune the detector",
    Seen.LIKE_TRAIN: "looks like one trained on",
    Seen.LIKE_VALIDATION: "looks like one used to tune the detector",
}
_WORDS = {
    Seen.UNKNOWN: "",
    Seen.NOT_FOUND: "",
    Seen.TRAIN: "This very image was among those that the detector was trained on: ignore its verdict, which does not "
    "show how it judges new images.",
    Seen.VALIDATION: "This very image was used to tune the detector (it is in the validation split): its verdict says "
    "little about new images.",
    Seen.LIKE_TRAIN: "This image looks like one that the detector was trained on, perhaps a re-saved, resized or "
    "mirrored copy: if it is, its verdict says nothing about new images.",
    Seen.LIKE_VALIDATION: "This image looks like one that was used to tune the detector (in the validation split), "
    "perhaps a re-saved, resized or mirrored copy: if it is, its verdict says little about new images.",
}


def in_words(seen: Seen) -> str:
    """What it means for the verdict on one image, in one sentence; "" if nothing was found, or nothing is known."""
    return _WORDS[seen]


def in_short(seen: Seen) -> str:
    """The same in a few words, without what it means."""
    return _SHORT[seen]


@dataclass(frozen=True)
class TrainedOn:
    """Hashes of the N images of a detector's training and validation splits.

    Attributes:
        pixels, files: The first 8 bytes of the SHA-256 of each image's pixels and of its file, uint64 (N,).
        looks: Perceptual hashes of the whole picture, uint64 (N,).
        colours: Mean colours of the picture's quarters, 12 values of 5 bits each, uint64 (N,); all bits are set where
            the picture shows too little to be compared.
        held: Whether it belongs to the validation split, bool (N,).
        version: `VERSION` that `looks` and `colours` were computed with.
    """

    pixels: np.ndarray
    files: np.ndarray
    looks: np.ndarray
    colours: np.ndarray
    held: np.ndarray
    version: int = field(default=VERSION)

    @classmethod
    def of(
        cls,
        pixels: Sequence[str | None],
        files: Sequence[str | None],
        signatures: Iterable[Signature | None],
        held: Sequence[bool],
    ) -> "TrainedOn":
        """Takes down images, one entry of each argument per image.

        Args:
            pixels: SHA-256 of its pixels, in hexadecimal digits; None if unknown.
            files: SHA-256 of its file, likewise.
            signatures: How each looks; None if unknown.
            held: Whether it belongs to the validation split.
        """
        marks = [_looks(signature)[0] for signature in signatures]
        looks, colours = np.array(marks, np.uint64).reshape(-1, 2).T
        return cls(_numbers(pixels), _numbers(files), looks, colours, np.array(held, bool))

    def plus(self, other: "TrainedOn") -> "TrainedOn":
        """The images of both lists."""
        both = {
            name: np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("pixels", "files", "looks", "colours", "held")
        }
        # Where the looks are of two versions, none are compared.
        return TrainedOn(**both, version=self.version if self.version == other.version else 0)

    def __len__(self) -> int:
        return len(self.pixels)

    def find(
        self,
        pixels: Sequence[str | None],
        files: Sequence[str | None],
        looks: Callable[[list[int]], Iterable[Signature | None]],
    ) -> list[Seen]:
        """Tells for each image whether it was among these. The same pixels are the same image, whatever the file.

        Args:
            pixels: As for `of`.
            files: As for `of`.
            looks: Gives the signatures of the images at some positions; asked once, for those that are not found by
                their hashes.
        """
        asked = _numbers(pixels), _numbers(files)
        train, validation = (
            _within(by_pixels, asked[0]) | _within(by_file, asked[1]) for by_pixels, by_file in self._sorted
        )
        kinds = np.array([Seen.NOT_FOUND, Seen.VALIDATION, Seen.TRAIN], object)
        result = kinds[np.where(train, 2, validation.astype(int))].tolist()
        rest = [position for position, seen in enumerate(result) if seen is Seen.NOT_FOUND]
        if rest and self.version == VERSION:
            for position, signature in zip(rest, looks(rest), strict=True):
                result[position] = self._alike(signature)
        return result

    @cached_property
    def _sorted(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Sorted hashes of pixels and files: of training, then of validation."""
        masks = ~self.held, self.held
        return [(np.sort(self.pixels[mask]), np.sort(self.files[mask])) for mask in masks]

    def _alike(self, signature: Signature | None) -> Seen:
        found: set[bool] = set()
        for look, colour in _looks(signature):  # As it is, and mirrored: training mirrors its images.
            if colour != _PLAIN:
                near = np.flatnonzero(np.bitwise_count(self.looks ^ np.uint64(look)) <= _MOST_BITS)
                apart = np.abs(_levels(self.colours[near]) - _levels(np.array([colour], np.uint64))).mean(1)
                found |= set(self.held[near[(apart <= _MOST_COLOUR) & (self.colours[near] != _PLAIN)]].tolist())
        return Seen.LIKE_TRAIN if False in found else Seen.LIKE_VALIDATION if found else Seen.NOT_FOUND

    def to_bytes(self) -> bytes:
        """Serialises to an .npz file without pickled objects, 33 bytes an image."""
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in _ARRAYS})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "TrainedOn":
        """Reads the output of `to_bytes`.

        Raises:
            ValueError, ArchiveError: If the data is anything else.
        """

        def make(*, version: np.ndarray, **arrays: np.ndarray) -> "TrainedOn":
            return cls(**arrays, version=int(version))

        return from_arrays(data, make, _ARRAYS, _MAX_ARRAY)

    def is_valid(self) -> bool:
        """See `Checked`."""
        hashes = (self.pixels, self.files, self.looks, self.colours)
        return bool(
            all(column.shape == (len(self.held),) for column in (*hashes, self.held))
            and all(column.dtype == np.uint64 for column in hashes)
            and self.held.dtype == bool
            and 0 < len(self.held) <= MOST_IMAGES
        )


_PLAIN = np.uint64(2**64 - 1)


def _numbers(hashes: Sequence[str | None]) -> np.ndarray:
    """The first 8 bytes of each hash, uint64; 0 where it is unknown."""
    return np.array([int(value[:16], 16) if isinstance(value, str) and value else 0 for value in hashes], np.uint64)


def _within(listed: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Which hashes are in a sorted list; an unknown one (0) never is."""
    if not len(listed):
        return np.zeros(len(asked), bool)
    places = np.minimum(np.searchsorted(listed, asked), len(listed) - 1)
    return (listed[places] == asked) & (asked != 0)


def _looks(signature: Signature | None) -> list[tuple[int, int]]:
    """Perceptual hash and colours of a picture, and of its mirror image."""
    if signature is None or float(signature.thumb.std()) < _LEAST_CONTRAST:
        return [(0, int(_PLAIN))] * 2
    straight, mirrored = (int(value) for value in signature.hashes[:2])
    return [(straight, _colours(signature.thumb)), (mirrored, _colours(signature.thumb[:, ::-1]))]


def _colours(thumb: np.ndarray) -> int:
    """Mean colours of a thumbnail's quarters, 12 values of 5 bits each."""
    height, width = (side // 2 for side in thumb.shape[:2])
    quarters = thumb[: 2 * height, : 2 * width].reshape(2, height, 2, width, 3).mean((1, 3))
    levels = np.rint(quarters.ravel() * (int(_LEVELS) / 255)).astype(np.uint64)
    return int(np.bitwise_or.reduce(levels << _SHIFTS))


def _levels(colours: np.ndarray) -> np.ndarray:
    """Unpacks `colours`, (N,) to float (N, 12)."""
    return ((colours[:, None] >> _SHIFTS) & _LEVELS).astype(float)
