"""The reference engine: one compiled TensorFlow function that wraps the Keras model."""

from typing import TYPE_CHECKING

import numpy as np

from dfcore.engines.base import EngineName, Outputs, as_squares, count_heads, fake_logit, over_views

if TYPE_CHECKING:
    import keras


class KerasEngine:
    """Runs a Keras model that maps (N, size, size, 3) in [0, 255] to logits."""

    name: EngineName = "keras"

    def __init__(self, model: "keras.Model", *, tta_flip: bool = False, views: int = 1, loss: str = "binary"):
        """Compiles the model.

        Args:
            model: Maps one view to its logits.
            tta_flip: Whether outputs are averaged over an image and its mirror image.
            views: Number of views of an image.
            loss: "binary" or "categorical"; tells with several views what the model's units mean.

        Raises:
            ValueError: If the model's units do not fit the views.
        """
        import keras
        import tensorflow as tf

        self.model = model
        self.views, self.heads = views, count_heads(model.output_shape[-1], views, loss)
        shape = (None, *model.input_shape[1:])
        both = keras.Model(model.inputs, [model.outputs[0], model.layers[-1].input])

        def forward(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images = tf.cast(pixels, tf.float32)
            flips = tf.concat([images, images[:, :, ::-1]], 0) if tta_flip else images
            outputs, features = both(flips, training=False)
            logits = outputs if self.heads > 1 else fake_logit(outputs)
            features = tf.cast(features, tf.float32)
            if not tta_flip:
                return logits, features
            return tuple((part[: tf.shape(images)[0]] + part[tf.shape(images)[0] :]) / 2 for part in (logits, features))

        def one(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits, features = forward(image[None])
            return logits[0], features[0]

        def one_by_one(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.map_fn(one, pixels, fn_output_signature=(tf.float32, tf.float32))

        # On CPUs, rounding depends on the batch size and the position in the batch. Mapping one image at a time
        # inside one compiled function makes outputs bit-identical in any batch and costs about 3% (measured). On a
        # GPU it would be wasteful, so whole batches are run and scores may differ in the last bits.
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        self._forward = tf.function(
            forward if on_gpu else one_by_one,
            input_signature=[tf.TensorSpec(shape, tf.uint8)],
            autograph=False,
        )

    @property
    def width(self) -> int:
        """See `Engine.width`."""
        return self.model.layers[-1].input.shape[-1]

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.outputs`."""
        return over_views(self.by_view(pixels), self.views)

    def by_view(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.by_view`."""
        logits, features = (part.numpy() for part in self._forward(as_squares(pixels, self.views)))
        if self.heads > 1:
            logits = logits[np.arange(len(logits)), np.arange(len(logits)) % self.views]
        return Outputs(logits, features)

    def of_view(self, squares: np.ndarray, view: int) -> np.ndarray:
        """See `Engine.of_view`."""
        logits = self._forward(as_squares(squares, 1))[0].numpy()
        return logits[:, view] if self.heads > 1 else logits

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """See `Engine.logits`."""
        return self.outputs(pixels).logits
