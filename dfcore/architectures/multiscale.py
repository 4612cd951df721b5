"""MobileNetV2 with features from all depths: generators leave traces in textures as well as in objects."""

from typing import Any

from dfcore.architectures.registry import HEAD, register_architecture

# From edges to whole objects; the expanded layers hold most of what separates fakes.
SCALES = (
    "Conv1_relu",
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_9_add",
    "block_12_add",
    "block_13_expand_relu",
    "out_relu",
)


def _multiscale(inputs: Any, weights: str, stem_stride: int) -> Any:
    import keras

    from dfcore.architectures.layers import MeanStdPooling

    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    given = None if weights == "none" else weights
    backbone = keras.applications.MobileNetV2(include_top=False, weights=given, input_tensor=x)
    if stem_stride == 1:
        backbone = _without_stem_stride(backbone, inputs)
    pooled = [MeanStdPooling(name=f"{HEAD}stats_{name}")(backbone.get_layer(name).output) for name in SCALES]
    features = keras.layers.Concatenate(name=f"{HEAD}levels")(pooled)
    # Levels differ in scale by orders of magnitude; the one unit over them needs them alike.
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{HEAD}norm")(features)


def _without_stem_stride(backbone: Any, inputs: Any) -> Any:
    """The same network with stride 1 in its first convolution; the same weights fit."""
    import keras

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        return type(layer).from_config(config | {"strides": (1, 1)} if layer.name == "Conv1" else config)

    fine = keras.models.clone_model(backbone, clone_function=copy, input_tensors=[inputs])
    fine.set_weights(backbone.get_weights())
    return fine


@register_architecture(
    "mobilenetv2_multiscale",
    title="MobileNetV2, all depths",
    summary="Judges textures as well as things: statistics of eight depths of a pretrained MobileNetV2.",
    cam_layer="block_6_expand",
    image_size=224,
    pretrained=True,
    any_size=True,
)
def mobilenetv2_multiscale(inputs: Any, weights: str) -> Any:
    """MobileNetV2 (Sandler et al., 2018) with the channels' means and standard deviations at `SCALES` as features."""
    return _multiscale(inputs, weights, stem_stride=2)


@register_architecture(
    "mobilenetv2_multiscale_fine",
    title="MobileNetV2, all depths, every pixel",
    summary="The same without the first halving: for small images, or four times the work.",
    cam_layer="block_6_expand",
    image_size=32,
    pretrained=True,
    any_size=True,
)
def mobilenetv2_multiscale_fine(inputs: Any, weights: str) -> Any:
    """`mobilenetv2_multiscale` with stride 1 first, which keeps finer traces (Gragnaniello et al., 2021)."""
    return _multiscale(inputs, weights, stem_stride=1)
