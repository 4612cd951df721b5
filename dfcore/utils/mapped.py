"""Large arrays in a file instead of in memory: for weights that a library holds on to and hardly reads again."""

import mmap
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from dfcore.utils.files import make_folder

_ALIGNED = 64


class Mapped:
    """Arrays in a file without a name, which vanishes with them.

    They are read from it as they are needed and take memory until `let_go`. Writing to one changes no file. Where there
    is no room for a file, or the system is not Linux, they lie in memory as before.

    Attributes:
        arrays: The arrays, by name.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], folder: Path):
        """Writes arrays, C-contiguous and of at least a byte, to a file in `folder`."""
        self.arrays: dict[str, np.ndarray] = dict(arrays)
        self._map: mmap.mmap | None = None
        if sys.platform == "linux" and arrays:
            with suppress(OSError):
                self._move(folder)

    def _move(self, folder: Path) -> None:
        places = {}
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            for name, array in self.arrays.items():
                file.seek(-file.tell() % _ALIGNED, 1)
                places[name] = file.tell()
                file.write(array.data)
            file.flush()
            # Copied on writing: OpenVINO takes no array that cannot be written to.
            found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self.arrays = {
            name: np.frombuffer(found, array.dtype, array.size, places[name]).reshape(array.shape)
            for name, array in self.arrays.items()
        }
        self._map = found

    def let_go(self) -> None:
        """Gives their memory back; whoever reads one again gets it from the file. What was written to one is lost."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
