"""The layers that a network from elsewhere may be made of, and what is copied of each.

Nothing of a stranger's configuration reaches Keras but what is listed here: class names out of this table, and under
known keys plain numbers, flags and words out of short lists. Initialisers, regularisers, constraints and types of
numbers are left out, since the weights are there and everything is computed in float32.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dfcore.detectors.model_validation import ACTIVATIONS
from dfcore.detectors.untrusted import require

_MAX_SIDE, _MAX_LIST = 2**16, 4096
_INTERPOLATIONS = {"nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic"}


@dataclass(frozen=True)
class Kind:
    """What is copied of a layer.

    Attributes:
        keys: Entries of its configuration.
        weights: Names of its weights, in Keras's order.
        many: Whether it takes several tensors.
    """

    keys: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    many: bool = False


def _kind(keys: str = "", weights: str = "", *, many: bool = False) -> Kind:
    return Kind(tuple(keys.split()), tuple(weights.split()), many)


_CONVOLUTION = "filters kernel_size strides padding data_format dilation_rate groups activation use_bias"
_DEPTHWISE = "kernel_size strides padding depth_multiplier data_format dilation_rate activation use_bias"
_POOLING = "pool_size strides padding data_format"
_GLOBAL = "data_format keepdims"
KINDS: dict[str, Kind] = {
    "Activation": _kind("activation"),
    "Add": _kind(many=True),
    "Average": _kind(many=True),
    "AveragePooling2D": _kind(_POOLING),
    "BatchNormalization": _kind("axis epsilon center scale", "gamma beta moving_mean moving_variance"),
    "Concatenate": _kind("axis", many=True),
    "Conv1D": _kind(_CONVOLUTION, "kernel bias"),
    "Conv2D": _kind(_CONVOLUTION, "kernel bias"),
    "Conv2DTranspose": _kind(f"{_CONVOLUTION.replace('groups ', '')} output_padding", "kernel bias"),
    "Cropping2D": _kind("cropping data_format"),
    "Dense": _kind("units activation use_bias", "kernel bias"),
    "DepthwiseConv2D": _kind(_DEPTHWISE, "kernel bias"),
    "ELU": _kind("alpha"),
    "Flatten": _kind("data_format"),
    "GlobalAveragePooling1D": _kind(_GLOBAL),
    "GlobalAveragePooling2D": _kind(_GLOBAL),
    "GlobalMaxPooling1D": _kind(_GLOBAL),
    "GlobalMaxPooling2D": _kind(_GLOBAL),
    "GroupNormalization": _kind("groups axis epsilon center scale", "gamma beta"),
    "LayerNormalization": _kind("axis epsilon center scale", "gamma beta"),
    "LayerScale": _kind("init_values projection_dim", "gamma"),
    "LeakyReLU": _kind("negative_slope"),
    "MaxPooling2D": _kind(_POOLING),
    "Maximum": _kind(many=True),
    "Minimum": _kind(many=True),
    "Multiply": _kind(many=True),
    "PReLU": _kind("shared_axes", "alpha"),
    "Permute": _kind("dims"),
    "ReLU": _kind("max_value negative_slope threshold"),
    "Rescaling": _kind("scale offset"),
    "Reshape": _kind("target_shape"),
    "Resizing": _kind("height width interpolation data_format"),
    "ReverseChannels": _kind(),
    "SeparableConv2D": _kind(f"{_DEPTHWISE} filters", "depthwise_kernel pointwise_kernel bias"),
    "Softmax": _kind("axis"),
    "Subtract": _kind(many=True),
    "UnitNormalization": _kind("axis"),
    "UpSampling2D": _kind("size interpolation data_format"),
    "ZeroPadding2D": _kind("padding data_format"),
}
# Entries that are left out are those of training alone, of names, and of types. One of these makes it another layer.
_UNSUPPORTED: dict[str, Callable[[Any], bool]] = {
    "rms_scaling": bool,
    "renorm": bool,
    "crop_to_aspect_ratio": bool,
    "pad_to_aspect_ratio": bool,
    "antialias": bool,
    "return_attention_scores": bool,
}
# Layers that change nothing when a network judges: they act in training alone.
IDLE = frozenset({
    "ActivityRegularization", "AlphaDropout", "AugMix", "CutMix", "Dropout", "GaussianDropout", "GaussianNoise",
    "Identity", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
    "RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur",
    "RandomGrayscale", "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization",
    "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomWidth",
    "RandomZoom", "SpatialDropout1D", "SpatialDropout2D", "StochasticDepth",
})  # fmt: skip
# What people are told of layers that are refused by name.
_ADVICE = {
    "Lambda": "is code of its author's, which is never run. Use Keras's own layers instead (Rescaling for scaling), "
    "and save the model again",
    "TFSMLayer": "runs a TensorFlow SavedModel, a program, which is never run",
    "TorchModuleWrapper": "runs a pickled PyTorch module, which is code",
    "TensorFlowOpLayer": "runs an operation of TensorFlow by its name. Use Keras's own layers instead",
}


def refusal(name: str, class_name: str) -> str:
    """Why a layer cannot be adopted."""
    told = _ADVICE.get(class_name, "is none of those that are known to hold no code, or its author's own")
    return f"its layer {name[:60]!r}, of the kind {class_name[:60]}, {told}"


def checked(class_name: str, config: dict[str, Any], name: str = "") -> dict[str, Any]:
    """What is copied of a layer's configuration.

    Args:
        class_name: One of `KINDS`.
        config: Its configuration, by anybody.
        name: Its name, for messages.

    Raises:
        Refused: If a value is none that this layer can have.
    """
    where = f"its layer {name[:60]!r} ({class_name})"
    for key, unsupported in _UNSUPPORTED.items():
        require(not unsupported(config.get(key)), f"{where} has {key}, which is not supported")
    return {key: _value(class_name, key, config[key], where) for key in KINDS[class_name].keys if key in config}


def weight_names(class_name: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Names of the weights that a layer with this configuration has, in Keras's order."""
    absent = {"bias": "use_bias", "gamma": "scale", "beta": "center"}
    return tuple(
        name
        for name in KINDS[class_name].weights
        if class_name == "LayerScale" or name not in absent or config.get(absent[name], True)
    )


def _value(class_name: str, key: str, value: Any, where: str) -> Any:
    def held(holds: bool) -> None:
        require(holds, f"{where} has an invalid {key}: {value!r:.80}")

    if key == "activation":
        return _activation(value, where)
    if key in ("use_bias", "center", "keepdims") or (key == "scale" and class_name != "Rescaling"):
        held(isinstance(value, bool))
        return value
    words = {"data_format": {"channels_last"}, "interpolation": _INTERPOLATIONS, "padding": {"valid", "same"}}.get(key)
    if words is not None and not (key == "padding" and class_name == "ZeroPadding2D"):
        if key == "data_format" and value is None:
            return "channels_last"
        held(isinstance(value, str) and value in words)
        return value
    if key in ("epsilon", "alpha", "negative_slope", "max_value", "threshold", "init_values"):
        held(value is None or _is_number(value))
        return value
    if key in ("scale", "offset"):
        held(_is_number(value) or (isinstance(value, list) and len(value) <= _MAX_LIST and all(map(_is_number, value))))
        return value
    if key in ("padding", "cropping", "output_padding"):
        held(value is None or _is_whole(value, 0, deep=2))
        return value
    if key in ("axis", "target_shape", "dims", "shared_axes") or (key == "groups" and class_name != "Conv2D"):
        held(value is None or _is_whole(value, -_MAX_SIDE * 16, deep=1, most=_MAX_SIDE * 16))
        return value
    held(_is_whole(value, 1, deep=1) or (value is None and key == "strides"))
    return value


def _activation(value: Any, where: str) -> str:
    # Keras 2 names a function by an object, Keras 3 by its name.
    if isinstance(value, dict):
        known = value.get("class_name") == "function" and value.get("module") in (None, "builtins", "keras.activations")
        require(known, f"{where} has an object as its activation. Put that layer after it instead, and save it again")
        value = value.get("config")
    require(
        value is None or (isinstance(value, str) and value in ACTIVATIONS),
        f"{where} has an activation that is not known: {value!r:.60}. Expected one of {', '.join(sorted(ACTIVATIONS))}",
    )
    return value or "linear"


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e30
    )


def _is_whole(value: Any, least: int, *, deep: int, most: int = _MAX_SIDE) -> bool:
    """Whether this is a whole number within limits, or a short list of such, nested `deep` at most."""
    if isinstance(value, list):
        return deep > 0 and len(value) <= 8 and all(_is_whole(part, least, deep=deep - 1, most=most) for part in value)
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
