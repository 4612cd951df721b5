"""Progress of a run, and the interface of those who watch it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

# Smallest change that counts as an improvement, so that noise does not prolong a run.
LEAST_GAIN = 1e-4


@dataclass
class Progress:
    """Progress of training.

    Attributes:
        epoch: Number of completed epochs.
        step: Number of completed steps of the current epoch.
        loss_sum, accuracy_sum: Sums over the images of these steps.
        images_seen: Number of these images.
        history: One row per completed epoch.
        best_epoch, best_value: The best epoch so far, from 1, and its value of the metric that early stopping monitors.
        waited: Epochs since the best one; those with frozen layers are not counted.
        plateau_value: For the plateau schedule, the lowest validation loss of the epochs without frozen layers.
        plateau_waited: Epochs since then, or since the learning rate was last halved.
        lr_factor: Factor of the plateau schedule on the learning rate, in (0, 1].
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

    def improves(self, row: Mapping[str, float], watched: str) -> bool:
        """Whether an epoch is the best so far; updates `best_value`. Without early stopping the last one is best.

        Args:
            row: The epoch's row of the history.
            watched: What early stopping monitors: "auc", "loss" or "off".
        """
        if watched == "off":
            return True
        value = -row["val_loss"] if watched == "loss" else row["val_auc"]
        best = self.best_value
        if best is None or value > best + LEAST_GAIN:
            self.best_value = value
            return True
        if watched == "loss" or value < best - LEAST_GAIN:
            return False
        # AUC depends only on the ranking of images: the loss may still fall when AUC is perfect or unchanged.
        return row["val_loss"] < self.history[self.best_epoch - 1]["val_loss"] - LEAST_GAIN


def best_row(history: Sequence[Mapping[str, float]], watched: str) -> dict[str, float] | None:
    """The row of the best epoch so far, by the rule of training; None if there is none.

    Args:
        history: Rows of a run's history, see `Run.history`.
        watched: What early stopping monitors: "auc", "loss" or "off".
    """
    progress = Progress()
    for row in history:
        progress.history.append(dict(row))
        try:
            better = progress.improves(row, watched)
        except KeyError:  # A damaged file, or one of another version.
            return None
        if better:
            progress.best_epoch = len(progress.history)
    return progress.history[progress.best_epoch - 1] if progress.best_epoch else None


class Watcher(Protocol):
    """Receives the progress of a run and can stop it."""

    def phase(self, text: str) -> None:
        """Called when a new phase begins."""

    def working(self, text: str, done: int, total: int) -> None:
        """Called as images of a phase are done; raises `StoppedEarly` if a stop was requested."""

    def step(self, row: dict[str, float]) -> None:
        """Called after some steps, with time, epoch, step, steps, loss, lr, images_per_second, seconds_left."""

    def beside(self, row: dict[str, float], left: int) -> None:
        """Called after some steps of an additional network for cross-validation; `left` more networks will follow."""

    def epoch(self, history: list[dict[str, float]]) -> None:
        """Called after an epoch, with one row per completed epoch."""

    def should_stop(self) -> bool:
        """Whether to stop after the current step."""
        ...
