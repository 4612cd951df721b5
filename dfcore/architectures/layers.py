"""Custom layers that Keras lacks. Importing this module imports Keras and registers them."""

import keras
from keras import ops

from dfcore import compat


@keras.saving.register_keras_serializable(package="dfcore")
class LogSpectrum(keras.layers.Layer):
    """Centred log-magnitude spectrum of the greyscale image, standardised per image.

    Up-sampling in generators leaves periodic replicas in it (Durall et al., 2020). Input (N, H, W, 3), output
    (N, H, W, 1) in float32, with the zero frequency in the centre.
    """

    def __init__(self, **options):
        super().__init__(**{"dtype": "float32", **options})

    def call(self, images):
        """Computes the spectra."""
        images = ops.cast(images, "float32")
        grey = ops.mean(images, axis=-1)
        grey = grey - ops.mean(grey, axis=(1, 2), keepdims=True)
        real, imaginary = ops.fft2((grey, ops.zeros_like(grey)))
        # The constant keeps the logarithm's slope finite where a frequency is absent.
        spectrum = 0.5 * ops.log(real * real + imaginary * imaginary + 1e-3)
        height, width = spectrum.shape[1:]
        spectrum = ops.roll(spectrum, (height // 2, width // 2), axis=(1, 2))
        mean = ops.mean(spectrum, axis=(1, 2), keepdims=True)
        deviation = ops.std(spectrum, axis=(1, 2), keepdims=True)
        return ops.expand_dims((spectrum - mean) / (deviation + 1e-3), -1)

    def compute_output_shape(self, input_shape):
        """(N, H, W, 3) to (N, H, W, 1)."""
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable(package="dfcore")
class CaffeInput(keras.layers.Layer):
    """Converts RGB in [0, 255] to the input of Keras's ResNet50 weights: BGR minus the mean of ImageNet."""

    def call(self, images):
        """Converts RGB (N, H, W, 3) to centred BGR."""
        return ops.flip(images, axis=-1) - ops.convert_to_tensor([103.939, 116.779, 123.68], self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Unchanged."""
        return input_shape


@keras.saving.register_keras_serializable(package="dfcore")
class ReverseChannels(keras.layers.Layer):
    """RGB to BGR, for networks that learned from images as OpenCV reads them; (N, H, W, 3) to the same."""

    def call(self, images):
        """Reverses the channels."""
        return ops.flip(images, axis=-1)

    def compute_output_shape(self, input_shape):
        """Unchanged."""
        return input_shape


@keras.saving.register_keras_serializable(package="dfcore")
class MeanStdPooling(keras.layers.Layer):
    """Mean and standard deviation of each channel over the image; (N, H, W, C) to (N, 2C)."""

    def call(self, maps):
        """Pools feature maps."""
        mean = ops.mean(maps, axis=(1, 2), keepdims=True)
        # Not the mean of squares minus the square of the mean: on a flat image that leaves only rounding error.
        variance = ops.mean(ops.square(maps - mean), axis=(1, 2))
        # The constant keeps the root's slope finite where a channel is constant.
        return ops.concatenate([mean[:, 0, 0], ops.sqrt(variance + 1e-5)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(N, H, W, C) to (N, 2C)."""
        return (input_shape[0], 2 * input_shape[-1])


@keras.saving.register_keras_serializable(package="dfcore")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each token; (N, T, D) to (N, T, D)."""

    def build(self, input_shape):
        """Creates one vector per token."""
        self.embedding = self.add_weight(
            shape=(1, *input_shape[1:]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="embedding",
        )

    def call(self, tokens):
        """Adds the vectors."""
        return tokens + self.embedding

    def compute_output_shape(self, input_shape):
        """Unchanged."""
        return input_shape


@keras.saving.register_keras_serializable(package="dfcore")
class ClassToken(keras.layers.Layer):
    """Puts a learned token before the others; (N, T, D) to (N, T + 1, D)."""

    def build(self, input_shape):
        """Creates the token."""
        initial = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(shape=(1, 1, input_shape[-1]), initializer=initial, name="token")

    def call(self, tokens):
        """Adds the token."""
        first = ops.broadcast_to(self.token, (ops.shape(tokens)[0], 1, tokens.shape[-1]))
        return ops.concatenate([first, tokens], axis=1)

    def compute_output_shape(self, input_shape):
        """(N, T, D) to (N, T + 1, D)."""
        return (input_shape[0], input_shape[1] + 1, input_shape[2])


@keras.saving.register_keras_serializable(package="dfcore")
class NoGradient(keras.layers.Layer):
    """Passes values on, and no gradient back."""

    def call(self, values):
        """The same values."""
        return ops.stop_gradient(values)

    def compute_output_shape(self, input_shape):
        """Unchanged."""
        return input_shape


# Models saved by earlier versions use other names for some layers.
for _old, _new in compat.LAYERS.items():
    keras.saving.get_custom_objects()[f"dfcore>{_old}"] = globals()[_new]
