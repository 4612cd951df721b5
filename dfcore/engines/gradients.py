"""Gradients of OpenVINO's operations with respect to their inputs, for `gradcam`.

Importing this imports OpenVINO.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from openvino import opset13 as op


class GradientError(Exception):
    """There is no gradient rule for an operation between the layer and the logits."""


def result_of(node: Any) -> Any:
    """The first output of a node."""
    return node.output(0)


def reshaped(value: Any, shape: Sequence[int]) -> Any:
    """A value of another shape."""
    return result_of(op.reshape(value, np.array(list(shape), np.int64), special_zero=False))


def constant(value: Any) -> np.ndarray:
    """The value of a constant.

    Raises:
        GradientError: If it is none.
    """
    node = value.get_node()
    if node.get_type_name() != "Constant":
        raise GradientError("a non-constant argument")
    return np.array(node.data)


# === Rules: the gradient with respect to each input, None where there is none ===

Rule = Callable[[Any, list[Any], list[bool], Any], list[Any]]
RULES: dict[str, Rule] = {}


def _rule(*kinds: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


@_rule("Add")
def _add(_node: Any, _inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [gradient, gradient]


@_rule("Subtract")
def _subtract(_node: Any, _inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    return [gradient, result_of(op.negative(gradient)) if wanted[1] else None]


@_rule("Multiply")
def _multiply(_node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    others = reversed(inputs)
    return [
        result_of(op.multiply(gradient, other)) if want else None for other, want in zip(others, wanted, strict=True)
    ]


@_rule("SquaredDifference")
def _squared_difference(_node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    first = result_of(op.multiply(gradient, op.multiply(np.float32(2), op.subtract(*inputs))))
    return [first, result_of(op.negative(first)) if wanted[1] else None]


@_rule("Power")
def _power(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    exponent = constant(inputs[1]).astype(np.float32)
    slope = op.multiply(op.power(inputs[0], exponent - 1), exponent)
    return [result_of(op.multiply(gradient, slope)), None]


@_rule("Relu")
def _relu(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [_masked(gradient, op.greater(inputs[0], np.float32(0)))]


@_rule("Clamp")
def _clamp(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    bounds = node.get_attributes()
    above, below = (op.greater(inputs[0], np.float32(bounds["min"])), op.less(inputs[0], np.float32(bounds["max"])))
    return [_masked(gradient, op.logical_and(above, below))]


def _masked(gradient: Any, where: Any) -> Any:
    return result_of(op.select(where, gradient, np.float32(0)))


@_rule("Swish")
def _swish(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    if len(inputs) > 1:
        raise GradientError("Swish with a factor")
    sigmoid = op.sigmoid(inputs[0])
    slope = op.multiply(sigmoid, op.add(np.float32(1), op.multiply(inputs[0], op.subtract(np.float32(1), sigmoid))))
    return [result_of(op.multiply(gradient, slope))]


@_rule("Erf")
def _erf(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    slope = op.multiply(np.float32(2 / np.sqrt(np.pi)), op.exp(op.negative(op.multiply(inputs[0], inputs[0]))))
    return [result_of(op.multiply(gradient, slope))]


@_rule("ReduceMean")
def _reduce_mean(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    shape = list(inputs[0].get_shape())
    axes = [int(axis) % len(shape) for axis in constant(inputs[1]).ravel()]
    reduced = reshaped(gradient, [1 if axis in axes else size for axis, size in enumerate(shape)])
    share = np.float32(1 / np.prod([shape[axis] for axis in axes]))
    return [result_of(op.broadcast(op.multiply(reduced, share), np.array(shape, np.int64))), None]


@_rule("ReduceSum")
def _reduce_sum(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    shape = list(inputs[0].get_shape())
    axes = [int(axis) % len(shape) for axis in constant(inputs[1]).ravel()]
    reduced = reshaped(gradient, [1 if axis in axes else size for axis, size in enumerate(shape)])
    return [result_of(op.broadcast(reduced, np.array(shape, np.int64))), None]


@_rule("Divide")
def _divide(node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    first = result_of(op.divide(gradient, inputs[1]))
    return [first, result_of(op.negative(op.multiply(first, node.output(0)))) if wanted[1] else None]


@_rule("Sqrt")
def _sqrt(node: Any, _inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [result_of(op.divide(gradient, op.multiply(np.float32(2), node.output(0))))]


@_rule("Sigmoid")
def _sigmoid(node: Any, _inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    value = node.output(0)
    return [result_of(op.multiply(gradient, op.multiply(value, op.subtract(np.float32(1), value))))]


@_rule("Softmax")
def _softmax(node: Any, _inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    value, axis = node.output(0), np.array([node.get_attributes()["axis"]])
    total = op.reduce_sum(op.multiply(gradient, value), axis, keep_dims=True)
    return [result_of(op.multiply(value, op.subtract(gradient, total)))]


@_rule("MVN")
def _normalised(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    attributes, axes, value = node.get_attributes(), constant(inputs[1]), node.output(0)
    if not attributes["normalize_variance"] or attributes["eps_mode"].lower() != "inside_sqrt":
        raise GradientError("MVN that does not divide by the root of variance and epsilon")
    centred = op.subtract(inputs[0], op.reduce_mean(inputs[0], axes, keep_dims=True))
    variance = op.reduce_mean(op.multiply(centred, centred), axes, keep_dims=True)
    spread = op.sqrt(op.add(variance, np.float32(attributes["eps"])))
    shared = op.multiply(value, op.reduce_mean(op.multiply(gradient, value), axes, keep_dims=True))
    rest = op.subtract(op.subtract(gradient, op.reduce_mean(gradient, axes, keep_dims=True)), shared)
    return [result_of(op.divide(rest, spread)), None]


@_rule("Slice")
def _slice(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    start, _, step, axes = (constant(value).ravel() for value in inputs[1:])
    shape = list(inputs[0].get_shape())
    before, after = np.zeros(len(shape), np.int64), np.zeros(len(shape), np.int64)
    for axis, first, stride in zip(axes, start, step, strict=True):
        if stride != 1 or first < 0:
            raise GradientError("Slice with steps or counted from the end")
        before[axis], after[axis] = first, shape[axis] - first - gradient.get_shape()[axis]
    return [result_of(op.pad(gradient, before, after, "constant", np.float32(0))), None, None, None, None]


@_rule("MatMul")
def _matmul(node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    attributes, (first, second) = node.get_attributes(), inputs
    turned = attributes["transpose_b"]
    if attributes["transpose_a"] or (wanted[1] and len(first.get_shape()) != len(second.get_shape())):
        raise GradientError("MatMul of arrays of different ranks, or of a transposed first one")
    other = None
    if wanted[1]:
        other = result_of(
            op.matmul(gradient, first, True, False) if turned else op.matmul(first, gradient, True, False)
        )
    if not wanted[1] and len(second.get_shape()) == 2:
        # OpenVINO 2026.4 on CPUs gives wrong results when two products share a square kernel that only one transposes.
        return [result_of(op.matmul(gradient, _transposed(second), False, turned)), None]
    return [result_of(op.matmul(gradient, second, False, not turned)) if wanted[0] else None, other]


def _transposed(kernel: Any) -> Any:
    """A copy of a constant kernel, (m, n), or of one that is converted and scaled: (n, m)."""
    node = kernel.get_node()
    parts = [node.input_value(number) for number in range(node.get_input_size())]
    if node.get_type_name() == "Constant":
        return result_of(op.constant(np.ascontiguousarray(constant(kernel).T)))
    if node.get_type_name() == "Convert":
        return result_of(op.convert(_transposed(parts[0]), kernel.get_element_type().get_type_name()))
    if node.get_type_name() == "Multiply" and all(len(part.get_shape()) == 2 for part in parts):
        return result_of(op.multiply(*map(_transposed, parts)))
    return result_of(op.transpose(kernel, np.array([1, 0])))


@_rule("Reshape", "Squeeze", "Unsqueeze", "StridedSlice")
def _reshape(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    if np.prod(inputs[0].get_shape()) != np.prod(node.output(0).get_shape()):
        raise GradientError(f"{node.get_type_name()} of a part")
    return [reshaped(gradient, inputs[0].get_shape())]


@_rule("Transpose")
def _transpose(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [result_of(op.transpose(gradient, np.argsort(constant(inputs[1])))), None]


@_rule("Concat")
def _concat(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    axis = node.get_attributes()["axis"] % len(gradient.get_shape())
    lengths = np.array([value.get_shape()[axis] for value in inputs], np.int64)
    return list(op.variadic_split(gradient, np.int64(axis), lengths).outputs())


@_rule("Convolution", "GroupConvolution")
def _convolution(node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    if wanted[1]:
        raise GradientError("a convolution with a computed kernel")
    attributes = node.get_attributes()
    strides, dilations = attributes["strides"], attributes["dilations"]
    (height, width), kernel = inputs[0].get_shape()[2:], inputs[1].get_shape()[-2:]
    first, last, rest = [], [], []
    for axis, size in enumerate((height, width)):
        reach, out = (kernel[axis] - 1) * dilations[axis] + 1, gradient.get_shape()[2 + axis]
        before, after = _padding(attributes, axis, size, out, strides[axis], reach)
        first.append(before)
        last.append(after)
        rest.append(size - (strides[axis] * (out - 1) + reach - before - after))
    grouped = node.get_type_name() == "GroupConvolution"
    channels = inputs[1].get_shape()[-4:-2]
    if channels[0] == channels[1] > 1:
        # OpenVINO 2026.4 on CPUs gives wrong results when a convolution and a transposed convolution share a kernel
        # with equal numbers of input and output channels: use a convolution with the flipped kernel instead.
        if set(strides) != {1}:
            raise GradientError("a strided convolution with equal numbers of input and output channels")
        flipped = np.ascontiguousarray(np.swapaxes(constant(inputs[1])[..., ::-1, ::-1], -4, -3))
        reaches = [(size - 1) * dilation for size, dilation in zip(kernel, dilations, strict=True)]
        first = [reach - pad for reach, pad in zip(reaches, first, strict=True)]
        last = [reach - pad for reach, pad in zip(reaches, last, strict=True)]
        convolve = op.group_convolution if grouped else op.convolution
        return [result_of(convolve(gradient, flipped, strides, first, last, dilations)), None]
    transposed = op.group_convolution_backprop_data if grouped else op.convolution_backprop_data
    result = transposed(
        gradient, inputs[1], strides=strides, pads_begin=first, pads_end=last, dilations=dilations, output_padding=rest
    )
    return [result_of(result), None]


def _padding(attributes: dict[str, Any], axis: int, size: int, out: int, stride: int, reach: int) -> tuple[int, int]:
    mode = attributes["auto_pad"]
    if mode == "explicit":
        return attributes["pads_begin"][axis], attributes["pads_end"][axis]
    total = max(0, (out - 1) * stride + reach - size) if mode.startswith("same") else 0
    less, more = total // 2, total - total // 2
    return (less, more) if mode == "same_upper" else (more, less)


@_rule("MaxPool")
def _max_pool(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    """Shares the gradient among tied maxima of a window; TensorFlow gives all of it to the first."""
    attributes = node.get_attributes()
    count, channels, height, width = inputs[0].get_shape()
    rows, columns = attributes["kernel"]
    out = list(node.output(0).get_shape())
    if [*attributes["strides"]] != [rows, columns] or [out[2] * rows, out[3] * columns] != [height, width]:
        raise GradientError("MaxPool with overlapping or truncated windows")
    windows = reshaped(inputs[0], [count, channels, out[2], rows, out[3], columns])
    spread = [count, channels, out[2], 1, out[3], 1]
    largest = op.convert(op.equal(windows, reshaped(node.output(0), spread)), "f32")
    shares = op.divide(largest, op.reduce_sum(largest, np.array([3, 5]), keep_dims=True))
    return [reshaped(op.multiply(shares, reshaped(gradient, spread)), inputs[0].get_shape())]
