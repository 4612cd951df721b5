"""Pictures to inspect, held in memory by their session only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import roles
from dashboard.roles import Role
from dfcore.errors import InputError
from dfcore.imaging import SUFFIXES
from dfcore.utils.files import sha256_bytes

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

TYPES = sorted(suffix.removeprefix(".") for suffix in SUFFIXES)
# Limits of what a session has in Inspect, and once more of what a review has put aside, in memory until it ends.
MOST_FILES, MOST_BYTES = 100, 256 * 2**20
_KEY, _LEFT_OUT, _FROM = "inspect_images", "inspect_left_out", "inspect_from_upload"
_NEWEST, _ASIDE = "inspect_newest", "inspect_aside"


@dataclass(frozen=True)
class Picture:
    """A picture to inspect.

    Attributes:
        name: File name.
        data: Contents of the file.
    """

    name: str
    data: bytes

    @cached_property
    def id(self) -> str:
        """SHA-256 of the contents."""
        return sha256_bytes(self.data)


def choose(label: str, key: str, help: str) -> bool:
    """Shows an uploader; returns whether it has just added pictures.

    What is uploaded joins the session's pictures, and what is removed from the uploader leaves them. Pictures that came
    from elsewhere, or from an uploader that is gone since the page was left, stay.
    """
    changed, times = f"{key}_changed", st.session_state.get(f"{key}_times", 0)

    def note() -> None:
        st.session_state[changed] = True

    files = st.file_uploader(
        label,
        type=TYPES,
        accept_multiple_files=True,
        key=f"{key}_{times}" if times else key,
        help=help,
        on_change=note,
    )
    before: dict[str, Picture] = st.session_state.get(_FROM, {})
    if not st.session_state.pop(changed, False):
        # Without a change it knows other files only if it was drawn anew.
        if set(before) - {file.file_id for file in files}:
            st.session_state[_FROM] = {}
        return False
    return _take(files, before)


def _take(files: "Sequence[UploadedFile]", before: dict[str, Picture]) -> bool:
    now = {file.file_id: before.get(file.file_id) or Picture(file.name, file.getvalue()) for file in files}
    gone = [picture for file_id, picture in before.items() if file_id not in now]
    stay = [picture for picture in images() if not any(picture is one for one in gone)]
    new = [picture for file_id, picture in now.items() if file_id not in before]
    keep([*stay, *new])
    st.session_state[_FROM] = now
    if new and any(new[0] is one for one in images()):
        st.session_state[_NEWEST] = new[0].id
    return bool(new)


def keep(pictures: Sequence[Picture]) -> None:
    """Makes these the session's pictures, as far as they are within the limits; they survive a change of page."""
    taken, size = [], 0
    for picture in pictures[:MOST_FILES]:
        size += len(picture.data)
        if size > MOST_BYTES:
            break
        taken.append(picture)
    st.session_state[_KEY] = taken
    st.session_state[_LEFT_OUT] = len(pictures) - len(taken)


def _fit(pictures: Sequence[Picture]) -> bool:
    return len(pictures) <= MOST_FILES and sum(len(picture.data) for picture in pictures) <= MOST_BYTES


def add(*pictures: Picture) -> None:
    """Adds pictures to those there, and has the first of them shown; what is there already is not added again.

    Raises:
        InputError: If there is no room for all of them; nothing is changed then.
    """
    there = images()
    known = {picture.id for picture in there}
    new = [picture for picture in pictures if picture.id not in known]
    if not _fit([*there, *new]):
        raise InputError(
            f"Expected at most {MOST_FILES} pictures of {MOST_BYTES // 2**20} MB in Inspect. Received: {len(new)} more "
            f"beside the {len(there)} that are there. Take some of them away there first."
        )
    keep([*there, *new])
    st.session_state[_NEWEST] = pictures[0].id


def remove(picture: Picture) -> None:
    """Takes away one picture."""
    keep([one for one in images() if one is not picture])


def loose() -> list[Picture]:
    """The pictures that no uploader lists, and so cannot be removed there; call it after `choose`."""
    listed = st.session_state.get(_FROM, {}).values()
    return [picture for picture in images() if not any(picture is one for one in listed)]


def open_alone(*pictures: Picture) -> None:
    """Puts pictures in the place of all others, which are put aside until `bring_back`."""
    st.session_state.setdefault(_ASIDE, images())
    st.session_state[_FROM] = {}
    keep(pictures)


def bring_back(*, beside: bool = False) -> None:
    """Has the pictures again that were put aside: in the place of those there, or beside them."""
    keep([*st.session_state.pop(_ASIDE, []), *(images() if beside else [])])


def forget(key: str) -> None:
    """Empties an uploader when the page runs next; pictures stay."""
    st.session_state[_FROM] = {}
    st.session_state[f"{key}_times"] = st.session_state.get(f"{key}_times", 0) + 1


def clear(key: str) -> None:
    """Takes away all pictures, and empties the uploader."""
    keep([])
    forget(key)


def newest() -> str | None:
    """Id of the picture that was added last, once; None after that."""
    return st.session_state.pop(_NEWEST, None)


def is_newest(picture: Picture) -> bool:
    """Whether `newest` will give this picture."""
    return st.session_state.get(_NEWEST) == picture.id


def images() -> list[Picture]:
    """The session's pictures."""
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
    """Whether the current user may upload pictures; if not, says why."""
    return roles.offer(Role.ANALYST, "Judging images")
