"""Starts, resumes and stops training processes. Imports no TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

from dfcore.errors import DfcoreError, RunError
from dfcore.runs.process import identity
from dfcore.runs.store import Run, RunStore, State

WORKER = "dfcore.training.worker"


def start(store: RunStore, config: dict, *, epochs: int) -> Run:
    """Makes a run for a checked config and starts its process, which waits for its turn."""
    run = store.create(config, epochs=epochs)
    launch(run)
    return run


def resume(run: Run) -> None:
    """Starts a new process that goes on where the run was left.

    Raises:
        RunError: when it is at work or completed.
    """
    status = run.status()
    if status.state.active:
        raise RunError(f"Run {run.id} is {status.state} already.")
    if not status.state.resumable:
        raise RunError(f"Run {run.id} is {status.state}; only a stopped, failed or interrupted one can be resumed.")
    launch(run)


def launch(run: Run) -> None:
    """Starts the process of a run, detached, so that it outlives whoever started it."""
    run_environment = os.environ | {
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # The package may be used from a checkout without being installed.
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]).rstrip(":"),
    }
    try:
        with open(run.log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(run.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=run_environment,
                start_new_session=True,
            )
    except OSError as error:
        run.update(state=State.FAILED, reason=f"Its process could not be started: {error}.")
        raise DfcoreError(f"The training process could not be started: {error}.") from error
    who = identity(process.pid)
    _reap(process)
    run.claim(int(who["pid"]), who["started"], epochs=run.status().epochs)


def _reap(process: subprocess.Popen) -> None:
    """Waits for the child in the background, so that it leaves no zombie in a long-lived dashboard."""
    import threading

    threading.Thread(target=process.wait, daemon=True).start()
