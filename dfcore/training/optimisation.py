"""Losses, targets, metrics, optimisers and learning-rate schedules of a configuration."""

from typing import Any

import numpy as np

from dfcore.training.config import TrainConfig

# Target of a unit that judges another view than the one at hand.
_NOT_ASKED = -1.0


def make_loss(config: TrainConfig) -> Any:
    """Returns the loss: cross-entropy of logits, binary on one unit or categorical on two.

    With a head for each view it is the binary cross-entropy of the unit that judges the view at hand. Not that of the
    image's mean logit: then one head could leave the work to the others, and its view would be worth little alone.
    """
    import keras

    if config.heads > 1:
        return _own_heads_loss(config.label_smoothing)
    if config.loss == "binary":
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)


def make_targets(config: TrainConfig, labels: np.ndarray) -> np.ndarray:
    """Converts labels to targets of the loss.

    Args:
        config: Names the loss and the views.
        labels: 0 real, 1 fake, int, shape (N,).

    Returns:
        float32: shape (N, 1) for binary cross-entropy; one-hot, shape (N, 2), real first, for categorical. With V views
        of an image (N, V, 1) or (N, V, 2): each is an example with the image's label; with a head for each view
        (N, V, V), where only the head of a view has its label.
    """
    views = len(config.spec.view_titles)
    if config.heads > 1:
        own = np.eye(views, dtype=bool)
        return np.where(own, labels[:, None, None], _NOT_ASKED).astype("float32")
    targets = labels.astype("float32")[:, None] if config.loss == "binary" else np.eye(2, dtype="float32")[labels]
    return targets if views == 1 else np.repeat(targets[:, None], views, axis=1)


def _asked(targets: Any, outputs: Any) -> tuple[Any, Any]:
    """Target and logit of the unit that judges each view, (N, 1)."""
    from keras import ops

    asked = ops.cast(targets >= 0, outputs.dtype)
    return ops.sum(asked * targets, -1, keepdims=True), ops.sum(asked * outputs, -1, keepdims=True)


def _own_heads_loss(smoothing: float) -> Any:
    import keras

    def loss(targets: Any, outputs: Any) -> Any:
        asked = _asked(targets, outputs)
        return keras.losses.binary_crossentropy(*asked, from_logits=True, label_smoothing=smoothing)

    return loss


def _own_heads_accuracy() -> Any:
    import keras

    def accuracy(targets: Any, outputs: Any) -> Any:
        return keras.metrics.binary_accuracy(*_asked(targets, outputs), threshold=0.0)

    return keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")


def make_accuracy(config: TrainConfig) -> Any:
    """Returns the accuracy metric on logits, at a threshold of P(fake) = 0.5."""
    import keras

    if config.heads > 1:
        return _own_heads_accuracy()
    if config.loss == "binary":
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    return keras.metrics.CategoricalAccuracy(name="accuracy")


def make_optimizer(config: TrainConfig, *, head_only: bool, epochs: int, steps: int) -> Any:
    """Returns the optimiser of one training stage.

    Args:
        config: Names the optimiser, the learning rates and the schedule.
        head_only: Whether only the head is trained; `head_lr` is then used without a schedule.
        epochs: Number of epochs in the stage, over which the cosine schedule decays.
        steps: Steps per epoch.
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
    """Computes cross-entropy, accuracy at 0.5 and ROC AUC.

    Args:
        labels: 0 real, 1 fake, shape (N,).
        logits: Logits of P(fake), shape (N,).

    Returns:
        val_loss, val_accuracy and val_auc.
    """
    from sklearn.metrics import roc_auc_score

    wide = logits.astype(np.float64)
    losses = np.logaddexp(0.0, np.where(labels == 1, -wide, wide))
    return {
        "val_loss": float(losses.mean()),
        "val_accuracy": float(((wide >= 0) == (labels == 1)).mean()),
        "val_auc": float(roc_auc_score(labels, wide)),
    }
