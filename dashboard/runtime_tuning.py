"""How memory is handled by a server whose models stay: what the collector and the C library do."""

import ctypes
import gc
from contextlib import suppress

# Names of glibc's `malloc.h`.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def return_memory() -> None:
    """Lets the C library give large blocks back to the system at once, and keep few heaps (glibc; nothing elsewhere).

    Every run of a page has a thread of its own, and pictures come and go in all of them: the heaps grew by some
    14 MB a minute under load.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 1 << 20)
        library.mallopt(_ARENA_MAX, 4)


def settle() -> None:
    """Collects garbage once, and takes what is left in memory out of the collector's later rounds.

    Streamlit collects garbage after every run. With TensorFlow and networks loaded there are half a million objects
    that stay, and a round took 0.4 s, in which nobody else could do anything. What was frozen before takes part this
    once: networks are full of cycles, and a frozen one that no cache holds any more would never be freed.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
