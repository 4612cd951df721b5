"""The pages and their groups in the navigation."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import streamlit as st

from dashboard import streamlit_private

# Each script run has its own thread.
_here = threading.local()
_ASKED = "open_dataset"
_GROUPS: dict[str, list[tuple[str, str, str, str]]] = {
    "": [("home", "Home", "home", "Overview, and upload of an image")],
    "Investigate": [
        ("inspect", "Inspect", "frame_inspect", "Verdict, heat-map and evidence for an image"),
        ("batch", "Batch", "burst_mode", "Verdicts for many images: files, a ZIP, a folder"),
        ("video", "Video", "movie", "A film judged over time, frame by frame and face by face"),
        ("cases", "Cases", "folder_open", "What was judged and decided; search, histories, cases"),
    ],
    "Build": [
        ("datasets", "Data sets", "photo_library", "Register folders; check their layout, counts and problems"),
        ("train", "Train", "model_training", "Start a training run"),
        ("monitor", "Monitor", "monitoring", "Watch, stop, resume and compare runs"),
    ],
    "Judge": [("evaluate", "Evaluate", "query_stats", "Metrics, curves and errors of a detector")],
    "Library": [("models", "Models", "inventory_2", "Detectors and their cards")],
}


def pages() -> dict[str, list]:
    """Pages by group, for `st.navigation`."""
    return {
        group: [
            st.Page(path(name), title=title, icon=f":material/{icon}:", help=text, default=name == "home")
            for name, title, icon, text in entries
        ]
        for group, entries in _GROUPS.items()
    }


def names() -> list[str]:
    """The names of all pages, which are those of their files."""
    return [name for entries in _GROUPS.values() for name, *_ in entries]


@contextmanager
def front_door() -> Iterator[None]:
    """Marks the part of `streamlit_app.py` that runs after the sign-in check."""
    _here.inside = True
    try:
        yield
    finally:
        _here.inside = False


def require_front_door() -> None:
    """Called first by every page: reruns `streamlit_app.py` if Streamlit ran the page on its own.

    Until the first call of `st.navigation`, a new server treats the files under `pages/` as old-style pages: the first
    visitor to a deep link would see the page without navigation and, worse, without signing in.
    """
    if not getattr(_here, "inside", False):
        streamlit_private.leave_pages_directory()
        st.rerun()


def ask_for_dataset(folder: Path) -> None:
    """Has Data sets open a folder when it runs next; within a run its list, once drawn, can no longer be set."""
    st.session_state[_ASKED] = str(folder)


def asked_dataset() -> str | None:
    """The folder that Data sets was asked to open, once."""
    return st.session_state.pop(_ASKED, None)


def go(name: str, **parameters: str) -> NoReturn:
    """Opens another page, whose address has these query parameters and no others.

    Every change of page goes through here: `st.switch_page` without parameters of its own raises on a page whose
    widgets are bound to the address, as soon as one of them is not at its default.
    """
    for each in parameters:
        st.session_state.pop(f"{each}_written", None)  # The address decides, see `widgets.addressed`.
    st.switch_page(path(name), query_params=parameters)


def path(name: str) -> str:
    """File of a page, as expected by `st.switch_page` and `st.page_link`."""
    return f"pages/{name}.py"
