"""All runs in one folder: made, found, put in a queue, deleted."""

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
from dfcore.utils.files import make_folder, share, write_json


class RunStore:
    """All runs in one folder."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).resolve()

    def create(self, config: dict[str, Any], *, epochs: int) -> Run:
        """Makes a new run folder, queued, for a checked config.

        Raises:
            StorageError: when it cannot be written.
        """
        try:
            # Out of sight until it is whole.
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
            raise StorageError(f"No run can be made in {self.folder}: {error.strerror}.") from error

    def get(self, run_id: str) -> Run:
        """Finds a run by its id.

        Raises:
            RunError: when there is none.
        """
        folder = self.folder / run_id
        if not re.fullmatch(r"\w[\w.-]{0,199}", run_id) or not _is_run(folder):
            known = ", ".join(run.id for run in list(self)[:5]) or "none yet"
            raise RunError(f"There is no run {run_id!r} in {self.folder}. The latest are: {known}.")
        return Run(folder)

    def __iter__(self) -> Iterator[Run]:
        """All runs, the latest first."""
        if self.folder.is_dir():
            folders = [path for path in self.folder.iterdir() if not path.name.startswith(".") and _is_run(path)]
            yield from (Run(path) for path in sorted(folders, reverse=True))

    def delete(self, run_id: str) -> None:
        """Deletes a run's folder for good; a damaged one too, once nobody gives a sign of life there.

        Raises:
            RunError: while a process is at work on it.
        """
        run = self.get(run_id)
        try:
            active = run.status().state.active
        except RunError:
            active = run.silence() < SILENT_SECONDS
        if active:
            raise RunError(f"Run {run_id} is at work; stop it before deleting it.")
        # First out of sight, so that nobody finds half a run.
        aside = self.folder / f".deleted-{run_id}-{time.time_ns()}"
        run.folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def turn_of(self, run: Run) -> bool:
        """Whether no run that was queued earlier is still waiting."""
        return all(other.id >= run.id for other in self if _waits(other))

    def _named(self, folder: Path, arch: str) -> Path:
        """Gives a new folder its name, by which runs are sorted."""
        while True:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
            named = self.folder / f"{stamp}-{arch}"
            try:
                return folder.rename(named)
            except OSError:
                if not named.exists():
                    raise
                time.sleep(0.002)


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's, be it one that lost a file."""
    return any((folder / name).is_file() for name in ("status.json", "config.json"))


def _waits(run: Run) -> bool:
    """Whether a run is in the queue; a damaged one, which Monitor shows as such, keeps nobody waiting."""
    try:
        return run.status().state is State.QUEUED
    except RunError:
        return False
