"""The end of a run: calibrates and evaluates the model and writes the bundle."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfcore import architectures, workspace
from dfcore.confidence import ErrorBudget
from dfcore.datasets import TEST, TRAIN, VALIDATION
from dfcore.datasets.looks import looks
from dfcore.detectors import on_tower, subject
from dfcore.detectors.bundle import (
    now,
    place,
    write_bundle,
    write_card,
    write_ood_detector,
    write_replay,
    write_trained_on,
)
from dfcore.detectors.card import Card, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import MOST_IMAGES, TrainedOn
from dfcore.engines import EngineName
from dfcore.evaluation import (
    CROSS_VALIDATION,
    HANDLED,
    full_metrics,
    predictions_path,
    score_rows,
    write_predictions,
)
from dfcore.exchange.optimize import optimize
from dfcore.runs.run import Run
from dfcore.training import replay
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.fitting import fit_confidence
from dfcore.training.gate_images import Heads
from dfcore.training.progress import Progress, Watcher
from dfcore.utils.files import write_text

if TYPE_CHECKING:
    import keras

# Number of images on which the engines are compared.
_COMPARED = 64


@dataclass(frozen=True)
class Trained:
    """Result of training.

    Attributes:
        model: The network with the weights of the best epoch.
        progress: The progress of training, with the history.
        unseen: Out-of-fold logits of the training images, None without cross-validation.
        heads: Of a network on a tower the heads that gave those, by fold.
    """

    model: "keras.Model"
    progress: Progress
    unseen: pd.DataFrame | None = None
    heads: Heads = field(default_factory=dict)


def finish(
    run: Run,
    config: TrainConfig,
    data: TrainingData,
    trained: Trained,
    watcher: Watcher,
    budget: ErrorBudget = ErrorBudget(),
) -> None:
    """Fits calibration, thresholds and OOD detector, evaluates the detector and writes the bundle.

    Scores are computed by the saved bundle, not by the model in memory, so that reported figures are those that users
    get.

    Args:
        run: The run.
        config: Its configuration.
        data: Its data.
        trained: What was trained.
        watcher: Told of the progress.
        budget: Error budget that thresholds and gate are fitted for.
    """
    card = _card(config, data, trained.progress)
    with tempfile.TemporaryDirectory(dir=run.folder, prefix=".finish-") as aside:
        made = Path(aside) / "bundle"
        write_bundle(made, trained.model, card)
        watcher.phase("optimizing for OpenVINO")
        card = optimize(made, data.pixels.gather(data.positions(VALIDATION)[:_COMPARED]))
        # The engine that users get; "auto" would not choose OpenVINO if the run's folder is outside the workspace.
        engine: EngineName = "openvino" if card.openvino and card.openvino.enabled else "keras"
        fitted = fit_confidence(card, Detector.load(made, engine), data, trained.unseen, watcher, trained.heads, budget)
        card = write_ood_detector(made, fitted.card, fitted.ood_detector)
        watcher.phase("listing the training images")
        listed = _trained_on(data)
        if listed is not None:
            card = write_trained_on(made, card, listed)
        card = subject.told(card, data.pixels, data.positions(TRAIN))
        write_card(made, card)
        detector = Detector.load(made, engine)
        watcher.phase("keeping features of what it learned from")
        card = write_replay(made, card, replay.of_run(detector, data))
        tables = {split: _predict(detector, data, split, watcher) for split in (VALIDATION, TEST)}
        if fitted.unseen is not None:
            tables[CROSS_VALIDATION] = fitted.unseen
        watcher.phase("writing the detector")
        run.write_metrics(write_results(made, card, tables, fitted.handled))
        place(made, run.bundle)
    for split, table in tables.items():
        write_predictions(predictions_path(run.folder, split), table)


def write_results(
    made: Path, card: Card, tables: dict[str, pd.DataFrame], handled: pd.DataFrame | None
) -> dict[str, dict[str, Any]]:
    """Adds figures and predictions to a bundle; returns the figures by split.

    Args:
        made: Folder of the bundle.
        card: Its card.
        tables: Predictions by split.
        handled: Held-out images after handling, if that was measured.
    """
    metrics = {name: full_metrics(table, card.threshold.value, card.thresholds) for name, table in tables.items()}
    results = {split: {k: v for k, v in result.items() if k != "report"} for split, result in metrics.items()}
    write_card(made, card.model_copy(update={"results": results}))
    for split, table in tables.items():
        # Part of the bundle, so that the curves can be drawn wherever the bundle is copied.
        if len(table):
            write_predictions(predictions_path(made, split), table)
    if handled is not None:
        write_predictions(predictions_path(made, HANDLED), handled)
    return metrics


def _trained_on(data: TrainingData) -> TrainedOn | None:
    """The list of training and validation images; None if there are more than a bundle lists."""
    rows = data.rows[data.rows.split.isin([TRAIN, VALIDATION])]
    if len(rows) > MOST_IMAGES:
        return None
    signatures = looks(data.dataset.root, rows.path.tolist(), rows.sha256.tolist(), workspace.cache_dir())
    held = (rows.split == VALIDATION).tolist()
    return TrainedOn.of(rows.pixels_sha256.tolist(), rows.sha256.tolist(), signatures, held)


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
        tower=on_tower.record() if config.on_tower else None,
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
    if config.cross_validation == "source":
        measured = (
            "Its figures come from leaving out each of its sources in turn, but for those of the "
            f"{'test' if test else 'validation'} split, whose images are of sources that it learned from."
        )
    else:
        measured = "It was measured on images from the same source as its training images."
    limits = [
        f"{measured} Other generators, other subjects, resizing and recompression can turn its verdicts wrong.",
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
