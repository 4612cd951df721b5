"""Reads the JSON files of a run; what is missing or damaged is a `RunError` that names run and file."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from dfcore.errors import RunError
from dfcore.runs.status import State, Status, require_types
from dfcore.utils.files import read_json, remembered
from dfcore.utils.texts import printable

_STATUS_FIELDS = {field.name for field in fields(Status)}


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object; raises RunError if the file is missing or damaged."""
    try:
        result = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"Run {path.parent.name}: {path.name} is missing or damaged ({printable(error)[:200]})."
        ) from error
    if not isinstance(result, dict):
        raise RunError(f"Run {path.parent.name}: {path.name} is missing or damaged (it holds no object).")
    return result


def read_status(path: Path) -> Status:
    """Reads `status.json`; raises RunError if it is missing or damaged."""
    values = read_object(path)
    try:
        saved = {name: value for name, value in values.items() if name in _STATUS_FIELDS}
        status = Status(**(saved | {"state": State(values["state"])}))
        require_types(status)
        return status
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"Run {path.parent.name}: {path.name} is missing or damaged ({error!r}).") from error


# Cached, since a list of a thousand runs is redrawn every few seconds.
remembered_object, remembered_status = remembered(most=20_000)(read_object), remembered(most=10_000)(read_status)
