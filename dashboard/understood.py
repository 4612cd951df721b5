"""What was understood of a data set, shown before anything is used: classes, splits, groups, and what was left out."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import actions, error_reporting, pictures, roles, widgets
from dashboard.roles import Role
from dfcore.datasets import Dataset, FolderReading
from dfcore.figures.base import FAKE_COLOUR, REAL_COLOUR
from dfcore.labels import FAKE, NAMES, REAL

_LARGEST = 20
_COLOURS = {NAMES[REAL]: REAL_COLOUR, NAMES[FAKE]: FAKE_COLOUR}


def state(dataset: Dataset) -> None:
    """Shows whether a person has confirmed what was understood."""
    reading = dataset.reading
    if reading.confirmed:
        st.badge("Confirmed", icon=":material/check_circle:", color="green", help="Somebody has checked it.")
    elif dataset.doubts:
        st.badge("In doubt", icon=":material/help:", color="red", help="Check it before you use the data set.")
    else:
        st.badge("Not confirmed yet", icon=":material/pending:", color="gray", help="Nobody has checked it yet.")
    if reading.swapped:
        st.badge("Swapped", icon=":material/swap_horiz:", color="violet", help="Real and fake were swapped here.")


def headline(dataset: Dataset) -> None:
    """Shows whether it was confirmed, the layout in words, and what a person must look at before use."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state(dataset)
        st.markdown(f"Read as: {widgets.plain(dataset.layout)}", width="content")
    for doubt in dataset.doubts:
        if dataset.reading.confirmed:  # It was seen, and what it says of the pictures still holds.
            st.caption(f":material/help: {widgets.told(doubt)}")
        else:
            st.warning(widgets.told(doubt), icon=":material/help:")


def show(root: Path, dataset: Dataset) -> None:
    """Shows what was understood, with a click to confirm it and a click to turn it around."""
    with st.container(horizontal=True, vertical_alignment="center"):
        _act(root, dataset)
    _tree(dataset)


def _act(root: Path, dataset: Dataset) -> None:
    may, reading = roles.may(Role.TRAINER), dataset.reading
    with widgets.errors():
        if reading.confirmed:
            if st.button("Withdraw", type="tertiary", disabled=not may, help="Marks it as not confirmed again."):
                actions.confirm(root, False)
                st.rerun()
        elif st.button(
            "This is right", type="primary", icon=":material/check:", disabled=not may,
            help="Confirms classes, splits and groups as shown below. It is remembered for this data set.",
        ):  # fmt: skip
            actions.confirm(root, True, dataset.labelled_fingerprint)
            st.rerun()
        if st.button(
            "Real and fake are the wrong way round", icon=":material/swap_horiz:", disabled=not may,
            help="Swaps all labels of this data set, here and wherever it is used from now on. The files are "
            "not changed; a second click swaps them back.",
        ):  # fmt: skip
            actions.swap(root)
            st.rerun()


@error_reporting.fragment()
def _tree(dataset: Dataset) -> None:
    folders = sorted(dataset.tree, key=lambda folder: -folder.images)
    if not folders:
        return
    largest, rest = folders[:_LARGEST], folders[_LARGEST:]
    table = pd.DataFrame([_row(folder) | pictures.columns(dataset.root, folder.samples) for folder in largest])
    told = [column for column in ("Split", "Group") if table[column].any()]
    shown = table[["Folder", "Class", "Images", *told, *pictures.config()]]
    widgets.table(
        shown.style.map(_coloured, subset=["Class"]), "Folders with their class, split, group and images",
        row_height=pictures.SIDE, height=pictures.height(len(table)), column_config=_columns() | pictures.config(),
        placeholder="",
    )  # fmt: skip
    if not rest:
        return
    label = f"… {len(rest):,} more folders with {sum(folder.images for folder in rest):,} images"
    if more := widgets.folded(label, f"more folders {dataset.root}"):
        widgets.table(
            pd.DataFrame([_row(folder) for folder in rest]), "Smaller folders with their class and images", place=more,
            column_config=_columns(),
        )  # fmt: skip


def _row(folder: FolderReading) -> dict[str, Any]:
    return {
        "Folder": folder.folder or ".",
        "Class": NAMES[folder.label] if folder.label is not None else "none",
        "Images": folder.images,
        "Split": folder.split or "to be drawn",
        "Group": folder.group or "",
    }


def _coloured(name: Any) -> str:
    return f"color: {_COLOURS[name]}" if name in _COLOURS else ""


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "Folder": column.TextColumn(help="Relative to the data set's folder.", width=132),
        "Class": column.TextColumn(help="What its images count as; none: they are not used.", width=56),
        "Images": column.NumberColumn(format="localized", width=64),
        "Split": column.TextColumn(
            help="Training, validation or test. Where the data set does not say, they are drawn at random when it is "
            "used, the same every time.",
            width=80,
        ),
        "Group": column.TextColumn(help="Generator, subject or source, where the folders tell.", width=88),
    }  # fmt: skip


@error_reporting.fragment()
def show_left_out(root: Path, dataset: Dataset) -> None:
    """Shows what is not used, by reason, and each file or folder."""
    rows = [{"Path": item.path, "Reason": item.reason, "Files": item.files} for item in dataset.left_out]
    rows += [{"Path": row.path, "Reason": row.error, "Files": 1} for row in dataset.unreadable.itertuples()]
    if not rows:
        st.markdown(":green[:material/check:] Nothing was left out: every file in the folder is used.")
        return
    table = pd.DataFrame(rows)
    by_reason = table.groupby("Reason", sort=False).Files.sum().sort_values(ascending=False).reset_index()
    widgets.table(
        by_reason, "Files that are not used, by reason",
        column_config={"Reason": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    if dataset.reading.excluded and st.button(
        "Put back what was taken out of the index", icon=":material/undo:", disabled=not roles.may(Role.TRAINER),
        help="Images that were taken out by hand, such as those of an audit's findings, are used again.",
    ):  # fmt: skip
        with widgets.errors():
            actions.exclude(root, dataset.reading.excluded, out=False)
            st.rerun()
    if each := widgets.folded(f"One by one ({len(table):,})", f"left out {dataset.root}"):
        widgets.table(table, "Files that are not used, one by one", place=each)
