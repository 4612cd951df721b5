"""Gradient-based heat-maps: the published formulas, with one compiled function per method and layer.

tf-keras-vis computes the same maps (tests compare them), but eagerly and with a model rebuilt on each call, which is
many times slower.
"""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.explanation.methods import METHODS

if TYPE_CHECKING:
    import keras


class Gradients:
    """Computes gradient-based maps of one model. Thread-safe."""

    def __init__(self, model: "keras.Model"):
        """Takes a Functional model whose output is two logits, (real, fake)."""
        self._model = model
        self._functions: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def map(self, pixels: np.ndarray, method: str, sign: float, layer: str) -> np.ndarray:
        """Computes the unscaled map of one image.

        Args:
            pixels: Preprocessed, float32 (1, size, size, 3).
            method: A key of `METHODS` with a formula.
            sign: 1 for evidence of fake, -1 for evidence of real.
            layer: Name of the layer.

        Returns:
            float32 (h, w): the size of the layer's activations, or of the image for methods that work on the input.
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
        assert formula is not None  # Score-CAM is computed by tf-keras-vis.
        activations = model.inputs[0] if at_input else model.get_layer(layer).output
        both = keras.Model(model.inputs, [activations, model.outputs[0]])

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
