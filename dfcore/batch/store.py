"""The batches in a folder: starting, stopping, going on, closing and deleting them."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dfcore import workspace
from dfcore.batch import sources as what
from dfcore.batch.job import Batch, BatchStatus, Options, Request, now
from dfcore.batch.names import AUTO
from dfcore.batch.ready import choices
from dfcore.batch.sources import Source
from dfcore.confidence import ErrorBudget
from dfcore.errors import BatchError, DfcoreError, InputError
from dfcore.runs.detached import logging_environment, start_process
from dfcore.runs.jobs import JobStore
from dfcore.runs.status import State
from dfcore.utils.files import write_json

WORKER = "dfcore.batch.worker"
# Hours from the end of a batch until its pictures are deleted.
HOURS, _DEFAULT_HOURS = "DFCORE_BATCH_HOURS", 24.0
_SWEEP_SECONDS = 24 * 3600


class BatchStore(JobStore[Batch]):
    """The batches in a folder, by default that of the workspace.

    Going through them closes those whose time is up.
    """

    kind = Batch
    marks = ("status.json", "batch.json")

    def __init__(self, folder: str | Path | None = None):
        super().__init__(folder or workspace.batches_dir())

    def __iter__(self) -> Iterator[Batch]:
        """Iterates over all batches, newest first."""
        for batch in super().__iter__():
            with suppress(DfcoreError):  # A damaged or another account's batch is shown as it is.
                self._close_by_age(batch)
            yield batch

    def start(
        self,
        sources: Iterable[Source],
        detectors: Sequence[str] = (AUTO,),
        *,
        budget: ErrorBudget | None = None,
        options: Options = Options(),
        by: str = "",
        title: str = "",
    ) -> Batch:
        """Creates a batch and starts its process, which waits for its turn.

        Args:
            sources: What to judge; uploads are copied one after the other, so they need not be held together.
            detectors: Names in the library or "run:ID"; `AUTO` alone lets the one that fits judge each picture.
            budget: Acceptable errors; None for the cards' own.
            options: How to judge.
            by: Who asks.
            title: Name for people; by default what is judged.

        Raises:
            InputError: If there is nothing to judge, something may not be read, or a detector is missing.
            StorageError: If there is no space.
            DfcoreError: If the process cannot be started.
        """
        choices(detectors)
        hours()
        self._remove_half_made()
        with self._new() as folder:
            records = what.take(sources, folder)
            words = what.in_words(records)
            request = Request(
                title.strip() or _title(words), by, now(), tuple(detectors), budget, options, words
            )  # fmt: skip
            write_json(folder / "sources.json", {"sources": records})
            write_json(folder / "batch.json", request.to_dict())
            status = BatchStatus(State.QUEUED, heartbeat=time.time(), phase="starting its process")
            write_json(folder / "status.json", status.__dict__)
            batch = self._named(folder, "batch")
        launch(batch)
        return batch

    def stop(self, batch_id: str) -> None:
        """Asks a batch to stop; what is judged by then stays, and it can go on later.

        Raises:
            BatchError: If there is no such batch, or it is not active.
        """
        self.get(batch_id).request_stop()

    def resume(self, batch_id: str) -> None:
        """Lets a batch go on; what is judged stays.

        Raises:
            BatchError: If there is no such batch, it is active or completed, or its files were deleted.
            DfcoreError: If the process cannot be started.
        """
        batch = self.get(batch_id)
        status = batch.status()
        if not status.state.resumable:
            raise BatchError(
                f"Batch {batch_id} is {status.state}; only a stopped, failed or interrupted one can go on."
            )
        if status.closed:
            raise BatchError(f"Batch {batch_id} is closed: its files were deleted. Start a new one.")
        launch(batch)

    def close(self, batch_id: str) -> None:
        """Deletes all pictures of a batch, its thumbnails too; its rows stay.

        Raises:
            BatchError: If there is no such batch, or it is active.
            StorageError: If something cannot be deleted.
        """
        batch = self.get(batch_id)
        if batch.status().state.active:
            raise BatchError(f"Batch {batch_id} is at work; stop it before its files are deleted.")
        _close(batch, "by request")

    def _close_by_age(self, batch: Batch) -> None:
        status = batch.status()
        if status.state.active or status.closed:
            return
        if time.time() - (status.ended or status.heartbeat) > hours() * 3600:
            _close(batch, "by age")

    def _remove_half_made(self) -> None:
        """Deletes what a process that was killed left behind: batches that were being made or deleted."""
        for folder in [*self.folder.glob(".new-*"), *self.folder.glob(".deleted-*")]:
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _SWEEP_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)


def hours() -> float:
    """Hours from the end of a batch until its pictures are deleted, `DFCORE_BATCH_HOURS`, 24 by default.

    Raises:
        InputError: If it is no number of hours.
    """
    text = os.environ.get(HOURS, "").strip()
    try:
        result = float(text) if text else _DEFAULT_HOURS
    except ValueError:
        result = -1.0
    if not 0 <= result < float("inf"):
        raise InputError(f"Expected a number of hours, 0 or more, in {HOURS}. Received: {text}.")
    return result


def launch(batch: Batch) -> None:
    """Starts the process of a batch, detached so that it outlives its parent process.

    Raises:
        DfcoreError: If the process cannot be started.
        BatchError: If another process is already judging, or the batch is completed.
    """
    start_process(batch, WORKER, logging_environment(), "judging", ended=None)


def _close(batch: Batch, why: str) -> None:
    """Deletes a batch's pictures; said first, so that nobody looks for what is being deleted."""
    batch.update(closed=why)
    shutil.rmtree(batch.spool, ignore_errors=True)
    batch.thumbnails.unlink(missing_ok=True)


def _title(words: Sequence[str]) -> str:
    names = [Path(words[0]).name or words[0], *words[1:]]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
