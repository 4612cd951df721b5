"""Starts, resumes and stops training processes. Imports no TensorFlow."""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from dfcore.errors import DfcoreError, RunError
from dfcore.runs.process import identity
from dfcore.runs.run import Run
from dfcore.runs.status import State
from dfcore.runs.store import RunStore
from dfcore.utils.files import share, write_json
from dfcore.utils.processes import environment

WORKER, PROBE = "dfcore.training.worker", "dfcore.training.probe"


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
    try:
        with open(run.log, "ab") as log:
            share(run.log)
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(run.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
    except OSError as error:
        run.update(state=State.FAILED, reason=f"Its process could not be started: {error}.")
        raise DfcoreError(f"The training process could not be started: {error}.") from error
    who = identity(process.pid)
    _reap(process)
    try:
        run.claim(int(who["pid"]), who["started"], epochs=run.status().epochs)
    except RunError:
        process.terminate()
        raise


def estimate(config: dict, *, training_images: int, validation_images: int, timeout: float = 180) -> float:
    """Seconds that an epoch of a checked config will take, measured on a few steps in another process.

    Raises:
        DfcoreError: when the network cannot be built or the measurement takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        write_json(path, config)
        command = [sys.executable, "-m", PROBE, str(path)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DfcoreError(f"A few steps took more than {timeout:.0f} s: this is too large here.") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason was given"]
        raise DfcoreError(f"The measurement failed: {last[0]}")
    rates = json.loads(done.stdout.strip().splitlines()[-1])
    return training_images / rates["training"] + validation_images / rates["validation"]


def _environment() -> dict[str, str]:
    # The log is UTF-8, whatever the console of whoever starts it can show; names may be no UTF-8 at all.
    return environment(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8:backslashreplace", TF_CPP_MIN_LOG_LEVEL="2")


def _reap(process: subprocess.Popen) -> None:
    """Waits for the child in the background, so that it leaves no zombie in a long-lived dashboard."""
    threading.Thread(target=process.wait, daemon=True).start()
