"""The batches of this workspace: the one that the address names, and a list in which a click opens another."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import batches, widgets
from dfcore.runs import readable

if TYPE_CHECKING:
    from dfcore.batch.job import Batch

_KEY, _IDS = "batch_table", "batch_table_ids"
_ROWS = 5


def choose(every: "list[Batch]") -> "Batch":
    """Shows the select box of the batches; returns the chosen one."""
    titles = {batch.id: batches.title(batch) for batch in every}
    counts = Counter(titles.values())
    # A select box cannot tell options apart that are written alike.
    titles = {name: f"{text}  [{name}]" if counts[text] > 1 else text for name, text in titles.items()}
    picked = widgets.addressed("Batch", titles, "batch", help="The batch that is shown; the newest comes first.")
    return next(batch for batch in every if batch.id == picked)


def show(every: "list[Batch]", picked: str) -> None:
    """Lists the batches, where there are several, with the one of this id selected; a click shows another one."""
    if len(every) < 2:
        return
    place = widgets.folded(f"All {len(every):,} batches", "batch_every", icon=":material/list:")
    if place:
        with place:
            _show(every, picked)


def _show(every: "list[Batch]", picked: str) -> None:
    ids = [batch.id for batch in every]
    st.session_state[_IDS] = ids
    st.session_state[_KEY] = {"selection": {"rows": [ids.index(picked)], "columns": [], "cells": []}}
    column = st.column_config
    widgets.table(
        [_row(batch) for batch in every],
        f"{len(every)} batches with state, pictures, verdicts and time; the shown one is selected", key=_KEY,
        on_select=_chosen, selection_mode="single-row", height=37 + 35 * min(len(every), _ROWS),
        column_config={
            "Name": column.TextColumn(width="medium"),
            "Likely fake": column.NumberColumn(help="Pictures called likely fake so far."),
            "No verdict": column.NumberColumn(help="Pictures that could not be judged so far."),
            "Started": column.TextColumn(help="Date and time in UTC."),
        },
    )  # fmt: skip


def _chosen() -> None:
    rows = st.session_state[_KEY]["selection"]["rows"]
    if rows:
        st.session_state["batch"] = st.session_state[_IDS][rows[0]]


def _row(batch: "Batch") -> dict[str, Any]:
    status, counts, request = readable(batch.status), readable(batch.counts) or {}, readable(lambda: batch.request)
    return {
        "Name": request.title if request else batch.id,
        "State": batches.STATE_WORDS[status.state] if status else "damaged",
        "Pictures": status.done if status else None,
        "Likely fake": counts.get("fake", 0),
        "No verdict": counts.get("", 0),
        "Files": ("deleted" if status.closed else "kept") if status else None,
        "Started": request.created.replace("T", " ")[:16] if request else None,
        "By": request.by if request else None,
    }
