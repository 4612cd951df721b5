"""Finds faces: a cascade of three small networks over a pyramid of the picture (MTCNN).

The first network scores every 12-pixel square of the picture at many scales, the second and the third look closer at
what is left. Memory and time are bounded for every picture that the decoder accepts: the finest scale is limited to
`_MOST_PIXELS`, so in large pictures the smallest face that is looked for grows (`smallest_side`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dfcore.errors import InputError
from dfcore.faces.boxes import refined, squares, suppress
from dfcore.faces.networks import FIRST, SECOND, THIRD, Networks, shipped_networks
from dfcore.faces.patches import Mipmap

# Side of the smallest face looked for, in pixels, and the most faces that are returned.
MIN_SIDE, MOST = 24, 200
# Thresholds of the three networks, and the largest overlaps of squares that go on: within a scale, among all, after the
# second network and the third. Those of `mtcnn`.
_FIRST_SCORE, _SECOND_SCORE, _THIRD_SCORE = 0.6, 0.7, 0.8
_WITHIN, _AMONG, _AFTER = 0.5, 0.7, 0.7
# Step of the pyramid, pixels of its finest scale, and of a band that the first network takes at a time.
_STEP, _MOST_PIXELS, _BAND_PIXELS = 0.709, 4_000_000, 1_000_000
# Pixels between the squares of the first network, and how many of them go on at most, those with the highest scores:
# from a band, to the second network, to the third.
_STRIDE, _FROM_BAND, _TO_SECOND, _TO_THIRD = 2, 3_000, 6_000, 2_000
_DECIMALS = 2


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        box: Left, top, right and bottom in pixels, from the forehead to the chin; within the picture.
        score: Probability of a face by the last network, in [0, 1].
        landmarks: x and y in pixels of the eyes, the tip of the nose and the corners of the mouth, of each pair first
            the left one in the picture; a little outside of the picture where the face is cut off.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @property
    def side(self) -> float:
        """The longer side of the box in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def smallest_side(height: int, width: int, min_side: float = MIN_SIDE) -> float:
    """Side in pixels of the smallest face that is looked for in a picture: `min_side`, larger from 16 megapixels on."""
    return max(min_side, FIRST * (height * width / _MOST_PIXELS) ** 0.5)


def check_options(min_side: float, most: int) -> None:
    """Checks the options of `find_faces`.

    Raises:
        InputError: If one is out of range.
    """
    if not min_side >= FIRST or not 1 <= most <= _TO_THIRD:
        raise InputError(
            f"Expected min_side of {FIRST} or more and most from 1 to {_TO_THIRD}. Received: {min_side}, {most}."
        )


def find_faces(rgb: np.ndarray, *, min_side: float = MIN_SIDE, most: int = MOST) -> list[Face]:
    """Finds the faces of people in a picture. Deterministic and thread-safe.

    Upright faces, turned by up to about 30 degrees, are found from the front; many in profile, or half hidden, are not.
    How many: `benchmarks/results/face_finder.txt`.

    Args:
        rgb: uint8 (H, W, 3) of any size, upright.
        min_side: Side of the smallest face looked for, in pixels, at least 12; see also `smallest_side`. Time grows
            with its inverse square.
        most: Most faces that are returned, those with the highest scores; up to 2,000.

    Returns:
        The faces, by falling score; none in a picture of less than 12 pixels.

    Raises:
        InputError: If it is no such array, or an option is out of range.
        MissingExtraError: If OpenVINO is not installed.
        BundleError: If the weights are missing or altered.

    Source: K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks",
    2016.
    """
    rgb = np.asarray(rgb)
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise InputError(f"Expected a picture, uint8 (H, W, 3). Received: {rgb.dtype} {rgb.shape}.")
    check_options(min_side, most)
    height, width = rgb.shape[:2]
    if min(height, width) < FIRST:
        return []
    nets, mipmap = shipped_networks(), Mipmap(rgb)
    boxes = _proposed(nets, mipmap, smallest_side(height, width, min_side))
    boxes = _second(nets, mipmap, boxes)
    boxes, scores, landmarks = _third(nets, mipmap, boxes)
    boxes = np.clip(boxes, 0, np.array([width, height] * 2))
    return [
        Face(
            tuple(np.round(box, _DECIMALS).tolist()),
            float(score),
            tuple(map(tuple, np.round(points, _DECIMALS).tolist())),
        )
        for box, score, points in zip(boxes[:most], scores, landmarks, strict=False)
    ]


def _proposed(nets: Networks, mipmap: Mipmap, smallest: float) -> np.ndarray:
    """Squares that the first network takes for faces, (N, 4)."""
    all_boxes, all_scores = [np.empty((0, 4))], [np.empty(0)]
    scale = FIRST / smallest
    while scale * min(mipmap.height, mipmap.width) >= FIRST:
        for boxes, scores in _scanned(nets, mipmap.scaled(scale)):
            kept = np.argsort(-scores, kind="stable")[:_FROM_BAND]
            kept = kept[suppress(boxes[kept], scores[kept], _WITHIN)]
            all_boxes.append(boxes[kept] * mipmap.factors(scale))
            all_scores.append(scores[kept])
        scale *= _STEP
    boxes, scores = np.concatenate(all_boxes), np.concatenate(all_scores)
    best = np.argsort(-scores, kind="stable")[:_TO_SECOND]
    return squares(boxes[best][suppress(boxes[best], scores[best], _AMONG)])


def _scanned(nets: Networks, picture: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Boxes (N, 4) and scores (N,) of one scale, band by band."""
    height, width = picture.shape[:2]
    rows = max(_BAND_PIXELS // width // _STRIDE, FIRST) * _STRIDE
    for top in range(0, height - FIRST + 1, rows):
        # Bands overlap by what a square of 12 pixels needs beyond its first two rows.
        scores, offsets = nets.first(picture[top : top + rows + FIRST - _STRIDE])
        y, x = np.nonzero(scores > _FIRST_SCORE)
        corners = np.stack([x, y], axis=1) * _STRIDE + [0, top]
        boxes = np.concatenate([corners, corners + FIRST], axis=1).astype(float)
        yield boxes + offsets[:, y, x].T * FIRST, scores[y, x].astype(float)


def _second(nets: Networks, mipmap: Mipmap, boxes: np.ndarray) -> np.ndarray:
    """Squares that the second network takes for faces, (N, 4)."""
    scores, offsets = nets.second(mipmap.patches(boxes, SECOND))
    kept = scores > _SECOND_SCORE
    boxes = refined(boxes[kept], offsets[kept])
    return squares(boxes[suppress(boxes, scores[kept], _AFTER)][:_TO_THIRD])


def _third(nets: Networks, mipmap: Mipmap, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4), scores (N,) and landmarks (N, 5, 2) of the faces, by falling score."""
    scores, offsets, landmarks = nets.third(mipmap.patches(boxes, THIRD))
    kept = scores > _THIRD_SCORE
    boxes, scores = boxes[kept], scores[kept]
    points = boxes[:, None, :2] + landmarks[kept] * (boxes[:, 2:] - boxes[:, :2])[:, None]
    boxes = refined(boxes, offsets[kept])
    best = suppress(boxes, scores, _AFTER, "smaller")
    return boxes[best], scores[best], points[best]
