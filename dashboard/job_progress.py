"""How far a job that judges is, live; what stops it, and what has it go on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import batches, error_reporting, roles, widgets
from dashboard.roles import Role
from dfcore.runs import State
from dfcore.runs.job import Job

_EVERY_SECONDS = 2


@dataclass(frozen=True)
class Kind:
    """What pages say of one kind of job, and do with it.

    Attributes:
        name: Its name in the keys of the buttons.
        judged: What is judged one by one: "picture".
        row: What is told of each: "row".
        so_far: How far it is, in words, by its status.
        done: The same once it has ended.
        settings: How it is judged, in a sentence.
        stop: Stops the job of this id; `resume` has it go on.
        why: Why it is judged by what judges it; "" if there is nothing to be said.
    """

    name: str
    judged: str
    row: str
    so_far: Callable[[Any], str]
    done: Callable[[Any], str]
    settings: Callable[[Any], str]
    stop: Callable[[str], None]
    resume: Callable[[str], None]
    why: Callable[[Any], str] = lambda job: ""


def show(job: Job[Any], kind: Kind) -> None:
    """Shows state and progress; while it is at work every two seconds anew, and the page once it has ended.

    What is below stays as it is meanwhile, so that nothing moves under the pointer: further rows are offered.
    """
    drawn = job.status()

    @error_reporting.fragment(run_every=_EVERY_SECONDS if drawn.state.active else None)
    def live() -> None:
        with widgets.errors():
            _show(job, kind)
            status = job.status()
            if drawn.state.active and (not status.state.active or (status.done and not drawn.done)):
                st.rerun()
            if status.done > drawn.done:
                _offer_further(status.done - drawn.done, kind)

    live()


def _offer_further(count: int, kind: Kind) -> None:
    label = f"Show 1 further {kind.row}" if count == 1 else f"Show {count:,} further {kind.row}s"
    if st.button(label, icon=":material/refresh:", key=f"{kind.name}_further", help="Judged since this was drawn."):
        st.rerun()


def _show(job: Job[Any], kind: Kind) -> None:
    status = job.status()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(
            batches.STATE_WORDS[status.state], icon=f":material/{widgets.STATE_ICONS[status.state]}:",
            color=widgets.STATE_COLOURS.get(status.state, "gray"),
        )  # fmt: skip
        st.markdown(widgets.plain(_words(job, kind)), width="stretch", help=widgets.plain(kind.why(job)) or None)
        if roles.may(Role.ANALYST):
            _buttons(job, kind)
    if status.state is not State.COMPLETED:
        st.progress(min(max(status.fraction, 0.0), 1.0), kind.so_far(status))
    if why := _why_it_rests(status.state, kind):
        reason = f"{status.reason} " if status.reason and status.state is State.FAILED else ""
        st.caption(widgets.told(f"{reason}{why}"))


def _why_it_rests(state: State, kind: Kind) -> str:
    kept = f"What was judged is kept; it goes on where it stopped, with each {kind.judged} judged once."
    match state:
        case State.STOPPED:
            return f"It was stopped. {kept}"
        case State.INTERRUPTED:
            return f"Its process ended before it was done, for instance because the machine was restarted. {kept}"
        case State.FAILED:
            return f"It could not go on. {kept}"
    return ""


def _words(job: Job[Any], kind: Kind) -> str:
    status = job.status()
    if status.state is State.COMPLETED:
        return f"{kind.done(status)}. {kind.settings(job)}"
    phase = f"{status.phase[:1].upper()}{status.phase[1:]}. " if status.phase and status.state.active else ""
    return f"{phase}{kind.settings(job)}"


def _buttons(job: Job[Any], kind: Kind) -> None:
    status = job.status()
    if status.state in (State.QUEUED, State.RUNNING) and st.button(
        "Stop", icon=":material/stop:", key=f"{kind.name}_stop", help="What was judged is kept; it can go on later."
    ):
        kind.stop(job.id)
        st.rerun()
    left = f"Judges the {kind.judged}s left."
    if (
        status.state.resumable
        and not status.closed
        and st.button("Go on", icon=":material/play_arrow:", key=f"{kind.name}_go_on", type="primary", help=left)
    ):
        kind.resume(job.id)
        st.rerun()
