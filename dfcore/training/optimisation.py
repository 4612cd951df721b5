"""Losses, targets, optimisers and learning-rate schedules, from a config to Keras objects."""

from typing import Any

import numpy as np

from dfcore.training.config import TrainConfig


def make_loss(config: TrainConfig) -> Any:
    """Cross-entropy on logits, binary or categorical with two units."""
    import keras

    if config.loss == "binary":
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)


def make_targets(config: TrainConfig, labels: np.ndarray) -> np.ndarray:
    """Labels (N,) as the loss wants them: float32 (N, 1), or one-hot (N, 2) with real first."""
    if config.loss == "binary":
        return labels.astype("float32")[:, None]
    return np.eye(2, dtype="float32")[labels]


def make_accuracy(config: TrainConfig) -> Any:
    """Accuracy at P(fake) = 0.5, from logits."""
    import keras

    if config.loss == "binary":
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    return keras.metrics.CategoricalAccuracy(name="accuracy")


def make_optimizer(config: TrainConfig, *, head_only: bool, epochs: int, steps: int) -> Any:
    """The optimiser of one stage of training.

    Args:
        config: names optimiser, rates and schedule.
        head_only: whether only the head is trained, at `head_lr` and without a schedule.
        epochs: epochs of the stage, over which the cosine falls.
        steps: steps an epoch.
    """
    import keras

    rate: Any = config.head_lr if head_only else config.lr
    if config.schedule == "cosine" and not head_only:
        total = max(epochs * steps, 1)
        warm = min(round(config.warmup_epochs * steps), total - 1)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warm else config.lr,
            decay_steps=total - warm,
            warmup_target=config.lr if warm else None,
            warmup_steps=warm,
        )
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    return keras.optimizers.Adam(rate)


def validation_figures(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Cross-entropy, accuracy at 0.5 and ROC AUC of logits of P(fake), keyed val_loss, val_accuracy, val_auc."""
    from sklearn.metrics import roc_auc_score

    wide = logits.astype(np.float64)
    losses = np.logaddexp(0.0, np.where(labels == 1, -wide, wide))
    return {
        "val_loss": float(losses.mean()),
        "val_accuracy": float(((wide >= 0) == (labels == 1)).mean()),
        "val_auc": float(roc_auc_score(labels, wide)),
    }
