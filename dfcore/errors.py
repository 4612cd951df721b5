"""Errors that people read: what was wrong, what was received, what would be right.

`InputError` and its children are somebody's mistake (exit code 2 on the command line); any other
`DfcoreError` is a failure on our side of the line (exit code 1).
"""

from collections.abc import Sequence


class DfcoreError(Exception):
    """Base of all errors that dfcore raises on purpose; its text is meant for the user."""


class InputError(DfcoreError):
    """What was given cannot be used as it is."""


class ImageError(InputError):
    """One image cannot be decoded; the text says why."""


class LayoutError(InputError):
    """A folder is no data set that `dfcore.datasets` recognises."""


class DatasetError(InputError):
    """A data set was recognised but cannot serve the purpose, e.g. it has one class only."""


class ConfigError(InputError):
    """A training configuration was refused; `problems` holds every finding, not just the first."""

    def __init__(self, problems: Sequence[str]):
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class BundleError(InputError):
    """A detector bundle is missing, incomplete, altered or not ours."""


class ArchiveError(InputError):
    """An archive is damaged, too large, or holds what has no place in it."""


class AccessError(InputError):
    """Somebody may not do or read what was asked for."""


class BusyError(DfcoreError):
    """Too much is asked of the server at this moment."""


class MissingExtraError(InputError):
    """What was asked for needs an optional dependency; the text names the command that installs it."""


class RunError(InputError):
    """A run does not exist or is not in a state that allows what was asked."""


class StorageError(DfcoreError):
    """Nothing more could be written: the disk is full or the folder is gone."""
