"""Memory tuning for a long-running server: garbage collector and C allocator."""

import ctypes
import gc
from contextlib import suppress

# Constants of glibc's `malloc.h`.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def return_memory() -> None:
    """Makes glibc return large blocks to the system at once and use few arenas; does nothing elsewhere.

    Every page run has its own thread, and all of them allocate images: without this, memory grew by about 14 MB per
    minute under load.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)
        library.mallopt(_ARENA_MAX, 4)


def settle() -> None:
    """Collects garbage once, then excludes the surviving objects from later collections (`gc.freeze`).

    Streamlit collects garbage after every run. With TensorFlow and networks loaded, half a million objects survive and
    a collection blocked every session for 0.4 s. Previously frozen objects are unfrozen first: networks contain
    reference cycles, so a frozen network evicted from the cache would never be freed.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
