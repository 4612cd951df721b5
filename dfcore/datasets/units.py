"""Which images belong together: units that splits and folds never part."""

import numpy as np
import pandas as pd


def connected(i: np.ndarray, j: np.ndarray, count: int) -> np.ndarray:
    """Which of `count` things hang together by links from i to j: a label for each, int32 (count,), without gaps."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(i), bool), (i, j)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def units(table: pd.DataFrame) -> pd.Series:
    """Names the unit of every image: images with the same pixels, content or `source_id` share one, also in chains.

    Args:
        table: Columns sha256 and, where known, pixels_sha256 and source_id; N rows.

    Returns:
        For each row the smallest sha256 of its unit, with the index of `table`.
    """
    count, links = len(table), []
    for column in ("sha256", "pixels_sha256", "source_id"):
        if column not in table:
            continue
        values = table[column].astype(object)
        known = np.flatnonzero((values.notna() & (values != "")).to_numpy(bool))
        numbers = pd.factorize(values.to_numpy(object)[known])[0]
        first = known[np.unique(numbers, return_index=True)[1]]
        links.append(np.stack([known, first[numbers]]))
    i, j = np.concatenate(links, axis=1)
    number = connected(i, j, count)
    content = table.sha256.fillna("").to_numpy(str)
    # Sorted by content, the first row of each unit holds its smallest.
    order = np.argsort(content, kind="stable")
    first = order[np.unique(number[order], return_index=True)[1]]
    return pd.Series(content[first][number], index=table.index, dtype="str")


def joined(table: pd.DataFrame, together: tuple[tuple[str, ...], ...]) -> pd.Series:
    """`source_id` with groups of pixels added that belong together.

    Args:
        table: Columns pixels_sha256 and source_id.
        together: Groups of `pixels_sha256`.
    """
    if not together:
        return table.source_id
    named = {pixels: f"together {number}" for number, group in enumerate(together) for pixels in group}
    added = table.pixels_sha256.map(named)
    # A source and a group that meet in one image are one source.
    linked = pd.DataFrame(
        {"sha256": table.source_id.fillna(added), "pixels_sha256": table.source_id, "source_id": added}
    )
    return table.source_id.where(linked.sha256.isna(), units(linked)).astype("str")
