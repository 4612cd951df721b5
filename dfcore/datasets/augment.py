"""Random changes of training images, each by its own strength, batched and seeded.

An augmentation is asked for by one text: a named strength for the usual set ("light", "standard",
"strong"), or single changes, each with a strength if wanted: "flip,jpeg:strong,noise:light". "none"
changes nothing. The same seed, epoch and batch always give the same changes, so that a resumed run
sees what the uninterrupted one would have seen.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dfcore.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

STRENGTHS = ("light", "standard", "strong")
HELP = {
    "flip": "Mirrors half of the images left to right. Moves no trace.",
    "rotation": "Turns by up to 5, 10 or 20 degrees. Resamples, which softens fine traces.",
    "random_crop": "Cuts out a square of 88, 75 or 62% of the side at random, without resampling.",
    "crop": "Cuts out at least 95, 90 or 80% of the side and enlarges it again.",
    "jpeg": "Recompresses half of the images at a random quality of at least 85, 65 or 40.",
    "blur": "Blurs half of the images with a Gaussian of up to 0.5, 1 or 2 pixels.",
    "resize": "Shrinks half of the images to at least 0.85, 0.7 or 0.5 of the side and enlarges them again.",
    "noise": "Adds Gaussian noise of up to 2, 5 or 10 grey levels.",
    "colour": "Changes brightness, contrast and saturation by up to 5, 10 or 25%.",
}
OPERATIONS = tuple(HELP)
_VALUES: dict[str, tuple[float, float, float]] = {
    "flip": (0.5, 0.5, 0.5),
    "rotation": (5.0, 10.0, 20.0),
    "random_crop": (0.875, 0.75, 0.625),
    "crop": (0.95, 0.9, 0.8),
    "jpeg": (85, 65, 40),
    "blur": (0.5, 1.0, 2.0),
    "resize": (0.85, 0.7, 0.5),
    "noise": (2.0, 5.0, 10.0),
    "colour": (0.05, 0.1, 0.25),
}
# What a named strength holds: the light one moves no pixel, so that fine traces survive.
_NAMED = {
    "none": (),
    "light": ("flip",),
    "standard": ("flip", "crop", "jpeg", "colour"),
    "strong": tuple(name for name in OPERATIONS if name != "random_crop"),
}
NAMED = tuple(_NAMED)


def parse(text: str) -> dict[str, float]:
    """Reads an augmentation; returns {operation: value}.

    Example:
        >>> parse("jpeg:strong,flip")
        {'flip': 0.5, 'jpeg': 40}

    Raises:
        ConfigError: naming every word that is not known.
    """
    text = text.strip().lower()
    if text in _NAMED:
        wanted = dict.fromkeys(_NAMED[text], text)
    else:
        wanted = dict(_word(word) for word in text.split(",") if word.strip())
    unknown = [f"{name}:{s}" for name, s in wanted.items() if name not in _VALUES or s not in STRENGTHS]
    if unknown:
        raise ConfigError(
            [
                f"augmentation: expected {', '.join(NAMED)}, or a list of {', '.join(OPERATIONS)}, each with "
                f":light, :standard or :strong if wanted. Received: {', '.join(unknown)}"
            ]
        )
    return {name: _VALUES[name][STRENGTHS.index(wanted[name])] for name in OPERATIONS if name in wanted}


def _word(word: str) -> tuple[str, str]:
    name, _, strength = word.strip().partition(":")
    return name.strip(), strength.strip() or "standard"


def has_random_crop(text: str) -> bool:
    """Whether an augmentation makes the images smaller, so that the network must take any size."""
    return "random_crop" in parse(text)


def random_crop_side(text: str, size: int) -> int:
    """The side in pixels of what the network learns from, of images with the side `size`."""
    share = parse(text).get("random_crop")
    return size if share is None else _side(share, size)


def without_random_crop(text: str) -> str:
    """The same augmentation on whole images."""
    saved = [word for word in text.split(",") if word.strip().lower().partition(":")[0].strip() != "random_crop"]
    return ",".join(saved) or "none"


def augmenter(text: str) -> "Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None":
    """Makes the function (images, seed) -> images, or None where nothing is to be changed.

    The images are uint8 (N, S, S, 3) before and after (smaller with
    "random_crop"); the seed is an int tensor of shape (2,).
    """
    import tensorflow as tf

    operations = parse(text)
    if not operations:
        return None
    geometry = {name: operations[name] for name in ("rotation", "crop") if name in operations}

    def augment(batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = iter(tf.unstack(tf.random.split(seed, len(_STEPS) + 3)))
        if "flip" in operations:
            batch = _flip(batch, next(seeds))
        if "random_crop" in operations:
            batch = _random_crop(batch, operations["random_crop"], next(seeds))
        if set(operations) <= {"flip", "random_crop"}:
            return batch
        image = tf.cast(batch, tf.float32)
        if geometry:
            image = _move(image, next(seeds), **geometry)
        for name, step in _STEPS.items():
            if name in operations:
                image = step(image, operations[name], next(seeds))
        return tf.cast(tf.round(tf.clip_by_value(image, 0.0, 255.0)), tf.uint8)

    return augment


def _uniform(seed: Any, shape: Any, low: float, high: float) -> Any:
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, low, high)


def _on_half(image: Any, seed: Any, change: Callable[[Any], Any]) -> Any:
    """Changes half of the images, and computes the change for those only."""
    import tensorflow as tf

    chosen = tf.reshape(tf.where(_uniform(seed, (tf.shape(image)[0],), 0.0, 1.0) < 0.5), (-1,))

    def put() -> Any:
        return tf.tensor_scatter_nd_update(image, chosen[:, None], change(tf.gather(image, chosen)))

    # Kernels stumble over an empty batch, and in a small one nobody may be chosen.
    return tf.cond(tf.size(chosen) > 0, put, lambda: image)


def _flip(image: Any, seed: Any) -> Any:
    return _on_half(image, seed, lambda some: some[:, :, ::-1])


def _side(share: float, size: int) -> int:
    """Of a random crop: whole blocks of 8 pixels, at least one, and no more than the image has."""
    return max(min(8 * round(share * size / 8), size // 8 * 8), 8)


def _random_crop(images: Any, share: float, seed: Any) -> Any:
    """Corners lie on a grid of 8 pixels, so that the blocks of a JPEG keep their place."""
    import tensorflow as tf

    size = images.shape[1]
    side = _side(share, size)
    corners = 8 * tf.random.stateless_uniform((tf.shape(images)[0], 2), seed, 0, (size - side) // 8 + 1, tf.int32)

    def cut(item: Any) -> Any:
        image, (top, left) = item[0], tf.unstack(item[1])
        return tf.ensure_shape(image[top : top + side, left : left + side], (side, side, 3))

    return tf.map_fn(cut, (images, corners), fn_output_signature=images.dtype)


def _move(image: Any, seed: Any, rotation: float = 0.0, crop: float = 1.0) -> Any:
    """Turns and zooms about a random point, in one resampling; edges are mirrored."""
    import numpy as np
    import tensorflow as tf

    n, size = tf.shape(image)[0], tf.cast(tf.shape(image)[1], tf.float32)
    seeds = tf.unstack(tf.random.split(seed, 4))
    angle = _uniform(seeds[0], (n,), -rotation, rotation) * (np.pi / 180)
    zoom = _uniform(seeds[1], (n,), crop, 1.0)
    room = (1.0 - zoom) / 2 * size
    dx, dy = (_uniform(s, (n,), -1.0, 1.0) * room for s in seeds[2:])
    centre = (size - 1) / 2
    cos, sin, zero = tf.cos(angle) * zoom, tf.sin(angle) * zoom, tf.zeros_like(angle)
    to_x = centre + dx - cos * centre + sin * centre
    to_y = centre + dy - sin * centre - cos * centre
    matrix = tf.stack([cos, -sin, to_x, sin, cos, to_y, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image,
        transforms=matrix,
        output_shape=tf.shape(image)[1:3],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )


def _resize(image: Any, smallest: float, seed: Any) -> Any:
    """Shrinks and enlarges; the factor is drawn once a batch, the images that get it one by one."""
    import tensorflow as tf

    first, second = tf.unstack(tf.random.split(seed, 2))
    size = tf.shape(image)[1]
    small = tf.cast(tf.cast(size, tf.float32) * _uniform(first, (), smallest, 1.0), tf.int32)

    def change(some: Any) -> Any:
        return tf.image.resize(tf.image.resize(some, (small, small), antialias=True), (size, size))

    return _on_half(image, second, change)


def _blur(image: Any, largest: float, seed: Any) -> Any:
    """Gaussian blur; the width is drawn once a batch, the images that get it one by one."""
    import tensorflow as tf

    first, second = tf.unstack(tf.random.split(seed, 2))
    sigma = _uniform(first, (), 0.1, largest)
    x = tf.range(-3.0, 4.0)
    weights = tf.exp(-(x**2) / (2 * sigma**2))
    weights = tf.tile((weights / tf.reduce_sum(weights))[:, None, None, None], (1, 1, 3, 1))

    def change(some: Any) -> Any:
        padded = tf.pad(some, ((0, 0), (3, 3), (3, 3), (0, 0)), "REFLECT")
        rows = tf.nn.depthwise_conv2d(padded, weights, (1, 1, 1, 1), "VALID")
        return tf.nn.depthwise_conv2d(rows, tf.transpose(weights, (1, 0, 2, 3)), (1, 1, 1, 1), "VALID")

    return _on_half(image, second, change)


def _noise(image: Any, largest: float, seed: Any) -> Any:
    import tensorflow as tf

    first, second = tf.unstack(tf.random.split(seed, 2))
    sigma = _uniform(first, (tf.shape(image)[0], 1, 1, 1), 0.0, largest)
    return image + sigma * tf.random.stateless_normal(tf.shape(image), second)


def _colour(image: Any, amount: float, seed: Any) -> Any:
    import tensorflow as tf

    shape = (tf.shape(image)[0], 1, 1)
    bright, contrast, saturation = (
        _uniform(s, shape, 1 - amount, 1 + amount) for s in tf.unstack(tf.random.split(seed, 3))
    )
    # All three are linear in RGB, and one small matrix an image is by far the fastest way.
    mean = tf.reduce_mean(image, axis=(1, 2))[:, None, :]
    mix = saturation * tf.eye(3) + (1 - saturation) / 3
    shift = tf.matmul(bright * (1 - contrast) * mean, mix)
    flat = tf.reshape(image, (shape[0], -1, 3))
    return tf.reshape(tf.matmul(flat, bright * contrast * mix) + shift, tf.shape(image))


def _jpeg(image: Any, lowest: float, seed: Any) -> Any:
    import tensorflow as tf

    first, second = tf.unstack(tf.random.split(seed, 2))

    def code(item: Any) -> Any:
        coded = tf.raw_ops.EncodeJpegVariableQuality(images=item[0], quality=item[1])
        return tf.ensure_shape(tf.io.decode_jpeg(coded, channels=3), image.shape[1:])

    def change(some: Any) -> Any:
        pixels = tf.cast(tf.round(tf.clip_by_value(some, 0.0, 255.0)), tf.uint8)
        quality = tf.random.stateless_uniform((tf.shape(some)[0],), first, int(lowest), 96, tf.int32)
        return tf.cast(tf.map_fn(code, (pixels, quality), fn_output_signature=tf.uint8), tf.float32)

    return _on_half(image, second, change)


# JPEG last, as in life: what was blurred, resized or brightened was then saved.
_STEPS: dict[str, Callable[[Any, float, Any], Any]] = {
    "blur": _blur,
    "resize": _resize,
    "noise": _noise,
    "colour": _colour,
    "jpeg": _jpeg,
}
