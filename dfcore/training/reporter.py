"""Callback within an epoch: counts steps, reports progress, and checks for stop requests and a non-finite loss."""

import math
import time
from typing import Any

import keras

from dfcore.errors import DfcoreError
from dfcore.training.config import TrainConfig
from dfcore.training.progress import Progress, Watcher

_EVERY_SECONDS = 1.0


class StepReporter(keras.callbacks.Callback):
    """Updates `progress` at every step while `fit` runs one epoch.

    Attributes:
        stopped: Whether the epoch was ended early because the watcher requested it.
        images_per_second: Average over the steps of this call of `fit`.
    """

    def __init__(
        self,
        progress: Progress,
        steps: int,
        images: int,
        config: TrainConfig,
        watcher: Watcher,
        eval_seconds: float,
    ):
        super().__init__()
        self.progress, self.steps, self.images = progress, steps, images
        self.config, self.watcher, self.eval_seconds = config, watcher, eval_seconds
        self.stopped = False
        self.images_per_second = 0.0
        # `fit` averages over its own steps only; sums from before the run was resumed are added to them.
        self._before = (progress.loss_sum, progress.accuracy_sum, progress.images_seen)
        self._reported_at = self._began = time.monotonic()
        self._reported = self._before[0], self._before[2]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts a step; at most once per second and at the last step, reports and checks for a stop request."""
        progress = self.progress
        progress.step += 1
        progress.images_seen = min(progress.images_seen + self.config.batch_size, self.images)
        now = time.monotonic()
        if progress.step < self.steps and now - self._reported_at < _EVERY_SECONDS:
            return
        self._add_up(logs or {})
        self.images_per_second = (progress.images_seen - self._before[2]) / max(now - self._began, 1e-6)
        self.watcher.step(self._row())
        self._reported_at, self._reported = now, (progress.loss_sum, progress.images_seen)
        if progress.step < self.steps and self.watcher.should_stop():
            self.stopped = True
            self.model.stop_training = True

    def _add_up(self, logs: dict[str, Any]) -> None:
        seen = self.progress.images_seen - self._before[2]
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise DfcoreError(
                f"The loss became {loss} in epoch {self.progress.epoch + 1}, step {self.progress.step}: training "
                f"went astray. A lower learning rate than {self.config.lr:g} usually helps."
            )
        self.progress.loss_sum = self._before[0] + loss * seen
        self.progress.accuracy_sum = self._before[1] + float(logs["accuracy"]) * seen

    def _row(self) -> dict[str, float]:
        progress = self.progress
        new_images = max(progress.images_seen - self._reported[1], 1)
        steps_left = (self.config.epochs - progress.epoch) * self.steps - progress.step
        training = steps_left * self.config.batch_size / max(self.images_per_second, 1e-6)
        return {
            "time": time.time(),
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "steps": self.steps,
            "loss": (progress.loss_sum - self._reported[0]) / new_images,
            "lr": float(self.model.optimizer.learning_rate),
            "images_per_second": self.images_per_second,
            "seconds_left": training + self.eval_seconds * (self.config.epochs - progress.epoch),
        }
