"""Starts and resumes training processes; does not import TensorFlow."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from dfcore.errors import DfcoreError, RunError
from dfcore.runs.detached import logging_environment, start_process
from dfcore.runs.run import Run
from dfcore.runs.store import RunStore
from dfcore.utils.files import write_json
from dfcore.utils.processes import SYSTEM_ALLOCATOR

WORKER, PROBE = "dfcore.training.worker", "dfcore.training.probe"


def start(store: RunStore, config: dict, *, epochs: int) -> Run:
    """Creates a run and starts its process, which waits for its turn.

    Args:
        store: Where to create the run.
        config: Validated configuration.
        epochs: Number of planned epochs.

    Raises:
        StorageError: If the run cannot be created.
        DfcoreError: If the process cannot be started.
    """
    run = store.create(config, epochs=epochs)
    launch(run)
    return run


def resume(run: Run) -> None:
    """Starts a new process that continues a run.

    Raises:
        RunError: If the run is active or completed.
        DfcoreError: If the process cannot be started.
    """
    status = run.status()
    if status.state.active:
        raise RunError(f"Run {run.id} is {status.state} already.")
    if not status.state.resumable:
        raise RunError(f"Run {run.id} is {status.state}; only a stopped, failed or interrupted one can be resumed.")
    launch(run)


def require_data(run: Run) -> None:
    """Checks that the data set of a run is still there.

    Raises:
        RunError: If not; the text names the command that tells the run where it is now.
    """
    root = run.config().get("data_root")
    if isinstance(root, str) and not Path(root).exists():
        raise RunError(
            f"The data set of run {run.id} is not there any more: {root}. If it was moved, tell where to: dfcore runs "
            f"relocate {run.id} NEW_ROOT"
        )


def launch(run: Run) -> None:
    """Starts the process of a run, detached so that it outlives its parent process.

    Raises:
        DfcoreError: If the process cannot be started.
        RunError: If another process is already training the run, or the run is completed.
    """
    start_process(run, WORKER, _environment(), "training", epochs=run.status().epochs)


def estimate(config: dict, *, training_images: int, validation_images: int, timeout: float = 180) -> float:
    """Estimates the duration of an epoch from a few steps in a separate process.

    Args:
        config: Validated configuration.
        training_images: Number of training images.
        validation_images: Number of validation images.
        timeout: Time limit of the measurement in seconds.

    Returns:
        Seconds per epoch.

    Raises:
        DfcoreError: If the network cannot be built or the measurement takes too long.
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
    # Every step of training allocates the same tensors, which the dashboard's setting would make slower.
    return logging_environment() | {SYSTEM_ALLOCATOR: "0"}
