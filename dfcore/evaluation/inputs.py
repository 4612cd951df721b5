"""Validation of labels and scores, shared by all metrics."""

import numpy as np
from numpy.typing import ArrayLike

from dfcore.errors import InputError
from dfcore.labels import FAKE, REAL


def check(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Validates and converts labels (0 or 1) and scores (in [0, 1]) of equal length.

    Raises:
        InputError: If they are invalid; says what was received.
    """
    y, s = _numbers(labels, "labels 0 and 1"), _numbers(scores, "scores in [0, 1]")
    if y.shape != s.shape or y.ndim != 1:
        raise InputError(f"Expected as many labels as scores. Received: shapes {y.shape} and {s.shape}.")
    if not np.isin(y, (REAL, FAKE)).all():
        raise InputError(f"Expected labels 0 and 1. Received: [{', '.join(f'{v:g}' for v in np.unique(y)[:5])}].")
    if not (np.isfinite(s).all() and (s >= 0).all() and (s <= 1).all()):
        raise InputError("Expected scores in [0, 1]. Received: scores outside this range or not finite.")
    return y.astype(int), s


def _numbers(values: ArrayLike, expected: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"Expected {expected}. Received: {str(values)[:60]}.") from None
