"""Decoded, preprocessed pixels, kept by content: an image is decoded once, whoever asks for it.

On disk there is one folder for each `PreprocessSpec`, shared by all runs and data sets: `pixels.bin`
holds rows of uint8 (size, size, 3), `index.bin` the SHA-256 of each row's image. Rows are only ever
appended, pixels before index, so that a crash leaves at most some bytes behind that the next writer
overwrites. The folder may be deleted when no run is active.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock

from dfcore.errors import ImageError, StorageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.preprocess import PreprocessSpec

CacheMode = Literal["disk", "memory"]
Progress = Callable[[int, int], None]
_DIGEST = 32
_FLUSH_EVERY = 256


@dataclass(frozen=True)
class Pixels:
    """Preprocessed images, ready to be gathered in any order.

    Attributes:
        store: uint8 array or memory map of shape (rows, size, size, 3).
        rows: for each requested image its row in `store`, -1 where it could not be decoded.
        errors: {position of the request: reason} for those.
    """

    store: np.ndarray
    rows: np.ndarray
    errors: dict[int, str]

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """The pixels of some requested images, uint8 (len(positions), size, size, 3)."""
        return self.store[self.rows[positions]]


def load_pixels(
    paths: Sequence[Path],
    digests: Sequence[str],
    spec: PreprocessSpec,
    *,
    folder: Path,
    mode: CacheMode = "disk",
    progress: Progress | None = None,
    workers: int = 4,
) -> Pixels:
    """Decodes and preprocesses images that are not in the cache yet, and opens them all.

    Args:
        paths: files to read.
        digests: SHA-256 of each file's content; a file that has changed since is an error of its own.
        spec: the preprocessing, part of the cache's key.
        folder: where the caches are kept; unused with mode "memory".
        mode: "disk" maps a file that all runs share, "memory" keeps one array for this process.
        progress: called with (images done, images in all).
        workers: threads that decode.

    Raises:
        StorageError: when the disk is full.
    """
    if mode == "memory":
        return _load_memory(paths, digests, spec, progress, workers)
    store = _DiskStore(folder / spec.key, spec.size)
    with store.lock:
        known = store.index()
        todo = {d: p for p, d in zip(paths, digests, strict=True) if d not in known}
        errors = store.append(_decode_all(todo, spec, workers), len(todo), progress)
        known = store.index()
    rows = np.array([known.get(digest, -1) for digest in digests], dtype=np.int64)
    failed = {i: errors[d] for i, d in enumerate(digests) if d in errors}
    return Pixels(store.open(len(known)), rows, failed)


def _load_memory(
    paths: Sequence[Path], digests: Sequence[str], spec: PreprocessSpec, progress: Progress | None, workers: int
) -> Pixels:
    unique = dict(zip(digests, paths, strict=True))
    store = np.empty((len(unique), spec.size, spec.size, 3), np.uint8)
    known: dict[str, int] = {}
    errors: dict[str, str] = {}
    for done, (digest, pixels, error) in enumerate(_decode_all(unique, spec, workers), 1):
        if pixels is None:
            errors[digest] = error
        else:
            store[len(known)] = pixels
            known[digest] = len(known)
        if progress:
            progress(done, len(unique))
    rows = np.array([known.get(digest, -1) for digest in digests], dtype=np.int64)
    return Pixels(store, rows, {i: errors[d] for i, d in enumerate(digests) if d in errors})


Decoded = tuple[str, np.ndarray | None, str]


def _decode_all(todo: dict[str, Path], spec: PreprocessSpec, workers: int) -> Iterator[Decoded]:
    def decode(item: tuple[str, Path]) -> Decoded:
        digest, path = item
        try:
            data = decoder.read_bytes(path)
            if decoder.sha256_bytes(data) != digest:
                return digest, None, "The file has changed since the data set was scanned."
            return digest, sandbox.prepare(data, [spec]).inputs[spec], ""
        except ImageError as error:
            return digest, None, str(error)

    with ThreadPoolExecutor(workers) as pool:
        # In slices, so that decoded images do not pile up in front of a slow disk.
        items = list(todo.items())
        for start in range(0, len(items), _FLUSH_EVERY):
            yield from pool.map(decode, items[start : start + _FLUSH_EVERY])


class _DiskStore:
    """The two files of one preprocessing; `lock` keeps writers apart, between processes too."""

    def __init__(self, folder: Path, size: int):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"The cache folder {folder} cannot be made: {error.strerror}.") from error
        self.lock = FileLock(folder / "lock")
        self._pixels, self._index = folder / "pixels.bin", folder / "index.bin"
        self._shape = (size, size, 3)
        self._row = size * size * 3

    def index(self) -> dict[str, int]:
        """{digest: row} of all complete rows."""
        data = self._index.read_bytes() if self._index.exists() else b""
        pixels = self._pixels.stat().st_size if self._pixels.exists() else 0
        rows = min(len(data) // _DIGEST, pixels // self._row)
        return {data[i * _DIGEST : (i + 1) * _DIGEST].hex(): i for i in range(rows)}

    def append(self, decoded: Iterator[Decoded], total: int, progress: Progress | None) -> dict[str, str]:
        """Writes what can be decoded behind the complete rows; returns {digest: reason} of the rest."""
        errors: dict[str, str] = {}
        rows = len(self.index())
        if not total:
            return errors
        try:
            with open(self._pixels, "ab") as pixels_file, open(self._index, "ab") as index_file:
                pixels_file.truncate(rows * self._row)
                index_file.truncate(rows * _DIGEST)
                batch: list[str] = []
                for done, (digest, pixels, error) in enumerate(decoded, 1):
                    if pixels is None:
                        errors[digest] = error
                    else:
                        pixels_file.write(pixels.tobytes())
                        batch.append(digest)
                    if len(batch) == _FLUSH_EVERY or done == total:
                        pixels_file.flush()
                        os.fsync(pixels_file.fileno())
                        index_file.write(bytes.fromhex("".join(batch)))
                        index_file.flush()
                        batch = []
                    if progress:
                        progress(done, total)
        except OSError as error:
            raise StorageError(f"The cache {self._pixels.parent} cannot be written: {error.strerror}.") from error
        return errors

    def open(self, rows: int) -> np.ndarray:
        """All complete rows as a read-only memory map, (rows, size, size, 3)."""
        if not rows:
            return np.empty((0, *self._shape), np.uint8)
        return np.memmap(self._pixels, np.uint8, "r", shape=(rows, *self._shape))
