"""Data sets: register folders, see what was understood of them, audit them, make the demonstration set."""

from pathlib import Path

import streamlit as st

from dashboard import actions, dataset_view, fetch_view, missing, roles, widgets
from dashboard.navigation import ask_for_dataset, asked_dataset, path, require_front_door
from dashboard.roles import Role
from dfcore import workspace
from dfcore.datasets import KNOWN_LAYOUTS
from dfcore.datasets.registry import demo_folder, registered

require_front_door()

_ADD = "datasets_add"


def make_demonstration() -> None:
    bar = st.progress(0.0, "Making the demonstration data set …")
    with widgets.errors():
        folder = actions.make_demo(lambda done, total: bar.progress(done / total, f"{done} of {total}"))
        ask_for_dataset(folder)
        bar.empty()
        widgets.close(_ADD)
        st.rerun()


def where() -> str:
    """Which folders can be registered, and how to add others."""
    named = workspace.named_roots()
    if named is None:
        return "Any folder on this machine can be registered."
    folders = ", ".join(widgets.plain(root) for root in named) or "the workspace's own folders"
    return (
        f"Anything inside {folders} can be registered. Whoever runs the server can allow others, without a restart, by "
        "`dfcore data allow FOLDER` on its command line."
    )


def add_folder() -> None:
    with st.form("register", border=False):
        text = st.text_input(
            "Folder or manifest on this machine",
            placeholder="/data/my-images",
            help=f"{where()} Known layouts: "
            + "; ".join(widgets.plain(layout) for layout in KNOWN_LAYOUTS)
            + ". Others can be described after registering.",
        )
        st.caption(where())
        if st.form_submit_button("Register", icon=":material/add:"):
            with widgets.errors():
                ask_for_dataset(actions.register(text))
                widgets.close(_ADD)
                st.rerun()


def offer_demonstration(first: bool) -> None:
    if not demo_folder().exists() and st.button(
        "Make the demonstration set", type="primary" if first else "secondary", icon=":material/science:",
        help="Crops of two photographs, with fakes simulated by a generator-like decoder. Takes seconds.",
    ):  # fmt: skip
        make_demonstration()


def pick(folders: list[Path]) -> Path:
    """The chosen data set, beside what adds to the list and takes off it."""
    names = [str(folder) for folder in folders]
    if (asked := asked_dataset()) in names:
        st.session_state["dataset"] = asked
        st.session_state["datasets_tab"] = dataset_view.TABS[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "Data set", names, format_func=lambda name: f"{Path(name).name}  ({name})", key="dataset",
            persist_state="session", help="Registered folders and manifests.",
        )  # fmt: skip
        with st.popover("Add", icon=":material/add:", help="Register a folder, or make the demonstration set.",
                        key=_ADD, on_change="rerun"):  # fmt: skip
            add_folder()
            offer_demonstration(first=False)
        with st.popover("Fetch", icon=":material/download:", help="Load a public set from Kaggle or Hugging Face.",
                        key=fetch_view.POPOVER, on_change="rerun"):  # fmt: skip
            fetch_view.offer()
        if st.button(
            "Forget", help="Removes it from this list; its files are kept.", icon=":material/remove:",
            disabled=not roles.may(Role.TRAINER),
        ):  # fmt: skip
            with widgets.errors():
                actions.forget(Path(picked))
                st.rerun()
    return Path(picked)


st.title("Data sets")
there = registered()
if there:
    chosen = pick(there)
    fetch_view.under_way()
    missing.show()
    with widgets.errors():
        dataset_view.show(chosen)
        st.page_link(path("train"), label="Train on a data set", icon=":material/model_training:")
else:
    st.markdown(
        "No data set yet. **Make the demonstration set** to try everything in a few minutes, or register a folder "
        "with real and fake images, or fetch a public set."
    )
    offer_demonstration(first=True)
    fetch_view.under_way()
    with st.expander("Register a folder", expanded=True, icon=":material/create_new_folder:"):
        add_folder()
    with st.expander("Fetch a public set", icon=":material/download:"):
        fetch_view.offer()
    missing.show()
