"""Backbones from `keras.applications`, inlined into one flat graph, optionally with ImageNet weights."""

from collections.abc import Callable
from typing import Any

from dfcore.architectures.registry import HEAD, register_architecture


def _features(backbone: Any) -> Any:
    from keras import layers

    return layers.GlobalAveragePooling2D(name=f"{HEAD}pool")(backbone.output)


def _inline(build: Callable[..., Any], x: Any, weights: str, **options: Any) -> Any:
    return build(include_top=False, weights=None if weights == "none" else weights, input_tensor=x, **options)


@register_architecture(
    "mobilenetv2",
    title="MobileNetV2",
    summary="Light pretrained network; with ImageNet weights the best choice for few images and no GPU.",
    cam_layer="Conv_1",
    image_size=224,
    pretrained=True,
    any_size=True,
)
def mobilenetv2(inputs: Any, weights: str) -> Any:
    """MobileNetV2 (Sandler et al., 2018)."""
    import keras

    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    return _features(_inline(keras.applications.MobileNetV2, x, weights))


@register_architecture(
    "resnet50",
    title="ResNet-50",
    summary="The usual reference of published detectors; pretrained, slow on a CPU.",
    cam_layer="conv5_block3_3_conv",
    image_size=224,
    pretrained=True,
    any_size=True,
)
def resnet50(inputs: Any, weights: str) -> Any:
    """ResNet-50 (He et al., 2016)."""
    import keras

    from dfcore.architectures.layers import CaffeInput

    return _features(_inline(keras.applications.ResNet50, CaffeInput(name="caffe_input")(inputs), weights))


@register_architecture(
    "efficientnetv2b0",
    title="EfficientNetV2-B0",
    summary="Pretrained network with much accuracy for its size; slower than MobileNetV2 on a CPU.",
    cam_layer="top_conv",
    image_size=224,
    pretrained=True,
    any_size=True,
)
def efficientnetv2b0(inputs: Any, weights: str) -> Any:
    """EfficientNetV2-B0 (Tan and Le, 2021); rescales its input itself."""
    import keras

    return _features(_inline(keras.applications.EfficientNetV2B0, inputs, weights))


@register_architecture(
    "convnext_tiny",
    title="ConvNeXt-Tiny",
    summary="Modern convolutional network, pretrained; for a GPU.",
    cam_layer="convnext_tiny_stage_3_block_2_depthwise_conv",
    image_size=224,
    pretrained=True,
    any_size=True,
)
def convnext_tiny(inputs: Any, weights: str) -> Any:
    """ConvNeXt-Tiny (Liu et al., 2022); rescales its input itself. Its nested stem and down-sampling are unnested."""
    import keras

    nested = _inline(keras.applications.ConvNeXtTiny, inputs, weights)

    def call(layer: Any, *tensors: Any, **options: Any) -> Any:
        if not isinstance(layer, keras.Sequential):
            return layer(*tensors, **options)
        x = tensors[0]
        for inner in layer.layers:
            x = inner(x)
        return x

    flat = keras.models.clone_model(nested, clone_function=_fresh, call_function=call, input_tensors=inputs)
    # The order of weights differs between the two; the names of layers do not.
    originals = {layer.name: layer for layer in _leaves(nested)}
    for layer in flat.layers:
        if layer.weights:
            layer.set_weights(originals[layer.name].get_weights())
    return _features(flat)


def _leaves(model: Any) -> Any:
    import keras

    for layer in model.layers:
        yield from _leaves(layer) if isinstance(layer, keras.Model) else (layer,)


def _fresh(layer: Any) -> Any:
    """Copies a layer without its connections; the parts of a Sequential are copied too."""
    import keras

    if isinstance(layer, keras.Sequential):
        return keras.Sequential([_fresh(inner) for inner in layer.layers], name=layer.name)
    return type(layer).from_config(layer.get_config())
