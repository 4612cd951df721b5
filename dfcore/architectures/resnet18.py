"""ResNet-18 (He et al., "Deep Residual Learning for Image Recognition", 2016), which Keras lacks."""

from typing import Any

from dfcore.architectures.registry import HEAD, register_architecture

_SMALL = 64


def _convolve(x: Any, width: int, kernel: int, stride: int, name: str) -> Any:
    from keras import layers

    x = layers.Conv2D(width, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)


def _block(x: Any, width: int, stride: int, name: str) -> Any:
    from keras import layers

    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = _convolve(x, width, 1, stride, f"{name}_shortcut")
    x = layers.ReLU(name=f"{name}_relu_1")(_convolve(x, width, 3, stride, f"{name}_conv_1"))
    x = layers.Add(name=f"{name}_add")([_convolve(x, width, 3, 1, f"{name}_conv_2"), shortcut])
    return layers.ReLU(name=f"{name}_relu_2")(x)


@register_architecture(
    "resnet18",
    title="ResNet-18",
    summary="Residual network of 18 layers, trained from scratch; stronger than the CNN, slower to train.",
    cam_layer="stage_4_2_conv_2",
    min_size=16,
)
def features(inputs: Any, weights: str) -> Any:
    """See `register_architecture`. Up to 64 pixels the stem keeps the resolution, as usual for CIFAR."""
    from keras import layers

    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    if inputs.shape[1] <= _SMALL:
        x = layers.ReLU(name="stem_relu")(_convolve(x, 64, 3, 1, "stem"))
    else:
        x = layers.ReLU(name="stem_relu")(_convolve(x, 64, 7, 2, "stem"))
        x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in (1, 2):
            x = _block(x, width, 2 if stage > 1 and block == 1 else 1, f"stage_{stage}_{block}")
    return layers.GlobalAveragePooling2D(name=f"{HEAD}pool")(x)
