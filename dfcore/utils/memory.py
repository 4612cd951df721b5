"""Memory tuning for a long-running server: garbage collector, C allocator and TensorFlow's."""

import ctypes
import gc
import os
from contextlib import suppress

from dfcore.utils.processes import SYSTEM_ALLOCATOR

# Constants of glibc's `malloc.h`.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def return_memory() -> None:
    """Makes glibc return large blocks to the system at once and use few arenas; does nothing elsewhere.

    Every page run has its own thread, and all of them allocate images: without this, memory grew by about 14 MB per
    minute under load. TensorFlow, if it is imported later, takes its tensors from glibc too: its own allocator would
    keep the most that it ever needed, 0.3 to 0.7 GB after heat-maps of all methods.
    """
    os.environ.setdefault(SYSTEM_ALLOCATOR, "1")
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)
        library.mallopt(_ARENA_MAX, 4)


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
