"""Training a head on a frozen tower: features are computed once and kept, so that a head takes seconds.

Features depend on the image's content, its view and the seed of its handling alone, so all runs share them. An image is
learned from as it is and as it looks after random handlings (`handling.drawn`), which take the place of augmentation.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dfcore import workspace
from dfcore.datasets.pixel_store import PixelStore, Use, make_room
from dfcore.engines.tower_engine import shared_tower
from dfcore.errors import ImageError
from dfcore.imaging import decoder, handling, sandbox
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.towers import clip
from dfcore.towers.graph import WIDTH
from dfcore.utils.files import sha256_bytes

# Images whose features are written at a time.
_SLICE = 16

Progress = Callable[[int, int], None]


class FeatureStore:
    """Features of images by content, view and seed of the handling; float16 (views, WIDTH) each."""

    def __init__(self, folder: Path, spec: PreprocessSpec):
        views = len(spec.view_titles)
        self._spec = spec
        self._folder = folder
        self._store = PixelStore(folder / f"{clip.NAME}-{clip.SHA256[:8]}-{spec.key}", (views, WIDTH), np.float16)
        self._use: Use = self._store.begin_use()

    def load(
        self, paths: Sequence[Path], digests: Sequence[str], draws: int, progress: Progress = lambda *_: None
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Features of images as they are and after `draws` handlings, those that are missing computed first.

        Args:
            paths: Files.
            digests: SHA-256 of each file's content.
            draws: Number of random handlings of each image.
            progress: Called with (images done, images in all); what it raises ends the load, and what was computed
                stays.

        Returns:
            float16 (images, 1 + draws, views, WIDTH), and {number of the image: reason} of those that cannot be
            read, whose features are NaN.

        Raises:
            StorageError: If the cache cannot be written.
        """
        names = [[_key(digest, draw) for draw in range(1 + draws)] for digest in digests]
        known, errors, waiting = self._store.index(), {}, []
        missing = [number for number, keys in enumerate(names) if any(key not in known for key in keys)]
        make_room(self._folder, len(missing) * (1 + draws) * self._store.row_bytes)
        for done, number in enumerate(missing):
            try:
                waiting.append(self._computed(paths[number], digests[number], names[number]))
            except ImageError as error:
                errors[number] = str(error)
            if len(waiting) == _SLICE or done + 1 == len(missing):
                self._store.append([row for rows in waiting for row in rows])
                waiting = []
            progress(done + 1, len(missing))
        known = self._store.index()
        store = self._store.open(len(known), self._use)
        result = np.full((len(names), 1 + draws, *store.shape[1:]), np.nan, np.float16)
        for number, keys in enumerate(names):
            if number not in errors:
                result[number] = store[[known[key] for key in keys]]
        return result, errors

    def _computed(self, path: Path, digest: str, keys: Sequence[str]) -> list[tuple[str, np.ndarray]]:
        data = decoder.read_bytes(path)
        if sha256_bytes(data) != digest:
            raise ImageError("The file has changed since the data set was scanned.")
        rgb = sandbox.decode(data)
        seeds = [int(sha256_bytes(f"{digest} {draw}".encode())[:8], 16) for draw in range(len(keys))]
        shown = [rgb, *(handling.drawn(seed).apply(rgb) for seed in seeds[1:])]
        squares = np.stack([self._spec.apply(each) for each in shown]).reshape(-1, clip.SIDE, clip.SIDE, 3)
        values = shared_tower("float32").features(squares).astype(np.float16)
        return list(zip(keys, values.reshape(len(keys), -1, WIDTH), strict=True))


def _key(digest: str, draw: int) -> str:
    return digest if draw == 0 else sha256_bytes(f"{digest} drawn {draw}".encode())


def cache() -> Path:
    """Where features are kept: with the pixels, so that one limit holds for both."""
    return workspace.cache_dir()
