"""The CPU engine: a network converted to OpenVINO, in float32, several times as fast as TensorFlow.

The network is converted from the Keras model once (`convert`) and loaded without TensorFlow. Each view of an image
(with its mirror image for `tta_flip`) is a separate request, so its outputs are bit-identical in any batch. In a batch,
or with several views, each core runs one request on one thread: threads that wait for each other lose time when the
machine is busy. A single image with one view runs on two threads if that does not change any bit.
"""

import math
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET  # nosec B405
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.engines.base import (
    FEATURES,
    GRADCAM,
    LOGITS,
    MAPS,
    EngineName,
    Outputs,
    as_squares,
    count_heads,
    fake_logit,
    over_views,
)
from dfcore.errors import BundleError
from dfcore.imaging.preprocess import MOST_VIEWS
from dfcore.utils import extras
from dfcore.utils.processes import cores
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

# Force float32: on some processors OpenVINO uses bfloat16 by default.
_PRECISION = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
_BFLOAT16 = {"INFERENCE_PRECISION_HINT": "bf16"}
# For a single image, whatever the number of cores: rounding depends on how sums are split among threads.
_THREADS = 2
# Operation types in converted architectures and their gradients. None reads a file, runs code, loops or derives a shape
# from data.
_OPERATIONS = {
    "Add", "AvgPool", "Broadcast", "Clamp", "Concat", "Const", "Convert", "Convolution", "ConvolutionBackpropData",
    "Divide", "Einsum", "Elu", "Equal", "Erf", "Exp", "Gather", "Gelu", "Greater", "GroupConvolution",
    "GroupConvolutionBackpropData", "HSigmoid", "HSwish", "Less", "Log", "LogicalAnd", "MVN", "MatMul", "MaxPool",
    "Maximum", "Minimum", "Multiply", "Negative", "PReLU", "Pad", "Parameter", "Power", "ReLU", "ReduceMax",
    "ReduceMean", "ReduceSum", "Reshape", "Result", "ReverseSequence", "Select", "Sigmoid", "Slice", "SoftMax",
    "SoftPlus", "Split", "Sqrt", "SquaredDifference", "Squeeze", "StridedSlice", "Subtract", "Swish", "Tanh",
    "Transpose", "Unsqueeze", "VariadicSplit",
}  # fmt: skip
_HEAD = b'<?xml version="1.0"?>'
_MAX_GRAPH = 8 * 2**20
# Same limits as for Keras models, see `dfcore.detectors.model_validation`.
_MAX_NODES, _MAX_ELEMENTS, _MAX_ALL_ELEMENTS = 20_000, 2 * 64 * 2**20, 2 * 2**30


def installed() -> bool:
    """Whether OpenVINO is installed."""
    return extras.installed("openvino")


def has_bfloat16() -> bool:
    """Whether this processor supports bfloat16."""
    return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def convert(
    model: "keras.Model", *, tta_flip: bool, layer: str | None = None, views: int = 1, loss: str = "binary"
) -> tuple[bytes, bytes]:
    """Converts a Keras model to OpenVINO.

    Args:
        model: Maps (N, size, size, 3) in [0, 255] to logits.
        tta_flip: Whether each request holds an image and its mirror image.
        layer: Layer for a Grad-CAM output; left out if an operation has no gradient rule.
        views: Number of views of an image.
        loss: As for `KerasEngine`.

    Returns:
        The graph (XML) and the weights.

    Raises:
        BundleError: If OpenVINO cannot represent the model, with the reason.
    """
    import keras

    ov = _openvino()
    from dfcore.engines.gradcam import add_gradcam

    size = model.input_shape[1]
    outputs = {LOGITS: model.outputs[0], FEATURES: model.layers[-1].input}
    if layer is not None:
        outputs[MAPS] = model.get_layer(layer).output
    try:
        mend_converter()
        converted = ov.convert_model(keras.Model(model.inputs, outputs))
        converted.reshape([2 if tta_flip else 1, size, size, 3])
        steps = ov.preprocess.PrePostProcessor(converted)
        steps.input().tensor().set_element_type(ov.Type.u8)
        converted = steps.build()
        with tempfile.TemporaryDirectory() as folder:
            first, path = Path(folder) / "first.xml", Path(folder) / "model.xml"
            ov.save_model(converted, first, compress_to_fp16=False)
            # The graph computes shapes that are now static; reading it back allows them to be constant-folded.
            folded = _folded(ov.Core().read_model(first))
            if layer is not None:
                folded = _folded(add_gradcam(folded, count_heads(model.output_shape[-1], views, loss)))
            ov.save_model(_renamed(folded), path, compress_to_fp16=False)
            files = path.read_bytes(), path.with_suffix(".bin").read_bytes()
        OpenVinoEngine(*files, views=views, loss=loss)
        return files
    except Exception as error:  # The converter raises many exception types, with long reports.
        if layer is not None:
            return convert(model, tta_flip=tta_flip, views=views, loss=loss)
        if isinstance(error, BundleError):
            raise
        text = " ".join(line.strip("- ") for line in str(error).splitlines()[3:5]) or type(error).__name__
        raise BundleError(f"OpenVINO cannot represent this network: {text[:200]}") from error


def _folded(model: Any) -> Any:
    ov = _openvino()
    manager = ov.passes.Manager()
    manager.register_pass(ov.passes.ConstantFolding())
    manager.run_passes(model)
    return model


def _renamed(model: Any) -> Any:
    """Gives nodes deterministic names, so that equal networks give equal files."""
    for number, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
        for output in node.outputs():
            output.get_tensor().set_names(output.get_names() & {LOGITS, FEATURES, GRADCAM})
    return model


class OpenVinoEngine:
    """Runs a network converted to OpenVINO. Thread-safe."""

    def __init__(
        self,
        graph: bytes,
        weights: bytes,
        *,
        thread_invariant: bool = False,
        bfloat16: bool = False,
        views: int = 1,
        loss: str = "binary",
    ):
        """Loads the output of `convert`.

        Args:
            graph: The graph (XML).
            weights: The weights.
            thread_invariant: Whether two threads give bit-identical outputs to one.
            bfloat16: Compute in bfloat16: about twice as fast, but scores may change by 0.1 or more.
            views: Number of views of an image.
            loss: As for `KerasEngine`.

        Raises:
            BundleError: If graph or weights are invalid.
        """
        ov = _openvino()
        self.name: EngineName = "openvino-bf16" if bfloat16 else "openvino"
        self._precision = _BFLOAT16 if bfloat16 else _PRECISION
        self._core = ov.Core()
        try:
            self._model = self._core.read_model(_sanitised(graph), weights)
            _check(self._model)
            self.views, self.heads = views, count_heads(self._model.output(LOGITS).shape[1], views, loss)
            if self.has_gradcam and len(self._model.output(GRADCAM).shape) != (3 if self.heads == 1 else 4):
                raise BundleError("A graph with a wrong number of heat-maps")
            results = [out.get_node() for out in self._model.outputs if GRADCAM not in out.get_names()]
            self._scoring = ov.Model(results, self._model.get_parameters(), "scoring")
            self._thread_invariant = thread_invariant and views == 1
            self._queues = {self._thread_invariant: self._queue(single=self._thread_invariant)}
        except BundleError:
            raise
        except Exception as error:  # OpenVINO raises many exception types on damaged files.
            text = printable(" ".join(str(error).split()))[-200:] or type(error).__name__
            raise BundleError(f"The OpenVINO network cannot be read: {text}") from error
        self._flips, self.size = self._model.input(0).shape[0], self._model.input(0).shape[1]
        self._lock, self._gradcam_lock = threading.Lock(), threading.Lock()
        self._gradcam_request: Any = None

    def _queue(self, *, single: bool) -> Any:
        streams = 1 if single else cores()
        settings = self._precision | {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": _THREADS if single else streams}
        # One request running in each stream and one waiting.
        return _openvino().AsyncInferQueue(self._core.compile_model(self._scoring, "CPU", settings), 2 * streams)

    @property
    def has_gradcam(self) -> bool:
        """Whether the network has a Grad-CAM output."""
        return len(self._model.outputs) > 2

    def gradcam(self, pixels: np.ndarray, view: int = 0) -> np.ndarray:
        """Computes Grad-CAM before its ReLU, at the layer that the network was converted with.

        Args:
            pixels: One view, preprocessed, uint8 (size, size, 3).
            view: Its number, from 0.

        Returns:
            float32 (h, w): evidence of fake where positive, of real where negative.
        """
        with self._gradcam_lock:
            if self._gradcam_request is None:
                settings = _PRECISION | {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": _THREADS}
                self._gradcam_request = self._core.compile_model(self._model, "CPU", settings).create_infer_request()
            self._gradcam_request.infer({0: np.repeat(pixels[None], self._flips, axis=0)})
            evidence = self._gradcam_request.get_tensor(GRADCAM).data[0]
            return np.array(evidence[view] if self.heads > 1 else evidence)

    @property
    def tta_flip(self) -> bool:
        """Whether outputs are averaged over an image and its mirror image."""
        return self._flips == 2

    @property
    def width(self) -> int:
        """See `Engine.width`."""
        return self._model.output(FEATURES).shape[1]

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.outputs`."""
        return over_views(self.by_view(pixels), self.views)

    def by_view(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.by_view`."""
        squares = as_squares(pixels, self.views, self.size)
        return self._outputs(squares, np.arange(len(squares)) % self.views)

    def of_view(self, squares: np.ndarray, view: int) -> np.ndarray:
        """See `Engine.of_view`."""
        return self._outputs(as_squares(squares, 1, self.size), np.full(len(squares), view)).logits

    def _outputs(self, squares: np.ndarray, views: np.ndarray) -> Outputs:
        """Outputs of squares, each seen as the view of this number."""
        result: list[Any] = [None] * len(squares)

        def collect(request: Any, number: int) -> None:
            result[number] = _averaged(request, None if self.heads == 1 else int(views[number]))

        single = self._thread_invariant and len(squares) == 1
        with self._lock:
            if single not in self._queues:
                self._queues[single] = self._queue(single=single)
            queue = self._queues[single]
            queue.set_callback(collect)
            try:
                for number, image in enumerate(squares):
                    flips = np.stack([image, image[:, ::-1]]) if self.tta_flip else image[None]
                    queue.start_async({0: flips}, number)
            finally:
                queue.wait_all()
        return Outputs(*(np.stack(part) for part in zip(*result, strict=True)))

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """See `Engine.logits`."""
        return self.outputs(pixels).logits


def _averaged(request: Any, head: int | None) -> tuple[np.float32, np.ndarray]:
    """Logit, of one head if there are several, and features of a finished request, averaged over mirror images."""
    logits, features = request.get_tensor(LOGITS).data, request.get_tensor(FEATURES).data
    chosen = fake_logit(logits) if head is None else logits[:, head]
    return chosen.mean(dtype=np.float32), features.mean(0, dtype=np.float32)


def _sanitised(graph: bytes) -> bytes:
    """Validates a graph before OpenVINO parses it, and returns it re-serialised.

    OpenVINO crashes the process on some operations without inputs (Broadcast, MaxPool, ReadValue), and evaluates the
    inputs of data-dependent shapes while parsing. It is given exactly the XML that was validated.

    Raises:
        BundleError: If the graph is invalid, with the reason.
    """
    # With no entities and a bounded size, the XML parser is safe to use.
    if len(graph) > _MAX_GRAPH or not graph.startswith(_HEAD) or b"<!" in graph or b"\0" in graph:
        raise BundleError("Not a graph written by the converter")
    net = ET.fromstring(graph)  # nosec B314
    layers, sources = net.findall("layers/layer"), defaultdict(list)
    kinds = {layer.get("id"): layer.get("type", "") for layer in layers}
    for edge in net.findall("edges/edge"):
        sources[edge.get("to-layer")].append(edge.get("from-layer"))
    foreign = sorted(set(kinds.values()) - _OPERATIONS)
    if foreign or not 0 < len(layers) <= _MAX_NODES or len(kinds) != len(layers):
        raise BundleError(
            f"Operations that are not allowed: {printable(', '.join(foreign))[:100] or 'too many or duplicate ids'}"
        )
    for layer in layers:
        number, kind = layer.get("id"), layer.get("type")
        given = [kinds.get(source) for source in sources[number]]
        if len(given) != len(layer.findall("input/port")):
            raise BundleError(f"An operation with missing inputs ({kind})")
        if kind not in ("Const", "Parameter") and all(source == "Const" for source in given):
            raise BundleError(f"An operation that does not depend on the image ({kind})")
    return ET.tostring(net)


def _check(model: Any) -> None:
    """Rejects a graph with unexpected inputs, outputs or shapes, or that would take too much memory.

    Raises:
        BundleError: With the reason.
    """
    nodes = model.get_ops()
    sizes = [0]
    for node in nodes:
        for output in node.outputs():
            if not output.get_partial_shape().is_static:
                raise BundleError(f"A graph with dynamic shapes ({node.get_type_name()})")
            sizes.append(math.prod(output.get_shape()))
    if max(sizes) > _MAX_ELEMENTS or sum(sizes) > _MAX_ALL_ELEMENTS:
        raise BundleError(f"A graph that takes too much memory ({max(sizes):,} elements in one tensor)")
    # A tensor may have additional names.
    names = sorted(sorted(out.get_names() & {LOGITS, FEATURES, GRADCAM}) for out in model.outputs)
    if len(model.inputs) != 1 or names not in ([[FEATURES], [LOGITS]], [[GRADCAM], [FEATURES], [LOGITS]]):
        raise BundleError("A graph with unexpected inputs or outputs")
    shape = [*model.input(0).shape]
    flips, height, width, colours = shape if len(shape) == 4 else (0, 0, 0, 0)
    logits, features = model.output(LOGITS).shape, model.output(FEATURES).shape
    valid_input = (
        flips in (1, 2) and height == width > 0 and colours == 3 and model.input(0).element_type == _openvino().Type.u8
    )
    valid_logits = [*logits] in [[flips, units] for units in range(1, MOST_VIEWS + 1)]
    if not valid_input or not valid_logits or [*features][:-1] != [flips]:
        raise BundleError(f"A graph with unexpected shapes: {model.input(0).shape} to {logits}, {features}")
    if len(names) == 3:
        evidence = [*model.output(GRADCAM).shape]
        # A network with a head for each view has a map for each.
        if [*evidence[:-2]] not in ([flips], [flips, logits[1]]) or len(evidence) < 3:
            raise BundleError(f"A graph with unexpected shapes: evidence of {evidence}")


def mend_converter() -> None:
    """Lets OpenVINO 2026.4 convert on Python 3.13, where its `exec("del tensorflow")` is a NameError (PEP 667)."""
    if sys.version_info >= (3, 13):
        from openvino.frontend.tensorflow import utils

        utils.exec = lambda statement: None  # It imports TensorFlow, which Keras has done, and deletes the name.


def _openvino() -> Any:
    return extras.openvino("The engine 'openvino'")
