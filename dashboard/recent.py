"""What was read of the latest files, shared by all sessions."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from dfcore.errors import DfcoreError, TransientImageError, detached

_Result = TypeVar("_Result")


# For so long a failure that may lie with the machine is kept: it is tried again, but not at every turn of one run, each
# of which may take seconds.
_AGAIN_SECONDS = 60.0


class Recent(Generic[_Result]):
    """Results by key, the least recently used of which are dropped. Thread-safe.

    Failures are kept as well, so that a file is not tried again and again; those that may lie with the machine for a
    minute only.

    Args:
        most: Number of results that are kept.
        size: Bytes that a result takes; by default only their number counts.
        most_bytes: Bytes of all that are kept together; of a larger result, that one alone.
    """

    def __init__(self, most: int, size: Callable[[_Result], int] | None = None, most_bytes: int = 0):
        self._most, self._size, self._most_bytes, self._bytes = most, size, most_bytes, 0
        self._results: OrderedDict[Hashable, tuple[_Result | DfcoreError, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _Result | DfcoreError | None:
        """What was kept; None if there is nothing."""
        with self._lock:
            result, until = self._results.get(key, (None, math.inf))
            if time.monotonic() >= until:
                self._drop(key)
                return None
            if result is not None:
                self._results.move_to_end(key)
            return detached(result) if isinstance(result, DfcoreError) else result

    def keep(self, key: Hashable, result: _Result | DfcoreError) -> None:
        """Keeps a result in the place of an earlier one."""
        if isinstance(result, DfcoreError):
            result = detached(result)
        until = time.monotonic() + _AGAIN_SECONDS if isinstance(result, TransientImageError) else math.inf
        with self._lock:
            self._drop(key)
            self._results[key] = result, until
            self._bytes += self._weight(result)
            while len(self._results) > self._most or (self._bytes > self._most_bytes and len(self._results) > 1):
                self._drop(next(iter(self._results)))

    def _drop(self, key: Hashable) -> None:
        if key in self._results:
            self._bytes -= self._weight(self._results.pop(key)[0])

    def _weight(self, result: _Result | DfcoreError) -> int:
        return 0 if self._size is None or isinstance(result, DfcoreError) else self._size(result)
