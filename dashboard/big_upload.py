"""Uploads of many files or of a ZIP as large as a disk allows: the browser sends slices, which go to disk at once.

Streamlit's own uploader holds what it gets in memory until its session ends. Here only one slice is in memory at a
time. It takes the same way as any upload of Streamlit's, with its checks; what comes of it needs the right to judge.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dashboard import actions, error_reporting, streamlit_private, upload_spool, viewer, widgets
from dashboard.upload_spool import MOST_BYTES, MOST_FILES, Spool
from dfcore.errors import DfcoreError, InputError, detached

_KEY, _SPOOL, _ERROR, _ID = "big_upload", "big_upload_spool", "big_upload_error", "big_upload_id"
_WAS = "big_upload_was_complete"
_SLICE = 16 * 2**20
_REFUSED_NAMED = 5

_upload = st.components.v2.component(
    "dfcore_upload", html=viewer.asset("upload.html"), css=viewer.asset("upload.css"), js=viewer.asset("upload.js")
)


def complete() -> Spool | None:
    """This session's upload once all of it is there; None until then."""
    spool = st.session_state.get(_SPOOL)
    return spool if spool is not None and spool.complete else None


def clear() -> None:
    """Takes this session's upload away."""
    if (spool := st.session_state.pop(_SPOOL, None)) is not None:
        spool.drop()
    st.session_state.pop(_ID, None)


@error_reporting.fragment()
def show() -> None:
    """Shows where to drop files, and how far they are; the page runs again once all have arrived, or are taken away."""
    spool: Spool | None = st.session_state.get(_SPOOL)
    before = spool is not None and spool.complete
    _upload(
        key=_KEY, data=_told(spool), on_offer_change=_offer, on_slice_change=_slice, on_drop_change=clear,
    )  # fmt: skip
    if (error := st.session_state.get(_ERROR)) is not None:
        st.error(widgets.told(error), icon=":material/error:")
    if spool is not None and spool.refused:
        _tell_refused(spool)
    if st.session_state.get(_WAS, False) != before:
        st.session_state[_WAS] = before
        st.rerun()


def _told(spool: Spool | None) -> dict[str, Any]:
    if spool is None:
        return {
            "id": "", "at": 0, "total": 0, "words": "Drop pictures, a folder or a ZIP here.",
            "small": f"Pictures up to 64 MB each, ZIP files up to 2 GB; at most {MOST_BYTES // 2**30} GB and "
            f"{MOST_FILES:,} files at a time. For more, name a folder on the server instead.",
        }  # fmt: skip
    address, file_id = ("", "") if spool.complete else streamlit_private.slice_address()
    count, size = len(spool.files), _size(spool.total)
    what = spool.files[0].name if count == 1 else f"{count:,} files"
    taken = set(spool.places)
    offered = len(spool.files) + len(spool.refused)
    return {
        "id": st.session_state[_ID], "at": spool.received, "total": spool.total, "address": address, "file": file_id,
        "slice": min(_SLICE, st.get_option("server.maxUploadSize") * 2**19),  # A request is larger than its slice.
        "left": [number for number in range(offered) if number not in taken],
        "words": f"{what}, {size}" + (" arrived." if spool.complete else ""),
        "small": "Other files that are chosen take their place.",
        "again": f"{_size(spool.received)} arrived before sending stopped. Choose the same files again, and "
        "it goes on from there.",
    }  # fmt: skip


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MB" if count >= 2**19 else f"{count / 2**10:,.1f} KB"


def _tell_refused(spool: Spool) -> None:
    named = "; ".join(f"{one.name}: {one.why}" for one in spool.refused[:_REFUSED_NAMED])
    more = f"; and {len(spool.refused) - _REFUSED_NAMED:,} more" if len(spool.refused) > _REFUSED_NAMED else ""
    count = "1 file is" if len(spool.refused) == 1 else f"{len(spool.refused):,} files are"
    st.warning(widgets.plain(f"{count} left out. {named}{more}."), icon=":material/report:")


def _offer() -> None:
    value = _sent("offer")
    with _caught():
        actions.require_judging()
        offer = upload_spool.offered(value.get("files"))
        spool = st.session_state.get(_SPOOL)
        # The same files again go on where they stopped.
        if spool is None or spool.complete or spool.key != upload_spool.key(offer):
            clear()
            st.session_state[_SPOOL] = Spool(offer)
        st.session_state[_ID] = str(value.get("id"))[:64]


def _slice() -> None:
    value = _sent("slice")
    with _caught():
        actions.require_judging()
        data = streamlit_private.take_slice(str(value.get("file")))
        spool: Spool | None = st.session_state.get(_SPOOL)
        if spool is None or data is None or value.get("id") != st.session_state.get(_ID):
            return
        try:
            spool.add(int(value.get("at", -1)), data)
        except (InputError, TypeError, ValueError):
            clear()
            raise InputError("The files have changed while they were sent. Choose them again.") from None


@contextmanager
def _caught() -> Iterator[None]:
    """Keeps what goes wrong in a callback until the page tells it."""
    st.session_state[_ERROR] = None
    with error_reporting.reported():
        try:
            yield
        except DfcoreError as error:
            st.session_state[_ERROR] = detached(error)


def _sent(name: str) -> dict[str, Any]:
    value = st.session_state.get(_KEY, {}).get(name)
    return value if isinstance(value, dict) else {}
