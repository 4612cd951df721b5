"""The process that fetches one data set: `python -m dfcore.hub.fetch_worker FETCH_FOLDER`.

The outcome is recorded in `status.json` and `outcome.json`, details in `log.txt`; credentials in none of them.
"""

import sys
import time
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

from filelock import FileLock

from dfcore.errors import DfcoreError
from dfcore.hub.credentials import redacted
from dfcore.hub.fetch import fetch
from dfcore.hub.fetch_jobs import Fetch, FetchStore
from dfcore.runs.detached import take_over
from dfcore.runs.status import State
from dfcore.runs.turn import beating, wait_for_turn
from dfcore.utils.files import lock as make_lock
from dfcore.utils.work import Stopped

_EVERY_SECONDS = 0.5


def main(folder: str) -> int:
    """Fetches what is asked for in `folder`; returns the exit code of the process."""
    job = Fetch(Path(folder))
    if not take_over(job):
        return 1
    lock = make_lock(job.folder.parent / ".fetching.lock")
    try:
        with beating(job):
            return _conduct(job, lock)
    finally:
        lock.release(force=True)


def _conduct(job: Fetch, lock: FileLock) -> int:
    try:
        job.sweep()
        job.free_reserve()
        if not wait_for_turn(job, lock, partial(FetchStore().turn_of, job)):
            return _end(job, State.STOPPED, "Stopped while waiting for its turn.")
        job.keep_reserve()
        outcome = fetch(job.wanted, _Reporter(job))
        job.free_reserve()
        job.keep_outcome(outcome)
        return _end(job, State.COMPLETED, "")
    except Stopped:
        return _end(job, State.STOPPED, "Stopped on request; what was loaded is kept.")
    except DfcoreError as error:
        return _end(job, State.FAILED, redacted(error))
    except Exception as error:  # Any failure must be recorded.
        print(redacted(traceback.format_exc()))
        return _end(job, State.FAILED, f"{type(error).__name__}: {redacted(error)[:500]}")


class _Reporter:
    """Writes progress into the job from time to time, and stops it where that was asked for."""

    def __init__(self, job: Fetch):
        self._job, self._phase, self._began, self._first, self._last = job, "", 0.0, 0, 0.0

    def __call__(self, phase: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if phase != self._phase:
            print(f"{phase} …")
            self._phase, self._began, self._first = phase, now, done
        elif now - self._last < _EVERY_SECONDS:
            return
        self._last = now
        if self._job.status().state is State.STOPPING:
            raise Stopped
        pace = (done - self._first) / (now - self._began) if now - self._began > 1 else 0.0
        left = (total - done) / pace if total and pace > 0 else None
        self._job.update(phase=phase[:1].lower() + phase[1:], done=done, total=total, unit=unit, seconds_left=left)


def _end(job: Fetch, state: State, reason: str) -> int:
    job.free_reserve()
    print(f"{state.capitalize()}. {reason}".strip())
    # If the disk is full or the folder deleted, the end of the process marks the fetch as interrupted.
    with suppress(DfcoreError, OSError):
        job.update(state=state, phase="", reason=reason, seconds_left=None, ended=time.time())
    return int(state is State.FAILED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
