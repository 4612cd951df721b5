"""Near-duplicates while a data set is scanned: searched once, and again when its images have changed."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from dfcore.datasets import near_duplicates
from dfcore.datasets.near_memory import NearMemory
from dfcore.imaging.signature import Signature
from dfcore.utils.texts import counted

# Up to this number of images, the search takes less time than reading the images.
MOST = 20_000
Signatures = Callable[[Iterable[str]], Iterable[Signature | None]]


def with_copies(table: pd.DataFrame, signatures: Signatures, cache: Path, root: Path) -> tuple[pd.DataFrame, list[str]]:
    """Gives near-duplicates a common `source_id`, see `near_duplicates.joined`.

    Args:
        table: `Dataset.table`.
        signatures: gives the signatures of files by their `sha256`, None where there is none.
        cache: folder in which the pairs found are remembered; may be deleted at any time.
        root: the data set's folder.

    Returns:
        The table, and notes on what was found or not searched.
    """
    rows = table[table.error.isna() & table.pixels_sha256.notna()]
    one_each = rows.sort_values("pixels_sha256").drop_duplicates("pixels_sha256")
    keys = one_each.pixels_sha256.tolist()
    memory = NearMemory(cache, root)
    pairs = memory.known(keys)
    if pairs is None and len(keys) > MOST:
        return table, [
            f"Near-duplicates were not searched among {len(keys):,} images while scanning (up to {MOST:,} are): "
            "until the audit has found them, they may part between splits."
        ]
    if pairs is None:
        found = dict(zip(keys, signatures(one_each.sha256.tolist()), strict=True))
        shown = {key: signature for key, signature in found.items() if signature is not None}
        keys = list(shown)
        pairs = memory.find(keys, list(shown.values()))
    return table.assign(source_id=near_duplicates.joined(table, keys, pairs)), _notes(rows, keys, pairs)


def _notes(rows: pd.DataFrame, keys: list[str], pairs: pd.DataFrame) -> list[str]:
    if pairs.empty:
        return []
    group = pd.Series(near_duplicates.clusters(pairs, len(keys)), index=keys).reindex(rows.pixels_sha256)
    group.index = rows.index
    group = group[group.isin(group[rows.pixels_sha256.isin({keys[i] for i in pairs.i})])]
    copies = rows.loc[group.index].groupby(group)
    notes = [
        f"{len(group)} images are near-duplicates (re-encoded, resized, cropped or mirrored copies) of each other, "
        f"in {counted(group.nunique(), 'group that is', 'groups that are')} kept together."
    ]
    parted, mixed = (int((copies[column].nunique() > 1).sum()) for column in ("split", "label"))
    if parted:
        stand = counted(parted, "group of near-duplicates stands", "groups of near-duplicates stand")
        notes.append(f"{stand} in more than one split: results there are too good.")
    if mixed:
        stand = counted(mixed, "group of near-duplicates stands", "groups of near-duplicates stand")
        notes.append(f"{stand} under both classes.")
    return notes
