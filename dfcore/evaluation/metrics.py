"""Metrics of binary detection, from per-image labels and scores alone.

Positive is FAKE; a score is P(fake) in [0, 1]; an image is called fake from the threshold on. With one
class only, or no image, the metrics that need both classes are None and `not_computed` says why.
Sources: scikit-learn for accuracy, precision, recall, F1, ROC AUC, average precision, log loss, Brier
score and the classification report; EER and TPR at FPR are read off scikit-learn's ROC curve.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dfcore.errors import InputError
from dfcore.labels import FAKE, NAMES, REAL

FPR_TARGETS = (0.01, 0.05)


@dataclass(frozen=True)
class Confusion:
    """Counts at one threshold: called what, being what."""

    true_real: int
    false_fake: int
    false_real: int
    true_fake: int


def check(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Checks and converts labels (0 or 1) and scores (in [0, 1]) of equal length.

    Raises:
        InputError: saying what was received.
    """
    y, s = _numbers(labels, "labels 0 and 1"), _numbers(scores, "scores in [0, 1]")
    if y.shape != s.shape or y.ndim != 1:
        raise InputError(f"Expected as many labels as scores. Received: shapes {y.shape} and {s.shape}.")
    if not np.isin(y, (REAL, FAKE)).all():
        raise InputError(f"Expected labels 0 and 1. Received: [{', '.join(f'{v:g}' for v in np.unique(y)[:5])}].")
    if not (np.isfinite(s).all() and (s >= 0).all() and (s <= 1).all()):
        raise InputError("Expected scores in [0, 1]. Received: scores outside of it or not finite.")
    return y.astype(int), s


def _numbers(values: ArrayLike, expected: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"Expected {expected}. Received: {str(values)[:60]}.") from None


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Confusion:
    """Counts correct and wrong calls at a threshold."""
    y, s = check(labels, scores)
    called = s >= threshold
    return Confusion(
        true_real=int((~called & (y == REAL)).sum()),
        false_fake=int((called & (y == REAL)).sum()),
        false_real=int((~called & (y == FAKE)).sum()),
        true_fake=int((called & (y == FAKE)).sum()),
    )


def evaluate_scores(labels: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, Any]:
    """Computes every metric at a threshold, as plain data for a JSON file.

    Returns:
        images, real, fake, threshold, accuracy, balanced_accuracy, precision, recall, f1 (of fake),
        accuracy_real, accuracy_fake, false_positive_rate, roc_auc, average_precision, eer,
        tpr_at_fpr_1, tpr_at_fpr_5, log_loss, brier, confusion, report, not_computed.
        (ECE and the three-way answers: `dfcore.evaluation.confidence`.)
    """
    y, s = check(labels, scores)
    counts = confusion(y, s, threshold)
    n_real, n_fake = int((y == REAL).sum()), int((y == FAKE).sum())
    result: dict[str, Any] = {"images": len(y), "real": n_real, "fake": n_fake, "threshold": float(threshold)}
    result |= _at_threshold(counts)
    result |= _over_thresholds(y, s) if n_real and n_fake else dict.fromkeys(_NEED_BOTH)
    result |= {"log_loss": None, "brier": None, "report": None}
    if len(y):
        from sklearn.metrics import brier_score_loss, classification_report, log_loss

        result["log_loss"] = float(log_loss(y, np.clip(s, 1e-7, 1 - 1e-7), labels=[REAL, FAKE]))
        result["brier"] = float(brier_score_loss(y, s, labels=[REAL, FAKE], pos_label=FAKE))
        result["report"] = classification_report(
            y, (s >= threshold).astype(int), labels=[REAL, FAKE], target_names=list(NAMES), zero_division=0
        )
    result["confusion"] = counts.__dict__
    result["not_computed"] = _why_not(result, n_real, n_fake)
    return result


_NEED_BOTH = ("roc_auc", "average_precision", "eer", "tpr_at_fpr_1", "tpr_at_fpr_5")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _at_threshold(c: Confusion) -> dict[str, float | None]:
    n_real, n_fake = c.true_real + c.false_fake, c.true_fake + c.false_real
    on_real, on_fake = _ratio(c.true_real, n_real), _ratio(c.true_fake, n_fake)
    return {
        "accuracy": _ratio(c.true_real + c.true_fake, n_real + n_fake),
        "balanced_accuracy": (on_real + on_fake) / 2 if on_real is not None and on_fake is not None else None,
        "precision": _ratio(c.true_fake, c.true_fake + c.false_fake),
        "recall": on_fake,
        "f1": _ratio(2 * c.true_fake, 2 * c.true_fake + c.false_fake + c.false_real) if n_fake else None,
        "accuracy_real": on_real,
        "accuracy_fake": on_fake,
        "false_positive_rate": _ratio(c.false_fake, n_real),
    }


def _over_thresholds(y: np.ndarray, s: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    at = {f"tpr_at_fpr_{round(100 * target)}": float(tpr[fpr <= target].max()) for target in FPR_TARGETS}
    return {
        "roc_auc": float(roc_auc_score(y, s)),
        "average_precision": float(average_precision_score(y, s)),
        "eer": equal_error_rate(fpr, tpr),
    } | at


def equal_error_rate(fpr: np.ndarray, tpr: np.ndarray) -> float:
    """Where false-positive and false-negative rate meet on the ROC curve, linearly interpolated."""
    difference = fpr - (1 - tpr)
    after = int(np.argmax(difference >= 0))
    before = max(after - 1, 0)
    step = difference[after] - difference[before]
    share = -difference[before] / step if step > 0 else 0.0
    return float(fpr[before] + share * (fpr[after] - fpr[before]))


def _why_not(result: dict[str, Any], n_real: int, n_fake: int) -> dict[str, str]:
    missing = {name: value for name, value in result.items() if value is None}
    if not missing:
        return {}
    if n_real and n_fake:
        return dict.fromkeys(missing, "No image was called fake, so that there is nothing to divide by.")
    return dict.fromkeys(missing, f"Needs both classes; there are {n_real} real and {n_fake} fake images.")


def roc_points(labels: ArrayLike, scores: ArrayLike) -> dict[str, np.ndarray] | None:
    """ROC curve as arrays threshold, fpr, tpr, false_alarms, hits; None without both classes."""
    y, s = check(labels, scores)
    if len(set(y.tolist())) < 2:
        return None
    from sklearn.metrics import roc_curve

    fpr, tpr, threshold = roc_curve(y, s, drop_intermediate=True)
    threshold = np.minimum(threshold, 1.0)
    n_fake = int((y == FAKE).sum())
    return {
        "threshold": threshold,
        "fpr": fpr,
        "tpr": tpr,
        "false_alarms": np.rint(fpr * (len(y) - n_fake)).astype(int),
        "hits": np.rint(tpr * n_fake).astype(int),
    }


def precision_recall_points(labels: ArrayLike, scores: ArrayLike) -> dict[str, np.ndarray] | None:
    """Precision-recall curve as arrays threshold, precision, recall; None without both classes."""
    y, s = check(labels, scores)
    if len(set(y.tolist())) < 2:
        return None
    from sklearn.metrics import precision_recall_curve

    precision, recall, threshold = precision_recall_curve(y, s, drop_intermediate=True)
    return {"threshold": np.append(threshold, 1.0), "precision": precision, "recall": recall}
