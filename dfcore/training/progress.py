"""Where a run stands, and who is told of it."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: epochs completed.
        step: steps completed of the one that was begun.
        loss_sum, accuracy_sum: over the images of those steps, with `images_seen`.
        history: one row a completed epoch.
        best_epoch, best_value: the best so far, by the figure that early stopping watches.
        waited: epochs since then.
        plateau_value: the lowest validation loss so far of the whole network, for the plateau schedule.
        plateau_waited: epochs since then, or since the rate was halved.
        lr_factor: what the plateau schedule has made of the learning rate.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    accuracy_sum: float = 0.0
    images_seen: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float | None = None
    waited: int = 0
    plateau_value: float | None = None
    plateau_waited: int = 0
    lr_factor: float = 1.0


class Watcher(Protocol):
    """Who is told about a run's progress, and may stop it."""

    def phase(self, text: str) -> None:
        """A new phase begins."""

    def step(self, row: dict[str, float]) -> None:
        """Some steps were made: epoch, step, steps, loss, lr, images_per_second, seconds_left."""

    def beside(self, row: dict[str, float], left: int) -> None:
        """Steps of a network that is trained besides, for cross-validation; `left` more of them will follow."""

    def epoch(self, history: list[dict[str, float]]) -> None:
        """An epoch was completed."""

    def should_stop(self) -> bool:
        """Whether to stop after the current step."""
        ...
