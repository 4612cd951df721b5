"""Explanation methods, in one registry, `METHODS`. To add one, add an entry here.

A gradient-based method is a formula over a layer's activations and the gradient of the evidence with respect to them.
Score-CAM needs no gradient and is computed by tf-keras-vis.

Sources: Grad-CAM (Selvaraju et al., 2017), Grad-CAM++ (Chattopadhay et al., 2018), Score-CAM (Wang et al., 2020),
LayerCAM (Jiang et al., 2021), saliency (Simonyan et al., 2014).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Method:
    """An explanation method.

    Attributes:
        key: Name on the command line and in code.
        title: Name shown to users.
        help: What it shows, in one sentence.
        formula: Maps activations (1, h, w, C) and their gradient (1, h, w, C), float32 tensors, to a map (1, h, w);
            None for Score-CAM.
        at_input: Whether it works on the input pixels instead of a layer.
    """

    key: str
    title: str
    help: str
    formula: Callable[[Any, Any], Any] | None
    at_input: bool = False


def _gradcam(maps: Any, gradient: Any) -> Any:
    """Selvaraju et al., 2017, equations 1 and 2."""
    import tensorflow as tf

    weights = tf.reduce_mean(gradient, (1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(maps * weights, -1))


def _gradcam_plus_plus(maps: Any, gradient: Any) -> Any:
    """Chattopadhay et al., 2018, equations 10 to 19, without the common factor, the exponential of the score."""
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


METHODS: dict[str, Method] = {
    method.key: method
    for method in (
        Method("gradcam", "Grad-CAM", "The standard method: regions of the layer that carry the evidence.", _gradcam),
        Method("gradcam++", "Grad-CAM++", "Like Grad-CAM, but better with several regions.", _gradcam_plus_plus),
        Method("scorecam", "Score-CAM", "Gradient-free: masks the image with each activation map. Slow.", None),
        Method("layercam", "LayerCAM", "Finer than Grad-CAM, and useful at early layers too.", _layercam),
        Method("saliency", "Saliency", "How much each pixel sways the score, smoothed.", _saliency, at_input=True),
    )
}
