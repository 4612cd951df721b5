"""Images that are handled to see what it does to a score, each judged by a detector that did not learn from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.datasets import VALIDATION
from dfcore.datasets.cache import Progress
from dfcore.datasets.units import units
from dfcore.detectors.detector import Detector
from dfcore.engines.tower_engine import TowerEngine
from dfcore.errors import ImageError
from dfcore.evaluation import Bank, measure_handled
from dfcore.evaluation.refit import HANDLINGS, handled_rows
from dfcore.training.data import TrainingData

# Kernel and bias of the head that did not learn from a fold, by the fold's name.
Heads = Mapping[str, tuple[np.ndarray, np.ndarray]]
# Of the images that cross-validation scored, this share of each class is handled, and at most so many: a tower takes a
# quarter of a second for each of 33 handlings, and the others remain as references of the domain.
_SHARE, _MOST = 0.25, 60


@dataclass(frozen=True)
class GateImages:
    """Images to handle.

    Attributes:
        rows: path, sha256, label and further columns, N rows.
        judges: Detectors, each with the positions of the rows that it judges; every row is judged once.
        without: Whether a row of the run's data is one of them, or belongs to one, and so is no reference for the
            distance from what was learned, bool (all rows of the data,).
        folds: Which fold held out each row of the data, "" where none did, str (all rows,); None if these images are
            the validation split.
    """

    rows: pd.DataFrame
    judges: list[tuple[Detector, np.ndarray]]
    without: np.ndarray
    folds: np.ndarray | None = None

    def measured(self, root: Path, progress: Progress) -> Bank:
        """What the detectors make of them after each of `HANDLINGS`.

        Args:
            root: Folder that the paths are relative to.
            progress: Called with (images done, images in all).

        Raises:
            ImageError: If none can be read any longer.
        """
        tables: list[pd.DataFrame] = []
        features, before = [], 0
        for detector, positions in self.judges:
            some = self.rows.iloc[positions]
            paths, done = [root / path for path in some.path], before

            def told(number: int, _: int, done: int = done) -> None:
                progress(done + number, len(self.rows))

            before += len(some)
            try:
                bank = measure_handled(detector, paths, some.label.tolist(), [HANDLINGS] * len(some), progress=told)
            except ImageError:
                if before == len(self.rows) and not tables:
                    raise
                continue
            tables.append(bank.table.assign(image=positions[bank.table.image.to_numpy(int)]))
            features.append(bank.features)
        return Bank(pd.concat(tables, ignore_index=True), np.concatenate(features))


def gate_images(bare: Detector, data: TrainingData, unseen: pd.DataFrame | None, heads: Heads) -> GateImages | None:
    """The validation split; where it is too small, images that the folds of cross-validation held out.

    Args:
        bare: The detector.
        data: The run's data.
        unseen: The predictions of cross-validation, with path and fold; None without.
        heads: Heads of the folds, for a detector on a tower; empty for others, whose folds' networks are not kept.

    Returns:
        None if too few are held out to say anything of a handling, or nothing judges them.
    """
    rows = handled_rows(data.rows.iloc[data.positions(VALIDATION)])
    if rows is not None:
        return GateImages(rows, [(bare, np.arange(len(rows)))], np.zeros(len(data.rows), bool))
    if unseen is None or not heads or not isinstance(bare.engine, TowerEngine):
        return None
    known = data.rows.assign(fold=data.rows.path.map(unseen.set_index("path").fold).fillna(""), unit=units(data.rows))
    # One of each unit: the whole unit is no reference then.
    alone = known[known.fold != ""].sample(frac=1, random_state=0).drop_duplicates("unit").sort_index()
    rows = handled_rows(alone, share=_SHARE, most=_MOST)
    if rows is None:
        return None
    judges = [
        (Detector(bare.card, bare.engine.with_head(*heads[name])), np.flatnonzero(rows.fold == name))
        for name in sorted(rows.fold.unique())
    ]
    return GateImages(rows, judges, known.unit.isin(rows.unit).to_numpy(), known.fold.to_numpy(str))
