"""What `status.json` says of a run: its state, its process, how far it is."""

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
        """Whether a process should be at work on it."""
        return self in (State.QUEUED, State.RUNNING, State.STOPPING)

    @property
    def resumable(self) -> bool:
        """Whether it can be resumed."""
        return self in (State.STOPPED, State.FAILED, State.INTERRUPTED)


@dataclass(frozen=True)
class Status:
    """What `status.json` says.

    Attributes:
        state: see `State`.
        pid, started, place: the process at work, see `dfcore.runs.process`.
        heartbeat: when the status was last written (seconds since 1970).
        phase: what it is doing, in words.
        epoch, epochs, step, steps: progress; epoch counts from 1.
        images_per_second: of training, over the last seconds.
        seconds_left: estimate until the last epoch's end.
        reason: why it stopped, failed or was interrupted.
        before: the state in which it was when its process was taken for gone.
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
        """Share of the planned steps that is done, in [0, 1]."""
        if self.state is State.COMPLETED:
            return 1.0
        if not self.epochs:
            return 0.0
        done = max(self.epoch - 1, 0) + (self.step / self.steps if self.steps else 0)
        return min(done / self.epochs, 1.0)


def require_types(status: Status) -> None:
    """Checks what a file says that anybody may have written.

    Raises:
        ValueError: naming the field.
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
