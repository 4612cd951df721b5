"""Crops of faces, framed as those that face detectors were trained on.

The frame is that of Flickr-Faces-HQ (T. Karras et al., 2019), by its formula from eyes and mouth, but upright: FFHQ
also turns faces until their eyes are level, which would resample the pixels that a detector judges. On faces of FFHQ
and StyleGAN it meets the original frame with a deviation of 0.5% of its side in place and 4% in size; a frame by the
box, with 4% and 5%.
"""

import numpy as np

from dfcore.errors import InputError
from dfcore.faces.finder import Face

# In FFHQ's formula: sides by the distance of the eyes, by that from the eyes to the mouth, and the centre's way down.
_BY_EYES, _BY_MOUTH, _DOWN = 4.0, 3.6, 0.1
# This finder's landmarks lie a little further apart than those that FFHQ was made with.
_CORRECTION = 1 / 1.017
_LEAST_MARGIN, _MOST_MARGIN = -0.4, 10.0


def check_margin(margin: float) -> None:
    """Checks a margin, see `frame`.

    Raises:
        InputError: If it is out of range.
    """
    if not _LEAST_MARGIN <= margin <= _MOST_MARGIN:
        raise InputError(f"Expected a margin from {_LEAST_MARGIN:g} to {_MOST_MARGIN:g}. Received: {margin}.")


def frame(face: Face, margin: float = 0.0) -> tuple[float, float, float, float]:
    """The square around a face that face detectors expect.

    Args:
        face: A face from `find_faces`.
        margin: What is added on each side, as a share of the square's side; negative for a narrower crop. At least
            -0.4, at most 10.

    Returns:
        Left, top, right and bottom in pixels; may reach beyond the picture.

    Raises:
        InputError: If the margin is out of range.
    """
    check_margin(margin)
    points = np.array(face.landmarks)
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    apart, below = np.linalg.norm(points[1] - points[0]), np.linalg.norm(mouth - eyes)
    half = max(_BY_EYES * apart, _BY_MOUTH * below) * _CORRECTION / 2 * (1 + 2 * margin)
    x, y = eyes + _DOWN * (mouth - eyes)
    return float(x - half), float(y - half), float(x + half), float(y + half)


def crop(rgb: np.ndarray, face: Face, margin: float = 0.0) -> np.ndarray:
    """Cuts a face out of a picture, at its own pixels: nothing is resized, turned or invented.

    The square of `frame` is moved into the picture where it reaches beyond it, and made smaller where it is larger.

    Args:
        rgb: uint8 (H, W, 3), the picture that the face was found in.
        face: The face.
        margin: See `frame`.

    Returns:
        uint8 (side, side, 3), a copy; side is at least 1.

    Raises:
        InputError: If the margin is out of range.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = frame(face, margin)
    side = int(np.clip(round(right - left), 1, min(height, width)))
    x = int(np.clip(round((left + right - side) / 2), 0, width - side))
    y = int(np.clip(round((top + bottom - side) / 2), 0, height - side))
    return rgb[y : y + side, x : x + side].copy()
