"""What the audit looks at: usable rows, their signatures, which of them belong together, and file facts."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.audit.container import words
from dfcore.audit.facts import exif_kinds
from dfcore.datasets import Dataset, copies
from dfcore.datasets.looks import looks
from dfcore.datasets.near_duplicates import clusters
from dfcore.datasets.near_memory import NearMemory
from dfcore.datasets.units import units
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.signature import Signature
from dfcore.utils.files import sha256_bytes

# Images that the probes learn from, drawn at random: an AUC is then known to about 0.01.
MOST_PROBED = 5000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evidence:
    """What is known of N usable images.

    Attributes:
        dataset: The data set.
        rows: Its usable rows that could be read once more, N, with index 0 to N - 1.
        signatures: Signature of each row.
        related: Number of the group of images that belong together, (N,): same pixels, `source_id` or near-duplicates.
        pairs: Copies and near-duplicates, from `copy_pairs`.
        seed: Seed of samples and folds.
    """

    dataset: Dataset
    rows: pd.DataFrame
    signatures: Sequence[Signature]
    related: np.ndarray
    pairs: pd.DataFrame
    seed: int = 0

    @cached_property
    def labels(self) -> np.ndarray:
        """0 real, 1 fake, (N,)."""
        return self.rows.label.to_numpy(int)

    def paths(self, numbers: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Paths of some rows, relative to the data set's folder."""
        return tuple(self.rows.path.iloc[list(numbers)])

    def hashes(self, numbers: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Their distinct pixel hashes."""
        return tuple(self.rows.pixels_sha256.iloc[list(numbers)].unique())


def sample(labels: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Draws row numbers, sorted; of each class at most half of `most`, or what the other class leaves over."""
    random = np.random.default_rng(seed)
    by_class = [random.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    fewer = min(len(part) for part in by_class)
    share = max(most // 2, most - fewer)
    return np.sort(np.concatenate([part[:share] for part in by_class]))


def related(rows: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Numbers the groups of images that belong together, (N,): same pixels, `source_id` or near-duplicates.

    Args:
        rows: Columns sha256, pixels_sha256 and source_id, N rows.
        pairs: Near-duplicates, columns i and j, row numbers.
    """
    unit, names = pd.factorize(units(rows))
    linked = pd.DataFrame({name: unit[pairs[name].to_numpy(int)] for name in ("i", "j")})
    return clusters(linked, len(names))[unit]


def read_signatures(
    dataset: Dataset, cache: Path, progress: Callable[[int], None]
) -> tuple[pd.DataFrame, list[Signature]]:
    """The usable rows that can be read, with index 0 to N - 1, and the signature of each.

    Args:
        dataset: The data set.
        cache: Folder of the scan's memory, which holds the signatures of unchanged files.
        progress: Called with the number of images done.
    """
    rows = dataset.usable.reset_index(drop=True)

    signatures = []
    read = looks(dataset.root, rows.path.tolist(), rows.sha256.tolist(), cache, sandbox.processes())
    for number, signature in enumerate(read):
        signatures.append(signature)
        progress(number + 1)
    kept = [number for number, item in enumerate(signatures) if item is not None]
    return rows.iloc[kept].reset_index(drop=True), [item for item in signatures if item is not None]


def copy_pairs(
    rows: pd.DataFrame, signatures: Sequence[Signature], memory: NearMemory, progress: Progress | None
) -> pd.DataFrame:
    """Pairs of copies and near-duplicates: row numbers i and j, kind and distance, see `copies.pairs`."""
    by_pixels = dict(zip(rows.pixels_sha256, signatures, strict=True))
    found = copies.pairs(rows, by_pixels, memory=memory, progress=progress)
    numbers = pd.Series(rows.index, index=rows.path)
    columns = {"i": found.a.map(numbers), "j": found.b.map(numbers)}
    return pd.DataFrame(columns).astype(int).assign(kind=found.kind, distance=found.distance)


def file_facts(folder: Path, rows: pd.DataFrame, progress: Callable[[int], None]) -> tuple[pd.DataFrame, list]:
    """Reads facts of files for the shortcut probe.

    Args:
        folder: Folder of the data set.
        rows: Rows to be read; those whose file is gone or changed since are dropped.
        progress: Called with the number of files done.

    Returns:
        A table for `facts.table_of`, with the index of `rows`; and the words of each file.
    """

    def read(path: str, expected: str) -> tuple[dict, frozenset[str]] | None:
        try:
            data = decoder.read_bytes(folder / path)
            if sha256_bytes(data) != expected:
                return None
            facts, signature = sandbox.look(data)
        except ImageError:
            return None
        row = {"path": path, "width": facts.width, "height": facts.height, "bytes": facts.bytes, "format": facts.format}
        row |= {"mode": facts.mode, "quality": facts.jpeg_quality, "subsampling": facts.subsampling}
        return row | {"blockiness": signature.blockiness}, words(data) | exif_kinds(facts.exif)

    found, kept = [], []
    with ThreadPoolExecutor(sandbox.processes()) as pool:
        for number, result in enumerate(pool.map(read, rows.path, rows.sha256)):
            if result is not None:
                found.append(result)
                kept.append(rows.index[number])
            progress(number + 1)
    table = pd.DataFrame([row for row, _ in found], index=kept)
    return table, [text for _, text in found]
