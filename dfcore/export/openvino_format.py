"""OpenVINO's own files; in 8 bits with weights rounded."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.detectors.card import Card
from dfcore.engines.openvino_engine import mend_converter
from dfcore.errors import BundleError
from dfcore.export.network import IMAGE, LOGIT, SCORE, whole_network
from dfcore.utils import extras
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

FILE = "model.xml"
# On some processors OpenVINO computes in bfloat16 unless it is told otherwise, and scores change.
_EXACT = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
LOADER = f"""\
import openvino
exact = {_EXACT}
model = openvino.Core().compile_model(str(here / "{FILE}"), "CPU", exact)
def run(pixels): return model({{"{IMAGE}": pixels}})["{SCORE}"]
"""
# Smaller constants are biases and factors, which cost little and hold much.
_FEWEST = 1024
# Axes of a kernel whose entries share a scale: those that are summed over. {type of operation: axes by rank}.
_SUMMED = {"Convolution": (1, 2, 3), "GroupConvolution": (2, 3, 4), "Einsum": (0,)}


def write(model: "keras.Model", card: Card, folder: Path, calibrating: np.ndarray | None, _: bool) -> None:
    """Writes the network; with weights in 8 bits if `calibrating` is not None, whatever it holds.

    Raises:
        BundleError: If OpenVINO has no operation for a part of it.
    """
    ov = extras.openvino("Export to OpenVINO")
    mend_converter()
    try:
        converted = ov.convert_model(whole_network(model, card))
    except BundleError:
        raise
    except Exception as error:  # The converter raises many exception types, with long reports.
        lines = [line.strip("- ") for line in str(error).splitlines()]
        text = next((line for line in lines if "with a message" in line), " ".join(lines[:2]))
        raise BundleError(f"OpenVINO cannot represent this network: {printable(text)[:200]}") from error
    if calibrating is not None:
        round_weights(converted)
    ov.save_model(converted, folder / FILE, compress_to_fp16=False)


def round_weights(model: Any) -> int:
    """Rounds the kernels of a graph to 8 bits, each with a scale for every output; returns how many.

    A kernel becomes its rounded values, converted and multiplied by the scale, as OpenVINO's own compression writes
    them.
    """
    ov = extras.openvino("Export to OpenVINO in 8 bits")
    ops, rounded = ov.opset13, 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != ov.Type.f32:
            continue
        axes = _summed_axes(node)
        values = node.data
        if axes is None or values.size < _FEWEST:
            continue
        scale = np.abs(values).max(axis=axes, keepdims=True) / 127
        scale = np.where(scale > 0, scale, 1).astype(np.float32)
        whole = np.clip(np.round(values / scale), -127, 127).astype(np.int8)
        users = list(node.output(0).get_target_inputs())
        kernel = ops.multiply(ops.convert(ops.constant(whole), "f32"), ops.constant(scale))
        for user in users:
            user.replace_source_output(kernel.output(0))
        rounded += 1
    return rounded


def _summed_axes(node: Any) -> tuple[int, ...] | None:
    """The axes of a constant that its operation sums over; None if it is no kernel."""
    users = list(node.output(0).get_target_inputs())
    if len(users) != 1 or len(node.get_output_shape(0)) < 2:
        return None
    user, rank = users[0].get_node(), len(node.get_output_shape(0))
    kind = user.get_type_name()
    if kind == "MatMul" and users[0].get_index() == 1:
        return (rank - 1,) if user.get_attributes().get("transpose_b") else (rank - 2,)
    axes = _SUMMED.get(kind)
    return axes if axes is not None and users[0].get_index() > 0 and max(axes) < rank else None


def run(folder: Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Compiles the network for the processor, in float32."""
    ov = extras.openvino("Export to OpenVINO")
    compiled = ov.Core().compile_model(str(folder / FILE), "CPU", _EXACT)

    def call(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = compiled({IMAGE: pixels})
        return np.array(outputs[SCORE]), np.array(outputs[LOGIT])

    return call
