"""Measures a detector on any data set, at the threshold that its card gives."""

from pathlib import Path
from typing import Any

import pandas as pd

from dfcore.datasets.cache import Progress
from dfcore.datasets.scan import Dataset
from dfcore.detector import Detector
from dfcore.evaluation.metrics import evaluate_scores
from dfcore.evaluation.predictions import predict_split


def measure(
    detector: Detector,
    dataset: Dataset,
    split: str | None = None,
    *,
    cache_dir: Path,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Scores a split, or all usable images with None, and computes the metrics.

    Returns:
        The metrics of `evaluate_scores` with data set, split, detector, and by group where there are
        groups; and the per-image predictions.

    Raises:
        DatasetError: when there is no usable image.
    """
    table = predict_split(detector, dataset, split, cache_dir=cache_dir, progress=progress)
    metrics = evaluate_scores(table.label.astype(int), table.score, detector.threshold)
    metrics |= {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "split": split or "all",
        "detector": detector.card.title,
        "unreadable": len(dataset.unreadable) + len(table.attrs["excluded"]),
        "same_data_as_training": dataset.fingerprint == detector.card.training.fingerprint,
    }
    return metrics, table
