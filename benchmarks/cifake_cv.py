"""Cross-validated accuracy on the 2,000 labelled CIFAKE images, trained by dfcore's own trainer.

Run from the project's root: `python -m benchmarks.cifake_cv`. Each fifth of the images is tested on once, by a
network that was trained on the rest; an eighth of that rest is held out for early stopping and for the threshold.
Copies of one image never stand on both sides. Recipes are compared with `--validation-only`, which reads no
figure off a test fold.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfcore.datasets import TEST, TRAIN, VALIDATION, Dataset, scan

REFERENCE = 0.8696
FOLDS, VALIDATION_PARTS = 5, 8
RECIPE: dict[str, Any] = {
    "arch": "mobilenetv2",
    "weights": "../shared/weights/mobilenet_v2_1.0_224_imagenet_no_top.weights.h5",
    "image_size": 96,
    "epochs": 9,
    "head_epochs": 1,
    "batch_size": 32,
    "lr": 3e-4,
    "head_lr": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 0.5,
    "optimizer": "adam",
    "early_stopping": "auc",
    "patience": 6,
    "label_smoothing": 0.0,
    "dropout": 0.3,
    "augmentation": "flip",
    "seed": 0,
}


class Printer:
    """A watcher that prints a line an epoch when it is wanted."""

    def __init__(self, verbose: bool):
        self.verbose = verbose

    def phase(self, text: str) -> None:
        pass

    def step(self, row: dict[str, float]) -> None:
        pass

    def epoch(self, history: list[dict[str, float]]) -> None:
        if self.verbose:
            names = ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "images_per_second")
            figures = "  ".join(f"{name} {history[-1][name]:.4f}" for name in names)
            print(f"  epoch {history[-1]['epoch']}: {figures}", flush=True)

    def should_stop(self) -> bool:
        return False


def folds(found: Dataset, seed: int) -> Iterator[Dataset]:
    """The data set once a fold, each time with every usable image in train, validation or test."""
    from sklearn.model_selection import StratifiedGroupKFold

    usable = found.usable
    labels, contents = usable.label.to_numpy(int), usable.sha256.to_numpy(str)
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (rest, test) in enumerate(parts.split(labels, labels, contents)):
        inner = StratifiedGroupKFold(VALIDATION_PARTS, shuffle=True, random_state=seed + number)
        _, held = next(inner.split(labels[rest], labels[rest], contents[rest]))
        table = found.table.copy()
        table.loc[usable.index, "split"] = TRAIN
        table.loc[usable.index[rest[held]], "split"] = VALIDATION
        table.loc[usable.index[test], "split"] = TEST
        yield found.with_table(table)


def train(config: Any, dataset: Dataset, pixels: Any, *, verbose: bool) -> tuple[Any, Any]:
    """Trains on one fold; returns its data and the best epoch's engine."""
    from dfcore.engines import KerasEngine
    from dfcore.training.data import TrainingData
    from dfcore.training.trainer import Trainer

    data = TrainingData(dataset, dataset.usable.reset_index(drop=True), pixels, dataset.unreadable)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, data, Path(folder), Printer(verbose))
        trainer.run()
        return data, KerasEngine(trainer.best_model())


def judge(data: Any, engine: Any, split: str, threshold: float) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Labels, scores and metrics of one split."""
    from dfcore.detector import score_of
    from dfcore.evaluation import evaluate_scores

    positions = data.positions(split)
    starts = range(0, len(positions), 64)
    scores = score_of(np.concatenate([engine.logits(data.pixels.gather(positions[i : i + 64])) for i in starts]))
    labels = data.labels(split)
    return labels, scores, evaluate_scores(labels, scores, threshold)


def run_fold(config: Any, dataset: Dataset, pixels: Any, options: argparse.Namespace) -> dict[str, float]:
    """Trains and measures one fold: the threshold comes from validation, the test fold is scored once."""
    from dfcore.evaluation import choose_threshold, evaluate_scores

    data, engine = train(config, dataset, pixels, verbose=options.verbose)
    labels, scores, validation = judge(data, engine, VALIDATION, 0.5)
    threshold = choose_threshold(labels, scores)
    figures = {
        "threshold": threshold,
        "val_accuracy": validation["accuracy"],
        "val_auc": validation["roc_auc"],
        "val_log_loss": validation["log_loss"],
    }
    if not options.validation_only:
        labels, scores, test = judge(data, engine, TEST, threshold)
        at_half = evaluate_scores(labels, scores, 0.5)["accuracy"]
        figures |= {"accuracy": test["accuracy"], "accuracy_at_half": at_half, "auc": test["roc_auc"]}
    return figures


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over the folds."""
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.4f}"


def report(rows: Sequence[dict[str, float]]) -> None:
    """Prints the figures over all folds beside the reference."""
    accuracies = [row["accuracy"] for row in rows]
    print(f"accuracy at the threshold chosen on validation: {spread(accuracies)} (mean ± standard deviation)")
    print(f"accuracy at 0.5:                                {spread([row['accuracy_at_half'] for row in rows])}")
    print(f"ROC AUC:                                        {spread([row['auc'] for row in rows])}")
    mean = float(np.mean(accuracies))
    verdict = "above" if mean > REFERENCE else "NOT above"
    print(f"reference accuracy: {REFERENCE}; the mean at the threshold chosen on validation is {verdict} it")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", default="../shared/data/cifake")
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five folds to run")
    parser.add_argument("--validation-only", action="store_true", help="print validation figures, touch no test fold")
    parser.add_argument("--verbose", action="store_true", help="print a line an epoch")
    for name, value in RECIPE.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=value, type=type(value), help=f"default: {value}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    import tensorflow as tf

    from dfcore.datasets.cache import load_pixels
    from dfcore.training.config import make_config

    recipe = {name: getattr(options, name) for name in RECIPE}
    config = make_config(recipe | {"data_root": options.data_root})
    shown = recipe | {"weights": Path(config.weights).name}
    print("CIFAKE,", FOLDS, "folds, stratified; recipe:", ", ".join(f"{k}={v}" for k, v in shown.items()))
    found = scan(options.data_root)
    counts = found.usable.label.value_counts()
    print(f"{counts[0]} real and {counts[1]} fake images; TensorFlow {tf.__version__}", flush=True)
    usable = found.usable
    paths = [found.root / path for path in usable.path]
    pixels = load_pixels(paths, list(usable.sha256), config.spec, folder=Path(), mode="memory")
    rows = []
    for number, dataset in zip(range(options.folds), folds(found, config.seed), strict=False):
        began = time.monotonic()
        rows.append(run_fold(config, dataset, pixels, options))
        figures = "  ".join(f"{name} {value:.4f}" for name, value in rows[-1].items())
        print(f"fold {number + 1}: {figures}  ({time.monotonic() - began:.0f} s)", flush=True)
    if not options.validation_only:
        report(rows)


if __name__ == "__main__":
    main()
