"""ONNX, written by tf2onnx."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.detectors.card import Card
from dfcore.errors import BundleError
from dfcore.export.network import IMAGE, LOGIT, SCORE, whole_network
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

FILE = "model.onnx"
# The newest that tf2onnx 1.17 writes.
_OPSET = 18
_PROVIDERS = ["CPUExecutionProvider"]
LOADER = f"""\
import onnxruntime
session = onnxruntime.InferenceSession(here / "{FILE}", providers={_PROVIDERS})
def run(pixels): return session.run(["{SCORE}"], {{"{IMAGE}": pixels}})[0]
"""


def write(model: "keras.Model", card: Card, folder: Path, _: np.ndarray | None, __: bool) -> None:
    """Writes the network.

    Raises:
        BundleError: If ONNX has no operation for a part of it.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    whole = whole_network(model, card, for_onnx=True)
    signature = [tf.TensorSpec((None, *card.spec.input_shape), tf.uint8, name=IMAGE)]

    def forward(pixels: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        return whole(pixels, training=False)

    function = tf.function(forward, input_signature=signature, autograph=False)

    def converted_once() -> Any:
        return tf2onnx.convert.from_function(function, input_signature=signature, opset=_OPSET)[0]

    try:
        with _without_copies():
            converted = converted_once()
    except Exception:  # Without copies an optimisation that fails ends it; with them it is left out.
        converted = converted_once()
    _require_known(converted)
    onnx.save(converted, folder / FILE)
    # Of the file: a network of more than 2 GB cannot be checked in memory. It finds what the converter left wrong.
    onnx.checker.check_model(str(folder / FILE), full_check=True)


@contextmanager
def _without_copies() -> Iterator[None]:
    """Has tf2onnx copy no network, weights included, before each of its optimisations: half of the time."""
    from tf2onnx.constants import ENV_TF2ONNX_CATCH_ERRORS as NAME

    before = os.environ.get(NAME)
    os.environ[NAME] = "FALSE"
    try:
        yield
    finally:
        del os.environ[NAME]
        if before is not None:
            os.environ[NAME] = before


def _require_known(model: Any) -> None:
    """Checks that the converter, which only logs it, left no operation of TensorFlow."""
    import onnx

    versions = {entry.domain: entry.version for entry in model.opset_import}
    unknown = set()
    for node in model.graph.node:
        domain = node.domain or ""
        if not onnx.defs.has(node.op_type, versions.get(domain, _OPSET), domain):
            unknown.add(node.op_type)
    if unknown:
        raise BundleError(
            f"ONNX has no operation for {printable(', '.join(sorted(unknown)))[:200]} of TensorFlow, which this "
            "network needs."
        )


def run(folder: Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads the network into ONNX Runtime, on the processor."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    session = onnxruntime.InferenceSession(str(folder / FILE), providers=_PROVIDERS)

    def call(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        score, logit = session.run([SCORE, LOGIT], {IMAGE: pixels})
        return score, logit

    return call
