"""What a new batch judges and how: files, a ZIP, a folder on the server or addresses; detector and errors accepted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import actions, batches, big_upload, roles, verdict, widgets
from dashboard.navigation import go
from dashboard.roles import Role
from dfcore import workspace
from dfcore.errors import InputError

if TYPE_CHECKING:
    from dfcore.batch.sources import Source

_HOW, _TITLE, _PLACE, _ADDRESSES = "batch_how", "batch_title", "batch_place", "batch_addresses"
_UPLOAD, _SERVER, _WEB = "Upload", "On the server", "Addresses"


def show() -> None:
    """Shows the choices; opens the new batch once it is started."""
    if not roles.offer(Role.ANALYST, "Judging images"):
        return
    how = _choose_how()
    {_UPLOAD: big_upload.show, _SERVER: _choose_place, _WEB: _choose_addresses}[how]()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        entries = widgets.choose_detectors()
        accepted = verdict.choose_strictness(entries[0].card.thresholds.budget if len(entries) == 1 else None)
        title = st.text_input(
            "Name of the batch", key=_TITLE, placeholder="What it judges", width=260,
            help="Under which it is found again. Without one it is called by what it judges.",
        )  # fmt: skip
    remember = _choose_memory()
    if entries and st.button("Judge them", type="primary", icon=":material/play_arrow:", disabled=not _ready(how)):
        with widgets.errors(), st.spinner("Putting the files aside …"):
            chosen = [st.session_state.get("detector", batches.AUTO)]
            batch_id = actions.start_batch(
                _sources(how), chosen, budget=accepted.budget, ignore_ood=accepted.ignore_ood, remember=remember,
                title=title.strip(),
            )  # fmt: skip
            big_upload.clear()
            widgets.set_next({_TITLE: "", _PLACE: "", _ADDRESSES: "", "batch_new": False})
            go("batch", batch=batch_id)


def _choose_how() -> str:
    from dfcore.batch import addresses

    hosts = addresses.allowed_hosts()
    how = st.segmented_control(
        "What to judge", [_UPLOAD, _SERVER, *([_WEB] if hosts else [])], default=_UPLOAD, required=True, key=_HOW,
        persist_state="session", help="Files of this computer, or a folder or a ZIP that lies on the server.",
    )  # fmt: skip
    if not hosts:
        st.caption(f"Addresses of pictures on the web cannot be judged here. {widgets.plain(addresses.HOW_TO_ALLOW)}")
    return str(how)


def _choose_place() -> None:
    st.text_input(
        "Folder, ZIP or picture on the server", key=_PLACE, placeholder="/data/pictures", persist_state="session",
        help="A folder is read with all folders below it. Nothing is copied: keep the files until the batch has ended "
        "and been looked through.",
    )  # fmt: skip
    named = workspace.named_roots()
    if named is not None:
        folders = ", ".join(widgets.plain(root) for root in named) or "the workspace's own folders"
        st.caption(
            f"Anything inside {folders} can be judged. Whoever runs the server can allow others, without a restart, by "
            "`dfcore data allow FOLDER` on its command line."
        )


def _choose_addresses() -> None:
    from dfcore.batch import addresses

    hosts = ", ".join(widgets.plain(host) for host in addresses.allowed_hosts())
    st.text_area(
        "Addresses, one a line", key=_ADDRESSES, placeholder="https://…", persist_state="session", height=140,
        help="The server fetches each picture, and from these hosts alone.",
    )  # fmt: skip
    st.caption(f"Pictures are fetched from {hosts}, as the server's operator allows, and from nowhere else.")


def _choose_memory() -> bool:
    if not workspace.keeps_cases():
        st.caption("Verdicts are not remembered outside of the batch: the operator has turned cases off.")
        return False
    return st.toggle(
        "Remember the verdicts under Cases",
        True,
        key="batch_remember",
        persist_state="session",
        help="So that a picture that comes again is recognised. The pictures themselves are not kept there.",
    )


def _ready(how: str) -> bool:
    if how == _UPLOAD:
        return big_upload.complete() is not None
    return bool(str(st.session_state.get(_PLACE if how == _SERVER else _ADDRESSES) or "").strip())


def _sources(how: str) -> "Iterator[Source]":
    """What was chosen; each file is opened when its turn comes."""
    from dfcore.batch.sources import Address, FromPath, Upload

    if how == _SERVER:
        yield FromPath(str(st.session_state[_PLACE]).strip())
    elif how == _WEB:
        for line in str(st.session_state[_ADDRESSES]).split():
            yield Address(line)
    else:
        spool = big_upload.complete()
        if spool is None:
            raise InputError("Expected files that were uploaded. Received: none; choose them again.")
        for name, path in spool.paths():
            with open(path, "rb") as stream:
                yield Upload(name, stream)
