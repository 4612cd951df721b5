"""Pixels of another size: what a large image becomes does not depend on how it is resized."""

import numpy as np
import pytest
from PIL import Image

from dfcore.imaging import resizing
from dfcore.imaging.resizing import resized


@pytest.mark.parametrize("sampling", [Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
@pytest.mark.parametrize("shape", [(300, 400), (3, 9000), (9000, 3), (224, 500), (50, 60)])
def test_channel_by_channel_gives_the_bytes_that_pillow_gives(shape, sampling, monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for part in (rgb, rgb[1:, 1:]):
        expected = np.asarray(Image.fromarray(part).resize((224, 96), sampling))
        for limit in (1, 10**9):
            monkeypatch.setattr(resizing, "_LARGE_PIXELS", limit)
            found = resized(part, 224, 96, sampling)
            assert found.shape == (96, 224, 3) and (found == expected).all()
