"""Cross-validation: training images are scored by a network that was not trained on them, each once.

Calibration and thresholds must be fitted on images that were not used for training, and a small data set cannot spare a
split for that. Copies and images of one source are always in the same fold. With leave-one-group-out, each fold is one
group (a generator), and its scores show how well the settings generalise to an unseen generator.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from dfcore.datasets import TRAIN, VALIDATION
from dfcore.datasets.units import units
from dfcore.errors import DatasetError
from dfcore.evaluation import read_predictions, write_predictions
from dfcore.labels import NAMES
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.progress import Watcher
from dfcore.training.watcher import StoppedEarly

HoldOut = Literal["content", "group", "source"]


def fold_numbers(rows: pd.DataFrame, folds: int, by: HoldOut, seed: int) -> np.ndarray:
    """Assigns every image to a fold.

    Args:
        rows: Table with sha256, label and group, N rows.
        folds: Number of folds, for "content" only.
        by: "content" for folds stratified by label and group; "group" for one fold per group; "source" for the same
            where each group is a source with photographs and fakes of its own; a source of one class is learned from
            in every fold and held out in none.
        seed: Random seed, for "content" only.

    Returns:
        Fold numbers from 0, int, shape (N,); -1 where an image is never held out.

    Raises:
        DatasetError: If there are fewer than two groups, images without a group, fewer than two sources with both
            classes, or too few images of a class.
    """
    group = rows.group.fillna("").to_numpy(str)
    if by != "content":
        names, numbers = np.unique(group, return_inverse=True)
        if len(names) < 2 or "" in names:
            raise DatasetError(
                "Holding out by group needs at least two groups, and a group for every image. Received: "
                f"{', '.join(name or 'images without a group' for name in names)}."
            )
        return numbers if by == "group" else _sources(rows, names, numbers)
    from sklearn.model_selection import StratifiedGroupKFold

    labels = rows.label.to_numpy(int)
    contents = units(rows).to_numpy(str)
    least = min(len(set(contents[labels == label])) for label in (0, 1))
    if least < folds:
        raise DatasetError(
            f"{folds} folds need as many unrelated images of each class (images of one source or with the same pixels "
            f"count once). Received: {least} of one class."
        )
    strata = _strata(rows, folds)
    numbers = np.empty(len(rows), int)
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(parts.split(strata, strata, contents)):
        numbers[held] = number
    return numbers


def _sources(rows: pd.DataFrame, names: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Numbers of the sources with both classes; -1 for images of others, where source and class are one."""
    both = [number for number in range(len(names)) if rows.label[numbers == number].nunique() == 2]
    if len(both) < 2:
        lone = ", ".join(name for number, name in enumerate(names.tolist()) if number not in both)
        raise DatasetError(
            "Holding out by source needs two sources with photographs and fakes of their own: where a source has one "
            f"class, source and class are one. Received: only one class in {lone}."
        )
    result = np.full(len(numbers), -1)
    for place, number in enumerate(both):
        result[numbers == number] = place
    return result


def _strata(rows: pd.DataFrame, folds: int) -> np.ndarray:
    """Strata of the folds: label and group if every such stratum is large enough, else the label alone."""
    label = rows.label.astype(str)
    fine = label + " " + rows.group.fillna("")
    smallest = rows.assign(stratum=fine, unit=units(rows)).groupby("stratum").unit.nunique().min()
    return np.unique((fine if smallest >= folds else label).to_numpy(str), return_inverse=True)[1]


def fold_count(rows: pd.DataFrame, config: TrainConfig) -> int:
    """Number of additional networks that cross-validation trains; 0 if it is off.

    Args:
        rows: Table with sha256, label, group and split; only the training split is used.
        config: Configuration of the run.

    Raises:
        DatasetError: If the folds cannot be made, or only one class would remain for training.
    """
    if config.cross_validation == "off":
        return 0
    return len(list(_folds(rows[rows.split == TRAIN], config.folds, config.cross_validation, config.seed)))


def fold_data(data: TrainingData, folds: int, by: HoldOut, seed: int) -> Iterator[tuple[str, TrainingData]]:
    """Yields the name and the data of each fold: the training split with the fold as its validation split.

    Images that belong to held-out ones are excluded from training.

    Raises:
        DatasetError: If the folds cannot be made, or only one class would remain for training.
    """
    positions = data.positions(TRAIN)
    for name, learned, held in _folds(data.rows.iloc[positions], folds, by, seed):
        split = np.full(len(data.rows), "", object)
        split[positions[learned]] = TRAIN
        split[positions[held]] = VALIDATION
        yield name, replace(data, rows=data.rows.assign(split=split))


def _folds(rows: pd.DataFrame, folds: int, by: HoldOut, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields for each fold its name and the masks of the training and the held-out rows, bool, shape (N,)."""
    numbers, unit = fold_numbers(rows, folds, by, seed), units(rows)
    for number in range(numbers.max() + 1):
        held = numbers == number
        learned = ~held & ~unit.isin(unit[held]).to_numpy()
        group = str(rows.group[held].iloc[0])
        _require_classes(rows[learned], group if by != "content" else f"fold {number + 1}")
        yield group if by != "content" else f"fold {number + 1} of {numbers.max() + 1}", learned, held


def _require_classes(learned: pd.DataFrame, held: str) -> None:
    counts = [int((learned.label == label).sum()) for label in range(len(NAMES))]
    if not all(counts):
        text = ", ".join(f"{count} {name}" for count, name in zip(counts, NAMES, strict=True))
        raise DatasetError(
            f"Without {held} both classes must remain to learn from. Received: {text}. Groups that hold real images "
            "and fakes alike can be held out; others need cross-validation by content."
        )


def held_out_logits(config: TrainConfig, fold: TrainingData, folder: Path, watcher: Watcher) -> pd.DataFrame | None:
    """Trains a network on one fold and scores the held-out images.

    Args:
        config: Configuration of the run.
        fold: Data from `fold_data`.
        folder: Folder for checkpoints; training continues from them.
        watcher: Receives the progress.

    Returns:
        Table with path, sha256, label, group and logit; None if training was stopped.
    """
    from dfcore.training.trainer import trainer_for

    trainer = trainer_for(config, fold, folder, watcher)
    if not trainer.run():
        return None
    logits = trainer.held_out_logits()
    rows = fold.rows.iloc[fold.positions(VALIDATION)][["path", "sha256", "label", "group"]].reset_index(drop=True)
    return rows.assign(logit=logits)


def cross_validate(config: TrainConfig, data: TrainingData, folder: Path, watcher: Watcher) -> pd.DataFrame | None:
    """Scores training images by networks that were not trained on them; by source, those of sources with both classes.

    The results of completed folds are stored in `folder`; a resumed run continues with the next fold.

    Returns:
        Table with path, sha256, label, group, logit and fold of the scored images; None if training was stopped.
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
        if not config.on_tower:  # A head has kilobytes, and `fold_heads` wants it.
            # Done for completed folds too: an earlier process may have been killed before it got here.
            shutil.rmtree(folder / str(number), ignore_errors=True)
        tables.append(read_predictions(done, scored=False))
    return pd.concat(tables, ignore_index=True)


def fold_heads(
    config: TrainConfig, data: TrainingData, folder: Path, watcher: Watcher
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The heads on a tower that cross-validation solved for, by fold: kernel (768 * blocks, units) and bias (units,).

    Empty without cross-validation, and for other networks, which are not kept.

    Args:
        config: Configuration of the run.
        data: The run's data.
        folder: Where `cross_validate` kept them; what is missing is solved for again, in seconds.
        watcher: Receives the progress.

    Raises:
        StoppedEarly: If a stop was requested meanwhile.
    """
    from dfcore.training.head import HeadTrainer

    if config.cross_validation == "off" or not config.on_tower:
        return {}
    heads = {}
    for number, (name, fold) in enumerate(fold_data(data, config.folds, config.cross_validation, config.seed)):
        trainer = HeadTrainer(config, fold, folder / str(number), Beside(watcher, name, 0))
        if not trainer.run():
            raise StoppedEarly
        heads[name] = trainer.head
    return heads


class Beside:
    """Forwards the progress of an additional network to the watcher of the run."""

    def __init__(self, watcher: Watcher, name: str, left: int):
        self._watcher, self._name, self._left = watcher, name, left

    def phase(self, text: str) -> None:
        """See `Watcher.phase`."""
        self._watcher.phase(f"cross-validation, {self._name}: {text}")

    def working(self, text: str, done: int, total: int) -> None:
        """See `Watcher.working`."""
        self._watcher.working(text, done, total)

    def step(self, row: dict[str, float]) -> None:
        """See `Watcher.beside`."""
        self._watcher.beside(row, self._left)

    def beside(self, row: dict[str, float], left: int) -> None:
        """Never called: the folds themselves are not cross-validated."""

    def epoch(self, history: list[dict[str, float]]) -> None:
        """Ignored: the history is that of the run's own network."""

    def should_stop(self) -> bool:
        """See `Watcher.should_stop`."""
        return self._watcher.should_stop()
