"""Confidence: calibrated scores, decision thresholds from error budgets, out-of-distribution detection."""

from dfcore.confidence.calibration import Calibration, fit_calibration, sigmoid
from dfcore.confidence.gate import Gate, Handled, MeasuredHandling, fit_handled, fit_limits, sound_handlings
from dfcore.confidence.ood import NOT_CHECKED, RULES, FileRange, OODDetector, OODResult, check_ood, flatness, saturation
from dfcore.confidence.thresholds import (
    DECISIONS,
    FINDINGS,
    Decision,
    DecisionThresholds,
    ErrorBudget,
    Finding,
    Policy,
    decide,
    find,
    fit_thresholds,
    is_fake,
)
from dfcore.confidence.words import HeldOutSource, Words

__all__ = [
    "DECISIONS",
    "FINDINGS",
    "NOT_CHECKED",
    "RULES",
    "Calibration",
    "Decision",
    "DecisionThresholds",
    "ErrorBudget",
    "FileRange",
    "Finding",
    "Gate",
    "Handled",
    "HeldOutSource",
    "MeasuredHandling",
    "OODDetector",
    "OODResult",
    "Policy",
    "Words",
    "check_ood",
    "decide",
    "find",
    "fit_handled",
    "fit_limits",
    "sound_handlings",
    "fit_calibration",
    "fit_thresholds",
    "flatness",
    "is_fake",
    "saturation",
    "sigmoid",
]
