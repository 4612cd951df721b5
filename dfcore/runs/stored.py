"""Reads the JSON files of a job; what is missing or damaged is a `JobError` that names job and file."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from dfcore.errors import JobError, RunError
from dfcore.runs.status import State, Status, StatusT, require_types
from dfcore.utils.files import read_json, remembered
from dfcore.utils.texts import printable


def read_object(path: Path, noun: str = "Run", failure: type[JobError] = RunError) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        path: A file in the folder of a job.
        noun: What the job is, as the beginning of a sentence.
        failure: Raised if the file is missing or damaged.
    """
    try:
        result = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise failure(
            f"{noun} {path.parent.name}: {path.name} is missing or damaged ({printable(error)[:200]})."
        ) from error
    if not isinstance(result, dict):
        raise failure(f"{noun} {path.parent.name}: {path.name} is missing or damaged (it holds no object).")
    return result


def status_reader(
    kind: type[StatusT], noun: str, failure: type[JobError], most: int
) -> tuple[Callable[[Path], StatusT], Callable[[Path], StatusT]]:
    """How a status is read: anew, and remembered until its file changes, for as many as `most` files.

    Both raise `failure` if the file is missing or damaged.
    """
    known = {field.name for field in fields(kind)}

    def read(path: Path) -> StatusT:
        values = read_object(path, noun, failure)
        try:
            saved = {name: value for name, value in values.items() if name in known}
            status = kind(**(saved | {"state": State(values["state"])}))
            require_types(status)
            return status
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise failure(f"{noun} {path.parent.name}: {path.name} is missing or damaged ({error!r}).") from error

    return read, remembered(most=most)(read)


# Cached, since a list of a thousand runs is redrawn every few seconds.
remembered_object = remembered(most=20_000)(read_object)
read_status, remembered_status = status_reader(Status, "Run", RunError, most=10_000)
