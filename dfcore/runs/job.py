"""Work that a process of its own does in a folder of its own: its state, owner, heartbeat and log.

The folder contains `status.json` (state, process, heartbeat, progress, reason), `heartbeat`, `log.txt`, `.lock`, and
`.reserve` while the job is active. Training runs and batches are jobs.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic

from dfcore.errors import JobError, StorageError
from dfcore.runs.process import alive, place
from dfcore.runs.status import State, StatusT
from dfcore.utils.files import explained, lock, sweep, write_bytes, write_json

# A process elsewhere (another container or machine, or before a reboot) can be checked only by its heartbeats.
SILENT_SECONDS = 8.0
_LAUNCH_SECONDS = 8.0
# Disk space that is released to record the outcome when the disk is full.
_RESERVE_BYTES = 128 * 1024


class Job(Generic[StatusT]):
    """A job's folder; a subclass says what kind of job it is.

    Attributes:
        folder: Path of the folder.
        owner: PID and start time of the process that does the job and uses this object; its writes fail once the job
            has been claimed by another process. None in other processes, which read the job and may request a stop.
        noun: What it is, as the beginning of a sentence: "Run".
        read_status, remembered_status: See `dfcore.runs.stored.status_reader`.
        error: Raised if a job is missing, damaged, or in a state that does not allow the operation.
        lost: Raised where another process has claimed the job.
        gone: Why a job is interrupted.
        finished: What to do with a completed job instead of starting it again.
    """

    noun: str
    read_status: Callable[[Path], StatusT]
    remembered_status: Callable[[Path], StatusT]
    error: type[JobError]
    lost: type[JobError]
    gone: str
    finished: str

    def __init__(self, folder: Path, owner: tuple[float, float] | None = None):
        self.folder = Path(folder)
        self.owner = owner

    @property
    def id(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def log(self) -> Path:
        """Log file with the output of the process."""
        return self.folder / "log.txt"

    def status(self) -> StatusT:
        """Returns the current status; marks the job as interrupted if its process no longer exists.

        Raises:
            JobError: If `status.json` is missing or damaged.
        """
        # A cached status suffices here; writers read the file again under the lock.
        status = self.remembered_status(self.folder / "status.json")
        if not status.state.active or self._process_alive(status):
            return status
        gone: dict[str, Any] = {
            "state": State.INTERRUPTED,
            "before": status.state,
            "reason": self.gone + self._advice(status),
            "seconds_left": None,
        }
        try:
            with self._lock():
                status = self._stored_status()
                if status.state.active and not self._process_alive(status):
                    self.free_reserve()
                    return self._write_status(status, **(gone | {"before": status.state}))
        except StorageError:  # Another account's job: it is interrupted, whether this one may record it or not.
            return replace(status, **gone)
        return self._stored_status()

    def log_tail(self, characters: int = 20_000) -> str:
        """Returns the end of the log, at most `characters` bytes."""
        try:
            with open(self.log, "rb") as file:
                size = file.seek(0, io.SEEK_END)
                file.seek(max(size - characters, 0))
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"The log could not be read: {error.strerror or error}."

    def update(self, **changes: Any) -> StatusT:
        """Changes some fields of the status atomically and returns the new status.

        Raises:
            JobError: If this is the job's process and the job has been claimed by another one.
        """
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if self.owner is not None and status.state is State.INTERRUPTED:
                # An observer elsewhere missed the heartbeats and marked the job as interrupted.
                changes = {"state": State(status.before or State.RUNNING), "reason": ""} | changes
            return self._write_status(status, heartbeat=time.time(), **changes)

    def beat(self) -> None:
        """Records a heartbeat of the process."""
        path = self.folder / "heartbeat"
        try:
            path.touch()
        except PermissionError:  # Another account made it.
            path.unlink(missing_ok=True)
            path.touch()

    def silence(self) -> float:
        """Returns the seconds since the last heartbeat, 0 or more; if the status is damaged, by the heartbeat file."""
        last = 0.0
        with suppress(JobError):
            last = self._stored_status().heartbeat
        with suppress(OSError):
            last = max(last, (self.folder / "heartbeat").stat().st_mtime)
        return max(time.time() - last, 0.0)

    def keep_reserve(self) -> None:
        """Reserves disk space, so that the outcome can still be recorded when the disk is full.

        Raises:
            StorageError: If there is no space.
        """
        self._require_own(self._stored_status())
        write_bytes(self.folder / ".reserve", bytes(_RESERVE_BYTES))

    def sweep(self) -> None:
        """Deletes temporary files left by killed processes, except those of notes, which a user may be saving."""
        with self._lock():
            sweep(self.folder, spare="notes")

    def free_reserve(self) -> None:
        """Releases the reserved disk space."""
        with suppress(OSError):
            (self.folder / ".reserve").unlink(missing_ok=True)

    def request_stop(self) -> StatusT:
        """Requests a stop after the current step and returns the new status; may be called repeatedly.

        Raises:
            JobError: If the job is not active.
        """
        status = self.status()
        if not status.state.active:
            raise self.error(f"{self.noun} {self.id} is {status.state}; only a queued or running one can be stopped.")
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if status.state in (State.QUEUED, State.RUNNING):
                status = self._write_status(status, state=State.STOPPING, phase="stopping")
        return status

    def claim(self, pid: int | None, started: float | None, **changes: Any) -> None:
        """Queues the job and records the process that will do it.

        Args:
            pid: PID of the process.
            started: Start time of the process, see `dfcore.runs.process`.
            changes: Further fields of the status.

        Raises:
            JobError: If another process is doing the job, or the job is completed.
        """
        self.status()  # Marks the job as interrupted if its process no longer exists.
        with self._lock():
            status = self._stored_status()
            if status.state.active and (status.pid, status.started) != (pid, started) and status.pid is not None:
                raise self.error(f"{self.noun} {self.id} is {status.state} already, as process {status.pid}.")
            if status.state is State.COMPLETED:
                raise self.error(f"{self.noun} {self.id} is completed; {self.finished}.")
            self._write_status(
                status,
                state=State.QUEUED,
                pid=pid,
                started=started,
                place=place(),
                heartbeat=time.time(),
                phase="waiting for its turn",
                reason="",
                seconds_left=None,
                **changes,
            )

    def begin(self) -> bool:
        """Changes the state from queued to running; returns False if a stop was requested meanwhile."""
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if status.state is not State.QUEUED:
                return False
            self._write_status(status, state=State.RUNNING, heartbeat=time.time(), phase="starting")
            return True

    # === Internals ===

    def _advice(self, status: StatusT) -> str:
        """What may help if the process is gone, beginning with a space; "" if nothing is known."""
        return ""

    def _require_own(self, status: StatusT) -> None:
        if self.owner is not None and (status.pid, status.started) != self.owner:
            raise self.lost(f"{self.noun} {self.id} was given to another process ({status.pid}); this one ends.")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        if not self.folder.is_dir():
            raise self.error(f"{self.noun} {self.id} was deleted.")
        held = lock(self.folder / ".lock", timeout=20)
        try:
            held.acquire()
        except OSError as error:
            if not self.folder.is_dir():
                raise self.error(f"{self.noun} {self.id} was deleted.") from error
            raise StorageError(f"{self.noun} {self.id} cannot be changed: {explained(error, self.folder)}.") from error
        try:
            yield
        finally:
            held.release()

    def _stored_status(self) -> StatusT:
        return self.read_status(self.folder / "status.json")

    def _write_status(self, status: StatusT, **changes: Any) -> StatusT:
        new = replace(status, **changes)
        write_json(self.folder / "status.json", new.__dict__)
        return new

    def _process_alive(self, status: StatusT) -> bool:
        # A new job has no process until its launch.
        if status.pid is None:
            return time.time() - status.heartbeat < _LAUNCH_SECONDS
        if status.place == place():
            return alive(status.pid, status.started)
        return self.silence() < SILENT_SECONDS
