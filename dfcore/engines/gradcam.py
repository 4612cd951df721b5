"""Grad-CAM inside an OpenVINO graph, by reverse-mode differentiation, since OpenVINO computes no gradients.

Sources: Selvaraju et al., 2017, equations 1 and 2; Griewank and Walther, Evaluating Derivatives, 2008, chapter 3.
Importing this imports OpenVINO.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from dfcore.engines.base import GRADCAM, LOGITS, MAPS


class GradientError(Exception):
    """There is no gradient rule for an operation between the layer and the logits."""


def add_gradcam(model: Any, heads: int = 1) -> Any:
    """Adds a Grad-CAM output to a graph.

    Args:
        model: Graph with outputs "logits", (N, 1), (N, 2) or (N, heads), and "maps", (N, h, w, C): the activations of a
            layer.
        heads: Number of units of which each judges its own view.

    Returns:
        The graph with "maps" replaced by "evidence", (N, h, w), or (N, heads, h, w) with several heads: Grad-CAM before
        its ReLU, positive for fake and negative for real.

    Raises:
        GradientError: Names the unsupported operation.
    """
    maps, permutations = model.output(MAPS).get_node().input_value(0), []
    source = maps
    while source.get_node().get_type_name() == "Transpose":  # Later layers may use the tensor before the transpose.
        permutations.append(_constant(source.get_node().input_value(1)))
        source = source.get_node().input_value(0)
    logits = model.output(LOGITS).get_node().input_value(0)

    def evidence_of(seed: np.ndarray) -> Any:
        gradient = _gradient(model, logits, source, seed)
        for order in reversed(permutations):
            gradient = _out(op.transpose(gradient, order))
        weights = op.reduce_mean(gradient, np.array([1, 2]), keep_dims=True)
        return op.reduce_sum(op.multiply(maps, weights), np.array([3]), keep_dims=False).output(0)

    if heads == 1:
        evidence = evidence_of(np.array([[1.0]] if logits.get_shape()[1] == 1 else [[-1.0, 1.0]], np.float32))
    else:
        each = [op.unsqueeze(evidence_of(seed[None]), np.int64(1)) for seed in np.eye(heads, dtype=np.float32)]
        evidence = op.concat(each, 1).output(0)
    evidence.get_tensor().set_names({GRADCAM})
    others = [result for result in model.get_results() if MAPS not in result.output(0).get_names()]
    return ov.Model([*others, op.result(evidence)], model.get_parameters(), "add_gradcam")


def _gradient(model: Any, logits: Any, source: Any, seed: np.ndarray) -> Any:
    """Gradient of a sum of an image's logits, weighted by `seed`, (1, units), with respect to a tensor."""
    seed = np.tile(seed, (logits.get_shape()[0], 1))
    dependents = _dependents(model, source.get_node())
    if logits.get_node().get_friendly_name() not in dependents:
        raise GradientError("the logits do not depend on the layer")
    gradients: dict[str, list[Any]] = defaultdict(list)
    gradients[_key(logits)].append(op.constant(seed).output(0))
    for node in reversed(dependents.values()):
        parts = gradients[_key(node.output(0))] if node is not source.get_node() else []
        if not parts:
            continue
        rule = _RULES.get(node.get_type_name())
        if rule is None:
            raise GradientError(node.get_type_name())
        inputs = [node.input_value(number) for number in range(node.get_input_size())]
        wanted = [value.get_node().get_friendly_name() in dependents for value in inputs]
        for value, part in zip(inputs, rule(node, inputs, wanted, _sum(parts)), strict=False):
            if part is not None and value.get_node().get_friendly_name() in dependents:
                gradients[_key(value)].append(_unbroadcast(part, value.get_shape()))
    return _sum(gradients[_key(source)])


def _dependents(model: Any, first: Any) -> dict[str, Any]:
    """A node and all nodes that depend on it, by name, in topological order."""
    result = {first.get_friendly_name(): first}
    for node in model.get_ordered_ops():
        sources = [node.input_value(number).get_node() for number in range(node.get_input_size())]
        if any(source.get_friendly_name() in result for source in sources):
            result[node.get_friendly_name()] = node
    return result


def _key(value: Any) -> str:
    if value.get_index():
        raise GradientError(f"{value.get_node().get_type_name()} with several outputs")
    return value.get_node().get_friendly_name()


def _sum(parts: Sequence[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = _out(op.add(total, part))
    return total


def _unbroadcast(gradient: Any, shape: Sequence[int]) -> Any:
    """Sums a gradient over the axes along which its input was broadcast."""
    given, wanted = list(gradient.get_shape()), list(shape)
    if given == wanted:
        return gradient
    padded = [1] * (len(given) - len(wanted)) + wanted
    axes = [axis for axis, (has, wants) in enumerate(zip(given, padded, strict=True)) if wants == 1 and has > 1]
    return _reshaped(op.reduce_sum(gradient, np.array(axes), keep_dims=True) if axes else gradient, wanted)


def _out(node: Any) -> Any:
    return node.output(0)


def _reshaped(value: Any, shape: Sequence[int]) -> Any:
    return _out(op.reshape(value, np.array(list(shape), np.int64), special_zero=False))


def _constant(value: Any) -> np.ndarray:
    node = value.get_node()
    if node.get_type_name() != "Constant":
        raise GradientError("a non-constant argument")
    return np.array(node.data)


# === Rules: the gradient with respect to each input, None where there is none ===

Rule = Callable[[Any, list[Any], list[bool], Any], list[Any]]
_RULES: dict[str, Rule] = {}


def _rule(*kinds: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


@_rule("Add")
def _add(_node: Any, _inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [gradient, gradient]


@_rule("Subtract")
def _subtract(_node: Any, _inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    return [gradient, _out(op.negative(gradient)) if wanted[1] else None]


@_rule("Multiply")
def _multiply(_node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    others = reversed(inputs)
    return [_out(op.multiply(gradient, other)) if want else None for other, want in zip(others, wanted, strict=True)]


@_rule("SquaredDifference")
def _squared_difference(_node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    first = _out(op.multiply(gradient, op.multiply(np.float32(2), op.subtract(*inputs))))
    return [first, _out(op.negative(first)) if wanted[1] else None]


@_rule("Power")
def _power(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    exponent = _constant(inputs[1]).astype(np.float32)
    slope = op.multiply(op.power(inputs[0], exponent - 1), exponent)
    return [_out(op.multiply(gradient, slope)), None]


@_rule("Relu")
def _relu(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [_masked(gradient, op.greater(inputs[0], np.float32(0)))]


@_rule("Clamp")
def _clamp(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    bounds = node.get_attributes()
    above, below = (op.greater(inputs[0], np.float32(bounds["min"])), op.less(inputs[0], np.float32(bounds["max"])))
    return [_masked(gradient, op.logical_and(above, below))]


def _masked(gradient: Any, where: Any) -> Any:
    return _out(op.select(where, gradient, np.float32(0)))


@_rule("Swish")
def _swish(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    if len(inputs) > 1:
        raise GradientError("Swish with a factor")
    sigmoid = op.sigmoid(inputs[0])
    slope = op.multiply(sigmoid, op.add(np.float32(1), op.multiply(inputs[0], op.subtract(np.float32(1), sigmoid))))
    return [_out(op.multiply(gradient, slope))]


@_rule("Erf")
def _erf(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    slope = op.multiply(np.float32(2 / np.sqrt(np.pi)), op.exp(op.negative(op.multiply(inputs[0], inputs[0]))))
    return [_out(op.multiply(gradient, slope))]


@_rule("ReduceMean")
def _reduce_mean(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    shape = list(inputs[0].get_shape())
    axes = [int(axis) % len(shape) for axis in _constant(inputs[1]).ravel()]
    reduced = _reshaped(gradient, [1 if axis in axes else size for axis, size in enumerate(shape)])
    share = np.float32(1 / np.prod([shape[axis] for axis in axes]))
    return [_out(op.broadcast(op.multiply(reduced, share), np.array(shape, np.int64))), None]


@_rule("MatMul")
def _matmul(node: Any, inputs: list[Any], wanted: list[bool], gradient: Any) -> list[Any]:
    attributes = node.get_attributes()
    if wanted[1] or attributes["transpose_a"] or len(inputs[1].get_shape()) != 2:
        raise GradientError("MatMul of two computed arrays")
    return [_out(op.matmul(gradient, inputs[1], False, not attributes["transpose_b"])), None]


@_rule("Reshape", "Squeeze", "Unsqueeze", "StridedSlice")
def _reshape(node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    if np.prod(inputs[0].get_shape()) != np.prod(node.output(0).get_shape()):
        raise GradientError(f"{node.get_type_name()} of a part")
    return [_reshaped(gradient, inputs[0].get_shape())]


@_rule("Transpose")
def _transpose(_node: Any, inputs: list[Any], _wanted: list[bool], gradient: Any) -> list[Any]:
    return [_out(op.transpose(gradient, np.argsort(_constant(inputs[1])))), None]


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
        flipped = np.ascontiguousarray(np.swapaxes(_constant(inputs[1])[..., ::-1, ::-1], -4, -3))
        reaches = [(size - 1) * dilation for size, dilation in zip(kernel, dilations, strict=True)]
        first = [reach - pad for reach, pad in zip(reaches, first, strict=True)]
        last = [reach - pad for reach, pad in zip(reaches, last, strict=True)]
        convolve = op.group_convolution if grouped else op.convolution
        return [_out(convolve(gradient, flipped, strides, first, last, dilations)), None]
    transposed = op.group_convolution_backprop_data if grouped else op.convolution_backprop_data
    result = transposed(
        gradient, inputs[1], strides=strides, pads_begin=first, pads_end=last, dilations=dilations, output_padding=rest
    )
    return [_out(result), None]


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
    windows = _reshaped(inputs[0], [count, channels, out[2], rows, out[3], columns])
    spread = [count, channels, out[2], 1, out[3], 1]
    largest = op.convert(op.equal(windows, _reshaped(node.output(0), spread)), "f32")
    shares = op.divide(largest, op.reduce_sum(largest, np.array([3, 5]), keep_dims=True))
    return [_reshaped(op.multiply(shares, _reshaped(gradient, spread)), inputs[0].get_shape())]
