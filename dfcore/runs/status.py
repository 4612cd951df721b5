"""The status of a job, as stored in `status.json`: state, process and progress."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TypeVar


class State(StrEnum):
    """The states of a job; the last three can be resumed."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        """Whether a process should be doing the job or waiting to do it."""
        return self in (State.QUEUED, State.RUNNING, State.STOPPING)

    @property
    def resumable(self) -> bool:
        """Whether the job can be resumed."""
        return self in (State.STOPPED, State.FAILED, State.INTERRUPTED)


@dataclass(frozen=True)
class JobStatus:
    """What the `status.json` of every job holds.

    Attributes:
        state: State of the job.
        pid, started, place: The process, see `dfcore.runs.process`.
        heartbeat: Time of the last update by the process, in seconds since the Unix epoch.
        phase: Current activity, as text.
        images_per_second: Speed.
        seconds_left: Estimated time to the end.
        reason: Why the job was stopped, failed or was interrupted.
        before: The state before the job was marked as interrupted.
    """

    state: State
    pid: int | None = None
    started: float | None = None
    place: str = ""
    heartbeat: float = 0.0
    phase: str = ""
    images_per_second: float | None = None
    seconds_left: float | None = None
    reason: str = ""
    before: str = ""


StatusT = TypeVar("StatusT", bound=JobStatus)


@dataclass(frozen=True)
class Status(JobStatus):
    """The status of a training run.

    Attributes:
        epoch, epochs, step, steps: Current epoch and step, from 1, and their totals.
    """

    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0

    @property
    def fraction(self) -> float:
        """Share of the planned steps that are done, in [0, 1]."""
        if self.state is State.COMPLETED:
            return 1.0
        if not self.epochs:
            return 0.0
        done = max(self.epoch - 1, 0) + (self.step / self.steps if self.steps else 0)
        return min(done / self.epochs, 1.0)


def require_types(status: JobStatus) -> None:
    """Checks the types and ranges of values read from an untrusted file.

    Raises:
        ValueError: If a field is invalid; names the field.
    """
    for field in fields(status):
        value = getattr(status, field.name)
        optional = field.default is None
        if field.name == "state" or (value is None and optional):
            continue
        kind = str if isinstance(field.default, str) else int if field.name == "pid" else (int, float)
        sound = isinstance(value, kind) and not isinstance(value, bool)
        if not sound or (kind is not str and not 0 <= value < 1e15):
            raise ValueError(f"{field.name} is {value!r:.60}")
