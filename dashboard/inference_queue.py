"""Taking turns: a few inferences at once, some waiting, and a clear word to whoever comes when the room is full.

TensorFlow uses all cores for one image already; more at once would only take more memory and make each slower.
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
        active: how many may be at work at once.
        waiting: how many may wait for them.
        patience: seconds after which somebody who waits is sent away.
    """

    def __init__(self, active: int = ACTIVE, waiting: int = WAITING, patience: float = PATIENCE_SECONDS):
        self._places = threading.Semaphore(active)
        self._room = threading.Semaphore(active + waiting)
        self._waiting, self._patience = waiting, patience

    @contextmanager
    def take(self) -> Iterator[None]:
        """Waits for one's turn.

        Raises:
            BusyError: when too many wait already, or the turn does not come in time.
        """
        if not self._room.acquire(blocking=False):
            ahead = f"{self._waiting} others are waiting already" if self._waiting else "another one is running"
            raise BusyError(f"The server is busy: {ahead}. Try again in a minute.")
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
            self._room.release()


# One each for the whole server. A measurement takes minutes: nobody is kept waiting for its end.
inference = Turns()
measuring = Turns(waiting=0)
