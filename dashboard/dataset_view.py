"""One data set on its page: what was understood, its audit, its images, and what was left out."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import aligned_fakes, audit_view, error_reporting, mapping_form, stored, understood, widgets
from dashboard.page_words import DIFFERENTLY
from dfcore.datasets import SPLITS, Dataset, assign_splits
from dfcore.datasets.reading import recall
from dfcore.errors import ClassesUnknown, FilmsOnly, LayoutError
from dfcore.labels import NAMES, REAL

TABS = ("What was understood", "Audit", "Images", "Left out")


def show(root: Path) -> None:
    """Shows a data set; where it cannot be read, asks how it is to be read."""
    aligned_fakes.tell(root)
    try:
        scanned = stored.dataset(root)
    except LayoutError as error:
        _ask(root, error)
        if isinstance(error, ClassesUnknown):
            aligned_fakes.offer(root, None)
        return
    dataset = assign_splits(scanned)
    if dataset.demonstration:
        st.info(
            "This is a demonstration: its fakes are simulated from photographs. A detector trained on it cannot "
            "be expected to work on real deepfakes.",
            icon=":material/science:",
        )
    if dataset.self_made:
        st.info(widgets.plain(dataset.self_made), icon=":material/science:")
    understood.headline(scanned)
    _numbers(dataset)
    for tab, draw in zip(st.tabs(TABS, key="datasets_tab", on_change="rerun"),
                         (_understood, audit_view.show, _images, _left_out), strict=True):  # fmt: skip
        if tab.open:
            with tab, widgets.errors():
                draw(root, scanned)
    if (scanned.usable.label == REAL).any():
        aligned_fakes.offer(root, scanned)


def _ask(root: Path, error: LayoutError) -> None:
    """Tells what was not understood, and asks."""
    first, *more = str(error).splitlines()
    if isinstance(error, FilmsOnly):
        st.badge("Films", icon=":material/movie:", color="blue")
        st.info(widgets.told(first), icon=":material/movie:")
        st.caption("On the command line of the server; the data set of pictures is then registered here:")
        st.code(error.command, language="bash")
        return
    st.badge("Not understood", icon=":material/help:", color="red")
    st.error(widgets.told(first), icon=":material/help:")
    if more:
        with st.expander("More on this", icon=":material/info:"):
            st.markdown("\n".join(f"- {widgets.told(line.strip())}" for line in more))
    st.subheader("Describe how to read it")
    st.session_state["datasets_tab"] = TABS[0]  # Where the answer is shown.
    mapping_form.show(root, recall(root), None)


def _numbers(dataset: Dataset) -> None:
    usable = dataset.usable
    out = len(dataset.unreadable) + sum(item.files for item in dataset.left_out)
    tiles = (
        ("Usable images", len(usable), None),
        ("Real", (usable.label == 0).sum(), None),
        ("Fake", (usable.label == 1).sum(), None),
        ("Left out", out, "Files that are not used, each with its reason under Left out."),
    )
    for place, (title, number, help_text) in zip(st.columns(len(tiles)), tiles, strict=True):
        with place:
            widgets.tile(title, f"{number:,}", help_text, width="stretch")


def _understood(root: Path, scanned: Dataset) -> None:
    understood.show(root, scanned)
    dataset = assign_splits(scanned)
    unlabelled = int((dataset.table.split == "unlabelled").sum())
    counts, facts = st.columns(2)
    widgets.table(dataset.counts(), "Images by split and class", place=counts, hide_index=False)
    if scanned.usable.split.isna().any():
        counts.caption(
            "Splits are drawn automatically: seeded, stratified, with copies of an image, and images of one source, in "
            "the same split."
        )
    if sources := dataset.usable.source_id.nunique():
        counts.caption(f"{sources:,} sources (videos, persons, pictures), never divided between splits that are drawn.")
    if unlabelled:
        counts.caption(f"{unlabelled:,} more images have no label; `dfcore predict` can score them.")
    sides = pd.Series(dataset.usable.width.astype(str) + " x " + dataset.usable.height.astype(str), name="images")
    most = sides.value_counts().head(5).rename_axis("most frequent sizes (pixels)").reset_index()
    widgets.table(most, "Most frequent sizes", place=facts)
    for note in (note for note in dataset.notes if note != dataset.self_made):
        st.markdown(f":material/info: {widgets.told(note)}")
    # Where a class is missing, something was not understood.
    st.session_state.setdefault(f"differently {root}", bool(dataset.usable.label.nunique() < 2))
    if other := widgets.folded(DIFFERENTLY, f"differently {root}", icon=":material/tune:"):
        with other:
            mapping_form.show(root, scanned.reading, scanned)


def _left_out(root: Path, scanned: Dataset) -> None:
    understood.show_left_out(root, scanned)


@error_reporting.fragment()
def _images(_: Path, scanned: Dataset) -> None:
    dataset = assign_splits(scanned)
    there = [split for split in SPLITS if (dataset.usable.split == split).any()]
    if not there:
        st.caption("There are no usable images.")
        return
    split = st.segmented_control("Split", there, default=there[0], required=True, help="Which images to show.")
    rows = dataset.usable[dataset.usable.split == split]
    for label, name in enumerate(NAMES):
        some = rows[rows.label == label].head(6)
        st.markdown(f"**{widgets.class_words(label)}**")
        if some.empty:
            st.caption(f"There is no {name} image in {split}.")
            continue
        items, films = [], {}
        for row in some.itertuples():
            file = str(dataset.root / str(row.path))
            films[file] = row.film
            items.append((file, f"{row.width} x {row.height}", stored.thumbnail(file, stored.stamp(file))))
        if chosen := widgets.gallery(items, f"sample_{label}"):
            widgets.inspect_file(Path(chosen), films[chosen])
