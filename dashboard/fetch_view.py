"""Fetches data sets from Kaggle and the Hugging Face Hub: choosing one, what is known of it, and what is under way."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import dialogs, error_reporting, hub_actions, navigation, page_words, roles, widgets
from dashboard.roles import Role
from dfcore.errors import DfcoreError
from dfcore.hub import credentials, fetch
from dfcore.hub.fetch_jobs import Fetch, FetchStatus, FetchStore
from dfcore.hub.known import KNOWN, KnownSet
from dfcore.runs import State
from dfcore.utils import space
from dfcore.utils.texts import duration, volume

if TYPE_CHECKING:
    from dfcore.hub.sources import Offer

POPOVER = "datasets_fetch"
_OTHER, _OFFER = "Another one, by its address", "fetch_offer"
_EVERY_SECONDS = 2.0
_KEPT = "What was loaded is kept; it goes on where it stopped."
_ENDED = {State.STOPPED: "It was stopped.", State.INTERRUPTED: "Its process ended before it was done."}


# === Choosing ===


@error_reporting.fragment()
def offer() -> None:
    """Offers the known sets, and any other by its address."""
    names = [*KNOWN, _OTHER]
    chosen = st.selectbox(
        "Public data set", names, format_func=lambda name: KNOWN[name].title if name in KNOWN else name,
        key="fetch_set", help="Widely used sets of real and fake images. Nothing is loaded before you start it.",
    )  # fmt: skip
    known = KNOWN.get(chosen)
    if known is None:
        text = st.text_input(
            "Address", key="fetch_address", placeholder="kaggle:OWNER/NAME or hf:OWNER/NAME",
            help="Of a data set on Kaggle or the Hugging Face Hub, or the address of its page. @VERSION may follow.",
        ).strip()  # fmt: skip
    else:
        text = known.name
        _facts(known)
    if known is not None and known.request:
        # As it is, so that its address is a link.
        st.info(f"{known.request} Then register the folder under **Add**.", icon=":material/mail:")
    elif text:
        with widgets.errors():
            _ready(text, fetch.wanted(text))


def _facts(known: KnownSet) -> None:
    st.markdown(
        f"{widgets.plain(known.images)}  \n**Size** {volume(known.size)}  \n"
        f"**Licence** {widgets.plain(known.licence)}  \n**Layout** {widgets.plain(known.layout)}"
    )
    st.caption(f"Good for: {widgets.plain(known.good)}  \nBad for: {widgets.plain(known.bad)}")
    st.caption(f"As [its page]({known.page}) states it; what the service says when it is fetched counts.")


def _ready(text: str, what: fetch.Wanted) -> None:
    """What is needed, and the buttons."""
    assert what.source is not None
    service, free = what.source.service, space.free_bytes(what.folder.parent)
    found = credentials.where_from(service)
    none = f"{credentials.half_of(service) or 'There are no credentials'}; public sets often need none."
    told = f"Credentials: {found}." if found else none
    told = told if roles.may(Role.TRAINER) else ""
    st.caption(f"Into {widgets.plain(what.folder)}, where {volume(free)} are free. {widgets.plain(told)}")
    if what.known is not None:
        _tell_shortage(what.known.size, what)
    if not found and roles.may(Role.TRAINER):
        with st.expander("If it asks who you are", icon=":material/key:"):
            told = credentials.how_to_get(service)
            st.markdown(f"{widgets.told(told)} Whoever runs the server sets this; no page asks for it.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(page_words.FOLDER_NAME, what.folder.name, key=f"fetch_name {text}", max_chars=80)
        asked = st.button(
            "Ask the service", icon=":material/help:", disabled=not roles.may(Role.TRAINER), key="fetch_ask",
            help=f"Asks {service.called} for version, size and licence; loads nothing.",
        )  # fmt: skip
        started = st.button(
            "Fetch", type="primary", icon=":material/download:", disabled=not roles.may(Role.TRAINER), key="fetch_go",
            help="Goes on when you leave this page. Requires the role of trainer.",
        )  # fmt: skip
    if asked:
        st.session_state[_OFFER] = (text, hub_actions.ask_about(text))
    if st.session_state.get(_OFFER, ("",))[0] == text:
        _answer(st.session_state[_OFFER][1], what)
    if started:
        hub_actions.start_fetch(text, name)
        st.toast("It goes on below, and while you visit other pages.", icon=":material/download:")
        widgets.close(POPOVER)
        st.rerun()


def _tell_shortage(size: int | None, what: fetch.Wanted) -> None:
    if told := space.shortage(size, what.folder, what.half):
        st.warning(told, icon=":material/hard_drive:")


def _answer(said: "Offer", what: fetch.Wanted) -> None:
    files = f", {said.files:,} files" if said.files is not None else ""
    st.success(
        f"**{widgets.plain(said.title)}**, version {widgets.plain(said.source.version)[:12]}  \n"
        f"{volume(said.download_bytes)}{files} to load, up to twice that on the disk while it is fetched  \n"
        f"Licence: {widgets.plain(said.licence) or 'not stated'}",
        icon=":material/cloud_done:",
    )
    if said.gated:
        st.warning(f"Its owners want their terms accepted on [its page]({said.source.page}).", icon=":material/gavel:")
    _tell_shortage(said.download_bytes, what)


# === Under way ===


def under_way() -> None:
    """Shows fetches that are at work or ended and were not closed; the page anew when one has ended."""
    jobs = list(FetchStore())
    if not jobs:
        return
    active = {job.id for job in jobs if _active(job)}

    @error_reporting.fragment(run_every=_EVERY_SECONDS if active else None)
    def live() -> None:
        now = list(FetchStore())
        if active and active != {job.id for job in now if _active(job)}:
            st.rerun()
        for job in now:
            with widgets.errors(), st.container(border=True):
                _show(job)

    live()


def _active(job: Fetch) -> bool:
    try:
        return job.status().state.active
    except DfcoreError:
        return False


def _show(job: Fetch) -> None:
    status, name = job.status(), job.request.name
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.state_badge(status.state)
        st.markdown(f"**{widgets.plain(name)}** {_words(job, status)}", width="stretch")
        if roles.may(Role.TRAINER):
            _buttons(job, status, name)
    if status.state.active:
        st.progress(min(status.fraction, 1.0), widgets.plain(so_far(status)))
    if status.state.resumable:
        reason = _ENDED.get(status.state, status.reason)
        st.caption(widgets.told(f"{reason} {_KEPT if fetch.is_half_fetched(name) else ''}"))


def so_far(status: FetchStatus) -> str:
    """What is done, in words: "Loading: 1.2 GB of 4 GB, about 3 min left"."""
    phase = f"{status.phase[:1].upper()}{status.phase[1:]}" or str(status.state)
    if not status.total:
        return phase
    done, total = (
        (volume(status.done), volume(status.total))
        if status.unit == fetch.BYTES
        else (f"{status.done:,}", f"{status.total:,}")
    )
    left = f", about {duration(status.seconds_left)} left" if status.seconds_left is not None else ""
    return f"{phase}: {done} of {total}{left}"


def _words(job: Fetch, status: FetchStatus) -> str:
    if status.state is not State.COMPLETED:
        return "It goes on while you visit other pages." if status.state.active else ""
    said: dict[str, Any] = job.outcome()
    if said["there"]:
        return "was there already."
    fetched, counts = said["fetched"], said["counts"]
    text = f"is there: {fetched['files']:,} files, {volume(fetched['bytes'])}"
    if fetched["left_out_in_all"]:
        text += f", {fetched['left_out_in_all']:,} left out (fetched.json tells why)"
    told = (
        f"{counts['real']:,} real and {counts['fake']:,} fake images" if counts else "it has to be told how to read it"
    )
    if trouble := said.get("trouble"):
        told += f". {widgets.told(trouble.splitlines()[0].removesuffix('.'))}"
    return f"{text}; {told}. Licence: {widgets.plain(fetched['licence']) or 'not stated'}."


def _buttons(job: Fetch, status: FetchStatus, name: str) -> None:
    if status.state in (State.QUEUED, State.RUNNING):
        if st.button("Stop", icon=":material/stop:", key=f"stop {job.id}", help=_KEPT):
            hub_actions.stop_fetch(job.id)
            st.rerun()
        return
    if status.state is State.COMPLETED:
        folder = Path(job.outcome()["folder"])
        if st.button(
            "Open", icon=":material/arrow_forward:", key=f"open {job.id}", type="primary", help="Shows it below."
        ):
            navigation.ask_for_dataset(folder)
            hub_actions.close_fetch(job.id)
            st.rerun()
    elif status.state.resumable:
        half = fetch.is_half_fetched(name)
        label, icon = ("Go on", "play_arrow") if half else ("Try again", "refresh")
        if st.button(label, icon=f":material/{icon}:", key=f"go on {job.id}", type="primary",
                     help=_KEPT if half else "Asks for it once more."):  # fmt: skip
            hub_actions.resume_fetch(job.id)
            st.rerun()
        if half and st.button(
            "Discard", icon=":material/delete:", key=f"discard {job.id}", help="Deletes what was loaded; asks first."
        ):
            _discard(job.id, name)
    if not status.state.active and st.button(
        "Close", icon=":material/close:", key=f"close {job.id}", help="Takes it off this list."
    ):
        hub_actions.close_fetch(job.id)
        st.rerun()


@st.dialog("Discard what was loaded?")
def _discard(fetch_id: str, name: str) -> None:
    size = fetch.half_fetched().get(name, 0)
    st.markdown(f"{volume(size)} of **{widgets.plain(name)}** will be deleted. To have it, all is loaded again.")
    dialogs.decide("Delete for good", partial(hub_actions.close_fetch, fetch_id, discard=True), done="Discarded.")
