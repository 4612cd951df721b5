"""Which pages there are, in which groups."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard import streamlit_private

# Each run of the app has a thread of its own.
_here = threading.local()
_GROUPS: dict[str, list[tuple[str, str, str, str]]] = {
    "": [("home", "Home", "home", "Where things stand, and a place to drop an image")],
    "Investigate": [("inspect", "Inspect", "frame_inspect", "Verdict, heat-map and evidence for an image")],
    "Build": [
        ("datasets", "Data sets", "photo_library", "Register folders, see their layout, counts and problems"),
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
    """Around what `streamlit_app.py` does after it has asked who somebody is."""
    _here.inside = True
    try:
        yield
    finally:
        _here.inside = False


def require_front_door() -> None:
    """The first line of every page: goes back to `streamlit_app.py` where Streamlit ran the page alone.

    A server that has just been started takes the files under `pages/` for pages of the old kind until
    `st.navigation` was called once: whoever opens a shared address first would see a page without its chrome, and
    without being asked who he is.
    """
    if not getattr(_here, "inside", False):
        streamlit_private.leave_pages_directory()
        st.rerun()


def path(name: str) -> str:
    """The file of a page, as `st.switch_page` and `st.page_link` take it."""
    return f"pages/{name}.py"
