"""The status of a run, as stored in `status.json`: state, process and progress."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The states of a run; the last three can be resumed."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        """Whether a process should be training or waiting to train the run."""
        return self in (State.QUEUED, State.RUNNING, State.STOPPING)

    @property
    def resumable(self) -> bool:
        """Whether the run can be resumed."""
        return self in (State.STOPPED, State.FAILED, State.INTERRUPTED)


@dataclass(frozen=True)
class Status:
    """The content of `status.json`.

    Attributes:
        state: State of the run.
        pid, started, place: The training process, see `dfcore.runs.process`.
        heartbeat: Time of the last update by the training process, in seconds since the Unix epoch.
        phase: Current activity, as text.
        epoch, epochs, step, steps: Current epoch and step, from 1, and their totals.
        images_per_second: Training speed.
        seconds_left: Estimated time to the end of the last epoch.
        reason: Why the run was stopped, failed or was interrupted.
        before: The state before the run was marked as interrupted.
    """

    state: State
    pid: int | None = None
    started: float | None = None
    place: str = ""
    heartbeat: float = 0.0
    phase: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    images_per_second: float | None = None
    seconds_left: float | None = None
    reason: str = ""
    before: str = ""

    @property
    def fraction(self) -> float:
        """Share of the planned steps that are done, in [0, 1]."""
        if self.state is State.COMPLETED:
            return 1.0
        if not self.epochs:
            return 0.0
        done = max(self.epoch - 1, 0) + (self.step / self.steps if self.steps else 0)
        return min(done / self.epochs, 1.0)


def require_types(status: Status) -> None:
    """Checks the types and ranges of values read from an untrusted file.

    Raises:
        ValueError: If a field is invalid; names the field.
    """
    number: tuple[type, ...] = (int, float)
    wanted: dict[str, type | tuple[type, ...]] = {
        "pid": int, "started": number, "place": str, "heartbeat": number, "phase": str, "epoch": number,
        "epochs": number, "step": number, "steps": number, "images_per_second": number, "seconds_left": number,
        "reason": str, "before": str,
    }  # fmt: skip
    optional = ("pid", "started", "images_per_second", "seconds_left")
    for name, kind in wanted.items():
        value = getattr(status, name)
        if value is None and name in optional:
            continue
        sound = isinstance(value, kind) and not isinstance(value, bool)
        if not sound or (kind is not str and not 0 <= value < 1e15):
            raise ValueError(f"{name} is {value!r:.60}")
