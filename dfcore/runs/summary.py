"""Summaries of runs for lists, shared by all pages and commands.

Damage to the files of a run is reported in its row, so that the other runs are still listed.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from dfcore.errors import JobError, RunError
from dfcore.runs.run import Run
from dfcore.runs.status import State, Status
from dfcore.utils.texts import printable

_Result = TypeVar("_Result")

# The state shown for a run that cannot be read; not a `State`, since it is never stored.
DAMAGED = "damaged"


def summaries(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Returns the rows of several runs, see `summary`."""
    return [summary(run) for run in runs]


def summary(run: Run) -> dict[str, Any]:
    """Summarises a run in a flat dictionary of plain data; damaged files do not raise.

    Returns:
        id; name (display name); state, one of `State` or "damaged"; arch and data, None and "" if unreadable; epoch;
        epochs (of all networks) and planned (of the detector's own network); progress in [0, 1]; seconds_left or None;
        reason, of the state or the damage; created, ISO 8601 in UTC, "" if unreadable.
    """
    damage: list[str] = []
    status = readable(run.status, damage)
    config = readable(lambda: _settings(run), damage) or {}
    created = readable(lambda: run.created.isoformat(timespec="seconds"), damage) or ""
    data = Path(str(config.get("data_root", ""))).name
    # An active run is shown as such even if other files are damaged.
    broken = bool(damage) and not (status and status.state.active)
    shown = status or Status(State.FAILED)
    return {
        "id": run.id,
        "name": printable(config.get("name") or f"{config['arch']} on {data}") if config else run.id,
        "state": DAMAGED if broken else str(shown.state),
        "arch": config.get("arch"),
        "data": data,
        "epoch": shown.epoch,
        "epochs": shown.epochs,
        "planned": config.get("epochs", shown.epochs),
        "progress": shown.fraction,
        "seconds_left": shown.seconds_left,
        "reason": " ".join(printable(line) for line in (damage or shown.reason.splitlines())),
        "created": created,
    }


def readable(read: Callable[[], _Result], damage: list[str] | None = None) -> _Result | None:
    """Calls a reading method of a job; on `JobError`, returns None and appends the message to `damage`."""
    try:
        return read()
    except JobError as error:
        if damage is not None:
            damage.append(str(error))
        return None


def _settings(run: Run) -> dict[str, Any]:
    """Returns the configuration after checking the fields that lists need."""
    config = run.config()
    epochs = config.get("epochs", 1)
    texts = {"arch": config.get("arch"), "data_root": config.get("data_root"), "name": config.get("name", "")}
    wrong = {name: value for name, value in texts.items() if not isinstance(value, str)}
    if not isinstance(epochs, int) or isinstance(epochs, bool) or not 0 < epochs < 1e9:
        wrong["epochs"] = epochs
    if wrong:
        text = ", ".join(f"{name} is {value!r:.60}" for name, value in wrong.items())
        raise RunError(f"Run {run.id}: config.json is damaged ({printable(text)}).")
    return config
