"""Understands the tables of a data set one by one: what their columns mean, and which images their rows name."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from dfcore.datasets import noun
from dfcore.datasets.folder_splits import some
from dfcore.datasets.layouts import Place
from dfcore.datasets.reading import Reading
from dfcore.datasets.table_columns import FILMS, GROUPS, PATHS, SOURCES, SPLITS, chosen, named, plain, split_column
from dfcore.datasets.table_files import is_submission, read_table
from dfcore.datasets.table_labels import label_column
from dfcore.datasets.table_paths import Finder, Found
from dfcore.datasets.words import parse_label, parse_split, read_name
from dfcore.errors import LayoutError
from dfcore.utils.texts import storable

# A column `group` names sources if it has so many values, none of which holds more than this share of its class.
_SOURCES_FROM, _SOURCE_SHARE = 8, 0.2
_SAMPLE = 200


@dataclass
class Sheet:
    """One table, understood.

    Attributes:
        name: Its path relative to the root.
        table: Its rows, as text.
        columns: The column for each of path, label, split, group, source, film, as far as there is one.
        found: What each row's path leads to.
    """

    name: str
    table: pd.DataFrame
    columns: dict[str, str]
    found: list[Found]

    @property
    def leads_here(self) -> bool:
        """Whether any of its rows names a file of this data set."""
        return any(found.there for found in self.found)

    @property
    def adds(self) -> list[str]:
        """What it tells of images beside their labels."""
        return [key for key in ("split", "group", "source") if key in self.columns] if self.leads_here else []

    @property
    def problem(self) -> str:
        """Why it does not describe the data set."""
        columns = ", ".join(map(str, self.table.columns)) or "no columns"
        if "path" not in self.columns or "label" not in self.columns:
            return (
                f"{self.name}: expected columns for path and label (split and group if wanted). Received: {columns}. "
                f"If it is a table of these {noun.many()}, say which they are with --columns path=…,label=…."
            )
        return f"{self.name}: none of its {len(self.table)} rows names a file here. Received: {columns}."

    def cell(self, row: int, key: str) -> str:
        """A cell as text; empty where there is no such column."""
        column = self.columns.get(key)
        return str(self.table[column].iloc[row]).strip() if column else ""

    def place(self, row: int, label: int | None, folder: Place, folder_split: str | None) -> tuple[Place, str | None]:
        """Where the image of a row stands, and why the row cannot be used, or None.

        Args:
            row: Number of the row.
            label: Its label.
            folder: What the folders tell of the image; group and split count where the table tells none.
            folder_split: The split that the folders name.
        """
        said = self.cell(row, "split")
        split = parse_split(said) if said else folder_split
        reason = None
        if said and split is None:
            reason = f"Expected the split train, validation or test. Received: {said[:60]!r}."
        if not said and split is None:
            split = read_name(PurePosixPath(self.name).stem).split
        group = self.cell(row, "group") or (folder.group if "group" not in self.columns else None)
        if group and self.columns.get("group") == self.columns.get("label") and parse_label(group) is not None:
            group = None
        return Place(label, split, group, self._source(row), self.cell(row, "film") or None, folder.depth), reason

    def _source(self, row: int) -> str | None:
        """What a row's image was taken from; a fake belongs to its original, and the original to itself."""
        text = self.cell(row, "source")
        if "original" in plain(self.columns.get("source", "")):
            return PurePosixPath(text or self.cell(row, "path")).stem or None
        return text or None

    def groups_are_sources(self, labels: Sequence[int | None]) -> bool:
        """Whether a column called group names many small groups, each of which may be one person or video."""
        if plain(self.columns.get("group", "")) != "group" or "source" in self.columns:
            return False
        groups = [self.cell(row, "group") for row in range(len(self.table))]
        counts = Counter((group, label) for group, label in zip(groups, labels, strict=True) if group)
        whole = Counter(labels)
        return len({*groups} - {""}) >= _SOURCES_FROM and all(
            count <= _SOURCE_SHARE * whole[label] for (_, label), count in counts.items()
        )

    def unread_splits(self) -> list[str]:
        """Doubts about columns that are named like a split but name none that is known."""
        result = []
        for column in named(self.table.columns, SPLITS) if "split" not in self.columns else ():
            values = sorted({value.strip() for value in self.table[column]} - {""})
            if column not in self.columns.values() and 1 < len(values) <= 20:
                result.append(
                    f"{self.name}: the column {column} ({some(values)}) looks like a split but names none that is "
                    f"known; its {noun.many()} are drawn into training, validation and test."
                )
        return result


def read_sheet(root: Path, file: Path, finder: Finder, reading: Reading) -> Sheet:
    """Reads a table and finds out what its columns mean.

    Raises:
        LayoutError: If it cannot be read, or a column that was said is missing.
    """
    # As images are named in tables and on screens: a name that is not UTF-8 is escaped.
    name = storable(file.relative_to(root).as_posix())
    folder = name.rpartition("/")[0]
    said: dict[str, str] = {str(key): column for key, column in reading.columns.items()}
    table = read_table(file)
    path = _path_column(table, folder, finder, said)
    if path is None:
        return Sheet(name, table, {}, [])
    # What names the film may also lead to its frames, or be what keeps them together.
    film = chosen(table.columns, said, "film") or _by_name(table, FILMS, {})
    meant = [key for key in said if key != "film"]
    columns = {"path": path, **{key: column for key in meant if (column := chosen(table.columns, said, key))}}
    finders: dict[str, Callable[[], str | None]] = {
        "split": lambda: split_column(table),
        "source": lambda: _by_name(table, SOURCES, columns),
        "group": lambda: _by_name(table, GROUPS, columns),
        "label": lambda: label_column(table, {*columns.values()}, reading.labels),
    }
    for key, find in finders.items():
        column = find() if key not in columns else None
        # A column of generators may tell the label as well as the group.
        if column and (column not in columns.values() or column == columns.get("group")):
            columns[key] = column
    if film:
        columns["film"] = film
    videos = _names_videos(path)
    return Sheet(name, table, columns, [finder.find(text, folder, videos=videos) for text in table[path]])


def read_sheets(
    root: Path, files: Sequence[Path], finder: Finder, reading: Reading, tell: Callable[[str], None]
) -> list[Sheet]:
    """The tables that can be read; `tell` is called with the reason for each that cannot.

    Raises:
        LayoutError: If none of them has a column that was said.
    """
    result: list[Sheet] = []
    missing: list[str] = []
    for file in files:
        if is_submission(file):
            tell(f"{file.name}: an example of an answer, by its name; it was not used.")
            continue
        try:
            result.append(read_sheet(root, file, finder, reading))
        except LayoutError as error:
            (missing.append if "as was said" in str(error) else tell)(str(error))
    if missing and not any(sheet.columns for sheet in result):
        raise LayoutError(missing[0])
    for text in missing:
        tell(text)
    return result


def _by_name(table: pd.DataFrame, names: str, taken: Mapping[str, str]) -> str | None:
    return next((name for name in named(table.columns, names) if name not in taken.values()), None)


def _names_videos(column: str) -> bool:
    """Whether names without suffix in a column may be those of videos, or of folders of frames."""
    return any(word in plain(column) for word in ("video", "clip", "folder", "sequence"))


def _path_column(table: pd.DataFrame, folder: str, finder: Finder, said: Mapping[str, str]) -> str | None:
    """The column whose cells lead to the most images, of those named like one; or any that leads to images."""
    column = chosen(table.columns, said, "path")
    if column:
        return column
    by_name = named(table.columns, PATHS)
    sample = table.iloc[:: max(len(table) // _SAMPLE, 1)]

    def share(name: str) -> float:
        found = [finder.find(text, folder, videos=_names_videos(name)) for text in sample[name]]
        return sum(one.there for one in found) / max(len(sample), 1)

    best = max(by_name, key=share, default=None)
    if best is not None and share(best) > 0:
        return best
    others = [name for name in table.columns if name not in by_name
              and sample[name].str.contains(r"/|\\|\.\w{2,5}$", regex=True).mean() > 0.5]  # fmt: skip
    return next((name for name in others if share(name) > 0.5), best)
