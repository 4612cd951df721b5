"""Checkpoints: every variable of model and optimiser with the trainer's own state, in one file.

A file is written aside and renamed; the one before is kept, and is used when the newest cannot be read.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfcore.errors import DfcoreError
from dfcore.files import write_atomic

_KEEP = 2


def save(folder: Path, variables: dict[str, Sequence[Any]], state: dict[str, Any]) -> Path:
    """Writes a checkpoint.

    Args:
        folder: of this run's checkpoints.
        variables: lists of Keras variables by name; their order must be the same at `restore`.
        state: plain data; `epoch` and `step` name the file.
    """
    arrays = {
        f"{name}/{index:05d}": np.asarray(variable)
        for name, listed in variables.items()
        for index, variable in enumerate(listed)
    }
    arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    path = folder / f"epoch-{state['epoch']:06d}-step-{state['step']:08d}.npz"
    # NumPy's stubs take names of arrays for its own options.
    write_atomic(path, lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]
    for old in _newest_first(folder)[_KEEP:]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path) -> "Checkpoint | None":
    """Opens the newest readable checkpoint; None when there is none at all.

    Raises:
        DfcoreError: when there are some but none can be read.
    """
    found = _newest_first(folder)
    reasons = []
    for path in found:
        try:
            return Checkpoint(path)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            reasons.append(f"{path.name}: {error}")
    if found:
        raise DfcoreError(f"No checkpoint can be read: {'; '.join(reasons)}.")
    return None


class Checkpoint:
    """One readable checkpoint: `state`, and arrays for the variables."""

    def __init__(self, path: Path):
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}  # Reading checks every CRC.
        self.path = path
        self.state: dict[str, Any] = json.loads(arrays.pop("state").tobytes())
        self._arrays = arrays

    def assign(self, name: str, variables: Sequence[Any]) -> None:
        """Puts the arrays of one list back into its variables.

        Raises:
            DfcoreError: when number or shapes differ, as after a change of the config.
        """
        kept = [self._arrays[key] for key in sorted(self._arrays) if key.startswith(f"{name}/")]
        shapes = [tuple(variable.shape) for variable in variables]
        if [array.shape for array in kept] != shapes:
            raise DfcoreError(f"{self.path.name} does not fit this model: its {name} has {len(kept)} arrays.")
        for variable, array in zip(variables, kept, strict=True):
            variable.assign(array)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.npz"), reverse=True)
