"""Networks that several contracts are held against."""

import numpy as np

from dfcore import architectures
from dfcore.architectures import build_model
from dfcore.engines import fake_logit
from dfcore.exchange.optimize import patterns

# Heat-maps of the deepest networks have more than one row from this size on.
SIZE, LARGE = 32, 64
NAMES = architectures.names()
# Its Fourier transform has no counterpart in OpenVINO.
INEXPRESSIBLE = {"spectral_cnn"}


def noise(count: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def lively(name: str = "cnn", *, size: int = SIZE, loss: str = "binary", seed: int = 1, heads: int = 1):
    """A network with random weights and biases, whose answers to patterns are neither all alike nor all sure."""
    import keras

    keras.utils.set_random_seed(seed)
    drawn = np.random.default_rng(seed)
    model = build_model(name, size=size, loss=loss, heads=heads)
    pixels = patterns(size, noise(16, size, seed=100)).astype(np.float32)
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalizations:
        layer.trainable, layer.momentum = True, 0.0
    if normalizations:
        model(pixels, training=True)  # Their statistics are those of the patterns now.
    for layer in normalizations:
        layer.beta.assign(drawn.normal(0, 0.1, layer.beta.shape))
    last = model.layers[-1]
    features = keras.Model(model.inputs, last.input)(pixels, training=False).numpy()
    # Of the directions in which features vary most, so that no rounding is blown up.
    directions = np.linalg.svd(features - features.mean(0), full_matrices=False)[2][:8]
    kernel = directions.T @ drawn.normal(size=(8, last.units))
    logits = features @ kernel
    kernel *= 2 / (logits if heads > 1 else fake_logit(logits)).std(0)
    last.set_weights([kernel, -(features @ kernel).mean(0)])
    return model
