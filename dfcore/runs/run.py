"""Run folders: the files in `runs/<id>/`; does not import TensorFlow.

A folder contains `config.json`, `status.json` (state, process, heartbeat, progress, reason), `history.csv` (one row per
epoch), `steps.csv` (live, throttled), `log.txt`, `notes.txt`, `checkpoints/`, `predictions_<split>.parquet`,
`excluded.csv`, `metrics.json`, `tensorboard/`, `bundle/`, `created.json`, `data.json` (hash of the data at the start),
`heartbeat`, `folds/`, `mlflow.json` and `mlflow.log` if it is mirrored, and `.reserve` while the run is active.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfcore import compat
from dfcore.errors import RunError
from dfcore.runs import rows
from dfcore.runs.job import Job
from dfcore.runs.status import State, Status
from dfcore.runs.stored import read_object, read_status, remembered_object, remembered_status
from dfcore.utils.files import write_json, write_text


class LostRun(RunError):  # noqa: N818  (not an error: another process continues it)
    """The run has been claimed by another process; this process must not write to it any more."""


class Run(Job[Status]):
    """The folder of a run; a job whose process trains."""

    noun, error, lost = "Run", RunError, LostRun
    read_status, remembered_status = staticmethod(read_status), staticmethod(remembered_status)
    gone = "The training process is gone: it was killed or crashed, ran out of memory, or the machine restarted."
    finished = "train again with changes instead"

    @property
    def bundle(self) -> Path:
        """Folder of the finished detector; it may not exist yet."""
        return self.folder / "bundle"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.folder / "checkpoints"

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

    # === Writing ===

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

    def _advice(self, status: Status) -> str:
        """What helps if memory ran out; some libraries crash then, so that nobody can say it was that."""
        if status.state is State.QUEUED:
            return ""
        with suppress(RunError):
            config = self.config()
            sizes = [f"{name} (now {config[name]})" for name in ("batch_size", "image_size") if name in config]
            return f" If it was memory, lower {' or '.join(sizes)}." if sizes else ""
        return ""
