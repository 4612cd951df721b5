"""What adapting to a source gains there and costs elsewhere: each is held out in turn, then learned from few pictures.

Run from the project's root: `python -m benchmarks.adapting ROOT`, with the data set that `benchmarks.sources` makes. A
head is trained without the source, then changed by a few of its pictures, drawn anew for each seed, and measured on the
rest of it. The cost is measured on each of the other sources, by heads that were trained without it and changes that
have not learned from it.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.recipes import SETTINGS, judge
from dfcore.datasets import TRAIN, VALIDATION
from dfcore.towers import clip
from dfcore.training import adaptation
from dfcore.training.adaptation import Examples, change, folds_of_sources
from dfcore.training.config import TrainConfig, make_config
from dfcore.training.data import TrainingData, prepare
from dfcore.training.frozen import AS_IT_IS

SEEDS = 3


def logits_without(config: TrainConfig, data: TrainingData, out: set[str]) -> np.ndarray:
    """Logits of all images by a head that was trained without some sources."""
    rows = data.rows
    split = np.where(rows.group.isin(out), VALIDATION, TRAIN)
    taught = replace(data, rows=rows.assign(split=split))
    # What is held out is scored; the head's own images are not asked for.
    result = np.full(len(rows), np.nan)
    result[taught.positions(VALIDATION)] = judge(config)(taught)
    return result


def cases(config: TrainConfig, data: TrainingData) -> Iterator[tuple[str, Examples, Examples]]:
    """For each source its name, the others as what was learned, and itself as what is new."""
    groups, labels = data.rows.group.to_numpy(str), data.rows.label.to_numpy(int)
    assert data.features is not None
    columns = slice((config.first_block - 1) * clip.WIDTH, config.blocks * clip.WIDTH)
    kept = data.features.gather(AS_IT_IS, np.arange(len(labels)))[:, :, columns].astype(np.float32)
    seen = np.ones(kept.shape[1:], bool)
    seen[1:, (config.last_block - config.first_block + 1) * clip.WIDTH :] = False  # Late blocks: the first view alone.
    design = kept[:, seen] / np.float32(kept.shape[1])
    sources = [name for name in np.unique(groups) if len(set(labels[groups == name])) == 2]
    for name in sources:
        new = groups == name
        logits = logits_without(config, data, {name})
        unseen = logits.copy()
        for other in sources:
            if other != name:
                unseen[groups == other] = logits_without(config, data, {name, other})[groups == other]
        old = np.isin(groups, sources) & ~new
        folds = folds_of_sources(groups[old])
        yield (
            name,
            Examples(design[old], unseen[old], labels[old], groups[old], folds),
            Examples(design[new], logits[new], labels[new], groups[new], np.zeros(int(new.sum()), int)),
        )


def some_of(new: Examples, a_class: int, seed: int) -> tuple[Examples, Examples]:
    """So many pictures of each class, at most half of them, and the rest."""
    random = np.random.default_rng(seed)
    parts = [random.permutation(np.flatnonzero(new.labels == label)) for label in (0, 1)]
    chosen = np.concatenate([part[: min(a_class, len(part) // 2)] for part in parts])
    rest = np.setdiff1d(np.arange(len(new.labels)), chosen)
    first, second = (
        replace(
            new,
            design=new.design[rows],
            logits=new.logits[rows],
            labels=new.labels[rows],
            sources=new.sources[rows],
            folds=new.folds[rows],
        )
        for rows in (chosen, rest)
    )
    return first, second


def auc(examples: Examples, logits: np.ndarray) -> float:
    return float(roc_auc_score(examples.labels, logits))


def measured(old: Examples, new: Examples, a_class: int, seed: int) -> tuple[float, float, float, float]:
    """ROC AUC on the rest of the new source before and after, and the mean of the others."""
    learned, rest = some_of(new, a_class, seed)
    weights, bias = change(old, learned)
    before, after = [], []
    for fold in np.unique(old.folds):
        own = old.folds == fold
        # The fold is left out of the old images only: the new ones have none.
        part = replace(old, folds=np.where(own, -1, old.folds))
        slope, shift = change(part, learned)
        of_fold = replace(old, labels=old.labels[own])
        before.append(auc(of_fold, old.logits[own]))
        after.append(auc(of_fold, old.logits[own] + old.design[own] @ slope + shift))
    return (
        auc(rest, rest.logits),
        auc(rest, rest.logits + rest.design @ weights + bias),
        float(np.mean(before)),
        float(np.mean(after)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    options = parser.parse_args()
    config = make_config({"data_root": str(options.root), **SETTINGS, "handled": 0})
    data = prepare(config, lambda text, done, total: print(f"\r{text}: {done} of {total}", end="", flush=True))
    found = list(cases(config, data))
    print("\nROC AUC before and after: on the rest of the new source, on the others (mean); then each new source")
    settings = [(strength, 25) for strength in (0.06, 0.25, 1.0, 4.0, 16.0)]
    settings += [(adaptation.STRENGTH, count) for count in (10, 50)]
    for strength, count in settings:
        adaptation.STRENGTH = strength
        rows = {
            name: np.mean([measured(old, new, count, seed) for seed in range(SEEDS)], 0) for name, old, new in found
        }
        mean = np.mean(list(rows.values()), 0)
        each = ", ".join(f"{name} {row[0]:.2f} to {row[1]:.2f}" for name, row in rows.items())
        print(
            f"strength {strength:5}, {count} a class: new {mean[0]:.3f} to {mean[1]:.3f}, others {mean[2]:.3f} to "
            f"{mean[3]:.3f} ({each})",
            flush=True,
        )


if __name__ == "__main__":
    main()
