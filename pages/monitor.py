"""Monitor: all runs and their states, live curves, and actions on a run."""

import streamlit as st

from dashboard import curve_legend, error_reporting, run_actions, run_table, stored, trackers_view, widgets
from dashboard.navigation import require_front_door
from dfcore import figures
from dfcore.evaluation import METRICS
from dfcore.runs import Run, State, readable, summaries, summary
from dfcore.utils.texts import duration

require_front_door()

_EVERY_SECONDS = 2
_SILENT_SECONDS = 30
# Maximum number of settings named in a legend.
_MOST_DIFFERENCES = 3
_ACTIVE = {str(state) for state in State if state.active}
_CURVES = {
    "Loss": ({"loss": "training", "val_loss": "validation"}, False),
    f"{METRICS['accuracy'].title} at 0.5": ({"accuracy": "training", "val_accuracy": "validation"}, True),
    f"{METRICS['roc_auc'].title} on validation": ({"val_auc": "validation"}, True),
    "Learning rate": ({"lr": "learning rate"}, False),
}


def show_progress(run: Run) -> None:
    row, status = summary(run), readable(run.status)
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.state_badge(row["state"])
        st.markdown(widgets.told(row["reason"] or (status.phase if status else "")) or " ")
    if status is None:
        return
    running = status.state is State.RUNNING
    left = f", at most {duration(status.seconds_left)} left" if running and status.seconds_left is not None else ""
    speed = f", {status.images_per_second:.0f} images/s" if running and status.images_per_second else ""
    step = f", step {status.step:g} of {status.steps:g}" if status.steps and status.state.active else ""
    beside = " (including cross-validation)" if status.epochs > row["planned"] else ""
    silent = run.silence() if status.state.active else 0
    if silent > _SILENT_SECONDS:
        st.warning(
            f"Its process is alive, but has not reported for {duration(silent)}: the machine may be "
            "overloaded, asleep, or out of memory.",
            icon=":material/hourglass_disabled:",
        )
    st.progress(status.fraction, f"Epoch {status.epoch:g} of {status.epochs:g}{beside}{step}{speed}{left}")


def show_curves(runs: list[Run]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        smoothing = st.slider(
            "Smoothing", 0.0, 0.95, 0.0, 0.05, key="monitor_smoothing", persist_state="session", width=260,
            help="Weight of past values in the curve; the raw curve stays visible behind it.",
        )  # fmt: skip
        log = st.toggle("Logarithmic loss", key="monitor_log", persist_state="session", help="Separates small losses.")
    histories = {run.id: readable(run.history) or [] for run in runs}
    if not any(histories.values()):
        st.info("Curves appear after the first epoch.", icon=":material/hourglass_empty:")
        return
    rows = summaries(runs)
    epochs = max(row["planned"] or len(histories[row["id"]]) for row in rows)
    names = legends(runs)
    best = {run.id: row["epoch"] for run in runs if (row := run_table.best(run))}
    curve_legend.show(names)
    places = [*st.columns(2), *st.columns(2)]
    for place, (title, (columns, unit)) in zip(places, _CURVES.items(), strict=True):
        with place:
            st.caption(title)
            figure = figures.training_curves(
                histories, columns, title=title, epochs=int(epochs), names=names, smoothing=smoothing,
                log=log and title == "Loss", unit_range=unit, best=best,
            )  # fmt: skip
            widgets.chart(figure, f"curve_{title}", f"{title} by epoch. {described(histories, columns, names)}")


def described(histories: dict[str, list[dict[str, float]]], columns: dict[str, str], names: dict[str, str]) -> str:
    """First and last value of each curve, in words."""
    parts = []
    for run, rows in histories.items():
        for column, kind in columns.items():
            if values := [row[column] for row in rows if column in row]:
                parts.append(f"{names[run]}, {kind}: from {values[0]:.3g} to {values[-1]:.3g}")
    return "; ".join(parts) + "."


def legends(runs: list[Run]) -> dict[str, str]:
    """Unique legend entries, {run id: name}; runs of the same name get the settings in which they differ."""
    names = {row["id"]: row["name"] for row in summaries(runs)}
    settings = {run.id: readable(run.config) or {} for run in runs}
    result = {}
    for run_id, name in names.items():
        alike = [settings[other] for other in names if names[other] == name]
        apart = {
            key: value for key, value in settings[run_id].items() if any(other.get(key) != value for other in alike)
        }
        text = ", ".join(f"{key} {value}" for key, value in list(apart.items())[:_MOST_DIFFERENCES])
        result[run_id] = f"{name} ({text})" if text else name
    repeated = {text for text in result.values() if list(result.values()).count(text) > 1}
    return {run_id: f"{text} [{run_id}]" if text in repeated else text for run_id, text in result.items()}


def show_steps(run: Run) -> None:
    """Shows the loss per step; open until the first epoch ends, since there is no other curve yet."""
    st.session_state.setdefault("monitor_steps", not readable(run.history))
    if place := widgets.folded("Training loss by step", "monitor_steps"):
        rows = readable(run.steps)
        place.caption(f"{len(rows):,} reports, each the mean over a second" if rows else "No step was reported yet.")
        if rows:
            losses = [row["loss"] for row in rows]
            place.line_chart(
                figures.thinned(losses), x="report", y="loss", height=180, color=figures.SERIES_COLOURS[0],
                alt=f"Training loss by report, from {losses[0]:.3g} to {losses[-1]:.3g}",
            )  # fmt: skip


def any_active(runs: list[Run]) -> bool:
    return any(row["state"] in _ACTIVE for row in summaries(runs))


st.title("Monitor")
every = stored.runs()
if not every:
    if asked := st.query_params.get("run"):
        widgets.missing("Run", asked)
    widgets.empty("No runs yet.", "train", "Start a training run", "model_training")
    st.stop()
by_id = {run.id: run for run in every}
with widgets.errors():
    left, right = st.columns([3, 2])
    titles = {row["id"]: stored.run_title(row) for row in summaries(every)}
    picked = widgets.addressed("Run", titles, "run", help="The run shown below.", place=left)
    others = widgets.addressed_several(
        "Overlay", {name: title for name, title in titles.items() if name != picked}, "overlay",
        what="Run", known=by_id, most=len(figures.SERIES_COLOURS) - 1, place=right,
        help="Other runs to draw in the same charts.",
    )  # fmt: skip
    run = by_id[picked]
    active = any_active(every)
    paused = st.toggle("Pause live updates", help="Holds table and charts still.") if active else False

    @error_reporting.fragment(run_every=_EVERY_SECONDS if active and not paused else None)
    def live() -> None:
        with widgets.errors():
            run_table.show(every, picked)
            show_progress(run)
            show_curves([run, *(by_id[name] for name in others)])
            show_steps(run)
        if active and not any_active(every):
            st.rerun()  # The last active run has ended: stop updating.

    live()
    run_actions.show(run)
    trackers_view.show(run)
