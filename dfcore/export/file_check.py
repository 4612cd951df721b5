"""Compares the SavedModel's signature on files with the detector's own verdicts on the same files."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from dfcore.detectors.detector import Detector
from dfcore.exchange.optimize import LIMIT

# Sides of the files: wider, higher, smaller and larger than what networks see.
_SIZES = ((333, 251), (180, 420), (40, 33), (1200, 900))


def sample_files() -> list[tuple[str, bytes]]:
    """JPEG and PNG files of several kinds, each with what it is."""
    drawn = np.random.default_rng(0)
    made = []

    def add(what: str, image: Image.Image, kind: str, **options: Any) -> None:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        made.append((what, buffer.getvalue()))

    for width, height in _SIZES:
        coarse = drawn.integers(0, 256, (max(2, height // 9), max(2, width // 9), 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        add("JPEG", image, "JPEG", quality=85)
        add("JPEG, progressive, colours in full", image, "JPEG", quality=60, subsampling=0, progressive=True)
        add("PNG", image, "PNG")
    turned = Image.Exif()
    turned[0x0112] = 6
    add("JPEG that EXIF turns", image, "JPEG", exif=turned)
    add("JPEG in grey", image.convert("L"), "JPEG")
    clear = image.copy()
    clear.putalpha(image.convert("L"))
    add("PNG with transparency", clear, "PNG")
    return made


def compared_files(
    detector: Detector, run: Callable[[Sequence[bytes]], tuple[np.ndarray, np.ndarray]]
) -> dict[str, Any]:
    """Compares scores of files.

    Args:
        detector: The detector.
        run: Scores and logits of the contents of files.

    Returns:
        signature, its input, formats, the number of files compared, the largest difference of scores, whether that is
        within the limit (exact), and what is not covered.
    """
    from dfcore.export import savedmodel

    files = [content for _, content in sample_files()]
    expected = np.array([verdict.score for verdict in detector.predict(files)], np.float64)
    difference = float(np.abs(np.concatenate([run([file])[0] for file in files]) - expected).max())
    return {
        "signature": savedmodel.FILES,
        "input": savedmodel.FILE,
        "formats": ["JPEG", "PNG"],
        "files_compared": len(files),
        "difference": difference,
        "exact": bool(difference < LIMIT),
        "not_covered": "colour profiles, a PNG's gamma and orientation, and every other format",
    }
