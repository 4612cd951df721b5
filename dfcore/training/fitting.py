"""What comes after the network: calibration, thresholds, gate, and the right to words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dfcore.confidence import (
    NEIGHBOURS,
    ErrorBudget,
    FileRange,
    OODDetector,
    fit_calibration,
    fit_thresholds,
    flatness,
    saturation,
)
from dfcore.datasets import TRAIN, VALIDATION
from dfcore.detectors import on_tower
from dfcore.detectors.card import Card, OODRecord, Threshold
from dfcore.detectors.detector import Detector
from dfcore.evaluation import Learned, Refit, budget_groups, held_out_words, learned_features, refit
from dfcore.imaging.preprocess import first_view
from dfcore.training.data import TrainingData
from dfcore.training.frozen import AS_IT_IS
from dfcore.training.gate_images import GateImages, Heads, gate_images
from dfcore.training.progress import Watcher

_CRITERION = "as likely fake as real, by the calibrated score"
# Training images that the OOD detector stores as references at most.
_REFERENCES = 2000
_FACTS = ("side", "quality", "colour", "flat")
# A source of fewer images says little of its range.
_FEW = 20


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
    handled, images = None, gate_images(bare, data, unseen, heads or {})
    references, facts = _references(data, images), _facts(data, data.positions(TRAIN))
    card, ood_detector = _fit(card, bare, data, base, source, features, references, facts, budget)
    if images is not None:
        handled = _handled(card, ood_detector, bare, data, base, images, references, facts, watcher)
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
    references: np.ndarray,
    facts: pd.DataFrame,
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
        references: Row numbers of the training images that the domain is made of.
        facts: File properties of the training images.
        budget: What thresholds are fitted for.
    """
    labels, logits = base.label.to_numpy(int), base.logit.to_numpy(float)
    calibration = fit_calibration(labels, logits, fitted_on=source)
    groups = budget_groups(card, base.group)
    thresholds = fit_thresholds(labels, calibration.apply(logits), budget, chosen_on=source, groups=groups)
    width = _domain_width(bare)
    ood_detector = OODDetector.fit(_known_features(bare, data, references)[:, :width], features[:, :width])
    ood = OODRecord(
        files=FileRange.of(*(facts[key].to_numpy() for key in _FACTS)), sha256="", limit_from="the validation split"
    )
    threshold = Threshold(value=0.5, chosen_on=source, criterion=_CRITERION)
    changes = {"calibration": calibration, "decision_thresholds": thresholds, "ood": ood, "threshold": threshold}
    return card.model_copy(update=changes), ood_detector


def _references(data: TrainingData, images: GateImages | None) -> np.ndarray:
    """Row numbers of the training images that the domain is made of, without those of the gate."""
    learned = data.positions(TRAIN)
    rest = learned if images is None else learned[~images.without[learned]]
    return np.sort(np.random.default_rng(0).permutation(rest)[:_REFERENCES])


def _handled(
    card: Card,
    ood_detector: OODDetector,
    bare: Detector,
    data: TrainingData,
    base: pd.DataFrame,
    images: GateImages,
    references: np.ndarray,
    facts: pd.DataFrame,
    watcher: Watcher,
) -> Refit:
    """Fits thresholds and gate on held-out images with the handling that images get.

    Raises:
        StoppedEarly: If a stop was requested meanwhile.
    """

    def progress(done: int, total: int) -> None:
        watcher.working("measuring what handling does to the score", done, total)

    distances = _between_folds(ood_detector, bare, data, images, references)
    bank = images.measured(data.dataset.root, progress)
    paths = [data.dataset.root / path for path in data.rows.iloc[references].path]

    def features(sound: Sequence[str]) -> np.ndarray:
        return learned_features(bare, paths, sound, progress=progress)

    learned = Learned(features, _by_source(facts), distances)
    return refit(card, ood_detector, bank, images.rows, base, card.threshold.chosen_on, learned)


def _by_source(facts: pd.DataFrame) -> list[dict[str, np.ndarray]]:
    """File properties of the images of each source; small ones count as one, and not at all if still too few."""
    small = facts.group.map(facts.group.value_counts()) < _FEW
    parts = [part for _, part in facts.groupby(facts.group.mask(small, "")) if len(part) >= _FEW]
    return [{key: part[key].to_numpy() for key in _FACTS} for part in parts]


def _between_folds(
    ood_detector: OODDetector, bare: Detector, data: TrainingData, images: GateImages, references: np.ndarray
) -> np.ndarray | None:
    """How far the images of the gate are from the references of folds other than their own, (M,).

    None if folds do not hold them out, or too few references are left.
    """
    if images.folds is None:
        return None
    parts, points = [np.empty(0)], ood_detector.points(_known_features(bare, data, references)).astype(np.float16)
    own = np.flatnonzero(data.rows.path.isin(images.rows.path))
    for name in np.unique(images.folds[own]):
        others = points[images.folds[references] != name]
        if len(others) >= NEIGHBOURS:
            held = own[images.folds[own] == name]
            parts.append(replace(ood_detector, references=others).distances(_known_features(bare, data, held)))
    found = np.concatenate(parts)
    return found if len(found) else None


def _outputs(detector: Detector, data: TrainingData, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = range(0, len(positions), 64)
    parts = [detector.engine.outputs(data.pixels.gather(positions[i : i + 64])) for i in starts]
    return np.concatenate([part.logits for part in parts]), np.concatenate([part.features for part in parts])


def _known_features(detector: Detector, data: TrainingData, positions: np.ndarray) -> np.ndarray:
    """Features of images, those that were learned from where they are kept: the first view's, as in `Outputs`."""
    if data.features is None or detector.card.tta_flip:  # They are of images that are not mirrored.
        return _outputs(detector, data, positions)[1]
    return data.features.gather(AS_IT_IS, positions)[:, 0].astype(np.float32)


def _domain_width(bare: Detector) -> int:
    if bare.card.tower is None:
        return bare.engine.width
    assert bare.folder is not None
    return on_tower.shared_width(bare.folder, bare.card)


def _facts(data: TrainingData, positions: np.ndarray) -> pd.DataFrame:
    """File properties of images, see `Handled.facts`, and their group, "" where it has none."""
    rows = data.rows.iloc[positions]
    colours, flat = [], []
    for start in range(0, len(positions), 64):
        pixels = first_view(data.pixels.gather(positions[start : start + 64]))
        colours.append(saturation(pixels))
        flat.append(flatness(pixels))
    return pd.DataFrame(
        {
            "side": rows[["width", "height"]].min(axis=1).to_numpy(float),
            "quality": rows.quality.astype("Float64").to_numpy(float, na_value=np.nan),
            "colour": np.concatenate(colours),
            "flat": np.concatenate(flat),
            "group": rows.group.fillna("").to_numpy(object),
        }
    )
