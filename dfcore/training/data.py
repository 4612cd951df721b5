"""The images of a training run: scanned, split, checked, decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.datasets import TRAIN, Dataset, assign_splits, require_trainable, scan
from dfcore.datasets.cache import Pixels, load_pixels
from dfcore.errors import DatasetError
from dfcore.training.config import TrainConfig
from dfcore.utils.files import read_json, sha256_bytes, write_json


@dataclass(frozen=True)
class TrainingData:
    """What a trainer works on.

    Attributes:
        dataset: with a split for every usable image.
        rows: the usable rows whose pixels could be decoded, index 0, 1, ….
        pixels: their pixels, in the same order.
        excluded: path and reason of every image that takes no part.
    """

    dataset: Dataset
    rows: pd.DataFrame
    pixels: Pixels
    excluded: pd.DataFrame

    def positions(self, split: str) -> np.ndarray:
        """Which rows belong to a split."""
        return np.flatnonzero((self.rows.split == split).to_numpy())

    def labels(self, split: str) -> np.ndarray:
        """Their labels, int (N,)."""
        return self.rows.label.to_numpy(int)[self.positions(split)]

    def class_weights(self) -> np.ndarray:
        """Weights (real, fake) with which both classes of the training split count the same."""
        counts = np.bincount(self.labels(TRAIN), minlength=2)
        return counts.sum() / (2 * counts)


def prepare(config: TrainConfig, tell: Callable[[str, int, int], None] = lambda *_: None) -> TrainingData:
    """Reads, splits, checks and decodes the data set of a config.

    Args:
        config: says where it lies and how it is preprocessed.
        tell: called with (what is being done, images done, images in all).

    Raises:
        LayoutError, DatasetError: when it cannot be trained on.
        StorageError: when the cache cannot be written.
    """
    result = scan(config.data_root, progress=lambda done, total: tell("reading the data set", done, total))
    dataset = assign_splits(result, config.split_policy)
    require_trainable(dataset)
    rows = dataset.usable.reset_index(drop=True)
    pixels = load_pixels(
        [dataset.root / path for path in rows.path],
        list(rows.sha256),
        config.spec,
        folder=workspace.cache_dir(),
        mode=config.cache,
        progress=lambda done, total: tell("decoding images", done, total),
    )
    excluded = dataset.unreadable[["path", "error"]]
    if pixels.errors:
        lost = pd.DataFrame({"path": rows.path[list(pixels.errors)], "error": list(pixels.errors.values())})
        excluded = pd.concat([excluded, lost])
        saved = pixels.rows >= 0
        rows = rows[saved].reset_index(drop=True)
        pixels = Pixels(pixels.store, pixels.rows[saved], {})
    return TrainingData(dataset, rows, pixels, excluded.reset_index(drop=True))


def require_same(data: TrainingData, path: Path, *, begun: bool) -> None:
    """Checks that a run goes on with the images that it began with.

    Args:
        data: as it is now.
        path: where the hash of the beginning is kept; written where the run has not `begun`.
        begun: whether something was learned already.

    Raises:
        DatasetError: when images, labels, splits or their order have changed since.
    """
    rows = data.rows[["sha256", "label", "split", "group"]].astype(object).map(str).agg(" ".join, axis=1)
    now = {"images": len(rows), "sha256": sha256_bytes("\n".join(rows).encode())}
    try:
        then = read_json(path) if path.is_file() else now
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}, which tells the images that this run began with, cannot be read: {error}."
        ) from None
    if begun and then != now:
        raise DatasetError(
            f"The data set {data.dataset.root} has changed since this run began: then {then['images']:,} images took "
            f"part, now {now['images']:,}, or others. Restore it to resume the run, or train again on what is there."
        )
    write_json(path, now)
