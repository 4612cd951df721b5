"""Runs a tiny network on one engine and prints the result as JSON: `python -m dfcore.diagnostics.probe ENGINE`.

Runs in a separate process, since an engine built for another CPU crashes it.
"""

import json
import sys
from typing import Any

import numpy as np

_INPUT = np.array([[-1.0, 2.0]], np.float32)


def keras() -> dict[str, Any]:
    """Checks Keras on TensorFlow; returns the version and the visible GPUs."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"Keras runs on {keras.backend.backend()}; expected tensorflow (see KERAS_BACKEND)")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.ReLU()(inputs))
    _require_relu(np.asarray(model(_INPUT)))
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {"version": f"Keras {keras.__version__} on TensorFlow {tf.__version__}", "gpus": gpus}


def openvino() -> dict[str, Any]:
    """Checks OpenVINO in float32; returns the version and whether this CPU supports bfloat16."""
    from dfcore.engines import has_bfloat16

    bfloat16 = has_bfloat16()
    import openvino as ov
    from openvino import opset13 as op

    node = op.parameter([1, 2], np.float32)
    compiled = ov.Core().compile_model(ov.Model([op.relu(node)], [node]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    _require_relu(compiled(_INPUT)[0])
    return {"version": f"OpenVINO {ov.__version__.partition('-')[0]}", "bfloat16": bfloat16}


ENGINES = {"keras": keras, "openvino": openvino}


def main() -> None:
    """Prints the result as the last line of output, in JSON."""
    try:
        result = ENGINES[sys.argv[1]]()
    except Exception as error:  # An unusable engine may raise anything.
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))


def _require_relu(outputs: np.ndarray) -> None:
    if outputs.tolist() != [[0.0, 2.0]]:
        raise RuntimeError(f"a rectifier gave {outputs.tolist()}; expected [[0.0, 2.0]]")


if __name__ == "__main__":
    main()
