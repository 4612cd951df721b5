"""Which blocks of CLIP, which penalty and how many handled copies a head for faces learns best from.

Run from the project's root: `python -m benchmarks.face_heads ../shared/data/faces > benchmarks/results/face_heads.txt`.
Five folds of what may be learned from; `valid` is never looked at. Each head is judged on the images that it did not
learn from, as they are and in the handled copies that the training draws. Features are computed once and kept: 4,500
views, a quarter of an hour, or more with blocks above the eighth. What the best one made of another source is told in
docs/results.md: it does not ship.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from benchmarks.presets import Printer
from dfcore.datasets import TRAIN
from dfcore.training.config import TrainConfig, make_config
from dfcore.training.data import TrainingData, prepare
from dfcore.training.folds import fold_data
from dfcore.training.frozen import Variant
from dfcore.training.head import HeadTrainer

SETTINGS: dict[str, Any] = {
    "arch": "clip_vit_b16", "weights": "shipped", "image_size": 224, "resize": "fit_crop", "folds": 5,
    "cross_validation": "content", "validation_share": 0.06, "valid_as_test": True,
}  # fmt: skip
FIRST, PENALTIES = (1, 3, 4, 5, 6, 7, 8), (2.4e-2, 2.4e-1, 2.4)
RATE = 0.05


def forms(config: TrainConfig) -> list[Variant]:
    return [Variant("drawn", number) for number in range(1 + config.handled)]


def held_out(config: TrainConfig, data: TrainingData) -> np.ndarray:
    """Logits of all images that may be learned from in each form, (forms, N), by heads that did not see them."""
    found = np.full((1 + config.handled, len(data.rows)), np.nan)
    for _, fold in fold_data(data, config.folds, "content", config.seed):
        with tempfile.TemporaryDirectory() as folder:
            trainer = HeadTrainer(config, fold, Path(folder), Printer(verbose=False))
            trainer.run()
        kernel, bias = trainer.best_model().get_weights()
        positions = fold.positions("validation")
        for number, variant in enumerate(forms(config)):
            features = trainer.features.gather(variant, positions)[:, 0, : len(kernel)].astype(np.float32)
            found[number, positions] = (features @ kernel + bias)[:, 0]
    return found


def told(labels: np.ndarray, logits: np.ndarray) -> str:
    """ROC AUC, and the share of fakes found where `RATE` of the real ones are called fake."""
    rates, recalls, _ = roc_curve(labels, logits)
    return f"{roc_auc_score(labels, logits):.4f} {np.interp(RATE, rates, recalls):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--last", type=int, default=8, help="last block, for which features are computed")
    parser.add_argument("--copies", type=int, default=2, help="handled copies of each image")
    options = parser.parse_args()
    settings = SETTINGS | {"last_block": options.last, "handled": options.copies, "data_root": str(options.root)}
    config = make_config(settings)

    def tell(text: str, done: int, total: int) -> None:
        print(f"\r{text}: {done} of {total}", end="", flush=True, file=sys.stderr)

    data = prepare(config, tell)
    learned = data.positions(TRAIN)
    data = replace(data, rows=data.rows.assign(split=np.where(data.rows.split == TRAIN, TRAIN, "")))
    labels = data.rows.label.to_numpy(int)[learned]
    print(f"{len(learned)} images; of each in {config.folds} folds: ROC AUC, fakes found at {RATE:.0%} false alarms")
    print("first to last block, inverse penalty: as they are | handled copies")
    for first, penalty in product(FIRST, PENALTIES):
        if first > options.last:
            continue
        found = held_out(config.model_copy(update={"first_block": first, "inverse_penalty": penalty}), data)[:, learned]
        handled = told(np.tile(labels, config.handled), found[1:].ravel())
        print(f"{first:2} to {options.last}, {penalty:g}: {told(labels, found[0])} | {handled}", flush=True)


if __name__ == "__main__":
    main()
