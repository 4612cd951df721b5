"""Uploads of many files, or of a ZIP or film as large as a disk allows, in slices, which go to disk at once.

Streamlit's own uploader holds what it gets in memory until its session ends. Here only one slice is in memory at a
time. It takes the same way as any upload of Streamlit's, with its checks; what comes of it needs the right to judge.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import streamlit as st

from dashboard import actions, error_reporting, streamlit_private, upload_spool, viewer, widgets
from dashboard.upload_spool import FILM, MOST_BYTES, MOST_FILES, PICTURES, Kind, Spool
from dfcore.errors import DfcoreError, InputError, detached

_SLICE = 16 * 2**20
_REFUSED_NAMED = 5
# What is said before anything is chosen, and what the browser offers to choose.
_WORDS = {
    PICTURES: (
        "Drop pictures, a folder or a ZIP here.",
        f"Pictures up to 64 MB each, ZIP files up to 2 GB; at most {MOST_BYTES // 2**30} GB and {MOST_FILES:,} files "
        "at a time. For more, name a folder on the server instead.",
    ),
    FILM: (
        "Drop a film here.",
        f"MP4, MOV, MKV, WebM, AVI and the like, up to {MOST_BYTES // 2**30} GB. For a larger one, name its file on "
        "the server instead.",
    ),
}
_ACCEPT = {PICTURES: "image/*,.zip", FILM: "video/*,.mkv,.ts,.mts"}

_upload = st.components.v2.component(
    "dfcore_upload", html=viewer.asset("upload.html"), css=viewer.asset("upload.css"), js=viewer.asset("upload.js")
)


def complete(kind: Kind = PICTURES) -> Spool | None:
    """This session's upload of a kind once all of it is there; None until then."""
    spool = st.session_state.get(f"{kind.key}_spool")
    return spool if spool is not None and spool.complete else None


def clear(kind: Kind = PICTURES) -> None:
    """Takes this session's upload away."""
    if (spool := st.session_state.pop(f"{kind.key}_spool", None)) is not None:
        spool.drop()
    st.session_state.pop(f"{kind.key}_id", None)


@error_reporting.fragment()
def show(kind: Kind = PICTURES) -> None:
    """Shows where to drop files, and how far they are; the page runs again once all have arrived, or are taken away."""
    spool: Spool | None = st.session_state.get(f"{kind.key}_spool")
    before = spool is not None and spool.complete
    _upload(
        key=kind.key,
        data={
            "accept": _ACCEPT[kind], "several": kind.most > 1, "label": kind.expected.capitalize(),
            **_told(spool, kind),
        },
        on_offer_change=partial(_offer, kind), on_slice_change=partial(_slice, kind),
        on_drop_change=partial(clear, kind),
    )  # fmt: skip
    if (error := st.session_state.get(f"{kind.key}_error")) is not None:
        st.error(widgets.told(error), icon=":material/error:")
    if spool is not None and spool.refused:
        _tell_refused(spool)
    was = f"{kind.key}_was_complete"
    if st.session_state.get(was, False) != before:
        st.session_state[was] = before
        st.rerun()


def _told(spool: Spool | None, kind: Kind) -> dict[str, Any]:
    if spool is None:
        words, small = _WORDS[kind]
        return {"id": "", "at": 0, "total": 0, "words": words, "small": small}
    address, file_id = ("", "") if spool.complete else streamlit_private.slice_address()
    count, size = len(spool.files), _size(spool.total)
    what = spool.files[0].name if count == 1 else f"{count:,} files"
    taken = set(spool.places)
    offered = len(spool.files) + len(spool.refused)
    return {
        "id": st.session_state[f"{kind.key}_id"], "at": spool.received, "total": spool.total,
        "address": address, "file": file_id,
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


def _offer(kind: Kind = PICTURES) -> None:
    value = _sent("offer", kind)
    with _caught(kind):
        actions.require_judging()
        offer = upload_spool.offered(value.get("files"))
        spool = st.session_state.get(f"{kind.key}_spool")
        # The same files again go on where they stopped.
        if spool is None or spool.complete or spool.key != upload_spool.key(offer):
            clear(kind)
            st.session_state[f"{kind.key}_spool"] = Spool(offer, kind)
        st.session_state[f"{kind.key}_id"] = str(value.get("id"))[:64]


def _slice(kind: Kind = PICTURES) -> None:
    value = _sent("slice", kind)
    with _caught(kind):
        actions.require_judging()
        data = streamlit_private.take_slice(str(value.get("file")))
        spool: Spool | None = st.session_state.get(f"{kind.key}_spool")
        if spool is None or data is None or value.get("id") != st.session_state.get(f"{kind.key}_id"):
            return
        try:
            spool.add(int(value.get("at", -1)), data)
        except (InputError, TypeError, ValueError):
            clear(kind)
            raise InputError("The files have changed while they were sent. Choose them again.") from None


@contextmanager
def _caught(kind: Kind) -> Iterator[None]:
    """Keeps what goes wrong in a callback until the page tells it."""
    error_key = f"{kind.key}_error"
    st.session_state[error_key] = None
    with error_reporting.reported():
        try:
            yield
        except DfcoreError as error:
            st.session_state[error_key] = detached(error)


def _sent(name: str, kind: Kind) -> dict[str, Any]:
    value = st.session_state.get(kind.key, {}).get(name)
    return value if isinstance(value, dict) else {}
