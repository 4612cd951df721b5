"""Reports the progress of a run to its folder, its log and the caller."""

import time
from collections.abc import Callable
from typing import Any

from dfcore.runs.run import Run
from dfcore.runs.status import State
from dfcore.trackers.tensorboard import Board
from dfcore.utils.texts import duration


class StoppedEarly(Exception):  # noqa: N818  (not an error: a stop was requested)
    """A stop was requested outside of training: before it began, or while what comes after the network was fitted."""


class RunWatcher:
    """Writes the progress of a run into its folder and checks there for stop requests.

    Args:
        run: The run.
        say: Called with each text for the log.
        progress: Called with (steps done, total number of steps); each network of cross-validation counts as many as
            the run's own network.
    """

    def __init__(self, run: Run, say: Callable[[str], None], progress: Callable[[int, int], None] | None = None):
        self._run, self.say, self._progress = run, say, progress
        self._reported_at = 0.0
        self._board = Board(say)
        # Text of the phase, when it began, and how many images were done then.
        self._work: tuple[str, float, int] | None = None
        self._epoch_count = self._batch_size = self._beside = self._steps = 0

    def plan(self, config: Any, *, steps: int, beside: int) -> None:
        """Sets the amount of work.

        Args:
            config: Configuration of the run.
            steps: Steps per epoch of the run's own network.
            beside: Number of additional networks for cross-validation.
        """
        self._steps = steps
        self._epoch_count, self._batch_size, self._beside = config.epochs, config.batch_size, beside
        self._run.update(epochs=config.epochs * (1 + beside))

    def phase(self, text: str) -> None:
        """Records that a new phase begins."""
        self.say(text)
        self._run.update(phase=text)

    def working(self, text: str, done: int, total: int) -> None:
        """Records how many images of a phase are done and how long the rest will take, at most once per second.

        Raises:
            StoppedEarly: If a stop was requested.
        """
        now = time.monotonic()
        if self._work is None or self._work[0] != text or done <= self._work[2]:
            self._work = text, now, done
        if now - self._reported_at < 1 and done < total:
            return
        self._reported_at = now
        _, began, first = self._work
        left = f", {duration((now - began) * (total - done) / (done - first))} left" if first < done < total else ""
        self._run.update(phase=f"{text}: {done:,} of {total:,}{left}")
        if self.should_stop():
            raise StoppedEarly

    def step(self, row: dict[str, float]) -> None:
        """Records steps of the run's own network; see `Watcher.step`."""
        self._run.append_step(row)
        self._tell(row, networks_left=self._beside, networks_done=0)

    def beside(self, row: dict[str, float], left: int) -> None:
        """Records steps of a network for cross-validation; see `Watcher.beside`."""
        self._tell(row, networks_left=left, networks_done=self._beside - left)

    def _tell(self, row: dict[str, float], *, networks_left: int, networks_done: int) -> None:
        images_left = networks_left * self._epoch_count * row["steps"] * self._batch_size
        self._run.update(
            epoch=row["epoch"] + networks_done * self._epoch_count,
            step=row["step"],
            steps=row["steps"],
            images_per_second=row["images_per_second"],
            seconds_left=row["seconds_left"] + images_left / max(row["images_per_second"], 1e-6),
        )
        if self._progress:
            # Networks of cross-validation see fewer images; each of their epochs counts as one of the run's own.
            epochs = row["epoch"] - 1 + networks_done * self._epoch_count + row["step"] / row["steps"]
            self._progress(round(epochs * self._steps), self._epoch_count * (1 + self._beside) * self._steps)

    def epoch(self, history: list[dict[str, float]]) -> None:
        """Records a completed epoch, also for TensorBoard."""
        self._run.write_history(history)
        row = history[-1]
        figures = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        self.say(f"epoch {row['epoch']}: {figures}")
        self._board.write(self._run)

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._run.status().state is State.STOPPING

    def close(self) -> None:
        """Closes the file of TensorBoard."""
        self._board.close()
