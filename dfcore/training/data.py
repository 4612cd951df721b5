"""The images of a training run: scanned, split, checked and decoded."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.audit import stored
from dfcore.datasets import TRAIN, Dataset, SplitPolicy, assign_splits, require_trainable, scan
from dfcore.datasets.cache import CacheMode, Pixels, load_pixels
from dfcore.errors import DatasetError
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.labels import REAL
from dfcore.training.config import TrainConfig
from dfcore.training.frozen import AS_IT_IS, Frozen, Variant, load_features
from dfcore.utils.files import read_json, sha256_bytes, write_json


@dataclass(frozen=True)
class TrainingData:
    """Images and labels for training.

    Attributes:
        dataset: The data set, with a split for every usable image.
        rows: Rows of the images that could be decoded, with index 0, 1, ….
        pixels: Their pixels, in the same order.
        excluded: Path and error of every excluded image.
        features: With a frozen tower, features of the images of the training split in all forms that are learned from,
            and of all images as they are.
    """

    dataset: Dataset
    rows: pd.DataFrame
    pixels: Pixels
    excluded: pd.DataFrame
    features: Frozen | None = None

    def positions(self, split: str) -> np.ndarray:
        """Row numbers of a split, int, shape (n,)."""
        return np.flatnonzero((self.rows.split == split).to_numpy())

    def labels(self, split: str) -> np.ndarray:
        """Labels of a split, int, shape (n,): 0 real, 1 fake."""
        return self.rows.label.to_numpy(int)[self.positions(split)]

    def class_weights(self) -> np.ndarray:
        """Weights (real, fake) that balance the classes of the training split, shape (2,)."""
        counts = np.bincount(self.labels(TRAIN), minlength=2)
        return counts.sum() / (2 * counts)


def prepare(config: TrainConfig, tell: Callable[[str, int, int], None] = lambda *_: None) -> TrainingData:
    """Scans, splits, checks and decodes a data set.

    Args:
        config: Configuration with the data set, the split policy and the preprocessing.
        tell: Called with (current activity, images done, total number of images).

    Raises:
        LayoutError, DatasetError: If the data set cannot be used for training.
        StorageError: If the cache cannot be written.
    """
    data = load(Path(config.data_root), config.split_policy, config.spec, tell, cache=config.cache)
    return replace(data, features=_features(config, data, tell)) if config.on_tower else data


def load(
    root: Path,
    policy: SplitPolicy,
    spec: PreprocessSpec,
    tell: Callable[[str, int, int], None] = lambda *_: None,
    *,
    cache: CacheMode = "disk",
) -> TrainingData:
    """Scans, splits, checks and decodes a data set, without features of a tower.

    Args:
        root: The data set.
        policy: How missing splits are drawn.
        spec: The preprocessing.
        tell: Called with (current activity, images done, total number of images).
        cache: Where decoded pixels are kept.

    Raises:
        LayoutError, DatasetError: If the data set cannot be used for training.
        StorageError: If the cache cannot be written.
    """
    result = scan(root, progress=lambda done, total: tell("reading the data set", done, total))
    result = replace(result, notes=(*result.notes, *stored.notes(root, result)))
    dataset = assign_splits(result, policy)
    require_trainable(dataset)
    rows = dataset.usable.reset_index(drop=True)
    pixels = load_pixels(
        [dataset.root / path for path in rows.path],
        list(rows.sha256),
        spec,
        folder=workspace.cache_dir(),
        mode=cache,
        progress=lambda done, total: tell("decoding images", done, total),
    )
    excluded = dataset.unreadable[["path", "error"]]
    if pixels.errors:
        lost = pd.DataFrame({"path": rows.path[list(pixels.errors)], "error": list(pixels.errors.values())})
        excluded = pd.concat([excluded, lost])
        saved = pixels.rows >= 0
        rows = rows[saved].reset_index(drop=True)
        _require_left(dataset.with_table(rows), lost)
        pixels = Pixels(pixels.store, pixels.rows[saved], {})
    return TrainingData(dataset, rows, pixels, excluded.reset_index(drop=True))


def _features(config: TrainConfig, data: TrainingData, tell: Callable[[str, int, int], None]) -> Frozen:
    rows = data.rows
    learned = (rows.split == TRAIN).to_numpy()
    real = learned & (rows.label == REAL).to_numpy()
    wanted = {AS_IT_IS: np.ones(len(rows), bool)}
    wanted |= {Variant("drawn", number): learned for number in range(1, 1 + config.handled)}
    wanted |= {Variant(side, number): real for number in range(config.pairs) for side in ("real", "fake")}
    features, errors = load_features(
        [data.dataset.root / path for path in rows.path],
        list(rows.sha256),
        config.spec,
        wanted=wanted,
        folder=workspace.cache_dir(),
        blocks=config.blocks,
        progress=lambda done, total: tell("computing features", done, total),
    )
    if errors:
        number, reason = next(iter(errors.items()))
        raise DatasetError(
            f"{len(errors):,} images could not be read any more after they had been decoded, e.g. "
            f"{rows.path.iloc[number]}: {reason}"
        )
    return features


def _require_left(rest: Dataset, lost: pd.DataFrame) -> None:
    """Checks that what could be decoded can still be trained on."""
    try:
        require_trainable(rest)
    except DatasetError as error:
        raise DatasetError(
            f"{len(lost):,} images could not be decoded after the data set was read, e.g. {lost.path.iloc[0]}: "
            f"{lost.error.iloc[0]} {error}"
        ) from None


def require_same(root: Path, rows: pd.DataFrame, path: Path, *, begun: bool) -> None:
    """Checks that the data of a resumed run have not changed.

    Args:
        root: Folder of the data set.
        rows: The rows that take part, see `TrainingData`.
        path: File with the number of images and the hash from the start of the run; written by this function.
        begun: Whether the run already has checkpoints; if not, changes are allowed.

    Raises:
        DatasetError: If images, labels, groups, splits or their order have changed, or `path` cannot be read.
    """
    texts = rows[["sha256", "label", "split", "group"]].astype(object).map(str).agg(" ".join, axis=1)
    now = {"images": len(texts), "sha256": sha256_bytes("\n".join(texts).encode())}
    try:
        then = read_json(path) if path.is_file() else now
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}, which tells the images that this run began with, cannot be read: {error}."
        ) from None
    if begun and then != now:
        raise DatasetError(
            f"The data set {root} has changed since this run began: then {then['images']:,} images took "
            f"part, now {now['images']:,}, or others. Restore it to resume the run, or train again on what is there. "
            f"If the images were moved, tell where to: dfcore runs relocate {path.parent.name} NEW_ROOT"
        )
    write_json(path, now)
