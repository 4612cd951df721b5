"""Arithmetic on tensors, which Keras saves as operations of NumPy's names (3) or TensorFlow's (2), as layers.

Such are what `preprocess_input` does inside a network, and sums and products of branches.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.detectors.untrusted import require
from dfcore.foreign import layers
from dfcore.foreign.calls import Call, Tensor, name_of

if TYPE_CHECKING:
    from dfcore.foreign.graph import Value, _Flattener

_NUMPY = ("Add", "Subtract", "Multiply", "TrueDivide", "Divide", "GetItem", "Stack")
_TENSORFLOW = {
    "math.truediv": "Divide",
    "math.divide": "Divide",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.add": "Add",
    "__operators__.add": "Add",
    "nn.bias_add": "Add",
    "__operators__.getitem": "GetItem",
}


@dataclass(frozen=True)
class Channel:
    """One channel of a value, while an image is taken apart."""

    value: int
    number: int


def is_operation(layer: dict[str, Any]) -> bool:
    """Whether this is an operation rather than a layer."""
    module, kind = layer.get("module"), layer["class_name"]
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return True
    # Files of the older kind name no modules; there, sums of layers and of tensors have one name.
    untold = module is None and kind in _NUMPY and set(layer["config"]) <= {"name", "axis"}
    return (isinstance(module, str) and module.startswith("keras.src.ops.")) or (
        untold and (kind in ("TrueDivide", "Divide", "GetItem", "Stack") or "trainable" not in layer["config"])
    )


def add(work: "_Flattener", layer: dict[str, Any], call: Call, values: "list[Value]") -> "Value":
    """Adds an operation to a network; returns its output."""
    kind, name = layer["class_name"], name_of(layer)
    options = dict(call.options)
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        function = layer["config"].get("function")
        require(isinstance(function, str) and function in _TENSORFLOW, _unknown(name, function))
        kind = _TENSORFLOW[function]
    require(layer.get("module") in (None, "keras.src.ops.numpy") or kind != layer["class_name"], _unknown(name, kind))
    require(kind in _NUMPY, _unknown(name, kind))
    if kind == "GetItem":
        return _item(work, call, values, options, name)
    if kind == "Stack":
        return _stacked(work, layer, values, name)
    others = [each for each in call.arguments if not isinstance(each, Tensor)]
    others += [options[key] for key in ("bias", "x") if options.get(key) is not None]
    if len(values) == 2 and not others:
        require(kind in ("Add", "Subtract", "Multiply"), _unknown(name, f"{kind} of two tensors"))
        return work.step(kind, {}, values, name)
    constants = [constant(each) for each in others]
    require(len(values) == 1 and len(constants) == 1 and constants[0] is not None, _unknown(name, kind))
    first = bool(call.arguments) and isinstance(call.arguments[0], Tensor)
    config = layers.checked("Rescaling", _scaling(kind, np.array(constants[0], np.float64), first, name), name)
    return work.step("Rescaling", config, values, name)


def _scaling(kind: str, number: np.ndarray, first: bool, name: str) -> dict[str, Any]:
    """The scaling that an operation with a constant is; `first` tells that the tensor comes first."""
    if kind in ("Divide", "TrueDivide"):
        require(first and bool(number.all()), _unknown(name, kind))
        scale, offset = 1 / number, np.zeros_like(number)
    elif kind == "Multiply":
        scale, offset = number, np.zeros_like(number)
    elif kind == "Add":
        scale, offset = np.ones_like(number), number
    else:
        scale, offset = (np.ones_like(number), -number) if first else (-np.ones_like(number), number)
    return {"scale": scale.tolist(), "offset": offset.tolist()}


def constant(value: Any) -> Any:
    """A number, or a short list of numbers, one a channel; None if it is none."""
    if isinstance(value, dict) and value.get("class_name") in ("__tensor__", "__numpy__"):
        inner = value.get("config")
        value = inner.get("value") if isinstance(inner, dict) else None
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    numbers = value if isinstance(value, list) else [value]
    sound = 0 < len(numbers) <= 16 and all(
        isinstance(each, (int, float)) and not isinstance(each, bool) and abs(each) < 1e30 for each in numbers
    )
    return (value if len(numbers) > 1 else float(numbers[0])) if sound else None


def _item(work: "_Flattener", call: Call, values: "list[Value]", options: dict[str, Any], name: str) -> "Value":
    """One channel, or all in the opposite order."""
    others = [each for each in call.arguments if not isinstance(each, Tensor)]
    key = options.get("slice_spec", others[0] if others else None)
    first, last = key if isinstance(key, list) and len(key) == 2 else (None, None)
    sound = len(values) == 1 and isinstance(first, dict) and first.get("class_name") == "__ellipsis__"
    require(sound, _unknown(name, "GetItem"))
    value = values[0]
    if isinstance(last, int) and not isinstance(last, bool) and isinstance(value, int):
        return Channel(value, last)
    inner = last.get("config", last) if isinstance(last, dict) else {}
    parts = inner.get("value") if isinstance(inner, dict) and "value" in inner else None
    if isinstance(inner, dict) and "step" in inner:
        parts = [inner.get("start"), inner.get("stop"), inner["step"]]
    require(parts == [None, None, -1], _unknown(name, "GetItem"))
    return work.step("ReverseChannels", {}, [value], name)


def _stacked(work: "_Flattener", layer: dict[str, Any], values: "list[Value]", name: str) -> "Value":
    """Channels put together again."""
    whole = {each.value for each in values if isinstance(each, Channel)}
    order = [each.number for each in values if isinstance(each, Channel)]
    sound = len(whole) == 1 and len(order) == len(values) == 3 and layer["config"].get("axis") == -1
    require(sound and order in ([0, 1, 2], [2, 1, 0]), _unknown(name, "Stack"))
    value = next(iter(whole))
    return value if order == [0, 1, 2] else work.step("ReverseChannels", {}, [value], name)


def _unknown(name: str, what: Any) -> str:
    return (
        f"its layer {name[:60]!r} is an operation that is not known ({str(what)[:60]}). Use Keras's own layers instead "
        "(Rescaling, Add, Concatenate), and save the model again"
    )
