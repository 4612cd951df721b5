"""Metrics of binary detection, computed from per-image labels and scores, in one registry, `METRICS`.

The positive class is FAKE; a score is P(fake) in [0, 1]; an image whose score reaches the threshold is called fake.
Metrics that need both classes are None if one is missing, and `not_computed` says why.
Sources: scikit-learn for ROC AUC, average precision, log loss, Brier score and the classification report; EER and TPR
at FPR are read off scikit-learn's ROC curve.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from dfcore.confidence import is_fake
from dfcore.errors import InputError
from dfcore.evaluation.calibration import calibration_error
from dfcore.evaluation.inputs import check
from dfcore.labels import FAKE, NAMES, REAL


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix at one threshold; each field names the outcome and the predicted class."""

    true_real: int
    false_fake: int
    false_real: int
    true_fake: int

    @property
    def real(self) -> int:
        """Number of real images."""
        return self.true_real + self.false_fake

    @property
    def fake(self) -> int:
        """Number of fakes."""
        return self.true_fake + self.false_real


@dataclass(frozen=True)
class Sample:
    """Labelled images, as passed to a metric.

    Attributes:
        labels: 0 real, 1 fake, (N,).
        scores: P(fake) in [0, 1], (N,).
        threshold: Score from which an image is called fake.
        counts: Confusion matrix at this threshold.
    """

    labels: np.ndarray
    scores: np.ndarray
    threshold: float
    counts: Confusion

    @cached_property
    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """False-positive and true-positive rates of the ROC curve; requires both classes."""
        from sklearn.metrics import roc_curve

        fpr, tpr, _ = roc_curve(self.labels, self.scores, drop_intermediate=False)
        return fpr, tpr

    def tpr_at(self, fpr: float) -> float:
        """The highest true-positive rate at a false-positive rate of at most `fpr`."""
        rates, hits = self.roc
        return float(hits[rates <= fpr].max())


@dataclass(frozen=True)
class Metric:
    """Definition of a metric.

    Attributes:
        key: Name in files, on the command line and in code.
        title: Name shown to users.
        help: What it means, with a reference value.
        compute: Computes it from a sample; returns None if it would divide by zero.
        needs_both_classes: Whether it is undefined on images of a single class.
        format: Format specification of its value, e.g. ".3f".
        better: Whether higher or lower values are better.
        headline: Whether it is among the first figures of a page.
        summary: Whether it appears in short tables: cards, groups, robustness, cross-evaluation.
    """

    key: str
    title: str
    help: str
    compute: Callable[[Sample], float | None]
    needs_both_classes: bool = False
    format: str = ".3f"
    better: Literal["higher", "lower"] = "higher"
    headline: bool = False
    summary: bool = False

    def shown(self, value: float | None) -> str:
        """Formats a value for display."""
        return "not computed" if value is None else format(value, self.format)


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Adds a metric to the registry, from which every list, page and table is built.

    Raises:
        InputError: If its key is already registered.
    """
    if metric.key in METRICS:
        raise InputError(f"Expected a new key for a metric. Received: {metric.key!r}, which is already registered.")
    METRICS[metric.key] = metric
    return metric


def headline() -> list[Metric]:
    """The metrics shown first."""
    return [metric for metric in METRICS.values() if metric.headline]


def summary() -> list[Metric]:
    """The metrics shown in short tables."""
    return [metric for metric in METRICS.values() if metric.summary]


@dataclass(frozen=True)
class MetricsResult:
    """All metrics of one sample; `result[key]` returns any entry of `to_dict`.

    Attributes:
        images, real, fake: Number of images, in total and by class.
        threshold: Score from which images are called fake.
        values: Value by `Metric.key`, None if not computed.
        not_computed: Reason, by key.
        confusion: Confusion matrix at the threshold.
        report: scikit-learn's classification report; None without images.
    """

    images: int
    real: int
    fake: int
    threshold: float
    values: dict[str, float | None]
    not_computed: dict[str, str]
    confusion: Confusion
    report: str | None

    def to_dict(self) -> dict[str, Any]:
        """Converts to plain data for JSON."""
        counts = {"images": self.images, "real": self.real, "fake": self.fake, "threshold": self.threshold}
        rest = {"report": self.report, "confusion": asdict(self.confusion), "not_computed": self.not_computed}
        return counts | self.values | rest

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Confusion:
    """Computes the confusion matrix at a threshold."""
    y, s = check(labels, scores)
    called = is_fake(s, threshold)
    return Confusion(
        true_real=int((~called & (y == REAL)).sum()),
        false_fake=int((called & (y == REAL)).sum()),
        false_real=int((~called & (y == FAKE)).sum()),
        true_fake=int((called & (y == FAKE)).sum()),
    )


def evaluate_scores(labels: ArrayLike, scores: ArrayLike, threshold: float) -> MetricsResult:
    """Computes every registered metric at a threshold.

    Args:
        labels: 0 real, 1 fake, (N,).
        scores: P(fake) in [0, 1], (N,).
        threshold: Score from which an image is called fake.

    Raises:
        InputError: If labels or scores are invalid or differ in length.
    """
    y, s = check(labels, scores)
    sample = Sample(y, s, float(threshold), confusion(y, s, threshold))
    both = bool(sample.counts.real and sample.counts.fake)
    values = {
        key: metric.compute(sample) if len(y) and (both or not metric.needs_both_classes) else None
        for key, metric in METRICS.items()
    }
    report = _report(sample) if len(y) else None
    return MetricsResult(
        images=len(y),
        real=sample.counts.real,
        fake=sample.counts.fake,
        threshold=sample.threshold,
        values=values,
        not_computed={key: _why_not(sample) for key, value in (values | {"report": report}).items() if value is None},
        confusion=sample.counts,
        report=report,
    )


def _why_not(sample: Sample) -> str:
    real, fake = sample.counts.real, sample.counts.fake
    if real and fake:
        return "No image was called fake, so it would divide by zero."
    return f"Needs both classes; there are {real} real and {fake} fake images."


def _report(sample: Sample) -> str:
    from sklearn.metrics import classification_report

    called = is_fake(sample.scores, sample.threshold).astype(int)
    return classification_report(sample.labels, called, labels=[REAL, FAKE], target_names=list(NAMES), zero_division=0)


# === The metrics, in display order ===


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _balanced_accuracy(sample: Sample) -> float | None:
    c = sample.counts
    return (c.true_real / c.real + c.true_fake / c.fake) / 2


def _roc_auc(sample: Sample) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(sample.labels, sample.scores))


def _average_precision(sample: Sample) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(sample.labels, sample.scores))


def _f1(sample: Sample) -> float | None:
    c = sample.counts
    return _ratio(2 * c.true_fake, 2 * c.true_fake + c.false_fake + c.false_real) if c.fake else None


def _log_loss(sample: Sample) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(sample.labels, np.clip(sample.scores, 1e-7, 1 - 1e-7), labels=[REAL, FAKE]))


def _brier(sample: Sample) -> float:
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(sample.labels, sample.scores, labels=[REAL, FAKE], pos_label=FAKE))


def equal_error_rate(fpr: np.ndarray, tpr: np.ndarray) -> float:
    """The rate at which false-positive and false-negative rates are equal on the ROC curve, linearly interpolated."""
    difference = fpr - (1 - tpr)
    after = int(np.argmax(difference >= 0))
    before = max(after - 1, 0)
    step = difference[after] - difference[before]
    share = -difference[before] / step if step > 0 else 0.0
    return float(fpr[before] + share * (fpr[after] - fpr[before]))


for _metric in (
    Metric(
        "balanced_accuracy", "Balanced accuracy",
        "Mean of the accuracy on real and on fake images. 0.5 is guessing, 1 is perfect.",
        _balanced_accuracy, needs_both_classes=True, headline=True, summary=True,
    ),
    Metric(
        "roc_auc", "ROC AUC",
        "Probability that a fake scores higher than a real image, independent of the threshold. 0.5 is guessing.",
        _roc_auc, needs_both_classes=True, headline=True, summary=True,
    ),
    Metric(
        "false_positive_rate", "False alarms on real (FPR)",
        "Share of real images that are called fake at this threshold.",
        lambda sample: _ratio(sample.counts.false_fake, sample.counts.real),
        better="lower", headline=True, summary=True,
    ),
    Metric(
        "recall", "Fakes caught (TPR)", "Recall: share of fakes that are called fake at this threshold.",
        lambda sample: _ratio(sample.counts.true_fake, sample.counts.fake), headline=True, summary=True,
    ),
    Metric(
        "precision", "Precision",
        "Share of fakes among the images called fake. It depends on the overall share of fakes.",
        lambda sample: _ratio(sample.counts.true_fake, sample.counts.true_fake + sample.counts.false_fake),
        headline=True,
    ),
    Metric("f1", "F1", "Harmonic mean of precision and recall for fakes.", _f1, headline=True),
    Metric(
        "tpr_at_fpr_1", "Caught at 1% false alarms", "TPR at 1% FPR: share of fakes caught when false alarms are rare.",
        lambda sample: sample.tpr_at(0.01), needs_both_classes=True, headline=True,
    ),
    Metric(
        "tpr_at_fpr_5", "Caught at 5% false alarms", "TPR at 5% FPR.",
        lambda sample: sample.tpr_at(0.05), needs_both_classes=True, headline=True,
    ),
    Metric(
        "accuracy", "Accuracy", "Share of all images that are classified correctly.",
        lambda sample: _ratio(sample.counts.true_real + sample.counts.true_fake, len(sample.labels)),
    ),
    Metric(
        "accuracy_real", "Accuracy on real", "Share of real images that are called real at this threshold.",
        lambda sample: _ratio(sample.counts.true_real, sample.counts.real),
    ),
    Metric(
        "accuracy_fake", "Accuracy on fake",
        "Share of fakes that are called fake at this threshold; the same as recall.",
        lambda sample: _ratio(sample.counts.true_fake, sample.counts.fake),
    ),
    Metric(
        "average_precision", "Average precision", "Mean precision over all recalls; depends on the share of fakes.",
        _average_precision, needs_both_classes=True,
    ),
    Metric(
        "eer", "Equal error rate (EER)", "Error rate at which FPR and FNR are equal. Lower is better.",
        lambda sample: equal_error_rate(*sample.roc), needs_both_classes=True, better="lower",
    ),
    Metric(
        "log_loss", "Log loss", "Penalises confident mistakes. A constant score of 0.5 gives 0.69; lower is better.",
        _log_loss, better="lower",
    ),
    Metric(
        "brier", "Brier score",
        "Mean squared error of the score. A constant score of 0.5 gives 0.25; lower is better.",
        _brier, better="lower",
    ),
    Metric(
        "ece", "Calibration error (ECE)",
        "Mean difference between the score and the share of fakes among images with that score. 0 is perfect; with few "
        "images it is above 0 by chance alone.",
        lambda sample: calibration_error(sample.labels, sample.scores), better="lower",
    ),
):  # fmt: skip
    register(_metric)


# === Curves ===


def roc_points(labels: ArrayLike, scores: ArrayLike) -> dict[str, np.ndarray] | None:
    """ROC curve as arrays threshold, fpr, tpr, false_positives, true_positives; None if a class is missing."""
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
        "false_positives": np.rint(fpr * (len(y) - n_fake)).astype(int),
        "true_positives": np.rint(tpr * n_fake).astype(int),
    }


def precision_recall_points(labels: ArrayLike, scores: ArrayLike) -> dict[str, np.ndarray] | None:
    """Precision-recall curve as arrays threshold, precision, recall; None if a class is missing."""
    y, s = check(labels, scores)
    if len(set(y.tolist())) < 2:
        return None
    from sklearn.metrics import precision_recall_curve

    precision, recall, threshold = precision_recall_curve(y, s, drop_intermediate=True)
    return {"threshold": np.append(threshold, 1.0), "precision": precision, "recall": recall}
