"""Pixels of decoded frames, upright, in the colours that a player shows; runs in the process that reads films."""

from typing import Any

import av.error
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from dfcore.errors import FilmError
from dfcore.films.sampling import THUMBNAIL
from dfcore.imaging.decoder import MAX_PIXELS
from dfcore.utils.texts import printable

# From this height on, pictures that do not name their colours are taken for those of high definition.
_HD, _UNSPECIFIED = 720, 2


def pixels(frame: Any) -> np.ndarray:
    """A frame's pixels, upright, RGB uint8 (H, W, 3), C-contiguous.

    Raises:
        FilmError: If it is larger than the limit, or its kind of pixels cannot be read.
    """
    require_size(frame.width, frame.height)
    rgb = _reformatted(frame, "rgb24")
    turn, mirrored, _ = turn_of(frame)
    upright = np.rot90(rgb, -(turn // 90))
    return np.ascontiguousarray(upright[:, ::-1] if mirrored else upright)


def thumbnail(frame: Any) -> np.ndarray:
    """A small grey picture of a frame as it is stored, uint8 (`THUMBNAIL`, `THUMBNAIL`).

    Raises:
        FilmError: As `pixels` does.
    """
    require_size(frame.width, frame.height)
    return _reformatted(frame, "gray", THUMBNAIL, THUMBNAIL)


def _reformatted(frame: Any, kind: str, width: int | None = None, height: int | None = None) -> np.ndarray:
    unnamed = frame.colorspace == _UNSPECIFIED and frame.height >= _HD and not frame.format.is_rgb
    try:
        return frame.reformat(
            width, height, kind, src_colorspace=Colorspace.ITU709 if unnamed else None,
            interpolation=Interpolation.AREA if width else None, threads=1,
        ).to_ndarray()  # fmt: skip
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        raise FilmError(f"The film's pixels are of a kind that is not read here ({printable(error)[:100]}).") from error


def turn_of(frame: Any) -> tuple[int, bool, bool]:
    """How a frame becomes upright.

    Returns:
        Degrees clockwise, a multiple of 90; whether left and right are swapped afterwards; and whether it asks for
        another turn, which is left out.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0, False, False
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32)[:9].astype(float).tolist()
    straight, across = abs(a) + abs(d), abs(b) + abs(c)
    if min(straight, across) > 0.01 * max(straight, across) or not a * d - b * c:
        return 0, False, bool(straight or across)
    # In pixels x' = a x + c y and y' = b x + d y; what is mirrored is a turn, with left and right swapped afterwards.
    mirrored = a * d - b * c < 0
    if mirrored:
        a, c = -a, -c
    turn = (0 if a > 0 else 180) if straight > across else (90 if b > 0 else 270)
    return turn, mirrored, False


def require_size(width: int, height: int) -> None:
    """Checks the size of a frame in pixels.

    Raises:
        FilmError: If it is larger than the limit for pictures.
    """
    if width * height > MAX_PIXELS:
        raise FilmError(
            f"Expected frames of at most {MAX_PIXELS // 1_000_000} megapixels. Received: {width} x {height} pixels."
        )
