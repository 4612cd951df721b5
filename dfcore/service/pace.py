"""How fast pictures are judged, as measured, to tell callers when there will be room."""

import time
from collections.abc import Callable

# Weight of the newest measurement, for one picture; and what is assumed before the first.
_WEIGHT, _FIRST_SECONDS = 0.1, 0.5
_MOST_SECONDS = 300.0


class Pace:
    """Seconds a picture takes while pictures are waiting, as a moving average.

    Args:
        clock: Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._last = clock()
        self.seconds = _FIRST_SECONDS

    def done(self, pictures: int, waiting_since: float) -> None:
        """Counts pictures that are done now.

        Args:
            pictures: Their number.
            waiting_since: When the first of them began to wait, by the clock. Time in which nobody waited counts not.
        """
        now = self._clock()
        each = max(0.0, now - max(self._last, waiting_since)) / pictures
        keep = (1 - _WEIGHT) ** pictures
        self.seconds = keep * self.seconds + (1 - keep) * each
        self._last = now

    def wait(self, pictures: int) -> float:
        """Seconds until so many pictures are done, at least 1 and at most 300."""
        return min(_MOST_SECONDS, max(1.0, pictures * self.seconds))
