"""Evaluation: per-image predictions, and metrics that are computed from them."""

from dfcore.evaluation.confidence import calibration_error, calls, reliability, three_way
from dfcore.evaluation.measure import full_metrics, measure, splits_as_trained
from dfcore.evaluation.metrics import (
    Confusion,
    confusion,
    evaluate_scores,
    precision_recall_points,
    roc_points,
)
from dfcore.evaluation.predictions import (
    CROSS_VALIDATION,
    predict_split,
    predictions_path,
    read_predictions,
    score_rows,
    stored_splits,
    write_predictions,
)
from dfcore.evaluation.robustness import robustness, stability
from dfcore.evaluation.thresholds import operating_for

__all__ = [
    "CROSS_VALIDATION",
    "Confusion",
    "calibration_error",
    "calls",
    "confusion",
    "evaluate_scores",
    "full_metrics",
    "measure",
    "operating_for",
    "precision_recall_points",
    "predict_split",
    "predictions_path",
    "read_predictions",
    "reliability",
    "robustness",
    "roc_points",
    "score_rows",
    "splits_as_trained",
    "stability",
    "stored_splits",
    "three_way",
    "write_predictions",
]
