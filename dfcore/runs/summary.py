"""Runs as rows of a list: the one reading that every list, page and command shares.

Whatever is wrong with the files of one run is part of its row, so that it hides no other run.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from dfcore.errors import RunError
from dfcore.runs.run import Run
from dfcore.runs.status import State, Status
from dfcore.utils.texts import printable

_Result = TypeVar("_Result")

# The state of a row whose run cannot be read; no `State`, since no run is ever put into it.
DAMAGED = "damaged"


def summaries(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Rows of runs, as `summary` gives them."""
    return [summary(run) for run in runs]


def summary(run: Run) -> dict[str, Any]:
    """A run in one flat row of plain data, for lists; never raises for what its files hold.

    Returns:
        id; name, for people; state, one of `State` or "damaged"; arch and data, None and "" where they cannot be read;
        epoch, epochs (of all networks) and planned (of the detector's own); progress in [0, 1]; seconds_left or None;
        reason, of the state or of the damage; created, in UTC, "" where it cannot be read.
    """
    damage: list[str] = []
    status = readable(run.status, damage)
    config = readable(lambda: _settings(run), damage) or {}
    created = readable(lambda: run.created.isoformat(timespec="seconds"), damage) or ""
    data = Path(str(config.get("data_root", ""))).name
    # A process at work is worth more than what is wrong beside it.
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
    """What one of a run's methods reads; None where its file is damaged, with the reason added to `damage`."""
    try:
        return read()
    except RunError as error:
        if damage is not None:
            damage.append(str(error))
        return None


def _settings(run: Run) -> dict[str, Any]:
    """The config, with what lists need of it checked."""
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
