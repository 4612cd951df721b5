"""What was read of the latest files, shared by all sessions."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
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
    """

    def __init__(self, most: int):
        self._most = most
        self._results: OrderedDict[Hashable, tuple[_Result | DfcoreError, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _Result | DfcoreError | None:
        """What was kept; None if there is nothing."""
        with self._lock:
            result, until = self._results.get(key, (None, math.inf))
            if time.monotonic() >= until:
                del self._results[key]
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
            self._results[key] = result, until
            self._results.move_to_end(key)
            while len(self._results) > self._most:
                self._results.popitem(last=False)
