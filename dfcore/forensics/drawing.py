"""Frames and shades that mark parts of a picture; neither blue nor orange, which mean real and fake."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from dfcore.forensics.view import Region

FIRST, SECOND = (27, 169, 124), (201, 87, 143)


def marked(rgb: np.ndarray, boxes: Sequence[Region], colour: tuple[int, int, int] = FIRST) -> np.ndarray:
    """The picture, RGB uint8 (h, w, 3), with frames around boxes (x, y, width, height)."""
    image = Image.fromarray(rgb.copy())
    draw = ImageDraw.Draw(image)
    thick = max(2, max(image.size) // 400)
    for x, y, width, height in boxes:
        draw.rectangle((x, y, x + width - 1, y + height - 1), outline=colour, width=thick)
    return np.asarray(image)


def dimmed(rgb: np.ndarray) -> np.ndarray:
    """The picture in grey at half its contrast, so that marks stand out."""
    return np.repeat((rgb.mean(-1, keepdims=True) / 2 + 64).astype(np.uint8), 3, axis=-1)


def shaded(rgb: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The picture with a colour laid over the pixels of a mask, bool (h, w)."""
    result = rgb.copy()
    result[mask] = (0.4 * result[mask] + 0.6 * np.array(colour)).astype(np.uint8)
    return result
