"""Batches as pages read them: the store, titles, progress in words, and where the address leads."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import detectors
from dfcore.confidence import ErrorBudget
from dfcore.errors import DfcoreError
from dfcore.runs import State, readable
from dfcore.utils.texts import duration

if TYPE_CHECKING:
    from dfcore.batch.job import Batch, BatchStatus
    from dfcore.batch.store import BatchStore

AUTO = "auto"  # As `dfcore.batch.names.AUTO`, without importing what judges.
STATE_WORDS = {
    State.QUEUED: "waiting", State.RUNNING: "running", State.STOPPING: "stopping", State.COMPLETED: "ended",
    State.STOPPED: "stopped", State.FAILED: "failed", State.INTERRUPTED: "interrupted",
}  # fmt: skip


def store() -> "BatchStore":
    """The store of batches of this workspace."""
    from dfcore.batch.store import BatchStore

    return BatchStore()


def find(batch_id: str) -> "Batch | None":
    """The batch with this id; None if there is none, or it cannot be read."""
    try:
        return store().get(batch_id)
    except DfcoreError:
        return None


def title(batch: "Batch") -> str:
    """Title of a batch in a select box."""
    request = readable(lambda: batch.request)
    return f"{request.title}  ({batch.created:%Y-%m-%d %H:%M})" if request else f"{batch.id}, damaged"


def so_far(status: "BatchStatus") -> str:
    """How far a batch is: "1,200 of 5,000 pictures, 60 images/s, about 1 min left"."""
    total = f" of {status.total:,}" if status.total else ""
    text = f"{status.done:,}{total} {'picture' if (status.total or status.done) == 1 else 'pictures'}"
    if status.state is State.RUNNING:
        text += f", {status.images_per_second:,.0f} images/s" if status.images_per_second else ""
        text += f", about {duration(status.seconds_left)} left" if status.seconds_left is not None else ""
    return text


def detector_titles(keys: "list[str]") -> dict[str, str]:
    """{key: title} of detectors, in the order of `keys`; the key itself for one that is gone."""
    known = {entry.key: entry.title for entry in detectors.detectors()}
    return {key: known.get(key, key) for key in keys}


def settings(batch: "Batch") -> str:
    """How a batch is judged, in a sentence."""
    keys = list(batch.request.detectors)
    by = "the detector that fits each picture" if keys == [AUTO] else ", ".join(detector_titles(keys).values())
    budget = batch.request.budget
    errors = "the errors that each detector's card accepts" if budget is None else accepted(budget)
    unlike = "; unlike pictures are decided on too" if batch.request.options.ignore_ood else ""
    return f"Judged by {by}, with {errors}{unlike}."


def accepted(budget: ErrorBudget) -> str:
    """An error budget in words."""
    return f"at most {100 * budget.max_fpr:g}% false alarms and {100 * budget.max_fnr:g}% missed fakes"


def detector_choice(batch: "Batch") -> str:
    """What is chosen as detector in Inspect to judge a picture as the batch did: "auto" or a detector's key."""
    keys = list(batch.request.detectors)
    return keys[0] if len(keys) == 1 else AUTO


def take_over(batch: "Batch") -> None:
    """Has Inspect accept the same errors as a batch, so that both say the same of a picture."""
    budget = batch.request.budget
    st.session_state["inspect_own_budget"] = budget is not None
    if budget is not None:
        st.session_state["inspect_max_fpr"] = 100 * budget.max_fpr
        st.session_state["inspect_max_fnr"] = 100 * budget.max_fnr
    st.session_state["inspect_ignore_ood"] = batch.request.options.ignore_ood
