"""Data sets: register folders, check their contents, make the demonstration set."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import actions, stored, widgets
from dashboard.navigation import path, require_front_door
from dfcore import workspace
from dfcore.datasets import KNOWN_LAYOUTS, SPLITS, Dataset, assign_splits
from dfcore.datasets.registry import demo_folder, registered
from dfcore.labels import NAMES

require_front_door()


def make_demonstration() -> None:
    bar = st.progress(0.0, "Making the demonstration data set …")
    with widgets.errors():
        folder = actions.make_demo(lambda done, total: bar.progress(done / total, f"{done} of {total}"))
        st.session_state["dataset"] = str(folder)
        bar.empty()
        st.rerun()


def add_folder() -> None:
    roots = workspace.roots()
    with st.form("register", border=False):
        text = st.text_input(
            "Folder or manifest on this machine",
            placeholder="/data/my-images",
            help="Readable folders: "
            + (", ".join(widgets.plain(root) for root in roots) if roots else "all")
            + ". Known layouts: "
            + "; ".join(widgets.plain(layout) for layout in KNOWN_LAYOUTS),
        )
        if st.form_submit_button("Register", icon=":material/add:"):
            with widgets.errors():
                st.session_state["dataset"] = str(actions.register(text))
                st.rerun()


def show_samples(dataset: Dataset, split: str) -> None:
    rows = dataset.usable[dataset.usable.split == split]
    for label, name in enumerate(NAMES):
        some = rows[rows.label == label].head(6)
        st.markdown(f"**{name.capitalize()}**")
        if some.empty:
            st.caption(f"There is no {name} image in {split}.")
            continue
        items = []
        for row in some.itertuples():
            file = str(dataset.root / str(row.path))
            items.append((file, f"{row.width} x {row.height}", stored.thumbnail(file, stored.stamp(file))))
        chosen = widgets.gallery(items, f"sample_{label}")
        if chosen:
            widgets.inspect(Path(chosen).name, Path(chosen).read_bytes())


def show(root: Path) -> None:
    result = stored.dataset(root)
    dataset = assign_splits(result)
    if dataset.demonstration:
        st.info(
            "This is a demonstration: its fakes are simulated from photographs. A detector trained on it cannot "
            "be expected to work on real deepfakes.",
            icon=":material/science:",
        )
    bad, usable = dataset.unreadable, dataset.usable
    with widgets.tiles():
        widgets.tile("Usable images", f"{len(usable):,}")
        widgets.tile("Real", f"{(usable.label == 0).sum():,}")
        widgets.tile("Fake", f"{(usable.label == 1).sum():,}")
        widgets.tile("Unusable", f"{len(bad):,}", "Unreadable, or without a label or split; see below.")
    st.markdown(f"Layout: {widgets.plain(dataset.layout)}")
    unlabelled = int((dataset.table.split == "unlabelled").sum())
    counts, sizes = st.columns(2)
    counts.dataframe(dataset.counts())
    if result.usable.split.isna().any():
        counts.caption("Splits are drawn automatically: seeded, stratified, with copies of an image in the same split.")
    if unlabelled:
        counts.caption(f"{unlabelled:,} more images have no label; `dfcore predict` can score them.")
    sides = pd.Series(dataset.usable.width.astype(str) + " x " + dataset.usable.height.astype(str), name="images")
    common = sides.value_counts().head(5).rename_axis("most frequent sizes (pixels)").reset_index()
    sizes.dataframe(common, hide_index=True)
    for note in dataset.notes:
        st.warning(widgets.plain(note), icon=":material/report:")
    if len(bad):
        with st.expander(f"{len(bad):,} unusable images, with reasons"):
            st.dataframe(bad[["path", "error"]], hide_index=True)
    there = [split for split in SPLITS if (usable.split == split).any()]
    if there:
        st.subheader("Samples")
        split = st.segmented_control("Split", there, default=there[0], required=True, help="Which images to show.")
        show_samples(dataset, split)


st.title("Data sets")
folders = registered()
if not folders:
    st.markdown(
        "No data set yet. **Make the demonstration set** to try everything in a few minutes, or register a folder "
        "with real and fake images."
    )
with st.container(horizontal=True, vertical_alignment="bottom"):
    if not demo_folder().exists() and st.button(
        "Make the demonstration set", type="primary", icon=":material/science:",
        help="Crops of two photographs, with fakes simulated by a generator-like decoder. Takes seconds.",
    ):  # fmt: skip
        make_demonstration()
with st.expander("Register a folder", expanded=not folders, icon=":material/create_new_folder:"):
    add_folder()
if folders:
    names = [str(folder) for folder in folders]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "Data set", names, format_func=lambda name: f"{Path(name).name}  ({name})", key="dataset",
            persist_state="session", help="Registered folders.",
        )  # fmt: skip
        if st.button("Forget", help="Removes it from this list; its files are kept.", icon=":material/remove:"):
            with widgets.errors():
                actions.forget(Path(picked))
                st.rerun()
    with widgets.errors():
        show(Path(picked))
        st.page_link(path("train"), label="Train on a data set", icon=":material/model_training:")
