"""What Evaluate looks at: stored predictions of a detector, and the images behind them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dashboard import access
from dfcore import workspace
from dfcore.datasets.registered import registered
from dfcore.evaluation import predictions_path, stored_splits
from dfcore.evaluation.archive import stored
from dfcore.labels import FAKE, REAL


@dataclass(frozen=True)
class Source:
    """One table of predictions that can be looked at.

    Attributes:
        key: what stands in the address.
        title: for people.
        predictions: the file.
        root: where the images lie on this machine, if that is known.
    """

    key: str
    title: str
    predictions: Path
    root: Path | None


def sources(entry: access.Entry) -> list[Source]:
    """The splits of a detector's own data set, then the other data sets that it was measured on."""
    folder, own = entry.folder, _own_root(entry)
    found = [
        Source(split, f"{split} split of {entry.card.training.dataset}", predictions_path(folder, split), own)
        for split in stored_splits(folder)
    ]
    for measured in stored(measurements_folder(), entry.card.model_sha256):
        root = Path(measured.metrics["root"])
        found.append(Source(measured.predictions.stem, measured.title, measured.predictions, root))
    return found


def measurements_folder() -> Path:
    """Where measurements on other data sets are kept."""
    return workspace.runs_dir() / ".measurements"


def table(source: Source) -> pd.DataFrame:
    """The predictions."""
    return access.predictions(str(source.predictions), access.stamp(source.predictions))


def cell_rows(predictions: pd.DataFrame, cell: str, threshold: float) -> pd.DataFrame:
    """The images of one cell of the confusion matrix, the hardest first.

    For wrong calls these are the ones farthest beyond the threshold, for correct calls the narrowest.
    """
    called = predictions.score >= threshold
    actual = FAKE if cell in ("false_real", "true_fake") else REAL
    rows = predictions[(predictions.label == actual) & (called == (cell in ("false_fake", "true_fake")))]
    distance = np.abs(rows.score - threshold)
    return rows.iloc[np.argsort(-distance if cell.startswith("false") else distance, kind="stable")]


def _own_root(entry: access.Entry) -> Path | None:
    if entry.run is not None:
        root = Path(entry.run.config()["data_root"])
        return root if root.is_dir() else root.parent
    return next((path for path in registered() if path.name == entry.card.training.dataset and path.is_dir()), None)
