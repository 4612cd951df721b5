"""The process that trains one run: `python -m dfcore.training.worker RUN_FOLDER`.

It waits for its turn without TensorFlow, then imports TensorFlow before anything else that is heavy, and
never Streamlit. Whatever happens is told in `status.json`; the whole story stands in `log.txt`.
"""

import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dfcore.errors import DfcoreError
from dfcore.runs.process import identity
from dfcore.runs.run import LostRun, Run
from dfcore.runs.status import State
from dfcore.runs.store import RunStore
from dfcore.utils.files import lock, share_all_made, sweep

_POLL_SECONDS = _BEAT_SECONDS = 1.0


class StoppedEarly(Exception):  # noqa: N818  (no error: somebody wished it)
    """Somebody asked for a stop before training began."""


def main(folder: str) -> int:
    """Trains the run in `folder`; returns the exit code of the process."""
    run = Run(Path(folder))
    if not _is_mine(run):
        print("Another process has this run; this one leaves it alone.")
        return 1
    share_all_made(run.folder)
    run.owner = (mine := identity())["pid"], mine["started"]
    threading.Thread(target=_beat, args=(run,), daemon=True).start()
    watcher = RunWatcher(run)
    # In a thread of its own, since the handler may interrupt a write that holds the run's lock.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=run.request_stop, daemon=True).start())
    training = lock(run.folder.parent / ".training.lock")
    try:
        _clean_up(run)
        if not _wait_for_turn(run, training):
            run.update(state=State.STOPPED, phase="", reason="Stopped while waiting for its turn.")
            return 0
        with training:
            run.keep_reserve()
            _train(run, watcher)
        run.sweep()
        return 0
    except LostRun as error:
        print(f"Ended: {error}")
        return 1
    except StoppedEarly:
        run.free_reserve()
        run.update(state=State.STOPPED, phase="", reason="Stopped before the first step.", seconds_left=None)
        return 0
    except MemoryError:
        return _fail(run, "The machine ran out of memory; a smaller batch or image size needs less.")
    except DfcoreError as error:
        return _fail(run, str(error))
    except Exception as error:  # Whatever it was, the run must say so.
        return _fail(run, f"{type(error).__name__}: {str(error)[:500]}")


def _is_mine(run: Run, patience: float = 30.0) -> bool:
    """Waits until the launcher has entered this process into the status."""
    who = identity()
    mine = (who["pid"], who["started"])
    until = time.monotonic() + patience
    while time.monotonic() < until:
        status = run.status()
        if (status.pid, status.started) == mine:
            return True
        # The process of an earlier sitting may still stand there until the launcher has written.
        if status.state.active and status.pid is not None:
            return False
        time.sleep(0.05)
    return False


def _wait_for_turn(run: Run, training: FileLock) -> bool:
    """Takes the lock that only one training process holds; False when asked to stop meanwhile."""
    store = RunStore(run.folder.parent)
    while True:
        if run.status().state is State.STOPPING:
            return False
        if store.turn_of(run):
            try:
                training.acquire(timeout=0)
            except Timeout:
                pass
            else:
                if run.begin():
                    return True
                training.release()
        run.update()
        time.sleep(_POLL_SECONDS)


def _beat(run: Run) -> None:
    """Gives signs of life until the process or the folder is gone."""
    while run.folder.is_dir():
        with suppress(OSError):
            run.beat()
        time.sleep(_BEAT_SECONDS)


def _clean_up(run: Run) -> None:
    """Removes what an earlier process of this run left half-done."""
    run.sweep()
    run.free_reserve()
    sweep(run.folder / "folds")
    for folder in (*run.folder.glob(".finish-*"), *run.folder.glob(".bundle-*")):
        shutil.rmtree(folder, ignore_errors=True)


def _train(run: Run, watcher: "RunWatcher") -> None:
    watcher.phase("loading TensorFlow")
    import tensorflow  # noqa: F401  (before pandas, pyarrow and scikit-learn)

    from dfcore.training.config import make_config
    from dfcore.training.data import prepare, require_same
    from dfcore.training.finish import Trained, finish, write_excluded
    from dfcore.training.folds import cross_validate, fold_count
    from dfcore.training.trainer import Trainer

    config = make_config(run.config())
    data = prepare(config, watcher.preparing)
    require_same(data, run.folder / "data.json", begun=any(run.checkpoints.glob("epoch-*.npz")))
    write_excluded(run, data.excluded)
    print(data.dataset.counts().to_string(), f"\n{len(data.excluded)} images take no part, see excluded.csv")
    watcher.phase("building the network")
    watcher.plan(config, beside=fold_count(data, config))
    trainer = Trainer(config, data, run.checkpoints, watcher)
    # The process before may have died between a checkpoint and what is told of it.
    run.write_history(trainer.progress.history)
    run.cut_steps(trainer.progress.epoch, trainer.progress.step)
    finished, unseen = trainer.run(), None
    if finished and config.cross_validation != "off":
        unseen = cross_validate(config, data, run.folder / "folds", watcher)
        finished = unseen is not None
    if not finished:
        reason = "Stopped on request; what was learned is kept."
        run.update(state=State.STOPPED, phase="", reason=reason, seconds_left=None)
        print(reason)
        return
    progress = trainer.progress
    finish(run, config, data, Trained(trainer.best_model(), progress, unseen), watcher)
    # Before the last word: nothing is to be left over, wherever a kill comes.
    run.free_reserve()
    reason = "" if progress.epoch >= config.epochs else f"No better epoch than {progress.best_epoch} came: ended early."
    run.update(state=State.COMPLETED, phase="", reason=reason, seconds_left=None)
    print(f"Completed after {progress.epoch} epochs; the best was epoch {progress.best_epoch}.")


def _fail(run: Run, reason: str) -> int:
    traceback.print_exc()
    print(f"Failed: {reason}")
    run.free_reserve()
    try:
        run.update(state=State.FAILED, phase="", reason=reason, seconds_left=None)
    except (DfcoreError, OSError) as error:  # The disk may be full: then the process's end tells it.
        print(f"The status could not be written: {error}")
    return 1


class RunWatcher:
    """Writes a run's progress into its folder, and looks there for a wish to stop."""

    def __init__(self, run: Run):
        self._run = run
        self._reported_at = 0.0
        self._board: Any = None
        self._epoch_count = self._batch_size = self._beside = 0

    def plan(self, config: Any, *, beside: int) -> None:
        """Tells how much there is to do: the run's own network and so many besides."""
        self._epoch_count, self._batch_size, self._beside = config.epochs, config.batch_size, beside
        self._run.update(epochs=config.epochs * (1 + beside))

    def phase(self, text: str) -> None:
        """A new phase begins."""
        print(text, flush=True)
        self._run.update(phase=text)

    def preparing(self, text: str, done: int, total: int) -> None:
        """Images are being read; a stop is heeded here too."""
        if time.monotonic() - self._reported_at < 1 and done < total:
            return
        self._reported_at = time.monotonic()
        self._run.update(phase=f"{text}: {done:,} of {total:,}")
        if self.should_stop():
            raise StoppedEarly

    def step(self, row: dict[str, float]) -> None:
        """Some steps were made."""
        self._run.append_step(row)
        self._tell(row, networks_left=self._beside, networks_done=0)

    def beside(self, row: dict[str, float], left: int) -> None:
        """Some steps of a network for cross-validation were made."""
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

    def epoch(self, history: list[dict[str, float]]) -> None:
        """An epoch was completed."""
        self._run.write_history(history)
        row = history[-1]
        figures = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        print(f"epoch {row['epoch']}: {figures}", flush=True)
        self._to_tensorboard(row)

    def should_stop(self) -> bool:
        """Whether somebody asked for it."""
        return self._run.status().state is State.STOPPING

    def _to_tensorboard(self, row: dict[str, float]) -> None:
        import tensorflow as tf

        if self._board is None:
            self._board = tf.summary.create_file_writer(str(self._run.folder / "tensorboard"))
        with self._board.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.scalar(name, value)
        self._board.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
