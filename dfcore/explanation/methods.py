"""The methods that explain: one registry, `METHODS`. Adding one is adding an entry here.

A gradient method is a formula over a layer's maps and the gradient of the evidence by them. Score-CAM needs no
gradient; tf-keras-vis computes it.

Sources: Grad-CAM (Selvaraju et al., 2017), Grad-CAM++ (Chattopadhay et al., 2018), Score-CAM (Wang et al., 2020),
LayerCAM (Jiang et al., 2021), saliency (Simonyan et al., 2014).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Method:
    """One way to explain.

    Attributes:
        key: its name on the command line and in code.
        title: what people read.
        help: what it shows, in one sentence.
        formula: from maps (1, h, w, C) and gradient (1, h, w, C), both float32 tensors, to a map (1, h, w); None for
            Score-CAM.
        at_input: whether it looks at the image's own pixels instead of a layer.
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


METHODS: dict[str, Method] = {
    method.key: method
    for method in (
        Method("gradcam", "Grad-CAM", "The usual one: which parts of the layer's maps carry the evidence.", _gradcam),
        Method("gradcam++", "Grad-CAM++", "Grad-CAM that shows several places at once better.", _gradcam_plus_plus),
        Method("scorecam", "Score-CAM", "Without gradients: masks the image by each map. Slow.", None),
        Method("layercam", "LayerCAM", "Sharper than Grad-CAM, and useful at early layers too.", _layercam),
        Method("saliency", "Saliency", "How sensitive the score is to each single pixel.", _saliency, at_input=True),
    )
}
