"""Keras networks in the server's memory: those that only heat-maps need are freed when they are no longer used.

With the tower and a map of each method, one takes 0.6 GB; loading it again takes three seconds.
"""

import threading
import weakref
from typing import TYPE_CHECKING

from dfcore.utils import memory

if TYPE_CHECKING:
    from dfcore.detectors.detector import Detector

# Seconds without a heat-map after which a network is freed.
_IDLE = 300.0
_lock = threading.Lock()
_users: "weakref.WeakSet[Detector]" = weakref.WeakSet()
_timer: threading.Timer | None = None


def used(detector: "Detector") -> None:
    """Call after each heat-map: at most one detector keeps its network, and only for some minutes."""
    global _timer
    if not detector.has_spare_network:
        return
    with _lock:
        others = [each for each in _users if each is not detector]
        _users.add(detector)
        if _timer is not None:
            _timer.cancel()
        _timer = threading.Timer(_IDLE, free)
        _timer.daemon = True
        _timer.start()
    _free(others)


def free() -> None:
    """Frees the networks that only heat-maps need."""
    with _lock:
        detectors = list(_users)
    _free(detectors)


def _free(detectors: "list[Detector]") -> None:
    for detector in detectors:
        _users.discard(detector)
        detector.free_network()
    if detectors:
        memory.settle()
