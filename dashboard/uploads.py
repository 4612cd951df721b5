"""Uploaded images, held in memory by their session only."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import roles
from dashboard.roles import Role
from dfcore.imaging import SUFFIXES

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

TYPES = sorted(suffix.removeprefix(".") for suffix in SUFFIXES)
# Limits per session, whose images stay in memory until it ends.
MOST_FILES, MOST_BYTES = 100, 256 * 2**20
_KEY, _LEFT_OUT = "inspect_images", "inspect_left_out"


def choose(label: str, key: str, help: str) -> bool:
    """Shows an uploader, stores the images in the session, and returns whether there were any."""
    files = st.file_uploader(label, type=TYPES, accept_multiple_files=True, key=key, help=help)
    if files:
        taken = _within_bounds(files)
        keep(taken)
        st.session_state[_LEFT_OUT] = len(files) - len(taken)
    return bool(files)


def keep(pictures: list[tuple[str, bytes]]) -> None:
    """Stores images in the session, so that they survive a change of page."""
    st.session_state[_KEY] = pictures
    st.session_state[_LEFT_OUT] = 0


def images() -> list[tuple[str, bytes]]:
    """The stored images, as (file name, contents)."""
    return st.session_state.get(_KEY, [])


def tell_left_out() -> None:
    """Warns if part of the last upload exceeded the limits."""
    left = st.session_state.get(_LEFT_OUT, 0)
    if left:
        st.warning(
            f"Only the first {len(images())} images were loaded; {left} more exceed the limit of {MOST_FILES} "
            f"images or {MOST_BYTES // 2**20} MB in total. Remove these and add the others, or use "
            "`dfcore predict` for whole folders.",
            icon=":material/report:",
        )


def may_judge() -> bool:
    """Whether the current user may upload images; if not, says why."""
    return roles.offer(Role.ANALYST, "Judging images")


def _within_bounds(files: "list[UploadedFile]") -> list[tuple[str, bytes]]:
    """Name and contents of the first files, up to the limits."""
    taken, size = [], 0
    for file in files[:MOST_FILES]:
        size += file.size
        if size > MOST_BYTES:
            break
        taken.append((file.name, file.getvalue()))
    return taken
