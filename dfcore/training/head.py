"""Trains the head on a frozen tower: a logistic regression on kept features, solved for at once, in one epoch."""

import itertools
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore.confidence import is_fake, sigmoid
from dfcore.datasets import TRAIN, VALIDATION
from dfcore.detectors import on_tower
from dfcore.labels import FAKE, REAL
from dfcore.towers import clip
from dfcore.training import checkpoints
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.frozen import AS_IT_IS, Frozen, Variant
from dfcore.training.logistic import Part, fit
from dfcore.training.optimisation import validation_figures
from dfcore.training.progress import Progress, Watcher
from dfcore.utils.work import Stopped

if TYPE_CHECKING:
    import keras

# Weight beside the images as they are: of their handled copies, and of aligned pairs.
HANDLED_SHARE, PAIR_SHARE = 0.3, 0.5
# Weight of the logits of all further views together beside that of the first, where each view has its own head.
FURTHER_SHARE = 1 / 3
# A source teaches a view at native pixels only if sizes tell its classes apart no better than this AUC: such a view
# shows another zoom if the size is another.
MOST_BY_SIZE = 0.65
# All chosen by leaving whole sources out, see benchmarks/recipes.py and its results.


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
        except Stopped:
            return False
        kernels, biases, losses = zip(*heads, strict=True)
        self._head = self._combined(np.stack(kernels, 1), np.array(biases, np.float32))
        learned = self.logits(self.data.positions(TRAIN))
        labels = self.data.labels(TRAIN)
        row = {
            "epoch": 1,
            "loss": float(np.mean(losses)),
            "accuracy": float((is_fake(sigmoid(learned), 0.5) == labels.astype(bool)).mean()),
            "images_per_second": len(labels) / max(time.monotonic() - began, 1e-6),
        }
        row |= validation_figures(self.data.labels(VALIDATION), self.logits(self.data.positions(VALIDATION)))
        self.progress.history.append(row)
        self.progress.epoch = self.progress.best_epoch = 1
        checkpoints.save(self.folder, {"head": self._head}, asdict(self.progress))
        self.watcher.epoch(self.progress.history)
        return True

    @property
    def head(self) -> tuple[np.ndarray, np.ndarray]:
        """What was solved for: kernel, float32 (768 * blocks, units), and bias, (units,)."""
        kernel, bias = self._head
        return kernel, bias

    def best_model(self) -> "keras.Model":
        """The head as a network, see `on_tower.head_model`."""
        return on_tower.head_model(*self.head)

    def logits(self, positions: np.ndarray) -> np.ndarray:
        """Logits of images by the kept features, float (N,): the mean over the views."""
        kernel, bias = self._head
        views = range(len(self.config.spec.view_titles))
        heads = [view % len(bias) for view in views]
        by_view = [
            self._view_logits(positions, view, kernel[:, head], bias[head])
            for view, head in zip(views, heads, strict=True)
        ]
        return np.mean(by_view, 0)

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
                raise Stopped

        whole, biases, losses = np.zeros(self.config.blocks * clip.WIDTH, np.float32), 0.0, 0.0
        for blocks, share in self._blocks(first=0 in views):
            kernel, bias, loss = fit(self._parts(views, blocks), self.config.inverse_penalty, tell)
            whole[blocks] = share * kernel
            biases, losses = biases + share * bias, losses + share * loss
        return whole, biases, losses

    def _blocks(self, *, first: bool) -> list[tuple[slice, float]]:
        """Features that a head learns from, with the share of each part; of late blocks too in the `first` view."""
        start, stop, late = self.config.first_block - 1, self.config.last_block, self.config.late_weight
        if not first or not late:
            return [(slice(start * clip.WIDTH, stop * clip.WIDTH), 1.0)]
        bounds = (start, stop, clip.BLOCKS)
        parts = [slice(a * clip.WIDTH, b * clip.WIDTH) for a, b in itertools.pairwise(bounds)]
        return list(zip(parts, (1 - late, late), strict=True))

    def _combined(self, kernels: np.ndarray, biases: np.ndarray) -> list[np.ndarray]:
        """The heads, those of further views scaled so that their logits spread as far as `FURTHER_SHARE` says."""
        if len(biases) == 1:
            return [kernels, biases]
        learned = self.data.positions(TRAIN)
        spreads = [
            float(np.std(self._view_logits(learned, view, kernels[:, view], biases[view])))
            for view in range(len(biases))
        ]
        share = FURTHER_SHARE / (len(biases) - 1)
        # Never enlarged: a head that hardly tells images apart has little to say.
        scale = np.array([1.0, *(min(share * spreads[0] / max(each, 1e-6), 1.0) for each in spreads[1:])], np.float32)
        return [kernels * scale, biases * scale]

    def _view_logits(self, positions: np.ndarray, view: int, kernel: np.ndarray, bias: float) -> np.ndarray:
        found = np.empty(len(positions))
        for start in range(0, len(positions), 256):
            some = slice(start, start + 256)
            features = self.features.gather(AS_IT_IS, positions[some])[:, view, : len(kernel)]
            found[some] = features.astype(np.float32) @ kernel + bias
        return found

    def _parts(self, views: list[int], blocks: slice) -> list[Part]:
        learned, labels = self.data.positions(TRAIN), self.data.labels(TRAIN)
        rows = self.data.rows.iloc[learned]
        sources = rows.group.fillna("").to_numpy(str)
        sides = rows[["width", "height"]].min(axis=1).to_numpy(float)
        native = views != [0] and 0 not in views
        taught = matched(sources, labels, sides) if native else np.ones(len(learned), bool)
        if not taught.any() and not self.config.pairs:
            taught[:] = True  # There is nothing better to learn from.
        if native:
            names = ", ".join(sorted(set(sources[taught])) or ["aligned pairs alone"])
            self.watcher.phase(f"solving for the head of view {views[0] + 1}, taught by {names or 'all images'}")
        weights = np.zeros(len(learned))
        if taught.any():
            weights[taught] = cell_weights(sources[taught], labels[taught])
        whole = float(weights.sum()) or float(len(learned))
        parts: list[Part] = []
        for variant, known in self.features.rows.items():
            there = known[learned] >= 0
            if variant.kind == "drawn":
                there &= taught
                share = 1.0 if variant == AS_IT_IS else HANDLED_SHARE / self.config.handled
                how, weight = labels[there], share * weights[there]
            elif native:
                # Pairs differ by a decoder's traces alone, which only native pixels keep.
                how = np.full(int(there.sum()), FAKE if variant.kind == "fake" else REAL)
                weight = np.full(len(how), PAIR_SHARE * whole / (2 * max(len(how), 1) * self.config.pairs))
            else:
                continue
            parts += [Part(self._gather(variant, view, blocks), learned[there], how, weight) for view in views]
        return parts

    def _gather(self, variant: Variant, view: int, blocks: slice) -> Callable[[np.ndarray], np.ndarray]:
        return lambda positions: self.features.gather(variant, positions)[:, view, blocks]


def matched(sources: np.ndarray, labels: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Images of sources whose sizes do not tell their classes apart, bool (N,).

    Args:
        sources: The group of each image, (N,).
        labels: 0 real, 1 fake, (N,).
        sides: Shorter sides in pixels, (N,).
    """
    from sklearn.metrics import roc_auc_score

    result = np.zeros(len(labels), bool)
    for source in np.unique(sources):
        among = sources == source
        if len(set(labels[among])) == 2:
            result[among] = abs(roc_auc_score(labels[among], sides[among]) - 0.5) <= MOST_BY_SIZE - 0.5
    return result


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
