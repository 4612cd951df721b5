"""LiteRT, formerly TensorFlow Lite; in 8 bits with ranges measured on images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfcore.detectors.card import Card
from dfcore.errors import BundleError
from dfcore.export.network import IMAGE, LOGIT, SCORE, whole_network
from dfcore.utils.texts import printable

if TYPE_CHECKING:
    import keras

FILE = "model.tflite"
LOADER = f"""\
from ai_edge_litert.interpreter import Interpreter
runner = Interpreter(str(here / "{FILE}")).get_signature_runner()
def run(pixels): return runner({IMAGE}=pixels)["{SCORE}"]  # One picture at a time.
"""


def write(model: "keras.Model", card: Card, folder: Path, calibrating: np.ndarray | None, _: bool) -> None:
    """Writes the network; in 8 bits if there are images to calibrate with.

    Raises:
        BundleError: If LiteRT has no operation for a part of it.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(whole_network(model, card))
    if calibrating is not None:

        def samples() -> Iterator[list[np.ndarray]]:
            for image in calibrating:
                yield [image[None]]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        # What has no form in 8 bits stays in 32.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        content = converter.convert()
    except Exception as error:  # The converter's own class, with long reports, lies in a private module.
        raise BundleError(_told(str(error))) from error
    (folder / FILE).write_bytes(content)


def _told(text: str) -> str:
    missing = sorted({part.split("'")[0] for part in text.split("'tf.")[1:]})
    if missing:
        return f"LiteRT has no operation for {', '.join(missing)[:200]} of TensorFlow, which this network needs."
    return f"LiteRT cannot represent this network: {printable(' '.join(text.split()))[:200]}"


def run(folder: Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads the network; images go through it one at a time, as they do on a small device."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / FILE))
    runner = interpreter.get_signature_runner()

    def call(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = [runner(**{IMAGE: image[None]}) for image in pixels]
        score, logit = (np.concatenate([np.array(each[name]) for each in outputs]) for name in (SCORE, LOGIT))
        return score, logit

    return call
