"""The process that judges one film: `python -m dfcore.films.worker FOLDER`.

It waits for its turn without loading detectors. The outcome is recorded in `status.json`, details in `log.txt`.
"""

import sys
import time
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

from filelock import FileLock

from dfcore.errors import DfcoreError, JobError
from dfcore.films.job import FilmJob
from dfcore.films.store import FilmStore
from dfcore.runs.detached import take_over
from dfcore.runs.status import State
from dfcore.runs.turn import beating, wait_for_turn
from dfcore.utils.files import lock as make_lock


class Stopped(Exception):  # noqa: N818  (not an error: a stop was requested)
    """A stop was requested."""


def main(folder: str) -> int:
    """Judges the film in `folder`; returns the exit code of the process."""
    job = FilmJob(Path(folder))
    if not take_over(job):
        return 1
    lock = make_lock(job.folder.parent / ".judging.lock")
    try:
        with beating(job):
            return _conduct(job, lock)
    finally:
        lock.release(force=True)


def _conduct(job: FilmJob, lock: FileLock) -> int:
    try:
        job.sweep()
        job.free_reserve()
        if not wait_for_turn(job, lock, partial(FilmStore(job.folder.parent).turn_of, job)):
            return _end(job, State.STOPPED, "Stopped while waiting for its turn.")
        job.keep_reserve()
        from dfcore.films.conduct import conduct

        conduct(job, partial(_stop_if_asked, job))
        return _end(job, State.COMPLETED, "")
    except Stopped:
        return _end(job, State.STOPPED, "Stopped on request; what was judged is kept.")
    except job.lost as error:
        print(f"Ended: {error}")
        return 1
    except Exception as error:  # Any failure must be recorded.
        print(traceback.format_exc())
        return _end(job, State.FAILED, str(error) if isinstance(error, DfcoreError) else _unforeseen(error))


def _stop_if_asked(job: FilmJob) -> None:
    if job.status().state is State.STOPPING:
        raise Stopped


def _end(job: FilmJob, state: State, reason: str) -> int:
    job.free_reserve()
    print(f"{state.capitalize()}. {reason}".strip())
    # If the disk is full or the folder deleted, the end of the process marks the film as interrupted.
    with suppress(DfcoreError, OSError, JobError):
        job.update(state=state, phase="", reason=reason, seconds_left=None, ended=time.time())
    return int(state is State.FAILED)


def _unforeseen(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
