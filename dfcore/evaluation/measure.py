"""Evaluates a detector on a data set, at the thresholds of its card."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dfcore import compat, workspace
from dfcore.confidence import DecisionThresholds
from dfcore.datasets import TEST, TRAIN, VALIDATION, SplitPolicy, assign_splits
from dfcore.datasets.cache import Progress
from dfcore.datasets.dataset import Dataset
from dfcore.datasets.looks import looks
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import Seen, TrainedOn
from dfcore.evaluation.by_film import by_film
from dfcore.evaluation.coverage import coverage
from dfcore.evaluation.metrics import evaluate_scores, summary
from dfcore.evaluation.overlap import overlap
from dfcore.evaluation.predictions import predict_split
from dfcore.evaluation.three_way import three_way
from dfcore.imaging.signature import Signature

_SPLITS = {Seen.TRAIN: TRAIN, Seen.VALIDATION: VALIDATION}


def full_metrics(table: pd.DataFrame, threshold: float, thresholds: DecisionThresholds) -> dict[str, Any]:
    """Computes the metrics of a table of predictions, with the three-way rates and a summary by group.

    Args:
        table: Predictions with columns label, score, group and, optionally, is_ood.
        threshold: Threshold of the two-way decision.
        thresholds: Thresholds of the three-way decision.
    """
    labels, scores = table.label.astype(int), table.score
    result = evaluate_scores(labels, scores, threshold).to_dict()
    result["three_way"] = three_way(labels, scores, thresholds, table.get("is_ood"))
    result["groups"] = {}
    if table.group.nunique() > 1:
        keys = ("images", "real", "fake", *(metric.key for metric in summary()))
        for name, part in table.groupby("group"):
            of_group = evaluate_scores(part.label.astype(int), part.score, threshold)
            result["groups"][str(name)] = {key: of_group[key] for key in keys}
        result["coverage"] = coverage(table, thresholds)
    return result


def splits_as_trained(card: Card, dataset: Dataset, listed: TrainedOn | None) -> Dataset:
    """Splits a data set as the detector's training split it, so that no training image ends up in the test split.

    Args:
        card: The detector's card.
        dataset: A scanned data set.
        listed: The detector's list of its training images. If these are the images of the data set, or of most of it,
            the list decides, whatever was learned since about which images belong together; what it does not hold was
            not learned from. Without it the splits are drawn with the settings of the training.
    """
    names = {"validation": "validation_share", "test": "test_share", "valid_as_test": "valid_as_test", "seed": "seed"}
    config = compat.settings(card.training.config)
    drawn = assign_splits(dataset, SplitPolicy(**{k: config[name] for k, name in names.items() if name in config}))
    rows = drawn.usable
    if listed is None or not was_trained_on(listed, rows):
        return drawn
    seen = _found(listed, rows)
    table = drawn.table.copy()
    table.loc[rows.index, "split"] = [_SPLITS.get(each, TEST) for each in seen]
    return drawn.with_table(table)


def was_trained_on(listed: TrainedOn, rows: pd.DataFrame) -> bool:
    """Whether images are those that a detector was trained on: at least half of them, or of its list, are the same.

    Args:
        listed: The detector's list of its training images.
        rows: Usable images of a data set.
    """
    found = sum(each.found for each in _found(listed, rows))
    return found > 0 and found >= min(len(listed), len(rows)) / 2


def _found(listed: TrainedOn, rows: pd.DataFrame) -> list[Seen]:
    """Which images are in a list, by their hashes alone."""
    return listed.find(rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: (None for _ in rest))


def measure(
    detector: Detector,
    dataset: Dataset,
    split: str | None = None,
    *,
    cache_dir: Path,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Scores a split, or all usable images if None, and computes the metrics.

    Returns:
        The metrics of `full_metrics` plus details of the data set, split and detector, "trained_on", see `overlap`,
        "by_film" where there are frames of films, see `by_film`, "self_made" where fakes of the data set are, see
        `dfcore.datasets.self_made`, and "demonstration" where it is one; and the per-image predictions,
        with a column trained_on of values of `Seen`.

    Raises:
        DatasetError: If there is no usable image.
    """
    table = predict_split(detector, dataset, split, cache_dir=cache_dir, progress=progress)
    table["trained_on"] = _seen(detector, dataset, table, cache_dir or workspace.cache_dir())
    metrics = full_metrics(table, detector.threshold, detector.card.thresholds)
    metrics |= {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "split": split or "all",
        "detector": detector.card.title,
        "unreadable": len(dataset.unreadable) + len(table.attrs["excluded"]),
        "same_data_as_training": dataset.fingerprint == detector.card.training.fingerprint,
        "trained_on": overlap(table, detector.threshold),
    }
    if (films := by_film(table, detector.threshold, detector.card.thresholds)) is not None:
        metrics["by_film"] = films
    if dataset.self_made:
        metrics["self_made"] = dataset.self_made
    if dataset.demonstration:
        metrics["demonstration"] = True
    return metrics, table


def _seen(detector: Detector, dataset: Dataset, table: pd.DataFrame, cache: Path) -> list[str]:
    """For each image of a table of predictions, whether the detector was trained on it."""
    if detector.trained_on is None:
        return [Seen.UNKNOWN.value] * len(table)
    pixels = table.path.map(dict(zip(dataset.table.path, dataset.table.pixels_sha256, strict=True)))
    files = table.sha256.tolist()

    def shown(rest: list[int]) -> Iterable[Signature | None]:
        return looks(dataset.root, table.path.iloc[rest].tolist(), [files[k] for k in rest], cache)

    seen = detector.trained_on.find(pixels.tolist(), files, shown)
    return [each.value for each in seen]
