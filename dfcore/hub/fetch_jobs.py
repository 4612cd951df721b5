"""Fetches as jobs: a process of its own loads a data set, so that it goes on while its page is closed."""

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

from dfcore import workspace
from dfcore.errors import BusyError, DfcoreError, JobError
from dfcore.hub import fetch
from dfcore.hub.fetch import Outcome, Wanted
from dfcore.runs.detached import logging_environment, start_process
from dfcore.runs.job import Job
from dfcore.runs.jobs import JobStore
from dfcore.runs.status import JobStatus, State
from dfcore.runs.stored import read_object, status_reader
from dfcore.utils.files import write_json

WORKER = "dfcore.hub.fetch_worker"
FOLDER = ".fetches"
_KEPT = 20


@dataclass(frozen=True)
class FetchStatus(JobStatus):
    """The status of a fetch.

    Attributes:
        done, total: Units done in this phase, and in all; the latter is 0 while it is not known.
        unit: What is counted: bytes or images.
        ended: When it came to rest, in seconds since the Unix epoch; None while it has not.
    """

    done: int = 0
    total: int = 0
    unit: str = ""
    ended: float | None = None

    @property
    def fraction(self) -> float:
        """Share of this phase that is done, in [0, 1]."""
        if self.state is State.COMPLETED:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0


@dataclass(frozen=True)
class Request:
    """What was asked for: a name or address, the name of the folder, and who asked."""

    text: str
    name: str
    by: str = ""


_read_status, _remembered_status = status_reader(FetchStatus, "Fetch", JobError, most=200)


class Fetch(Job[FetchStatus]):
    """The folder of a fetch; what it loads lies in the data folder."""

    noun, error, lost = "Fetch", JobError, JobError
    read_status, remembered_status = staticmethod(_read_status), staticmethod(_remembered_status)
    gone = (
        "The process that was loading is gone: it was killed or crashed, or the machine restarted. What it had is kept."
    )
    finished = "the data set is there"

    @property
    def request(self) -> Request:
        """What was asked for.

        Raises:
            JobError: If `fetch.json` is missing or damaged.
        """
        values = read_object(self.folder / "fetch.json", self.noun, self.error)
        try:
            return Request(*(str(values[name]) for name in ("text", "name", "by")))
        except KeyError as error:
            raise JobError(f"Fetch {self.id}: fetch.json is damaged ({error!r:.100}).") from error

    @property
    def wanted(self) -> Wanted:
        """The data set that was asked for."""
        request = self.request
        return fetch.wanted(request.text, request.name)

    def keep_outcome(self, outcome: Outcome) -> None:
        """Writes down what came of it, without the list of files."""
        values = asdict(outcome) | {"folder": str(outcome.folder)}
        if outcome.fetched is not None:
            values["fetched"] = {
                "version": outcome.fetched.version, "licence": outcome.fetched.licence, "title": outcome.fetched.title,
                "bytes": outcome.fetched.size, "files": len(outcome.fetched.files),
                "left_out": outcome.fetched.left_out[:_KEPT], "left_out_in_all": outcome.fetched.left_out_in_all,
                "notes": outcome.fetched.notes,
            }  # fmt: skip
        write_json(self.folder / "outcome.json", values)

    def outcome(self) -> dict[str, Any]:
        """What came of it: folder, there, layout, trouble, counts, and fetched (version, licence, bytes, files …).

        Raises:
            JobError: If it is not completed.
        """
        return read_object(self.folder / "outcome.json", self.noun, self.error)


class FetchStore(JobStore[Fetch]):
    """The fetches of this workspace, newest first."""

    kind = Fetch
    marks = ("status.json", "fetch.json")

    def __init__(self) -> None:
        super().__init__(workspace.data_dir() / FOLDER)

    def start(self, text: str, name: str = "", by: str = "") -> Fetch:
        """Creates a fetch and starts its process, which waits for its turn.

        Args:
            text: A known set's name or an address.
            name: Name of the folder; "" for the default.
            by: Who asks.

        Raises:
            InputError: If nothing is meant by `text`, or its owners want a signed request.
            BusyError: If the same is being fetched.
            StorageError, DfcoreError: If the process cannot be started.
        """
        what = fetch.wanted(text, name)
        fetch.require_loadable(what)
        if any(_fetches(other, what) for other in self):
            raise BusyError(f"{what.folder.name} is being fetched already.")
        with self._new() as folder:
            write_json(folder / "fetch.json", asdict(Request(text, what.folder.name, by)))
            status = FetchStatus(State.QUEUED, heartbeat=time.time(), phase="starting its process")
            write_json(folder / "status.json", status.__dict__)
            job = self._named(folder, re.sub(r"[^\w.-]", "_", what.folder.name)[:60])
        launch(job)
        return job

    def resume(self, fetch_id: str) -> None:
        """Lets a fetch go on with what is there.

        Raises:
            JobError: If there is no such fetch, or it is active or completed.
            DfcoreError: If the process cannot be started.
        """
        job = self.get(fetch_id)
        status = job.status()
        if not status.state.resumable:
            raise JobError(f"Fetch {fetch_id} is {status.state}; only a stopped, failed or interrupted one can go on.")
        launch(job)


def launch(job: Fetch) -> None:
    """Starts the process of a fetch, detached so that it outlives its parent process.

    Raises:
        DfcoreError: If the process cannot be started.
        JobError: If another process is already loading, or it is completed.
    """
    start_process(job, WORKER, logging_environment(), "loading", ended=None)


def _fetches(job: Fetch, what: Wanted) -> bool:
    """Whether a job is at work on a folder; a damaged one is not."""
    try:
        return job.status().state.active and job.wanted.folder == what.folder
    except DfcoreError:
        return False
