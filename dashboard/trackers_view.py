"""Monitor's part on trackers: TensorBoard on all runs, and what MLflow has of the one that is shown."""

import time

import streamlit as st

from dashboard import error_reporting, roles, tensorboard_server, tracker_actions, widgets
from dashboard.page_words import SEND_ANEW
from dashboard.roles import Role
from dfcore.errors import InputError
from dfcore.runs import Run, readable
from dfcore.trackers import Tracker, at_work, configured, recall
from dfcore.utils.texts import duration

_EVERY_SECONDS = 2
# How long a process that was just started may take until it is at work; mostly a second or two.
_START_SECONDS = 10


def show(run: Run) -> None:
    """Shows a button that opens TensorBoard or leads to it, and the state of the mirror where there is one."""
    with widgets.errors():
        _tensorboard()
    try:
        tracker = configured()
    except InputError as error:
        st.warning(widgets.told(error), icon=":material/cloud_off:")
        return
    if tracker is None:
        return
    status = readable(run.status)
    changing = at_work(run) or bool(status and status.state.active)

    @error_reporting.fragment(run_every=_EVERY_SECONDS if changing else None)
    def mirrored() -> None:
        with widgets.errors():
            _mirror(run, tracker)

    mirrored()


def _tensorboard() -> None:
    address = tensorboard_server.address()
    here = "It answers on the server's own machine only (127.0.0.1), without sign-in."
    with st.container(horizontal=True, vertical_alignment="center"):
        if address:
            st.link_button("TensorBoard", f"{address}/", icon=":material/open_in_new:", help=here)
            if roles.may(Role.TRAINER) and st.button("Close TensorBoard", icon=":material/close:"):
                tracker_actions.close_tensorboard()
                st.rerun()
            st.caption(widgets.plain(address))
        elif roles.may(Role.TRAINER) and st.button(
            "Open TensorBoard", icon=":material/ssid_chart:", help=f"Curves and settings of all runs. {here}"
        ):
            with st.spinner("Opening TensorBoard …"):
                tracker_actions.open_tensorboard()
            st.rerun()


def _mirror(run: Run, tracker: Tracker) -> None:
    sent, status, busy = recall(run, tracker), readable(run.status), at_work(run)
    active = bool(status and status.state.active)
    deleted = bool(sent and sent.deleted)
    complete = bool(sent and status and sent.ended == str(status.state) and not deleted)
    where = widgets.plain(f"MLflow at {tracker.shown}, experiment {tracker.experiment}")
    with st.container(horizontal=True, vertical_alignment="center"):
        page = tracker.page(sent.experiment_id, sent.run_id) if sent else ""
        if page:
            st.link_button("MLflow", page, icon=":material/open_in_new:", help="This run in MLflow.")
        if sent and sent.problem:
            ago = duration(max(time.time() - sent.since, 0))
            trying = "waits" if sent.deleted or not (busy or active) else "is tried again"
            st.warning(
                f"What is missing in {where} {trying}; for {ago}: {widgets.told(sent.problem)}",
                icon=":material/cloud_off:",
            )
        elif complete:
            st.caption(f"All of this run is in {where}.")
        elif busy:
            epochs = f"; {sent.epochs} epochs are there" if sent and sent.epochs else ""
            st.caption(f"Being sent to {where}{epochs}.")
        elif sent:
            st.caption(f"Some of this run is not in {where} yet.")
        else:
            st.caption(f"This run is not in {where}.")
        offered = not (complete or busy or active) and status is not None and roles.may(Role.TRAINER)
        if offered:
            # One that was deleted may have been restored there meanwhile.
            again = st.button("Send to MLflow", icon=":material/cloud_upload:", key="send_to_mlflow")
            anew = deleted and st.button(SEND_ANEW, icon=":material/note_add:", key="send_anew")
            if again or anew:
                with st.spinner("Starting …"):
                    tracker_actions.mirror(run.id, anew=anew)
                    _wait_for_start(run)
                st.rerun()


def _wait_for_start(run: Run) -> None:
    """Waits until a process is at work on a run: before that, the page would offer to start another one."""
    give_up = time.monotonic() + _START_SECONDS
    while not at_work(run) and time.monotonic() < give_up:
        time.sleep(0.1)
