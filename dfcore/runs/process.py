"""Identifies processes: a PID may be reused, but a PID with its start time and its PID namespace is unique."""

import os
import platform
from functools import cache
from pathlib import Path

import psutil

_PROC = Path("/proc")


def identity(pid: int | None = None) -> dict[str, float]:
    """Returns {"pid", "started"}: PID and start time (seconds) of a process, by default this one."""
    pid = pid or os.getpid()
    return {"pid": pid, "started": _started(pid)}


def alive(pid: int | None, started: float | None) -> bool:
    """Whether the process with this PID and start time is still running here; False for a zombie."""
    if pid is None or started is None:
        return False
    try:
        result = _started(int(pid))
        return abs(result - started) < 1.0 and psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@cache
def place() -> str:
    """The scope in which PIDs are comparable: the current boot of this machine and, on Linux, the PID namespace."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:  # Not Linux.
        return f"{platform.node()} {round(psutil.boot_time() / 60)}"


def _started(pid: int) -> float:
    """Start time of a process in seconds: since boot on Linux, since the Unix epoch elsewhere.

    Unlike the latter, the time since boot does not change when the clock is set.
    """
    try:
        # Parsed from after the name in parentheses, which may contain anything. Field 22 is the start time in ticks.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return psutil.Process(pid).create_time()
