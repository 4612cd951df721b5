"""The engine for CPUs: a network in OpenVINO's form, in float32, several times as fast as TensorFlow.

The form is made from the Keras model once (`convert`) and read without TensorFlow. Each image, with its mirror image
where the detector looks at both, is a request of its own, so that its outputs are its own to the last bit. Of many
images each core runs one, on one thread: threads that wait for each other lose time wherever something else is at work.
One image alone runs on two threads, if that changes no bit.
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

from dfcore.engines.base import FEATURES, GRADCAM, LOGITS, MAPS, EngineName, Outputs, fake_logit
from dfcore.errors import BundleError
from dfcore.utils import extras
from dfcore.utils.processes import cores
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

# Float32 all through: on some processors OpenVINO would take bfloat16 by itself.
_PRECISION = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
_BFLOAT16 = {"INFERENCE_PRECISION_HINT": "bf16"}
# For one image alone, however many cores there are: sums that are split in another way are rounded in another way.
_THREADS = 2
# What our architectures and their gradients become, in the words of the file; none of it reads a file, runs code or
# loops, or makes a shape out of data.
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
# As for Keras models, see `dfcore.detectors.model_validation`.
_MAX_NODES, _MAX_ELEMENTS, _MAX_ALL_ELEMENTS = 20_000, 2 * 64 * 2**20, 2 * 2**30


def installed() -> bool:
    """Whether OpenVINO is at hand."""
    return extras.installed("openvino")


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16."""
    return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def convert(model: "keras.Model", *, tta_flip: bool, layer: str | None = None) -> tuple[bytes, bytes]:
    """A Keras model in OpenVINO's form: its graph (XML) and its weights.

    Args:
        model: maps (N, size, size, 3) in [0, 255] to one logit or two.
        tta_flip: whether a request holds an image and its mirror image.
        layer: for which it gives the evidence too, where there is a way to.

    Raises:
        BundleError: when OpenVINO cannot express it, with the reason.
    """
    import keras

    ov = _openvino()
    from dfcore.engines.gradcam import add_gradcam

    size = model.input_shape[1]
    outputs = {LOGITS: model.outputs[0], FEATURES: model.layers[-1].input}
    if layer is not None:
        outputs[MAPS] = model.get_layer(layer).output
    try:
        converted = ov.convert_model(keras.Model(model.inputs, outputs))
        converted.reshape([2 if tta_flip else 1, size, size, 3])
        steps = ov.preprocess.PrePostProcessor(converted)
        steps.input().tensor().set_element_type(ov.Type.u8)
        converted = steps.build()
        with tempfile.TemporaryDirectory() as folder:
            first, path = Path(folder) / "first.xml", Path(folder) / "model.xml"
            ov.save_model(converted, first, compress_to_fp16=False)
            # Keras asks for sizes that are known by now; once read back they are folded into constants.
            known = _folded(ov.Core().read_model(first))
            if layer is not None:
                known = _folded(add_gradcam(known))
            ov.save_model(_renamed(known), path, compress_to_fp16=False)
            files = path.read_bytes(), path.with_suffix(".bin").read_bytes()
        OpenVinoEngine(*files)
        return files
    except Exception as error:  # The converter raises all sorts, with a report of many lines.
        if layer is not None:
            return convert(model, tta_flip=tta_flip)
        if isinstance(error, BundleError):
            raise
        text = " ".join(line.strip("- ") for line in str(error).splitlines()[3:5]) or type(error).__name__
        raise BundleError(f"OpenVINO cannot express this network: {text[:200]}") from error


def _folded(model: Any) -> Any:
    ov = _openvino()
    manager = ov.passes.Manager()
    manager.register_pass(ov.passes.ConstantFolding())
    manager.run_passes(model)
    return model


def _renamed(model: Any) -> Any:
    """The same with names that do not hang on what was made before in the process: equal networks, equal files."""
    for number, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
        for output in node.outputs():
            output.get_tensor().set_names(output.get_names() & {LOGITS, FEATURES, GRADCAM})
    return model


class OpenVinoEngine:
    """Runs a network in OpenVINO's form; threads may share it."""

    def __init__(self, graph: bytes, weights: bytes, *, thread_invariant: bool = False, bfloat16: bool = False):
        """Reads what `convert` made.

        Args:
            graph: see there.
            weights: see there.
            thread_invariant: whether two threads give the same outputs as one, to the last bit.
            bfloat16: whether it computes in bfloat16, about twice as fast; scores may change by a tenth and more.

        Raises:
            BundleError: when it is no such network.
        """
        ov = _openvino()
        self.name: EngineName = "openvino-bf16" if bfloat16 else "openvino"
        self._precision = _BFLOAT16 if bfloat16 else _PRECISION
        self._core = ov.Core()
        try:
            self._model = self._core.read_model(_sound(graph), weights)
            _check(self._model)
            results = [out.get_node() for out in self._model.outputs if GRADCAM not in out.get_names()]
            self._scoring = ov.Model(results, self._model.get_parameters(), "scoring")
            self._queues = {thread_invariant: self._queue(alone=thread_invariant)}
        except BundleError:
            raise
        except Exception as error:  # OpenVINO raises all sorts on damaged files.
            text = printable(" ".join(str(error).split()))[-200:] or type(error).__name__
            raise BundleError(f"The network in OpenVINO's form cannot be read: {text}") from error
        self._views, self.size = self._model.input(0).shape[0], self._model.input(0).shape[1]
        self._steady = thread_invariant
        self._lock, self._explaining = threading.Lock(), threading.Lock()
        self._explained: Any = None

    def _queue(self, *, alone: bool) -> Any:
        streams = 1 if alone else cores()
        settings = self._precision | {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": _THREADS if alone else streams}
        # One at work in each stream, and one more waiting for it.
        return _openvino().AsyncInferQueue(self._core.compile_model(self._scoring, "CPU", settings), 2 * streams)

    @property
    def has_gradcam(self) -> bool:
        """Whether it can tell where the evidence lies."""
        return len(self._model.outputs) > 2

    def gradcam(self, pixels: np.ndarray) -> np.ndarray:
        """Where an image's evidence of fake lies, and where negative its evidence of real: float32 (h, w).

        This is Grad-CAM before its rectifier, at the layer for which the network was converted.

        Args:
            pixels: preprocessed, uint8 (size, size, 3).
        """
        with self._explaining:
            if self._explained is None:
                settings = _PRECISION | {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": _THREADS}
                self._explained = self._core.compile_model(self._model, "CPU", settings).create_infer_request()
            self._explained.infer({0: np.repeat(pixels[None], self._views, axis=0)})
            return np.array(self._explained.get_tensor(GRADCAM).data[0])

    @property
    def tta_flip(self) -> bool:
        """Whether an image's outputs are the mean over it and its mirror image."""
        return self._views == 2

    @property
    def width(self) -> int:
        """See `Engine.width`."""
        return self._model.output(FEATURES).shape[1]

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.outputs`."""
        result: list[Any] = [None] * len(pixels)

        def keep(request: Any, number: int) -> None:
            result[number] = _answer(request)

        alone = self._steady and len(pixels) == 1
        with self._lock:
            if alone not in self._queues:
                self._queues[alone] = self._queue(alone=alone)
            queue = self._queues[alone]
            queue.set_callback(keep)
            for number, image in enumerate(pixels):
                seen = np.stack([image, image[:, ::-1]]) if self.tta_flip else image[None]
                queue.start_async({0: seen}, number)
            queue.wait_all()
        return Outputs(*(np.stack(part) for part in zip(*result, strict=True)))

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """See `Engine.logits`."""
        return self.outputs(pixels).logits


def _answer(request: Any) -> tuple[np.float32, np.ndarray]:
    logits, features = request.get_tensor(LOGITS).data, request.get_tensor(FEATURES).data
    return fake_logit(logits).mean(dtype=np.float32), features.mean(0, dtype=np.float32)


def _sound(graph: bytes) -> bytes:
    """The graph as OpenVINO may read it.

    It is looked at before, since OpenVINO ends the process on some operations without inputs (Broadcast, MaxPool,
    ReadValue), and computes what a shape hangs on while it reads. It gets what was looked at, written anew.

    Raises:
        BundleError: saying what was found.
    """
    # Without entities and within bounds there is nothing that its parser stumbles over.
    if len(graph) > _MAX_GRAPH or not graph.startswith(_HEAD) or b"<!" in graph or b"\0" in graph:
        raise BundleError("No graph that the converter writes")
    net = ET.fromstring(graph)  # nosec B314
    layers, sources = net.findall("layers/layer"), defaultdict(list)
    kinds = {layer.get("id"): layer.get("type", "") for layer in layers}
    for edge in net.findall("edges/edge"):
        sources[edge.get("to-layer")].append(edge.get("from-layer"))
    foreign = sorted(set(kinds.values()) - _OPERATIONS)
    if foreign or not 0 < len(layers) <= _MAX_NODES or len(kinds) != len(layers):
        raise BundleError(
            f"Operations that no network of ours has: {printable(', '.join(foreign))[:100] or 'too many'}"
        )
    for layer in layers:
        number, kind = layer.get("id"), layer.get("type")
        given = [kinds.get(source) for source in sources[number]]
        if len(given) != len(layer.findall("input/port")):
            raise BundleError(f"An operation without its inputs ({kind})")
        if kind not in ("Const", "Parameter") and all(source == "Const" for source in given):
            raise BundleError(f"An operation that does not hang on the image ({kind})")
    return ET.tostring(net)


def _check(model: Any) -> None:
    """Refuses a graph with other inputs and outputs than expected, or that would take too much memory.

    Raises:
        BundleError: saying what was found.
    """
    nodes = model.get_ops()
    sizes = [0]
    for node in nodes:
        for output in node.outputs():
            if not output.get_partial_shape().is_static:
                raise BundleError(f"A graph with shapes that are not fixed ({node.get_type_name()})")
            sizes.append(math.prod(output.get_shape()))
    if max(sizes) > _MAX_ELEMENTS or sum(sizes) > _MAX_ALL_ELEMENTS:
        raise BundleError(f"A graph that takes too much memory ({max(sizes):,} numbers at one place)")
    # A tensor may have further names.
    names = sorted(sorted(out.get_names() & {LOGITS, FEATURES, GRADCAM}) for out in model.outputs)
    if len(model.inputs) != 1 or names not in ([[FEATURES], [LOGITS]], [[GRADCAM], [FEATURES], [LOGITS]]):
        raise BundleError("A graph with other inputs and outputs than expected")
    shape = [*model.input(0).shape]
    views, height, width, colours = shape if len(shape) == 4 else (0, 0, 0, 0)
    logits, features = model.output(LOGITS).shape, model.output(FEATURES).shape
    fitting = (
        views in (1, 2) and height == width > 0 and colours == 3 and model.input(0).element_type == _openvino().Type.u8
    )
    if not fitting or list(logits) not in ([views, 1], [views, 2]) or [*features][:-1] != [views]:
        raise BundleError(f"A graph with other shapes than expected: {model.input(0).shape} to {logits}, {features}")
    if len(names) == 3 and (len(evidence := [*model.output(GRADCAM).shape]) != 3 or evidence[0] != views):
        raise BundleError(f"A graph with other shapes than expected: evidence of {evidence}")


def _openvino() -> Any:
    # It would tell its makers that it is used.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not to be had
    extras.require("openvino", "openvino", "The engine 'openvino'")
    import openvino
    import openvino.passes
    import openvino.preprocess

    return openvino
