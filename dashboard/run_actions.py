"""Actions on a run: stop, resume, train again, evaluate, delete (with confirmation), notes, log."""

import streamlit as st

from dashboard import actions, dialogs, error_reporting, widgets
from dashboard.navigation import go
from dfcore.detectors.remembered import cited
from dfcore.runs import Run, State, readable, summary


def show(run: Run) -> None:
    """Shows a run's buttons, notes, settings and log; for a damaged run, whatever its files still allow."""
    status, config = readable(run.status), readable(run.config)
    state = status.state if status else None
    with st.container(horizontal=True):
        if state in (State.QUEUED, State.RUNNING) and st.button(
            "Stop", icon=":material/stop:", help="Stops after the current step. Progress is saved."
        ):
            actions.stop(run.id)
            st.rerun()
        if (
            state
            and state.resumable
            and config
            and st.button(
                "Resume", icon=":material/play_arrow:", type="primary", help="Continues exactly where it stopped."
            )
        ):
            actions.resume(run.id)
            st.rerun()
        if state is State.COMPLETED and st.button("Evaluate", icon=":material/query_stats:", type="primary"):
            go("evaluate", detector=f"run:{run.id}")
        if config and st.button(
            "Train again with changes", icon=":material/tune:", help="Opens Train with this run's settings."
        ):
            st.session_state["train_again"] = config
            st.session_state["train_again_id"] = run.id
            go("train")
        if not (state and state.active) and st.button("Delete", icon=":material/delete:"):
            _confirm_delete(run)
    _notes(run)
    _records(run)


@error_reporting.fragment()
def _records(run: Run) -> None:
    with widgets.errors():
        if settings := widgets.folded("Settings", "run_settings"):
            config = run.config()
            rows = {"Setting": list(config), "Value": [str(value) for value in config.values()]}
            widgets.table(rows, "Settings of the run", place=settings)
        if log := widgets.folded("Log", "run_log"):
            log.container(height=320).code(run.log_tail() or "The log is empty so far.", language=None)


def _notes(run: Run) -> None:
    with st.expander("Notes", expanded=bool(run.notes())):
        text = st.text_area("Notes on this run", run.notes(), key=f"notes-{run.id}", label_visibility="collapsed")
        if st.button("Save notes", key=f"save-{run.id}"):
            with widgets.errors():
                actions.write_notes(run.id, text)
                st.toast("Notes saved.")


@st.dialog("Delete this run?")
def _confirm_delete(run: Run) -> None:
    name = widgets.plain(summary(run)["name"])
    st.markdown(
        f"**{name}** ({widgets.plain(run.id)}) will be deleted permanently, with its checkpoints, predictions and "
        "detector. A detector promoted to the library is kept."
    )
    if told := cited(run.bundle):
        st.warning(widgets.plain(told))
    dialogs.decide("Delete for good", lambda: _delete(run), done=f"{name} is deleted.")


def _delete(run: Run) -> None:
    actions.delete_run(run.id)
    widgets.forget_address("run", run.id)
