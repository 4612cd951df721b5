"""From the files under a root to rows: by its tables or by its folders, whichever describe the data set."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dfcore.datasets import noun
from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.folder_splits import some
from dfcore.datasets.layouts import KNOWN_LAYOUTS, Layout, Place, layout_name, place_all
from dfcore.datasets.manifest import Folders, Rows, rows_of
from dfcore.datasets.masks import without_masks
from dfcore.datasets.path_lists import doubted_lists
from dfcore.datasets.reading import Reading
from dfcore.datasets.sheets import Sheet, read_sheet, read_sheets
from dfcore.datasets.split_lists import read_split_lists
from dfcore.datasets.table_columns import plain
from dfcore.datasets.table_files import SUFFIXES, table_files
from dfcore.datasets.table_paths import Finder
from dfcore.datasets.walk import VIDEO
from dfcore.errors import ClassesUnknown, FilmsOnly, LayoutError
from dfcore.utils.texts import counted, printable


@dataclass
class Listed:
    """The files of a data set.

    Attributes:
        images: Paths relative to the root, each with the reason why it cannot be read, or None.
        others: The other files.
        left_out: What lies there and cannot be listed.
        notes: Things that a person should know.
        of_films: Whether films are listed, in place of images.
    """

    images: dict[str, str | None] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    of_films: bool = False


@dataclass
class Understood:
    """The rows of a data set, before any image is read.

    Attributes:
        paths, places, reasons: One for each row; see `Rows`.
        layout: The layout in words.
        notes, doubts: Things that a person should know, and should look at before use.
        left_out: What is no row.
        tables: Tables of which something was used.
    """

    paths: list[str]
    places: list[Place]
    reasons: list[str | None]
    layout: str
    notes: list[str]
    doubts: list[str]
    left_out: list[LeftOut]
    tables: set[str]


def understand_folder(root: Path, listed: Listed, reading: Reading) -> Understood:
    """Reads a folder, with the tables in it.

    Raises:
        LayoutError: If nothing names a class, or what does contradicts itself.
        FilmsOnly: If it holds films and no image.
    """
    images, masks = without_masks(list(listed.images))
    problems: list[str] = []
    lists = read_split_lists(root, listed.others, images)
    others = [file for file in listed.others if file not in lists.files]
    finder = Finder(root, images, of_films=listed.of_films)
    sheets = [*read_sheets(root, table_files(others), finder, reading, problems.append), *lists.sheets]
    if masks and any(found.there for sheet in sheets if "label" in sheet.columns for found in sheet.found):
        named = {path for sheet in sheets for found in sheet.found for path in found.paths}
        if not named.isdisjoint({*listed.images} - {*images}):
            images, masks = list(listed.images), []
    layout, contradiction = _layout(images, reading)
    rows = rows_of(sheets, Folders(images, layout), reading, asked=False)
    if contradiction and not rows.labelled:
        raise contradiction
    left_out = [*listed.left_out, *masks]
    if rows.labelled:
        left_out += _unnamed(images, rows)
        words = _table_words([sheet for sheet in sheets if sheet.name in rows.labelled])
        doubts = rows.doubts + _one_class(rows)
    else:
        words = layout_name(rows.paths, rows.places)
        doubts = (layout.doubts if layout else []) + rows.doubts
    _require_labels(root, rows, sheets, problems, left_out)
    reasons = [listed.images.get(path) or reason for path, reason in zip(rows.paths, rows.reasons, strict=True)]
    notes = [*listed.notes, *map(printable, problems), *rows.notes, *lists.notes]
    labels = {path: place.label for path, place in zip(rows.paths, rows.places, strict=True)}
    doubts = [*doubts, *lists.contradictions(labels), *doubted_lists(root, others, images)]
    return Understood(rows.paths, rows.places, reasons, words, notes, doubts, left_out, rows.used)


def understand_table(file: Path, list_images: Callable[[], Sequence[str]], reading: Reading) -> Understood:
    """Reads a table that a person named, with paths relative to its folder.

    Raises:
        LayoutError: If it cannot be read as a table of images with labels.
    """
    root = file.parent
    sheet = read_sheet(root, file, Finder(root, list_images), reading)
    if not {"path", "label"} <= {*sheet.columns}:
        raise LayoutError(sheet.problem)
    paths = list(dict.fromkeys(path for found in sheet.found if found.there for path in found.paths))
    layout, _ = _layout(paths, reading)
    rows = rows_of([sheet], Folders(paths, layout), reading, asked=True)
    _require_labels(root, rows, [sheet], [], [])
    doubts = rows.doubts + _one_class(rows)
    return Understood(rows.paths, rows.places, rows.reasons, _table_words([sheet]), rows.notes, doubts, [], rows.used)


def require_table(file: Path) -> None:
    """Checks that a file can be a table.

    Raises:
        LayoutError: If not.
    """
    if file.suffix.lower() not in SUFFIXES:
        hint = " A list of paths in text names no class: make a CSV of it with columns for path and label, or name the "
        hint += "folder that holds the images."
        raise LayoutError(
            f"Expected a folder or a table of images ({', '.join(SUFFIXES)}). Received: the file {file.name}."
            + (hint if file.suffix.lower() in (".txt", ".lst") else "")
        )


def _layout(images: Sequence[str], reading: Reading) -> tuple[Layout | None, LayoutError | None]:
    try:
        return place_all(images, reading.class_folders), None
    except LayoutError as error:
        return None, error


def _table_words(sheets: Sequence[Sheet]) -> str:
    """The tables in words, with the columns that were read."""
    names = some(dict.fromkeys(sheet.name for sheet in sheets))
    columns = dict.fromkeys(
        f"{key} in {name}" for sheet in sheets for key, name in sheet.columns.items() if key != plain(name)
    )
    said = f"; {', '.join(columns)}" if columns else ""
    return f"{'manifest' if len(sheets) == 1 else 'manifests'} ({names}{said})"


def _unnamed(images: Sequence[str], rows: Rows) -> list[LeftOut]:
    """The images that no row of the tables names, folder by folder."""
    named = {*rows.paths}
    count = Counter(str(PurePosixPath(path).parent) for path in images if path not in named)
    these, this = f"these {noun.many()}", f"this {noun.one()}"
    return [
        LeftOut(folder, f"No row of {some(rows.labelled)} names {these if n > 1 else this}.", n)
        for folder, n in sorted(count.items())
    ]


def _one_class(rows: Rows) -> list[str]:
    labels = {place.label for place in rows.places} - {None}
    if len(labels) != 1:
        return []
    return [f"Every {noun.one()} that has a class is {'fake' if 1 in labels else 'real'}: no row names the other one."]


def _require_no_films(root: Path, left_out: Sequence[LeftOut], more: str) -> None:
    """Raises FilmsOnly, which says `more` as well, if there are films among what was left out."""
    found = [left.path for left in left_out if left.reason == VIDEO]
    if found:
        videos = counted(len(found), "video", "videos")
        raise FilmsOnly(
            f"No images were found in {root}. It holds {videos}, such as {printable(found[0])}: extract the frames to "
            f"be judged, as image files; the command dfcore data frames does so.{more}",
            shlex.join(["dfcore", "data", "frames", str(root), str(root.with_name(f"{root.name}-frames"))]),
        )


def _require_labels(
    root: Path, rows: Rows, sheets: Sequence[Sheet], problems: Sequence[str], left_out: Sequence[LeftOut]
) -> None:
    known = "\nLayouts that are known:\n  " + "\n  ".join(KNOWN_LAYOUTS)
    told = [*problems, *(sheet.problem for sheet in sheets if sheet.name not in rows.labelled)]
    tables = f" {' '.join(map(printable, told))}" if told else ""
    if not rows.paths:
        _require_no_films(root, left_out, f"{tables}{known}")
        raise LayoutError(f"No {noun.many()} were found in {root}.{tables}{known}")
    if any(place.label is not None for place in rows.places):
        return
    folders = Counter(str(PurePosixPath(path).parent) for path in rows.paths)
    if set(folders) == {"."}:
        place, how = "directly in it", "Sort them into folders that are named after the classes."
    else:
        names = [f"{'the folder itself' if name == '.' else name} ({folders[name]})" for name in sorted(folders)[:6]]
        place = f"in {', '.join(names)}{' …' if len(folders) > 6 else ''}"
        how = "If folders do, say which: --class-folders real=…,fake=…."
    raise (LayoutError if told else ClassesUnknown)(
        f"No folder in {root} names a class, and no table in it tells one.{tables} Received: {len(rows.paths)} "
        f"{noun.many()} {place}. {how}{known}"
    )
