"""Run folders: the only code that reads and writes `runs/<id>/`. Imports no TensorFlow.

A folder holds `config.json`, `status.json` (state, process, heartbeat, progress, reason),
`history.csv` (a row an epoch), `steps.csv` (live, throttled), `log.txt`, `notes.txt`, `checkpoints/`,
`predictions_<split>.parquet`, `excluded.csv`, `metrics.json`, `tensorboard/` and `bundle/`; also `created.json`,
`data.json` (what it was begun with), `heartbeat`, `folds/`, and while it is at work `.reserve`.
"""

import csv
import io
import time
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from dfcore import compat
from dfcore.errors import RunError, StorageError
from dfcore.runs.process import alive, place
from dfcore.runs.status import State, Status, require_types
from dfcore.utils.files import lock, read_json, remembered, sweep, write_bytes, write_json, write_text
from dfcore.utils.texts import printable

_STATUS_FIELDS = {field.name for field in fields(Status)}
# A process in another place (container, machine, or this one before it was started anew) is known by its beats alone.
SILENT_SECONDS = 8.0
_LAUNCH_SECONDS = 8.0
# Frees some room for the last words when the disk is full.
_RESERVE_BYTES = 128 * 1024


class LostRun(RunError):  # noqa: N818  (nobody's mistake: somebody else goes on with it)
    """The run was given to another process meanwhile; this one must not write any more."""


class Run:
    """One run's folder.

    Attributes:
        folder: where it lies.
        owner: pid and start of the process that writes in the run's name; when the run has been given to another
            process meanwhile, nothing more is written. None for anybody else, who may look and ask.
    """

    def __init__(self, folder: Path, owner: tuple[float, float] | None = None):
        self.folder = Path(folder)
        self.owner = owner

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def bundle(self) -> Path:
        """Where the finished detector lies, once there is one."""
        return self.folder / "bundle"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.folder / "checkpoints"

    @property
    def log(self) -> Path:
        """What the process printed."""
        return self.folder / "log.txt"

    # === Reading ===

    def config(self) -> dict[str, Any]:
        """The training config as plain data."""
        return compat.settings(_remembered_object(self.folder / "config.json"))

    def metrics(self) -> dict[str, Any] | None:
        """The final metrics by split, or None while there are none."""
        path = self.folder / "metrics.json"
        if not path.is_file():
            return None
        metrics = _read_object(path)
        if not all(isinstance(of_split, dict) for of_split in metrics.values()):
            raise RunError(f"Run {self.id}: metrics.json is damaged (expected an object for each split).")
        return {split: compat.metrics(of_split) for split, of_split in metrics.items()}

    def status(self) -> Status:
        """The state as it is: one whose process is gone is told, and noted, as interrupted."""
        # Whoever writes reads anew, under the lock.
        status = _remembered_status(self.folder / "status.json")
        if not status.state.active or self._process_alive(status):
            return status
        with self._lock():
            status = self._stored_status()
            if status.state.active and not self._process_alive(status):
                reason = "The training process is gone: it was killed, ran out of memory, or the machine restarted."
                self.free_reserve()
                self._write_status(
                    status, state=State.INTERRUPTED, before=status.state, reason=reason, seconds_left=None
                )
        return self._stored_status()

    @property
    def name(self) -> str:
        """The name for people."""
        config = self.config()
        return str(config.get("name") or f"{config.get('arch')} on {Path(str(config.get('data_root', ''))).name}")

    @property
    def created(self) -> datetime:
        """When it was made, in UTC."""
        try:
            return datetime.fromtimestamp(_remembered_object(self.folder / "created.json")["time"], UTC)
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise RunError(f"Run {self.id}: created.json is damaged ({error!r:.100}).") from error

    def history(self) -> list[dict[str, float]]:
        """One row an epoch: epoch, loss, val_loss, val_auc, val_accuracy, lr, seconds, images_per_second."""
        return [row for row in self._csv("history.csv") if "epoch" in row]

    def steps(self) -> list[dict[str, float]]:
        """Live rows: time, epoch, step, loss, lr, images_per_second."""
        return [row for row in self._csv("steps.csv") if "step" in row and "loss" in row]

    def notes(self) -> str:
        """What people wrote about the run."""
        path = self.folder / "notes.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def log_tail(self, characters: int = 20_000) -> str:
        """The end of the log."""
        if not self.log.is_file():
            return ""
        with open(self.log, "rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(size - characters, 0))
            return file.read().decode(errors="replace")

    # === Writing ===

    def update(self, **changes: Any) -> Status:
        """Changes some fields of the status, keeping the others, whoever else writes.

        Raises:
            LostRun: when this is the process of a run that was given to another one.
        """
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if self.owner is not None and status.state is State.INTERRUPTED:
                # Somebody in another place took a long silence for its end.
                changes = {"state": State(status.before or State.RUNNING), "reason": ""} | changes
            return self._write_status(status, heartbeat=time.time(), **changes)

    def beat(self) -> None:
        """A sign of life of the process at work."""
        (self.folder / "heartbeat").touch()

    def silence(self) -> float:
        """Seconds since the last sign of life, 0 or more; of a damaged status the heartbeat's file alone tells."""
        last = 0.0
        with suppress(RunError):
            last = self._stored_status().heartbeat
        with suppress(OSError):
            last = max(last, (self.folder / "heartbeat").stat().st_mtime)
        return max(time.time() - last, 0.0)

    def keep_reserve(self) -> None:
        """Takes some room on the disk, so that a run that finds it full can still say so.

        Raises:
            StorageError: when there is no room.
        """
        self._require_own(self._stored_status())
        write_bytes(self.folder / ".reserve", bytes(_RESERVE_BYTES))

    def sweep(self) -> None:
        """Removes what killed processes had been writing; notes, which people may be writing now, are left alone."""
        with self._lock():
            sweep(self.folder, spare="notes")

    def free_reserve(self) -> None:
        """Gives that room back."""
        with suppress(OSError):
            (self.folder / ".reserve").unlink(missing_ok=True)

    def request_stop(self) -> Status:
        """Asks the process to stop after its current step; safe to ask twice.

        Raises:
            RunError: when the run is not at work.
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
        """Puts the run into the queue in the name of a process.

        Raises:
            RunError: when another process is at work on it.
        """
        self.status()  # Notes what has died.
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
        """Turns queued into running; False when it was asked to stop meanwhile."""
        with self._lock():
            status = self._stored_status()
            self._require_own(status)
            if status.state is not State.QUEUED:
                return False
            self._write_status(status, state=State.RUNNING, heartbeat=time.time(), phase="starting")
            return True

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Replaces the history; it has a row an epoch, so that this is cheap."""
        self._require_own(self._stored_status())
        if rows:
            self._write_csv("history.csv", rows)

    def cut_steps(self, epochs: int, step: int) -> None:
        """Drops live rows of steps that were lost with a process and will be made again.

        Args:
            epochs: completed ones that are kept.
            step: the last one that is kept of the epoch after them.
        """
        self._require_own(self._stored_status())
        rows = self.steps()
        saved = [row for row in rows if (row["epoch"], row["step"]) <= (epochs + 1, step)]
        if len(saved) < len(rows):
            self._write_csv("steps.csv", saved)

    def append_step(self, row: dict[str, float]) -> None:
        """Adds one live row in a single write."""
        self._require_own(self._stored_status())
        path = self.folder / "steps.csv"
        line = ",".join(str(value) for value in row.values()) + "\n"
        try:
            with open(path, "ab+") as file:
                if file.tell() == 0:
                    line = ",".join(row) + "\n" + line
                else:
                    file.seek(-1, io.SEEK_END)
                    # A process that died may have left half a line.
                    line = line if file.read(1) == b"\n" else "\n" + line
                file.write(line.encode())
        except OSError as error:
            raise StorageError(f"{path} could not be written: {error.strerror}.") from error

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Stores the final metrics by split."""
        self._require_own(self._stored_status())
        write_json(self.folder / "metrics.json", metrics)

    def write_notes(self, text: str) -> None:
        """Stores what people wrote about the run."""
        write_text(self.folder / "notes.txt", text)

    # === Inside ===

    def _write_csv(self, name: str, rows: list[dict[str, float]]) -> None:
        text = io.StringIO()
        if rows:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        write_text(self.folder / name, text.getvalue())

    def _require_own(self, status: Status) -> None:
        if self.owner is not None and (status.pid, status.started) != self.owner:
            raise LostRun(f"Run {self.id} was given to another process ({status.pid}); this one ends.")

    def _lock(self) -> FileLock:
        if not self.folder.is_dir():
            raise RunError(f"Run {self.id} was deleted.")
        return lock(self.folder / ".lock", timeout=20)

    def _stored_status(self) -> Status:
        return _read_status(self.folder / "status.json")

    def _write_status(self, status: Status, **changes: Any) -> Status:
        new = Status(**(status.__dict__ | changes))
        write_json(self.folder / "status.json", new.__dict__)
        return new

    def _process_alive(self, status: Status) -> bool:
        # Between its making and the launch of its process a run belongs to nobody for a moment.
        if status.pid is None:
            return time.time() - status.heartbeat < _LAUNCH_SECONDS
        if status.place == place():
            return alive(status.pid, status.started)
        return self.silence() < SILENT_SECONDS

    def _csv(self, name: str) -> list[dict[str, float]]:
        path = self.folder / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if "\n" not in text:
            return []
        try:
            # A line that is being written has no end yet.
            lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
        except csv.Error as error:
            raise RunError(f"Run {self.id}: {name} is damaged ({error}).") from error
        rows = [_numbers(lines[0], values) for values in lines[1:]]
        return [row for row in rows if row is not None]


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object of a run's folder."""
    try:
        result = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"Run {path.parent.name}: {path.name} is missing or damaged ({printable(error)[:200]})."
        ) from error
    if not isinstance(result, dict):
        raise RunError(f"Run {path.parent.name}: {path.name} is missing or damaged (it holds no object).")
    return result


def _read_status(path: Path) -> Status:
    values = _read_object(path)
    try:
        saved = {name: value for name, value in values.items() if name in _STATUS_FIELDS}
        status = Status(**(saved | {"state": State(values["state"])}))
        require_types(status)
        return status
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"Run {path.parent.name}: {path.name} is missing or damaged ({error!r}).") from error


# A list of a thousand runs is drawn again every few seconds.
_remembered_object, _remembered_status = remembered(most=20_000)(_read_object), remembered(most=10_000)(_read_status)


def _numbers(names: list[str], values: list[str]) -> dict[str, float] | None:
    """A row of numbers by name; None for one that was never written to its end."""
    if len(values) != len(names):
        return None
    try:
        return {name: float(value) for name, value in zip(names, values, strict=True) if value != ""}
    except ValueError:
        return None
