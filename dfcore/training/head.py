"""Trains the head on a frozen tower: a logistic regression on kept features, solved for at once, in one epoch."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore.confidence import is_fake, sigmoid
from dfcore.datasets import TRAIN, VALIDATION
from dfcore.detectors import on_tower
from dfcore.labels import FAKE, REAL
from dfcore.training import checkpoints
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.frozen import AS_IT_IS, Frozen, Variant
from dfcore.training.logistic import Examples, Part, fit
from dfcore.training.optimisation import validation_figures
from dfcore.training.progress import Progress, Watcher

if TYPE_CHECKING:
    import keras

# Inverse of the L2 penalty on standardised features, and the share of the weight that aligned pairs have beside the
# images themselves: by leaving whole sources out, see benchmarks/recipes.py.
STRENGTH = 1e-3
PAIR_SHARE = 0.5


class _Stopped(Exception):  # noqa: N818  (not an error: a stop was requested)
    """A stop was requested while the head was solved for."""


class HeadTrainer:
    """Solves for the head on prepared data, unless a checkpoint in `folder` holds it; like `Trainer`."""

    steps = 1

    def __init__(self, config: TrainConfig, data: TrainingData, folder: Path, watcher: Watcher):
        assert data.features is not None
        self.config, self.data, self.folder, self.watcher = config, data, folder, watcher
        self.features: Frozen = data.features
        self.progress = Progress()
        self._head: list[np.ndarray] = []
        saved = checkpoints.newest(folder)
        if saved is not None:
            self.progress, self._head = Progress(**saved.state), saved.arrays("head")

    def run(self) -> bool:
        """Solves for the head; returns False if the watcher stopped it before."""
        if self.progress.epoch:
            return True
        self.watcher.phase("solving for the head")
        began = time.monotonic()
        try:
            heads = [self._solved(view, began) for view in self._views()]
        except _Stopped:
            return False
        self._head = [
            np.stack([kernel for kernel, *_ in heads], 1),
            np.array([bias for _, bias, _ in heads], np.float32),
        ]
        learned = self.logits(self.data.positions(TRAIN))
        labels = self.data.labels(TRAIN)
        row = {
            "epoch": 1,
            "loss": float(np.mean([loss for *_, loss in heads])),
            "accuracy": float((is_fake(sigmoid(learned), 0.5) == labels.astype(bool)).mean()),
            "images_per_second": len(labels) / max(time.monotonic() - began, 1e-6),
        }
        row |= validation_figures(self.data.labels(VALIDATION), self.logits(self.data.positions(VALIDATION)))
        self.progress.history.append(row)
        self.progress.epoch = self.progress.best_epoch = 1
        checkpoints.save(self.folder, {"head": self._head}, asdict(self.progress))
        self.watcher.epoch(self.progress.history)
        return True

    def best_model(self) -> "keras.Model":
        """The head as a network, see `on_tower.head_model`."""
        return on_tower.head_model(*self._head)

    def logits(self, positions: np.ndarray) -> np.ndarray:
        """Logits of images by the kept features, float (N,): the mean over the views."""
        kernel, bias = self._head
        found = np.empty(len(positions))
        for start in range(0, len(positions), 256):
            some = positions[start : start + 256]
            values = self.features.gather(AS_IT_IS, some).astype(np.float32)
            by_view = [values[:, v] @ kernel[:, v % len(bias)] + bias[v % len(bias)] for v in range(values.shape[1])]
            found[start : start + len(some)] = np.mean(by_view, 0)
        return found

    def held_out_logits(self) -> np.ndarray:
        """Logits of the validation split."""
        return self.logits(self.data.positions(VALIDATION))

    def _views(self) -> list[list[int]]:
        """The views that each head learns from."""
        views = list(range(len(self.config.spec.view_titles)))
        return [[view] for view in views] if self.config.heads > 1 else [views]

    def _solved(self, views: list[int], began: float) -> tuple[np.ndarray, float, float]:
        def tell(step: int, loss: float) -> None:
            seconds = time.monotonic() - began
            speed = len(self.data.positions(TRAIN)) * step / max(seconds, 1e-6)
            self.watcher.step(
                {"time": time.time(), "epoch": 1, "step": 1, "steps": 1, "loss": loss, "images_per_second": speed,
                 "seconds_left": 0.0}
            )  # fmt: skip
            if self.watcher.should_stop():
                raise _Stopped

        return fit(Examples(tuple(self._parts(views))), STRENGTH, tell)

    def _parts(self, views: list[int]) -> list[Part]:
        learned, labels = self.data.positions(TRAIN), self.data.labels(TRAIN)
        sources = self.data.rows.group.fillna("").to_numpy(str)[learned]
        weights = cell_weights(sources, labels)
        parts: list[Part] = []
        for variant, rows in self.features.rows.items():
            there = rows[learned] >= 0
            for view in views:
                label = {"real": REAL, "fake": FAKE}.get(variant.kind)
                if label is None:
                    how, weight = labels[there], weights[there]
                else:
                    # Pairs tell decoders by their traces, which only native pixels keep.
                    if view == 0 and self.config.views:
                        continue
                    count = max(int(there.sum()), 1)
                    how = np.full(count, label)
                    weight = np.full(count, PAIR_SHARE * len(learned) / (2 * count * max(self.config.pairs, 1)))
                parts.append((self._gather(variant, view), learned[there], how, weight))
        return parts

    def _gather(self, variant: Variant, view: int):  # type: ignore[no-untyped-def]
        return lambda positions: self.features.gather(variant, positions)[:, view]


def cell_weights(sources: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights of images, (N,), with mean 1: both classes count the same, and each source in a class like the root of
    its size, so that no source drowns the others.

    Args:
        sources: The group of each image, (N,).
        labels: 0 real, 1 fake, (N,).
    """
    weights = np.zeros(len(labels))
    for label in np.unique(labels):
        among = labels == label
        for source in np.unique(sources[among]):
            cell = among & (sources == source)
            weights[cell] = 1 / np.sqrt(cell.sum())
        weights[among] /= weights[among].sum()
    return weights * len(labels) / len(np.unique(labels))
