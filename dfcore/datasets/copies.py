"""Copies within a data set, of the same pixels and near-duplicates, and whether they stand in different places."""

from collections.abc import Mapping
from functools import partial
from itertools import combinations, product

import pandas as pd

from dfcore.datasets import near_duplicates
from dfcore.datasets.near_duplicates import Progress
from dfcore.datasets.near_memory import NearMemory
from dfcore.imaging.signature import Signature

SAME_PIXELS = "same pixels"
Pair = tuple[str, str, str, float]


def pairs(
    table: pd.DataFrame,
    signatures: Mapping[str, Signature],
    *,
    memory: NearMemory | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Lists the copies among the images of a data set.

    Args:
        table: `Dataset.table`; rows with an error are passed over.
        signatures: by `pixels_sha256`; images without one are compared by equality of pixels only.
        memory: keeps the search, so that the next one need not begin anew.
        progress: see `near_duplicates.find`.

    Returns:
        One row per pair: a, b, paths; kind, `SAME_PIXELS` or one of `near_duplicates`; distance, 0 for same pixels;
        across_splits and across_classes, whether the two stand in different splits or classes (bool; missing ones do
        not count). Of several files with the same pixels, each is paired with the first, and with one in each other
        split and class that holds them. A near-duplicate of pixels that occur several times is listed for one file of
        each split and class. Sorted by distance.
    """
    rows = table[table.error.isna() & table.pixels_sha256.notna()]
    result = pd.DataFrame(
        _same(rows) + _near(rows, signatures, memory, progress), columns=["a", "b", "kind", "distance"]
    )
    result = result.astype({"a": "str", "b": "str", "kind": "str", "distance": "float64"})
    for column, name in (("split", "across_splits"), ("label", "across_classes")):
        place = rows.set_index("path")[column].astype("str")
        a, b = place.reindex(result.a).to_numpy(object), place.reindex(result.b).to_numpy(object)
        result[name] = pd.notna(a) & pd.notna(b) & (a != b)
    return result.sort_values("distance", kind="stable", ignore_index=True)


def _same(rows: pd.DataFrame) -> list[Pair]:
    listed = []
    for _, group in rows[rows.duplicated("pixels_sha256", keep=False)].groupby("pixels_sha256", sort=False):
        one_each = _one_each(group)
        listed += [(one_each[0], path, SAME_PIXELS, 0.0) for path in group.path[1:]]
        listed += [(a, b, SAME_PIXELS, 0.0) for a, b in combinations(one_each[1:], 2)]
    return listed


def _near(
    rows: pd.DataFrame, signatures: Mapping[str, Signature], memory: NearMemory | None, progress: Progress | None
) -> list[Pair]:
    contents = sorted(set(rows.pixels_sha256) & signatures.keys())
    shown = [signatures[content] for content in contents]
    find = partial(memory.find, contents) if memory else near_duplicates.find
    found = find(shown, progress=progress)
    # Of the pictures in pairs only: a table for each of many pictures takes far more memory than the pictures.
    paired = rows[rows.pixels_sha256.isin({contents[number] for number in {*found.i, *found.j}})]
    places = {str(content): _one_each(group) for content, group in paired.groupby("pixels_sha256", sort=False)}
    listed = []
    for i, j, kind, distance in found.itertuples(index=False):
        listed += [(a, b, kind, distance) for a, b in product(places[contents[i]], places[contents[j]])]
    return listed


def _one_each(group: pd.DataFrame) -> list[str]:
    """The path of the first file in each split and class."""
    return group.path.tolist() if len(group) == 1 else group.drop_duplicates(["split", "label"]).path.tolist()
