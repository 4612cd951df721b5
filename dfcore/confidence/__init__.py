"""How sure a detector may be: calibrated scores, thresholds from error budgets, and images it does not know."""

from dfcore.confidence.calibration import Calibration, fit_calibration, sigmoid
from dfcore.confidence.ood import NOT_COMPARED, Domain, Familiarity, FileRange, familiarity, flatness, saturation
from dfcore.confidence.thresholds import CALLS, Budget, Call, Operating, operating_point

__all__ = [
    "CALLS",
    "NOT_COMPARED",
    "Budget",
    "Calibration",
    "Call",
    "Domain",
    "Familiarity",
    "FileRange",
    "Operating",
    "familiarity",
    "fit_calibration",
    "flatness",
    "operating_point",
    "saturation",
    "sigmoid",
]
