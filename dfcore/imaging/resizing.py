"""Pixels of another size, without several copies of a large image."""

import numpy as np
from PIL import Image

# From this size on the channels are resized one after the other. Pillow keeps four bytes a pixel of RGB, beside the
# copy that it makes them from: seven times what one channel takes.
_LARGE_PIXELS = 4_000_000


def resized(rgb: np.ndarray, width: int, height: int, sampling: Image.Resampling) -> np.ndarray:
    """Resizes an image, uint8 (H, W, 3), to uint8 (height, width, 3): the same bytes as Pillow's, whatever the size."""
    if rgb.shape[0] * rgb.shape[1] < _LARGE_PIXELS:
        return np.array(Image.fromarray(rgb).resize((width, height), sampling))
    result = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        # A contiguous array is read where it is.
        one = Image.fromarray(np.ascontiguousarray(rgb[..., channel]))
        result[..., channel] = np.asarray(one.resize((width, height), sampling))
    return result
