"""Evaluation: per-image predictions, and metrics computed from them."""

from dfcore.evaluation.at_thresholds import MeasuredRates, measured_rates
from dfcore.evaluation.by_film import by_film, film_scores
from dfcore.evaluation.calibration import calibration_error, reliability
from dfcore.evaluation.coverage import budget_groups, coverage, held_out_words, sources_held_out
from dfcore.evaluation.handled import Bank, learned_features, measure_handled
from dfcore.evaluation.measure import full_metrics, measure, splits_as_trained, was_trained_on
from dfcore.evaluation.metrics import (
    METRICS,
    Confusion,
    Metric,
    MetricsResult,
    confusion,
    evaluate_scores,
    precision_recall_points,
    roc_points,
)
from dfcore.evaluation.overlap import overlap
from dfcore.evaluation.predictions import (
    CROSS_VALIDATION,
    HANDLED,
    predict_split,
    predictions_path,
    read_predictions,
    score_rows,
    stored_splits,
    write_predictions,
)
from dfcore.evaluation.refit import FEWEST, Learned, Refit, refit
from dfcore.evaluation.refusals import mostly_refused, refusal_table
from dfcore.evaluation.robustness import robustness, stability
from dfcore.evaluation.three_way import error_rates, three_way
from dfcore.evaluation.thresholds import thresholds_for

__all__ = [
    "CROSS_VALIDATION",
    "HANDLED",
    "FEWEST",
    "METRICS",
    "Bank",
    "Confusion",
    "MeasuredRates",
    "Metric",
    "MetricsResult",
    "Learned",
    "Refit",
    "budget_groups",
    "by_film",
    "calibration_error",
    "confusion",
    "coverage",
    "error_rates",
    "evaluate_scores",
    "film_scores",
    "full_metrics",
    "learned_features",
    "measure",
    "measure_handled",
    "measured_rates",
    "mostly_refused",
    "overlap",
    "precision_recall_points",
    "predict_split",
    "predictions_path",
    "read_predictions",
    "refit",
    "refusal_table",
    "reliability",
    "robustness",
    "roc_points",
    "score_rows",
    "held_out_words",
    "sources_held_out",
    "splits_as_trained",
    "stability",
    "stored_splits",
    "three_way",
    "thresholds_for",
    "was_trained_on",
    "write_predictions",
]
