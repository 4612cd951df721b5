"""The process that judges one batch: `python -m dfcore.batch.worker BATCH_FOLDER`.

It waits for its turn without loading detectors. The outcome is recorded in `status.json`, details in `log.txt`.
"""

import sys
import time
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path

from filelock import FileLock

from dfcore.batch.job import Batch
from dfcore.batch.store import BatchStore
from dfcore.errors import DfcoreError, JobError
from dfcore.runs.detached import take_over
from dfcore.runs.status import State
from dfcore.runs.turn import beating, wait_for_turn
from dfcore.utils.files import lock as make_lock


class Stopped(Exception):  # noqa: N818  (not an error: a stop was requested)
    """A stop was requested."""


def main(folder: str) -> int:
    """Judges the batch in `folder`; returns the exit code of the process."""
    batch = Batch(Path(folder))
    if not take_over(batch):
        return 1
    lock = make_lock(batch.folder.parent / ".judging.lock")
    try:
        with beating(batch):
            return _conduct(batch, lock)
    finally:
        lock.release(force=True)


def _conduct(batch: Batch, lock: FileLock) -> int:
    try:
        batch.sweep()
        batch.free_reserve()
        if not wait_for_turn(batch, lock, partial(BatchStore(batch.folder.parent).turn_of, batch)):
            return _end(batch, State.STOPPED, "Stopped while waiting for its turn.")
        batch.keep_reserve()
        from dfcore.batch.judging import judge

        judge(batch, partial(_stop_if_asked, batch))
        return _end(batch, State.COMPLETED, "")
    except Stopped:
        return _end(batch, State.STOPPED, "Stopped on request; what was judged is kept.")
    except batch.lost as error:
        print(f"Ended: {error}")
        return 1
    except Exception as error:  # Any failure must be recorded in the batch.
        print(traceback.format_exc())
        return _end(batch, State.FAILED, str(error) if isinstance(error, DfcoreError) else _unforeseen(error))


def _stop_if_asked(batch: Batch) -> None:
    if batch.status().state is State.STOPPING:
        raise Stopped


def _end(batch: Batch, state: State, reason: str) -> int:
    batch.free_reserve()
    print(f"{state.capitalize()}. {reason}".strip())
    # If the disk is full or the folder deleted, the end of the process marks the batch as interrupted.
    with suppress(DfcoreError, OSError, JobError):
        batch.update(state=state, phase="", reason=reason, seconds_left=None, ended=time.time())
    return int(state is State.FAILED)


def _unforeseen(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
