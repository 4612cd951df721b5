"""What a tracking server has got of a run: `mlflow.json` in the run's folder, one entry a server."""

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from dfcore.errors import JobError, StorageError
from dfcore.runs.run import Run
from dfcore.trackers.address import Tracker
from dfcore.utils.files import lock, read_json, write_json

NAME, LOCK, LOG = "mlflow.json", ".mlflow.lock", "mlflow.log"


@dataclass(frozen=True)
class Sent:
    """What a server has got of a run.

    Attributes:
        experiment_id, run_id: How MLflow calls the experiment and the run; "" until it has answered.
        epochs: Number of epochs that it has.
        files: {name of the artefact: SHA-256 of what was sent}.
        ended: The state in which the run ended, once everything of it is there; "" before.
        problem: Why something is not there yet; "" if nothing hinders.
        since: When this problem began, in seconds since the Unix epoch; 0 without one.
        deleted: Whether the problem is that somebody deleted the run there.
        anew: Whether to make a new run there, without looking for one of before.
    """

    experiment_id: str = ""
    run_id: str = ""
    epochs: int = 0
    files: dict[str, str] = field(default_factory=dict)
    ended: str = ""
    problem: str = ""
    since: float = 0.0
    deleted: bool = False
    anew: bool = False

    def hindered(self, problem: str, *, deleted: bool = False) -> "Sent":
        """The same with a problem, which began earlier if there is one already; "" for none."""
        began = (self.since or time.time()) if problem else 0.0
        return replace(self, problem=problem, since=began, deleted=deleted)


def recall(run: Run, tracker: Tracker) -> Sent | None:
    """What a server has got of a run; None if it was never to be mirrored there. A damaged file counts as none."""
    entry = _entries(run.folder / NAME).get(tracker.shown)
    return None if entry is None else _sent(entry)


def keep(run: Run, tracker: Tracker, sent: Sent) -> None:
    """Writes what a server has got of a run.

    Raises:
        StorageError: If it cannot be written.
    """
    path = run.folder / NAME
    if not run.folder.is_dir():
        raise StorageError(f"Run {run.id} was deleted.")
    write_json(path, _entries(path) | {tracker.shown: asdict(sent)})


def waits(run: Run, tracker: Tracker) -> bool:
    """Whether a run was to be mirrored to a server that lacks something of it; False while the run is at work."""
    return tracker.shown in lacking(run)


def lacking(run: Run) -> list[str]:
    """Servers to which a run was to be mirrored and that lack something of it, by address; none while it is at work."""
    with suppress(JobError):
        state = run.status().state
        if not state.active:
            entries = _entries(run.folder / NAME)
            return [address for address, entry in entries.items() if _sent(entry).ended != str(state)]
    return []


def at_work(run: Run) -> bool:
    """Whether a process is mirroring a run now."""
    path = run.folder / LOCK
    if not path.is_file():
        return False
    try:
        with lock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # Another account's, or deleted.
        return False


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = read_json(path)
    except (OSError, ValueError, RecursionError):
        return {}
    entries = found if isinstance(found, dict) else {}
    return {address: entry for address, entry in entries.items() if isinstance(entry, dict)}


def _sent(entry: dict[str, Any]) -> Sent:
    kinds = {each.name: type(getattr(Sent(), each.name)) for each in fields(Sent)}
    return Sent(**{name: value for name, value in entry.items() if name in kinds and isinstance(value, kinds[name])})
