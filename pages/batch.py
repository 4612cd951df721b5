"""Batch: many pictures judged at once, found again, filtered, looked through and taken away."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import (
    batch_choice,
    batch_files,
    batch_filters,
    batch_grid,
    batch_list,
    batch_progress,
    batch_review,
    batches,
    job_list,
    roles,
    widgets,
)
from dashboard.navigation import require_front_door
from dashboard.roles import Role

if TYPE_CHECKING:
    from dfcore.batch.job import Batch

require_front_door()


def show_results(batch: "Batch") -> None:
    if not batch.status().done:
        st.caption("Results appear here as soon as pictures are judged.")
        return
    view = batch_filters.choose(batch)
    opens = roles.may(Role.ANALYST)
    if opens and (number := batch_grid.opened()) is not None:
        with widgets.errors():
            batch_review.open_row(batch, number, view)
    if place := widgets.folded("Histogram of the scores", "batch_histogram", icon=":material/bar_chart:"):
        with place:
            batch_filters.show_histogram(batch, view)
    batch_grid.show(batch, view, opens=opens)


with widgets.errors():
    there = list(batches.store())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Batch", width="content")
        batch = job_list.choose(there, batch_list.BATCHES) if there else None
    if batch is None:
        if asked := st.query_params.get("batch"):
            widgets.missing("Batch", asked)
        st.markdown("No batch yet. Choose many pictures, a ZIP or a folder: each picture gets a verdict, and the batch "
                    "is found again here.")  # fmt: skip
        batch_choice.show()
    else:
        if place := widgets.folded("Judge further pictures", "batch_new", icon=":material/add:"):
            with place:
                batch_choice.show()
        job_list.show(there, batch.id, batch_list.BATCHES)
        with widgets.errors():
            batch_progress.show(batch)
            show_results(batch)
        batch_files.show(batch)
