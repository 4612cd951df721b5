"""A plain convolutional network: convolution, max-pooling, flatten, dropout, dense."""

from typing import Any

from dfcore.architectures.registry import HEAD, register_architecture

_WIDTHS = (32, 64, 128, 128, 128, 128, 128)
_LAST_MAP = 8


def convolutions(x: Any, *, prefix: str) -> Any:
    """Blocks of 3x3 convolution, ReLU and 2x2 max-pooling until the feature map is at most 8 pixels wide.

    The last convolution is named `{prefix}_last`.
    """
    from keras import layers

    blocks = 0
    while x.shape[1] > _LAST_MAP or blocks < 2:
        last = x.shape[1] // 2 <= _LAST_MAP and blocks >= 1
        name = f"{prefix}_last" if last else f"{prefix}_{blocks + 1}"
        width = _WIDTHS[min(blocks, len(_WIDTHS) - 1)]
        x = layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.MaxPooling2D(name=f"{prefix}_pool_{blocks + 1}")(x)
        blocks += 1
    return x


@register_architecture(
    "cnn",
    title="CNN",
    summary="Small classic network, trained from scratch; quick on a CPU and a fair first baseline.",
    cam_layer="conv_last",
    min_size=16,
)
def features(inputs: Any, weights: str) -> Any:
    """See `register_architecture`."""
    from keras import layers

    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    x = convolutions(x, prefix="conv")
    x = layers.Flatten(name=f"{HEAD}flatten")(x)
    x = layers.Dropout(0.2, name=f"{HEAD}flat_dropout")(x)
    return layers.Dense(128, activation="relu", name=f"{HEAD}dense")(x)
