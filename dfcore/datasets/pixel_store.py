"""The cache on the disk: one folder for each preprocessing, with two files that only grow, and who uses them.

`pixels.bin` holds rows of one shape and type, mostly uint8 of the input shape of an image (features of a frozen tower
are kept in the same way), `index.bin` the SHA-256 of each row's image. Rows
are only ever appended, pixels before index, so that a crash leaves at most some bytes behind that the next writer
overwrites. A folder that nobody has open (`dfcore.utils.in_use`) may be emptied.
"""

import math
import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from dfcore.errors import StorageError
from dfcore.utils import in_use
from dfcore.utils.environment import amount
from dfcore.utils.files import explained, lock, make_folder, share
from dfcore.utils.in_use import Use

LIMIT = "DFCORE_CACHE_GB"
_DEFAULT_GB = 20.0
_DIGEST = 32
_PIXELS, _INDEX = "pixels.bin", "index.bin"
_SCANS = "scans"


@dataclass(frozen=True)
class CacheEntry:
    """One folder of the cache.

    Attributes:
        name: preprocessing, as `PreprocessSpec.key` names it, after the tower's name for features.
        images: how many rows it holds.
        bytes: on the disk.
        last_use: when it was last opened, seconds since 1970.
        in_use: whether somebody has it open now.
    """

    name: str
    images: int
    bytes: int
    last_use: float
    in_use: bool


class PixelStore:
    """The two files of one preprocessing: pixels, or features of a tower.

    Attributes:
        row_bytes: of one image.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: DTypeLike = np.uint8):
        """Opens or makes it, for rows of this shape and type.

        Raises:
            StorageError: when its folder cannot be made.
        """
        try:
            make_folder(folder)
        except OSError as error:
            raise StorageError(f"The cache folder {folder} cannot be made: {explained(error, folder)}.") from error
        self._folder = folder
        self._pixels, self._index = folder / _PIXELS, folder / _INDEX
        self._shape, self._dtype = shape, np.dtype(dtype)
        self.row_bytes = math.prod(shape) * self._dtype.itemsize
        self._known: dict[str, int] = {}

    def begin_use(self) -> Use:
        """From now on it is not removed; a removal that has begun is waited for.

        Raises:
            StorageError: when its folder cannot be written.
        """
        with self._writing():
            return in_use.begin(self._folder)

    def index(self) -> dict[str, int]:
        """{digest: row} of all complete rows; of what was read before only the new ones are read."""
        rows = self._complete_rows()
        if rows < len(self._known):  # Somebody damaged it.
            self._known = {}
        if rows > len(self._known):
            with open(self._index, "rb") as file:
                file.seek(len(self._known) * _DIGEST)
                data = file.read((rows - len(self._known)) * _DIGEST)
            for start in range(0, len(data), _DIGEST):
                self._known[data[start : start + _DIGEST].hex()] = len(self._known)
        return self._known

    def append(self, images: Sequence[tuple[str, np.ndarray]]) -> None:
        """Writes images that are not there yet behind the complete rows.

        Raises:
            StorageError: when the disk is full.
        """
        if not images:
            return
        with self._writing(), lock(self._folder / in_use.LOCK):
            known = self.index()
            new = {digest: pixels for digest, pixels in images if digest not in known}
            with _shared_append(self._pixels) as pixels_file, _shared_append(self._index) as index_file:
                pixels_file.truncate(len(known) * self.row_bytes)
                index_file.truncate(len(known) * _DIGEST)
                for pixels in new.values():
                    pixels_file.write(pixels.tobytes())
                pixels_file.flush()
                os.fsync(pixels_file.fileno())
                index_file.write(bytes.fromhex("".join(new)))

    def open(self, rows: int, use: Use) -> np.ndarray:
        """The first rows as a read-only memory map, (rows, *shape), which keeps `use` as long as it lives."""
        if not rows:
            use.end()
            return np.empty((0, *self._shape), self._dtype)
        store = np.memmap(self._pixels, self._dtype, "r", shape=(rows, *self._shape))
        weakref.finalize(store, use.end)
        return store

    def _complete_rows(self) -> int:
        sizes = [path.stat().st_size if path.exists() else 0 for path in (self._index, self._pixels)]
        return min(sizes[0] // _DIGEST, sizes[1] // self.row_bytes)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The cache {self._folder} cannot be written: {explained(error, self._folder / _PIXELS)}."
            ) from error


def opened(folder: Path, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> tuple[PixelStore, Use]:
    """The store that all accounts share, or one of this account's own where another account keeps that for itself.

    Args:
        folder: where the caches are kept.
        name: of the store in it.
        shape: of a row.
        dtype: of its values.

    Raises:
        StorageError: when it cannot be made or written.
    """
    try:
        store = PixelStore(folder / name, shape, dtype)
        return store, store.begin_use()
    except StorageError:
        own = folder / f"{name}-{os.getuid() if hasattr(os, 'getuid') else 'own'}"
        if not os.access(folder, os.W_OK) or os.access(folder / name, os.W_OK | os.X_OK):
            raise
        store = PixelStore(own, shape, dtype)
        return store, store.begin_use()


def entries(cache: Path) -> list[CacheEntry]:
    """The folders of the cache that hold pixels, the least recently used first."""
    folders = [path.parent for path in cache.glob(f"*/{_INDEX}")]
    return sorted(map(_entry, folders), key=lambda entry: entry.last_use)


def scan_bytes(cache: Path) -> int:
    """What is remembered of scans takes so many bytes."""
    return sum(path.stat().st_size for path in (cache / _SCANS).glob("*"))


def limit_bytes() -> int:
    """How large the pixels in the cache may grow, from `DFCORE_CACHE_GB`.

    Raises:
        InputError: when that is no number of gigabytes.
    """
    return int(amount(LIMIT, _DEFAULT_GB, "gigabytes") * 2**30)


def make_room(cache: Path, needed: int) -> None:
    """Removes folders that nobody uses, least recently used first, until so many bytes more stay within the limit."""
    allowed = limit_bytes() - needed
    held = entries(cache)
    taken = sum(entry.bytes for entry in held)
    for entry in held:
        if taken <= allowed:
            return
        if _remove(cache / entry.name):
            taken -= entry.bytes


def clear(cache: Path) -> tuple[list[CacheEntry], list[CacheEntry]]:
    """Removes all that nobody uses, and what is remembered of scans; returns what was removed and what is in use."""
    removed: list[CacheEntry] = []
    left: list[CacheEntry] = []
    for entry in entries(cache):
        (removed if _remove(cache / entry.name) else left).append(entry)
    for path in (cache / _SCANS).glob("*"):
        path.unlink(missing_ok=True)
    return removed, left


def _remove(folder: Path) -> bool:
    """Empties a folder that nobody uses."""
    with in_use.unused(folder) as unused:
        if unused:
            for name in (_INDEX, _PIXELS):  # Without its index a row is no row.
                (folder / name).unlink(missing_ok=True)
    return unused


def _entry(folder: Path) -> CacheEntry:
    index, pixels = folder / _INDEX, folder / _PIXELS
    sizes = [path.stat().st_size if path.exists() else 0 for path in (index, pixels)]
    with in_use.unused(folder) as unused:
        return CacheEntry(folder.name, sizes[0] // _DIGEST, sum(sizes), in_use.last_use(folder, index), not unused)


@contextmanager
def _shared_append(path: Path) -> Iterator:
    with open(path, "ab") as file:
        share(path)
        yield file
