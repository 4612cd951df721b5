"""Near-duplicates: copies of a picture that were re-encoded, resized, mildly cropped (up to about 10% of each side) or
mirrored, found from the signatures made while scanning.

Stronger crops, rotations, and other pictures of one subject or prompt are not near-duplicates here. Pictures without
detail (blank, a gradient) resemble each other without being copies, and are left out.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dfcore.datasets import near_match, near_search
from dfcore.datasets.near_match import COARSE, TERMS, Match
from dfcore.imaging.signature import Signature

RECODED, CROPPED, MIRRORED = "re-encoded or resized", "cropped", "mirrored"
# Chosen on photos_train and faces/train (benchmarks/near_duplicates.py): planted copies stay below 0.055 and 0.18; the
# nearest distinct pictures, aligned portraits, begin at 0.067 and 0.28, and none has both below these limits.
MOST_DETAIL, MOST_COLOUR = 0.09, 0.25
# From this equality on, colour and brightness may have been changed.
SAME_DETAIL = 0.03
# A side cut by more than this share makes a copy a crop; one pixel of a thumbnail is 0.03.
_CUT = 0.015
# Least contrast of detail, in grey levels, and number of cosine terms that carry it.
_LEAST_DETAIL, _LEAST_TERMS = 4.0, 3.0
_BLOCK = 4096

Progress = Callable[[int, int], None]


def find(signatures: Sequence[Signature], *, progress: Progress | None = None) -> pd.DataFrame:
    """Finds the pairs of near-duplicates.

    Args:
        signatures: one per picture.
        progress: called with (pictures done, pictures in all) from time to time.

    Returns:
        One row per pair, columns: i < j, indices of pictures; kind, one of `RECODED`, `CROPPED`, `MIRRORED` (which may
        be cropped as well); distance, 1 - correlation of details after alignment, 0 (equal) to `MOST_DETAIL`. In a
        crowd of copies each picture is paired with some of them only; `clusters` holds them together.

    Example:
        >>> pairs = find([])
        >>> list(pairs.columns)
        ['i', 'j', 'kind', 'distance']
    """
    terms = _terms(signatures)
    kept = np.flatnonzero(detailed(terms[:, 0]))
    terms = terms[kept]
    sides = np.array([signatures[k].side for k in kept], np.float32)
    found = [_no_pairs()]
    if len(kept) > 1:
        index = near_search.Index(terms[:, 0], sides)
        for originals, copies, flipped, windows in index.search():
            found.append(_matching(terms, sides, originals, copies, flipped, windows))
            if progress:
                progress(min(int(copies.max(initial=0)) + 1, len(kept)), len(signatures))
    pairs = pd.concat(found, ignore_index=True)
    pairs = pairs.sort_values("distance").drop_duplicates(["i", "j"]).sort_values(["i", "j"], ignore_index=True)
    pairs["i"], pairs["j"] = kept[pairs.i], kept[pairs.j]
    if progress:
        progress(len(signatures), len(signatures))
    return pairs


def clusters(pairs: pd.DataFrame, count: int) -> np.ndarray:
    """Which of `count` pictures hang together by pairs: a label for each, int32 (count,), from 0 without gaps."""
    graph = coo_array((np.ones(len(pairs), bool), (pairs.i, pairs.j)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def detailed(brightness: np.ndarray) -> np.ndarray:
    """Which pictures, by their terms (N, TERMS, TERMS), have enough detail to be told from others: bool (N,)."""
    weight = near_match.frequencies(COARSE)
    weighted = brightness[:, :COARSE, :COARSE] * weight
    energy = weighted.reshape(len(weighted), -1) ** 2
    carrying = energy.sum(1) ** 2 / np.maximum((energy**2).sum(1), 1e-9)
    fine = np.sqrt((weighted[:, weight >= 2.5] ** 2).sum(1))
    return (fine >= _LEAST_DETAIL) & (carrying >= _LEAST_TERMS)


def _terms(signatures: Sequence[Signature]) -> np.ndarray:
    terms = np.empty((len(signatures), 3, TERMS, TERMS), np.float32)
    for start in range(0, len(signatures), _BLOCK):
        part = signatures[start : start + _BLOCK]
        terms[start : start + _BLOCK] = near_match.cosine_terms(np.stack([signature.thumb for signature in part]))
    return terms


def _matching(
    terms: np.ndarray,
    sides: np.ndarray,
    originals: np.ndarray,
    copies: np.ndarray,
    flipped: np.ndarray,
    windows: np.ndarray,
) -> pd.DataFrame:
    """The candidates that are near-duplicates."""
    found = [_no_pairs()]
    for start in range(0, len(copies), _BLOCK):
        part = slice(start, start + _BLOCK)
        shown = terms[copies[part]]
        turned = flipped[part]
        shown[turned] = near_match.mirrored(shown[turned])
        shortest = np.minimum(sides[originals[part]], sides[copies[part]])
        result = near_match.match(terms[originals[part]], shown, near_search.WINDOWS[windows[part]], shortest)
        found.append(_accepted(originals[part], copies[part], turned, result))
    return pd.concat(found)


def _accepted(originals: np.ndarray, copies: np.ndarray, flipped: np.ndarray, result: Match) -> pd.DataFrame:
    cut = np.abs(result.windows - np.float32([0, 0, 1, 1])).max(1) > _CUT
    same = (result.detail <= MOST_DETAIL) & (result.colour <= MOST_COLOUR) | (result.detail <= SAME_DETAIL)
    kind = np.where(flipped, MIRRORED, np.where(cut, CROPPED, RECODED))
    table = {
        "i": np.minimum(originals, copies),
        "j": np.maximum(originals, copies),
        "kind": kind,
        "distance": np.maximum(result.detail, 0),
    }
    return pd.DataFrame(table)[same]


def _no_pairs() -> pd.DataFrame:
    return pd.DataFrame({"i": [], "j": [], "kind": [], "distance": []}).astype(
        {"i": int, "j": int, "kind": "str", "distance": "float32"}
    )
