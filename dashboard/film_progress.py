"""How far a film is, live; what stops it, and what has it go on."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import batches, error_reporting, film_actions, films, roles, widgets
from dashboard.roles import Role
from dfcore.runs import State
from dfcore.utils.texts import counted

if TYPE_CHECKING:
    from dfcore.films.job import FilmJob, FilmStatus

_EVERY_SECONDS = 2
_KEPT = "What was judged is kept; it goes on where it stopped, with each frame judged once."
_STATE_HELP = {
    State.STOPPED: f"It was stopped. {_KEPT}",
    State.INTERRUPTED: f"Its process ended before it was done, for instance because the machine was restarted. {_KEPT}",
    State.FAILED: f"It could not go on. {_KEPT}",
}  # fmt: skip


def show(film: "FilmJob") -> None:
    """Shows state and progress; while it is at work every two seconds anew, and the page once it has ended.

    What is below stays as it is meanwhile, so that nothing moves under the pointer: further frames are offered.
    """
    drawn = film.status()

    @error_reporting.fragment(run_every=_EVERY_SECONDS if drawn.state.active else None)
    def live() -> None:
        with widgets.errors():
            _show(film)
            status = film.status()
            if drawn.state.active and (not status.state.active or (status.done and not drawn.done)):
                st.rerun()
            if status.done > drawn.done:
                _offer_further(status.done - drawn.done)

    live()


def _offer_further(count: int) -> None:
    label = f"Show {counted(count, 'further frame', 'further frames')}"
    if st.button(label, icon=":material/refresh:", key="film_further", help="Judged since this was drawn."):
        st.rerun()


def _show(film: "FilmJob") -> None:
    status = film.status()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(
            batches.STATE_WORDS[status.state], icon=f":material/{widgets.STATE_ICONS[status.state]}:",
            color=widgets.STATE_COLOURS.get(status.state, "gray"),
        )  # fmt: skip
        why = film.judges().get("why")
        st.markdown(widgets.plain(_words(film)), width="stretch", help=widgets.plain(why) if why else None)
        if roles.may(Role.ANALYST):
            _buttons(film, status)
    if status.state is not State.COMPLETED:
        st.progress(min(max(status.fraction, 0.0), 1.0), films.so_far(status))
    if status.state in _STATE_HELP:
        reason = f"{status.reason} " if status.reason and status.state is State.FAILED else ""
        st.caption(widgets.told(f"{reason}{_STATE_HELP[status.state]}"))


def _words(film: "FilmJob") -> str:
    status = film.status()
    if status.state is State.COMPLETED:
        return f"{films.so_far(status)} looked at. {films.settings(film)}"
    phase = f"{status.phase[:1].upper()}{status.phase[1:]}. " if status.phase and status.state.active else ""
    return f"{phase}{films.settings(film)}"


def _buttons(film: "FilmJob", status: "FilmStatus") -> None:
    if status.state in (State.QUEUED, State.RUNNING) and st.button(
        "Stop", icon=":material/stop:", key="film_stop", help="What was judged is kept; it can go on later."
    ):
        film_actions.stop_film(film.id)
        st.rerun()
    if (
        status.state.resumable
        and not status.closed
        and st.button(
            "Go on", icon=":material/play_arrow:", key="film_go_on", type="primary", help="Judges the frames left."
        )
    ):
        film_actions.resume_film(film.id)
        st.rerun()
