"""Starts the process of a job, which outlives who started it; that process finds out that the job is its own."""

import signal
import subprocess
import sys
import threading
import time
from typing import Any

from dfcore.errors import DfcoreError, JobError, StorageError
from dfcore.runs.job import Job
from dfcore.runs.process import identity
from dfcore.runs.status import State
from dfcore.utils.files import explained, share, share_all_made
from dfcore.utils.processes import environment


def start_process(job: Job[Any], module: str, env: dict[str, str], work: str, **changes: Any) -> None:
    """Starts the process of a job, `python -m MODULE FOLDER`, detached so that it outlives its parent process.

    Args:
        job: The job, which is queued.
        module: What the process runs; it calls `take_over`.
        env: Environment of the process.
        work: What the process does, before the word "process".
        changes: Fields of the job's status to set.

    Raises:
        DfcoreError: If the process cannot be started.
        JobError: If another process is already doing the job, or the job is completed.
    """
    try:
        with open(job.log, "ab") as log:
            share(job.log)
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(job.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
    except PermissionError as error:  # Another account's job.
        raise StorageError(f"{job.noun} {job.id} cannot be started: {explained(error, job.log)}.") from error
    except OSError as error:
        job.update(state=State.FAILED, reason=f"Its process could not be started: {error}.")
        raise DfcoreError(f"The {work} process could not be started: {error}.") from error
    who = identity(process.pid)
    _reap(process)
    try:
        job.claim(int(who["pid"]), who["started"], **changes)
    except JobError:
        process.terminate()
        raise


def logging_environment() -> dict[str, str]:
    """Environment of a process whose output is a job's log."""
    # The log is UTF-8 whatever the encoding of the console; file names may not even be valid UTF-8.
    return environment(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8:backslashreplace", TF_CPP_MIN_LOG_LEVEL="2")


def take_over(job: Job[Any]) -> bool:
    """Makes this process the owner of a job that was launched for it; the system's request to end stops the job.

    Returns:
        Whether the job is this process's own; if not, it must leave it alone.
    """
    if not _is_mine(job):
        print(f"Another process has this {job.noun.lower()}; this one leaves it alone.")
        return False
    share_all_made(job.folder)
    mine = identity()
    job.owner = mine["pid"], mine["started"]
    # In a separate thread, since the handler may interrupt a write that holds the lock of the job.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=job.request_stop, daemon=True).start())
    return True


def _is_mine(job: Job[Any], patience: float = 30.0) -> bool:
    """Waits up to `patience` seconds until the launcher has recorded this process in the status."""
    who = identity()
    mine = (who["pid"], who["started"])
    until = time.monotonic() + patience
    while time.monotonic() < until:
        status = job.status()
        if (status.pid, status.started) == mine:
            return True
        # Until the launcher has updated the status, it may still name the process of an earlier attempt.
        if status.state.active and status.pid is not None:
            return False
        time.sleep(0.05)
    return False


def _reap(process: subprocess.Popen) -> None:
    """Waits for the child process in the background, so that no zombie remains in a long-lived dashboard."""
    threading.Thread(target=process.wait, daemon=True).start()
