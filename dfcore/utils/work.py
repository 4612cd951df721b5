"""Parts of a long computation that are kept as they are done, so that one that was killed goes on where it was.

One folder per computation, one file per part, each written as a whole; all may be deleted at any time.
"""

import io
import shutil
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from dfcore.errors import StorageError
from dfcore.utils.files import sha256_bytes, write_bytes

# Computations kept for one subject; the oldest goes first.
MOST = 8


class Stopped(Exception):  # noqa: N818  (not an error: a stop was requested)
    """To be raised where long work tells how far it is: a stop was requested."""


class Work:
    """Parts of one computation. Without a writable folder nothing is kept, which costs time only.

    Args:
        folder: Folder for the computations of one subject, e.g. of a data set.
        inputs: All that the result depends on; other inputs are another computation.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> Work(folder, ["sum", "1", "2"]).keep("all", total=np.array(3))
        >>> int(Work(folder, ["sum", "1", "2"]).recall("all")["total"])
        3
        >>> Work(folder, ["sum", "1", "5"]).recall("all") is None
        True
    """

    def __init__(self, folder: Path, inputs: list[str]):
        self._all = folder
        self._own = folder / sha256_bytes("\n".join(inputs).encode())[:32]

    def recall(self, part: str) -> dict[str, np.ndarray] | None:
        """The arrays of a part; None if it was not kept, or is damaged."""
        try:
            with np.load(io.BytesIO(self._file(part).read_bytes()), allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):
            return None

    def keep(self, part: str, **arrays: np.ndarray) -> None:
        """Keeps the arrays of a part."""
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]  # NumPy types keywords as its flags.
        with suppress(StorageError):
            if not self._own.is_dir():
                self._make_room()
            write_bytes(self._file(part), packed.getvalue())

    def forget(self, parts: list[str]) -> None:
        """Removes parts that are no longer needed."""
        for part in parts:
            with suppress(OSError):
                self._file(part).unlink()

    def _file(self, part: str) -> Path:
        return self._own / f"{part}.npz"

    def _make_room(self) -> None:
        with suppress(OSError):
            others = sorted((one for one in self._all.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
            for one in others[: max(len(others) - MOST + 1, 0)]:
                shutil.rmtree(one, ignore_errors=True)
