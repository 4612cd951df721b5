"""Copy-move: parts of a picture that occur in it twice.

Pipeline as in V. Christlein et al., "An Evaluation of Popular Copy-Move Forgery Detection Approaches", IEEE TIFS 7(6),
2012: keypoints, features of the blocks around them, nearest neighbours, votes for shift vectors, and a dense check of
the parts that agree. The features are low DCT coefficients, as in J. Fridrich, D. Soukal, J. Lukáš, "Detection of
Copy-Move Forgery in Digital Images", DFRWS 2003. Only shifts are found: no turned, scaled or mirrored copies.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft, ndimage
from scipy.spatial import cKDTree

from dfcore.forensics.drawing import FIRST, SECOND, dimmed, shaded
from dfcore.forensics.view import Picture, Region, Subject, View

_MOST_POINTS = 15_000
_CONTRAST = 1.0
# Half the side of the block around a keypoint; each second pixel of it is taken.
_HALF = 12
_COEFFICIENTS = 6
_NEIGHBOURS = 6
_FARTHEST = 0.3
_VOTES = 4
_MOST_SHIFTS = 24
_PAD = 48
_CHECKED = 11
# Repetition by nature mostly goes on: a part that overlaps its own copy by more than this share is texture or an edge.
_OVERLAP = 0.05
# Of its bounding box a part fills at least this, and its gradients do not all point one way, as those of an edge do.
_FILLED, _ISOTROPY = 0.33, 0.03
# Pixels compared for one picture at most, which bounds the time.
_MOST_COMPARED = 30_000_000
# Mean squared difference of the copies, as a share of their variance, at most.
_DIFFERENT = 0.1
# Standard deviation below which a part is too flat to be told from others, in levels.
_FLAT = 4.0


@dataclass(frozen=True)
class Pair:
    """Two like parts: their boxes (x, y, width, height), the shift (x, y), pixels, and the mask within the boxes."""

    first: Region
    second: Region
    shift: tuple[int, int]
    area: int
    mask: np.ndarray


def copy_move(subject: Subject, smallest: int) -> View:
    """Parts that occur twice, of at least `smallest` pixels squared; see the module for the source."""
    pairs = find_pairs(subject.luminance, smallest)
    left, top, *_ = subject.region
    shown = dimmed(subject.rgb)
    for pair in pairs:
        for (x, y, w, h), colour in ((pair.first, FIRST), (pair.second, SECOND)):
            shown[y : y + h, x : x + w] = shaded(shown[y : y + h, x : x + w], pair.mask, colour)
    figures: dict[str, Any] = {
        "pairs": [
            {
                "first": [pair.first[0] + left, pair.first[1] + top, *pair.first[2:]],
                "second": [pair.second[0] + left, pair.second[1] + top, *pair.second[2:]],
                "shift": list(pair.shift),
                "pixels": pair.area,
            }
            for pair in pairs
        ]
    }
    words = []
    for pair in figures["pairs"][:3]:
        x, y, w, h = pair["first"]
        words.append(
            f"A part of {w} x {h} pixels from ({x}, {y}) on occurs again {abs(pair['shift'][0])} pixels to the "
            f"{'right' if pair['shift'][0] >= 0 else 'left'} and {pair['shift'][1]} below."
        )
    if len(pairs) > 3:
        words.append(f"{len(pairs) - 3} more pairs are marked.")
    return View(
        "copy_move",
        (Picture("Parts that occur twice, green and pink", shown),),
        figures,
        tuple(words) or ("No part was found that occurs twice.",),
    )


def find_pairs(light: np.ndarray, smallest: int) -> list[Pair]:
    """Pairs of like parts of luminance (h, w), the largest first; at most 10."""
    points = _keypoints(light)
    if len(points) < _VOTES:
        return []
    first, second = _matches(light, points, 2 * _HALF)
    result: list[Pair] = []
    taken = np.zeros(light.shape, bool)
    compared = 0
    for shift, members in _shifts(second - first):
        compared += _compared(first[members])
        if compared > _MOST_COMPARED:
            break
        for pair in _checked(light, first[members], shift, smallest):
            x, y, w, h = pair.first
            # One shift seen twice, a pixel apart, is one finding.
            if taken[y : y + h, x : x + w][pair.mask].mean() < 0.5:
                taken[y : y + h, x : x + w] |= pair.mask
                result.append(pair)
    return sorted(result, key=lambda pair: -pair.area)[:10]


def _compared(points: np.ndarray) -> int:
    tall, wide = np.ptp(points, axis=0) + 2 * _PAD
    return int(tall * wide)


def _keypoints(light: np.ndarray) -> np.ndarray:
    """Extrema of a difference of Gaussians, (N, 2) as (y, x); the strongest if there are too many."""
    if min(light.shape) < 2 * _HALF + 2:
        return np.empty((0, 2), int)
    strength = np.abs(ndimage.gaussian_filter(light, 1.2) - ndimage.gaussian_filter(light, 2.4))
    peaks = (strength == ndimage.maximum_filter(strength, 7)) & (strength > _CONTRAST)
    peaks[:_HALF] = peaks[-_HALF:] = False
    peaks[:, :_HALF] = peaks[:, -_HALF:] = False
    points = np.argwhere(peaks)
    if len(points) > _MOST_POINTS:
        order = np.argsort(-strength[tuple(points.T)], kind="stable")[:_MOST_POINTS]
        points = points[np.sort(order)]
    return points


def _matches(light: np.ndarray, points: np.ndarray, apart: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of keypoints with like surroundings, (N, 2) twice, the first above the second or left of it."""
    smooth = ndimage.gaussian_filter(light, 1.0)
    offsets = np.arange(-_HALF, _HALF, 2)
    rows = points[:, 0, None, None] + offsets[:, None]
    columns = points[:, 1, None, None] + offsets
    blocks = smooth[rows, columns]
    features = fft.dctn(blocks, axes=(1, 2), norm="ortho")[:, :_COEFFICIENTS, :_COEFFICIENTS].reshape(len(points), -1)
    features = features[:, 1:]
    features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
    count = min(_NEIGHBOURS, len(points))
    distances, neighbours = cKDTree(features).query(features, count)
    one = np.repeat(np.arange(len(points)), count)
    other, distances = neighbours.ravel(), distances.ravel()
    near = (distances < _FARTHEST) & (other != one)
    one, other = one[near], other[near]
    a, b = points[one], points[other]
    shift = b - a
    forward = (shift[:, 0] > 0) | ((shift[:, 0] == 0) & (shift[:, 1] > 0))
    forward &= np.hypot(*shift.T) >= apart
    return a[forward], b[forward]


def _shifts(shifts: np.ndarray) -> list[tuple[tuple[int, int], np.ndarray]]:
    """Shifts (y, x) that many matches share to a pixel, with the numbers of those matches; the most votes first."""
    if not len(shifts):
        return []
    values, inverse, votes = np.unique(shifts, axis=0, return_inverse=True, return_counts=True)
    near = cKDTree(values).query_ball_point(values, 1.5)
    totals = np.array([votes[members].sum() for members in near])
    result: list[tuple[tuple[int, int], np.ndarray]] = []
    used = np.zeros(len(values), bool)
    for number in np.lexsort((-votes, -totals)):
        if totals[number] < _VOTES or len(result) == _MOST_SHIFTS:
            break
        if not used[number]:
            members = np.array(near[number])
            # The shift itself is that of most matches nearby.
            best = values[members[votes[members].argmax()]]
            used[members] = True
            result.append(((int(best[0]), int(best[1])), np.flatnonzero(np.isin(inverse, members))))
    return result


def _checked(light: np.ndarray, points: np.ndarray, shift: tuple[int, int], smallest: int) -> list[Pair]:
    """Parts around matched points that equal what lies a shift away, pixel by pixel."""
    height, width = light.shape
    dy, dx = shift
    top, bottom = max(int(points[:, 0].min()) - _PAD, 0), min(int(points[:, 0].max()) + _PAD, height - dy)
    left, right = max(int(points[:, 1].min()) - _PAD, 0, -dx), min(int(points[:, 1].max()) + _PAD, width, width - dx)
    if bottom - top < smallest or right - left < smallest:
        return []
    a = light[top:bottom, left:right]
    b = light[top + dy : bottom + dy, left + dx : right + dx]
    variance = np.minimum(_variance(a), _variance(b))
    different = ndimage.uniform_filter((a - b) ** 2, _CHECKED)
    mask = (different < _DIFFERENT * variance) & (variance > _FLAT**2)
    labels, count = ndimage.label(ndimage.binary_closing(mask, iterations=2))
    result = []
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    for part, place in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[place] == part
        if areas[part] >= smallest**2 and _is_copy(inside, a[place], dy, dx):
            x, y = left + place[1].start, top + place[0].start
            w, h = place[1].stop - place[1].start, place[0].stop - place[0].start
            result.append(Pair((x, y, w, h), (x + dx, y + dy, w, h), (dx, dy), int(areas[part]), inside))
    return result


def _is_copy(inside: np.ndarray, light: np.ndarray, dy: int, dx: int) -> bool:
    """Whether a part, with its shift, is of a form that texture and edges seldom have."""
    height, width = inside.shape
    overlap = 0.0
    if dy < height and abs(dx) < width:
        left, right = max(dx, 0), width + min(dx, 0)
        overlap = float((inside[dy:, left:right] & inside[: height - dy, left - dx : right - dx]).sum() / inside.sum())
    down, across = np.gradient(light)
    tensor = [[float((a * b)[inside].mean()) for a in (across, down)] for b in (across, down)]
    minor, major = np.linalg.eigvalsh(tensor)
    return bool(overlap <= _OVERLAP and inside.mean() >= _FILLED and minor >= _ISOTROPY * major)


def _variance(values: np.ndarray) -> np.ndarray:
    mean = ndimage.uniform_filter(values, _CHECKED)
    return np.maximum(ndimage.uniform_filter(values**2, _CHECKED) - mean**2, 0)
