"""Run folders: the files in `runs/<id>/`; does not import TensorFlow.

A folder contains `config.json`, `status.json` (state, process, heartbeat, progress, reason), `history.csv` (one row per
epoch), `steps.csv` (live, throttled), `log.txt`, `notes.txt`, `checkpoints/`, `predictions_<split>.parquet`,
`excluded.csv`, `metrics.json`, `tensorboard/`, `bundle/`, `created.json`, `data.json` (hash of the data at the start),
`heartbeat`, `folds/`, and `.reserve` while the run is active.
"""

import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfcore import compat
from dfcore.errors import RunError, StorageError
from dfcore.runs import rows
from dfcore.runs.process import alive, place
from dfcore.runs.status import State, Status
from dfcore.runs.stored import read_object, read_status, remembered_object, remembered_status
from dfcore.utils.files import explained, lock, sweep, write_bytes, write_json, write_text

# A process elsewhere (another container or machine, or before a reboot) can be checked only by its heartbeats.
SILENT_SECONDS = 8.0
_LAUNCH_SECONDS = 8.0
_GONE = "The training process is gone: it was killed or crashed, ran out of memory, or the machine restarted."
# Disk space that is released to record the outcome when the disk is full.
_RESERVE_BYTES = 128 * 1024


class LostRun(RunError):  # noqa: N818  (not an error: another process continues it)
    """The run has been claimed by another process; this process must not write to it any more."""


class Run:
    """The folder of a run.

    Attributes:
        folder: Path of the folder.
        owner: PID and start time of the training process that uses this object; its writes fail once the run has been
            claimed by another process. None in other processes, which read the run and may request a stop.
    """

    def __init__(self, folder: Path, owner: tuple[float, float] | None = None):
        self.folder = Path(folder)
        self.owner = owner

    @property
    def id(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def bundle(self) -> Path:
        """Folder of the finished detector; it may not exist yet."""
        return self.folder / "bundle"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def log(self) -> Path:
        """Log file with the output of the training process."""
        return self.folder / "log.txt"

    # === Reading ===

    def config(self) -> dict[str, Any]:
        """Returns the training configuration as a dictionary.

        Raises:
            RunError: If `config.json` is missing or damaged.
        """
        return compat.settings(remembered_object(self.folder / "config.json"))

    def metrics(self) -> dict[str, Any] | None:
        """Returns the final metrics by split; None if there are none yet.

        Raises:
            RunError: If `metrics.json` is damaged.
        """
        path = self.folder / "metrics.json"
        if not os.path.lexists(path) and self.folder.is_dir() and os.access(self.folder, os.X_OK):
            return None
        metrics = read_object(path)
        if not all(isinstance(of_split, dict) for of_split in metrics.values()):
            raise RunError(f"Run {self.id}: metrics.json is damaged (expected an object for each split).")
        return {split: compat.metrics(of_split) for split, of_split in metrics.items()}

    def status(self) -> Status:
        """Returns the current status; marks the run as interrupted if its process no longer exists.

        Raises:
            RunError: If `status.json` is missing or damaged.
        """
        # A cached status suffices here; writers read the file again under the lock.
        status = remembered_status(self.folder / "status.json")
        if not status.state.active or self._process_alive(status):
            return status
        gone = {
            "state": State.INTERRUPTED,
            "before": status.state,
            "reason": _GONE + self._what_to_lower(status),
            "seconds_left": None,
        }
        try:
            with self._lock():
                status = self._stored_status()
                if status.state.active and not self._process_alive(status):
                    self.free_reserve()
                    return self._write_status(status, **(gone | {"before": status.state}))
        except StorageError:  # Another account's run: it is interrupted, whether this one may record it or not.
            return Status(**(status.__dict__ | gone))
        return self._stored_status()

    @property
    def name(self) -> str:
        """Display name."""
        config = self.config()
        return str(config.get("name") or f"{config.get('arch')} on {Path(str(config.get('data_root', ''))).name}")

    @property
    def created(self) -> datetime:
        """Time of creation, in UTC."""
        try:
            return datetime.fromtimestamp(remembered_object(self.folder / "created.json")["time"], UTC)
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise RunError(f"Run {self.id}: created.json is damaged ({error!r:.100}).") from error

    def history(self) -> list[dict[str, float]]:
        """Returns one row per epoch: epoch, loss, accuracy, lr, images_per_second, val_loss, val_accuracy, val_auc."""
        return [row for row in rows.read(self.folder / "history.csv") if "epoch" in row]

    def steps(self) -> list[dict[str, float]]:
        """Returns the live rows: time, epoch, step, steps, loss, lr, images_per_second, seconds_left."""
        return [row for row in rows.read(self.folder / "steps.csv") if "step" in row and "loss" in row]

    def notes(self) -> str:
        """Returns the user's notes; empty if there are none."""
        path = self.folder / "notes.txt"
        with suppress(OSError):
            return path.read_text(encoding="utf-8", errors="replace")
        return ""

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

    # === Writing ===

    def update(self, **changes: Any) -> Status:
        """Changes some fields of the status atomically and returns the new status.

        Raises:
            LostRun: If this is the training process and the run has been claimed by another one.
        """
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if self.owner is not None and status.state is State.INTERRUPTED:
                # An observer elsewhere missed the heartbeats and marked the run as interrupted.
                changes = {"state": State(status.before or State.RUNNING), "reason": ""} | changes
            return self._write_status(status, heartbeat=time.time(), **changes)

    def beat(self) -> None:
        """Records a heartbeat of the training process."""
        path = self.folder / "heartbeat"
        try:
            path.touch()
        except PermissionError:  # Another account made it.
            path.unlink(missing_ok=True)
            path.touch()

    def silence(self) -> float:
        """Returns the seconds since the last heartbeat, 0 or more; if the status is damaged, by the heartbeat file."""
        last = 0.0
        with suppress(RunError):
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

    def request_stop(self) -> Status:
        """Requests a stop after the current step and returns the new status; may be called repeatedly.

        Raises:
            RunError: If the run is not active.
        """
        status = self.status()
        if not status.state.active:
            raise RunError(f"Run {self.id} is {status.state}; only a queued or running one can be stopped.")
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if status.state in (State.QUEUED, State.RUNNING):
                status = self._write_status(status, state=State.STOPPING, phase="stopping")
        return status

    def claim(self, pid: int | None, started: float | None, epochs: int) -> None:
        """Queues the run and records the process that will train it.

        Args:
            pid: PID of the process.
            started: Start time of the process, see `dfcore.runs.process`.
            epochs: Number of planned epochs.

        Raises:
            RunError: If another process is training the run, or the run is completed.
        """
        self.status()  # Marks the run as interrupted if its process no longer exists.
        with self._lock():
            status = self._stored_status()
            if status.state.active and (status.pid, status.started) != (pid, started) and status.pid is not None:
                raise RunError(f"Run {self.id} is {status.state} already, as process {status.pid}.")
            if status.state is State.COMPLETED:
                raise RunError(f"Run {self.id} is completed; train again with changes instead.")
            self._write_status(
                status,
                state=State.QUEUED,
                pid=pid,
                started=started,
                place=place(),
                heartbeat=time.time(),
                phase="waiting for its turn",
                epochs=epochs,
                reason="",
                seconds_left=None,
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

    def write_history(self, history: list[dict[str, float]]) -> None:
        """Replaces the history."""
        self._require_own(self._stored_status())
        if history:
            rows.write(self.folder / "history.csv", history)

    def cut_steps(self, epochs: int, step: int) -> None:
        """Deletes live rows after the last checkpoint, whose steps will be repeated.

        Args:
            epochs: Number of completed epochs to keep.
            step: Last step to keep of the next epoch.
        """
        self._require_own(self._stored_status())
        told = self.steps()
        saved = [row for row in told if (row["epoch"], row["step"]) <= (epochs + 1, step)]
        if len(saved) < len(told):
            rows.write(self.folder / "steps.csv", saved)

    def append_step(self, row: dict[str, float]) -> None:
        """Appends a live row in a single write."""
        self._require_own(self._stored_status())
        rows.append(self.folder / "steps.csv", row)

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Writes the final metrics by split."""
        self._require_own(self._stored_status())
        write_json(self.folder / "metrics.json", metrics)

    def change_config(self, **changes: Any) -> None:
        """Changes some fields of the stored configuration atomically.

        Raises:
            RunError: If the run is active or its configuration is damaged.
            StorageError: If it cannot be written.
        """
        with self._lock():
            status = self._stored_status()
            if status.state.active:
                raise RunError(f"Run {self.id} is {status.state}; stop it before its settings are changed.")
            path = self.folder / "config.json"
            write_json(path, read_object(path) | changes)

    def write_notes(self, text: str) -> None:
        """Writes the user's notes."""
        write_text(self.folder / "notes.txt", text)

    # === Internals ===

    def _what_to_lower(self, status: Status) -> str:
        """What helps if memory ran out; some libraries crash then, so that nobody can say it was that."""
        if status.state is State.QUEUED:
            return ""
        with suppress(RunError):
            config = self.config()
            sizes = [f"{name} (now {config[name]})" for name in ("batch_size", "image_size") if name in config]
            return f" If it was memory, lower {' or '.join(sizes)}." if sizes else ""
        return ""

    def _require_own(self, status: Status) -> None:
        if self.owner is not None and (status.pid, status.started) != self.owner:
            raise LostRun(f"Run {self.id} was given to another process ({status.pid}); this one ends.")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        if not self.folder.is_dir():
            raise RunError(f"Run {self.id} was deleted.")
        held = lock(self.folder / ".lock", timeout=20)
        try:
            held.acquire()
        except OSError as error:
            if not self.folder.is_dir():
                raise RunError(f"Run {self.id} was deleted.") from error
            raise StorageError(f"Run {self.id} cannot be changed: {explained(error, self.folder)}.") from error
        try:
            yield
        finally:
            held.release()

    def _stored_status(self) -> Status:
        return read_status(self.folder / "status.json")

    def _write_status(self, status: Status, **changes: Any) -> Status:
        new = Status(**(status.__dict__ | changes))
        write_json(self.folder / "status.json", new.__dict__)
        return new

    def _process_alive(self, status: Status) -> bool:
        # A new run has no process until its launch.
        if status.pid is None:
            return time.time() - status.heartbeat < _LAUNCH_SECONDS
        if status.place == place():
            return alive(status.pid, status.started)
        return self.silence() < SILENT_SECONDS
