"""One image through OpenVINO, LiteRT and ONNX Runtime, in float32, on one thread and on two.

Run from the project's root, after `pip install ai-edge-litert onnx onnxruntime tf2onnx` into an environment of its own:
`python -m benchmarks.runtimes --out benchmarks/results/runtimes.txt`. The networks are those of `benchmarks.speed`. All
take turns; the figures are medians, and how far the logit lies from Keras's.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import ARCHITECTURES, SIZE, make_bundle, taking_turns

THREADS = (1, 2)
# Images one after the other in a turn, so that caches are warm.
TIMES = 20


def openvino(bundle: Path, threads: int) -> Callable[[np.ndarray], Any]:
    """As the engine of the workbench runs one stream."""
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY",
                "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}  # fmt: skip
    from dfcore.detectors.detector import Detector
    from dfcore.engines import OpenVinoEngine

    engine = Detector.load(bundle, "openvino").engine
    assert isinstance(engine, OpenVinoEngine)
    request = core.compile_model(engine._scoring, "CPU", settings).create_infer_request()

    def call(pixels: np.ndarray) -> Any:
        request.infer({0: pixels})
        return request.get_tensor("logits").data

    return call


def litert(model: Any, threads: int) -> Callable[[np.ndarray], Any]:
    """TensorFlow Lite's successor, with XNNPACK."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    made = Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert(), num_threads=threads)
    made.allocate_tensors()
    takes, gives = made.get_input_details()[0]["index"], made.get_output_details()[0]["index"]

    def call(pixels: np.ndarray) -> Any:
        made.set_tensor(takes, pixels.astype(np.float32))
        made.invoke()
        return made.get_tensor(gives)

    return call


def onnxruntime(path: Path, threads: int) -> Callable[[np.ndarray], Any]:
    """ONNX Runtime with its own kernels for CPUs."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels.astype(np.float32)})[0]


def measure(arch: str, folder: Path) -> list[str]:
    """A line for each runtime and number of threads."""
    from dfcore.detectors.detector import Detector

    bundle = make_bundle(arch, folder / arch)
    model = Detector.load(bundle, "keras").model
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.uint8)
    expected = float(np.ravel(model(pixels.astype(np.float32), training=False))[0])
    exported = folder / f"{arch}.onnx"
    model.export(exported, format="onnx", verbose=False)
    calls: dict[str, Callable[[np.ndarray], Any]] = {}
    for threads in THREADS:
        calls |= {
            f"OpenVINO, {threads}": openvino(bundle, threads),
            f"LiteRT, {threads}": litert(model, threads),
            f"ONNX Runtime, {threads}": onnxruntime(exported, threads),
        }
    off = {name: abs(float(np.ravel(call(pixels))[0]) - expected) for name, call in calls.items()}

    def often(call: Callable[[np.ndarray], Any], _: int) -> None:
        for _ in range(TIMES):
            call(pixels)

    result = taking_turns({name: partial(often, call) for name, call in calls.items()}, 9)
    return [
        f"  {name:<20}{1000 * seconds / TIMES:>8.1f} ms   logit off by {off[name]:.0e}"
        for name, seconds in result.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [f"{os.cpu_count()} cores, {SIZE} pixels, float32; one image, with so many threads"]
    with tempfile.TemporaryDirectory(prefix="runtimes-") as name:
        os.environ["DFCORE_MODELS"] = name
        for arch in ARCHITECTURES:
            lines += [arch, *measure(arch, Path(name))]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
