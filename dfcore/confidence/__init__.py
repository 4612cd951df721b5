"""Confidence: calibrated scores, decision thresholds from error budgets, out-of-distribution detection."""

from dfcore.confidence.calibration import Calibration, fit_calibration, sigmoid
from dfcore.confidence.ood import NOT_CHECKED, FileRange, OODDetector, OODResult, check_ood, flatness, saturation
from dfcore.confidence.thresholds import (
    DECISIONS,
    Decision,
    DecisionThresholds,
    ErrorBudget,
    Policy,
    decide,
    fit_thresholds,
    is_fake,
)

__all__ = [
    "DECISIONS",
    "NOT_CHECKED",
    "Calibration",
    "Decision",
    "DecisionThresholds",
    "ErrorBudget",
    "FileRange",
    "OODDetector",
    "OODResult",
    "Policy",
    "check_ood",
    "decide",
    "fit_calibration",
    "fit_thresholds",
    "flatness",
    "is_fake",
    "saturation",
    "sigmoid",
]
