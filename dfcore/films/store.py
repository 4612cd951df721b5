"""The judged films in a folder: starting, stopping, going on, closing and deleting them."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dfcore import workspace
from dfcore.batch.job import Options, now
from dfcore.batch.names import AUTO, choices
from dfcore.batch.sources import FromPath, Upload, require_space
from dfcore.batch.store import hours
from dfcore.confidence import ErrorBudget
from dfcore.errors import DfcoreError, FilmError, FilmJobError
from dfcore.films.facts import FilmFacts
from dfcore.films.job import FilmJob, FilmRequest, FilmStatus
from dfcore.films.reader import open_film
from dfcore.films.sampling import Sampling
from dfcore.runs.detached import logging_environment, start_process
from dfcore.runs.jobs import JobStore
from dfcore.runs.status import State
from dfcore.utils.files import sha256_file, share, write_json
from dfcore.utils.texts import storable

WORKER = "dfcore.films.worker"
_SWEEP_SECONDS = 24 * 3600
_PIECE = 1 << 20


class FilmStore(JobStore[FilmJob]):
    """The films in a folder, by default that of the workspace.

    Going through them closes those whose time is up, which is that of batches (`dfcore.batch.store.hours`).
    """

    kind = FilmJob
    marks = ("status.json", "film.json")

    def __init__(self, folder: str | Path | None = None):
        super().__init__(folder or workspace.films_dir())

    def __iter__(self) -> Iterator[FilmJob]:
        """Iterates over all films, newest first."""
        for job in super().__iter__():
            with suppress(DfcoreError):  # A damaged or another account's film is shown as it is.
                self._close_by_age(job)
            yield job

    def start(
        self,
        source: FromPath | Upload,
        sampling: Sampling = Sampling(),
        detectors: Sequence[str] = (AUTO,),
        *,
        faces: bool = True,
        budget: ErrorBudget | None = None,
        options: Options = Options(),
        by: str = "",
        title: str = "",
    ) -> FilmJob:
        """Opens a film, creates its job and starts the process, which waits for its turn: one film at a time.

        Args:
            source: The film, where it lies or as it is handed over; an upload is copied.
            sampling: Which frames are looked at.
            detectors: Names in the library or "run:ID"; `AUTO` alone lets the one that fits judge the whole frames.
            faces: Whether faces are judged too.
            budget: Acceptable errors; None for the cards' own.
            options: How to judge.
            by: Who asks.
            title: Name for people; by default the file's.

        Raises:
            FilmError: If it is no film that can be read.
            InputError: If it may not be read, or a detector is missing.
            MissingExtraError: If PyAV is not installed.
            StorageError: If there is no space.
            DfcoreError: If the process cannot be started.
        """
        choices(detectors)
        self._remove_half_made()
        with self._new() as folder:
            path, name = _taken(source, folder)
            facts = _facts(path)
            request = FilmRequest(
                title.strip() or name, by, now(), name, str(path) if isinstance(source, FromPath) else "",
                sha256_file(path), facts.bytes, sampling, tuple(detectors), faces, budget, options,
            )  # fmt: skip
            write_json(folder / "film.json", request.to_dict())
            write_json(folder / "facts.json", facts.to_dict())
            length, total = facts.seconds or 0.0, sampling.expected(facts) or 0
            status = FilmStatus(
                State.QUEUED, heartbeat=time.time(), phase="starting its process", length=length, total=total
            )
            write_json(folder / "status.json", status.__dict__)
            job = self._named(folder, "film")
        launch(job)
        return job

    def stop(self, film_id: str) -> None:
        """Asks a film to stop; what is judged by then stays, and it can go on later.

        Raises:
            FilmJobError: If there is no such film, or it is not active.
        """
        self.get(film_id).request_stop()

    def resume(self, film_id: str) -> None:
        """Lets a film go on; what is judged stays.

        Raises:
            FilmJobError: If there is no such film, it is active or completed, or its copy was deleted.
            DfcoreError: If the process cannot be started.
        """
        job = self.get(film_id)
        status = job.status()
        if not status.state.resumable:
            raise FilmJobError(
                f"Film {film_id} is {status.state}; only a stopped, failed or interrupted one can go on."
            )
        if status.closed:
            raise FilmJobError(f"Film {film_id} is closed: its pictures were deleted. Start a new one.")
        launch(job)

    def close(self, film_id: str) -> None:
        """Deletes the copy of an upload and all thumbnails; the rows stay.

        Raises:
            FilmJobError: If there is no such film, or it is active.
            StorageError: If something cannot be deleted.
        """
        job = self.get(film_id)
        if job.status().state.active:
            raise FilmJobError(f"Film {film_id} is at work; stop it before its pictures are deleted.")
        _close(job, "by request")

    def _close_by_age(self, job: FilmJob) -> None:
        status = job.status()
        if status.state.active or status.closed:
            return
        if time.time() - (status.ended or status.heartbeat) > hours() * 3600:
            _close(job, "by age")

    def _remove_half_made(self) -> None:
        """Deletes what a process that was killed left behind: films that were being made or deleted."""
        for folder in [*self.folder.glob(".new-*"), *self.folder.glob(".deleted-*")]:
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _SWEEP_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)


def launch(job: FilmJob) -> None:
    """Starts the process of a film, detached so that it outlives its parent process.

    Raises:
        DfcoreError: If the process cannot be started.
        FilmJobError: If another process is already judging, or the film is completed.
    """
    start_process(job, WORKER, logging_environment(), "judging", ended=None)


def _taken(source: FromPath | Upload, folder: Path) -> tuple[Path, str]:
    """Where a film lies, and its name; copies what is handed over."""
    if isinstance(source, FromPath):
        path = Path(source.path).expanduser().absolute()
        workspace.require_readable(path)
        return path, storable(path.name)
    name = storable(source.name).replace("\\", "/").rstrip("/").rpartition("/")[2] or "film"
    start = source.stream.tell()
    size = source.stream.seek(0, 2) - start
    source.stream.seek(start)
    require_space(folder, size)
    path = folder / "film"
    with open(path, "wb") as copy:
        while piece := source.stream.read(_PIECE):
            copy.write(piece)
    share(path)
    return path, name[-300:]


def _facts(path: Path) -> FilmFacts:
    try:
        with open_film(path) as film:
            return film.facts
    except OSError as error:
        raise FilmError(f"{path} could not be read: {error.strerror or error}.") from error


def _close(job: FilmJob, why: str) -> None:
    """Deletes a film's pictures; said first, so that nobody looks for what is being deleted."""
    job.update(closed=why)
    job.copy.unlink(missing_ok=True)
    job.thumbnails.unlink(missing_ok=True)
