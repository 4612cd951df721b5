"""The end of a run: calibrates and evaluates the model and writes the bundle."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfcore import architectures, workspace
from dfcore.confidence import (
    ErrorBudget,
    FileRange,
    OODDetector,
    Words,
    fit_calibration,
    fit_thresholds,
    flatness,
    saturation,
)
from dfcore.confidence.thresholds import ORIGINAL
from dfcore.datasets import TEST, TRAIN, VALIDATION
from dfcore.datasets.looks import looks
from dfcore.detectors.bundle import now, place, write_bundle, write_card, write_ood_detector, write_trained_on
from dfcore.detectors.card import Card, OODRecord, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import MOST_IMAGES, TrainedOn
from dfcore.engines import EngineName
from dfcore.evaluation import (
    CROSS_VALIDATION,
    FEWEST,
    HANDLED,
    MOST,
    Refit,
    full_metrics,
    learned_features,
    measure_handled,
    predictions_path,
    refit,
    score_rows,
    sources_held_out,
    write_predictions,
)
from dfcore.evaluation.refit import HANDLINGS
from dfcore.exchange.optimize import optimize
from dfcore.imaging.preprocess import first_view
from dfcore.runs.run import Run
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.progress import Progress, Watcher
from dfcore.utils.files import write_text

if TYPE_CHECKING:
    import keras

_CRITERION = "as likely fake as real, by the calibrated score"
# Training images that the OOD detector stores as references; its limit is fitted on the validation split.
_REFERENCES = 2000
# Number of images on which the engines are compared.
_COMPARED = 64


@dataclass(frozen=True)
class Trained:
    """Result of training.

    Attributes:
        model: The network with the weights of the best epoch.
        progress: The progress of training, with the history.
        unseen: Out-of-fold logits of the training images, None without cross-validation.
    """

    model: "keras.Model"
    progress: Progress
    unseen: pd.DataFrame | None = None


def finish(run: Run, config: TrainConfig, data: TrainingData, trained: Trained, watcher: Watcher) -> None:
    """Fits calibration, thresholds and OOD detector, evaluates the detector and writes the bundle.

    Scores are computed by the saved bundle, not by the model in memory, so that reported figures are those that users
    get.
    """
    card = _card(config, data, trained.progress)
    with tempfile.TemporaryDirectory(dir=run.folder, prefix=".finish-") as aside:
        made = Path(aside) / "bundle"
        write_bundle(made, trained.model, card)
        watcher.phase("optimizing for OpenVINO")
        card = optimize(made, data.pixels.gather(data.positions(VALIDATION)[:_COMPARED]))
        # The engine that users get; "auto" would not choose OpenVINO if the run's folder is outside the workspace.
        engine: EngineName = "openvino" if card.openvino and card.openvino.enabled else "keras"
        watcher.phase("fitting calibration and thresholds")
        bare = Detector.load(made, engine)
        card, ood_detector, unseen = _fit(card, bare, data, trained.unseen)
        handled = _handled(card, ood_detector, bare, data, unseen, watcher)
        if handled is not None:
            card, ood_detector = handled.card, handled.ood_detector
            if unseen is not None:
                unseen = unseen.assign(score=card.calibration.apply(unseen.logit.to_numpy(float)))
        if unseen is not None and card.training.config.get("cross_validation") == "source":
            sources = tuple(sources_held_out(unseen, card.thresholds))
            card = card.model_copy(update={"words": Words(sources=sources)})
        card = write_ood_detector(made, card, ood_detector)
        watcher.phase("listing the training images")
        listed = _trained_on(data)
        if listed is not None:
            card = write_trained_on(made, card, listed)
        detector = Detector.load(made, engine)
        tables = {split: _predict(detector, data, split, watcher) for split in (VALIDATION, TEST)}
        if unseen is not None:
            tables[CROSS_VALIDATION] = unseen
        metrics = {name: full_metrics(table, card.threshold.value, card.thresholds) for name, table in tables.items()}
        watcher.phase("writing the detector")
        run.write_metrics(metrics)
        results = {split: {k: v for k, v in result.items() if k != "report"} for split, result in metrics.items()}
        write_card(made, card.model_copy(update={"results": results}))
        for split, table in tables.items():
            # Part of the bundle, so that the curves can be drawn wherever the bundle is copied.
            if len(table):
                write_predictions(predictions_path(made, split), table)
        if handled is not None:
            write_predictions(predictions_path(made, HANDLED), handled.table)
        place(made, run.bundle)
    for split, table in tables.items():
        write_predictions(predictions_path(run.folder, split), table)


def _fit(
    card: Card, bare: Detector, data: TrainingData, unseen: pd.DataFrame | None
) -> tuple[Card, OODDetector, pd.DataFrame | None]:
    """Fits calibration, thresholds and OOD detector.

    Returns:
        The updated card, the OOD detector, and `unseen` with calibrated scores.
    """
    held = data.positions(VALIDATION)
    validation, validation_features = _outputs(bare, data, held)
    if unseen is None:
        labels, logits, source = data.labels(VALIDATION), validation, "the validation split"
    else:
        labels, logits = unseen.label.to_numpy(int), unseen.logit.to_numpy(float)
        source = f"{unseen.fold.nunique()}-fold cross-validation of the training split"
    calibration = fit_calibration(labels, logits, fitted_on=source)
    by_source = unseen is not None and card.training.config.get("cross_validation") == "source"
    groups = unseen.group.fillna("").to_numpy(str) if unseen is not None and by_source else None
    thresholds = fit_thresholds(labels, calibration.apply(logits), ErrorBudget(), chosen_on=source, groups=groups)
    learned = data.positions(TRAIN)
    some = np.sort(np.random.default_rng(0).permutation(learned)[:_REFERENCES])
    ood_detector = OODDetector.fit(_outputs(bare, data, some)[1], validation_features)
    ood = OODRecord(files=_files(data, learned), sha256="", limit_from="the validation split")
    threshold = Threshold(value=0.5, chosen_on=source, criterion=_CRITERION)
    card = card.model_copy(
        update={"calibration": calibration, "decision_thresholds": thresholds, "ood": ood, "threshold": threshold}
    )
    if unseen is not None:
        unseen = unseen.assign(score=calibration.apply(logits), is_ood=False)
    return card, ood_detector, unseen


def _handled(
    card: Card,
    ood_detector: OODDetector,
    bare: Detector,
    data: TrainingData,
    unseen: pd.DataFrame | None,
    watcher: Watcher,
) -> Refit | None:
    """Fits calibration, thresholds and gate on validation images with the handling that images get.

    Returns:
        None if too few images are held out to say anything of a handling: the training images' ranges then are the
            gate.
    """
    rows = data.rows.iloc[data.positions(VALIDATION)]
    parts = [part.sample(min(MOST, len(part)), random_state=0) for _, part in rows.groupby("label")]
    if len(parts) < 2 or min(map(len, parts)) < FEWEST:
        return None
    rows = pd.concat(parts).sort_index()

    def progress(done: int, total: int) -> None:
        watcher.phase(f"measuring what handling does to the score ({done} of {total} images)")

    paths = [data.dataset.root / path for path in rows.path]
    bank = measure_handled(bare, paths, rows.label.tolist(), [HANDLINGS] * len(rows), progress=progress)
    base, source = unseen, f"{card.decision_thresholds.chosen_on}" if card.decision_thresholds else ""
    if base is None:
        originals = bank.table[bank.table.handling == ORIGINAL]
        groups = rows.group.to_numpy(object)[originals.image]
        base = pd.DataFrame({"label": originals.label, "logit": originals.logit, "group": groups})
    by_source = card.training.config.get("cross_validation") == "source"
    learned = [data.dataset.root / path for path in data.rows.iloc[data.positions(TRAIN)].path]

    def features(sound: Sequence[str]) -> np.ndarray:
        return learned_features(bare, learned, sound, progress=progress)

    return refit(card, ood_detector, bank, rows, base, source, features, by_source=by_source)


def _trained_on(data: TrainingData) -> TrainedOn | None:
    """The list of training and validation images; None if there are more than a bundle lists."""
    rows = data.rows[data.rows.split.isin([TRAIN, VALIDATION])]
    if len(rows) > MOST_IMAGES:
        return None
    signatures = looks(data.dataset.root, rows.path.tolist(), rows.sha256.tolist(), workspace.cache_dir())
    held = (rows.split == VALIDATION).tolist()
    return TrainedOn.of(rows.pixels_sha256.tolist(), rows.sha256.tolist(), signatures, held)


def _outputs(detector: Detector, data: TrainingData, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = range(0, len(positions), 64)
    parts = [detector.engine.outputs(data.pixels.gather(positions[i : i + 64])) for i in starts]
    return np.concatenate([part.logits for part in parts]), np.concatenate([part.features for part in parts])


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


def write_excluded(run: Run, excluded: pd.DataFrame) -> None:
    """Writes the excluded images with their errors to `excluded.csv`."""
    write_text(run.folder / "excluded.csv", excluded.to_csv(index=False))


def _predict(detector: Detector, data: TrainingData, split: str, watcher: Watcher) -> pd.DataFrame:
    watcher.phase(f"measuring on {split}")
    positions = data.positions(split)
    return score_rows(detector, data.rows.iloc[positions], data.pixels, positions)


def _card(config: TrainConfig, data: TrainingData, progress: Progress) -> Card:
    counts = data.dataset.counts()
    dataset = data.dataset
    return Card(
        title=config.name or f"{architectures.get(config.arch).title} on {dataset.name}",
        created=now(),
        arch=config.arch,
        loss=config.loss,
        tta_flip=config.tta_flip,
        preprocess=Preprocess(**config.spec.to_dict()),
        threshold=Threshold(value=0.5, chosen_on="nothing yet", criterion="none"),
        cam_layer=architectures.get(config.arch).cam_layer,
        training=Training(
            dataset=dataset.name,
            layout=dataset.layout,
            fingerprint=dataset.fingerprint,
            counts={str(split): {str(k): int(v) for k, v in row.items()} for split, row in counts.iterrows()},
            demonstration=dataset.demonstration,
            self_made=dataset.self_made,
            config=_without_paths(config),
            epochs_run=progress.epoch,
            best_epoch=progress.best_epoch,
            excluded=len(data.excluded),
            notes=[*dataset.notes, *dataset.doubts],
        ),
        limits=_limits(config, data),
    )


def _without_paths(config: TrainConfig) -> dict[str, Any]:
    """The configuration for publication: without code and local paths, only the names of files and folders."""
    values = config.to_dict()
    # A bundle must not refer to code.
    del values["arch_file"]
    return values | {"data_root": Path(config.data_root).name, "weights": Path(config.weights).name}


def _limits(config: TrainConfig, data: TrainingData) -> list[str]:
    """Limitations of the detector that its users need to know."""
    test = len(data.positions(TEST))
    limits = [
        "It was measured on images from the same source as its training images. Other generators, other subjects, "
        "resizing and recompression can turn its verdicts wrong.",
        "Its score is a probability only where half of the images are fake, as in its training data: where fakes are "
        "rarer, fewer of the images with a high score are fake.",
    ]
    if data.dataset.demonstration:
        limits.insert(0, "DEMONSTRATION: it recognises a simulated decoder and says nothing about real deepfakes.")
    if data.dataset.self_made:
        limits.insert(0, f"SELF-MADE fakes: {data.dataset.self_made}")
    if not test:
        decided = config.early_stopping != "off" or config.cross_validation == "off"
        limits.append(
            "There is no test split: "
            + ("the validation figures decided about epoch or thresholds and are somewhat too good." if decided else
               "the figures come from cross-validation and from few validation images.")
        )  # fmt: skip
    elif test < 200:
        limits.append(f"Its test split has only {test} images: the figures are rough.")
    if config.image_size < 64 and not config.views:
        limits.append(f"It sees images at {config.image_size} pixels: larger ones lose their fine traces.")
    return limits
