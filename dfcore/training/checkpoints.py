"""Checkpoints: every variable of model and optimiser with the trainer's own state, in one file.

A file is written aside, flushed, named by its hash and renamed. Older ones go only when the new one has been
read back from the disk; the one before always stays, and is used when the newest is damaged.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfcore.errors import DfcoreError, StorageError
from dfcore.utils.files import is_intact, sweep, write_hashed


def save(folder: Path, variables: dict[str, Sequence[Any]], state: dict[str, Any]) -> Path:
    """Writes a checkpoint.

    Args:
        folder: of this run's checkpoints.
        variables: lists of Keras variables or arrays by name; their order must be the same at `restore`.
        state: plain data; `epoch` and `step` name the file.

    Raises:
        StorageError: when it cannot be written, or reads otherwise than it was written; the ones before stay.
    """
    arrays = {
        f"{name}/{index:05d}": np.asarray(variable)
        for name, listed in variables.items()
        for index, variable in enumerate(listed)
    }
    arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    stem = f"epoch-{state['epoch']:06d}-step-{state['step']:08d}"
    # NumPy's stubs take names of arrays for its own options.
    path = write_hashed(folder, stem, ".npz", lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]
    if not is_intact(path):
        path.unlink(missing_ok=True)
        raise StorageError(f"{path} does not read as it was written: the disk is not to be trusted.")
    _keep_one_of([other for other in _newest_first(folder) if other != path])
    return path


def newest(folder: Path) -> "Checkpoint | None":
    """Opens the newest sound checkpoint; None when there is none at all.

    Raises:
        DfcoreError: when there are some but none is sound.
    """
    sweep(folder)
    result = _newest_first(folder)
    reasons = []
    for number, path in enumerate(result):
        try:
            sound = Checkpoint(path)
            _keep_one_of(result[number + 1 :])  # A kill may have come before `save` did that.
            return sound
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            reasons.append(f"{path.name}: {error}")
    if result:
        raise DfcoreError(f"No checkpoint can be read: {'; '.join(reasons)}.")
    return None


class Checkpoint:
    """One sound checkpoint: `state`, and arrays for the variables."""

    def __init__(self, path: Path):
        if not is_intact(path):
            raise ValueError("its content is not what its name tells")
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        self.path = path
        self.state: dict[str, Any] = json.loads(arrays.pop("state").tobytes())
        self._arrays = arrays

    def arrays(self, name: str) -> list[np.ndarray]:
        """The arrays of one list; none where there was no such list."""
        return [self._arrays[key] for key in sorted(self._arrays) if key.startswith(f"{name}/")]

    def assign(self, name: str, variables: Sequence[Any]) -> None:
        """Puts the arrays of one list back into its variables.

        Raises:
            DfcoreError: when number or shapes differ, as after a change of the config.
        """
        saved = self.arrays(name)
        shapes = [tuple(variable.shape) for variable in variables]
        if [array.shape for array in saved] != shapes:
            raise DfcoreError(f"{self.path.name} does not fit this model: its {name} has {len(saved)} arrays.")
        for variable, array in zip(variables, saved, strict=True):
            variable.assign(array)


def _keep_one_of(older: list[Path]) -> None:
    """Removes all but the first sound one."""
    saved = next((path for path in older if is_intact(path)), None)
    for path in older:
        if path != saved:
            path.unlink(missing_ok=True)


def _newest_first(folder: Path) -> list[Path]:
    # The same step may have been written twice, by sittings that rounded differently.
    result = [(path.name.partition(".")[0], path.stat().st_mtime_ns, path) for path in folder.glob("epoch-*.npz")]
    return [path for *_, path in sorted(result, reverse=True)]
