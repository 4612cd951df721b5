"""What was read of the latest files, shared by all sessions."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from dfcore.errors import DfcoreError, TransientImageError

_Result = TypeVar("_Result")


class Recent(Generic[_Result]):
    """Results by key, the least recently used of which are dropped. Thread-safe.

    Failures are kept as well, so that a file is not tried again and again; but not those that may lie with the machine.

    Args:
        most: Number of results that are kept.
    """

    def __init__(self, most: int):
        self._most = most
        self._results: OrderedDict[Hashable, _Result | DfcoreError] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _Result | DfcoreError | None:
        """What was kept; None if there is nothing."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def keep(self, key: Hashable, result: _Result | DfcoreError) -> None:
        """Keeps a result in the place of an earlier one."""
        if isinstance(result, TransientImageError):
            return
        with self._lock:
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > self._most:
                self._results.popitem(last=False)
