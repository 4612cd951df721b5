"""Sources of Evaluate: stored predictions of a detector, and the images they belong to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dashboard import detectors, stored
from dfcore import workspace
from dfcore.confidence import is_fake
from dfcore.datasets import TRAIN
from dfcore.datasets.registry import registered
from dfcore.detectors.card import Card
from dfcore.evaluation import CROSS_VALIDATION, predictions_path, stored_splits
from dfcore.evaluation.results import stored as stored_results
from dfcore.labels import FAKE, REAL
from dfcore.runs import readable
from dfcore.utils.files import read_json, write_json

# Characters of a name in a legend.
_SHORT = 24


@dataclass(frozen=True)
class Source:
    """One stored table of predictions.

    Attributes:
        key: Identifier in the URL.
        title: Name shown to users.
        predictions: File of the table.
        root: Folder of the images; None if unknown on this machine.
        split: "train", "validation" or "test" of the data set, or "all".
        measured: Metrics of a stored measurement; None for a split that the bundle holds itself.
    """

    key: str
    title: str
    predictions: Path
    root: Path | None
    split: str
    measured: dict[str, Any] | None = None

    @property
    def short(self) -> str:
        """A name that fits a legend."""
        text = self.key if self.measured is None else self.title
        return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"

    def self_made(self, card: Card) -> str:
        """What is to be said of self-made fakes among its images; empty if there are none."""
        return card.training.self_made if self.measured is None else str(self.measured.get("self_made", ""))


def sources(entry: detectors.Entry) -> list[Source]:
    """Splits of a detector's own data set, then the other data sets it was measured on."""
    folder, own = entry.folder, _own_root(entry)
    result = [
        Source(split, _title(split, entry), predictions_path(folder, split), own, _split_of(split))
        for split in stored_splits(folder)
    ]
    for measured in stored_results(workspace.measurements_dir(), entry.card.model_sha256):
        root = Path(measured.metrics["root"])
        split = measured.metrics["split"]
        place = root if root.exists() else None
        result.append(
            Source(measured.predictions.stem, measured.title, measured.predictions, place, split, measured.metrics)
        )
    return result


def unknown_root(entry: detectors.Entry, source: Source) -> str:
    """What to do where the images of a source are not known on this machine."""
    text = "The images' folder is unknown on this machine. Register it under Data sets"
    if entry.run is None or source.key not in stored_splits(entry.folder):
        return f"{text}."
    return f"{text}, or, if it was moved, tell the run: `dfcore runs relocate {entry.run.id} NEW_ROOT`."


def _title(split: str, entry: detectors.Entry) -> str:
    if split == CROSS_VALIDATION:
        return f"cross-validation within the training split of {entry.card.training.dataset}"
    return f"{split} split of {entry.card.training.dataset}"


def _split_of(name: str) -> str:
    return TRAIN if name == CROSS_VALIDATION else name


def used_for(entry: detectors.Entry) -> str:
    """States what was chosen on the validation split, which makes its metrics optimistic."""
    decided = []
    if entry.card.training.config.get("early_stopping", "auc") != "off":
        decided.append("the best epoch")
    if entry.card.training.config.get("cross_validation", "off") == "off":
        decided.append("calibration and thresholds")
    if not decided:
        return "Only the out-of-distribution limit was chosen on this split."
    return f"This split was used to choose {' and '.join(decided)}, so its figures are somewhat optimistic."


def robustness_of(entry: detectors.Entry, source: Source) -> list[dict[str, Any]]:
    """Robustness rows measured on these images; empty if not measured."""
    path = _robustness_path(entry, source)
    if path.is_file():
        return read_json(path)
    on_card = (row["rows"] for row in entry.card.robustness if row.get("split") == source.key)
    return next(on_card, None) or _measured_robustness(entry, source)


def keep_robustness(entry: detectors.Entry, source: Source, rows: list[dict[str, Any]]) -> None:
    """Stores robustness rows for `robustness_of`."""
    write_json(_robustness_path(entry, source), rows)


def _robustness_path(entry: detectors.Entry, source: Source) -> Path:
    return workspace.measurements_dir() / entry.card.model_sha256[:16] / "robustness" / f"{source.key}.json"


def _measured_robustness(entry: detectors.Entry, source: Source) -> list[dict[str, Any]]:
    for measured in stored_results(workspace.measurements_dir(), entry.card.model_sha256):
        if measured.predictions.stem == source.key:
            return measured.metrics.get("robustness", [])
    return []


def table(source: Source) -> pd.DataFrame:
    """The predictions of a source, cached."""
    return stored.predictions(str(source.predictions), stored.stamp(source.predictions))


def metrics(source: Source, threshold: float) -> dict[str, Any]:
    """All metrics of a source's predictions at a threshold, cached."""
    return stored.metrics(str(source.predictions), stored.stamp(source.predictions), threshold)


def image_path(source: Source, path: str) -> Path | None:
    """Path of an image in the table; None if the untrusted `path` leads outside the folder or may not be read."""
    if source.root is None or Path(path).is_absolute() or ".." in Path(path).parts:
        return None
    return source.root / path if workspace.readable(source.root / path) else None


def cell_rows(predictions: pd.DataFrame, cell: str, threshold: float) -> pd.DataFrame:
    """Images in one cell of the confusion matrix: worst errors first, or most borderline correct calls first.

    Errors are sorted by descending distance of the score from the threshold, correct calls by ascending distance.
    """
    called = is_fake(predictions.score, threshold)
    actual = FAKE if cell in ("false_real", "true_fake") else REAL
    rows = predictions[(predictions.label == actual) & (called == (cell in ("false_fake", "true_fake")))]
    distance = np.abs(rows.score - threshold)
    return rows.iloc[np.argsort(-distance if cell.startswith("false") else distance, kind="stable")]


def _own_root(entry: detectors.Entry) -> Path | None:
    settings = readable(entry.run.config) if entry.run is not None else None
    if settings and isinstance(settings.get("data_root"), str):
        root = Path(settings["data_root"])
        if root.exists():
            return root if root.is_dir() else root.parent
        return None
    return next((path for path in registered() if path.name == entry.card.training.dataset and path.is_dir()), None)
