"""Asks a user how a data set is to be read: columns, labels, class folders, groups; remembered for its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from dashboard import actions, error_reporting, page_words, pictures, roles, widgets
from dashboard.roles import Role
from dfcore.datasets import Dataset
from dfcore.datasets.grouping import OFF
from dfcore.datasets.preview import Preview, preview, try_pattern
from dfcore.datasets.reading import Reading
from dfcore.labels import FAKE, NAMES, REAL

_Meaning = Literal["path", "label", "split", "group", "source", "film"]
_MEANINGS: dict[_Meaning, tuple[str, str]] = {
    "path": (page_words.COLUMNS["path"], "The column with the path or name of each image."),
    "label": (page_words.COLUMNS["label"], "The column that says which images are real and which are fake."),
    "split": (page_words.COLUMNS["split"], "The column with training, validation or test. Without it, splits are drawn "
              "at random."),
    "group": (page_words.COLUMNS["group"], "The column with the generator or the subject. Figures are told for each "
              "group, and every split gets a share of each."),
    "source": (page_words.COLUMNS["source"], "The column that names what an image was taken from: a video, a person, a "
               "picture. Images of one source are never split between training and test."),
    "film": (page_words.COLUMNS["film"], "The column that names the film of a frame. Figures are told for whole films, "
             "too."),
}  # fmt: skip
_OWN = "own"
_PATTERNS = {
    "": "As the folders suggest",
    r"([^/]+)/[^/]+$": "All images of one folder",
    r"([^/]+?)[_\-. ]*\d+\.\w+$": "Same file name except for the number at the end",
    r"([^/_\-]+)[^/]*$": "Same start of the file name, up to _ or -",
    OFF: page_words.APART,
    _OWN: "A pattern of my own",
}
_SHOWN_FOLDERS, _FIRST_ROWS = 200, 6


@error_reporting.fragment()
def show(root: Path, reading: Reading, dataset: Dataset | None) -> None:
    """Shows first rows or folder names with what each was taken for; saves what the user changes.

    Args:
        root: Folder or manifest.
        reading: What is remembered of it.
        dataset: What was understood; None if it was not.
    """
    with widgets.errors():
        seen = preview(root, reading, understood=dataset is not None)
        changes = (_table if seen.sheet else _folders)(root, seen, reading, dataset)
        pattern = _groups(root, seen, reading)
        may, buttons = roles.may(Role.TRAINER), st.container(horizontal=True)
        if buttons.button(
            "Read it this way", type="primary", icon=":material/save:", key=f"read {root}", disabled=not may,
            help="Remembered for this data set. Then check what was understood, and confirm it.",
        ):  # fmt: skip
            actions.read_as(root, groups=pattern, **changes)
            st.rerun()
        if _said(reading) and buttons.button(
            "Forget these answers", type="tertiary", icon=":material/undo:", key=f"unsay {root}", disabled=not may,
            help="Reads the data set as if you had said nothing about its columns, values, folders and groups.",
        ):  # fmt: skip
            actions.read_as(root, columns={}, labels={}, class_folders={}, groups="")
            st.rerun()


def _said(reading: Reading) -> dict[str, Any]:
    """What a user has said of columns, values, folders and groups."""
    return reading.model_dump(include={"columns", "labels", "class_folders", "groups"}, exclude_defaults=True)


def _table(root: Path, seen: Preview, reading: Reading, dataset: Dataset | None) -> dict[str, Any]:
    sheet = seen.sheet
    assert sheet is not None
    st.caption(f"The first rows of {widgets.plain(sheet.name)}")
    widgets.table(sheet.table.head(_FIRST_ROWS), "First rows of the table")
    columns: dict[str, str] = {}
    for place, (meaning, (title, text)) in zip(st.columns(len(_MEANINGS)), _MEANINGS.items(), strict=True):
        options, now = ["", *sheet.table.columns], reading.columns.get(meaning) or sheet.columns.get(meaning, "")
        picked = place.selectbox(
            title, options, options.index(now) if now in options else 0, key=f"column {meaning} {root}", help=text,
            format_func=lambda name: name or "none",
        )  # fmt: skip
        # What is found by its name anyway need not be said of the film, on which figures alone depend.
        if picked and not (meaning == "film" and picked == sheet.columns.get("film")):
            columns[meaning] = picked
    return {"columns": columns, "labels": _values(root, seen, columns.get("label"), reading, dataset)}


def _values(root: Path, seen: Preview, column: str | None, reading: Reading, dataset: Dataset | None) -> dict[str, str]:
    """Asks what the values of the label column mean, with images of each."""
    if column is None:
        return {}
    values = seen.values(column)
    if not values:
        st.warning(
            f"The column {widgets.plain(column)} has too many different values to be the class of an image.",
            icon=":material/help:",
        )
        return {}
    examples = seen.examples(column)
    rows = [{"Value": value, "Images": number} | pictures.columns(seen.root, examples.get(value, ()))
            for value, number in values.items()]  # fmt: skip
    widgets.table(
        rows, f"Values of {column} with their images", row_height=pictures.SIDE, height=pictures.height(len(rows)),
        placeholder="", column_config=pictures.config() | {"Value": st.column_config.TextColumn(column)},
    )  # fmt: skip
    before = reading.labels or (seen.understood_values(column, dataset) if dataset else {})
    return _sides("value", f"{root} {column}", values, before)


def _folders(root: Path, seen: Preview, reading: Reading, dataset: Dataset | None) -> dict[str, Any]:
    shown = dict(list(seen.folders.items())[:_SHOWN_FOLDERS])
    if not seen.paths:
        st.markdown("There are no images in this folder, so there is nothing to describe.")
        return {}
    if not shown:
        st.markdown("All images are directly in this folder, so nothing tells their class. Sort them into two folders.")
        return {}
    if len(seen.folders) > len(shown):
        st.caption(f"The {len(shown)} most frequent of {len(seen.folders):,} folder names.")
    before = reading.class_folders or (seen.understood_folders(dataset) if dataset else {})
    return {"class_folders": _sides("folder", str(root), shown, before)}


def _sides(what: str, key: str, counts: Mapping[str, int], before: Mapping[str, str]) -> dict[str, str]:
    """Two lists: what means real and what means fake; what is put into the first leaves the second."""
    result: dict[str, str] = {}
    for place, label in zip(st.columns(2), (REAL, FAKE), strict=True):
        name = NAMES[label]
        icon, colour = widgets.VERDICT_STYLES[name]
        options = [value for value in counts if value not in result]
        picked = place.multiselect(
            f":{colour}[:material/{icon}: {page_words.MEANS[name]}]", options,
            [value for value in options if before.get(value) == name], key=f"{what} {name} {key}",
            format_func=lambda value: f"{value or '(empty)'}  ({counts[value]:,} images)",
            placeholder=f"Choose {what}s",
            help=f"Every {what} whose images are {name}. Images of whatever is in neither list are not used.",
        )  # fmt: skip
        result |= dict.fromkeys(picked, name)
    return result


def _groups(root: Path, seen: Preview, reading: Reading) -> str:
    """Asks which images belong together, with an example of what the answer matches."""
    options, now = list(_PATTERNS), reading.groups
    picked = st.selectbox(
        page_words.GROUPS, options, options.index(now if now in _PATTERNS else _OWN),
        format_func=_PATTERNS.__getitem__, key=f"groups {root}",
        help="Frames of one video, crops of one face, variants of one picture: they are never split between training "
        "and test, because a detector would recognise them there.",
    )  # fmt: skip
    if picked == _OWN:
        picked = st.text_input(
            "Pattern", now if now not in _PATTERNS else "", key=f"pattern {root}", max_chars=200,
            placeholder=r"(\d+)_frame", help="A regular expression searched in each path. Images with the same text in "
            "its first group in parentheses (without one, in the whole match) belong together.",
        )  # fmt: skip
    if picked not in ("", OFF) and roles.may(Role.TRAINER):  # A pattern can take the machine's time.
        made = try_pattern(picked, seen.paths)
        st.caption(f"{made.matched:,} of {made.paths:,} images fall into {made.groups:,} groups.")
        if made.examples:
            widgets.table(
                [{"Image": path, "Belongs to": group} for path, group in made.examples], "Images and their groups"
            )
    return picked
