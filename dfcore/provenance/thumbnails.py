"""Whether an embedded thumbnail shows the same as its picture: cameras write both at once, editors may forget one.

Measured by `benchmarks/provenance.py` on 221 photographs: of 442 thumbnails that four filters and two JPEG qualities
had made, none was told as different; with a tenth of the picture replaced all were, with a twentieth 219, with a margin
of 5% cut off 216, and after a change of contrast by 60% 23.
"""

import numpy as np
from PIL import Image

from dfcore.imaging.resizing import resized
from dfcore.provenance.evidence import Remark, Thumbnail

# Longest side at which the picture is compared, in pixels.
SIDE = 256
# Largest mean difference of a block, in grey levels after brightness and contrast are fitted.
_MOST_DIFFERENCE = 30.0
# Relative difference of the proportions; thumbnails are rounded to whole pixels, of 120 and more.
_PROPORTIONS = 0.04
_BLACK, _LEAST_SIDE = 24, 32
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_MEANING = (
    "It can mean that the picture was edited after the thumbnail was made, but also that a program cropped it, or took "
    "the thumbnail over from another file. Which of them, the file does not tell."
)


def compare(small: Thumbnail, picture: np.ndarray) -> tuple[bool | None, Remark | None]:
    """Whether a thumbnail differs from its picture, and what is to be said of it.

    Args:
        small: The thumbnail, upright.
        picture: RGB, uint8 (H, W, 3), upright, at most `SIDE` per side.

    Returns:
        Whether they differ, None if the thumbnail is too small to tell; and a remark if they do.
    """
    thumb = _without_bars(np.frombuffer(small.rgb, np.uint8).reshape(small.height, small.width, 3), picture)
    height, width = thumb.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        return None, None
    ratio = (width / height) / (picture.shape[1] / picture.shape[0])
    if abs(np.log(ratio)) > _PROPORTIONS + 1 / min(height, width):
        return True, Remark("The embedded thumbnail has other proportions than the picture.", _MEANING)
    if _difference(thumb, picture) > _MOST_DIFFERENCE:
        return True, Remark("The embedded thumbnail shows something else than the picture.", _MEANING)
    return False, None


def _without_bars(thumb: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The thumbnail without the black bars that many cameras add to reach 4:3; only as far as the proportions ask."""
    height, width = thumb.shape[:2]
    ratio = picture.shape[1] / picture.shape[0]
    rows, columns = round(width / ratio), round(height * ratio)
    top, left = max(height - rows, 0) // 2, max(width - columns, 0) // 2
    bars = [thumb[:top], thumb[height - top :], thumb[:, :left], thumb[:, width - left :]]
    if (top or left) and all(not bar.size or np.percentile(bar, 90) <= _BLACK for bar in bars):
        return thumb[top : height - top, left : width - left]
    return thumb


def _difference(thumb: np.ndarray, picture: np.ndarray) -> float:
    """The largest mean difference among blocks of a twelfth of the shorter side."""
    height, width = thumb.shape[:2]
    shrunk = resized(picture, width, height, Image.Resampling.BOX)
    one, other = thumb @ _LUMA, shrunk @ _LUMA
    # Programs change tones; a line fits brightness and contrast.
    centred = other - other.mean()
    slope = float((centred * one).sum() / max(float((centred**2).sum()), 1.0))
    rest = one - one.mean() - slope * centred
    side = max(4, min(height, width) // 12)
    rows, columns = height // side, width // side
    blocks = rest[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return float(np.abs(blocks.mean((1, 3))).max())
