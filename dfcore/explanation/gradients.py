"""Heat-maps by gradients, one compiled function for each method and layer: the formulas of the papers.

tf-keras-vis gives the same maps (the tests hold them side by side); run eagerly, with a model built anew at each call,
it takes many times as long.
"""

import threading
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import keras

GradientMethod = Literal["gradcam", "gradcam++", "layercam", "saliency"]
GRADIENT_METHODS: tuple[GradientMethod, ...] = get_args(GradientMethod)


class Gradients:
    """Maps of one model; threads may share it."""

    def __init__(self, model: "keras.Model"):
        """Takes a Functional model that ends in two logits, of real and of fake."""
        self._model = model
        self._functions: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def map(self, pixels: np.ndarray, method: GradientMethod, sign: float, layer: str) -> np.ndarray:
        """The map of one image, not scaled, (h, w) of the layer or of the image for "saliency".

        Args:
            pixels: preprocessed, float32 (1, size, size, 3).
            method: one of `GRADIENT_METHODS`.
            sign: 1 for evidence of fake, -1 for evidence of real.
            layer: by name.
        """
        key = (method, "" if method == "saliency" else layer)
        with self._lock:
            if key not in self._functions:
                self._functions[key] = self._compile(*key)
        return self._functions[key](pixels, np.float32(sign)).numpy()[0]

    def _compile(self, method: str, layer: str) -> Any:
        import keras
        import tensorflow as tf

        model = self._model
        looked_at = model.inputs[0] if method == "saliency" else model.get_layer(layer).output
        both = keras.Model(model.inputs, [looked_at, model.outputs[0]])
        formula = {"gradcam": _gradcam, "gradcam++": _gradcam_plus_plus, "layercam": _layercam, "saliency": _saliency}

        def compute(pixels: Any, sign: Any) -> Any:
            maps, logits = both(pixels, training=False)
            if method == "saliency":
                maps = pixels
            (gradient,) = tf.gradients(
                sign * (logits[:, 1] - logits[:, 0]), maps, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return formula[method](tf.cast(maps, tf.float32), tf.cast(gradient, tf.float32))

        shapes = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32), tf.TensorSpec((), tf.float32)]
        return tf.function(compute, input_signature=shapes, autograph=False)


def _gradcam(maps: Any, gradient: Any) -> Any:
    """Selvaraju et al., 2017, equations 1 and 2."""
    import tensorflow as tf

    weights = tf.reduce_mean(gradient, (1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(maps * weights, -1))


def _gradcam_plus_plus(maps: Any, gradient: Any) -> Any:
    """Chattopadhay et al., 2018, equations 10 to 19; the exponential of the score, a common factor, is left out."""
    import tensorflow as tf

    second = gradient**2
    below = 2 * second + gradient**3 * tf.reduce_sum(maps, (1, 2), keepdims=True)
    alphas = second / tf.where(second == 0, below + 1, below)
    total = tf.reduce_sum(alphas, (1, 2), keepdims=True)
    alphas /= tf.where(total == 0, 1.0, total)
    weights = tf.reduce_sum(alphas * tf.nn.relu(gradient), (1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(maps * weights, -1))


def _layercam(maps: Any, gradient: Any) -> Any:
    """Jiang et al., 2021, equations 5 and 6."""
    import tensorflow as tf

    return tf.nn.relu(tf.reduce_sum(maps * tf.nn.relu(gradient), -1))


def _saliency(_: Any, gradient: Any) -> Any:
    """Simonyan et al., 2014, section 3.1."""
    import tensorflow as tf

    return tf.reduce_max(tf.abs(gradient), -1)
