"""Fits thresholds and gate of a detector on held-out images with the handling that images get.

The calibration stays that of images as they are: fitted on handled ones as well, it was no better for these, and worse
for images as they are (expected calibration error of `faces` on its test split 0.061 against 0.071, of `small` 0.038
against 0.044; on handled held-out images 0.058 against 0.060, and 0.027 against 0.038).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dfcore.confidence import (
    ORIGINAL,
    Calibration,
    DecisionThresholds,
    ErrorBudget,
    Gate,
    MeasuredHandling,
    OODDetector,
    fit_handled,
    fit_limits,
    fit_thresholds,
    sound_handlings,
)
from dfcore.detectors.card import Card
from dfcore.evaluation.coverage import budget_groups
from dfcore.evaluation.handled import Bank
from dfcore.evaluation.three_way import error_rates
from dfcore.imaging.handling import GRADED

# Handlings that move no property by grades, each by itself.
FAMILIES = GRADED | {"back": ("resize_half",), "crop": ("crop",)}
HANDLINGS = (ORIGINAL, *(name for grades in FAMILIES.values() for name in grades))
# Share of the images after sound handlings within the limit of the distance. A lower one refuses more foreign subjects.
_WITHIN = 0.95
# Held-out images of each class: with fewer nothing can be said of a handling, more would take long.
FEWEST, MOST = 15, 100
# Pixels that are handled at most, beyond the fewest images: some minutes.
_MOST_PIXELS = 20e9


@dataclass(frozen=True)
class Refit:
    """What was fitted.

    Attributes:
        card: The card with thresholds and gate.
        ood_detector: With handled training images, and the limit that held-out images set.
        table: The held-out images after each handling: path, sha256, label, group (the handling), logit, score, is_ood,
            and rules, which name what refuses each, "" if nothing.
    """

    card: Card
    ood_detector: OODDetector
    table: pd.DataFrame


@dataclass(frozen=True)
class Learned:
    """What a detector learned from.

    Attributes:
        features: Returns features, (M, D), of training images after these handlings.
        sources: Properties of the training images of each source as they are, see `fit_limits`.
        distances: Of held-out images from the training images of other folds, (K,): how far off those were on which the
            score was measured. They set the limit of the distance; if None, the handled images do.
    """

    features: Callable[[Sequence[str]], np.ndarray]
    sources: Sequence[Mapping[str, np.ndarray]] = ()
    distances: np.ndarray | None = None


def handled_rows(rows: pd.DataFrame, *, share: float = 1.0, most: int = MOST) -> pd.DataFrame | None:
    """The held-out images that are handled: at most so many a class, fewer of large ones, in their order.

    Args:
        rows: All held-out images: sha256, label, width, height and any more columns.
        share: Share of each class that may be taken.
        most: Number of each class that may be taken.

    Returns:
        The rows; None if they would be fewer than `FEWEST` of a class.
    """
    rows = rows.drop_duplicates("sha256")  # A copy says nothing more.
    counts = rows.label.value_counts()
    if len(counts) < 2 or counts.min() * share < FEWEST:
        return None
    pixels = float((rows.width * rows.height).mean()) * len(HANDLINGS) * 2
    most = max(FEWEST, min(most, int(_MOST_PIXELS / max(pixels, 1))))
    parts = [part.sample(min(most, int(len(part) * share)), random_state=0) for _, part in rows.groupby("label")]
    return pd.concat(parts).sort_index()


def refit(
    card: Card,
    ood_detector: OODDetector,
    bank: Bank,
    files: pd.DataFrame,
    base: pd.DataFrame,
    source: str,
    learned: Learned,
) -> Refit:
    """Fits on handled images.

    Args:
        card: A card with calibration and `ood` set.
        ood_detector: Training images in feature space; its limit is replaced.
        bank: Held-out images after `HANDLINGS`.
        files: path and sha256 of the images of the bank, by position.
        base: Predictions on unseen images as they are: label, logit, group. More of them than in the bank may be known,
            from cross-validation; handling changes them as it changes those of the bank.
        source: Description of `base`, for the card.
        learned: What it learned from.
    """
    budget = card.decision_thresholds.budget if card.decision_thresholds else ErrorBudget()
    handled = bank.handled
    labels, logits = base.label.to_numpy(int), base.logit.to_numpy(float)
    carried = handled.carried(labels, logits)
    groups = budget_groups(card, base.group)
    sound = sound_handlings(labels, carried, FAMILIES, budget, groups)
    kept = {name: carried[name] for name in sound}
    thresholds = fit_pooled(labels, kept, card.calibration, budget, source, groups)
    assert card.ood is not None  # The caller's to see to.
    before = card.ood.gate.learned if card.ood.gate else 0
    own = replace(ood_detector, references=ood_detector.references[: len(ood_detector.references) - before])
    gate, ood_detector, rules = _fit_gate(own, bank, sound, learned)
    table = _judged(bank.table, files, rules, card.calibration)
    fitted_on, measured = f"{len(files):,} held-out images", _measured(table, thresholds, sound)
    gate = gate.model_copy(update={"measured": measured, "fitted_on": fitted_on})
    limit_from = f"{fitted_on}, as they are and handled"
    if learned.distances is not None:
        limit_from = f"{len(learned.distances):,} held-out images, by their distance from other folds"
    record = card.ood.model_copy(update={"gate": gate, "limit_from": limit_from})
    changes = {"decision_thresholds": thresholds, "ood": record}
    return Refit(card.model_copy(update=changes), ood_detector, table)


def _fit_gate(
    ood_detector: OODDetector, bank: Bank, sound: list[str], learned: Learned
) -> tuple[Gate, OODDetector, list[tuple[str, ...]]]:
    """The gate, the domain in feature space, and the rules that refuse each row of the bank.

    Args:
        ood_detector: Training images as they are.
        bank: Held-out images after handling.
        sound: The handlings whose images belong to the domain.
        learned: What it learned from.
    """
    gate, table = fit_limits(bank.handled, sound, FAMILIES, learned.sources), bank.table
    fits = np.array([not rules for rules in _rules(gate, table)])
    good = table.handling.isin(sound).to_numpy()
    points = ood_detector.points(bank.features)
    beyond = np.zeros(len(table), bool)
    line, beyond[fits] = fit_handled(points[fits], ~good[fits], table.image.to_numpy(int)[fits])
    # Handled images lie so far from images as they are that a limit for them would take in foreign subjects too.
    added = learned.features(sound)
    result = replace(ood_detector.joined(added), handled=line)
    if learned.distances is None:
        result = result.limited(bank.features[fits & good & ~beyond], _WITHIN)
    else:
        result = result.within(learned.distances, _WITHIN)
    far = result.relative(bank.features) > 1
    gate = gate.model_copy(update={"learned": len(added)})
    return gate, result, _rules(gate, table, handled=beyond, far=far)


def fit_pooled(
    labels: np.ndarray,
    logits: dict[str, np.ndarray],
    calibration: Calibration,
    budget: ErrorBudget,
    source: str,
    groups: np.ndarray | None = None,
) -> DecisionThresholds:
    """Fits thresholds on images after each sound handling, together.

    Args:
        labels: 0 real, 1 fake, (N,).
        logits: {handling: (N,)} of the sound handlings.
        calibration: Maps them to scores.
        budget: Error budget.
        source: Description of the images.
        groups: Source of each image, (N,), if each is to keep the budget.
    """
    text = source if len(logits) == 1 else f"{source}, as they are and after {len(logits) - 1} kinds of handling"
    return fit_thresholds(
        np.tile(labels, len(logits)),
        calibration.apply(np.concatenate(list(logits.values()))),
        budget,
        chosen_on=text,
        groups=None if groups is None else np.tile(groups, len(logits)),
        handlings=np.repeat(list(logits), len(labels)),
    )


def _rules(gate: Gate, table: pd.DataFrame, **others: np.ndarray) -> list[tuple[str, ...]]:
    """The rules that refuse each row of a bank: those of the gate, and others by name, bool (rows,)."""
    rows = zip(table.side, table.quality, table.colour, table.flat, strict=True)
    return [
        (
            *(rule for rule, _ in gate.misfits(int(side), None if np.isnan(q) else q, colour, flat)),
            *(rule for rule, refuses in others.items() if refuses[number]),
        )
        for number, (side, q, colour, flat) in enumerate(rows)
    ]


def _judged(
    table: pd.DataFrame, files: pd.DataFrame, rules: list[tuple[str, ...]], calibration: Calibration
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": files.path.to_numpy(object)[table.image],
            "sha256": files.sha256.to_numpy(object)[table.image],
            "label": table.label.to_numpy(int),
            "group": table.handling.to_numpy(object),
            "logit": table.logit.to_numpy(np.float32),
            "score": calibration.apply(table.logit.to_numpy(float)),
            "is_ood": [bool(some) for some in rules],
            "rules": [" ".join(some) for some in rules],
        }
    )


def _measured(table: pd.DataFrame, thresholds: DecisionThresholds, sound: list[str]) -> tuple[MeasuredHandling, ...]:
    rows = []
    for name, part in table.groupby("group", sort=False):
        scores, labels = part.score[~part.is_ood].to_numpy(float), part.label[~part.is_ood].to_numpy(int)
        rows.append(
            MeasuredHandling(
                handling=str(name),
                images=len(part),
                refused=float(part.is_ood.mean()),
                sound=name in sound,
                **error_rates(labels, scores, thresholds),
            )
        )
    return tuple(rows)
