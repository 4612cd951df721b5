"""What a folder or table holds before it is understood: first rows, values, folder names; reads no image."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from dfcore import workspace
from dfcore.datasets.dataset import Dataset
from dfcore.datasets.manifest import _read, find_manifest
from dfcore.datasets.scan import walk_images
from dfcore.errors import ConfigError
from dfcore.labels import NAMES

_VALUES, _PATHS, _EXAMPLES = 40, 20_000, 3


@dataclass(frozen=True)
class Preview:
    """What stands in a data set by its names alone.

    Attributes:
        table: Name of the manifest; "" for folders.
        rows: All rows of the manifest; empty for folders.
        columns: {column: {value: rows}} for each column of the manifest; without values where there are too many.
        folders: {folder name: images below it}, the most frequent first.
        paths: Paths of images (at most 20,000), relative to the data set's folder.
    """

    table: str = ""
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    columns: dict[str, dict[str, int]] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


def preview(root: Path) -> Preview:
    """Reads names and first rows of a folder or manifest.

    Raises:
        AccessError: If it lies outside of the folders that may be read.
        LayoutError: If there is no such folder, or its manifest cannot be read.
    """
    workspace.require_readable(root)
    root = root.resolve()
    manifest = find_manifest(root)
    if manifest is not None:
        table = _read(manifest)
        table.columns = [str(name) for name in table.columns]
        return Preview(manifest.name, table, {name: _values(table[name]) for name in table.columns})
    paths = [path.relative_to(root).as_posix() for path in walk_images(root)[0]]
    folders = Counter(name for path in paths for name in set(PurePosixPath(path).parent.parts))
    return Preview(folders=dict(folders.most_common()), paths=tuple(paths[:_PATHS]))


def _values(column: pd.Series) -> dict[str, int]:
    counts = column.astype(str).value_counts()
    return {} if len(counts) > _VALUES else {str(value): int(number) for value, number in counts.items()}


def understood_values(seen: Preview, path: str, label: str, dataset: Dataset) -> dict[str, str]:
    """What each value of a manifest's column was taken for, {value: "real" or "fake"}.

    Args:
        seen: The manifest.
        path: Column with the images' paths.
        label: Column with the values.
        dataset: What was understood.
    """
    labels = dict(zip(dataset.table.path, dataset.table.label, strict=True))
    paths = seen.rows[path].astype(str).str.replace("\\", "/", regex=False)
    votes: dict[str, Counter[int]] = {}
    for value, name in zip(seen.rows[label].astype(str), paths, strict=True):
        if (known := labels.get(name)) is not None and not pd.isna(known):
            votes.setdefault(value, Counter())[int(known)] += 1
    return {value: NAMES[count.most_common(1)[0][0]] for value, count in votes.items()}


def understood_folders(seen: Preview, dataset: Dataset) -> dict[str, str]:
    """Names of the folders that told the classes, {name: "real" or "fake"}; as few names as explain every folder."""
    labels: dict[str, set[int | None]] = {}
    for folder in dataset.tree:
        for name in PurePosixPath(folder.folder).parts:
            labels.setdefault(name, set()).add(folder.label)
    result: dict[str, str] = {}
    for folder in dataset.tree:
        names = [name for name in PurePosixPath(folder.folder).parts if len(labels[name]) == 1]
        if names and folder.label is not None:
            result[max(names, key=lambda name: seen.folders.get(name, 0))] = NAMES[folder.label]
    return result


@dataclass(frozen=True)
class Grouping:
    """What a pattern makes of paths.

    Attributes:
        groups: Number of different groups.
        matched: Number of paths that the pattern matches.
        paths: Number of paths.
        examples: The first few matches: (path, group).
    """

    groups: int
    matched: int
    paths: int
    examples: tuple[tuple[str, str], ...]


def try_pattern(pattern: str, paths: Iterable[str]) -> Grouping:
    """Searches a pattern in paths, as `Reading.groups` does: its first group, or the whole match, is the group.

    Raises:
        ConfigError: If it is no regular expression.
    """
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise ConfigError([f"Groups: expected a regular expression. Received: {pattern!r} ({error})."]) from None
    seen: dict[str, str] = {}
    every = 0
    for path in paths:
        every += 1
        if match := search(path):
            seen[path] = (match[1] if match.re.groups else match[0]) or ""
    return Grouping(len(set(seen.values())), len(seen), every, tuple(seen.items())[:_EXAMPLES])
