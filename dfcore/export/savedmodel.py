"""TensorFlow SavedModel, with a signature on pixels and one on the content of JPEG and PNG files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.detectors.card import Card
from dfcore.export.network import IMAGE, LOGIT, SCORE, whole_network

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

FOLDER = "model"
PIXELS, FILES = "serving_default", "from_files"
# Input of the signature on files.
FILE = "files"
LOADER = f"""\
import tensorflow as tf
model = tf.saved_model.load(str(here / "{FOLDER}"))
def run(pixels): return model.signatures["{PIXELS}"]({IMAGE}=tf.constant(pixels))["{SCORE}"].numpy()
"""
FILES_LOADER = f"""\
import tensorflow as tf
model = tf.saved_model.load(str(here / "{FOLDER}"))
def judged(path):  # JPEG or PNG: decoding and resizing are part of the network.
    return float(model.signatures["{FILES}"]({FILE}=tf.constant([Path(path).read_bytes()]))["{SCORE}"][0])
"""


def write(model: "keras.Model", card: Card, folder: Path, _: np.ndarray | None, with_files: bool) -> None:
    """Writes the network; with `with_files` also the signature on files."""
    import keras
    import tensorflow as tf

    from dfcore.export.in_graph import prepared

    whole, spec = whole_network(model, card), card.spec

    def on_pixels(pixels: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        return whole(pixels, training=False)

    def on_files(files: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        # One after the other: pictures that are decoded together would take their memory together.
        squares = tf.map_fn(
            lambda file: prepared(file, spec), files, tf.TensorSpec(spec.input_shape, tf.uint8), parallel_iterations=1
        )
        return whole(squares, training=False)

    archive = keras.export.ExportArchive()
    archive.track(whole)
    pixels = [tf.TensorSpec((None, *spec.input_shape), tf.uint8, name=IMAGE)]
    archive.add_endpoint(PIXELS, on_pixels, input_signature=pixels)
    if with_files:
        archive.add_endpoint(FILES, on_files, input_signature=[tf.TensorSpec((None,), tf.string, name=FILE)])
    archive.write_out(str(folder / FOLDER), verbose=False)


def run(folder: Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads the signature on pixels."""
    return _signature(folder, PIXELS, lambda tf, pixels: {IMAGE: tf.constant(pixels)})


def run_files(folder: Path) -> Callable[[Sequence[bytes]], tuple[np.ndarray, np.ndarray]]:
    """Loads the signature on files; it takes a list of their contents."""
    return _signature(folder, FILES, lambda tf, files: {FILE: tf.constant(list(files))})


def _signature(folder: Path, name: str, given: Callable) -> Callable[[Any], tuple[np.ndarray, np.ndarray]]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder / FOLDER))

    def call(values: Any) -> tuple[np.ndarray, np.ndarray]:
        outputs = loaded.signatures[name](**given(tf, values))
        return outputs[SCORE].numpy(), outputs[LOGIT].numpy()

    return call
