"""`adapt`: makes a new bundle of a detector that has learned a new generator from few pictures.

The network stays, its last layer changes (`adaptation`). What that gains and costs is measured on images that neither
the old last layer nor the change has learned from: the new pictures in folds; images of the old cross-validation,
whose whole source is left out of the change where it was by source; validation images, which nothing learns from.
Calibration and thresholds are fitted on the same images.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.confidence import ErrorBudget, Words, fit_calibration, fit_thresholds
from dfcore.datasets import TEST, VALIDATION, Dataset
from dfcore.datasets.cache import Progress
from dfcore.datasets.looks import looks
from dfcore.datasets.units import units
from dfcore.detectors import on_tower
from dfcore.detectors.bundle import (
    now,
    place,
    read_replay,
    write_bundle,
    write_card,
    write_ood_detector,
    write_replay,
    write_trained_on,
)
from dfcore.detectors.card import Adaptation, Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import find_bundle
from dfcore.detectors.replay import MOST_IMAGES, Replay
from dfcore.detectors.trained_on import TrainedOn
from dfcore.errors import BundleError, InputError
from dfcore.evaluation import (
    CROSS_VALIDATION,
    budget_groups,
    error_rates,
    full_metrics,
    held_out_words,
    predictions_path,
    read_predictions,
    stored_splits,
    write_predictions,
)
from dfcore.evaluation.metrics import evaluate_scores
from dfcore.exchange.optimize import optimize
from dfcore.labels import FAKE, REAL
from dfcore.training import replay as replays
from dfcore.training.adaptation import Examples, change, folds_of_sources, folds_of_units, unseen
from dfcore.training.frozen import AS_IT_IS, Variant
from dfcore.training.last_layer import LastLayer

if TYPE_CHECKING:
    import keras

# New pictures of a class without which nothing can be learned or measured.
FEWEST = 10
# Handled copies of each new picture that are learned from as well.
_COPIES = 2


@dataclass(frozen=True)
class _Pictures:
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
        return self.rows.label.to_numpy(int)


def adapt(
    bundle: str | Path,
    dataset: Dataset,
    target: Path,
    *,
    learned_from: Sequence[Dataset] = (),
    title: str = "",
    progress: Progress | None = None,
) -> Card:
    """Teaches a detector the fakes of a new source, and writes the result as a new bundle.

    Args:
        bundle: Folder, or name of a detector in the library; it is not changed.
        dataset: A scanned data set with at least `FEWEST` real pictures and as many fakes; a test split is left aside.
        target: Folder of the new bundle, which must not exist.
        learned_from: Data sets that hold its training images, instead of the features that its bundle keeps.
        title: Title of the new detector.
        progress: Called with (images done, total images).

    Returns:
        The card of the new bundle; `Card.adapted` tells what was gained and lost, source by source.

    Raises:
        InputError: If the target exists, there are too few new pictures, or the bundle lacks what is needed.
        DatasetError: If no picture can be read.
    """
    folder = find_bundle(bundle)
    if target.exists():
        raise InputError(f"{target} exists. Expected a new folder: a detector is never adapted in place.")
    detector = Detector.load(folder)
    rows = _new_rows(detector, dataset)
    replay = (
        replays.of_datasets(detector, learned_from, progress) if learned_from else read_replay(folder, detector.card)
    )
    if replay is None:
        raise InputError(
            f"{detector.card.title} keeps no features of what it was trained on, without which it would forget. Name "
            "the data sets that hold its training images (--learned-from)."
        )
    variants = [AS_IT_IS, *(Variant("drawn", number) for number in range(1, 1 + _COPIES))]
    features, readable = replays.of_files(detector, rows, variants, progress)
    pictures = _Pictures(dataset.root, rows[readable].reset_index(drop=True), features, _name(dataset, replay))
    _require_enough(pictures.rows, dataset)
    return _made(detector, folder, dataset, replay, pictures, target, title)


def _new_rows(detector: Detector, dataset: Dataset) -> pd.DataFrame:
    """Rows of the new pictures: neither of a test split, nor among those that the detector was trained on."""
    rows = dataset.usable.drop_duplicates("sha256")
    rows = rows[rows.split.fillna("") != TEST]
    if detector.trained_on is not None:
        seen = detector.trained_on.find(
            rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: (None for _ in rest)
        )
        rows = rows[[not each.found for each in seen]]
    _require_enough(rows, dataset)
    return rows.assign(file=rows.path, path=[dataset.root / path for path in rows.path])


def _require_enough(rows: pd.DataFrame, dataset: Dataset) -> None:
    counts = [int((rows.label == label).sum()) for label in (REAL, FAKE)]
    if min(counts) < FEWEST:
        raise InputError(
            f"Expected at least {FEWEST} real and {FEWEST} fake pictures that the detector has not seen, of the same "
            "kind but for the generator: with fakes alone it would learn where they come from. Received: "
            f"{counts[0]} real and {counts[1]} fake in {dataset.name}."
        )
    if len(rows) > MOST_IMAGES:
        raise InputError(
            f"Expected at most {MOST_IMAGES:,} pictures. Received: {len(rows):,} in {dataset.name}. Train a detector "
            "on so many (dfcore train)."
        )


def _name(dataset: Dataset, replay: Replay) -> str:
    return dataset.name if dataset.name not in set(replay.groups.tolist()) else f"{dataset.name} (new)"


def _made(
    detector: Detector,
    folder: Path,
    dataset: Dataset,
    replay: Replay,
    pictures: _Pictures,
    target: Path,
    title: str,
) -> Card:
    card, layer = detector.card, LastLayer.of(detector)
    if not np.array_equal(replay.columns, layer.columns):
        raise BundleError(
            f"{folder}: the features that it keeps are not those of its last layer. Expected {len(layer.columns):,} of "
            f"them. Received: {len(replay.columns):,}. Name the data sets that hold its "
            "training images (--learned-from)."
        )
    base = _predictions(folder)
    old, new = _old(card, layer, replay, base), _new(layer, pictures)
    refused_before, refused_after = _refused(detector, pictures, new.folds)
    before = _table(replay, base, pictures, old, new, (old.logits, new.logits), refused_before)
    after = _table(replay, base, pictures, old, new, unseen(old, new), refused_after)
    counts = {"real": int((pictures.labels == REAL).sum()), "fake": int((pictures.labels == FAKE).sum())}
    record = Adaptation(base=card.title, base_sha256=card.model_sha256, source=pictures.name, counts=counts, rows=[])
    fitted = _fitted(card.model_copy(update={"adapted": record}), after)
    rows = _gained(before, card, after, fitted)
    fitted = _described(fitted, card, dataset, record.model_copy(update={"rows": rows}), title)
    weights, bias = change(old, new)
    layer = layer.plus(weights, bias)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".adapt-") as aside:
        made = Path(aside) / "bundle"
        _write(made, detector, fitted, layer, replay, pictures, after)
        place(made, target)
    return fitted


def _predictions(folder: Path) -> pd.DataFrame:
    """Stored predictions on images that the detector has not learned from: of cross-validation, then validation."""
    splits = [split for split in (CROSS_VALIDATION, VALIDATION) if split in stored_splits(folder)]
    if not splits:
        raise InputError(f"{folder} has no stored predictions. Expected those of cross-validation or validation.")
    tables = [read_predictions(predictions_path(folder, split)).assign(split=split) for split in splits]
    return pd.concat(tables, ignore_index=True).drop_duplicates("sha256").set_index("sha256")


def _old(card: Card, layer: LastLayer, replay: Replay, base: pd.DataFrame) -> Examples:
    features = replay.values(np.arange(len(replay)))
    known = base.logit.reindex(replay.sha256).to_numpy(float)
    logits = np.where(np.isnan(known), layer.logits(features), known)
    if card.by_source:
        folds = folds_of_sources(replay.groups)
    else:
        folds = folds_of_units(pd.Series(replay.sha256), replay.labels.astype(int))
    folds = np.where(replay.held, -1, folds)
    return Examples(layer.design(features), logits, replay.labels.astype(int), replay.groups, folds)


def _new(layer: LastLayer, pictures: _Pictures) -> Examples:
    forms = {each: values[:, :, layer.columns] for each, values in pictures.features.items()}
    both = {each: (layer.design(values), layer.logits(values).astype(float)) for each, values in forms.items()}
    design, logits = both.pop(AS_IT_IS)
    folds = folds_of_units(units(pictures.rows), pictures.labels)
    names = np.full(len(pictures.rows), pictures.name)
    return Examples(design, logits, pictures.labels, names, folds, tuple(both.values()))


def _table(
    replay: Replay,
    base: pd.DataFrame,
    pictures: _Pictures,
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


def _fitted(card: Card, table: pd.DataFrame) -> Card:
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


def _gained(before: pd.DataFrame, old: Card, after: pd.DataFrame, new: Card) -> list[dict[str, Any]]:
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


def _described(card: Card, base: Card, dataset: Dataset, record: Adaptation, title: str) -> Card:
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
            "limits": [limit, *base.limits],
        }
    )


def _write(
    made: Path,
    detector: Detector,
    card: Card,
    layer: LastLayer,
    replay: Replay,
    pictures: _Pictures,
    table: pd.DataFrame,
) -> None:
    domain = detector.ood_detector
    card = write_bundle(made, _model(detector, layer), card)
    if domain is not None and card.ood is not None:
        # Handled images stand last, see `Gate.learned`.
        card = write_ood_detector(made, card, domain.joined(pictures.features[AS_IT_IS][:, 0], before=_handled(card)))
    if detector.trained_on is not None:
        card = write_trained_on(made, card, detector.trained_on.plus(_listed(pictures)))
    card = write_replay(made, card, _replayed(replay, layer, pictures))
    card = optimize(made)
    scored = table.assign(score=card.calibration.apply(table.logit.to_numpy(float)))
    results = {}
    for split, part in scored.groupby("split"):
        part = part.drop(columns="split")
        write_predictions(predictions_path(made, str(split)), part)
        metrics = full_metrics(part, card.threshold.value, card.thresholds)
        results[split] = {key: value for key, value in metrics.items() if key != "report"}
    write_card(made, card.model_copy(update={"results": results}))


def _model(detector: Detector, layer: LastLayer) -> "keras.Model":
    if detector.card.tower is not None:
        return on_tower.head_model(layer.kernel, layer.bias)
    model = detector.model
    model.layers[-1].set_weights([layer.kernel, layer.bias])
    return model


def _handled(card: Card) -> int:
    return card.ood.gate.learned if card.ood and card.ood.gate else 0


def _refused(detector: Detector, pictures: _Pictures, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _listed(pictures: _Pictures) -> TrainedOn:
    rows = pictures.rows
    signatures = looks(pictures.root, rows.file.tolist(), rows.sha256.tolist(), workspace.cache_dir())
    return TrainedOn.of(rows.pixels_sha256.tolist(), rows.sha256.tolist(), signatures, [False] * len(rows))


def _replayed(replay: Replay, layer: LastLayer, pictures: _Pictures) -> Replay:
    """What the new detector has learned from: of the old images as many as there is room for."""
    room = MOST_IMAGES - len(pictures.rows)
    kept = np.sort(np.random.default_rng(0).permutation(len(replay))[:room])
    return Replay.of(
        [*replay.sha256[kept], *pictures.rows.sha256],
        [*replay.labels[kept], *pictures.labels],
        [*replay.groups[kept], *([pictures.name] * len(pictures.rows))],
        [*replay.held[kept], *([False] * len(pictures.rows))],
        np.concatenate([replay.values(kept), pictures.features[AS_IT_IS][:, :, layer.columns]]),
        layer.columns,
    )
