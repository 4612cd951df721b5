"""What an adaptation is measured on, what is fitted on it, and what the new card says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfcore.confidence import ErrorBudget, Words, fit_calibration, fit_thresholds
from dfcore.datasets import VALIDATION, Dataset
from dfcore.datasets.units import units
from dfcore.detectors.bundle import now
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.origin import Adaptation
from dfcore.detectors.replay import Replay
from dfcore.errors import InputError
from dfcore.evaluation import (
    CROSS_VALIDATION,
    budget_groups,
    error_rates,
    held_out_words,
    predictions_path,
    read_predictions,
    stored_splits,
)
from dfcore.evaluation.metrics import evaluate_scores
from dfcore.labels import FAKE, NAMES, REAL
from dfcore.training.adaptation import Examples, folds_of_sources, folds_of_units
from dfcore.training.frozen import AS_IT_IS, Variant
from dfcore.training.last_layer import LastLayer


@dataclass(frozen=True)
class Pictures:
    """New pictures.

    Attributes:
        root: Folder of their data set.
        rows: Their rows, with the file's path as `path` and the one below the root as `file`.
        features: {form: float32 (N, V, all features)}.
        name: Name of the source.
    """

    root: Path
    rows: pd.DataFrame
    features: dict[Variant, np.ndarray]
    name: str

    @property
    def labels(self) -> np.ndarray:
        """0 real, 1 fake, (N,)."""
        return self.rows.label.to_numpy(int)

    @property
    def counts(self) -> dict[str, int]:
        """Number of pictures of each class, {"real": n, "fake": n}."""
        return {name: int((self.labels == label).sum()) for label, name in enumerate(NAMES)}


def known_predictions(folder: Path) -> pd.DataFrame:
    """Stored predictions on images that the detector has not learned from: of cross-validation, then validation."""
    splits = [split for split in (CROSS_VALIDATION, VALIDATION) if split in stored_splits(folder)]
    if not splits:
        raise InputError(f"{folder} has no stored predictions. Expected those of cross-validation or validation.")
    tables = [read_predictions(predictions_path(folder, split)).assign(split=split) for split in splits]
    return pd.concat(tables, ignore_index=True).drop_duplicates("sha256").set_index("sha256")


def old_examples(card: Card, layer: LastLayer, replay: Replay, base: pd.DataFrame) -> Examples:
    """What was learned before; `base` is of `known_predictions`."""
    features = replay.values(np.arange(len(replay)))
    known = base.logit.reindex(replay.sha256).to_numpy(float)
    logits = np.where(np.isnan(known), layer.logits(features), known)
    if card.by_source:
        folds = folds_of_sources(replay.groups)
    else:
        folds = folds_of_units(pd.Series(replay.sha256), replay.labels.astype(int))
    folds = np.where(replay.held, -1, folds)
    return Examples(layer.design(features), logits, replay.labels.astype(int), replay.groups, folds)


def new_examples(layer: LastLayer, pictures: Pictures) -> Examples:
    """The new pictures, each with its handled copies."""
    forms = {each: layer.taken(values) for each, values in pictures.features.items()}
    both = {each: (layer.design(values), layer.logits(values).astype(float)) for each, values in forms.items()}
    design, logits = both.pop(AS_IT_IS)
    folds = folds_of_units(units(pictures.rows), pictures.labels)
    names = np.full(len(pictures.rows), pictures.name)
    return Examples(design, logits, pictures.labels, names, folds, tuple(both.values()))


def table_of(
    replay: Replay,
    base: pd.DataFrame,
    pictures: Pictures,
    old: Examples,
    new: Examples,
    logits: tuple[np.ndarray, np.ndarray],
    refused: np.ndarray,
) -> pd.DataFrame:
    """Predictions on what the old last layer has not learned from: the images of `base` that are kept, and the new."""
    known = np.isin(replay.sha256, base.index)
    rows = base.loc[replay.sha256[known]]
    first = pd.DataFrame(
        {
            "path": rows.path.to_numpy(object),
            "sha256": replay.sha256[known].astype(object),
            "label": old.labels[known],
            "group": pd.Series(replay.groups[known]).replace("", None).to_numpy(object),
            "logit": logits[0][known],
            "fold": [f"fold {fold + 1}" if fold >= 0 else VALIDATION for fold in old.folds[known]],
            "split": rows.split.to_numpy(object),
            "is_ood": rows.get("is_ood", pd.Series(False, rows.index)).to_numpy(bool),
        }
    )
    second = pd.DataFrame(
        {
            "path": pictures.rows.file.to_numpy(object),
            "sha256": pictures.rows.sha256.to_numpy(object),
            "label": new.labels,
            "group": pictures.name,
            "logit": logits[1],
            "fold": [f"fold {fold + 1}" for fold in new.folds],
            "split": CROSS_VALIDATION,
            "is_ood": refused,
        }
    )
    return pd.concat([first, second], ignore_index=True)


def refused(detector: Detector, pictures: Pictures, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which new pictures the detector refuses, bool (N,): as it was, and once it knows those of the other folds."""
    verdicts = detector.predict(pictures.rows.path)
    before = np.array([verdict.ood.is_ood for verdict in verdicts])
    domain, after = detector.ood_detector, np.zeros(len(verdicts), bool)
    if domain is None:
        return before, after
    features = pictures.features[AS_IT_IS][:, 0]
    for fold in set(folds.tolist()):
        own = folds == fold
        after[own] = domain.joined(features[~own]).relative(features[own]) > 1
    others = np.array([bool(set(verdict.ood.rules) - {"far"}) for verdict in verdicts])
    return before, after | others


def fitted(card: Card, table: pd.DataFrame) -> Card:
    """The card with calibration and thresholds by these logits; the new source keeps the budget by itself."""
    assert card.adapted is not None
    source = card.adapted.source
    labels, logits = table.label.to_numpy(int), table.logit.to_numpy(float)
    text = f"images that neither the detector nor its adaptation to {source} had learned from"
    calibration = fit_calibration(labels, logits, fitted_on=text)
    budget = card.decision_thresholds.budget if card.decision_thresholds else ErrorBudget()
    groups = budget_groups(card, table.group)
    thresholds = fit_thresholds(labels, calibration.apply(logits), budget, chosen_on=text, groups=groups)
    card = card.model_copy(update={"calibration": calibration, "decision_thresholds": thresholds, "words": Words()})
    old = table[table.group != source]
    words = held_out_words(card, old.assign(score=card.calibration.apply(old.logit.to_numpy(float))))
    return card.model_copy(update={"words": words, "threshold": card.threshold.model_copy(update={"chosen_on": text})})


def gained(before: pd.DataFrame, old: Card, after: pd.DataFrame, new: Card) -> list[dict[str, Any]]:
    """A row for each source, the new one first: what was made of it before and after, each at its own thresholds."""
    rows = []
    names = after.group.fillna("").to_numpy(str)
    for name in dict.fromkeys(names[::-1].tolist()):
        own = names == name
        labels = after.label.to_numpy(int)[own]
        row: dict[str, Any] = {"source": name or "what it knew"}
        row |= {"real": int((labels == REAL).sum()), "fake": int((labels == FAKE).sum())}
        for when, table, card in (("before", before, old), ("after", after, new)):
            scores = card.calibration.apply(table.logit.to_numpy(float)[own])
            errors = error_rates(labels, scores, card.thresholds)
            found = scores[labels == FAKE] >= card.thresholds.fake_from
            row |= {
                f"roc_auc_{when}": evaluate_scores(labels, scores, 0.5).to_dict().get("roc_auc"),
                f"fpr_{when}": errors["fpr"],
                f"found_{when}": float(found.mean()) if len(found) else None,
                f"passed_{when}": errors["passed"],
                f"refused_{when}": float(table.is_ood[own].mean()),
            }
        rows.append(row)
    return rows


def described(card: Card, base: Card, dataset: Dataset, record: Adaptation, title: str) -> Card:
    """The card in words; what was measured of the detector that it was made of does not hold for it."""
    gate = base.ood.gate if base.ood else None
    ood = base.ood
    if ood is not None and gate is not None:
        text = f"{gate.fitted_on}, for {base.title}, of which it was made"
        ood = ood.model_copy(update={"gate": gate.model_copy(update={"measured": (), "fitted_on": text})})
    limit = (
        f"Adapted from {base.title} to {record.source} with {record.counts['real']} real and {record.counts['fake']} "
        "fake pictures. Its figures on a test split, on other data sets and after handling were not measured anew."
    )
    made = [base.training.self_made, dataset.self_made]
    training = base.training.model_copy(update={"self_made": " ".join(filter(None, dict.fromkeys(made)))})
    return card.model_copy(
        update={
            "title": title or f"{base.title}, adapted to {record.source}",
            "created": now(),
            "ood": ood,
            "training": training,
            "adapted": record,
            "results": {},
            "measured": [],
            "robustness": [],
            "faithfulness": (),
            "limits": [limit, *base.limits],
        }
    )
