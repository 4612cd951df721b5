"""Data sets that tables describe: one or several, of any of the kinds in `table_files`, at the root or below it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import pandas as pd

from dfcore.datasets import noun
from dfcore.datasets.folder_splits import some
from dfcore.datasets.layouts import UNLABELLED, Layout, Place
from dfcore.datasets.reading import Reading
from dfcore.datasets.sheets import Sheet
from dfcore.datasets.table_columns import MEANT, named, plain
from dfcore.datasets.table_labels import RowLabels, read_labels
from dfcore.datasets.table_paths import Found
from dfcore.datasets.words import read_name, settle_splits
from dfcore.errors import LayoutError

# A table that names fewer of the images in sound class folders does not replace them, unless it is called a manifest.
_MOST = 0.5


@dataclass
class Rows:
    """The rows of a data set.

    Attributes:
        paths: Relative to the root; as written where there is no such file.
        places: What is known of each.
        reasons: Why a row cannot be used, or None.
        notes: Things that a person should know.
        doubts: Things that a person should look at before use.
        labelled: Names of the tables that tell the labels; none where the folders do.
        used: Names of all tables of which anything was used.
    """

    paths: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


class Folders:
    """What the folders tell of the images."""

    def __init__(self, images: Sequence[str], layout: Layout | None):
        self.images = images
        self.is_sound = layout is not None and layout.is_sound
        self.places = dict(zip(images, layout.places, strict=True)) if layout else {}
        self.splits = dict(zip(images, layout.splits, strict=True)) if layout else {}

    def place(self, path: str) -> Place:
        """What they tell of one image."""
        return self.places.get(path) or Place(depth=len(PurePosixPath(path).parts) - 1)


def rows_of(sheets: Sequence[Sheet], folders: Folders, reading: Reading, *, asked: bool) -> Rows:
    """The rows of a data set, by its tables, or by its folders where no table tells the labels.

    Args:
        sheets: The tables.
        folders: What the folders tell.
        reading: What a user said.
        asked: Whether a person named the table, so that it counts in any case.

    Raises:
        LayoutError: If what the tables say is unclear.
    """
    result = Rows()
    told: set[str] = set()
    labelled = [sheet for sheet in sheets if "label" in sheet.columns and (sheet.leads_here or asked)]
    if reading.class_folders:
        labelled = []
    elif folders.is_sound and not asked and labelled:
        weighty = _weighty(labelled, folders, result)
        told |= {sheet.name for sheet in labelled if sheet not in weighty}
        labelled = weighty
    for group in _same_columns(labelled):
        try:
            labels = _labels(group, folders, reading)
        except LayoutError as error:
            if not folders.is_sound or asked or reading.columns or reading.labels or _is_meant(group):
                raise
            result.notes.append(f"{error} The folders were read instead.")
            told |= {sheet.name for sheet in group}
            continue
        _add_rows(result, group, labels, folders)
    if not result.labelled:
        result.paths = list(folders.images)
        result.places = [folders.place(path) for path in folders.images]
        result.reasons = [None] * len(folders.images)
    if result.labelled:
        _add_unlabelled(result, [sheet for sheet in sheets if "label" not in sheet.columns])
    for sheet in sheets:
        if sheet.name not in result.labelled and sheet.adds:
            _add_from(result, sheet, folders)
        elif sheet.name not in told and sheet.name not in result.labelled:
            result.notes.append(sheet.problem)
    _settle(result)
    return result


def _weighty(sheets: list[Sheet], folders: Folders, result: Rows) -> list[Sheet]:
    """The tables, if they name enough of the images that the folders label."""
    here = {path for sheet in sheets for found in sheet.found if found.there for path in found.paths}
    whole = sum(place.label is not None for place in folders.places.values())
    if len(here) >= _MOST * whole or any("manifest" in sheet.name.lower() for sheet in sheets):
        return sheets
    names = some([sheet.name for sheet in sheets])
    result.notes.append(
        f"{names}: names {len(here)} of {len(folders.images)} {noun.many()}; the folders were read instead."
    )
    return []


def _is_meant(sheets: Sequence[Sheet]) -> bool:
    """Whether a column is certainly meant to tell real from fake, so that the folders must not be read instead."""
    column = sheets[0].columns["label"]
    values = {value.strip() for sheet in sheets for value in sheet.table[sheet.columns["label"]]} - {""}
    return bool(named([column], MEANT)) and len(values) == 2


def _same_columns(sheets: Sequence[Sheet]) -> Iterator[list[Sheet]]:
    """Tables whose labels stand in columns of the same name are read as one."""
    by_column: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        by_column.setdefault(plain(sheet.columns["label"]), []).append(sheet)
    yield from by_column.values()


def _labels(sheets: Sequence[Sheet], folders: Folders, reading: Reading) -> RowLabels:
    """The labels of all rows; what the values mean is told by the rows that have an image."""
    column = sheets[0].columns["label"]
    tables = [sheet.table.rename(columns={sheet.columns["label"]: column}) for sheet in sheets]
    table = pd.concat(tables, ignore_index=True).fillna("").astype(str)
    found = [one for sheet in sheets for one in sheet.found]
    rows = [i for i, one in enumerate(found) if one.there] or list(range(len(found)))
    places = folders.places if folders.is_sound else {}
    part = read_labels(
        table.iloc[rows].reset_index(drop=True),
        column,
        [_path_label(found[i], places) for i in rows],
        paths=[found[i].paths[0] for i in rows],
        said=reading.labels,
        name=some([sheet.name for sheet in sheets]),
        taken={name for sheet in sheets for key, name in sheet.columns.items() if key != "label"},
    )
    labels: list[int | None] = [None] * len(found)
    reasons: list[str | None] = [None] * len(found)
    for i, label, reason in zip(rows, part.labels, part.reasons, strict=True):
        labels[i], reasons[i] = label, reason
    return RowLabels(labels, reasons, part.notes, part.doubts)


def _path_label(found: Found, places: Mapping[str, Place]) -> int | None:
    """The class that the words in a row's path name: its folders, or else the file's own name."""
    labels: set[int | None] = set()
    for path in found.paths[:20]:
        place, name = places.get(path), read_name(PurePosixPath(path).stem)
        labels.add(place.label if place and place.label is not None else name.label if name.strong else None)
    return labels.pop() if len(labels) == 1 else None


def _add_rows(result: Rows, sheets: Sequence[Sheet], labels: RowLabels, folders: Folders) -> None:
    result.notes += labels.notes
    result.doubts += labels.doubts
    at = 0
    for sheet in sheets:
        result.labelled.append(sheet.name)
        result.used.add(sheet.name)
        result.doubts += sheet.unread_splits()
        of_sheet = labels.labels[at : at + len(sheet.found)]
        grouped = sheet.groups_are_sources(of_sheet)
        if grouped:
            result.notes.append(
                f"{sheet.name}: {noun.many()} with the same {sheet.columns['group']} stay in one split."
            )
        for row, found in enumerate(sheet.found):
            for path in found.paths:
                split = folders.splits.get(path)
                place, split_reason = sheet.place(row, of_sheet[row], folders.place(path), split)
                result.paths.append(path)
                result.places.append(replace(place, source=place.group) if grouped else place)
                result.reasons.append(found.reason or labels.reasons[at + row] or split_reason)
        at += len(sheet.found)


def _add_unlabelled(result: Rows, sheets: Sequence[Sheet]) -> None:
    """Adds the images that only a table without labels names, such as a competition's test."""
    known = {*result.paths}
    paths = dict.fromkeys(path for sheet in sheets for found in sheet.found if found.there for path in found.paths)
    for path in paths:
        if path not in known:
            result.paths.append(path)
            result.places.append(Place(split=UNLABELLED, depth=len(PurePosixPath(path).parts) - 1))
            result.reasons.append(None)


def _add_from(result: Rows, sheet: Sheet, folders: Folders) -> None:
    """Adds the split, group and source that a table without labels tells."""
    at = {path: i for i, path in enumerate(result.paths)}
    result.used.add(sheet.name)
    result.notes.append(f"{sheet.name}: {' and '.join(sheet.adds)} of its rows were added.")
    result.doubts += sheet.unread_splits()
    for row, found in enumerate(sheet.found):
        for path in found.paths if found.there else ():
            if path in at:
                place = result.places[at[path]]
                told, _ = sheet.place(row, place.label, Place(), None)
                split = place.split if place.label is None else told.split or place.split
                result.places[at[path]] = replace(_merged(told, place), split=split, depth=place.depth)


def _settle(result: Rows) -> None:
    """Gives "eval" its meaning beside the other splits, and counts an image that several rows name once."""
    meant = settle_splits({place.split for place in result.places})
    result.places = [replace(place, split=meant[place.split]) for place in result.places]
    first: dict[str, int] = {}
    for i, path in enumerate(result.paths):
        if result.reasons[i]:
            continue
        before = first.setdefault(path, i)
        if before == i:
            continue
        if result.places[before].label != result.places[i].label:
            result.reasons[before] = result.reasons[i] = "Its rows contradict each other: one says real, one says fake."
        else:
            result.places[before] = _merged(result.places[before], result.places[i])
            result.reasons[i] = "An earlier row names it too; it counts once."


def _merged(place: Place, other: Place) -> Place:
    return replace(
        place, split=place.split or other.split, group=place.group or other.group,
        source=place.source or other.source, film=place.film or other.film,
    )  # fmt: skip
