"""What our own child processes have in common: the way to the package, what they are told, what they may take."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

try:
    import resource
except ImportError:  # Windows, which has no such limits.
    resource = None  # type: ignore[assignment]  # mypy takes the name for a module only

# What an interpreter needs to start; of the rest a process that reads strangers' files learns nothing.
_BARE = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "HOME")


# How much memory this process has, in pages; Linux alone tells.
_STATM = Path("/proc/self/statm")


def environment(*, bare: bool = False, **more: str) -> dict[str, str]:
    """The environment of a child process that imports dfcore, which may be used without being installed.

    Args:
        bare: keep keys, passwords and everything else that an interpreter can do without from it.
        more: further variables.
    """
    own = {name: os.environ[name] for name in _BARE if name in os.environ} if bare else dict(os.environ)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return own | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)} | more


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_memory(more: int, most: int | None = None) -> Callable[[int], None]:
    """This process may take so many bytes of address space above what it has; it leaves no core file.

    Args:
        more: bytes.
        most: up to which it may be changed later, `more` by default.

    Returns:
        What changes it.
    """

    def set_more(_: int) -> None:
        """Nothing tells how much there is."""

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
    """What of a child process this system can limit: memory, processor time, files (written) and core dumps."""
    posix = resource is not None
    return {"memory": posix and _STATM.exists(), "processor time": posix, "files": posix, "core dumps": posix}


def limit_time(seconds: int) -> None:
    """From now on this process may take so many seconds of processor time; the system ends it after them."""
    if resource is not None:
        # Its signal ends the process. The limit below counts whole seconds, but nobody can catch what comes of it.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def forbid_files() -> None:
    """From now on this process writes no byte into any file."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
