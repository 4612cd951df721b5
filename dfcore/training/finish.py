"""The end of a run: it measures itself on validation and test, and leaves a bundle."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfcore import architectures
from dfcore.bundles import Card, Preprocess, Threshold, Training, now, write_bundle
from dfcore.datasets import TEST, VALIDATION
from dfcore.detector import Detector
from dfcore.evaluation import choose_threshold, evaluate_scores, predictions_path, score_rows, write_predictions
from dfcore.files import write_text
from dfcore.runs.store import Run
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.progress import Progress, Watcher

if TYPE_CHECKING:
    import keras

_CRITERION = "best balanced accuracy on the validation split"


def finish(
    run: Run, config: TrainConfig, data: TrainingData, model: "keras.Model", progress: Progress, watcher: Watcher
) -> None:
    """Writes predictions, metrics and the bundle of a trained model.

    The scores come from the saved bundle and not from the model in memory, so that what is reported
    is what users will get.
    """
    card = _card(config, data, progress)
    with tempfile.TemporaryDirectory(dir=run.folder, prefix=".finish-") as aside:
        made = Path(aside) / "bundle"
        write_bundle(made, model, card)
        detector = Detector.load(made)
        tables = {split: _predict(detector, data, split, watcher) for split in (VALIDATION, TEST)}
    validation = tables[VALIDATION]
    threshold = choose_threshold(validation.label, validation.score)
    metrics = {}
    for split, table in tables.items():
        write_predictions(predictions_path(run.folder, split), table)
        metrics[split] = evaluate_scores(table.label.astype(int), table.score, threshold)
    run.write_metrics(metrics)
    results = {split: {k: v for k, v in found.items() if k != "report"} for split, found in metrics.items()}
    chosen = Threshold(value=threshold, chosen_on=VALIDATION, criterion=_CRITERION)
    card = card.model_copy(update={"threshold": chosen, "results": results})
    watcher.phase("writing the detector")
    write_bundle(run.bundle, model, card)
    for split, table in tables.items():
        # They travel with the detector, so that its curves can be drawn wherever it goes.
        write_predictions(predictions_path(run.bundle, split), table)


def write_excluded(run: Run, excluded: pd.DataFrame) -> None:
    """Lists the images that took no part in `excluded.csv`, each with its reason."""
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
        preprocess=Preprocess(**config.spec.to_dict()),
        threshold=Threshold(value=0.5, chosen_on="nothing yet", criterion="none"),
        cam_layer=architectures.get(config.arch).cam_layer,
        training=Training(
            dataset=dataset.name,
            layout=dataset.layout,
            fingerprint=dataset.fingerprint,
            counts={str(split): {str(k): int(v) for k, v in row.items()} for split, row in counts.iterrows()},
            demonstration=dataset.demonstration,
            config=_without_paths(config),
            epochs_run=progress.epoch,
            best_epoch=progress.best_epoch,
            excluded=len(data.excluded),
            notes=list(dataset.notes),
        ),
        limits=_limits(config, data),
    )


def _without_paths(config: TrainConfig) -> dict[str, Any]:
    """The config as it may travel: names of files and folders without the paths of this machine."""
    values = config.to_dict()
    return values | {"data_root": Path(config.data_root).name, "weights": Path(config.weights).name}


def _limits(config: TrainConfig, data: TrainingData) -> list[str]:
    """What anybody who acts on the verdicts has to know, from what is known of the run."""
    test = len(data.positions(TEST))
    limits = [
        "It was measured on images from the same source as its training images. Other generators, other subjects, "
        "resizing and recompression can turn its verdicts wrong.",
        "Its score is no calibrated probability.",
    ]
    if data.dataset.demonstration:
        limits.insert(0, "DEMONSTRATION: it recognises a simulated decoder and says nothing about real deepfakes.")
    if not test:
        limits.append(
            "There is no test split: the validation figures decided about epoch and threshold and are somewhat "
            "too good."
        )
    elif test < 200:
        limits.append(f"Its test split has only {test} images: the figures are rough.")
    if config.image_size < 64:
        limits.append(f"It sees images at {config.image_size} pixels: larger ones lose their fine traces.")
    return limits
