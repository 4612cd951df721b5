"""What rounding to 8 bits costs, measured on the validation split of the data that a detector was trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.confidence import find, is_fake
from dfcore.datasets import TRAIN, VALIDATION, Dataset, scan
from dfcore.datasets.cache import load_pixels
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.errors import DatasetError, InputError
from dfcore.evaluation import splits_as_trained, was_trained_on
from dfcore.evaluation.metrics import METRICS, evaluate_scores
from dfcore.labels import FAKE, REAL

Report = Callable[[str, int, int], None]
# Images that tell the ranges of what a network computes, half of each class. More change little.
_CALIBRATING = 100
# Images that the cost is measured on; more say hardly more of a rounding.
_MEASURED = 2000
# Pictures among the check images.
CHECKED = 32
_FIGURES = ("roc_auc", "accuracy", "ece")


@dataclass(frozen=True)
class Pictures:
    """Pictures of the data that a detector was trained on, preprocessed.

    Attributes:
        name: Name of the data set.
        pixels: Of the validation split, uint8 (N, *spec.input_shape).
        labels: 0 real, 1 fake, (N,).
        calibrating: Of the training split (of validation, if there is none), uint8 (M, *spec.input_shape).
        calibrated_on: The split that they are of.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray
    calibrating: np.ndarray
    calibrated_on: str


@dataclass(frozen=True)
class Cost:
    """What rounding costs.

    Attributes:
        dataset: Name of the data set.
        split: Its split that was measured.
        real, fake: Number of its images.
        calibrated_on: What the ranges were measured on; empty if none were.
        before, after: Figures of the detector and of the rounded network: roc_auc, accuracy at the card's two-way
            threshold, ece, and at its other thresholds false_alarms (real images called likely fake) and missed (fakes
            below the lower threshold).
        mean_difference, largest_difference: Of the scores.
        changed: Share of images of which something else is said, in [0, 1].
    """

    dataset: str
    split: str
    real: int
    fake: int
    calibrated_on: str
    before: dict[str, float | None]
    after: dict[str, float | None]
    mean_difference: float
    largest_difference: float
    changed: float

    def in_words(self) -> str:
        """The cost in a sentence."""
        titles = {name: METRICS[name].title for name in _FIGURES}
        titles |= {"false_alarms": "false alarms", "missed": "missed fakes"}

        def both(name: str) -> str:
            values = ("-" if part[name] is None else f"{part[name]:.4f}" for part in (self.before, self.after))
            return f"{titles[name]} {' to '.join(values)}"

        return (
            f"8 bits, on {self.real + self.fake:,} images of {self.split} of {self.dataset}: "
            f"{'; '.join(both(name) for name in titles)}; scores change by {self.mean_difference:.2g} on average and "
            f"up to {self.largest_difference:.2g}, and {self.changed:.1%} of the verdicts change"
        )


def pictures(detector: Detector, root: str | Path, report: Report, *, calibrate: bool, measured: int) -> Pictures:
    """Reads the data set that a detector was trained on.

    Args:
        detector: The detector.
        root: The data set.
        report: Called with (what is done, images done, images in all).
        calibrate: Whether images to calibrate with are needed.
        measured: Number of images of validation that are wanted at most, drawn by their hashes.

    Raises:
        DatasetError: If it is another data set, as far as the detector lists its training images, or has no labelled
            images of the validation split.
    """
    dataset = scan(root, progress=lambda done, total: report("Reading the data set", done, total))
    _require_own(detector, dataset)
    dataset = splits_as_trained(detector.card, dataset, detector.trained_on)
    rows = dataset.usable
    held = _drawn(rows[rows.split == VALIDATION], measured)
    if set(held.label.astype(int)) != {REAL, FAKE}:
        raise DatasetError(
            f"Expected real and fake images in the {VALIDATION} split of {dataset.name}, which {detector.card.title} "
            f"was trained on. Received: {len(held)} images of {held.label.nunique()} classes."
        )
    learned = rows[rows.split == TRAIN]
    source = TRAIN if len(learned) else VALIDATION
    sample = _drawn(learned if len(learned) else held, _CALIBRATING if calibrate else 0)
    both = pd.concat([held, sample])
    paths = [dataset.root / path for path in both.path]
    cache = workspace.cache_dir()
    loaded = load_pixels(
        paths, list(both.sha256), detector.spec, folder=cache,
        progress=lambda done, total: report("Decoding", done, total),
    )  # fmt: skip
    there = loaded.rows >= 0
    first = np.flatnonzero(there[: len(held)])
    second = np.flatnonzero(there[len(held) :]) + len(held)
    labels = held.label.to_numpy(int)[first]
    shape = (0, *detector.spec.input_shape)
    calibrating = np.asarray(loaded.gather(second)) if len(second) else np.empty(shape, np.uint8)
    return Pictures(dataset.name, np.asarray(loaded.gather(first)), labels, calibrating, source if calibrate else "")


def _require_own(detector: Detector, dataset: Dataset) -> None:
    listed = detector.trained_on
    if listed is not None and not was_trained_on(listed, dataset.usable):
        raise DatasetError(
            f"Expected the data set that {detector.card.title} was trained on. Received: {dataset.name}, most of whose "
            f"{len(dataset.usable):,} images are not among those that it learned from."
        )


def _drawn(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, half of each class, by the hash of their content: the same whatever the order."""
    parts = [rows[rows.label == label].sort_values("sha256").head(most // 2) for label in (REAL, FAKE)]
    return pd.concat(parts)


def cost(card: Card, shown: Pictures, before: np.ndarray, after: np.ndarray, *, split: str = VALIDATION) -> Cost:
    """What rounding changes, from the scores before and after, each (N,)."""
    said = [find(scores, card.thresholds) for scores in (before, after)]
    difference = np.abs(before - after)
    return Cost(
        dataset=shown.name,
        split=split,
        real=int((shown.labels == REAL).sum()),
        fake=int((shown.labels == FAKE).sum()),
        calibrated_on=f"{len(shown.calibrating)} images of {shown.calibrated_on}" if len(shown.calibrating) else "",
        before=_figures(card, shown.labels, before),
        after=_figures(card, shown.labels, after),
        mean_difference=float(difference.mean()),
        largest_difference=float(difference.max()),
        changed=float((said[0] != said[1]).mean()),
    )


def _figures(card: Card, labels: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
    values = evaluate_scores(labels, np.clip(scores, 0, 1), card.threshold.value).to_dict()
    real, fake, at = scores[labels == REAL], scores[labels == FAKE], card.thresholds
    rates = {
        "false_alarms": float(is_fake(real, at.fake_from).mean()),
        "missed": float((~is_fake(fake, at.real_below)).mean()),
    }
    return {name: values[name] for name in _FIGURES} | rates


def require_root(root: str | Path | None, title: str, why: Sequence[str]) -> str | Path:
    """The data set, if one is known.

    Raises:
        InputError: If none is.
    """
    if root is None:
        raise InputError(
            f"Rounding to 8 bits needs the data set that {title} was trained on, {' and '.join(why)}. Expected "
            "--data-root ROOT. Received: none, and the detector does not lie in a run that knows its own."
        )
    return root


def most_measured() -> int:
    """Images that the cost is measured on at most."""
    return _MEASURED
