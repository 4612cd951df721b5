"""A picture at several sizes, and square patches of it."""

import numpy as np
from PIL import Image

_GREY = 127.5
_BATCH = 256


class Mipmap:
    """A picture and its halves, quarters and so on, made once: patches and scaled copies cost the same everywhere.

    Attributes:
        height, width: Size of the picture in pixels.
    """

    def __init__(self, rgb: np.ndarray):
        """Takes RGB uint8 (H, W, 3)."""
        self.height, self.width = rgb.shape[:2]
        self._levels = [np.ascontiguousarray(rgb)]
        while min(self._levels[-1].shape[:2]) > 1:
            self._levels.append(np.asarray(Image.fromarray(self._levels[-1]).reduce(2)))

    def scaled(self, scale: float) -> np.ndarray:
        """The whole picture, uint8, with its sides multiplied by `scale` and rounded."""
        width, height = self._size(scale)
        level = self._level(1 / scale)
        return np.asarray(Image.fromarray(self._levels[level]).resize((width, height), Image.Resampling.BILINEAR))

    def factors(self, scale: float) -> np.ndarray:
        """What turns boxes of `scaled(scale)` into boxes of the picture, (4,)."""
        width, height = self._size(scale)
        return np.array([self.width / width, self.height / height] * 2)

    def patches(self, boxes: np.ndarray, side: int) -> np.ndarray:
        """What lies in boxes, at one size; grey where a box reaches beyond the picture.

        Args:
            boxes: (N, 4), in pixels of the picture.
            side: Height and width of the patches.

        Returns:
            float32 (N, side, side, 3) in [0, 255].
        """
        result = np.empty((len(boxes), side, side, 3), np.float32)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0)
        levels = np.array([self._level(length / side) for length in sides], int)
        for level in np.unique(levels):
            numbers = np.flatnonzero(levels == level)
            for start in range(0, len(numbers), _BATCH):
                some = numbers[start : start + _BATCH]
                result[some] = _sampled(self._levels[level], boxes[some] / 2**level, side)
        return result

    def _size(self, scale: float) -> tuple[int, int]:
        return max(round(self.width * scale), 1), max(round(self.height * scale), 1)

    def _level(self, pixels: float) -> int:
        """The level whose pixels are at most `pixels` pixels of the picture wide."""
        return int(np.clip(np.floor(np.log2(max(pixels, 1))), 0, len(self._levels) - 1))


def _sampled(picture: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """Bilinear samples at the centres of the cells of each box, float32 (N, side, side, 3)."""
    cells = (np.arange(side) + 0.5) / side
    x, y = (boxes[:, k, None] + cells * (boxes[:, k + 2] - boxes[:, k])[:, None] - 0.5 for k in (0, 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_share, bottom_share = (x - left)[:, None, :, None], (y - top)[:, :, None, None]
    result = np.zeros((len(boxes), side, side, 3), np.float32)
    for down, across, share in (
        (0, 0, (1 - bottom_share) * (1 - right_share)),
        (0, 1, (1 - bottom_share) * right_share),
        (1, 0, bottom_share * (1 - right_share)),
        (1, 1, bottom_share * right_share),
    ):
        result += share.astype(np.float32) * _taken(picture, top + down, left + across)
    return result


def _taken(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pixels of (N, h) rows and (N, w) columns, float32 (N, h, w, 3); grey outside of the picture."""
    height, width = picture.shape[:2]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    values = picture[rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None, :]]
    return np.where(inside[..., None], values, np.float32(_GREY)).astype(np.float32)
