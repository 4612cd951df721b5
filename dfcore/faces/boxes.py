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
    near, far = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.clip(far - near, 0, None).prod(1)
    own, areas = _area(box[None])[0], _area(boxes)
    whole = own + areas - common if of == "union" else np.minimum(own, areas)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)


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
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        left = left[overlaps(boxes[first], boxes[left], of) <= most_overlap]
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


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
