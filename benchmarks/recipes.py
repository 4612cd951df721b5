"""How well recipes for heads on CLIP tell fakes of a source that they never saw: leave one source out, and ablations.

Run from the project's root: `python -m benchmarks.recipes ROOT`, with the data set that `benchmarks.sources` makes.
Each source is held out once with its real and fake images; what is printed is the ROC AUC on it, and the mean. Features
are computed once (a quarter of an hour; with --pairs longer) and kept; every recipe then takes seconds. Seeds resample
the training images. With --beside, data sets that no recipe learns from are judged as well, by what all sources taught:
`dfcore data frames ../shared/data/films data/film_frames --per-film 8`, and those of `benchmarks.further_sources`.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.presets import Printer
from dfcore.datasets import TRAIN
from dfcore.datasets.cache import Pixels
from dfcore.towers import clip
from dfcore.training import head
from dfcore.training.config import TrainConfig, make_config
from dfcore.training.data import TrainingData, prepare
from dfcore.training.folds import fold_data
from dfcore.training.frozen import Frozen
from dfcore.training.logistic import Part, fit

WEIGHTS = Path("../shared/weights/mobilenet_v2_1.0_224_imagenet_no_top.weights.h5")
_ALL: dict[str, Any] = {"last_block": clip.BLOCKS, "late_weight": 0.0}
SETTINGS: dict[str, Any] = {
    "arch": "clip_vit_b16", "weights": "shipped", "resize": "fit_crop", "views": "native", "view_heads": "own",
    "handled": 1, "late_weight": 0.2, "validation_share": 0.1, "test_share": 0.0, "cross_validation": "source",
}  # fmt: skip
# Settings, and constants of `dfcore.training.head`, that a recipe changes.
RECIPES: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "one view": {"FURTHER_SHARE": 0.0},
    "no handled copies": {"HANDLED_SHARE": 1e-6},
    "handled copies count as much as images": {"HANDLED_SHARE": 1.0},
    "both views alike": {"FURTHER_SHARE": 1.0},
    "native view taught by all sources": {"MOST_BY_SIZE": 1.0},
    "no late blocks": {"late_weight": 0.0},
    "late blocks count for 0.4": {"late_weight": 0.4},
    "late blocks count for 0.6": {"late_weight": 0.6},
    "all twelve blocks": {"first_block": 1, "inverse_penalty": 1e-3} | _ALL,
    "all twelve blocks, one view": {"first_block": 1, "inverse_penalty": 1e-3, "FURTHER_SHARE": 0.0} | _ALL,
    "blocks 5 to 12": {"first_block": 5, "inverse_penalty": 1e-3} | _ALL,
    "the last block's class token alone": {"first_block": 12, "inverse_penalty": 1.2e-2, "FURTHER_SHARE": 0.0} | _ALL,
}
SEEDS = 3

Judge = Callable[[TrainingData], np.ndarray]


@contextmanager
def constants(values: dict[str, Any]) -> Iterator[None]:
    """Other constants of `dfcore.training.head`."""
    before = {name: getattr(head, name) for name in values}
    try:
        for name, value in values.items():
            setattr(head, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(head, name, value)


def without_pairs(features: Frozen) -> Frozen:
    return replace(features, rows={k: rows for k, rows in features.rows.items() if k.kind == "drawn"})


def resampled(data: TrainingData, seed: int) -> TrainingData:
    """As many images, drawn with replacement within each source and class."""
    random = np.random.default_rng(seed)
    cells = data.rows.groupby(["group", "label"]).indices.values()
    chosen = np.concatenate([random.choice(cell, len(cell)) for cell in cells])
    features = data.features
    assert features is not None
    return replace(
        data,
        rows=data.rows.iloc[chosen].reset_index(drop=True),
        features=replace(features, rows={variant: rows[chosen] for variant, rows in features.rows.items()}),
        pixels=Pixels(data.pixels.store, data.pixels.rows[chosen], {}),
    )


def judge(config: TrainConfig) -> Judge:
    def held_out(fold: TrainingData) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            trainer = head.HeadTrainer(config, fold, Path(folder), Printer(verbose=False))
            trainer.run()
            return trainer.held_out_logits()

    return held_out


def mobilenet(data: TrainingData, penalty: float) -> Judge:
    """The same head on MobileNetV2's mean features of the whole picture."""
    import keras

    network = keras.applications.MobileNetV2(weights=WEIGHTS, include_top=False, pooling="avg")
    everything = np.arange(len(data.rows))
    parts = [data.pixels.gather(everything[i : i + 64])[:, 0] for i in range(0, len(everything), 64)]
    features = np.concatenate([network.predict(part / 127.5 - 1.0, verbose=0) for part in parts])

    def held_out(fold: TrainingData) -> np.ndarray:
        learned, labels = fold.positions(TRAIN), fold.labels(TRAIN)
        weights = head.cell_weights(fold.rows.group.to_numpy(str)[learned], labels)
        kernel, bias, _ = fit([Part(lambda rows: features[rows], learned, labels, weights)], penalty)
        return features[fold.positions("validation")] @ kernel + bias

    return held_out


def by_source(data: TrainingData, held_out: Judge, train: TrainingData | None = None) -> dict[str, float]:
    """ROC AUC on each source that has both classes, from what was learned from the others.

    Args:
        data: The images.
        held_out: From a fold to logits of its held-out images.
        train: Other training images, e.g. resampled ones.
    """
    taught = dict(fold_data(train, 2, "source", 0)) if train is not None else {}
    found = {}
    for name, fold in fold_data(data, 2, "source", 0):
        if name in taught:
            fold = joined(taught[name], fold)
        found[name] = float(roc_auc_score(fold.labels("validation"), held_out(fold)))
    return found


def joined(learned: TrainingData, held: TrainingData) -> TrainingData:
    """The training split of one fold with the held-out images of another, or of another data set."""
    import pandas as pd

    first, second = learned.positions(TRAIN), held.positions("validation")
    assert learned.features is not None and held.features is not None
    none = np.full(len(held.rows), -1)
    rows = {
        variant: np.concatenate([known[first], held.features.rows.get(variant, none)[second]])
        for variant, known in learned.features.rows.items()
    }
    table = pd.concat([learned.rows.iloc[first], held.rows.iloc[second]], ignore_index=True)
    # Features are kept in one file, which grows: who opened it last sees all of them.
    store = max(learned.features.store, held.features.store, key=len)
    return replace(learned, rows=table, features=Frozen(store, rows))


def beside(roots: list[Path], config: TrainConfig, tell: Callable[[str, int, int], None]) -> dict[str, TrainingData]:
    """Data sets that nothing is learned from, by name."""
    found = {}
    for root in roots:
        own = config.model_copy(update={"data_root": str(root), "handled": 0, "cross_validation": "off"} | _ALL)
        data = prepare(own, tell)
        found[root.name] = replace(data, rows=data.rows.assign(split="validation"))
    return found


def row(name: str, values: list[float], others: list[float]) -> str:
    """The mean over held-out sources and each, then other data sets."""
    by_itself, beside_it = (" ".join(f"{value:.3f}" for value in some) for some in (values, others))
    return f"{name:44} {np.mean(values):.3f}  {by_itself}  {beside_it}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--pairs", action="store_true", help="with aligned pairs too")
    parser.add_argument("--beside", type=Path, nargs="+", default=[], help="data sets that are judged and not learned")
    options = parser.parse_args()
    config = make_config({"data_root": str(options.root), "pairs": int(options.pairs), **SETTINGS})

    def tell(text: str, done: int, total: int) -> None:
        print(f"\r{text}: {done} of {total}", end="", flush=True)

    # Some recipes look at all blocks.
    data = prepare(config.model_copy(update=_ALL), tell)
    data = replace(data, rows=data.rows.assign(split=TRAIN))
    assert data.features is not None
    others = beside(options.beside, config, tell)
    sources = sorted(name for name, labels in data.rows.groupby("group").label if labels.nunique() == 2)
    print(f"\nROC AUC on the held-out source: mean, then {', '.join(sources)}; then {', '.join(others) or 'no others'}")
    plain = replace(data, features=without_pairs(data.features))

    def measure(name: str, held_out: Judge, learned: TrainingData, train: TrainingData | None = None) -> None:
        found = by_source(learned, held_out, train)
        both = [joined(train or learned, other) for other in others.values()]
        aside = [float(roc_auc_score(each.labels("validation"), held_out(each))) for each in both]
        print(row(name, [found[source] for source in sorted(found)], aside), flush=True)

    for name, changes in RECIPES.items():
        settings = {key: value for key, value in changes.items() if key in TrainConfig.model_fields}
        recipe = config.model_copy(update=settings)
        with constants({key: value for key, value in changes.items() if key not in settings}):
            measure(name, judge(recipe), plain)
            if options.pairs:
                measure(f"{name}, with pairs", judge(recipe), data)
    for seed in range(SEEDS):
        measure(f"the recipe, images resampled, seed {seed}", judge(config), plain, resampled(plain, seed))
    if WEIGHTS.is_file():
        others.clear()
        measure("MobileNetV2", mobilenet(plain, config.inverse_penalty), plain)


if __name__ == "__main__":
    main()
