"""A detector as one network of Keras's own layers, from pixels to the calibrated score: what every format is made of.

It takes what `PreprocessSpec.apply` returns, uint8, and contains all that follows: scaling, the mirror image of
`tta_flip`, the mean over views, the choice among two outputs or the heads of views, and the calibration. Whoever runs
an exported file has to prepare pixels and compare a score with thresholds, and nothing else.

Layers of our own are replaced by operations and layers of Keras that compute the same: a file needs no `dfcore`. So
are convolutions with a group for each channel, which the way to ONNX gets wrong. ONNX needs three more: the exact GELU
written out, maps normalised as rows of a table, and the Fourier transform as products with matrices.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.confidence import Calibration
from dfcore.detectors.card import Card
from dfcore.engines import count_heads
from dfcore.errors import BundleError

if TYPE_CHECKING:
    import keras

IMAGE, SCORE, LOGIT = "image", "score", "logit"
_ROOT_HALF = 0.5**0.5


def whole_network(model: "keras.Model", card: Card, *, for_onnx: bool = False) -> "keras.Model":
    """The network of a detector from pixels to its score.

    Args:
        model: Maps one view, (N, size, size, 3) in [0, 255], to logits; with a tower, the tower is part of it.
        card: Its card.
        for_onnx: Whether what ONNX has no operation for is written out.

    Returns:
        A model of `image`, uint8 (N, *spec.input_shape), with the outputs `score`, P(fake) in [0, 1] after calibration,
        and `logit`, each float32 (N,).

    Raises:
        BundleError: If the model's outputs do not fit the card.
    """
    import keras
    from keras import ops

    spec, views = card.spec, len(card.spec.view_titles)
    image = keras.Input(spec.input_shape, dtype="uint8", name=IMAGE)
    squares = ops.cast(image, "float32")
    if views == 1:
        squares = ops.expand_dims(squares, 1)
    if card.tta_flip:
        squares = ops.concatenate([squares, ops.flip(squares, axis=3)], axis=1)
    number = views * (2 if card.tta_flip else 1)
    outputs = plain(model, for_onnx=for_onnx)(ops.reshape(squares, (-1, spec.size, spec.size, 3)))
    try:
        heads = count_heads(model.output_shape[-1], views, card.loss)
    except ValueError as error:
        raise BundleError(f"The network of {card.title} does not fit its card: {error}") from error
    by_square = ops.reshape(_of_each_square(outputs, heads, number), (-1, number))
    logit = ops.mean(by_square, axis=1)
    return keras.Model(image, {SCORE: _calibrated(logit, card.calibration), LOGIT: logit}, name="detector")


def _of_each_square(outputs: Any, heads: int, number: int) -> Any:
    """The logit of P(fake) of each square, of `number` squares an image."""
    from keras import ops

    units = outputs.shape[-1]
    if heads == 1:
        return outputs[:, 0] if units == 1 else outputs[:, 1] - outputs[:, 0]
    own = np.tile(np.eye(heads, dtype=np.float32), (number // heads, 1))
    chosen = ops.reshape(outputs, (-1, number, heads)) * own
    return ops.sum(chosen, axis=-1)


def _calibrated(logit: Any, calibration: Calibration) -> Any:
    """See `Calibration.apply`."""
    from keras import ops

    if calibration.method != "isotonic":
        return ops.sigmoid(logit * calibration.slope + calibration.offset)
    x, y = np.array(calibration.knots, np.float64).T
    if len(x) == 1:
        return logit * 0.0 + float(y[0])
    # The sum of what each piece rises up to here, which needs no search.
    starts, widths, rises = (part.astype(np.float32) for part in (x[:-1], np.diff(x), np.diff(y)))
    shares = ops.clip((ops.expand_dims(logit, -1) - starts) / widths, 0.0, 1.0)
    return ops.sum(shares * rises, axis=-1) + float(y[0])


def plain(model: "keras.Model", *, for_onnx: bool = False) -> "keras.Model":
    """The same network without layers of our own; those of architectures from outside stay as they are.

    Args:
        model: A flat network; it shares its layers with the new one.
        for_onnx: As for `whole_network`.
    """
    import keras

    from dfcore.architectures import layers as own

    replaced = {
        own.CaffeInput: _caffe_input,
        own.MeanStdPooling: _mean_std_pooling,
        own.LogSpectrum: _log_spectrum,
        own.PositionEmbedding: _position_embedding,
        own.ClassToken: _class_token,
        own.NoGradient: lambda _, values, __: values,
    }

    def call(layer: Any, *tensors: Any, **options: Any) -> Any:
        if type(layer) in replaced:
            return replaced[type(layer)](layer, tensors[0], for_onnx)
        if isinstance(layer, keras.layers.Dropout):
            return tensors[0]
        if _is_depthwise(layer):
            return _depthwise(layer, tensors[0])
        if for_onnx and type(layer) is keras.layers.Normalization:
            return _normalised(layer, tensors[0])
        if for_onnx and _normalises_maps(layer, tensors[0]):
            return _normalised_by_rows(layer, tensors[0])
        if for_onnx and getattr(layer, "activation", None) is keras.activations.gelu:
            return _with_gelu(layer, *tensors)
        return layer(*tensors, **options)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def _caffe_input(_: Any, images: Any, __: bool) -> Any:
    from keras import ops

    return ops.flip(images, axis=-1) - np.array([103.939, 116.779, 123.68], np.float32)


def _mean_std_pooling(_: Any, maps: Any, __: bool) -> Any:
    from keras import ops

    mean = ops.mean(maps, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(maps - mean), axis=(1, 2))
    return ops.concatenate([ops.reshape(mean, (-1, maps.shape[-1])), ops.sqrt(variance + 1e-5)], axis=-1)


def _log_spectrum(_: Any, images: Any, for_onnx: bool) -> Any:
    from keras import ops

    if for_onnx:
        return _log_spectrum_by_products(images)
    grey = ops.mean(images, axis=-1)
    grey = grey - ops.mean(grey, axis=(1, 2), keepdims=True)
    real, imaginary = ops.fft2((grey, ops.zeros_like(grey)))
    return _standardised(0.5 * ops.log(real * real + imaginary * imaginary + 1e-3))


def _log_spectrum_by_products(images: Any) -> Any:
    """The spectrum by products with matrices of cosines and sines.

    In float64: the logarithm amplifies rounding where a frequency is missing from an image, and float32 would change
    scores (see docs/architecture.md on OpenVINO).
    """
    from keras import ops

    grey = ops.cast(ops.mean(images, axis=-1), "float64")
    grey = grey - ops.mean(grey, axis=(1, 2), keepdims=True)
    (cosines, sines), (cosines_x, sines_x) = (_waves(side) for side in images.shape[1:3])
    along_y, across_y = ops.matmul(cosines, grey), ops.matmul(sines, grey)
    real = ops.matmul(along_y, cosines_x) - ops.matmul(across_y, sines_x)
    imaginary = ops.matmul(along_y, sines_x) + ops.matmul(across_y, cosines_x)
    spectrum = 0.5 * ops.log(real * real + imaginary * imaginary + 1e-3)
    return _standardised(ops.cast(spectrum, "float32"))


def _waves(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of the discrete Fourier transform of so many values, float64 (side, side)."""
    # Modulo the side, so that large products lose no digits.
    angles = 2 * np.pi * (np.outer(np.arange(side), np.arange(side)) % side) / side
    return np.cos(angles), np.sin(angles)


def _standardised(spectrum: Any) -> Any:
    """A spectrum, (N, H, W), with the zero frequency in the centre, standardised per image: (N, H, W, 1)."""
    from keras import ops

    height, width = spectrum.shape[1:]
    spectrum = ops.roll(spectrum, (height // 2, width // 2), axis=(1, 2))
    mean = ops.mean(spectrum, axis=(1, 2), keepdims=True)
    deviation = ops.std(spectrum, axis=(1, 2), keepdims=True)
    return ops.expand_dims((spectrum - mean) / (deviation + 1e-3), -1)


def _position_embedding(layer: Any, tokens: Any, for_onnx: bool) -> Any:
    return _plus(tokens, layer.embedding.numpy()[0], layer.name, for_onnx)


def _class_token(layer: Any, tokens: Any, for_onnx: bool) -> Any:
    from keras import layers

    after = layers.ZeroPadding1D((1, 0), name=f"{layer.name}_place")(tokens)
    token = np.zeros(after.shape[1:], np.float32)
    token[0] = layer.token.numpy()[0, 0]
    return _plus(after, token, layer.name, for_onnx)


def _plus(tokens: Any, added: np.ndarray, name: str, for_onnx: bool) -> Any:
    """Adds an array, (T, D), to tokens, (N, T, D).

    Keras has no layer that adds a weight. Standardising by a mean of -`added` and a variance of 1 does so exactly. On
    the way to ONNX that mean would become an input of the graph; there the array is a constant of it.
    """
    from keras import layers

    if for_onnx:
        return tokens + added
    layer = layers.Normalization(axis=(1, 2), name=f"{name}_added")
    layer.build(tokens.shape)
    count = layer.get_weights()[2]
    layer.set_weights([-added, np.ones_like(added), count])
    layer.finalize_state()
    return layer(tokens)


def _normalised(layer: Any, x: Any) -> Any:
    """Standardisation by constants of the graph; those of Keras's layer would become inputs of it."""
    import keras
    from keras import ops

    mean, variance = (ops.convert_to_numpy(part) for part in (layer.mean, layer.variance))
    spread = np.maximum(np.sqrt(variance), keras.config.epsilon()).astype(np.float32)
    return x * spread + mean if layer.invert else (x - mean) / spread


def _normalises_maps(layer: Any, x: Any) -> bool:
    """Whether a layer normalises each place of a map over its channels."""
    import keras

    return type(layer) is keras.layers.LayerNormalization and len(x.shape) == 4 and layer.axis in ([-1], [3])


def _normalised_by_rows(layer: Any, x: Any) -> Any:
    """The same of the places as rows of a table: of maps of one place, tf2onnx takes the variance over another axis."""
    from keras import ops

    rows = ops.reshape(x, (-1, x.shape[-1]))
    same = type(layer).from_config(layer.get_config() | {"axis": -1, "name": f"{layer.name}_by_rows"})
    same.build(rows.shape)
    same.set_weights(layer.get_weights())
    return ops.reshape(same(rows), (-1, *x.shape[1:]))


def _is_depthwise(layer: Any) -> bool:
    import keras

    return (
        type(layer) is keras.layers.Conv2D
        and layer.groups > 1
        and layer.groups == layer.filters
        and layer.kernel.shape[2] == 1
    )


def _depthwise(layer: Any, x: Any) -> Any:
    """A convolution with one group for each channel, as Keras's layer of that name."""
    from keras import layers

    same = layers.DepthwiseConv2D(
        layer.kernel_size,
        layer.strides,
        layer.padding,
        dilation_rate=layer.dilation_rate,
        use_bias=layer.use_bias,
        activation=layer.activation,
        name=f"{layer.name}_by_channel",
    )
    same.build(x.shape)
    kernel, *bias = layer.get_weights()
    same.set_weights([kernel.transpose(0, 1, 3, 2), *bias])
    return same(x)


def _with_gelu(layer: Any, x: Any) -> Any:
    """A layer that ends in the exact GELU, whose formula is written out."""
    import keras
    from keras import ops

    if not isinstance(layer, keras.layers.Activation):
        linear = type(layer).from_config(layer.get_config() | {"activation": "linear", "name": f"{layer.name}_linear"})
        linear.build(x.shape)
        linear.set_weights(layer.get_weights())
        x = linear(x)
    return x * (0.5 * (ops.erf(x * _ROOT_HALF) + 1.0))
