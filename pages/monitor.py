"""Monitor: all runs and their states, live curves, and what can be done with a run."""

import streamlit as st

from dashboard import error_reporting, run_actions, stored, widgets
from dashboard.navigation import require_front_door
from dfcore import figures
from dfcore.runs import Run, summaries

require_front_door()

_EVERY_SECONDS = 2
_SILENT_SECONDS = 30
_CURVES = {
    "Loss": ({"loss": "training", "val_loss": "validation"}, False),
    "Accuracy at 0.5": ({"accuracy": "training", "val_accuracy": "validation"}, True),
    "ROC AUC on validation": ({"val_auc": "validation"}, True),
    "Learning rate": ({"lr": "learning rate"}, False),
}


def show_list(runs: list[Run]) -> None:
    rows = summaries(runs)
    table = [
        {
            "Name": row["name"], "State": row["state"], "Progress": row["progress"],
            "Epoch": f"{row['epoch']} of {row['epochs']}",
            "Time left": widgets.duration(row["seconds_left"]) if row["state"] == "running" else "",
            "Started": row["created"].replace("T", " ").removesuffix("+00:00") + " UTC", "Id": row["id"],
        }
        for row in rows
    ]  # fmt: skip
    progress = st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent")
    height = 37 + 35 * min(len(table), 5)
    st.dataframe(table, hide_index=True, height=height, column_config={"Progress": progress})


def show_progress(run: Run) -> None:
    status = run.status()
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.state_badge(status.state)
        st.markdown(widgets.plain(status.reason or status.phase or " "))
    left = f", at most {widgets.duration(status.seconds_left)} left" if status.state == "running" else ""
    speed = f", {status.images_per_second:.0f} images/s" if status.images_per_second and left else ""
    step = f", step {status.step} of {status.steps}" if status.steps and status.state.active else ""
    beside = " (those for cross-validation included)" if status.epochs > run.config()["epochs"] else ""
    silent = run.silence() if status.state.active else 0
    if silent > _SILENT_SECONDS:
        st.warning(
            f"Its process lives, but has given no sign for {widgets.duration(silent)}: the machine may be overloaded, "
            "asleep, or out of memory.",
            icon=":material/hourglass_disabled:",
        )
    st.progress(status.fraction, f"Epoch {status.epoch} of {status.epochs}{beside}{step}{speed}{left}")


def show_curves(runs: list[Run]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        smoothing = st.slider(
            "Smoothing", 0.0, 0.95, 0.0, 0.05, key="monitor_smoothing", persist_state="session", width=260,
            help="Weight of the past in the curve; the raw one stays visible behind it.",
        )  # fmt: skip
        log = st.toggle(
            "Logarithmic loss", key="monitor_log", persist_state="session", help="Shows small losses apart."
        )
    # Names alone may repeat; what differs is the time in the id.
    histories = {f"{run.name} ({run.id[9:15]})": run.history() for run in runs}
    if not any(histories.values()):
        st.info("The first curve points appear when the first epoch is done.", icon=":material/hourglass_empty:")
        return
    epochs = max(run.config()["epochs"] for run in runs)
    places = [*st.columns(2), *st.columns(2)]
    for place, (title, (columns, unit)) in zip(places, _CURVES.items(), strict=True):
        with place:
            st.caption(title)
            figure = figures.training_curves(
                histories, columns, title=title, epochs=epochs, smoothing=smoothing,
                log=log and title == "Loss", unit_range=unit,
            )  # fmt: skip
            st.plotly_chart(figure, key=f"curve_{title}")


def show_steps(run: Run) -> None:
    """Open until the first epoch is done, since there is no other curve yet; then whoever wants it opens it."""
    st.session_state.setdefault("monitor_steps", not run.history())
    if place := widgets.folded("Training loss, step by step", "monitor_steps"):
        rows = run.steps()
        place.caption(f"{len(rows):,} reports, each the mean over a second" if rows else "No step was reported yet.")
        if rows:
            place.line_chart(figures.thinned([row["loss"] for row in rows]), x="report", y="loss", height=180)


st.title("Monitor")
every = stored.runs()
if not every:
    widgets.empty("No runs yet.", "train", "Start a training run", "model_training")
    st.stop()
by_id = {run.id: run for run in every}
with widgets.errors():
    left, right = st.columns([3, 2])
    titles = {name: f"{run.name}  ({name})" for name, run in by_id.items()}
    picked = widgets.addressed("Run", titles, "run", help="The run that is shown below.", place=left)
    others = right.multiselect(
        "Overlay", [name for name in by_id if name != picked], format_func=lambda name: f"{by_id[name].name} ({name})",
        key="overlay", help="Other runs to draw into the same curves.",
    )  # fmt: skip
    run = by_id[picked]
    active = any(other.status().state.active for other in every)
    paused = st.toggle("Pause live updates", help="Keeps zoomed curves as they are.") if active else False

    @error_reporting.fragment(run_every=_EVERY_SECONDS if active and not paused else None)
    def live() -> None:
        with widgets.errors():
            show_list(every)
            show_progress(run)
            show_curves([run, *(by_id[name] for name in others)])
            show_steps(run)
        if active and not any(other.status().state.active for other in every):
            st.rerun()  # The last one has ended: no more updates are needed.

    live()
    run_actions.show(run)
