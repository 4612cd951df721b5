"""Arithmetic of boxes: float32 (N, 4), each (left, top, right, bottom) in pixels, right and bottom exclusive.

The steps are those of the cascade of `mtcnn` 1.0.0 (Iván de Paz Centeno, MIT licence, see models/parts), in NumPy.
"""

from typing import Literal

import numpy as np

Overlap = Literal["union", "smaller"]


def overlaps(box: np.ndarray, boxes: np.ndarray, of: Overlap = "union") -> np.ndarray:
    """Share of the area that one box (4,) has in common with each of others (N, 4), in [0, 1].

    Args:
        box: One box.
        boxes: The others.
        of: The area that it is a share of: the union of both, or the smaller of both.
    """
    everything = np.concatenate([box[None], boxes]).T
    return _overlaps(everything, areas(everything.T), of)


def suppress(boxes: np.ndarray, scores: np.ndarray, most_overlap: float, of: Overlap = "union") -> np.ndarray:
    """Non-maximum suppression: keeps a box unless one with a higher score that was kept overlaps it too much.

    Args:
        boxes: (N, 4).
        scores: (N,).
        most_overlap: Largest overlap of two boxes that are kept, see `overlaps`.
        of: See `overlaps`.

    Returns:
        Numbers of the boxes that are kept, by falling score; the earlier box first where scores are equal.
    """
    numbers = np.argsort(-scores, kind="stable")
    sides, sizes = np.ascontiguousarray(boxes[numbers].T), areas(boxes[numbers])
    kept = []
    while len(numbers):
        kept.append(numbers[0])
        apart = np.flatnonzero(_overlaps(sides, sizes, of) <= most_overlap) + 1
        numbers, sides, sizes = numbers[apart], sides[:, apart], sizes[apart]
    return np.array(kept, np.int64)


def squares(boxes: np.ndarray) -> np.ndarray:
    """The square around the centre of each box whose side is the box's longer one."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def refined(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Boxes moved by a network's offsets (N, 4), which are in units of a box's width and height."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.tile(sizes, 2)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes (N, 4) in square pixels, (N,); 0 where a box is turned inside out."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def _overlaps(sides: np.ndarray, sizes: np.ndarray, of: Overlap) -> np.ndarray:
    """Overlaps of the first box with each of the others, (N - 1,).

    Args:
        sides: Boxes, (4, N).
        sizes: Their areas, (N,).
        of: See `overlaps`.
    """
    across = np.minimum(sides[2, 0], sides[2, 1:]) - np.maximum(sides[0, 0], sides[0, 1:])
    down = np.minimum(sides[3, 0], sides[3, 1:]) - np.maximum(sides[1, 0], sides[1, 1:])
    common = np.maximum(across, 0) * np.maximum(down, 0)
    whole = sizes[0] + sizes[1:] - common if of == "union" else np.minimum(sizes[0], sizes[1:])
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)
