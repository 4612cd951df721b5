"""Jobs that judge what people handed over: they stop and go on, and what was handed over is deleted when they close."""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

from dfcore.errors import DfcoreError
from dfcore.runs.detached import logging_environment, start_process
from dfcore.runs.jobs import JobStore, JobT
from dfcore.utils.environment import amount

# Hours from the end of a job until its files are deleted.
HOURS, _DEFAULT_HOURS = "DFCORE_BATCH_HOURS", 24.0
_SWEEP_SECONDS = 24 * 3600


class ClosingStore(JobStore[JobT], ABC):
    """The jobs in a folder; going through them closes those whose time is up, see `hours`.

    Their status has `closed`: why their files were deleted, "by request" or "by age"; "" if they are there.

    Attributes:
        worker: Module that is run as the process of a job.
    """

    worker: ClassVar[str]

    def __iter__(self) -> Iterator[JobT]:
        """Iterates over all jobs, newest first."""
        for job in super().__iter__():
            with suppress(DfcoreError):  # A damaged or another account's job is shown as it is.
                self._close_by_age(job)
            yield job

    def launch(self, job: JobT) -> None:
        """Starts the process of a job, detached so that it outlives its parent process.

        Raises:
            DfcoreError: If the process cannot be started.
            JobError: If another process is already judging, or the job is completed.
        """
        start_process(job, self.worker, logging_environment(), "judging", ended=None)

    def stop(self, job_id: str) -> None:
        """Asks a job to stop; what is judged by then stays, and it can go on later.

        Raises:
            JobError: If there is no such job, or it is not active.
        """
        self.get(job_id).request_stop()

    def resume(self, job_id: str) -> None:
        """Lets a job go on; what is judged stays.

        Raises:
            JobError: If there is no such job, it is active or completed, or its files were deleted.
            DfcoreError: If the process cannot be started.
        """
        job = self.get(job_id)
        status = job.status()
        if not status.state.resumable:
            raise job.error(
                f"{job.noun} {job_id} is {status.state}; only a stopped, failed or interrupted one can go on."
            )
        if status.closed:
            raise job.error(f"{job.noun} {job_id} is closed: its files were deleted. Start a new one.")
        self.launch(job)

    def close(self, job_id: str) -> None:
        """Deletes all pictures of a job, its thumbnails too, and copies of what was uploaded; its rows stay.

        Raises:
            JobError: If there is no such job, or it is active.
            StorageError: If something cannot be deleted.
        """
        job = self.get(job_id)
        if job.status().state.active:
            raise job.error(f"{job.noun} {job_id} is at work; stop it before its files are deleted.")
        self._close(job, "by request")

    def _close_by_age(self, job: JobT) -> None:
        status = job.status()
        if status.state.active or status.closed:
            return
        if time.time() - (status.ended or status.heartbeat) > hours() * 3600:
            self._close(job, "by age")

    def _close(self, job: JobT, why: str) -> None:
        """Said first, so that nobody looks for what is being deleted."""
        job.update(closed=why)
        self._delete_files(job)

    @abstractmethod
    def _delete_files(self, job: JobT) -> None:
        """Deletes what goes when a job is closed."""

    def _remove_half_made(self) -> None:
        """Deletes what a process that was killed left behind: jobs that were being made or deleted."""
        for folder in [*self.folder.glob(".new-*"), *self.folder.glob(".deleted-*")]:
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _SWEEP_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)


def hours() -> float:
    """Hours from the end of a job until its files are deleted, `DFCORE_BATCH_HOURS`, 24 by default.

    Raises:
        InputError: If it is no number of hours.
    """
    return amount(HOURS, _DEFAULT_HOURS, "hours")
