"""What people hand in: images, held by their session alone."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard import roles
from dashboard.roles import Role

TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "mpo", "avif"]
# Of one session: what it holds is held in memory until it ends.
MOST_FILES, MOST_BYTES = 100, 256 * 2**20
_KEY = "inspect_images"


def choose(label: str, key: str, help: str) -> bool:
    """An uploader for images; keeps what was handed in, and says whether there was anything."""
    files = st.file_uploader(label, type=TYPES, accept_multiple_files=True, key=key, help=help)
    if files:
        keep(_within_bounds(files))
    return bool(files)


def keep(images: list[tuple[str, bytes]]) -> None:
    """Keeps images, so that they are still here after a visit to another page."""
    st.session_state[_KEY] = images


def kept() -> list[tuple[str, bytes]]:
    """Names and contents."""
    return st.session_state.get(_KEY, [])


def may_judge() -> bool:
    """Whether whoever looks may hand in images; says so where not."""
    return roles.offer(Role.ANALYST, "Judging images")


def _within_bounds(files: list[UploadedFile]) -> list[tuple[str, bytes]]:
    """The first files up to the bounds; the others are named."""
    taken, size = [], 0
    for number, file in enumerate(files):
        size += file.size
        if number >= MOST_FILES or size > MOST_BYTES:
            left = len(files) - number
            st.warning(
                f"The first {number} images were taken. {left} more are too much at once: at most {MOST_FILES} images "
                f"of {MOST_BYTES // 2**20} MB together are. Take those away and add the others, or use "
                "`dfcore predict` for whole folders.",
                icon=":material/report:",
            )
            break
        taken.append((file.name, file.getvalue()))
    return taken
