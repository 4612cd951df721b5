"""Whether a method's maps depend on what a network learned: those of the same network with random weights.

A method whose map hardly changes when the weights are shuffled shows edges of the image, not reasons of the network
(Adebayo et al., Sanity Checks for Saliency Maps, 2018).
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def shuffle_weights(model: "keras.Model", seed: int = 0) -> None:
    """Shuffles the numbers within each weight of a model, in place: same sizes and scales, nothing learned."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype.startswith(("float", "bfloat")):  # Not the states of random generators.
            values = np.asarray(weight)
            weight.assign(random.permutation(values.ravel()).reshape(values.shape))


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two maps of the same shape, in [-1, 1]; 0 if one is the same everywhere."""
    from scipy.stats import spearmanr

    if not np.ptp(one) > 0 or not np.ptp(other) > 0:
        return 0.0
    return float(spearmanr(np.ravel(one), np.ravel(other)).statistic)
