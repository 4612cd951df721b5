"""Exceptions with messages for the user: what was wrong, what was received, what would be right.

`InputError` and its subclasses are user errors (exit code 2 on the command line); any other `DfcoreError` is a failure
of the workbench or the system (exit code 1).
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

_Error = TypeVar("_Error", bound=BaseException)


def detached(error: _Error) -> _Error:
    """The error without the frames it was raised in, to be kept: these hold all that was in use there, such as the
    contents of files, for as long as the error is kept. Each time that it is raised, raise a copy.

    One of ours comes back as a copy; another, which may not be made anew from its message, is stripped itself.
    """
    if isinstance(error, DfcoreError):
        result = type(error).__new__(type(error), *error.args)
        result.__dict__.update(error.__dict__)
        return result
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class DfcoreError(Exception):
    """Base class of all exceptions raised by dfcore; the message is meant for the user."""


class InputError(DfcoreError):
    """The input is invalid."""


class ImageError(InputError):
    """An image cannot be decoded; the message says why."""


class TransientImageError(ImageError):
    """Decoding failed for a reason that may lie with the machine, not the file; it may succeed when tried again."""


class FilmError(InputError):
    """A film cannot be read, or not any further; the message says why."""


class LayoutError(InputError):
    """A folder is not a data set that `dfcore.datasets` recognises."""


class ClassesUnknown(LayoutError):  # noqa: N818  (named after what is to be asked)
    """Nothing in a folder says which of its images are real, and no table in it could."""


class FilmsOnly(LayoutError):  # noqa: N818  (named after what is to be told)
    """A folder holds films and no image.

    Attributes:
        command: The command that makes a data set of images of them.
    """

    def __init__(self, message: str, command: str):
        self.command = command
        super().__init__(message)


class ConventionUnknown(LayoutError):  # noqa: N818  (named after what is to be asked)
    """Nothing tells which of a table's values is real and which is fake.

    Attributes:
        column: Name of the column.
        values: For each value, the number of its rows and up to three of their paths.
    """

    def __init__(self, message: str, column: str, values: Mapping[str, tuple[int, tuple[str, ...]]]):
        self.column = column
        self.values = dict(values)
        super().__init__(message)


class DatasetError(InputError):
    """A data set was recognised but is unsuitable, e.g. it has a single class."""


class ConfigError(InputError):
    """A training configuration is invalid; `problems` lists every problem, not just the first."""

    def __init__(self, problems: Sequence[str]):
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class BundleError(InputError):
    """A detector bundle is missing, incomplete, altered or otherwise invalid."""


class ArchiveError(InputError):
    """An archive is damaged, too large, or has members that are not allowed."""


class AccessError(InputError):
    """Access denied to an action or a path."""


class BusyError(DfcoreError):
    """The server has too many requests at the moment."""


class MissingExtraError(InputError):
    """An optional dependency is missing; the message names the command that installs it."""


class JobError(InputError):
    """A run or batch does not exist, or its state does not allow the operation."""


class RunError(JobError):
    """A run does not exist, or its state does not allow the operation."""


class BatchError(JobError):
    """A batch does not exist, or its state does not allow the operation."""


class FilmJobError(JobError):
    """The job of judging a film does not exist, or its state does not allow the operation."""


class StorageError(DfcoreError):
    """Writing failed, e.g. the disk is full or the folder is missing."""


class CasesOffError(InputError):
    """Nothing is kept of judged pictures, because the operator switched it off."""
