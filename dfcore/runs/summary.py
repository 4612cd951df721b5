"""Runs as rows of a list."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dfcore.errors import RunError
from dfcore.runs.run import Run


def summaries(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Rows of all runs; a damaged one has the state "failed" and its damage as the reason."""
    rows = []
    for run in runs:
        try:
            rows.append(summary(run))
        except RunError as error:
            nothing: dict[str, Any] = {"arch": None, "data": "", "epoch": 0, "epochs": 0, "progress": 0.0}
            rows.append({"id": run.id, "name": run.id, "state": "failed", **nothing} | {
                         "seconds_left": None, "reason": str(error), "created": ""})  # fmt: skip
    return rows


def summary(run: Run) -> dict[str, Any]:
    """A run in one flat row, for lists."""
    status = run.status()
    config = run.config()
    return {
        "id": run.id,
        "name": run.name,
        "state": str(status.state),
        "arch": config.get("arch"),
        "data": Path(str(config.get("data_root", ""))).name,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "progress": status.fraction,
        "seconds_left": status.seconds_left,
        "reason": status.reason,
        "created": run.created.isoformat(timespec="seconds"),
    }
