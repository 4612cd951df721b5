"""Child processes: their environment and resource limits."""

import getpass
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits.
    resource = None  # type: ignore[assignment]  # mypy allows only a module here

# Variables that an interpreter needs; a process that reads untrusted files gets no others.
_BARE = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "HOME")

# Tells TensorFlow whether tensors come from the system, which gets them back, or from a pool that never shrinks.
SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"

# Memory of this process in pages (Linux only).
_STATM = Path("/proc/self/statm")


def environment(*, bare: bool = False, **more: str) -> dict[str, str]:
    """Environment of a child process that imports dfcore, even if dfcore is not installed.

    Args:
        bare: Pass only the variables that an interpreter needs, so no keys or passwords.
        more: Additional variables.
    """
    own = {name: os.environ[name] for name in _BARE if name in os.environ} if bare else dict(os.environ)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return own | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)} | more


def account() -> str:
    """Name of the account that runs this process; its number if it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_memory(more: int, most: int | None = None) -> Callable[[int], None]:
    """Limits the address space of this process (Linux only) and disables core dumps (not on Windows).

    Args:
        more: Bytes allowed in addition to current use.
        most: Maximum to which the limit can be changed later, in the same terms; `more` by default.

    Returns:
        A function that changes the limit.
    """

    def set_more(_: int) -> None:
        """Does nothing: the current use is unknown here."""

    if resource is None:
        return set_more
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        taken = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:  # Not Linux.
        return set_more

    def change(allowed: int) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (taken + allowed, taken + (most or more)))

    change(more)
    return change


def limits() -> dict[str, bool]:
    """Which resources this system can limit: memory, processor time, files (written) and core dumps."""
    posix = resource is not None
    return {"memory": posix and _STATM.exists(), "processor time": posix, "files": posix, "core dumps": posix}


# Processor time of this process up to the last call of `limit_time`, and what its timer stood at then, in seconds.
_counted, _armed = 0.0, 0.0


def limit_time(seconds: int) -> None:
    """Limits this process to `seconds` of CPU time from now; the system kills it afterwards."""
    global _counted, _armed
    if resource is not None:
        # The timer's signal ends the process. The limit below is coarser (whole seconds), but a backstop in case that
        # signal is ignored. Both go by the kernel's ticks, which on a busy machine count up to a tenth more than
        # `getrusage` tells: over a thousand images more than the limit leaves. So the timer itself is read.
        left, _ = signal.setitimer(signal.ITIMER_PROF, seconds)
        if _armed:
            _counted += _armed - left
        else:
            used = resource.getrusage(resource.RUSAGE_SELF)
            _counted = used.ru_utime + used.ru_stime
        _armed, _ = signal.getitimer(signal.ITIMER_PROF)
        resource.setrlimit(resource.RLIMIT_CPU, (int(_counted) + seconds + 1, resource.RLIM_INFINITY))


def forbid_files() -> None:
    """Forbids this process to write to files."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def forbid_opening() -> None:
    """Forbids this process to open anything from now on: files, sockets, pipes. What is open stays open.

    The kernel refuses every new descriptor, in native code as well, so what is needed must have been imported before.
    Where it has no such limit (Windows), only Python's own sockets are refused.
    """

    def refuse_sockets(event: str, _: object) -> None:
        if event.startswith("socket."):
            raise OSError("This process may not use the network.")

    sys.addaudithook(refuse_sockets)
    if resource is not None:
        # New descriptors take the lowest free number, so there must be none below the limit.
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, lowest))
