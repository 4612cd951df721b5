"""Which process is which: a pid alone is reused by the system, a pid with its start time and its place is not."""

import os
import platform
from functools import cache
from pathlib import Path

import psutil

_PROC = Path("/proc")


def identity(pid: int | None = None) -> dict[str, float]:
    """{"pid", "started"} of a process, this one by default."""
    pid = pid or os.getpid()
    return {"pid": pid, "started": _started(pid)}


def alive(pid: int | None, started: float | None) -> bool:
    """Whether the process that was started then still runs in this place (a zombie does not)."""
    if pid is None or started is None:
        return False
    try:
        result = _started(int(pid))
        return abs(result - started) < 1.0 and psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@cache
def place() -> str:
    """Where pids mean the same: this machine since it was started, and within it this container."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:  # Not Linux.
        return f"{platform.node()} {round(psutil.boot_time() / 60)}"


def _started(pid: int) -> float:
    """When a process was started, in seconds.

    On Linux since the machine's start: the time since 1970 moves when somebody sets the clock.
    """
    try:
        # Behind the name in brackets, which may hold anything: state is field 3, the start in ticks is field 22.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return psutil.Process(pid).create_time()
