"""`tf.data` pipelines over cached pixels: shuffled by seed and epoch, augmented a batch at a time."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dfcore.datasets.augment import augmenter
from dfcore.datasets.cache import Pixels
from dfcore.utils.processes import cores

if TYPE_CHECKING:
    import tensorflow as tf

# Batches that are made at once, however many cores there are; they stand in memory.
_MOST_IN_PARALLEL = 8


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits `count` images; the same for the same seed and epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


@lru_cache(maxsize=8)
def _traced_augmenter(text: str) -> "Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None":
    """The augmenter as one function of TensorFlow: traced anew for every epoch it took up to half a second."""
    import tensorflow as tf

    augment = augmenter(text)
    return None if augment is None else tf.function(augment, autograph=False)


def training_batches(
    pixels: Pixels,
    positions: np.ndarray,
    targets: np.ndarray,
    *,
    batch_size: int,
    augmentation: str = "none",
    seed: int = 0,
    epoch: int = 0,
    skip: int = 0,
    weights: np.ndarray | None = None,
) -> "tf.data.Dataset":
    """One epoch of batches (images uint8 (B, S, S, 3), targets, weights where given).

    Images with V views give V examples each, (B * V, S, S, 3), which are augmented alike. The last batch is smaller
    where the count is no multiple. What a batch holds depends on seed, epoch and its number alone, so `skip` continues
    an epoch exactly where it was left.

    Args:
        pixels: the cache.
        positions: which of its images take part, shape (N,).
        targets: one a position, shape (N,) or (N, K); one for each of its views, shape (N, V, K).
        batch_size: images a step.
        augmentation: see `dfcore.datasets.augment`.
        seed: of the run; with the epoch it determines order and augmentation.
        epoch: number of the epoch, from 0.
        skip: batches at the beginning to leave out.
        weights: sample weights, shape (N,).
    """
    import tensorflow as tf

    order = epoch_order(len(positions), seed, epoch)
    augment = _traced_augmenter(augmentation)
    *views, size = pixels.store.shape[1:-2]
    parts = (targets,) if weights is None else (targets, weights.astype("float32"))

    def gather(chosen: np.ndarray) -> np.ndarray:
        return pixels.gather(chosen)

    def batch(number: tf.Tensor, chosen: tf.Tensor, *rest: tf.Tensor) -> tuple:
        images = tf.numpy_function(gather, [chosen], tf.uint8, stateful=False)
        images = tf.ensure_shape(images, (None, *views, size, size, 3))
        mixed = tf.cast(tf.stack([tf.constant(seed * 1_000_003, tf.int64) + epoch, number]) % 2**31, tf.int32)

        def changed(squares: tf.Tensor) -> tf.Tensor:
            return squares if augment is None else augment(squares, mixed)

        if not views:
            return changed(images), *rest
        # The same seed for each view: an image's views are mirrored, recompressed and recoloured alike.
        squares = tf.stack([changed(view) for view in tf.unstack(images, axis=1)], axis=1)
        wanted, *weight = rest
        weight = [tf.repeat(each, views[0]) for each in weight]
        flat = tf.reshape(squares, tf.concat([[-1], tf.shape(squares)[2:]], 0))
        return flat, tf.reshape(wanted, (-1, wanted.shape[-1])), *weight

    source = tf.data.Dataset.from_tensor_slices((positions[order], *(part[order] for part in parts)))
    source = source.batch(batch_size).enumerate().skip(skip)
    source = source.map(lambda number, items: batch(number, *items), num_parallel_calls=min(cores(), _MOST_IN_PARALLEL))
    options = tf.data.Options()
    # Batches are the unit of work; splitting them over devices is the strategy's own business.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    # Its thread may sleep for seconds when an epoch ends, and the epoch waits for it (measured).
    options.autotune.enabled = False
    return source.with_options(options).prefetch(2)
