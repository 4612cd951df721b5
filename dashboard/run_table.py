"""The list of runs on Monitor: what they are compared by, sortable; a click on a row shows the run."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import stored, widgets
from dfcore.evaluation import METRICS
from dfcore.runs import Run, State, readable, summary
from dfcore.training.progress import best_row
from dfcore.utils.texts import duration

_KEY, _IDS = "run_table", "run_table_ids"
_ACTIVE = {str(state) for state in State if state.active}
_ROWS = 6


def show(runs: list[Run], picked: str) -> None:
    """Lists the runs with the shown one selected; a click on another one shows that instead."""
    rows = [_row(run) for run in runs]
    ids = [run.id for run in runs]
    st.session_state[_IDS] = ids
    # The select box above the table may have chosen another run, and new runs move the rows.
    st.session_state[_KEY] = {"selection": {"rows": [ids.index(picked)], "columns": [], "cells": []}}
    left = [] if any(row["Time left"] for row in rows) else ["Time left"]
    widgets.table(
        [{name: value for name, value in row.items() if name not in left} for row in rows],
        f"{len(rows)} runs with state, best validation results, epochs and times; the shown run is selected",
        key=_KEY, on_select=_chosen, selection_mode="single-row", column_config=_columns(),
        height=37 + 35 * min(len(rows), _ROWS),
    )  # fmt: skip
    if st.session_state.get("run") != picked:  # Within a fragment, the rest of the page has not run yet.
        st.rerun()


def _chosen() -> None:
    rows = st.session_state[_KEY]["selection"]["rows"]
    if rows:
        st.session_state["run"] = st.session_state[_IDS][rows[0]]


def best(run: Run) -> dict[str, float] | None:
    """Row of the history for the best epoch so far; None before the first one, or if files are damaged."""
    watched = (readable(run.config) or {}).get("early_stopping", "auc")
    return _best(run.folder, stored.stamp(run.folder / "history.csv"), str(watched))


@lru_cache(maxsize=10_000)
def _best(folder: Path, _stamp: float, watched: str) -> dict[str, float] | None:
    """`best`, kept until the history changes: the list is drawn anew every two seconds, with any number of runs."""
    return best_row(readable(Run(folder).history) or [], watched)


def _row(run: Run) -> dict[str, Any]:
    row, figures = summary(run), best(run) or {}
    return {
        "Name": row["name"],
        "State": row["state"],
        "ROC AUC": figures.get("val_auc"),
        "Accuracy": figures.get("val_accuracy"),
        "Epochs": f"{row['epoch']:g} of {row['epochs']:g}",
        "Progress": row["progress"],
        "Time left": duration(row["seconds_left"]) if row["state"] == "running" else None,
        "Started": row["created"].replace("T", " ")[:16],
        "Minutes": _minutes(run, active=row["state"] in _ACTIVE),
        "Id": row["id"],
    }


def _minutes(run: Run, *, active: bool) -> float | None:
    """Minutes from the start to the last sign of life."""
    status, created = readable(run.status), readable(lambda: run.created)
    if status is None or created is None or not status.heartbeat:
        return None
    return max(status.heartbeat - created.timestamp() + (run.silence() if active else 0), 0) / 60


def _columns() -> dict[str, Any]:
    column = st.column_config
    of_best = "On validation, at the best epoch so far."
    return {
        "Name": column.TextColumn(width="medium"),
        "State": column.TextColumn(width=90),
        "ROC AUC": column.NumberColumn(format="%.3f", help=f"{METRICS['roc_auc'].help} {of_best}", width=80),
        "Accuracy": column.NumberColumn(format="%.3f", help=f"At a score of 0.5. {of_best}", width=80),
        "Epochs": column.TextColumn(help="Epochs begun of those planned, cross-validation included.", width=90),
        "Progress": column.ProgressColumn(
            min_value=0, max_value=1, format="percent", color="gray", width=90, help="Steps done of those planned."
        ),
        "Started": column.TextColumn(help="Date and time in UTC.", width=130),
        "Minutes": column.NumberColumn(
            format="%.1f", width=80, help="From the start to the last report, with pauses between stop and resume."
        ),
    }  # fmt: skip
