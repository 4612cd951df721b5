"""Builds a network that was read as data, from Keras's layers, up to one logit of P(fake)."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.architectures.registry import LOGIT
from dfcore.detectors.model_validation import check_sizes
from dfcore.detectors.untrusted import Refused, require
from dfcore.errors import InputError
from dfcore.foreign.graph import Step
from dfcore.foreign.ranges import Colours, Range
from dfcore.foreign.read import Network
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

_INPUT = "image"


def build(
    network: Network, side: int, *, fake_first: bool, scaling: Range | None = None, colours: Colours = "rgb"
) -> "keras.Model":
    """Builds a flat Functional model with one logit of P(fake).

    Args:
        network: The network.
        side: Side in pixels of the square that it takes.
        fake_first: Whether its first class is the fakes; else its first class is the real images.
        scaling: Becomes the first layer, so that the model takes pixels in [0, 255]; None leaves pixels to the caller.
        colours: Order of the channels that it learned from.

    Raises:
        InputError: If it cannot be built, is too large, or has other outputs than one or two classes.
    """
    before = [] if scaling is None else scaling.steps(colours)
    try:
        check_sizes(lambda: _model(network, side, before, fake_first))
        model, layers = _assembled(network, side, before, fake_first)
        for layer, arrays in layers:
            _set(layer, arrays)
        return model
    except Refused as error:
        raise InputError(f"{printable(network.file)} cannot be adopted: {printable(error)}.") from None


def cam_layer(model: "keras.Model") -> str:
    """The layer for heat-maps: the last convolution that still sees places; the last of all if none does."""
    from dfcore.architectures import heat_map_layers

    names = heat_map_layers(model)
    seeing = [name for name in names if min(model.get_layer(name).output.shape[1:3]) > 1]
    return (seeing or names)[-1]


def _model(network: Network, side: int, before: Sequence[tuple[str, dict[str, Any]]], fake_first: bool) -> Any:
    return _assembled(network, side, before, fake_first)[0]


_Filled = list[tuple[Any, tuple[np.ndarray, ...]]]


def _assembled(
    network: Network, side: int, before: Sequence[tuple[str, dict[str, Any]]], fake_first: bool
) -> tuple["keras.Model", _Filled]:
    """The model without its weights, and what each layer is to be filled with."""
    import keras

    names: set[str] = {_INPUT, LOGIT}
    image = keras.Input((side, side, 3), name=_INPUT)
    x = image
    for kind, config in before:
        x = _layer(kind, config, _unique(f"input_{kind.lower()}", names))(x)
    tensors: list[Any] = [x]
    filled: _Filled = []
    *inner, last = network.steps[: network.output]
    for step in inner:
        tensors.append(_called(step, tensors, names, filled))
    units, arrays, x = _last(last, tensors, names, filled)
    logits = _layer("Dense", {"units": 1}, LOGIT)
    output = logits(x)
    filled.append((logits, _one_logit(units, arrays, fake_first)))
    model = keras.Model(image, output, name="adopted")
    require(bool(_maps(model)), "it has no convolution, at whose output heat-maps are computed")
    return model, filled


def _maps(model: "keras.Model") -> list[str]:
    from dfcore.architectures import heat_map_layers

    return heat_map_layers(model)


def _last(step: Step, tensors: list[Any], names: set[str], filled: _Filled) -> tuple[int, tuple[np.ndarray, ...], Any]:
    """Number of outputs, weights of the layer that gives them, and what that layer takes.

    Where no dense layer gives them, the outputs are taken by one that leaves them as they are.
    """
    if step.kind == "Dense" and len(tensors[step.inputs[0]].shape) == 2:
        units, (kernel, *bias) = step.config.get("units"), step.weights
        require(
            kernel.ndim == 2 and kernel.shape == (tensors[step.inputs[0]].shape[-1], units), "its last layer is odd"
        )
        return (
            _units(units),
            (kernel, bias[0] if bias else np.zeros(kernel.shape[1], np.float32)),
            tensors[step.inputs[0]],
        )
    x = _called(step, tensors, names, filled)
    require(len(x.shape) == 2, f"its output has the shape {tuple(x.shape[1:])} an image. Expected one or two numbers")
    units = _units(x.shape[-1])
    return units, (np.eye(units, dtype=np.float32), np.zeros(units, np.float32)), x


def _units(units: Any) -> int:
    require(units in (1, 2), f"it has {units} outputs. Expected one (sigmoid) or two (softmax)")
    return int(units)


def _one_logit(units: int, arrays: tuple[np.ndarray, ...], fake_first: bool) -> tuple[np.ndarray, ...]:
    """Weights of the one logit of P(fake): that of the second class, or what it has over the first class."""
    kernel, bias = (array.astype(np.float64) for array in arrays)
    if units == 2:
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    sign = -1.0 if fake_first else 1.0
    return (sign * kernel).astype(np.float32), (sign * bias).astype(np.float32)


def _called(step: Step, tensors: list[Any], names: set[str], filled: _Filled) -> Any:
    layer = _layer(step.kind, step.config, _unique(step.name or step.kind.lower(), names))
    if step.weights:
        filled.append((layer, step.weights))
    taken = [tensors[number] for number in step.inputs]
    return layer(taken if len(taken) > 1 else taken[0])


def _layer(kind: str, config: dict[str, Any], name: str) -> Any:
    import keras

    from dfcore.architectures import layers as ours

    if kind in ("CaffeInput", "ReverseChannels"):
        kinds: Any = ours
    elif kind == "LayerScale":
        from keras.src.applications import convnext

        kinds = convnext
    else:
        kinds = keras.layers
    return getattr(kinds, kind)(**config, name=name, dtype="float32")


def _set(layer: Any, arrays: tuple[np.ndarray, ...]) -> None:
    wanted, given = [tuple(weight.shape) for weight in layer.weights], [array.shape for array in arrays]
    require(wanted == given, f"the weights of its layer {layer.name!r} have the shapes {given}. Expected {wanted}")
    layer.set_weights(list(arrays))


def _unique(name: str, names: set[str]) -> str:
    """A plain name that no other layer has; a network within a network may have used it already."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:80] or "layer"
    # These names mean something here: the head, and what heat-maps leave out.
    plain = plain.replace("spectrum", "spectral") if "spectrum" in plain else plain
    plain = f"own_{plain}" if plain.startswith(("head_", "explain_")) or plain == "token_map" else plain
    result, number = plain, 1
    while result in names:
        number += 1
        result = f"{plain}_{number}"
    names.add(result)
    return result
