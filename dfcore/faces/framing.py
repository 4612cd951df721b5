"""Crops of faces, framed as those that face detectors were trained on.

By default the frame is that of Flickr-Faces-HQ (T. Karras et al., 2019), by its formula from eyes and mouth, but
upright: FFHQ also turns faces until their eyes are level, which would resample the pixels that a detector judges. On
faces of FFHQ and StyleGAN it meets the original frame with a deviation of 0.6% of its side in place and 3.5% in size; a
frame by the box, with 3.3% and 6.6%. A `Framing` says how far another frame lies from it; `measured` finds it from
pictures that are crops of faces, such as the training images of a detector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dfcore.errors import InputError
from dfcore.faces.finder import Face

Alignment = Literal["features", "box"]
# What a frame is drawn by, in words.
ALIGNMENTS: dict[Alignment, str] = {"features": "upright, by eyes and mouth", "box": "upright, by the box of the face"}
# In FFHQ's formula: sides by the distance of the eyes, by that from the eyes to the mouth, and the centre's way down.
_BY_EYES, _BY_MOUTH, _DOWN = 4.0, 3.6, 0.1
# This finder's landmarks lie a little further apart than those that FFHQ was made with.
_CORRECTION = 1 / 1.017
_LEAST_MARGIN, _MOST_MARGIN = -0.4, 10.0
_MOST_OFFSET = 5.0


@dataclass(frozen=True)
class Framing:
    """How a square lies around a face.

    Attributes:
        margin: What is added on each side of the square, as a share of its side; negative for a narrower one. At least
            -0.4, at most 10.
        offset: How far the square is moved down, as a share of its side before the margin; negative is up. At most 5.
        alignment: What the square without margin is: by "features", FFHQ's from eyes and mouth; by "box", around the
            centre of the face's box, with its longer side.

    Raises:
        InputError: If a number is out of range, or there is no such alignment.
    """

    margin: float = 0.0
    offset: float = 0.0
    alignment: Alignment = "features"

    def __post_init__(self) -> None:
        check_margin(self.margin)
        if not abs(self.offset) <= _MOST_OFFSET or self.alignment not in ALIGNMENTS:
            raise InputError(
                f"Expected an offset from -{_MOST_OFFSET:g} to {_MOST_OFFSET:g} and one of {', '.join(ALIGNMENTS)}. "
                f"Received: {self.offset}, {self.alignment!r}."
            )

    def frame(self, face: Face) -> tuple[float, float, float, float]:
        """The square around a face: left, top, right and bottom in pixels; may reach beyond the picture."""
        x, y, side = _square(face, self.alignment)
        y += self.offset * side
        half = side / 2 * (1 + 2 * self.margin)
        return float(x - half), float(y - half), float(x + half), float(y + half)

    def region(self, face: Face, height: int, width: int) -> tuple[int, int, int, int]:
        """The same in whole pixels within a picture.

        The square is moved into the picture where it reaches beyond it, and made smaller where it is larger.

        Args:
            face: A face of the picture.
            height: Height of the picture in pixels, at least 1.
            width: Its width.

        Returns:
            Left, top, right and bottom, right and bottom exclusive; a square of at least 1 pixel.
        """
        left, top, right, bottom = self.frame(face)
        side = int(np.clip(round(right - left), 1, min(height, width)))
        x = int(np.clip(round((left + right - side) / 2), 0, width - side))
        y = int(np.clip(round((top + bottom - side) / 2), 0, height - side))
        return x, y, x + side, y + side

    def crop(self, rgb: np.ndarray, face: Face) -> np.ndarray:
        """Cuts a face out of a picture, at its own pixels: nothing is resized, turned or invented.

        Args:
            rgb: uint8 (H, W, 3), the picture that the face was found in.
            face: The face.

        Returns:
            uint8 (side, side, 3), a copy of `region`.
        """
        left, top, right, bottom = self.region(face, *rgb.shape[:2])
        return rgb[top:bottom, left:right].copy()


@dataclass(frozen=True)
class Measured:
    """The framing of crops, and how much they differ from it.

    Attributes:
        framing: The median of the crops.
        faces: Number of crops that it was measured on.
        spread: Standard deviation of the side, as a share of the median.
        apart: Standard deviation of the place, root mean square of across and down, as a share of the side.
    """

    framing: Framing
    faces: int
    spread: float
    apart: float


def check_margin(margin: float) -> None:
    """Checks a margin, see `Framing`.

    Raises:
        InputError: If it is out of range.
    """
    if not _LEAST_MARGIN <= margin <= _MOST_MARGIN:
        raise InputError(f"Expected a margin from {_LEAST_MARGIN:g} to {_MOST_MARGIN:g}. Received: {margin}.")


def frame(face: Face, margin: float = 0.0) -> tuple[float, float, float, float]:
    """The square around a face that face detectors expect, see `Framing.frame`; raises InputError for a bad margin."""
    return Framing(margin).frame(face)


def crop(rgb: np.ndarray, face: Face, margin: float = 0.0) -> np.ndarray:
    """Cuts a face out of a picture, see `Framing.crop`; raises InputError for a bad margin."""
    return Framing(margin).crop(rgb, face)


def measured(found: Sequence[tuple[Face, int]], alignment: Alignment | None = None) -> Measured | None:
    """The framing of square pictures, each a crop of one face.

    Args:
        found: The face in each picture, and the picture's side in pixels.
        alignment: What the frame is drawn by; None for what the pictures differ from least.

    Returns:
        The framing that turns such a face into such a crop; None without faces, or if they lie so differently that no
        framing within the limits is theirs.
    """
    if not found:
        return None
    one, *others = (_measured(found, each) for each in ([alignment] if alignment else ALIGNMENTS))
    return min((each for each in (one, *others) if each), key=lambda each: each.spread + each.apart, default=None)


def _measured(found: Sequence[tuple[Face, int]], alignment: Alignment) -> Measured | None:
    squares = np.array([_square(face, alignment) for face, _ in found])
    sides = np.array([side for _, side in found], float)
    sound = squares[:, 2] > 0
    if not sound.any():
        return None
    (x, y, length), sides = squares[sound].T, sides[sound]
    wider, across, down = sides / length, (sides / 2 - x) / length, (sides / 2 - y) / length
    factor = float(np.median(wider))
    apart = float(np.sqrt((np.var(across) + np.var(down)) / 2)) / factor
    try:
        framing = Framing(round((factor - 1) / 2, 4), round(float(np.median(down)), 4), alignment)
    except InputError:
        return None
    return Measured(framing, int(sound.sum()), float(np.std(wider)) / factor, apart)


def _square(face: Face, alignment: Alignment) -> tuple[float, float, float]:
    """Centre and side of the square without margin."""
    if alignment == "box":
        left, top, right, bottom = face.box
        return (left + right) / 2, (top + bottom) / 2, face.side
    points = np.array(face.landmarks)
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    apart, below = np.linalg.norm(points[1] - points[0]), np.linalg.norm(mouth - eyes)
    x, y = eyes + _DOWN * (mouth - eyes)
    return float(x), float(y), float(max(_BY_EYES * apart, _BY_MOUTH * below) * _CORRECTION)
