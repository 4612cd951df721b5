"""How far a batch is, live; what stops it, and what has it go on."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import actions, batches, error_reporting, roles, widgets
from dashboard.roles import Role
from dfcore.runs import State

if TYPE_CHECKING:
    from dfcore.batch.job import Batch, BatchStatus

_EVERY_SECONDS = 2
_KEPT = "What was judged is kept; it goes on where it stopped, with each picture judged once."
_STATE_HELP = {
    State.STOPPED: f"It was stopped. {_KEPT}",
    State.INTERRUPTED: f"Its process ended before it was done, for instance because the machine was restarted. {_KEPT}",
    State.FAILED: f"It could not go on. {_KEPT}",
}  # fmt: skip


def show(batch: "Batch") -> None:
    """Shows state and progress; while it is at work every two seconds anew, and the page once it has ended.

    What is below stays as it is meanwhile, so that nothing moves under the pointer: further rows are offered.
    """
    drawn = batch.status()

    @error_reporting.fragment(run_every=_EVERY_SECONDS if drawn.state.active else None)
    def live() -> None:
        with widgets.errors():
            _show(batch)
            status = batch.status()
            if drawn.state.active and (not status.state.active or (status.done and not drawn.done)):
                st.rerun()
            if status.done > drawn.done:
                _offer_further(status.done - drawn.done)

    live()


def _offer_further(count: int) -> None:
    rows = "1 further row" if count == 1 else f"{count:,} further rows"
    if st.button(f"Show {rows}", icon=":material/refresh:", key="batch_further", help="Judged since this was drawn."):
        st.rerun()


def _show(batch: "Batch") -> None:
    status = batch.status()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(
            batches.STATE_WORDS[status.state], icon=f":material/{widgets.STATE_ICONS[status.state]}:",
            color=widgets.STATE_COLOURS.get(status.state, "gray"),
        )  # fmt: skip
        st.markdown(widgets.plain(_words(batch)), width="stretch")
        if roles.may(Role.ANALYST):
            _buttons(batch, status)
    if status.state is not State.COMPLETED:
        st.progress(min(max(status.fraction, 0.0), 1.0), batches.so_far(status))
    if status.state in _STATE_HELP:
        reason = f"{status.reason} " if status.reason and status.state is State.FAILED else ""
        st.caption(widgets.told(f"{reason}{_STATE_HELP[status.state]}"))


def _words(batch: "Batch") -> str:
    status = batch.status()
    if status.state is State.COMPLETED:
        failed = f", {status.failed:,} without a verdict" if status.failed else ""
        return f"{batches.so_far(status)}{failed}. {batches.settings(batch)}"
    phase = f"{status.phase[:1].upper()}{status.phase[1:]}. " if status.phase and status.state.active else ""
    return f"{phase}{batches.settings(batch)}"


def _buttons(batch: "Batch", status: "BatchStatus") -> None:
    if status.state in (State.QUEUED, State.RUNNING) and st.button(
        "Stop", icon=":material/stop:", key="batch_stop", help="What was judged is kept; it can go on later."
    ):
        actions.stop_batch(batch.id)
        st.rerun()
    if (
        status.state.resumable
        and not status.closed
        and st.button(
            "Go on", icon=":material/play_arrow:", key="batch_go_on", type="primary", help="Judges the pictures left."
        )
    ):
        actions.resume_batch(batch.id)
        st.rerun()
