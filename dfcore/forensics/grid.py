"""The grid of 8 x 8 blocks that JPEG leaves: where it begins, and where another one lies.

Source: T. Nikoukhah, J. Anger, M. Colom, J.-M. Morel, R. Grompone von Gioi, "ZERO: a Local JPEG Grid Origin Detector
Based on the Number of DCT Zeros and its Applications in Image Forensics", IPOL 11, 2021. In the grid in which a picture
was coded more DCT coefficients are zero than in any other. Points of the picture vote for the origin whose block has
the most zeros; without a grid each of the 64 origins gets 1 vote in 64, which bounds the number of false alarms (NFA).
Here only each fourth pixel of each fourth row votes, the binomial tail is bounded by Chernoff's inequality, and parts
are found in windows of 64 pixels.
"""

from typing import Any

import numpy as np
from scipy import fft, ndimage

from dfcore.forensics.drawing import dimmed, marked
from dfcore.forensics.view import Picture, Subject, View, grey

_SIDE = 8
_ORIGINS = _SIDE * _SIDE
_STRIP = 256
_LATTICE = 4
# Votes of one block's worth of points count once.
_PER_BLOCK = (_SIDE // _LATTICE) ** 2
_WINDOW = 64 // _LATTICE
_LEAST = 3 * _SIDE
# log10 of the number of false alarms below which a grid is said to be there: 1 in 100 pictures, at chance.
_LIMIT = -2.0
# Turns of EXIF after which the stored left or upper edge lies right or below.
_FLIPPED_X, _FLIPPED_Y = {2, 3, 6, 7}, {3, 4, 7, 8}


def block_grid(subject: Subject) -> View:
    """Origin and strength of the JPEG grid, and parts whose grid begins elsewhere; see the module for the source."""
    light, (left, top, *_) = subject.luminance, subject.region
    if min(light.shape) < _LEAST:
        figures: dict[str, Any] = {"origin": None, "share": None, "log10_nfa": None, "from_corner": None, "parts": []}
        return View("block_grid", (Picture("Too small", subject.rgb),), figures, ("The picture is too small.",))
    votes = origin_votes(light)
    counts = np.bincount(votes[votes >= 0], minlength=_ORIGINS)
    total, best = int(counts.sum()), int(counts.argmax())
    nfa = log10_nfa(counts[best] / _PER_BLOCK, total / _PER_BLOCK, _ORIGINS)
    found = nfa < _LIMIT
    # From the region's corner to the picture's.
    origin = ((best % _SIDE + left) % _SIDE, (best // _SIDE + top) % _SIDE) if found else None
    parts = _parts(votes, best if found else None)
    figures = {
        "origin": list(origin) if origin else None,
        "share": round(float(counts[best] / total), 3) if total else None,
        "log10_nfa": round(float(nfa), 1),
        "from_corner": origin == own_origin(subject) if origin else None,
        "parts": [
            {
                "region": [part["x"] + left, part["y"] + top, part["width"], part["height"]],
                "origin": [(part["origin"] % _SIDE + left) % _SIDE, (part["origin"] // _SIDE + top) % _SIDE],
                "log10_nfa": round(part["nfa"], 1),
            }
            for part in parts
        ],
    }
    shown = marked(
        _picture(votes, best, light.shape) if found else dimmed(subject.rgb),
        [(part["x"], part["y"], part["width"], part["height"]) for part in parts],
    )
    title = "White: votes for the main grid; framed: another grid" if found else "Framed: a grid of its own"
    return View("block_grid", (Picture(title, shown),), figures, tuple(_words(figures, subject)))


def _words(figures: dict[str, Any], subject: Subject) -> list[str]:
    words = []
    if figures["origin"] is None:
        words.append("No grid of 8 x 8 blocks was found.")
    else:
        x, y = figures["origin"]
        share = f"{figures['share']:.0%} of the votes; chance would give 1.6%"
        words.append(f"Blocks of 8 x 8 pixels begin at ({x}, {y}), {share}.")
        if figures["from_corner"]:
            coded = subject.jpeg_quality is not None
            words.append(
                "That is where this JPEG's own blocks begin."
                if coded
                else "That is the corner: the picture was a JPEG, and at most whole blocks were cut off."
            )
        else:
            words.append("That is not the corner: it was cropped or moved after it had been saved as JPEG.")
    for part in figures["parts"][:3]:
        x, y, w, h = part["region"]
        words.append(
            f"The part of {w} x {h} pixels from ({x}, {y}) on has blocks that begin at {tuple(part['origin'])}."
        )
    if not figures["parts"]:
        words.append("No part has a grid that begins elsewhere.")
    return words


def own_origin(subject: Subject) -> tuple[int, int]:
    """Where the blocks of a JPEG begin in the upright picture: not at its corner if it was turned by its EXIF."""
    turn = _turn(subject)
    width, height = subject.size
    return (width % _SIDE if turn in _FLIPPED_X else 0), (height % _SIDE if turn in _FLIPPED_Y else 0)


def _turn(subject: Subject) -> int:
    stated = (subject.facts.exif if subject.facts else {}).get("Orientation", "1")
    return int(stated) if stated.isdecimal() and len(stated) == 1 else 1


def log10_nfa(votes: float, total: float, tests: int) -> float:
    """Upper bound of log10 of the expected number of false alarms: `votes` of `total`, each with chance 1 in 64."""
    chance = 1 / _ORIGINS
    share = votes / total if total else 0.0
    if share <= chance:
        return float(np.log10(tests))
    divergence = share * np.log(share / chance)
    if share < 1:
        divergence += (1 - share) * np.log((1 - share) / (1 - chance))
    return float(np.log10(tests) - total * divergence / np.log(10))


def zeros(light: np.ndarray) -> np.ndarray:
    """Number of DCT coefficients below 0.5 of the block that begins at each pixel, uint8 (h - 7, w - 7).

    Blocks that do not change along a line or a column count none: straight edges of drawings would vote.
    """
    basis = fft.dct(np.eye(_SIDE), axis=0, norm="ortho").astype(np.float32)
    height, width = (side - _SIDE + 1 for side in light.shape)
    result = np.empty((height, width), np.uint8)
    for start in range(0, height, _STRIP):
        rows = light[start : start + _STRIP + _SIDE - 1]
        # (rows, 8 coefficients across, w - 7)
        across = np.stack([
            sum(weight * rows[:, at : at + width] for at, weight in enumerate(weights)) for weights in basis
        ], axis=1)  # fmt: skip
        for row in range(min(_STRIP, height - start)):
            both = basis @ across[row : row + _SIDE].reshape(_SIDE, -1)
            small = (np.abs(both) < 0.5).reshape(_ORIGINS, width)
            result[start + row] = np.add.reduce(small[1:], 0, dtype=np.uint8)
    result[_flat(light)] = 0
    return result


def _flat(light: np.ndarray) -> np.ndarray:
    """Whether a block does not change along its rows, or not along its columns, bool (h - 7, w - 7)."""
    across = _sums(light[:, 1:] != light[:, :-1], _SIDE, _SIDE - 1)
    down = _sums(light[1:] != light[:-1], _SIDE - 1, _SIDE)
    return (across == 0) | (down == 0)


def _sums(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Sums over windows, by an integral image."""
    whole = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(values, 0, dtype=np.int32), 1, out=whole[1:, 1:])
    return whole[rows:, columns:] - whole[:-rows, columns:] - whole[rows:, :-columns] + whole[:-rows, :-columns]


def origin_votes(light: np.ndarray) -> np.ndarray:
    """For each fourth pixel of each fourth row the origin (8 y + x) that it votes for, int8; -1 where none is best."""
    counts = zeros(light)
    points = [np.arange(0, side, _LATTICE) for side in light.shape]
    best = np.zeros([len(axis) for axis in points], np.uint8)
    votes = np.full(best.shape, -1, np.int8)
    for origin in range(_ORIGINS):
        part = counts[origin // _SIDE :: _SIDE, origin % _SIDE :: _SIDE]
        places, known = [], []
        for axis, offset, length in zip(points, divmod(origin, _SIDE), part.shape, strict=True):
            place = (axis - offset) // _SIDE
            known.append((place >= 0) & (place < length))
            places.append(np.clip(place, 0, length - 1))
        here = np.where(np.outer(*known), part[np.ix_(*places)], 0)
        votes[here == best] = -1
        votes[here > best] = origin
        np.maximum(best, here, out=best)
    return votes


def _parts(votes: np.ndarray, main: int | None) -> list[dict[str, Any]]:
    """Parts with a grid of their own: box in pixels, origin and log10 of the false alarms; the surest first."""
    if min(votes.shape) < _WINDOW:
        return []
    valid = ndimage.uniform_filter((votes >= 0).astype(np.float32), _WINDOW, mode="constant") * _WINDOW**2
    tests = _ORIGINS * votes.size
    result = []
    for origin in range(_ORIGINS):
        if origin == main:
            continue
        mine = votes == origin
        if mine.sum() < 2 * _WINDOW:
            continue
        count = ndimage.uniform_filter(mine.astype(np.float32), _WINDOW, mode="constant") * _WINDOW**2
        labels, number = ndimage.label(_sure(count, valid, tests))
        for part in range(1, number + 1):
            rows, columns = np.nonzero((labels == part) & mine)
            if len(rows):
                at = np.unravel_index(int(np.where(labels == part, count, 0).argmax()), count.shape)
                nfa = log10_nfa(float(count[at]) / _PER_BLOCK, float(valid[at]) / _PER_BLOCK, tests)
                x, y = int(columns.min()) * _LATTICE, int(rows.min()) * _LATTICE
                result.append({
                    "x": x, "y": y, "origin": origin, "nfa": nfa,
                    "width": int(columns.max() + 1) * _LATTICE - x, "height": int(rows.max() + 1) * _LATTICE - y,
                })  # fmt: skip
    return sorted(result, key=lambda part: part["nfa"])[:10]


def _sure(count: np.ndarray, valid: np.ndarray, tests: int) -> np.ndarray:
    """Where the votes for an origin are too many for chance."""
    share = np.divide(count, valid, out=np.zeros_like(count), where=valid > 0.5)
    chance = 1 / _ORIGINS
    inner = np.clip(share, chance, 1 - 1e-6)
    divergence = inner * np.log(inner / chance) + (1 - inner) * np.log((1 - inner) / (1 - chance))
    return np.log10(tests) - valid / _PER_BLOCK * divergence / np.log(10) < _LIMIT


def _picture(votes: np.ndarray, main: int, shape: tuple[int, ...]) -> np.ndarray:
    told = np.where(votes == main, 255, np.where(votes < 0, 110, 30))
    return grey(told.repeat(_LATTICE, 0).repeat(_LATTICE, 1)[: shape[0], : shape[1]])
