"""The process of a job that judges: it waits for its turn without loading anything, and records how it ended.

The outcome is in `status.json`, details in `log.txt`.
"""

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from filelock import FileLock

from dfcore.errors import DfcoreError, JobError
from dfcore.runs.detached import take_over
from dfcore.runs.job import Job
from dfcore.runs.jobs import JobStore
from dfcore.runs.status import State
from dfcore.runs.turn import beating, wait_for_turn
from dfcore.utils.files import lock as make_lock
from dfcore.utils.work import Stopped

_JobT = TypeVar("_JobT", bound=Job[Any])
# Does the work of a job; calls the other from time to time, which ends it where a stop was requested.
Work = Callable[[_JobT, Callable[[], None]], None]


def carry_out(job: _JobT, store: JobStore[_JobT], work: Work[_JobT]) -> int:
    """Takes over a job that was handed to this process and does its work when its turn has come.

    Args:
        job: The job.
        store: All jobs that it shares its turn with.
        work: Does the work.

    Returns:
        The exit code of the process.
    """
    if not take_over(job):
        return 1
    lock = make_lock(job.folder.parent / ".judging.lock")
    try:
        with beating(job):
            return work_in_turn(job, store, work, lock)
    finally:
        lock.release(force=True)


def work_in_turn(job: _JobT, store: JobStore[_JobT], work: Work[_JobT], lock: FileLock) -> int:
    """Like `carry_out`, for a job that this process has taken over and keeps alive."""
    try:
        job.sweep()
        job.free_reserve()
        if not wait_for_turn(job, lock, partial(store.turn_of, job)):
            return _end(job, State.STOPPED, "Stopped while waiting for its turn.")
        job.keep_reserve()
        work(job, partial(_stop_if_asked, job))
        return _end(job, State.COMPLETED, "")
    except Stopped:
        return _end(job, State.STOPPED, "Stopped on request; what was judged is kept.")
    except job.lost as error:
        print(f"Ended: {error}")
        return 1
    except Exception as error:  # Any failure must be recorded.
        print(traceback.format_exc())
        return _end(job, State.FAILED, str(error) if isinstance(error, DfcoreError) else _unforeseen(error))


def _stop_if_asked(job: Job[Any]) -> None:
    if job.status().state is State.STOPPING:
        raise Stopped


def _end(job: Job[Any], state: State, reason: str) -> int:
    job.free_reserve()
    print(f"{state.capitalize()}. {reason}".strip())
    # If the disk is full or the folder deleted, the end of the process marks the job as interrupted.
    with suppress(DfcoreError, OSError, JobError):
        job.update(state=state, phase="", reason=reason, seconds_left=None, ended=time.time())
    return int(state is State.FAILED)


def _unforeseen(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"
