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
    """

    experiment_id: str = ""
    run_id: str = ""
    epochs: int = 0
    files: dict[str, str] = field(default_factory=dict)
    ended: str = ""
    problem: str = ""
    since: float = 0.0

    def hindered(self, problem: str) -> "Sent":
        """The same with a problem, which began earlier if there is one already; "" for none."""
        began = (self.since or time.time()) if problem else 0.0
        return replace(self, problem=problem, since=began)


def recall(run: Run, tracker: Tracker) -> Sent | None:
    """What a server has got of a run; None if it was never to be mirrored there. A damaged file counts as none."""
    entry = _entries(run.folder / NAME).get(tracker.shown)
    if not isinstance(entry, dict):
        return None
    kinds = {each.name: type(getattr(Sent(), each.name)) for each in fields(Sent)}
    known = {name: value for name, value in entry.items() if name in kinds and isinstance(value, kinds[name])}
    return Sent(**known)


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
    sent = recall(run, tracker)
    if sent is None:
        return False
    with suppress(JobError):
        state = run.status().state
        return not state.active and sent.ended != str(state)
    return False


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


def _entries(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
