"""Memory tuning for a long-running server: garbage collector, C allocator and TensorFlow's."""

import ctypes
import gc
import os
import threading
import time
from contextlib import suppress
from functools import cache

from dfcore.utils.processes import SYSTEM_ALLOCATOR

# Constants of glibc's `malloc.h`.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_TRIM_SECONDS = 60.0


def return_memory() -> None:
    """Makes glibc return large blocks to the system at once and use few arenas; does nothing elsewhere.

    Every page run has its own thread, and all of them allocate images: without this, memory grew by about 14 MB per
    minute under load. TensorFlow, if it is imported later, takes its tensors from glibc too: its own allocator would
    keep the most that it ever needed, 0.3 to 0.7 GB after heat-maps of all methods. Once a minute from now on, what
    lies free between smaller blocks is returned as well: it grew by 30 MB in a thousand pictures, with no object more.
    """
    os.environ.setdefault(SYSTEM_ALLOCATOR, "1")
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)
        library.mallopt(_ARENA_MAX, 4)
        _keep_trimming()


@cache
def _keep_trimming() -> None:
    """Trims the heap every minute from now on; called again it does nothing."""
    trim = ctypes.CDLL(None).malloc_trim

    def keep() -> None:
        while True:
            time.sleep(_TRIM_SECONDS)
            trim(0)

    threading.Thread(target=keep, name="return-memory", daemon=True).start()


def settle() -> None:
    """Collects garbage once and returns its memory, then excludes what survives from later collections (`gc.freeze`).

    Streamlit collects garbage after every run. With TensorFlow and networks loaded, half a million objects survive and
    a collection blocked every session for 0.4 s. Previously frozen objects are unfrozen first: networks contain
    reference cycles, so a frozen network evicted from the cache would never be freed.
    """
    gc.unfreeze()
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    gc.freeze()
