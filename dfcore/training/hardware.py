"""Hardware: GPUs, mixed precision and distribution strategy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def gpu_count() -> int:
    """Number of GPUs visible to TensorFlow."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def apply_precision(precision: str) -> None:
    """Sets the dtype policy of Keras; "auto" is mixed_float16 on a GPU and float32 otherwise."""
    import keras

    if precision == "auto":
        precision = "mixed_float16" if gpu_count() else "float32"
    keras.config.set_dtype_policy(precision)


@contextmanager
def own_precision() -> Iterator[None]:
    """Context manager that restores the global dtype policy of Keras on exit."""
    import keras

    before = keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def make_strategy() -> Any:
    """Returns a MirroredStrategy if there are several GPUs, else the default strategy."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy() if gpu_count() > 1 else tf.distribute.get_strategy()
