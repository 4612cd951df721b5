"""Confidence: calibrated scores, decision thresholds from error budgets, out-of-distribution detection."""

from dfcore.confidence.calibration import Calibration, fit_calibration, sigmoid
from dfcore.confidence.decisions import (
    DECISIONS,
    FINDINGS,
    Decision,
    Finding,
    Policy,
    decide,
    find,
    is_fake,
    sides_in_words,
)
from dfcore.confidence.file_range import FileRange, flatness, saturation
from dfcore.confidence.gate import Gate, MeasuredHandling
from dfcore.confidence.gate_fit import Handled, fit_handled, fit_limits, sound_handlings
from dfcore.confidence.ood import NEIGHBOURS, NOT_CHECKED, RULES, OODDetector, OODResult, check_ood
from dfcore.confidence.thresholds import ORIGINAL, DecisionThresholds, ErrorBudget, fit_thresholds
from dfcore.confidence.words import HeldOutSource, Words, upper_bound

__all__ = [
    "DECISIONS",
    "FINDINGS",
    "NEIGHBOURS",
    "NOT_CHECKED",
    "ORIGINAL",
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
    "sides_in_words",
    "sigmoid",
    "upper_bound",
]
