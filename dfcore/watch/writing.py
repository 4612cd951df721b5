"""Whether somebody has a file open for writing, where the system can tell."""

import os
import signal
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]  # mypy allows only a module here


def is_open_for_writing(path: Path) -> bool:
    """Whether a process has a file open for writing; False as well where that cannot be told.

    Linux grants a read lease on a file only while nobody writes to it. It does so for files of this account (or to the
    superuser) on file systems of its own, not on network shares.
    """
    set_lease, set_signal = getattr(fcntl, "F_SETLEASE", None), getattr(fcntl, "F_SETSIG", 10)
    if fcntl is None or set_lease is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Whoever opens it meanwhile breaks the lease, of which the kernel tells by a signal; this one is ignored.
        fcntl.fcntl(descriptor, set_signal, signal.SIGURG)
        fcntl.fcntl(descriptor, set_lease, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, set_lease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
