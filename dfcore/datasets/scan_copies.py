"""Near-duplicates while a data set is scanned: searched once, and again when its images have changed."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pandas as pd

from dfcore.datasets import near_duplicates
from dfcore.errors import StorageError
from dfcore.imaging.signature import Signature
from dfcore.utils.files import sha256_bytes, write_text

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
    if len(one_each) > MOST:
        return table, [
            f"Near-duplicates were not searched among {len(one_each):,} images while scanning (up to {MOST:,} are): "
            "until the audit has found them, they may part between splits."
        ]
    keys = one_each.pixels_sha256.tolist()
    pairs = _remembered(one_each, signatures, cache, root)
    return table.assign(source_id=near_duplicates.joined(table, keys, pairs)), _notes(rows, keys, pairs)


def _remembered(one_each: pd.DataFrame, signatures: Signatures, cache: Path, root: Path) -> pd.DataFrame:
    """Pairs of rows of `one_each`, columns i and j."""
    path = cache / "copies" / f"{sha256_bytes(str(root).encode())[:24]}.json"
    key = sha256_bytes("\n".join([str(near_duplicates.VERSION), *one_each.pixels_sha256]).encode())
    try:
        known = json.loads(path.read_bytes())
        if known["images"] == key:
            return pd.DataFrame({"i": known["i"], "j": known["j"]}, dtype=int)
    except (OSError, ValueError, KeyError, TypeError):  # None yet, or damaged: searched anew.
        pass
    found = list(signatures(one_each.sha256.tolist()))
    numbers = pd.Index([number for number, signature in enumerate(found) if signature is not None])
    pairs = near_duplicates.find([signature for signature in found if signature is not None])
    pairs = pd.DataFrame({side: numbers[pairs[side]] for side in "ij"}, dtype=int)
    with suppress(StorageError):  # A full disk costs only time.
        write_text(path, json.dumps({"images": key, "i": pairs.i.tolist(), "j": pairs.j.tolist()}))
    return pairs


def _notes(rows: pd.DataFrame, keys: list[str], pairs: pd.DataFrame) -> list[str]:
    if pairs.empty:
        return []
    group = pd.Series(near_duplicates.clusters(pairs, len(keys)), index=keys).reindex(rows.pixels_sha256)
    group.index = rows.index
    group = group[group.isin(group[rows.pixels_sha256.isin({keys[i] for i in pairs.i})])]
    copies = rows.loc[group.index].groupby(group)
    notes = [
        f"{len(group)} images are near-duplicates (re-encoded, resized, cropped or mirrored copies) of each other, "
        f"in {group.nunique()} groups that are kept together."
    ]
    parted, mixed = (int((copies[column].nunique() > 1).sum()) for column in ("split", "label"))
    if parted:
        notes.append(f"{parted} groups of near-duplicates stand in more than one split: results there are too good.")
    if mixed:
        notes.append(f"{mixed} groups of near-duplicates stand under both classes.")
    return notes
