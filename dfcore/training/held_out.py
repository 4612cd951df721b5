"""Images that are handled to see what it does to a score, each judged by a detector that did not learn from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.datasets import TRAIN, VALIDATION
from dfcore.datasets.cache import Progress
from dfcore.datasets.units import units
from dfcore.detectors.detector import Detector
from dfcore.engines.tower_engine import TowerEngine
from dfcore.evaluation import Bank, measure_handled
from dfcore.evaluation.refit import HANDLINGS, handled_rows
from dfcore.training.data import TrainingData

# Kernel and bias of the head that did not learn from a fold, by the fold's name.
Heads = Mapping[str, tuple[np.ndarray, np.ndarray]]
# Of the images that cross-validation scored, this share of each class is handled, and at most so many: a tower takes a
# quarter of a second for each of 33 handlings, and the others remain as references of the domain.
_SHARE, _MOST = 0.25, 60


@dataclass(frozen=True)
class HeldOut:
    """Images to handle.

    Attributes:
        rows: path, sha256, label and further columns, N rows.
        judges: Detectors, each with the positions of the rows that it judges; every row is judged once.
        without: Whether a row of the run's data is one of them, or belongs to one, and so is no reference for the
            distance from what was learned, bool (all rows of the data,).
    """

    rows: pd.DataFrame
    judges: list[tuple[Detector, np.ndarray]]
    without: np.ndarray

    def measured(self, root: Path, progress: Progress) -> Bank:
        """What the detectors make of them after each of `HANDLINGS`.

        Args:
            root: Folder that the paths are relative to.
            progress: Called with (images done, images in all).
        """
        tables, features, before = [], [], 0
        for detector, positions in self.judges:
            some = self.rows.iloc[positions]
            paths, done = [root / path for path in some.path], before

            def told(number: int, _: int, done: int = done) -> None:
                progress(done + number, len(self.rows))

            bank = measure_handled(detector, paths, some.label.tolist(), [HANDLINGS] * len(some), progress=told)
            tables.append(bank.table.assign(image=positions[bank.table.image.to_numpy(int)]))
            features.append(bank.features)
            before += len(some)
        return Bank(pd.concat(tables, ignore_index=True), np.concatenate(features))


def held_out(bare: Detector, data: TrainingData, unseen: pd.DataFrame | None, heads: Heads) -> HeldOut | None:
    """The validation split; where it is too small, images that the folds of cross-validation held out.

    Args:
        bare: The detector.
        data: The run's data.
        unseen: The predictions of cross-validation, with path and fold; None without.
        heads: Heads of the folds, for a detector on a tower; empty for others, whose folds' networks are not kept.

    Returns:
        None if too few are held out to say anything of a handling.
    """
    rows = handled_rows(data.rows.iloc[data.positions(VALIDATION)])
    if rows is not None:
        return HeldOut(rows, [(bare, np.arange(len(rows)))], np.zeros(len(data.rows), bool))
    if unseen is None or not heads or not isinstance(bare.engine, TowerEngine):
        return None
    learned = data.rows.iloc[data.positions(TRAIN)]
    known = learned.assign(fold=learned.path.map(unseen.set_index("path").fold)).dropna(subset="fold")
    rows = handled_rows(known, share=_SHARE, most=_MOST)
    if rows is None:
        return None
    judges = [
        (Detector(bare.card, bare.engine.with_head(*heads[name])), np.flatnonzero(rows.fold == name))
        for name in sorted(rows.fold.unique())
    ]
    unit = units(data.rows)
    return HeldOut(rows, judges, unit.isin(unit[data.rows.path.isin(rows.path)]).to_numpy())
