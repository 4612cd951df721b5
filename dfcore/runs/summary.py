"""Runs as rows of a list."""

from pathlib import Path
from typing import Any

from dfcore.runs.store import Run


def summary(run: Run) -> dict[str, Any]:
    """A run in one flat row, for lists."""
    status = run.status()
    config = run.config()
    return {
        "id": run.id,
        "name": run.name,
        "state": str(status.state),
        "arch": config.get("arch"),
        "data": Path(config.get("data_root", "")).name,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "progress": status.fraction,
        "seconds_left": status.seconds_left,
        "reason": status.reason,
        "created": run.created.isoformat(timespec="seconds"),
    }
