"""Whether two thumbnails show one picture, or one shows a part of the other: aligned, then compared.

A copy is aligned with a window of the original, of which each of the four sides is found to a fraction of a thumbnail's
pixel by Gauss-Newton steps, as in Lucas and Kanade's registration (IJCAI 1981). Both are handled as cosine series, in
which a window of a picture is a product of two small matrices; so thousands of pairs are aligned at once.
"""

from dataclasses import dataclass

import numpy as np

from dfcore.imaging.signature import THUMB

# Cosine terms kept of a thumbnail; terms by which windows are aligned; terms by which they are compared at last.
TERMS, COARSE, FINE = 16, 8, 11
WHOLE = np.array([0, 0, 1, 1], np.float32)
_STEPS = 3
# Of planted copies of the development images, none differs by more than 0.091 after the first step; of other
# candidates, 96% do.
_HOPELESS = 0.1
_SAMPLES = 24
# A picture of s pixels holds s terms; resizing leaves this share of them as they were.
_SHARP = 0.6
_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32)


@dataclass(frozen=True)
class Match:
    """How copies match their originals, in arrays of length N, of those pairs where it was worth a close look.

    Attributes:
        pairs: int (N,): indices of these pairs among those given; the others differ much after a first step.
        windows: float32 (N, 4): the part of the original that the copy shows, as left, top, right and bottom, where
            (0, 0, 1, 1) is the whole.
        detail: 1 - correlation of brightness, where fine terms count as much as coarse ones; 0 (equal) to 2.
        colour: root mean square difference of brightness and colour at low resolution, relative to the copy's contrast.
    """

    pairs: np.ndarray
    windows: np.ndarray
    detail: np.ndarray
    colour: np.ndarray


def cosine_terms(thumbs: np.ndarray) -> np.ndarray:
    """Cosine series of thumbnails.

    Args:
        thumbs: uint8 (N, THUMB, THUMB, 3).

    Returns:
        float32 (N, 3, TERMS, TERMS) of brightness and two colours: terms (a, b) of the sum of
        c[a, b] * cos(pi * a * y) * cos(pi * b * x) for y, x in [0, 1].
    """
    colours = thumbs.astype(np.float32) @ _YCBCR.T
    return np.einsum("ai,nijc,bj->ncab", _transform(TERMS, THUMB), colours, _transform(TERMS, THUMB), optimize=True)


def mirrored(terms: np.ndarray) -> np.ndarray:
    """The terms of pictures turned around from left to right."""
    return terms * np.where(np.arange(terms.shape[-1]) % 2, -1, 1).astype(np.float32)


def frequencies(count: int) -> np.ndarray:
    """The weight of each of (count, count) terms, its frequency: natural pictures have equal energy in each then."""
    index = np.arange(count)
    return np.hypot(index[:, None], index[None]).astype(np.float32)


def window_transform(start: np.ndarray, end: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices (N, count, TERMS) from terms of a line to those of its part from `start` to `end` (each (N,)).

    Returns:
        The matrices and their derivatives by `start` and by `end`.
    """
    place = (np.arange(_SAMPLES, dtype=np.float32) + 0.5) / _SAMPLES
    index = np.pi * np.arange(TERMS, dtype=np.float32)
    angle = (start[:, None] + (end - start)[:, None] * place)[..., None] * index
    to_terms = _transform(count, _SAMPLES)
    slope = -np.sin(angle) * index
    return (
        to_terms @ np.cos(angle),
        (to_terms * (1 - place)) @ slope,
        (to_terms * place) @ slope,
    )


def match(originals: np.ndarray, copies: np.ndarray, windows: np.ndarray, sides: np.ndarray) -> Match:
    """Aligns each copy with a window of its original, starting from the one given, and compares them.

    Args:
        originals: terms, (N, 3, TERMS, TERMS).
        copies: terms, (N, 3, TERMS, TERMS).
        windows: (N, 4), see `Match`.
        sides: (N,), the shortest side of both pictures, in pixels: of tiny ones only coarse terms are compared.
    """
    finest = np.minimum(FINE - 1, _SHARP * sides)[:, None, None]
    windows, left_over = _step(originals[:, 0], copies[:, 0], windows.astype(np.float32), finest)
    pairs = np.flatnonzero(left_over <= _HOPELESS)
    originals, copies, windows, finest = originals[pairs], copies[pairs], windows[pairs], finest[pairs]
    for _ in range(_STEPS - 1):
        windows, _ = _step(originals[:, 0], copies[:, 0], windows, finest)
    left, top, right, bottom = windows.T
    rows = window_transform(top, bottom, FINE)[0]
    columns = window_transform(left, right, FINE)[0]
    seen = rows[:, None] @ originals @ columns.transpose(0, 2, 1)[:, None]
    shown = copies[:, :, :FINE, :FINE]
    weight = frequencies(FINE) * (frequencies(FINE) <= finest)
    a, b = (_unit((part[:, 0] * weight).reshape(-1, FINE**2))[0] for part in (seen, shown))
    return Match(pairs, windows, 1 - (a * b).sum(1), _colour_difference(seen, shown, finest))


def _step(
    originals: np.ndarray, copies: np.ndarray, windows: np.ndarray, finest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One Gauss-Newton step: the windows, and about how much detail will differ after it."""
    left, top, right, bottom = windows.T
    rows, rows_top, rows_bottom = window_transform(top, bottom, COARSE)
    columns, columns_left, columns_right = window_transform(left, right, COARSE)
    across = originals @ columns.transpose(0, 2, 1)
    down = rows @ originals
    weight = frequencies(COARSE) * (frequencies(COARSE) <= finest)
    seen = rows @ across
    changes = (
        down @ columns_left.transpose(0, 2, 1),
        rows_top @ across,
        down @ columns_right.transpose(0, 2, 1),
        rows_bottom @ across,
    )
    flat = [(part * weight).reshape(-1, COARSE**2) for part in (seen, copies[:, :COARSE, :COARSE], *changes)]
    now, norm = _unit(flat[0])
    wanted, _ = _unit(flat[1])
    slopes = np.stack(flat[2:], axis=1) / norm[:, None]
    # Only changes of direction count: contrast is divided out.
    slopes -= (slopes @ now[..., None]) * now[:, None]
    square = slopes @ slopes.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(square, axis1=1, axis2=2)[:, None, None] + 1e-6
    change = np.linalg.solve(square + damping * np.eye(4, dtype=np.float32), slopes @ (wanted - now)[..., None])[..., 0]
    left_over = wanted - now - (change[:, None] @ slopes)[:, 0]
    windows = windows + np.clip(change, -0.05, 0.05)
    windows = np.clip(windows, [-0.05, -0.05, 0.8, 0.8], [0.2, 0.2, 1.05, 1.05]).astype(np.float32)
    return windows, (left_over**2).sum(1) / 2


def _colour_difference(seen: np.ndarray, shown: np.ndarray, finest: np.ndarray) -> np.ndarray:
    half = np.where(np.arange(COARSE), 0.5, 1.0).astype(np.float32)
    energy = half[:, None] * half * (frequencies(COARSE) <= finest)
    seen, shown = seen[..., :COARSE, :COARSE], shown[..., :COARSE, :COARSE]
    difference = ((seen - shown) ** 2 * energy[:, None]).sum((1, 2, 3))
    contrast = (shown[:, 0] ** 2 * energy).sum((1, 2)) - shown[:, 0, 0, 0] ** 2
    return np.sqrt(difference / np.maximum(contrast, 1e-6))


def _transform(count: int, samples: int) -> np.ndarray:
    index = np.arange(count)[:, None]
    waves = np.cos(np.pi * index * (np.arange(samples) + 0.5) / samples)
    return (waves * np.where(index, 2, 1) / samples).astype(np.float32)


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    norm = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return vectors / norm, norm
