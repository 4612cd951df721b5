"""Bounded queue for inference: limits how many requests run and wait, and refuses the rest with a clear message.

One image already uses all cores: two at once were no faster (14 pictures in 9.3 s instead of 8.7) and take more memory.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from dfcore.errors import BusyError

ACTIVE, WAITING, PATIENCE_SECONDS = 1, 64, 60.0


@dataclass
class Kept:
    """A block in which a turn is kept.

    Attributes:
        held: Gives the turn back.
        has_turn: Whether one was taken.
    """

    held: ExitStack
    has_turn: bool = False


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
        self._inside, self._changed = 0, threading.Condition()
        self._of_thread = threading.local()

    @property
    def is_crowded(self) -> bool:
        """Whether somebody waits at this moment."""
        return self._inside > self._active

    def until_idle(self, seconds: float) -> bool:
        """Waits until nobody has or wants a turn, for what can wait; whether it came to that in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._inside, seconds)

    def _count(self, more: int) -> None:
        with self._changed:
            self._inside += more
            self._changed.notify_all()

    @contextmanager
    def kept(self) -> Iterator[Kept]:
        """Keeps a turn that this thread takes inside until the end of the block, for what it wants to do next."""
        before = getattr(self._of_thread, "kept", None)
        with ExitStack() as held:
            self._of_thread.kept = result = Kept(held)
            try:
                yield result
            finally:
                self._of_thread.kept = before

    @contextmanager
    def take(self) -> Iterator[None]:
        """Waits for a free slot and holds it inside the `with` block, or to the end of that of `kept`.

        Raises:
            BusyError: If the queue is full or the wait exceeds `patience`.
        """
        kept: Kept | None = getattr(self._of_thread, "kept", None)
        if kept is None:
            with self._taken():
                yield
            return
        if not kept.has_turn:
            kept.held.enter_context(self._taken())
            kept.has_turn = True
        yield

    @contextmanager
    def _taken(self) -> Iterator[None]:
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
