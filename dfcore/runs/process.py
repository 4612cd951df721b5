"""Which process is which: a pid alone is reused by the system, a pid with its start time is not."""

import os

import psutil


def identity(pid: int | None = None) -> dict[str, float]:
    """{"pid", "started"} of a process, this one by default."""
    process = psutil.Process(pid or os.getpid())
    return {"pid": process.pid, "started": process.create_time()}


def alive(pid: int | None, started: float | None) -> bool:
    """Whether the process that was started then still runs (a zombie does not)."""
    if pid is None or started is None:
        return False
    try:
        process = psutil.Process(int(pid))
        return abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
