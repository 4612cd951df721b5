"""How far a batch is, live; see `job_progress`."""

from typing import TYPE_CHECKING

from dashboard import actions, batches, job_progress

if TYPE_CHECKING:
    from dfcore.batch.job import Batch, BatchStatus


def show(batch: "Batch") -> None:
    """Shows state and progress, and what stops it or has it go on."""
    kind = job_progress.Kind(
        "batch", "picture", "row", batches.so_far, _done, batches.settings, actions.stop_batch, actions.resume_batch
    )
    job_progress.show(batch, kind)


def _done(status: "BatchStatus") -> str:
    failed = f", {status.failed:,} without a verdict" if status.failed else ""
    return f"{batches.so_far(status)}{failed}"
