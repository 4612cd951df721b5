"""What a folder or table holds, by its names alone, for a person who says how it is to be read; reads no image."""

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dfcore import workspace
from dfcore.datasets.dataset import Dataset
from dfcore.datasets.reading import Reading
from dfcore.datasets.sheets import Sheet, read_sheet, read_sheets
from dfcore.datasets.table_files import read_table, table_files
from dfcore.datasets.table_paths import Finder
from dfcore.datasets.walk import walk
from dfcore.errors import ConfigError
from dfcore.imaging import decoder
from dfcore.labels import NAMES
from dfcore.utils.texts import storable

_VALUES, _EXAMPLES = 40, 3


@dataclass(frozen=True)
class Preview:
    """What stands in a data set by its names alone.

    Attributes:
        root: The folder that paths are relative to.
        paths: Paths of images.
        folders: {folder name: images below it}, the most frequent first.
        sheet: The table that describes the images; None where folders do.
    """

    root: Path
    paths: tuple[str, ...] = ()
    folders: dict[str, int] = field(default_factory=dict)
    sheet: Sheet | None = None

    def values(self, column: str) -> dict[str, int]:
        """{value: rows} of a column of the table; empty where there are too many to be classes."""
        counts = Counter(self._cells(column))
        return dict(counts.most_common()) if len(counts) <= _VALUES else {}

    def examples(self, column: str) -> dict[str, tuple[str, ...]]:
        """{value: up to three paths of its images} of a column of the table."""
        result: dict[str, list[str]] = {}
        for value, path in self._rows(column):
            if len(result.setdefault(value, [])) < _EXAMPLES:
                result[value].append(path)
        return {value: tuple(paths) for value, paths in result.items()}

    def understood_values(self, column: str, dataset: Dataset) -> dict[str, str]:
        """What each value of a column was taken for, {value: "real" or "fake"}."""
        labels = {path: int(label) for path, label in dataset.table[["path", "label"]].dropna().itertuples(index=False)}
        votes: dict[str, Counter[int]] = {}
        for value, path in self._rows(column):
            if path in labels:
                votes.setdefault(value, Counter())[labels[path]] += 1
        return {value: NAMES[count.most_common(1)[0][0]] for value, count in votes.items()}

    def understood_folders(self, dataset: Dataset) -> dict[str, str]:
        """Names of the folders that told the classes, {name: "real" or "fake"}; as few as explain every folder."""
        labels: dict[str, set[int | None]] = {}
        for folder in dataset.tree:
            for name in PurePosixPath(folder.folder).parts:
                labels.setdefault(name, set()).add(folder.label)
        result: dict[str, str] = {}
        for folder in dataset.tree:
            names = [name for name in PurePosixPath(folder.folder).parts if len(labels[name]) == 1]
            if names and folder.label is not None:
                result[max(names, key=lambda name: self.folders.get(name, 0))] = NAMES[folder.label]
        return result

    def _cells(self, column: str) -> list[str]:
        return [str(value).strip() for value in self.sheet.table[column]] if self.sheet else []

    def _rows(self, column: str) -> Iterable[tuple[str, str]]:
        """Value and image of each row that leads to one."""
        found = self.sheet.found if self.sheet else []
        for value, one in zip(self._cells(column), found, strict=False):
            if one.there and one.paths:
                yield value, one.paths[0]


def preview(root: Path, reading: Reading, *, understood: bool) -> Preview:
    """Reads the names and the tables of a data set.

    Args:
        root: Folder or table.
        reading: What was said of it; names of columns that do not exist count for nothing here.
        understood: Whether it was understood; if not, a table is shown even if none of its rows leads to an image.

    Raises:
        AccessError: If it lies outside of the folders that may be read.
        LayoutError: If `root` is a file that cannot be read as a table.
    """
    workspace.require_readable(root)
    root = root.expanduser().resolve()
    folder = root if root.is_dir() else root.parent
    files = list(walk(folder))
    images = [path for path in files if path.suffix.lower() in decoder.SUFFIXES]
    paths = sorted(storable(path.relative_to(folder).as_posix()) for path in images)
    counts = Counter(name for path in paths for name in set(PurePosixPath(path).parent.parts))
    finder = Finder(folder, lambda: paths)
    if root.is_dir():
        sheets = read_sheets(folder, table_files(files), finder, _possible(reading, files), lambda _: None)
        sheet = _describing(sheets, understood)
    else:
        sheet = read_sheet(folder, root, finder, _possible(reading, [root]))
    return Preview(folder, tuple(paths), dict(counts.most_common()), sheet)


def _possible(reading: Reading, files: Iterable[Path]) -> Reading:
    """The reading without columns that no table has, so that the table can be shown all the same."""
    if not reading.columns:
        return reading
    there: set[str] = set()
    for file in table_files(files):
        with suppress(Exception):  # Told by the scan.
            there |= {*read_table(file).columns}
    known = {key: column for key, column in reading.columns.items() if column in there}
    return reading.model_copy(update={"columns": known})


def _describing(sheets: Iterable[Sheet], understood: bool) -> Sheet | None:
    """The table with the most rows that lead to images, of those with labels if there are any."""
    leading = [sheet for sheet in sheets if sheet.leads_here]
    labelled = [sheet for sheet in leading if "label" in sheet.columns]
    others = [] if understood else leading or list(sheets)
    return max(labelled or others, key=lambda sheet: len(sheet.table), default=None)


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
    """Searches a pattern in paths, as `Reading.groups` does: its first group, or the whole match, is the source.

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
