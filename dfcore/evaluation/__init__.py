"""Evaluation: per-image predictions, and metrics that are computed from them."""

from dfcore.evaluation.measure import measure
from dfcore.evaluation.metrics import (
    Confusion,
    choose_threshold,
    confusion,
    evaluate_scores,
    precision_recall_points,
    roc_points,
)
from dfcore.evaluation.predictions import (
    predict_split,
    predictions_path,
    read_predictions,
    score_rows,
    stored_splits,
    write_predictions,
)

__all__ = [
    "Confusion",
    "choose_threshold",
    "confusion",
    "evaluate_scores",
    "measure",
    "precision_recall_points",
    "predict_split",
    "predictions_path",
    "read_predictions",
    "roc_points",
    "score_rows",
    "stored_splits",
    "write_predictions",
]
