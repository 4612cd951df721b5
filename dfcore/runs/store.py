"""The runs in a folder: creating, finding, queueing and deleting them."""

import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from dfcore.errors import RunError, StorageError
from dfcore.runs.run import SILENT_SECONDS, Run
from dfcore.runs.status import State, Status
from dfcore.utils.files import explained, make_folder, share, write_json

_NAME = re.compile(r"\d{8}-\d{6}-")


class RunStore:
    """The runs in a folder."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).resolve()

    def create(self, config: dict[str, Any], *, epochs: int) -> Run:
        """Creates a queued run.

        Args:
            config: Validated configuration.
            epochs: Number of planned epochs.

        Raises:
            StorageError: If the folder cannot be written.
        """
        try:
            # Hidden until it is complete.
            folder = self.folder / f".new-{uuid.uuid4().hex}"
            make_folder(self.folder)
            folder.mkdir()
            share(folder)
            now = time.time()
            write_json(folder / "config.json", config)
            write_json(folder / "created.json", {"time": now})
            status = Status(State.QUEUED, heartbeat=now, phase="starting its process", epochs=epochs)
            write_json(folder / "status.json", status.__dict__)
            return Run(self._named(folder, str(config.get("arch", "run"))))
        except OSError as error:
            raise StorageError(f"No run can be made in {self.folder}: {explained(error, folder)}.") from error

    def get(self, run_id: str) -> Run:
        """Returns a run by its id.

        Raises:
            RunError: If there is no such run.
        """
        folder = self.folder / run_id
        if not re.fullmatch(r"\w[\w.-]{0,199}", run_id) or not _is_run(folder):
            known = ", ".join(run.id for run in list(self)[:5]) or "none yet"
            raise RunError(f"There is no run {run_id!r} in {self.folder}. The latest are: {known}.")
        return Run(folder)

    def __iter__(self) -> Iterator[Run]:
        """Iterates over all runs, newest first."""
        if self.folder.is_dir():
            folders = [path for path in self.folder.iterdir() if not path.name.startswith(".") and _is_run(path)]
            yield from (Run(path) for path in sorted(folders, reverse=True))

    def delete(self, run_id: str) -> None:
        """Deletes a run permanently; a damaged one only after its heartbeats have ceased.

        Raises:
            RunError: If there is no such run, or it is active.
        """
        run = self.get(run_id)
        try:
            active = run.status().state.active
        except RunError:
            active = run.silence() < SILENT_SECONDS
        if active:
            raise RunError(f"Run {run_id} is at work; stop it before deleting it.")
        _require_deletable(run)
        # Hidden first, so that nobody sees a partly deleted run.
        aside = self.folder / f".deleted-{run_id}-{time.time_ns()}"
        try:
            run.folder.rename(aside)
        except OSError as error:
            raise StorageError(f"Run {run_id} cannot be deleted: {explained(error, run.folder)}.") from error
        shutil.rmtree(aside, ignore_errors=True)

    def turn_of(self, run: Run) -> bool:
        """Whether no earlier run is still queued."""
        return all(other.id >= run.id for other in self if _waits(other))

    def _named(self, folder: Path, arch: str) -> Path:
        """Renames a new folder to its unique name, which sorts by time; returns its path."""
        while True:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
            named = self.folder / f"{stamp}-{arch}"
            try:
                return folder.rename(named)
            except OSError:
                if not named.exists():
                    raise
                time.sleep(0.002)


def _require_deletable(run: Run) -> None:
    """Checks before anything is deleted that all of it can be."""
    for folder in (run.folder, *(path for path in run.folder.rglob("*") if path.is_dir() and not path.is_symlink())):
        if not os.access(folder, os.W_OK | os.X_OK):
            denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            raise StorageError(f"Run {run.id} cannot be deleted: {explained(denied, folder)}.")


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run, even if one of its files is missing, or it is another account's and closed."""
    try:
        return any((folder / name).is_file() for name in ("status.json", "config.json"))
    except PermissionError:
        return bool(_NAME.match(folder.name))


def _waits(run: Run) -> bool:
    """Whether a run is queued; a damaged one does not block the queue."""
    try:
        return run.status().state is State.QUEUED
    except RunError:
        return False
