"""Stores evaluations of detectors on other data sets: per-image predictions, with their metrics alongside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dfcore import compat
from dfcore.evaluation.predictions import read_predictions, write_predictions
from dfcore.utils.files import read_json, sha256_bytes, write_json


@dataclass(frozen=True)
class Measurement:
    """One stored evaluation.

    Attributes:
        title: Data set and split, for display.
        metrics: Metrics from `dfcore.evaluation.measure`, with the data set's root.
        predictions: Path of the per-image predictions.
    """

    title: str
    metrics: dict[str, Any]
    predictions: Path

    def table(self) -> pd.DataFrame:
        """Reads the per-image predictions."""
        return read_predictions(self.predictions)


def store(folder: Path, model_sha256: str, metrics: dict[str, Any], table: pd.DataFrame) -> Path:
    """Stores an evaluation of the model with this hash, replacing one of the same data and split.

    Returns:
        Path of the per-image predictions.
    """
    key = sha256_bytes(f"{metrics['fingerprint']} {metrics['split']}".encode())[:12]
    path = folder / model_sha256[:16] / f"{key}.parquet"
    write_predictions(path, table)
    write_json(path.with_suffix(".json"), metrics)
    return path


def stored(folder: Path, model_sha256: str) -> list[Measurement]:
    """Lists all evaluations of the model with this hash."""
    result = []
    for path in sorted((folder / model_sha256[:16]).glob("*.json")):
        metrics = compat.metrics(read_json(path))
        title = f"{metrics['dataset']}, {metrics['split']}"
        result.append(Measurement(title, metrics, path.with_suffix(".parquet")))
    return result
