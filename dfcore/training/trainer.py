"""The trainer: runs `fit` epoch by epoch, with validation and a checkpoint after each.

The state of training (best epoch, patience, learning-rate factor, history) is a `Progress`, which is stored with the
variables, so that a resumed run continues as if it had not been interrupted.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore import architectures
from dfcore.datasets import TRAIN, VALIDATION, augment
from dfcore.datasets.pipeline import training_batches
from dfcore.engines import KerasEngine
from dfcore.training import checkpoints
from dfcore.training.config import TrainConfig
from dfcore.training.data import TrainingData
from dfcore.training.failures import translated
from dfcore.training.hardware import apply_precision, make_strategy
from dfcore.training.head import HeadTrainer
from dfcore.training.optimisation import (
    make_accuracy,
    make_loss,
    make_optimizer,
    make_targets,
    validation_figures,
)
from dfcore.training.progress import LEAST_GAIN, Progress, Watcher
from dfcore.training.reporter import StepReporter

if TYPE_CHECKING:
    import keras


class Trainer:
    """Trains a model on prepared data, starting from the newest checkpoint in `folder` if there is one.

    After a stop, `run` can be called again.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, folder: Path, watcher: Watcher):
        self.config, self.data, self.folder, self.watcher = config, data, folder, watcher
        self.progress = Progress()
        self.steps = math.ceil(len(data.positions(TRAIN)) / config.batch_size)
        apply_precision(config.precision)
        self.strategy = make_strategy()
        with translated(config):
            self.model = self._build()
        self._head_only: bool | None = None
        self._best: list[np.ndarray] = []
        self._eval_seconds = 0.0
        self._restore()

    # === The run ===

    def run(self) -> bool:
        """Trains until the last epoch or early stopping; returns False if the watcher stopped it before."""
        while not self._finished():
            self._enter_stage(head_only=self._is_head_epoch(self.progress.epoch))
            with translated(self.config):
                images_per_second = self._train_epoch()
            if images_per_second is None:
                self._save()
                return False
            with translated(self.config):
                self._judge_epoch(images_per_second)
            self.watcher.phase(f"keeping epoch {self.progress.epoch}")
            self._save()
            self.watcher.epoch(self.progress.history)
            if not self._finished() and self.watcher.should_stop():
                return False
        return True

    def best_model(self) -> "keras.Model":
        """Builds the model in float32 with the weights of the best epoch; changes the global dtype policy."""
        import keras

        keras.config.set_dtype_policy("float32")
        model = architectures.build_model(
            self.config.arch,
            size=self.config.image_size,
            loss=self.config.loss,
            dropout=self.config.dropout,
            heads=self.config.heads,
        )
        model.set_weights(self._best)
        return model

    def held_out_logits(self) -> np.ndarray:
        """Logits of the validation split by `best_model`."""
        config = self.config
        views = len(config.spec.view_titles)
        engine = KerasEngine(self.best_model(), tta_flip=config.tta_flip, views=views, loss=config.loss)
        return self._validation_logits(engine)

    def _finished(self) -> bool:
        config, progress = self.config, self.progress
        tired = config.early_stopping != "off" and progress.waited >= config.patience
        return progress.epoch >= config.epochs or tired

    def _train_epoch(self) -> float | None:
        """Trains the current epoch from the current step; returns images per second, or None if stopped early."""
        config, progress = self.config, self.progress
        labels = self.data.labels(TRAIN)
        weights = self.data.class_weights()[labels] if config.class_weights else None
        batches = training_batches(
            self.data.pixels,
            self.data.positions(TRAIN),
            make_targets(config, labels),
            batch_size=config.batch_size,
            augmentation=self._augmentation(),
            seed=config.seed,
            epoch=progress.epoch,
            skip=progress.step,
            weights=weights,
        )
        reporter = StepReporter(progress, self.steps, len(labels), config, self.watcher, self._eval_seconds)
        self.watcher.phase(f"training epoch {progress.epoch + 1} of {config.epochs}")
        self._set_plateau_rate()
        self.model.fit(batches, epochs=1, verbose=0, callbacks=[reporter], shuffle=False)
        return None if reporter.stopped else reporter.images_per_second

    def _augmentation(self) -> str:
        """The augmentation; without random crops in the last epochs.

        The activation statistics of crops differ from those of full images (Touvron et al., 2019).
        """
        whole = self.progress.epoch >= self.config.epochs - self.config.full_image_epochs
        return augment.without_random_crop(self.config.augmentation) if whole else self.config.augmentation

    def _judge_epoch(self, images_per_second: float) -> None:
        """Evaluates the epoch on validation, adds its row to the history and updates the best epoch."""
        config, progress = self.config, self.progress
        self.watcher.phase(f"validating epoch {progress.epoch + 1}")
        row = {
            "epoch": progress.epoch + 1,
            "loss": progress.loss_sum / progress.images_seen,
            "accuracy": progress.accuracy_sum / progress.images_seen,
            "lr": self._rate(),
            "images_per_second": images_per_second,
        }
        began = time.monotonic()
        row |= validation_figures(self.data.labels(VALIDATION), self._validation_logits(self._engine))
        self._eval_seconds = time.monotonic() - began
        progress.history.append(row)
        was_head = self._is_head_epoch(progress.epoch)
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.loss_sum, progress.accuracy_sum, progress.images_seen = 0.0, 0.0, 0
        if progress.improves(row, config.early_stopping):
            progress.best_epoch, progress.waited = progress.epoch, 0
            self._best = self.model.get_weights()
        elif not was_head:
            # Results with frozen layers say little about the whole network, so they do not use up patience.
            progress.waited += 1
        if config.schedule == "plateau" and not was_head:
            self._watch_plateau(row["val_loss"])

    def _watch_plateau(self, loss: float) -> None:
        """Halves the learning rate after `plateau_patience` epochs without a lower validation loss.

        This is independent of the metric that early stopping monitors.
        """
        progress = self.progress
        if progress.plateau_value is None or loss < progress.plateau_value - LEAST_GAIN:
            progress.plateau_value, progress.plateau_waited = loss, 0
            return
        progress.plateau_waited += 1
        if progress.plateau_waited >= self.config.plateau_patience:
            progress.lr_factor, progress.plateau_waited = progress.lr_factor / 2, 0

    # === The model ===

    def _build(self) -> "keras.Model":
        import keras

        keras.utils.set_random_seed(self.config.seed)
        with self.strategy.scope():
            return architectures.build_model(
                self.config.arch,
                # It is trained on crops and applied to full images.
                size=None if augment.has_random_crop(self.config.augmentation) else self.config.image_size,
                weights=self.config.weights,
                loss=self.config.loss,
                dropout=self.config.dropout,
                heads=self.config.heads,
            )

    def _is_head_epoch(self, epoch: int) -> bool:
        return self.config.pretrained and epoch < self.config.freeze_epochs

    def _enter_stage(self, *, head_only: bool) -> None:
        """Freezes the layers that the stage keeps frozen and compiles the model, once per stage."""
        import keras

        if head_only == self._head_only:
            return
        config = self.config
        for layer in architectures.backbone_layers(self.model):
            # Pretrained batch normalisation stays frozen: its moving averages would lag for hundreds of steps.
            frozen_norm = config.pretrained and isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = not (head_only or frozen_norm)
        freeze_epochs = min(config.freeze_epochs, config.epochs) if config.pretrained else 0
        epochs = freeze_epochs if head_only else config.epochs - freeze_epochs
        with self.strategy.scope():
            optimizer = make_optimizer(config, head_only=head_only, epochs=epochs, steps=self.steps)
            self.model.compile(
                optimizer, make_loss(config), weighted_metrics=[], metrics=[make_accuracy(config)], jit_compile=False
            )
            self.model.optimizer.build(self.model.trainable_variables)
        self._head_only = head_only
        self._engine = KerasEngine(self.model, views=len(config.spec.view_titles), loss=config.loss)

    def _set_plateau_rate(self) -> None:
        if self.config.schedule == "plateau" and not self._head_only:
            self.model.optimizer.learning_rate = self.config.lr * self.progress.lr_factor

    def _rate(self) -> float:
        return float(np.asarray(self.model.optimizer.learning_rate))

    def _validation_logits(self, engine: KerasEngine) -> np.ndarray:
        positions = self.data.positions(VALIDATION)
        parts = [
            engine.logits(self.data.pixels.gather(positions[start : start + 64]))
            for start in range(0, len(positions), 64)
        ]
        return np.concatenate(parts)

    # === Checkpoints ===

    def _save(self) -> None:
        variables = {
            "model": self.model.variables,
            "optimizer": self.model.optimizer.variables,
            # In the same file, so that the weights always match `best_epoch`.
            "best": self._best,
        }
        checkpoints.save(self.folder, variables, asdict(self.progress))

    def _restore(self) -> None:
        saved = checkpoints.newest(self.folder)
        if saved is None:
            return
        self.progress = Progress(**saved.state)
        # The saved optimiser belongs to the stage of the last completed step.
        last = self.progress.epoch if self.progress.step else max(self.progress.epoch - 1, 0)
        self._enter_stage(head_only=self._is_head_epoch(last))
        saved.assign("model", self.model.variables)
        saved.assign("optimizer", self.model.optimizer.variables)
        self._best = saved.arrays("best")


def trainer_for(config: TrainConfig, data: TrainingData, folder: Path, watcher: Watcher) -> Trainer | HeadTrainer:
    """What trains a network with this configuration."""
    return (HeadTrainer if config.on_tower else Trainer)(config, data, folder, watcher)
