"""Features of a frozen tower, computed once and kept: training a head on them takes seconds.

Features depend on the image's content, its views and its handling alone, so all runs share them. An image is learned
from as it is and after random handlings (`handling.drawn`), which take the place of augmentation; a real one also
beside its own reconstruction (`synthesis.pair`), if pairs are asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dfcore.datasets.pixel_store import PixelStore, make_room, opened
from dfcore.engines.tower_engine import shared_tower
from dfcore.errors import ImageError
from dfcore.imaging import decoder, handling, sandbox
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.towers import clip
from dfcore.utils.files import sha256_bytes

# Images whose features are written at a time.
_SLICE = 8
# Side of the part of an image that a pair is made of, in pixels: views at native pixels show no more, and a decoder
# takes seconds a megapixel.
_WINDOW = 384
# How the handlings are drawn and the pairs are made; part of the keys of what is kept.
_VERSION = 1

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Variant:
    """One form in which an image is learned from.

    Attributes:
        kind: "drawn": a random handling; "real" or "fake": a side of an aligned pair. As it is: "drawn" with number 0.
        number: Number of the handling or the pair.
    """

    kind: str
    number: int


AS_IT_IS = Variant("drawn", 0)


@dataclass(frozen=True)
class Frozen:
    """Features of images in several forms.

    Attributes:
        store: float16 memory map (rows, views, width), with 768 features a block.
        rows: For each form the row of each image in `store`, -1 where it has none.
    """

    store: np.ndarray
    rows: dict[Variant, np.ndarray]

    def gather(self, variant: Variant, positions: np.ndarray) -> np.ndarray:
        """Features of some images in one form, float16 (len(positions), views, width).

        Raises:
            ValueError: If an image has none in this form.
        """
        rows = self.rows[variant][positions]
        if (rows < 0).any():
            raise ValueError(f"Expected images that have the form {variant}. Received: some that do not.")
        return self.store[rows]


def load_features(
    paths: Sequence[Path],
    digests: Sequence[str],
    spec: PreprocessSpec,
    *,
    wanted: dict[Variant, np.ndarray],
    folder: Path,
    blocks: int,
    progress: Progress = lambda *_: None,
) -> tuple[Frozen, dict[int, str]]:
    """Features of images, those that are missing computed first.

    Args:
        paths: Files.
        digests: SHA-256 of each file's content.
        spec: The preprocessing.
        wanted: For each form the images that have it, bool (N,).
        folder: Where the caches are kept.
        blocks: Blocks of the tower whose class tokens are wanted, from the first on.
        progress: Called with (images done, images in all) of those that are missing; what it raises ends the load, and
            what was computed stays.

    Returns:
        The features, and {number of the image: reason} of those that cannot be read.

    Raises:
        StorageError: If the cache cannot be written.
        BundleError, MissingExtraError: If the tower cannot be run here.
    """
    # As version 0.6 named it, where all blocks are wanted.
    name = f"{clip.NAME}-{clip.SHA256[:8]}-{_VERSION}-{spec.key}{'' if blocks == clip.BLOCKS else f'-{blocks}'}"
    store, use = opened(folder, name, (len(spec.view_titles), blocks * clip.WIDTH), np.float16)
    keys = {variant: [_key(digest, variant) for digest in digests] for variant in wanted}
    try:
        compute = partial(_computed, spec=spec, blocks=blocks)
        errors = _complete(store, folder, paths, digests, wanted, keys, compute, progress)
        known = store.index()
        rows = {
            variant: np.array([known.get(key, -1) if mask[number] else -1 for number, key in enumerate(keys[variant])])
            for variant, mask in wanted.items()
        }
        for variant, mask in wanted.items():
            for number in np.flatnonzero(mask & (rows[variant] < 0)).tolist():
                errors.setdefault(number, "The cache lost its features; it was damaged from outside.")
        return Frozen(store.open(len(known), use), rows), errors
    except BaseException:
        use.end()
        raise


def _complete(
    store: PixelStore,
    folder: Path,
    paths: Sequence[Path],
    digests: Sequence[str],
    wanted: dict[Variant, np.ndarray],
    keys: dict[Variant, list[str]],
    compute: Callable[[Path, str, Sequence[Variant]], list[tuple[Variant, np.ndarray]]],
    progress: Progress,
) -> dict[int, str]:
    """Computes what is missing; returns {number of the image: reason} of those that cannot be read."""
    known, errors, waiting = set(store.index()), {}, []
    todo = [
        (number, variants)
        for number in range(len(paths))
        if (variants := [each for each, mask in wanted.items() if mask[number] and keys[each][number] not in known])
    ]
    make_room(folder, sum(len(variants) for _, variants in todo) * store.row_bytes)
    for done, (number, variants) in enumerate(todo, 1):
        missing = [each for each in variants if keys[each][number] not in known]  # A copy may have brought them.
        try:
            for variant, features in compute(paths[number], digests[number], missing):
                waiting.append((keys[variant][number], features))
            known |= {keys[variant][number] for variant in missing}
        except ImageError as error:
            errors[number] = str(error)
        if done % _SLICE == 0 or done == len(todo):
            store.append(waiting)
            waiting = []
        progress(done, len(todo))
    return errors


def _computed(
    path: Path, digest: str, variants: Sequence[Variant], spec: PreprocessSpec, blocks: int
) -> list[tuple[Variant, np.ndarray]]:
    if not variants:
        return []
    data = decoder.read_bytes(path)
    if sha256_bytes(data) != digest:
        raise ImageError("The file has changed since the data set was scanned.")
    rgb = sandbox.decode(data)
    shown: dict[Variant, np.ndarray] = {}
    for variant in variants:
        if variant not in shown:
            shown |= forms(rgb, digest, variant)
    squares = np.stack([spec.apply(shown[variant]) for variant in variants])
    tower = shared_tower("float32", blocks)
    values = tower.features(squares.reshape(-1, clip.SIDE, clip.SIDE, 3)).astype(np.float16)
    return list(zip(variants, values.reshape(len(variants), -1, blocks * clip.WIDTH), strict=True))


def forms(rgb: np.ndarray, digest: str, variant: Variant) -> dict[Variant, np.ndarray]:
    """The pixels of an image in a form; of a pair both sides, which are made together."""
    from dfcore.synthesis import pair

    if variant == AS_IT_IS:
        return {variant: rgb}
    seed = int(sha256_bytes(f"{digest} {variant.number}".encode())[:8], 16)
    if variant.kind == "drawn":
        return {variant: handling.drawn(seed).apply(rgb)}
    shares = np.random.default_rng(seed).random(2)
    top, left = (int(max(0, side - _WINDOW) * share) for side, share in zip(rgb.shape, shares, strict=False))
    sides = pair(rgb[top : top + _WINDOW, left : left + _WINDOW], seed=seed)
    return {Variant(kind, variant.number): side for kind, side in zip(("real", "fake"), sides, strict=True)}


def _key(digest: str, variant: Variant) -> str:
    return digest if variant == AS_IT_IS else sha256_bytes(f"{digest} {variant.kind} {variant.number}".encode())
