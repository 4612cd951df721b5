"""What people hand in: images, held by their session alone."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import roles
from dashboard.roles import Role
from dfcore.imaging import SUFFIXES

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

TYPES = sorted(suffix.removeprefix(".") for suffix in SUFFIXES)
# Of one session: what it holds is held in memory until it ends.
MOST_FILES, MOST_BYTES = 100, 256 * 2**20
_KEY, _LEFT_OUT = "inspect_images", "inspect_left_out"


def choose(label: str, key: str, help: str) -> bool:
    """An uploader for images; keeps what was handed in, and says whether there was anything."""
    files = st.file_uploader(label, type=TYPES, accept_multiple_files=True, key=key, help=help)
    if files:
        taken = _within_bounds(files)
        keep(taken)
        st.session_state[_LEFT_OUT] = len(files) - len(taken)
    return bool(files)


def keep(pictures: list[tuple[str, bytes]]) -> None:
    """Keeps images, so that they are still here after a visit to another page."""
    st.session_state[_KEY] = pictures
    st.session_state[_LEFT_OUT] = 0


def images() -> list[tuple[str, bytes]]:
    """Names and contents."""
    return st.session_state.get(_KEY, [])


def tell_left_out() -> None:
    """Says what of the last upload was too much at once."""
    left = st.session_state.get(_LEFT_OUT, 0)
    if left:
        st.warning(
            f"The first {len(images())} images were taken. {left} more were left out: at most {MOST_FILES} "
            f"images of {MOST_BYTES // 2**20} MB together fit at once. Remove these and add the others, or use "
            "`dfcore predict` for whole folders.",
            icon=":material/report:",
        )


def may_judge() -> bool:
    """Whether whoever looks may hand in images; says so where not."""
    return roles.offer(Role.ANALYST, "Judging images")


def _within_bounds(files: "list[UploadedFile]") -> list[tuple[str, bytes]]:
    """The first files up to the bounds."""
    taken, size = [], 0
    for file in files[:MOST_FILES]:
        size += file.size
        if size > MOST_BYTES:
            break
        taken.append((file.name, file.getvalue()))
    return taken
