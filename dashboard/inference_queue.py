"""Bounded queue for inference: limits how many requests run and wait, and refuses the rest with a clear message.

One image already uses all cores: two at once were no faster (14 pictures in 9.3 s instead of 8.7) and take more memory.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dfcore.errors import BusyError

ACTIVE, WAITING, PATIENCE_SECONDS = 1, 64, 60.0


class Turns:
    """A bounded queue.

    Args:
        active: Maximum number of running tasks.
        waiting: Maximum number of waiting tasks.
        patience: Seconds after which a waiting task is refused.
    """

    def __init__(self, active: int = ACTIVE, waiting: int = WAITING, patience: float = PATIENCE_SECONDS):
        self._places = threading.Semaphore(active)
        self._room = threading.Semaphore(active + waiting)
        self._active, self._waiting, self._patience = active, waiting, patience
        self._inside, self._counting = 0, threading.Lock()

    @property
    def is_crowded(self) -> bool:
        """Whether somebody waits at this moment."""
        return self._inside > self._active

    def _count(self, more: int) -> None:
        with self._counting:
            self._inside += more

    @contextmanager
    def take(self) -> Iterator[None]:
        """Waits for a free slot and holds it inside the `with` block.

        Raises:
            BusyError: If the queue is full or the wait exceeds `patience`.
        """
        if not self._room.acquire(blocking=False):
            ahead = f"{self._waiting} others are waiting already" if self._waiting else "another one is running"
            raise BusyError(f"The server is busy: {ahead}. Try again in a minute.")
        self._count(1)
        try:
            began = time.monotonic()
            if not self._places.acquire(timeout=self._patience):
                waited = time.monotonic() - began
                raise BusyError(f"The server is busy: your turn did not come within {waited:.0f} s. Try again.")
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._count(-1)
            self._room.release()


# One of each for the whole server. A measurement takes minutes, so nothing queues behind it.
inference = Turns()
measuring = Turns(waiting=0)
# Apart from inference, so that verdicts do not wait for views that take seconds.
forensics = Turns(waiting=16)
faces = Turns()
