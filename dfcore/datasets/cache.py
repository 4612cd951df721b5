"""Decoded, preprocessed pixels, kept by content: an image is decoded once, whoever asks for it.

Any number of threads and processes may load at once. Each decodes what it misses in slices, appends a slice under the
store's lock, and leaves out what others have added meanwhile. Folders of preprocessings that nobody uses are removed,
least recently used first, when there is no room for more.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dfcore.datasets.pixel_store import make_room, opened
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.preprocess import PreprocessSpec

CacheMode = Literal["disk", "memory"]
Progress = Callable[[int, int], None]
Decoded = tuple[str, np.ndarray | None, str]
# Decoded and not yet written: bytes and images at most.
_SLICE_BYTES, _SLICE_IMAGES = 32 * 2**20, 256
_GONE = "The cache lost its pixels; it was damaged from outside."


@dataclass(frozen=True)
class Pixels:
    """Preprocessed images, ready to be gathered in any order.

    Attributes:
        store: uint8 array or memory map of shape (rows, *spec.input_shape).
        rows: for each requested image its row in `store`, -1 where it could not be decoded.
        errors: {position of the request: reason} for those.
    """

    store: np.ndarray
    rows: np.ndarray
    errors: dict[int, str]

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """The pixels of some requested images, uint8 (len(positions), *spec.input_shape)."""
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
        progress: called with (images done, images in all) of those that are missing; what it raises ends the load,
            and what was appended before stays.
        workers: threads that decode.

    Raises:
        InputError: when `DFCORE_CACHE_GB` is no number of gigabytes.
        StorageError: when the disk is full or the cache's folder cannot be written.
    """
    wanted = dict(zip(digests, paths, strict=True))
    if mode == "memory":
        store, known, errors = _load_memory(wanted, spec, progress, workers)
    else:
        store, known, errors = _load_disk(wanted, spec, folder, progress, workers)
    rows = np.array([known.get(digest, -1) for digest in digests], dtype=np.int64)
    return Pixels(store, rows, {i: errors.get(d, _GONE) for i, d in enumerate(digests) if rows[i] < 0})


def _load_memory(
    wanted: dict[str, Path], spec: PreprocessSpec, progress: Progress | None, workers: int
) -> tuple[np.ndarray, dict[str, int], dict[str, str]]:
    store = np.empty((len(wanted), *spec.input_shape), np.uint8)
    known: dict[str, int] = {}
    errors: dict[str, str] = {}
    slices = _slices(list(wanted.items()), spec)
    with _Decoder(spec, workers, len(wanted), progress) as decode:
        for digest, pixels, error in (one for some in slices for one in decode(some)):
            if pixels is None:
                errors[digest] = error
            else:
                store[len(known)] = pixels
                known[digest] = len(known)
    return store, known, errors


def _load_disk(
    wanted: dict[str, Path], spec: PreprocessSpec, folder: Path, progress: Progress | None, workers: int
) -> tuple[np.ndarray, dict[str, int], dict[str, str]]:
    store, use = opened(folder, spec.key, spec.input_shape)
    try:
        known = store.index()
        missing = [item for item in wanted.items() if item[0] not in known]
        make_room(folder, len(missing) * store.row_bytes)
        errors: dict[str, str] = {}
        slices = _slices(missing, spec)
        # Loads of the same images that began together meet somewhere, instead of decoding each image twice.
        random.shuffle(slices)
        with _Decoder(spec, workers, len(missing), progress) as decode:
            for some in slices:
                known = store.index()
                made = decode([item for item in some if item[0] not in known], passed_over=len(some))
                errors |= {digest: error for digest, pixels, error in made if pixels is None}
                store.append([(digest, pixels) for digest, pixels, _ in made if pixels is not None])
        known = store.index()
        return store.open(len(known), use), known, errors
    except BaseException:
        use.end()
        raise


def _slices(items: list[tuple[str, Path]], spec: PreprocessSpec) -> list[list[tuple[str, Path]]]:
    most = max(1, min(_SLICE_IMAGES, _SLICE_BYTES // spec.input_bytes))
    return [items[start : start + most] for start in range(0, len(items), most)]


class _Decoder:
    """Threads that decode slices of images, and tell how many are behind them; a context manager."""

    def __init__(self, spec: PreprocessSpec, workers: int, total: int, progress: Progress | None):
        self._spec, self._total, self._done = spec, total, 0
        self._progress = progress or (lambda _, __: None)
        self._threads = ThreadPoolExecutor(workers)

    def __enter__(self) -> "_Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def __call__(self, items: list[tuple[str, Path]], passed_over: int | None = None) -> list[Decoded]:
        """Decodes a slice; `passed_over` is its length with those that others have decoded meanwhile."""
        if passed_over is not None and passed_over > len(items):
            self._tell(passed_over - len(items))
        return list(self._each(items))

    def _each(self, items: list[tuple[str, Path]]) -> Iterator[Decoded]:
        for one in self._threads.map(self._decode, items):
            self._tell(1)
            yield one

    def _tell(self, more: int) -> None:
        self._done += more
        self._progress(self._done, self._total)

    def _decode(self, item: tuple[str, Path]) -> Decoded:
        digest, path = item
        try:
            data = decoder.read_bytes(path)
            if decoder.sha256_bytes(data) != digest:
                return digest, None, "The file has changed since the data set was scanned."
            return digest, sandbox.prepare(data, [self._spec]).inputs[self._spec], ""
        except ImageError as error:
            return digest, None, str(error)
