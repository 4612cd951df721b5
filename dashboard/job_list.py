"""The jobs of one kind in this workspace: the one that the address names, and a list in which a click opens another."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from dashboard import batches, widgets
from dfcore.runs import readable
from dfcore.runs.job import Job

_ROWS = 5
JobT = TypeVar("JobT", bound=Job[Any])


@dataclass(frozen=True)
class Kind:
    """How jobs of one kind are listed.

    Attributes:
        name: Their name, which is that of the address's parameter too: "batch".
        many: Several of them: "batches".
        title: Of one in the select box.
        row: Its own columns, between state and time.
        column_config: Of its own columns.
        told: What the table shows of each, for those who cannot see it.
    """

    name: str
    many: str
    title: Callable[[Any], str]
    row: Callable[[Any], dict[str, Any]]
    column_config: dict[str, Any]
    told: str


def choose(every: Sequence[JobT], kind: Kind) -> JobT:
    """Shows the select box of the jobs; returns the chosen one."""
    titles = {job.id: kind.title(job) for job in every}
    counts = Counter(titles.values())
    # A select box cannot tell options apart that are written alike.
    titles = {name: f"{text}  [{name}]" if counts[text] > 1 else text for name, text in titles.items()}
    picked = widgets.addressed(
        kind.name.capitalize(), titles, kind.name, help=f"The {kind.name} that is shown; the newest comes first."
    )
    return next(job for job in every if job.id == picked)


def show(every: Sequence[JobT], picked: str, kind: Kind) -> None:
    """Lists the jobs, where there are several, with the one of this id selected; a click shows another one."""
    if len(every) < 2:
        return
    place = widgets.folded(f"All {len(every):,} {kind.many}", f"{kind.name}_all", icon=":material/list:")
    if place:
        with place:
            _show(every, picked, kind)


def _show(every: Sequence[JobT], picked: str, kind: Kind) -> None:
    ids = [job.id for job in every]
    st.session_state[f"{kind.name}_table_ids"] = ids
    key = f"{kind.name}_table"
    st.session_state[key] = {"selection": {"rows": [ids.index(picked)], "columns": [], "cells": []}}
    column = st.column_config
    widgets.table(
        [_row(job, kind) for job in every],
        f"{len(every)} {kind.many} with {kind.told}; the shown one is selected", key=key,
        on_select=lambda: _chosen(kind), selection_mode="single-row", height=37 + 35 * min(len(every), _ROWS),
        column_config={
            "Name": column.TextColumn(width="medium"),
            "Started": column.TextColumn(help="Date and time in UTC."),
            **kind.column_config,
        },
    )  # fmt: skip


def _chosen(kind: Kind) -> None:
    rows = st.session_state[f"{kind.name}_table"]["selection"]["rows"]
    if rows:
        st.session_state[kind.name] = st.session_state[f"{kind.name}_table_ids"][rows[0]]


def _row(job: Any, kind: Kind) -> dict[str, Any]:
    status, request = readable(job.status), readable(lambda: job.request)
    return {
        "Name": request.title if request else job.id,
        "State": batches.STATE_WORDS[status.state] if status else "damaged",
        **kind.row(job),
        "Started": request.created.replace("T", " ")[:16] if request else None,
        "By": request.by if request else None,
    }


def kept(job: Any) -> str | None:
    """Whether the files of a job are still there; None if its status is damaged."""
    status = readable(job.status)
    return None if status is None else "deleted" if status.closed else "kept"
