"""Metrics of binary detection, from per-image labels and scores alone: one registry, `METRICS`.

Positive is FAKE; a score is P(fake) in [0, 1]; an image is called fake from the threshold on. With one
class only, or no image, the metrics that need both classes are None and `not_computed` says why.
Sources: scikit-learn for ROC AUC, average precision, log loss, Brier score and the classification report; EER and
TPR at FPR are read off scikit-learn's ROC curve.
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
    """Counts at one threshold: called what, being what."""

    true_real: int
    false_fake: int
    false_real: int
    true_fake: int

    @property
    def real(self) -> int:
        """Real images."""
        return self.true_real + self.false_fake

    @property
    def fake(self) -> int:
        """Fakes."""
        return self.true_fake + self.false_real


@dataclass(frozen=True)
class Sample:
    """Labelled images as a metric sees them.

    Attributes:
        labels: 0 real, 1 fake, (N,).
        scores: P(fake), (N,).
        threshold: from which score on an image is called fake.
        counts: the confusion matrix there.
    """

    labels: np.ndarray
    scores: np.ndarray
    threshold: float
    counts: Confusion

    @cached_property
    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """False- and true-positive rates of the ROC curve; both classes must be there."""
        from sklearn.metrics import roc_curve

        fpr, tpr, _ = roc_curve(self.labels, self.scores, drop_intermediate=False)
        return fpr, tpr

    def tpr_at(self, fpr: float) -> float:
        """The highest true-positive rate with at most this false-positive rate."""
        rates, hits = self.roc
        return float(hits[rates <= fpr].max())


@dataclass(frozen=True)
class Metric:
    """One figure of a detector on labelled images.

    Attributes:
        key: its name in files, on the command line and in code.
        title: what people read.
        help: what it means, and what a usual value is.
        compute: from a sample; None where there is nothing to divide by.
        needs_both_classes: whether it is undefined on images of one class.
        format: of its value, as in `format(value, ".3f")`.
        better: whether higher or lower values are.
        headline: whether it stands among the first figures of a page.
        summary: whether it stands in short tables: cards, groups, robustness, cross-evaluation.
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
        """A value as text."""
        return "not computed" if value is None else format(value, self.format)


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Adds a metric to the registry; every list, page and table takes it from there.

    Raises:
        InputError: when there is one with its key.
    """
    if metric.key in METRICS:
        raise InputError(f"Expected a new key for a metric. Received: {metric.key!r}, which is registered already.")
    METRICS[metric.key] = metric
    return metric


def headline() -> list[Metric]:
    """The metrics that people look at first."""
    return [metric for metric in METRICS.values() if metric.headline]


def summary() -> list[Metric]:
    """The metrics of short tables."""
    return [metric for metric in METRICS.values() if metric.summary]


@dataclass(frozen=True)
class MetricsResult:
    """All metrics of one sample; `result[key]` finds what `to_dict` holds.

    Attributes:
        images, real, fake: how many.
        threshold: at which images are called fake.
        values: by `Metric.key`, None where it could not be computed.
        not_computed: why, by key.
        confusion: counts at the threshold.
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
        """As plain data for a JSON file."""
        counts = {"images": self.images, "real": self.real, "fake": self.fake, "threshold": self.threshold}
        rest = {"report": self.report, "confusion": asdict(self.confusion), "not_computed": self.not_computed}
        return counts | self.values | rest

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Confusion:
    """Counts correct and wrong answers at a threshold."""
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
        threshold: from which score on an image is called fake.

    Raises:
        InputError: when labels or scores are none, or do not belong together.
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
        return "No image was called fake, so that there is nothing to divide by."
    return f"Needs both classes; there are {real} real and {fake} fake images."


def _report(sample: Sample) -> str:
    from sklearn.metrics import classification_report

    called = is_fake(sample.scores, sample.threshold).astype(int)
    return classification_report(sample.labels, called, labels=[REAL, FAKE], target_names=list(NAMES), zero_division=0)


# === The metrics, in the order in which they are shown ===


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
    """Where false-positive and false-negative rate meet on the ROC curve, linearly interpolated."""
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
        "Chance that a fake scores higher than a real image, whatever the threshold. 0.5 is guessing.",
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
        "Of the images called fake, the share that is fake. It depends on how many fakes there are.",
        lambda sample: _ratio(sample.counts.true_fake, sample.counts.true_fake + sample.counts.false_fake),
        headline=True,
    ),
    Metric("f1", "F1", "Harmonic mean of precision and recall for fakes.", _f1, headline=True),
    Metric(
        "tpr_at_fpr_1", "Caught at 1% false alarms", "TPR at 1% FPR: what is caught when false alarms must be rare.",
        lambda sample: sample.tpr_at(0.01), needs_both_classes=True, headline=True,
    ),
    Metric(
        "tpr_at_fpr_5", "Caught at 5% false alarms", "TPR at 5% FPR.",
        lambda sample: sample.tpr_at(0.05), needs_both_classes=True, headline=True,
    ),
    Metric(
        "accuracy", "Accuracy", "Share of all images that are called what they are.",
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
        "eer", "Equal error rate (EER)", "Where false alarms and missed fakes are equally frequent. Lower is better.",
        lambda sample: equal_error_rate(*sample.roc), needs_both_classes=True, better="lower",
    ),
    Metric(
        "log_loss", "Log loss", "Penalty for confident mistakes. 0.69 is a constant 0.5; lower is better.",
        _log_loss, better="lower",
    ),
    Metric(
        "brier", "Brier score", "Mean squared distance of score and truth. 0.25 is a constant 0.5; lower is better.",
        _brier, better="lower",
    ),
    Metric(
        "ece", "Calibration error (ECE)",
        "Mean distance between the score and the share of fakes among images with that score. 0 is perfect; few images "
        "give a value above 0 by chance alone.",
        lambda sample: calibration_error(sample.labels, sample.scores), better="lower",
    ),
):  # fmt: skip
    register(_metric)


# === Curves ===


def roc_points(labels: ArrayLike, scores: ArrayLike) -> dict[str, np.ndarray] | None:
    """ROC curve as arrays threshold, fpr, tpr, false_positives, true_positives; None without both classes."""
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
    """Precision-recall curve as arrays threshold, precision, recall; None without both classes."""
    y, s = check(labels, scores)
    if len(set(y.tolist())) < 2:
        return None
    from sklearn.metrics import precision_recall_curve

    precision, recall, threshold = precision_recall_curve(y, s, drop_intermediate=True)
    return {"threshold": np.append(threshold, 1.0), "precision": precision, "recall": recall}
