"""What was understood of a data set, shown before anything is used: classes, splits, groups, doubts, what was left out."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import actions, error_reporting, roles, stored, widgets
from dashboard.roles import Role
from dfcore.datasets import Dataset, FolderReading
from dfcore.labels import FAKE, NAMES, REAL

_LARGEST, _SAMPLES, _SIDE, _ROWS_IN_SIGHT = 20, 3, 60, 7
_CLASS_COLOURS = {NAMES[REAL]: "blue", NAMES[FAKE]: "orange", "none": "gray"}


def state(dataset: Dataset) -> None:
    """Shows whether a person has confirmed what was understood."""
    reading = dataset.reading
    if reading.confirmed:
        st.badge("Confirmed", icon=":material/check_circle:", color="green", help="A person has looked at it.")
    elif dataset.doubts:
        st.badge("In doubt", icon=":material/help:", color="red", help="Look at it before you use the data set.")
    else:
        st.badge("Not confirmed yet", icon=":material/pending:", color="gray", help="Nobody has looked at it yet.")
    if reading.swapped:
        st.badge("Turned around", icon=":material/swap_horiz:", color="violet", help="Real and fake were swapped here.")


def headline(dataset: Dataset) -> None:
    """Shows whether it was confirmed, the layout in words, and what a person must look at before use."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state(dataset)
        st.markdown(f"Read as: {widgets.plain(dataset.layout)}", width="content")
    if dataset.reading.confirmed:
        return
    for doubt in dataset.doubts:
        st.warning(widgets.plain(doubt), icon=":material/help:")


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
            actions.confirm(root, True)
            st.rerun()
        if st.button(
            "Real and fake are the wrong way round", icon=":material/swap_horiz:", disabled=not may,
            help="Turns all labels of this data set around, here and wherever it is used from now on. The files are "
            "not touched; a second click turns them back.",
        ):  # fmt: skip
            actions.swap(root)
            st.rerun()


@error_reporting.fragment()
def _tree(dataset: Dataset) -> None:
    folders = sorted(dataset.tree, key=lambda folder: -folder.images)
    if not folders:
        return
    rest = folders[_LARGEST:]
    _table(dataset, folders[:_LARGEST])
    if rest:
        images = sum(folder.images for folder in rest)
        if more := widgets.folded(
            f"… {len(rest):,} more folders with {images:,} images", f"more folders {dataset.root}"
        ):
            with more:
                table = pd.DataFrame([_row(folder) for folder in rest])
                st.dataframe(table[[*_columns()]], hide_index=True, column_config=_columns())


def _table(dataset: Dataset, folders: Sequence[FolderReading]) -> None:
    rows = [_row(folder) for folder in folders]
    names = [f"Image {number + 1}" for number in range(_SAMPLES)]
    for row in rows:
        row |= {name: _picture(dataset.root / row[name]) if row[name] else None for name in names}
    shown = {
        name: st.column_config.ImageColumn(
            " " * number or "Examples", width=_SIDE + 12, help="Double click to enlarge."
        )
        for number, name in enumerate(names)
    }
    table = pd.DataFrame(rows)
    empty = [column for column in ("Group",) if not table[column].any()]
    st.dataframe(
        table.drop(columns=empty), hide_index=True, row_height=_SIDE, column_config=_columns() | shown,
        height=37 + _SIDE * min(len(rows), _ROWS_IN_SIGHT), alt="Folders with their class, split, group and images",
    )  # fmt: skip


def _row(folder: FolderReading) -> dict[str, Any]:
    samples = [*folder.samples[:_SAMPLES], *[""] * _SAMPLES][:_SAMPLES]
    return {
        "Folder": folder.folder or ".",
        "Class": [NAMES[folder.label] if folder.label is not None else "none"],
        "Images": folder.images,
        **{f"Image {number + 1}": path for number, path in enumerate(samples)},
        "Split": folder.split or "drawn when used",
        "Group": folder.group or "",
    }


def _columns() -> dict[str, Any]:
    return {
        "Folder": st.column_config.TextColumn(help="Relative to the data set's folder.", width=230),
        "Class": st.column_config.MultiselectColumn(
            options=list(_CLASS_COLOURS), color=list(_CLASS_COLOURS.values()), width=90,
            help="What its images count as; none: they are not used.",
        ),
        "Split": st.column_config.TextColumn(
            help="Training, validation or test. Where the data set does not say, splits are drawn at random, the same "
            "every time.",
            width=120,
        ),
        "Group": st.column_config.TextColumn(help="Generator, subject or source, where the folders tell.", width=150),
        "Images": st.column_config.NumberColumn(format="localized", width=75),
    }  # fmt: skip


def _picture(file: Path) -> str | None:
    picture = stored.thumbnail(str(file), stored.stamp(file), side=_SIDE)
    return None if picture is None else "data:image/png;base64," + base64.b64encode(picture).decode()


@error_reporting.fragment()
def show_left_out(dataset: Dataset) -> None:
    """Shows what is not used, by reason, and each file or folder."""
    rows = [{"Path": item.path, "Reason": item.reason, "Files": item.files} for item in dataset.left_out]
    rows += [{"Path": row.path, "Reason": row.error, "Files": 1} for row in dataset.unreadable.itertuples()]
    if not rows:
        st.markdown(":green[:material/check:] Nothing was left out: every file in the folder is used.")
        return
    table = pd.DataFrame(rows)
    by_reason = table.groupby("Reason", sort=False).Files.sum().sort_values(ascending=False).reset_index()
    st.dataframe(by_reason, hide_index=True, column_config={"Reason": st.column_config.TextColumn(width="large")})
    if each := widgets.folded(f"Each of the {len(table):,} entries", f"left out {dataset.root}"):
        each.dataframe(table, hide_index=True)
