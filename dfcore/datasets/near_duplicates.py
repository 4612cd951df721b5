"""Near-duplicates: copies of a picture that were re-encoded, resized, mildly cropped (up to about 10% of each side) or
mirrored, found from the signatures made while scanning.

Stronger crops, rotations, and other pictures of one subject or prompt are not near-duplicates here. Pictures without
detail (blank, a gradient) resemble each other without being copies, and are left out.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from dfcore.datasets import near_match, near_search
from dfcore.datasets.near_match import COARSE, TERMS, Match
from dfcore.datasets.near_search import Candidates
from dfcore.datasets.units import connected
from dfcore.imaging.signature import Signature
from dfcore.utils.work import Work

RECODED, CROPPED, MIRRORED = _KINDS = ("re-encoded or resized", "cropped", "mirrored")
# Chosen on photos_train and faces/train (benchmarks/near_duplicates.py): planted copies stay below 0.055 and 0.18; the
# nearest distinct pictures, aligned portraits, begin at 0.067 and 0.28, and none has both below these limits.
MOST_DETAIL, MOST_COLOUR = 0.09, 0.25
# The same where the smaller picture has fewer than `near_search.TINY` pixels: JPEG changes its colours more.
MOST_DETAIL_TINY, MOST_COLOUR_TINY = 0.04, 0.45
# With details as equal as this, brightness and colour may have been changed.
SAME_DETAIL = 0.01
# A side cut by more than this share makes a copy a crop; one pixel of a thumbnail is 0.03.
_CUT = 0.015
# Least contrast of detail, in grey levels, and number of cosine terms that carry it.
_LEAST_DETAIL, _LEAST_TERMS = 4.0, 3.0
_BLOCK = 4096
_ALL = "all"
# Raised when other pairs are found.
VERSION = 1

Progress = Callable[[int, int], None]


def find(
    signatures: Sequence[Signature], *, progress: Progress | None = None, work: Work | None = None
) -> pd.DataFrame:
    """Finds the pairs of near-duplicates.

    Args:
        signatures: one per picture.
        progress: called with (pictures done, pictures in all) from time to time.
        work: keeps what is found as it is found; a search with the same signatures goes on from there.

    Returns:
        One row per pair, columns: i < j, indices of pictures; kind, one of `RECODED`, `CROPPED`, `MIRRORED` (which may
        be cropped as well); distance, 1 - correlation of details after alignment, 0 (equal) to `MOST_DETAIL`. In a
        crowd of copies each picture is paired with some of them only; `clusters` holds them together.

    Example:
        >>> pairs = find([])
        >>> list(pairs.columns)
        ['i', 'j', 'kind', 'distance']
    """
    pairs = recalled(work)
    if pairs is None:
        pairs = _searched(signatures, progress, work)
    if progress:
        progress(len(signatures), len(signatures))
    return pairs


def recalled(work: Work | None) -> pd.DataFrame | None:
    """The pairs of a search that came to its end, as `find` returned them; None if there was none."""
    return _unpacked(work, _ALL)


def _searched(signatures: Sequence[Signature], progress: Progress | None, work: Work | None) -> pd.DataFrame:
    kept, brightness = _brightness(signatures)
    thumbs = [signatures[k].thumb for k in kept.tolist()]
    sides = np.array([signatures[k].side for k in kept.tolist()], np.float32)
    index = near_search.Index(brightness, sides) if len(kept) > 1 else None
    del brightness
    found, parts = [_no_pairs()], []
    for start in range(0, len(kept), near_search.QUERIES) if index else ():
        own = np.arange(start, min(start + near_search.QUERIES, len(kept)))
        parts.append(f"from {start}")
        pairs = _unpacked(work, parts[-1])
        if pairs is None:
            assert index is not None  # Otherwise there is no round.
            pairs = pd.concat([_matching(thumbs, sides, candidates) for candidates in index.search(own)])
            _pack(work, parts[-1], pairs)
        found.append(pairs)
        if progress:
            progress(int(own[-1]) + 1, len(signatures))
    pairs = pd.concat(found).sort_values("distance", kind="stable").drop_duplicates(["i", "j"])
    pairs["i"], pairs["j"] = kept[pairs.i], kept[pairs.j]
    pairs = pairs.sort_values(["i", "j"], ignore_index=True)
    _pack(work, _ALL, pairs)
    if work:
        work.forget(parts)
    return pairs


def _pack(work: Work | None, part: str, pairs: pd.DataFrame) -> None:
    if work:
        kind = [_KINDS.index(kind) for kind in pairs.kind]
        work.keep(part, i=pairs.i.to_numpy(int), j=pairs.j.to_numpy(int), kind=np.array(kind, np.uint8),
                  distance=pairs.distance.to_numpy(np.float32))  # fmt: skip


def _unpacked(work: Work | None, part: str) -> pd.DataFrame | None:
    arrays = work.recall(part) if work else None
    try:
        if arrays is None:
            return None
        kinds = np.array(_KINDS, dtype=object)[arrays["kind"]]
        table = pd.DataFrame({"i": arrays["i"], "j": arrays["j"], "kind": kinds, "distance": arrays["distance"]})
        return table.astype(_no_pairs().dtypes.to_dict())
    except (KeyError, IndexError, ValueError, TypeError):  # Damaged: searched anew.
        return None


def clusters(pairs: pd.DataFrame, count: int) -> np.ndarray:
    """Which of `count` pictures hang together by pairs: a label for each, int32 (count,), from 0 without gaps."""
    return connected(pairs.i.to_numpy(), pairs.j.to_numpy(), count)


def sources(table: pd.DataFrame, signatures: Mapping[str, Signature], *, progress: Progress | None = None) -> pd.Series:
    """Gives near-duplicates a common source, so that they are never parted; see `joined`.

    Args:
        table: `Dataset.table`.
        signatures: by `pixels_sha256`.
        progress: see `find`.
    """
    keys = sorted(set(table.pixels_sha256[table.error.isna()]) & signatures.keys())
    return joined(table, keys, find([signatures[key] for key in keys], progress=progress))


def joined(table: pd.DataFrame, keys: Sequence[str], pairs: pd.DataFrame) -> pd.Series:
    """The column `source_id` after images that are pairs were given a common source.

    Args:
        table: `Dataset.table`; rows with an error are passed over.
        keys: distinct values of `pixels_sha256`.
        pairs: columns i and j, indices into `keys`.

    Returns:
        Near-duplicates, and all images of their sources, get the same source: the first of these sources, or
        "copies of …" if there is none. Other images keep theirs. It does not depend on names or order of files.
    """
    if pairs.empty:
        return table.source_id.astype("str")
    used = table.error.isna()
    known = pd.Index(sorted(set(table.source_id[used].dropna())), dtype="str")
    # A graph of contents and, after them, of the sources known before.
    content = pd.Index(list(keys), dtype="str").get_indexer(pd.Index(table.pixels_sha256.where(used)))
    source = known.get_indexer(pd.Index(table.source_id.where(used)))
    both = (content >= 0) & (source >= 0)
    links = pd.DataFrame({"i": content[both], "j": len(keys) + source[both]})
    labels = clusters(pd.concat([pairs[["i", "j"]], links]), len(keys) + len(known))
    names = pd.Series([*known, *(f"copies of {key[:16]}" for key in keys)], index=np.roll(labels, len(known)))
    names = names[~names.index.duplicated()]
    node = np.where(content >= 0, content, np.where(source >= 0, len(keys) + source, -1))
    label = pd.Series(np.where(node >= 0, labels[node], -1), index=table.index)
    changed = label.isin(labels[pairs.i.to_numpy(int)])
    return table.source_id.astype("str").mask(changed, label.map(names)).astype("str")


def detailed(brightness: np.ndarray) -> np.ndarray:
    """Which pictures, by their terms (N, TERMS, TERMS), have enough detail to be told from others: bool (N,)."""
    weight = near_match.frequencies(COARSE)
    weighted = brightness[:, :COARSE, :COARSE] * weight
    energy = weighted.reshape(-1, COARSE**2) ** 2
    carrying = energy.sum(1) ** 2 / np.maximum((energy**2).sum(1), 1e-9)
    fine = np.sqrt((weighted[:, weight >= 2.5] ** 2).sum(1))
    return (fine >= _LEAST_DETAIL) & (carrying >= _LEAST_TERMS)


def _brightness(signatures: Sequence[Signature]) -> tuple[np.ndarray, np.ndarray]:
    """The pictures with enough detail, their indices (K,), and their terms of brightness, (K, TERMS, TERMS)."""
    kept, terms = [np.empty(0, int)], [np.empty((0, TERMS, TERMS), np.float32)]
    for start in range(0, len(signatures), _BLOCK):
        part = _terms([signature.thumb for signature in signatures[start : start + _BLOCK]])[:, 0]
        chosen = np.flatnonzero(detailed(part))
        kept.append(start + chosen)
        terms.append(part[chosen])
    return np.concatenate(kept), np.concatenate(terms)


def _terms(thumbs: Sequence[np.ndarray]) -> np.ndarray:
    return near_match.cosine_terms(np.stack(thumbs))


def _matching(thumbs: Sequence[np.ndarray], sides: np.ndarray, candidates: Candidates) -> pd.DataFrame:
    """The candidates that are near-duplicates.

    Terms are computed from thumbnails where they are needed: those of all pictures take more memory than the rest.
    """
    found = [_no_pairs()]
    for start in range(0, len(candidates.copies), _BLOCK):
        originals, copies, windows = (part[start : start + _BLOCK] for part in candidates[:3])
        pictures, row = np.unique(np.concatenate([originals, copies]), return_inverse=True)
        terms = _terms([thumbs[number] for number in pictures.tolist()])
        ours, theirs = terms[row[: len(originals)]], terms[row[len(originals) :]]
        shown = near_match.mirrored(theirs) if candidates.flipped else theirs
        shortest = np.minimum(sides[originals], sides[copies])
        result = near_match.match(ours, shown, near_search.WINDOWS[windows], shortest)
        accepted = _same(result, shortest[result.pairs] < near_search.TINY)
        found.append(_pairs(originals[result.pairs], copies[result.pairs], candidates.flipped, result)[accepted])
    return pd.concat(found)


def _same(result: Match, tiny: np.ndarray) -> np.ndarray:
    detail = np.where(tiny, MOST_DETAIL_TINY, MOST_DETAIL)
    colour = np.where(tiny, MOST_COLOUR_TINY, MOST_COLOUR)
    return (result.detail <= detail) & (result.colour <= colour) | (result.detail <= SAME_DETAIL)


def _pairs(originals: np.ndarray, copies: np.ndarray, flipped: bool, result: Match) -> pd.DataFrame:
    cut = np.abs(result.windows - near_match.WHOLE).max(1) > _CUT
    table = {
        "i": np.minimum(originals, copies),
        "j": np.maximum(originals, copies),
        "kind": np.full(len(copies), MIRRORED) if flipped else np.where(cut, CROPPED, RECODED),
        "distance": np.maximum(result.detail, 0),
    }
    return pd.DataFrame(table)


def _no_pairs() -> pd.DataFrame:
    return pd.DataFrame({"i": [], "j": [], "kind": [], "distance": []}).astype(
        {"i": int, "j": int, "kind": "str", "distance": "float32"}
    )
