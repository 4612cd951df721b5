"""How batches are listed; see `job_list`."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import batches, job_list
from dfcore.runs import readable

if TYPE_CHECKING:
    from dfcore.batch.job import Batch


def _row(batch: "Batch") -> dict[str, Any]:
    status, counts = readable(batch.status), readable(batch.counts) or {}
    return {
        "Pictures": status.done if status else None,
        "Likely fake": counts.get("fake", 0),
        "No verdict": counts.get("", 0),
        "Files": job_list.kept(batch),
    }


BATCHES = job_list.Kind(
    "batch", "batches", batches.title, _row,
    {
        "Likely fake": st.column_config.NumberColumn(help="Pictures called likely fake so far."),
        "No verdict": st.column_config.NumberColumn(help="Pictures that could not be judged so far."),
    },
    "state, pictures, verdicts and time",
)  # fmt: skip
