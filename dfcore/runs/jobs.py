"""The jobs in a folder: finding, queueing and deleting them."""

import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from dfcore.errors import JobError, StorageError
from dfcore.runs.job import SILENT_SECONDS, Job
from dfcore.runs.status import State
from dfcore.utils.files import explained, make_folder, share

_NAME = re.compile(r"\d{8}-\d{6}-")
JobT = TypeVar("JobT", bound=Job[Any])


class JobStore(Generic[JobT]):
    """The jobs in a folder.

    Attributes:
        folder: The folder.
        kind: Class of the jobs.
        marks: Files of which a job's folder has one, even if it is damaged.
    """

    kind: type[JobT]
    marks: tuple[str, ...] = ("status.json", "config.json")

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).resolve()

    def get(self, job_id: str) -> JobT:
        """Returns a job by its id.

        Raises:
            JobError: If there is no such job.
        """
        folder = self.folder / job_id
        if not re.fullmatch(r"\w[\w.-]{0,199}", job_id) or not self._is_job(folder):
            known = ", ".join(job.id for job in list(self)[:5]) or "none yet"
            noun = self.kind.noun.lower()
            raise self.kind.error(f"There is no {noun} {job_id!r} in {self.folder}. The latest are: {known}.")
        return self.kind(folder)

    def __iter__(self) -> Iterator[JobT]:
        """Iterates over all jobs, newest first."""
        if self.folder.is_dir():
            folders = [path for path in self.folder.iterdir() if not path.name.startswith(".") and self._is_job(path)]
            yield from (self.kind(path) for path in sorted(folders, reverse=True))

    def delete(self, job_id: str) -> None:
        """Deletes a job permanently; a damaged one only after its heartbeats have ceased.

        Raises:
            JobError: If there is no such job, or it is active.
        """
        job = self.get(job_id)
        try:
            active = job.status().state.active
        except JobError:
            active = job.silence() < SILENT_SECONDS
        if active:
            raise job.error(f"{job.noun} {job_id} is at work; stop it before deleting it.")
        _require_deletable(job)
        # Hidden first, so that nobody sees a partly deleted job.
        aside = self.folder / f".deleted-{job_id}-{time.time_ns()}"
        try:
            job.folder.rename(aside)
        except OSError as error:
            raise StorageError(f"{job.noun} {job_id} cannot be deleted: {explained(error, job.folder)}.") from error
        shutil.rmtree(aside, ignore_errors=True)

    def turn_of(self, job: JobT) -> bool:
        """Whether no earlier job is still queued."""
        return all(other.id >= job.id for other in self if _waits(other))

    @contextmanager
    def _new(self) -> Iterator[Path]:
        """Context manager with a new folder, which is hidden until it is complete, and gone if making it fails.

        Raises:
            StorageError: If the folder cannot be written.
        """
        folder = self.folder / f".new-{uuid.uuid4().hex}"
        try:
            make_folder(self.folder)
            folder.mkdir()
            share(folder)
            yield folder
        except OSError as error:
            noun = self.kind.noun.lower()
            raise StorageError(f"No {noun} can be made in {self.folder}: {explained(error, folder)}.") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _named(self, folder: Path, title: str) -> JobT:
        """Renames a new folder to its unique name, which sorts by time."""
        while True:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
            named = self.folder / f"{stamp}-{title}"
            try:
                return self.kind(folder.rename(named))
            except OSError:
                if not named.exists():
                    raise
                time.sleep(0.002)

    def _is_job(self, folder: Path) -> bool:
        """Whether a folder is a job, even if one of its files is missing, or it is another account's and closed."""
        try:
            return any((folder / name).is_file() for name in self.marks)
        except PermissionError:
            return bool(_NAME.match(folder.name))


def _require_deletable(job: Job[Any]) -> None:
    """Checks before anything is deleted that all of it can be."""
    for folder in (job.folder, *(path for path in job.folder.rglob("*") if path.is_dir() and not path.is_symlink())):
        if not os.access(folder, os.W_OK | os.X_OK):
            denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            raise StorageError(f"{job.noun} {job.id} cannot be deleted: {explained(denied, folder)}.")


def _waits(job: Job[Any]) -> bool:
    """Whether a job is queued; a damaged one does not block the queue."""
    try:
        return job.status().state is State.QUEUED
    except JobError:
        return False
