"""A job's turn: one at a time works in a folder of jobs, the oldest first; heartbeats while it waits and works."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from filelock import FileLock, Timeout

from dfcore.runs.job import Job
from dfcore.runs.status import State

_POLL_SECONDS = _BEAT_SECONDS = 1.0


def wait_for_turn(job: Job[Any], lock: FileLock, is_first: Callable[[], bool]) -> bool:
    """Waits for the lock that only one working job can hold; returns False if a stop is requested meanwhile.

    Args:
        job: A queued job that this process owns.
        lock: Held afterwards if it is the job's turn.
        is_first: Whether no earlier job is still queued.
    """
    while True:
        if job.status().state is State.STOPPING:
            return False
        if is_first():
            try:
                lock.acquire(timeout=0)
            except Timeout:
                pass
            else:
                if job.begin():
                    return True
                lock.release()
        job.update()
        time.sleep(_POLL_SECONDS)


@contextmanager
def beating(job: Job[Any]) -> Iterator[None]:
    """Context manager in which a job's heartbeats are sent, unless its folder is deleted."""
    ended = threading.Event()

    def beat() -> None:
        while job.folder.is_dir() and not ended.is_set():
            with suppress(OSError):
                job.beat()
            ended.wait(_BEAT_SECONDS)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
