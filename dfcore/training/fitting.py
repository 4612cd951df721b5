"""What comes after the network: calibration, thresholds, gate, and the right to words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dfcore.confidence import (
    ErrorBudget,
    FileRange,
    OODDetector,
    fit_calibration,
    fit_thresholds,
    flatness,
    saturation,
)
from dfcore.datasets import TRAIN, VALIDATION
from dfcore.detectors.card import Card, OODRecord, Threshold
from dfcore.detectors.detector import Detector
from dfcore.evaluation import Refit, budget_groups, held_out_words, learned_features, refit
from dfcore.imaging.preprocess import first_view
from dfcore.training.data import TrainingData
from dfcore.training.frozen import AS_IT_IS
from dfcore.training.held_out import Heads, HeldOut, held_out
from dfcore.training.progress import Watcher

_CRITERION = "as likely fake as real, by the calibrated score"
# Training images that the OOD detector stores as references; its limit is fitted on the validation split.
_REFERENCES = 2000


@dataclass(frozen=True)
class Fitted:
    """What was fitted.

    Attributes:
        card: The card with calibration, thresholds, limits of the domain, and evidence for its words.
        ood_detector: Training images in feature space.
        unseen: Predictions of cross-validation with calibrated scores; None without.
        handled: Held-out images after handling, see `Refit.table`; None if too few are held out to measure it.
    """

    card: Card
    ood_detector: OODDetector
    unseen: pd.DataFrame | None
    handled: pd.DataFrame | None


def fit_confidence(
    card: Card,
    bare: Detector,
    data: TrainingData,
    unseen: pd.DataFrame | None,
    watcher: Watcher,
    heads: Heads | None = None,
    budget: ErrorBudget = ErrorBudget(),
) -> Fitted:
    """Fits everything that says what a network's outputs are worth, on images that it has not learned from.

    Args:
        card: The card of the new bundle.
        bare: A detector with the network, without calibration and domain.
        data: The run's data.
        unseen: Out-of-fold logits of the training images; None without cross-validation.
        watcher: Told of the progress.
        heads: Of a network on a tower the heads that cross-validation solved for.
        budget: What thresholds and gate are fitted for.
    """
    watcher.phase("fitting calibration and thresholds")
    held = data.positions(VALIDATION)
    logits, features = _outputs(bare, data, held)
    if unseen is None:
        rows = data.rows.iloc[held]
        base = pd.DataFrame({"label": rows.label.to_numpy(int), "logit": logits, "group": rows.group.to_numpy(object)})
        source = "the validation split"
    else:
        base, source = unseen, f"{unseen.fold.nunique()}-fold cross-validation of the training split"
    handled, apart = None, held_out(bare, data, unseen, heads or {})
    card, ood_detector = _fit(card, bare, data, base, source, features, apart, budget)
    if apart is not None:
        handled = _handled(card, ood_detector, bare, data, base, apart, watcher)
        card, ood_detector = handled.card, handled.ood_detector
    if unseen is not None:
        unseen = unseen.assign(score=card.calibration.apply(unseen.logit.to_numpy(float)), is_ood=False)
        card = card.model_copy(update={"words": held_out_words(card, unseen)})
    return Fitted(card, ood_detector, unseen, None if handled is None else handled.table)


def _fit(
    card: Card,
    bare: Detector,
    data: TrainingData,
    base: pd.DataFrame,
    source: str,
    features: np.ndarray,
    apart: HeldOut | None,
    budget: ErrorBudget,
) -> tuple[Card, OODDetector]:
    """Fits on images as they are.

    Args:
        card: The card.
        bare: The detector.
        data: The run's data.
        base: Unseen images: label, logit, group.
        source: Their description.
        features: Those of the validation split, (M, D).
        apart: Images that are no references of the domain.
        budget: What thresholds are fitted for.
    """
    labels, logits = base.label.to_numpy(int), base.logit.to_numpy(float)
    calibration = fit_calibration(labels, logits, fitted_on=source)
    groups = budget_groups(card, base.group)
    thresholds = fit_thresholds(labels, calibration.apply(logits), budget, chosen_on=source, groups=groups)
    learned = data.positions(TRAIN)
    some = np.sort(np.random.default_rng(0).permutation(_references(data, apart))[:_REFERENCES])
    ood_detector = OODDetector.fit(_known_features(bare, data, some), features)
    ood = OODRecord(files=_files(data, learned), sha256="", limit_from="the validation split")
    threshold = Threshold(value=0.5, chosen_on=source, criterion=_CRITERION)
    changes = {"calibration": calibration, "decision_thresholds": thresholds, "ood": ood, "threshold": threshold}
    return card.model_copy(update=changes), ood_detector


def _references(data: TrainingData, apart: HeldOut | None) -> np.ndarray:
    """Row numbers of the training images that the domain is made of."""
    learned = data.positions(TRAIN)
    return learned if apart is None else learned[~apart.without[learned]]


def _handled(
    card: Card,
    ood_detector: OODDetector,
    bare: Detector,
    data: TrainingData,
    base: pd.DataFrame,
    apart: HeldOut,
    watcher: Watcher,
) -> Refit:
    """Fits thresholds and gate on held-out images with the handling that images get.

    Raises:
        StoppedEarly: If a stop was requested meanwhile.
    """

    def progress(done: int, total: int) -> None:
        watcher.working("measuring what handling does to the score", done, total)

    bank = apart.measured(data.dataset.root, progress)
    learned = [data.dataset.root / path for path in data.rows.iloc[_references(data, apart)].path]

    def features(sound: Sequence[str]) -> np.ndarray:
        return learned_features(bare, learned, sound, progress=progress)

    return refit(card, ood_detector, bank, apart.rows, base, card.threshold.chosen_on, features)


def _outputs(detector: Detector, data: TrainingData, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = range(0, len(positions), 64)
    parts = [detector.engine.outputs(data.pixels.gather(positions[i : i + 64])) for i in starts]
    return np.concatenate([part.logits for part in parts]), np.concatenate([part.features for part in parts])


def _known_features(detector: Detector, data: TrainingData, positions: np.ndarray) -> np.ndarray:
    """Features of images, those that were learned from where they are kept: the first view's, as in `Outputs`."""
    if data.features is None:
        return _outputs(detector, data, positions)[1]
    return data.features.gather(AS_IT_IS, positions)[:, 0].astype(np.float32)


def _files(data: TrainingData, positions: np.ndarray) -> FileRange:
    rows = data.rows.iloc[positions]
    colours, flat = [], []
    for start in range(0, len(positions), 64):
        pixels = first_view(data.pixels.gather(positions[start : start + 64]))
        colours.append(saturation(pixels))
        flat.append(flatness(pixels))
    sides = rows[["width", "height"]].min(axis=1).to_numpy(float)
    qualities = rows.quality.astype("Float64").to_numpy(float, na_value=np.nan)
    return FileRange.of(sides, qualities, np.concatenate(colours), np.concatenate(flat))
