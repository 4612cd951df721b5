"""Grad-CAM inside an OpenVINO graph, by reverse-mode differentiation, since OpenVINO computes no gradients.

Sources: Selvaraju et al., 2017, equations 1 and 2; Griewank and Walther, Evaluating Derivatives, 2008, chapter 3.
Importing this imports OpenVINO.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from dfcore.engines.base import GRADCAM, LOGITS, MAPS
from dfcore.engines.gradients import RULES, GradientError, constant, reshaped, result_of


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
        permutations.append(constant(source.get_node().input_value(1)))
        source = source.get_node().input_value(0)
    logits = model.output(LOGITS).get_node().input_value(0)

    def evidence_of(seed: np.ndarray) -> Any:
        gradient = _gradient(model, logits, source, seed)
        for order in reversed(permutations):
            gradient = result_of(op.transpose(gradient, order))
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
        rule = RULES.get(node.get_type_name())
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
        total = result_of(op.add(total, part))
    return total


def _unbroadcast(gradient: Any, shape: Sequence[int]) -> Any:
    """Sums a gradient over the axes along which its input was broadcast."""
    given, wanted = list(gradient.get_shape()), list(shape)
    if given == wanted:
        return gradient
    padded = [1] * (len(given) - len(wanted)) + wanted
    axes = [axis for axis, (has, wants) in enumerate(zip(given, padded, strict=True)) if wants == 1 and has > 1]
    return reshaped(op.reduce_sum(gradient, np.array(axes), keep_dims=True) if axes else gradient, wanted)
