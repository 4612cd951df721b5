"""Decoding and resizing as TensorFlow operations: the same pixels as Pillow's, to the last bit."""

import io

import numpy as np
import pytest
from PIL import Image

from dfcore.export.in_graph import prepared
from dfcore.imaging import decoder
from dfcore.imaging.preprocess import PreprocessSpec


@pytest.mark.slow
def test_files_give_the_pixels_that_the_detector_sees():
    import tensorflow as tf

    random, specs = np.random.default_rng(0), []
    for size, resize, views in (
        (32, "stretch", ()),
        (64, "fit_crop", ("native", "native_bl")),
        (48, "native_crop", ()),
    ):
        specs.append(PreprocessSpec(size, resize, views))

    def encoded(image: Image.Image, kind: str, **options) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    files = []
    # Taller and wider, smaller and larger than what is seen; tall ones are resized along columns first.
    for width, height in ((333, 251), (32, 32), (20, 17), (62, 229), (31, 90), (640, 100)):
        coarse = random.integers(0, 256, (max(2, height // 6), max(2, width // 6), 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        files += [encoded(image, "JPEG", quality=80), encoded(image, "PNG")]
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x010F], exif[0x0112] = "a camera", orientation
        files.append(encoded(image, "JPEG", exif=exif))
    clear = image.copy()
    clear.putalpha(image.convert("L"))
    files += [encoded(clear, "PNG"), encoded(image.convert("CMYK"), "JPEG"), encoded(image.convert("P"), "PNG")]
    for spec in specs:
        graph = tf.function(
            lambda file, spec=spec: prepared(file, spec),
            input_signature=[tf.TensorSpec((), tf.string)],
            autograph=False,
        )
        for number, file in enumerate(files):
            expected = spec.apply(decoder.decode(file))
            np.testing.assert_array_equal(graph(tf.constant(file)).numpy(), expected, err_msg=f"{spec} {number}")
