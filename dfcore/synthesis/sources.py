"""The real pictures of a folder, of which fakes are made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfcore import workspace
from dfcore.datasets import Reading, scan
from dfcore.datasets.masks import without_masks
from dfcore.datasets.scan_listing import list_files
from dfcore.datasets.self_made import marked
from dfcore.errors import ClassesUnknown, DatasetError
from dfcore.labels import REAL


@dataclass(frozen=True)
class Picture:
    """A real picture.

    Attributes:
        path: Relative to the root.
        split: As the data set says; empty if it says nothing.
        source: What it was taken from (a video, a person), or else its path.
    """

    path: str
    split: str
    source: str


@dataclass(frozen=True)
class Pictures:
    """The real pictures of a folder.

    Attributes:
        root: What their paths are relative to.
        pictures: In the order of a seeded draw.
        told: Which pictures were taken as real, as a sentence.
        left_out: (path, reason) of what cannot be used.
    """

    root: Path
    pictures: tuple[Picture, ...]
    told: str
    left_out: tuple[tuple[str, str], ...]


def real_pictures(
    root: str | Path,
    *,
    reading: Reading | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Pictures:
    """Finds the real pictures of a data set, or of a folder that tells no classes, where all are taken as real.

    Args:
        root: A folder or a manifest.
        reading: How it is to be read; by default what is remembered.
        seed: Of the order.
        progress: Called with (images read, images in all) where a data set is scanned.

    Raises:
        AccessError, LayoutError: See `dfcore.scan`.
        DatasetError: If no picture is real.
    """
    root = Path(root).expanduser()
    try:
        dataset = scan(root, reading=reading, progress=progress)
    except ClassesUnknown:
        found = _all_of(root.resolve())
    else:
        rows = dataset.usable[dataset.usable.label == REAL]
        sources = rows.source_id.fillna(rows.path)
        pictures = [
            Picture(path, split, source)
            for path, split, source in zip(rows.path, rows.split.fillna(""), sources, strict=True)
        ]
        others = len(dataset.usable) - len(rows)
        bad = dataset.unreadable[["path", "error"]].itertuples(index=False, name=None)
        told = f"{len(rows):,} pictures of {dataset.name} are labelled real; its {others:,} others are not used."
        if marked(dataset.root, dataset.table).any():
            told += " Its real pictures have been treated once already."
        found = Pictures(dataset.root, tuple(pictures), told, tuple(bad))
    if not found.pictures:
        raise DatasetError(f"Expected real pictures to make fakes of. Received: none that can be used in {root}.")
    order = np.random.default_rng(seed).permutation(len(found.pictures))
    return Pictures(found.root, tuple(found.pictures[i] for i in order), found.told, found.left_out)


def _all_of(root: Path) -> Pictures:
    listed = list_files(root)
    paths, masks = without_masks(list(listed.images))
    pictures, left_out = [], [(one.path, one.reason) for one in (*listed.left_out, *masks) if one.missed]
    for path in paths:
        reason = listed.images[path]
        if reason is None and not workspace.readable(root / path):
            reason = "It lies, or links to a file, outside of the folders that may be read here."
        if reason:
            left_out.append((path, reason))
        else:
            pictures.append(Picture(path, "", path))
    told = f"Nothing in {root.name} says which pictures are real: all {len(pictures):,} were taken as real."
    return Pictures(root, tuple(pictures), told, tuple(left_out))
