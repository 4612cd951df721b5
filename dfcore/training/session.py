"""Conducts a training run from the queue to the finished detector, for `train` and for the worker process.

Heavy packages are imported only when it is the run's turn, TensorFlow first.
"""

import shutil
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from dfcore import workspace
from dfcore.errors import DfcoreError, RunError
from dfcore.runs.process import identity
from dfcore.runs.run import LostRun, Run
from dfcore.runs.status import State
from dfcore.runs.store import RunStore
from dfcore.runs.turn import beating, wait_for_turn
from dfcore.trackers import start_mirror
from dfcore.training.watcher import RunWatcher, StoppedEarly
from dfcore.utils.files import lock as make_lock
from dfcore.utils.files import sweep

if TYPE_CHECKING:
    from pathlib import Path

    from dfcore.training.config import TrainConfig


def train(
    config: "TrainConfig | None" = None,
    *,
    runs_dir: "str | Path | None" = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Run:
    """Trains a detector in this process and returns the run.

    Like `dfcore train`, it creates a run, waits until no other training is active in the folder of runs, and trains.
    Meanwhile the dashboard and `dfcore runs` show the run and can stop it. Ctrl-C stops it after the current step and
    saves a checkpoint; a second Ctrl-C stops it immediately. `dfcore runs resume` resumes it. The random number
    generators of Python, NumPy and Keras are seeded.

    Args:
        config: Settings, as an alternative to `settings`.
        runs_dir: Folder of runs; by default that of the workspace.
        progress: Called with (steps done, total number of steps), including those of cross-validation.
        settings: Fields of `TrainConfig`, which override those in `config`. `data_root`, the folder or manifest of the
            images, is required. If neither `arch` nor `image_size` is given, both are chosen to suit the images.

    Returns:
        The run: `run.bundle` is the folder for `Detector.load`, `run.metrics()` are the metrics by split,
        `run.history()` has one row per epoch, `run.folder` contains all files. Its state is "completed", or "stopped"
        if it was stopped from elsewhere.

    Raises:
        ConfigError: If settings are invalid or have no effect; lists all problems.
        LayoutError, DatasetError: If the data set cannot be used for training.
        DfcoreError: If training fails, e.g. because memory runs out; the run is marked as failed, with the reason.
        KeyboardInterrupt: After Ctrl-C; the run is marked as stopped.

    Example:
        >>> import dfcore
        >>> from dfcore.datasets.demo import make_demo
        >>> demo = make_demo("demo", crops_per_block=3)
        >>> run = dfcore.train(data_root=str(demo), arch="cnn", image_size=32, epochs=1)
        >>> run.metrics()["test"]["images"]
        24
        >>> dfcore.Detector.load(run.bundle).spec.size
        32
    """
    import tensorflow  # noqa: F401  (before pandas, pyarrow and scikit-learn)

    from dfcore.training.request import check_request

    checked = check_request((config.model_dump(exclude_unset=True) if config else {}) | settings)
    run = RunStore(runs_dir or workspace.runs_dir()).create(checked.to_dict(), epochs=checked.epochs)
    me = identity()
    run.claim(int(me["pid"]), me["started"], epochs=checked.epochs)
    run.owner = me["pid"], me["started"]
    with _stopping_on_ctrl_c(run) as pressed, open(run.log, "a", encoding="utf-8", buffering=1) as log:
        conduct(run, RunWatcher(run, lambda text: print(text, file=log), progress))
    if pressed:
        raise KeyboardInterrupt(f"Run {run.id} is {run.status().state}.")
    return run


def conduct(run: Run, watcher: RunWatcher) -> None:
    """Conducts a run that this process owns: waits for its turn, trains, and records the outcome.

    Args:
        run: The run, with `owner` set to this process.
        watcher: Receives the progress; closed at the end.

    Raises:
        LostRun: If the run has been claimed by another process; nothing is recorded then.
        DfcoreError: If training fails; the reason is recorded.
        KeyboardInterrupt: If interrupted; the run is recorded as stopped.
    """
    lock = make_lock(run.folder.parent / ".training.lock")
    try:
        with beating(run):
            _conduct(run, watcher, lock)
    finally:
        watcher.close()
        lock.release(force=True)


def _conduct(run: Run, watcher: RunWatcher, lock: FileLock) -> None:
    try:
        _clean_up(run)
        if not wait_for_turn(run, lock, partial(RunStore(run.folder.parent).turn_of, run)):
            run.update(state=State.STOPPED, phase="", reason="Stopped while waiting for its turn.")
            return
        run.keep_reserve()
        start_mirror(run, watcher.say)
        _train(run, watcher)
        run.sweep()
    except StoppedEarly:
        learned = any(run.checkpoints.glob("epoch-*.npz"))
        reason = "Stopped on request; what was learned is kept." if learned else "Stopped before the first step."
        _note_end(run, State.STOPPED, reason)
    except LostRun:
        raise
    except KeyboardInterrupt:
        _note_end(run, State.STOPPED, "Stopped at once; what the last checkpoint holds is kept.")
        raise
    except Exception as error:  # Any failure must be recorded in the run.
        watcher.say(traceback.format_exc())
        failure = error if isinstance(error, DfcoreError) else _unforeseen(error)
        _note_end(run, State.FAILED, str(failure))
        if failure is error:
            raise
        raise failure from error


def _unforeseen(error: Exception) -> DfcoreError:
    return DfcoreError(f"{type(error).__name__}: {str(error)[:500]}")


def _note_end(run: Run, state: State, reason: str) -> None:
    run.free_reserve()
    # If the disk is full or the folder deleted, the end of the process marks the run as interrupted.
    with suppress(DfcoreError, OSError):
        run.update(state=state, phase="", reason=reason, seconds_left=None)


@contextmanager
def _stopping_on_ctrl_c(run: Run) -> Iterator[list[bool]]:
    """Context manager in which the first Ctrl-C requests a stop and then restores the previous handler.

    Yields:
        A list that is not empty once Ctrl-C has been pressed.
    """
    pressed: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.getsignal(signal.SIGINT)

    def ask() -> None:
        with suppress(RunError):  # The run has already ended.
            run.request_stop()

    def stop(*_: Any) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, before)
        # In a separate thread, since the handler may interrupt a write that holds the lock of the run.
        threading.Thread(target=ask, daemon=True).start()

    signal.signal(signal.SIGINT, stop)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _clean_up(run: Run) -> None:
    """Deletes incomplete files left by an earlier process of this run."""
    run.sweep()
    run.free_reserve()
    sweep(run.folder / "folds")
    for folder in (*run.folder.glob(".finish-*"), *run.folder.glob(".bundle-*")):
        shutil.rmtree(folder, ignore_errors=True)


def _train(run: Run, watcher: RunWatcher) -> None:
    watcher.phase("loading TensorFlow")
    import tensorflow  # noqa: F401  (before pandas, pyarrow and scikit-learn)

    from dfcore.training.failures import translated
    from dfcore.training.hardware import own_precision
    from dfcore.training.request import recorded_config

    config = recorded_config(run.config())
    with translated(config), own_precision():
        _learn(run, config, watcher)


def _learn(run: Run, config: "TrainConfig", watcher: RunWatcher) -> None:
    from dfcore.runs.launch import require_data
    from dfcore.training.data import prepare, require_same
    from dfcore.training.finish import Trained, finish, write_excluded
    from dfcore.training.folds import cross_validate, fold_count, fold_heads
    from dfcore.training.record import write_record
    from dfcore.training.trainer import trainer_for

    require_data(run)
    data = prepare(config, watcher.working)
    begun = any(run.checkpoints.glob("epoch-*.npz"))
    require_same(data.dataset.root, data.rows, run.folder / "data.json", begun=begun)
    write_record(data.rows, run.folder, begun=begun)
    write_excluded(run, data.excluded)
    watcher.say(f"{data.dataset.counts().to_string()}\n{len(data.excluded)} images take no part, see excluded.csv")
    watcher.phase("building the network")
    trainer = trainer_for(config, data, run.checkpoints, watcher)
    watcher.plan(config, steps=trainer.steps, beside=fold_count(data.rows, config))
    # An earlier process may have died after writing a checkpoint and before updating these files.
    run.write_history(trainer.progress.history)
    run.cut_steps(trainer.progress.epoch, trainer.progress.step)
    finished, unseen = trainer.run(), None
    if finished and config.cross_validation != "off":
        unseen = cross_validate(config, data, run.folder / "folds", watcher)
        finished = unseen is not None
    if not finished:
        reason = "Stopped on request; what was learned is kept."
        run.update(state=State.STOPPED, phase="", reason=reason, seconds_left=None)
        watcher.say(reason)
        return
    progress = trainer.progress
    heads = fold_heads(config, data, run.folder / "folds", watcher)
    finish(run, config, data, Trained(trainer.best_model(), progress, unseen, heads), watcher)
    # Before the final status, so that no reserve is left behind if the process is killed in between.
    run.free_reserve()
    reason = "" if progress.epoch >= config.epochs else f"No better epoch than {progress.best_epoch} came: ended early."
    run.update(state=State.COMPLETED, phase="", reason=reason, seconds_left=None)
    watcher.say(f"Completed after {progress.epoch} epochs; the best was epoch {progress.best_epoch}.")
