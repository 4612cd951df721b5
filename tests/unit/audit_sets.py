"""Small data sets for tests of the audit: both classes made alike, then a fault planted."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Save = Callable[[Image.Image, str], tuple[bytes, str]]
SIDE = 64


def picture(random: np.random.Generator, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """Coarse blobs, finer blobs and noise: no two alike."""
    width, height = size
    total = np.zeros((height, width, 3))
    for grid, strength in ((4, 90), (12, 50)):
        coarse = Image.fromarray(random.integers(0, 256, (grid, grid, 3)).astype(np.uint8))
        total += strength / 128 * (np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), float) - 128)
    total += 128 + random.normal(0, 6, total.shape)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **({"quality": 90} | options))
    return buffer.getvalue()


def png(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def make_set(
    root: Path,
    *,
    seed: int = 0,
    count: int = 25,
    splits: tuple[str, ...] = ("",),
    real: Callable[[Image.Image], bytes] = jpeg,
    fake: Callable[[Image.Image], bytes] = jpeg,
    fake_size: tuple[int, int] = (SIDE, SIDE),
) -> Path:
    """Writes {split}/{real,fake}, `count` images each; the two savers differ where a fault is planted."""
    random = np.random.default_rng(seed)
    for split in splits:
        for label, save, size in (("real", real, (SIDE, SIDE)), ("fake", fake, fake_size)):
            folder = root / split / label
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                data = save(picture(random, size))
                suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
                (folder / f"{number}{suffix}").write_bytes(data)
    return root
