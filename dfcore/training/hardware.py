"""What the machine offers: GPUs, mixed precision, a distribution strategy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def gpu_count() -> int:
    """How many GPUs TensorFlow sees."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def apply_precision(precision: str) -> None:
    """Sets Keras's dtype policy; "auto" is mixed_float16 on a GPU and float32 else."""
    import keras

    if precision == "auto":
        precision = "mixed_float16" if gpu_count() else "float32"
    keras.config.set_dtype_policy(precision)


@contextmanager
def own_precision() -> Iterator[None]:
    """Gives Keras its dtype policy back afterwards, which belongs to the whole process."""
    import keras

    before = keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def make_strategy() -> Any:
    """All GPUs of the machine through MirroredStrategy, or the default for one device."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy() if gpu_count() > 1 else tf.distribute.get_strategy()
