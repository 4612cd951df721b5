"""Heat-maps by gradients, one compiled function for each method and layer: the formulas of the papers.

tf-keras-vis gives the same maps (the tests hold them side by side); run eagerly, with a model built anew at each call,
it takes many times as long.
"""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.explanation.methods import METHODS

if TYPE_CHECKING:
    import keras


class Gradients:
    """Maps of one model; threads may share it."""

    def __init__(self, model: "keras.Model"):
        """Takes a Functional model that ends in two logits, of real and of fake."""
        self._model = model
        self._functions: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def map(self, pixels: np.ndarray, method: str, sign: float, layer: str) -> np.ndarray:
        """The map of one image, not scaled, (h, w) of the layer, or of the image where the method looks at it.

        Args:
            pixels: preprocessed, float32 (1, size, size, 3).
            method: a key of `METHODS` that has a formula.
            sign: 1 for evidence of fake, -1 for evidence of real.
            layer: by name.
        """
        key = (method, "" if METHODS[method].at_input else layer)
        with self._lock:
            if key not in self._functions:
                self._functions[key] = self._compile(*key)
        return self._functions[key](pixels, np.float32(sign)).numpy()[0]

    def _compile(self, method: str, layer: str) -> Any:
        import keras
        import tensorflow as tf

        model, formula, at_input = self._model, METHODS[method].formula, METHODS[method].at_input
        assert formula is not None  # Score-CAM does not come here.
        looked_at = model.inputs[0] if at_input else model.get_layer(layer).output
        both = keras.Model(model.inputs, [looked_at, model.outputs[0]])

        def compute(pixels: Any, sign: Any) -> Any:
            maps, logits = both(pixels, training=False)
            if at_input:
                maps = pixels
            (gradient,) = tf.gradients(
                sign * (logits[:, 1] - logits[:, 0]), maps, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return formula(tf.cast(maps, tf.float32), tf.cast(gradient, tf.float32))

        shapes = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32), tf.TensorSpec((), tf.float32)]
        return tf.function(compute, input_signature=shapes, autograph=False)
