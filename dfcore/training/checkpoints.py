"""Checkpoints: all variables of the model and the optimiser and the state of the trainer, in one file.

A checkpoint is written to a temporary file, flushed and renamed to a name that contains its hash. Older checkpoints are
deleted only after the new one has been read back from disk. The previous one is always kept, in case the newest is
damaged.
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
        folder: Folder for the checkpoints of this run.
        variables: Lists of Keras variables or arrays by name. `Checkpoint.assign` expects them in the same order.
        state: JSON-serialisable data; `epoch` and `step` become part of the file name.

    Returns:
        The path of the file.

    Raises:
        StorageError: If the file cannot be written or does not read back as written; older checkpoints are kept.
    """
    arrays = {
        f"{name}/{index:05d}": np.asarray(variable)
        for name, listed in variables.items()
        for index, variable in enumerate(listed)
    }
    arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    stem = f"epoch-{state['epoch']:06d}-step-{state['step']:08d}"
    # NumPy's stubs mistake the array names for its own keyword arguments.
    path = write_hashed(folder, stem, ".npz", lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]  # NumPy types keywords as its flags.
    if not is_intact(path):
        path.unlink(missing_ok=True)
        raise StorageError(f"{path} does not read as it was written: the disk is not to be trusted.")
    _keep_one_of([other for other in _newest_first(folder) if other != path])
    return path


def newest(folder: Path) -> "Checkpoint | None":
    """Opens the newest intact checkpoint; returns None if there are no checkpoints.

    Raises:
        DfcoreError: If there are checkpoints but none is intact.
    """
    sweep(folder)
    result = _newest_first(folder)
    reasons = []
    for number, path in enumerate(result):
        try:
            sound = Checkpoint(path)
            _keep_one_of(result[number + 1 :])  # `save` may have been killed before it did this.
            return sound
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            reasons.append(f"{path.name}: {error}")
    if result:
        raise DfcoreError(f"No checkpoint can be read: {'; '.join(reasons)}.")
    return None


class Checkpoint:
    """An intact checkpoint: the `state` and the arrays of the variables."""

    def __init__(self, path: Path):
        if not is_intact(path):
            raise ValueError("its content is not what its name tells")
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        self.path = path
        self.state: dict[str, Any] = json.loads(arrays.pop("state").tobytes())
        self._arrays = arrays

    def arrays(self, name: str) -> list[np.ndarray]:
        """The arrays of one list; empty if there is no such list."""
        return [self._arrays[key] for key in sorted(self._arrays) if key.startswith(f"{name}/")]

    def assign(self, name: str, variables: Sequence[Any]) -> None:
        """Assigns the arrays of one list to variables.

        Raises:
            DfcoreError: If their number or shapes differ, e.g. after a change of the configuration.
        """
        saved = self.arrays(name)
        shapes = [tuple(variable.shape) for variable in variables]
        if [array.shape for array in saved] != shapes:
            raise DfcoreError(f"{self.path.name} does not fit this model: its {name} has {len(saved)} arrays.")
        for variable, array in zip(variables, saved, strict=True):
            variable.assign(array)


def _keep_one_of(older: list[Path]) -> None:
    """Deletes all but the first intact checkpoint."""
    saved = next((path for path in older if is_intact(path)), None)
    for path in older:
        if path != saved:
            path.unlink(missing_ok=True)


def _newest_first(folder: Path) -> list[Path]:
    # The same step may have been written twice, if a resumed run rounded differently.
    result = [(path.name.partition(".")[0], path.stat().st_mtime_ns, path) for path in folder.glob("epoch-*.npz")]
    return [path for *_, path in sorted(result, reverse=True)]
