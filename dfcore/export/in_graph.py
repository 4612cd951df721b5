"""Decoding and preprocessing of JPEG and PNG files as TensorFlow operations, for the SavedModel's signature on files.

The pixels are those of `dfcore.imaging`, bit for bit: TensorFlow decodes with the same library as Pillow, if asked for
its accurate transform, and Pillow's resampling is written out here with its own whole numbers (`Resample.c`: weights
of 22 bits, rounded to 8 bits after the rows and again after the columns).

What is left out is colour management (an embedded profile, a PNG's gamma), the orientation of a PNG, and every
other format.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import PIL
from packaging.version import Version

from dfcore.imaging.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import tensorflow as tf

_BITS = 22
# From version 13 on, Pillow resizes tall images along columns first, which changes a level here and there.
TALL_FIRST_DOWN = Version(PIL.__version__) >= Version("13")
# EXIF lies in one of the first segments of a JPEG, of 64 KB at most.
_SEARCHED = 256 * 1024
_ORIENTATION, _SHORT = 0x0112, 3
_MOST_ENTRIES = 512


def prepared(file: "tf.Tensor", spec: PreprocessSpec) -> "tf.Tensor":
    """The input of a network from the content of a JPEG or PNG file.

    Args:
        file: The content, a scalar string.
        spec: The preprocessing.

    Returns:
        uint8 of `spec.input_shape`, as `PreprocessSpec.apply` gives it.
    """
    import tensorflow as tf

    is_jpeg = tf.equal(tf.strings.substr(file, 0, 2), b"\xff\xd8")
    rgb = tf.cond(is_jpeg, lambda: _jpeg(file), lambda: _png(file))
    shape = tf.shape(rgb)
    squares = [_square(rgb, region, spec.size) for region in _regions(shape[0], shape[1], spec)]
    return tf.stack(squares) if spec.views else squares[0]


def _jpeg(file: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    rgb = tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE")
    turn = _orientation(file)
    rgb = tf.cond(tf.reduce_any(tf.equal(turn, [5, 6, 7, 8])), lambda: tf.transpose(rgb, [1, 0, 2]), lambda: rgb)
    rgb = tf.cond(tf.reduce_any(tf.equal(turn, [3, 4, 7, 8])), lambda: rgb[::-1], lambda: rgb)
    return tf.cond(tf.reduce_any(tf.equal(turn, [2, 3, 6, 7])), lambda: rgb[:, ::-1], lambda: rgb)


def _png(file: "tf.Tensor") -> "tf.Tensor":
    """A PNG over white, rounded as Pillow does."""
    import tensorflow as tf

    rgba = tf.cast(tf.io.decode_png(file, channels=4), tf.int32)
    alpha = rgba[..., 3:]
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha) + 128
    return tf.cast((mixed + mixed // 256) // 256, tf.uint8)


def _regions(height: "tf.Tensor", width: "tf.Tensor", spec: PreprocessSpec) -> list[tuple[Any, Any, Any, Any]]:
    """See `PreprocessSpec.regions`: top, left, height and width of each view."""
    import tensorflow as tf

    shorter = tf.minimum(height, width)
    native = tf.minimum(shorter, spec.size)

    def centre(side: "tf.Tensor") -> tuple[Any, Any, Any, Any]:
        return (height - side) // 2, (width - side) // 2, side, side

    corners: dict[str, tuple[Any, Any, Any, Any]] = {
        "native": centre(native),
        "native_tl": (0, 0, native, native),
        "native_tr": (0, width - native, native, native),
        "native_bl": (height - native, 0, native, native),
        "native_br": (height - native, width - native, native, native),
    }
    first = {"stretch": (0, 0, height, width), "fit_crop": centre(shorter), "native_crop": corners["native"]}
    return [first[spec.resize], *(corners[name] for name in spec.views)]


def _square(rgb: "tf.Tensor", region: tuple[Any, Any, Any, Any], size: int) -> "tf.Tensor":
    """A part of an image, resized as Pillow does: along rows, rounded to 8 bits, then along columns."""
    import tensorflow as tf

    top, left, height, width = region
    part = tf.cast(rgb[top : top + height, left : left + width], tf.float64)

    # Whole numbers below 2 ** 53 all along: exact, in whatever order they are added.
    def across(x: "tf.Tensor") -> "tf.Tensor":
        return _rounded(tf.einsum("ow,hwc->hoc", _weights(width, size), x))

    def down(x: "tf.Tensor") -> "tf.Tensor":
        return _rounded(tf.einsum("oh,hwc->owc", _weights(height, size), x))

    tall = (height > size) & (height - size > 2 * (width - size)) & TALL_FIRST_DOWN
    square = tf.cond(tall, lambda: across(down(part)), lambda: down(across(part)))
    return tf.cast(tf.ensure_shape(square, [size, size, 3]), tf.uint8)


def _rounded(values: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    return tf.clip_by_value(tf.floor((values + 2.0 ** (_BITS - 1)) / 2.0**_BITS), 0, 255)


def _weights(length: "tf.Tensor", size: int) -> "tf.Tensor":
    """Weights of Pillow's bilinear filter from `length` samples to `size`, whole numbers as float64 (size, length)."""
    import tensorflow as tf

    scale = tf.cast(length, tf.float64) / size
    widened = tf.maximum(scale, 1.0)
    centres = (np.arange(size, dtype=np.float64)[:, None] + 0.5) * scale
    first = tf.floor(tf.maximum(centres - widened + 0.5, 0.0))
    last = tf.minimum(tf.floor(centres + widened + 0.5), tf.cast(length, tf.float64))
    places = tf.cast(tf.range(length), tf.float64)[None]
    weights = tf.maximum(1.0 - tf.abs((places - centres + 0.5) * (1.0 / widened)), 0.0)
    weights = tf.where((places >= first) & (places < last), weights, 0.0)
    weights *= 1.0 / tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.floor(weights * 2.0**_BITS + 0.5)


def _orientation(file: "tf.Tensor") -> "tf.Tensor":
    """The orientation that the EXIF of a JPEG states; 1 if it states none."""
    import tensorflow as tf

    data = tf.cast(tf.io.decode_raw(tf.strings.substr(file, 0, _SEARCHED), tf.uint8), tf.int32)
    end = tf.size(data)

    def byte(place: Any) -> Any:
        """0 beyond the end."""
        return tf.where((place >= 0) & (place < end), data[tf.clip_by_value(place, 0, end - 1)], 0)

    def number(place: Any, count: int, little: Any) -> Any:
        parts = [byte(place + i) for i in range(count)]
        big, small = tf.constant(0), tf.constant(0)
        for part, other in zip(parts, reversed(parts), strict=True):
            big, small = big * 256 + part, small * 256 + other
        return tf.where(little, small, big)

    def is_exif(place: Any) -> Any:
        return (number(place, 2, False) == 0xFFE1) & (number(place + 4, 4, False) == 0x45786966)  # "Exif"

    def goes_on(place: Any) -> Any:
        marker = number(place, 2, False)
        return (place < end - 4) & (marker >= 0xFFC0) & (marker != 0xFFDA) & ~is_exif(place)

    place = tf.while_loop(goes_on, lambda place: (place + 2 + number(place + 2, 2, False),), [tf.constant(2)])[0]
    start = place + 10
    little = byte(start) == 0x49
    table = start + number(start + 4, 4, little)
    count = tf.minimum(number(table, 2, little), _MOST_ENTRIES)

    def is_other(entry: Any) -> Any:
        return (entry < count) & (number(table + 2 + 12 * entry, 2, little) != _ORIENTATION)

    entry = tf.while_loop(is_other, lambda entry: (entry + 1,), [tf.constant(0)])[0]
    at = table + 2 + 12 * entry
    found = is_exif(place) & (entry < count) & (number(at + 2, 2, little) == _SHORT)
    return tf.where(found, number(at + 8, 2, little), 1)
