"""Cross-validation: every training image is scored once by a network that has not seen it.

What calibration and thresholds are fitted on must not have been learned from, and with few images no split
can be spared for it. Folds keep copies of an image together; held out by group, each fold is one group
(a generator), and its scores say what the settings are worth on a generator that it never saw.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from dfcore.datasets import TRAIN, VALIDATION
from dfcore.errors import DatasetError
from dfcore.evaluation import read_predictions, write_predictions
from dfcore.labels import NAMES
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.progress import Watcher

HoldOut = Literal["content", "group"]


def fold_numbers(rows: pd.DataFrame, folds: int, by: HoldOut, seed: int) -> np.ndarray:
    """The fold of every row, int (N,), from 0.

    Args:
        rows: with sha256, label and group.
        folds: how many, where images are held out by content; by group there is one a group.
        by: "content" draws folds that are alike in label and group; "group" holds out whole groups.
        seed: of the draw.

    Raises:
        DatasetError: when there are fewer groups than two, or too few images of a class.
    """
    group = rows.group.fillna("").to_numpy(str)
    if by == "group":
        names, numbers = np.unique(group, return_inverse=True)
        if len(names) < 2 or "" in names:
            raise DatasetError(
                "Holding out by group needs at least two groups, and a group for every image. Received: "
                f"{', '.join(name or 'images without a group' for name in names)}."
            )
        return numbers
    from sklearn.model_selection import StratifiedGroupKFold

    labels = rows.label.to_numpy(int)
    contents = rows.sha256.to_numpy(str)
    least = min(len(set(contents[labels == label])) for label in (0, 1))
    if least < folds:
        raise DatasetError(f"{folds} folds need as many different images of each class. Received: {least} of one.")
    strata = _strata(rows, folds)
    numbers = np.empty(len(rows), int)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(parts.split(strata, strata, contents)):
        numbers[held] = number
    return numbers


def _strata(rows: pd.DataFrame, folds: int) -> np.ndarray:
    """What every fold shall hold its share of: classes, and their groups where all are large enough for that."""
    label = rows.label.astype(str)
    fine = label + " " + rows.group.fillna("")
    smallest = rows.assign(stratum=fine).groupby("stratum").sha256.nunique().min()
    return np.unique((fine if smallest >= folds else label).to_numpy(str), return_inverse=True)[1]


def fold_count(rows: pd.DataFrame, config: TrainConfig) -> int:
    """How many networks cross-validation trains besides; 0 where it is off.

    Args:
        rows: the images with sha256, label, group and split; those of the training split count.
        config: of the training.

    Raises:
        DatasetError: when the folds cannot be made, or one would leave one class only to learn from.
    """
    if config.cross_validation == "off":
        return 0
    return len(list(_folds(rows[rows.split == TRAIN], config.folds, config.cross_validation, config.seed)))


def fold_data(data: TrainingData, folds: int, by: HoldOut, seed: int) -> Iterator[tuple[str, TrainingData]]:
    """The training split once a fold, with the fold's images as validation; its name comes first.

    A copy of a held-out image is left out of the training.

    Raises:
        DatasetError: when a fold would leave one class only to learn from.
    """
    positions = data.positions(TRAIN)
    for name, learned, held in _folds(data.rows.iloc[positions], folds, by, seed):
        split = np.full(len(data.rows), "", object)
        split[positions[learned]] = TRAIN
        split[positions[held]] = VALIDATION
        yield name, replace(data, rows=data.rows.assign(split=split))


def _folds(rows: pd.DataFrame, folds: int, by: HoldOut, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, which rows are learned from, and which are held out, of each fold."""
    numbers = fold_numbers(rows, folds, by, seed)
    for number in range(numbers.max() + 1):
        held = numbers == number
        learned = ~held & ~rows.sha256.isin(rows.sha256[held]).to_numpy()
        group = str(rows.group[held].iloc[0])
        _require_classes(rows[learned], group if by == "group" else f"fold {number + 1}")
        yield group if by == "group" else f"fold {number + 1} of {numbers.max() + 1}", learned, held


def _require_classes(learned: pd.DataFrame, held: str) -> None:
    counts = [int((learned.label == label).sum()) for label in range(len(NAMES))]
    if not all(counts):
        text = ", ".join(f"{count} {name}" for count, name in zip(counts, NAMES, strict=True))
        raise DatasetError(
            f"Without {held} both classes must remain to learn from. Received: {text}. Groups that hold real images "
            "and fakes alike can be held out; others need cross-validation by content."
        )


def held_out_logits(config: TrainConfig, fold: TrainingData, folder: Path, watcher: Watcher) -> pd.DataFrame | None:
    """Trains on one fold and scores what it holds out: path, sha256, label, group, logit; None when stopped.

    Args:
        config: of the training.
        fold: as `fold_data` gives it.
        folder: for checkpoints, from which a stopped training goes on.
        watcher: told of the progress.
    """
    from dfcore.engines import KerasEngine
    from dfcore.training.trainer import Trainer

    trainer = Trainer(config, fold, folder, watcher)
    if not trainer.run():
        return None
    engine = KerasEngine(trainer.best_model(), tta_flip=config.tta_flip)
    positions = fold.positions(VALIDATION)
    starts = range(0, len(positions), 64)
    logits = np.concatenate([engine.logits(fold.pixels.gather(positions[i : i + 64])) for i in starts])
    rows = fold.rows.iloc[positions][["path", "sha256", "label", "group"]].reset_index(drop=True)
    return rows.assign(logit=logits)


def cross_validate(config: TrainConfig, data: TrainingData, folder: Path, watcher: Watcher) -> pd.DataFrame | None:
    """Scores every training image by a network that has not seen it; None when stopped.

    Folds that are done are kept in `folder`, and a resumed run goes on with the next.

    Returns:
        path, sha256, label, group, logit and fold of the training split.
    """
    assert config.cross_validation != "off"
    tables = []
    folds = list(fold_data(data, config.folds, config.cross_validation, config.seed))
    for number, (name, fold) in enumerate(folds):
        done = folder / f"{number}.parquet"
        if not done.is_file():
            beside = Beside(watcher, name, len(folds) - number - 1)
            table = held_out_logits(config, fold, folder / str(number), beside)
            if table is None:
                return None
            write_predictions(done, table.assign(fold=name))
        # Also what a kill after the last writing left.
        shutil.rmtree(folder / str(number), ignore_errors=True)
        tables.append(read_predictions(done, scored=False))
    return pd.concat(tables, ignore_index=True)


class Beside:
    """Passes on the progress of a network that is trained besides the one of the run."""

    def __init__(self, watcher: Watcher, name: str, left: int):
        self._watcher, self._name, self._left = watcher, name, left

    def phase(self, text: str) -> None:
        """See `Watcher.phase`."""
        self._watcher.phase(f"cross-validation, {self._name}: {text}")

    def step(self, row: dict[str, float]) -> None:
        """See `Watcher.beside`."""
        self._watcher.beside(row, self._left)

    def beside(self, row: dict[str, float], left: int) -> None:
        """Nothing is trained besides a fold."""

    def epoch(self, history: list[dict[str, float]]) -> None:
        """The history belongs to the run's own network."""

    def should_stop(self) -> bool:
        """See `Watcher.should_stop`."""
        return self._watcher.should_stop()
