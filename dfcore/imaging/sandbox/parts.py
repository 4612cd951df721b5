"""Parts of an image, such as faces, prepared for models in a decoding process, each from its own pixels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dfcore.errors import ImageError
from dfcore.imaging.decoder import ImageFacts
from dfcore.imaging.prepared import PreparedImage
from dfcore.imaging.preprocess import PreprocessSpec, Region
from dfcore.imaging.sandbox.pool import WRONG_PIXELS, ask

# Bytes before the pixels of each part: a hash, then height and width of the preview, uint32.
_DIGEST, _SIZE = 32, 8


def crops(
    data: bytes, boxes: Sequence[Region], specs: Sequence[PreprocessSpec], preview_side: int
) -> list[PreparedImage]:
    """Decodes an image once and prepares parts of it for models.

    Args:
        data: Content of the file.
        boxes: Left, top, right and bottom of each part in pixels, within the image.
        specs: Preprocessing of the models.
        preview_side: Maximum side of a part's preview in pixels, at least 1.

    Returns:
        The parts in their order. Their facts are those of the file, with the part's size and hash of pixels; hash,
        length, metadata and notes of the file are left out, since the part is another picture.

    Raises:
        ImageError: See `dfcore.imaging.sandbox.check`; also if a box is not within the image.
    """
    specs = list(dict.fromkeys(specs))
    request = {"want": "crops", "boxes": boxes, "specs": [spec.to_dict() for spec in specs], "most": preview_side}
    facts, content = ask(data, request)
    result = []
    for box in boxes:
        part, content = _read(facts, content, box, specs, preview_side)
        result.append(part)
    if len(content):
        raise ImageError(WRONG_PIXELS)
    return result


def _read(
    facts: ImageFacts, content: np.ndarray, box: Region, specs: Sequence[PreprocessSpec], preview_side: int
) -> tuple[PreparedImage, np.ndarray]:
    """The first part of an answer, and what follows it."""
    digest, size, rest = np.split(content, [_DIGEST, _DIGEST + _SIZE])
    height, width = size.view(np.uint32).tolist() if len(size) == _SIZE else (0, 0)
    ends = np.cumsum([3 * height * width, *(spec.input_bytes for spec in specs)])
    if not 0 < max(height, width) <= preview_side or len(rest) < ends[-1]:
        raise ImageError(WRONG_PIXELS)
    preview, *parts, rest = np.split(rest, ends)
    left, top, right, bottom = box
    told = replace(
        facts, width=right - left, height=bottom - top, pixels_sha256=digest.tobytes().hex(), sha256="", bytes=0,
        exif={}, notes=(),
    )  # fmt: skip
    inputs = {spec: part.reshape(spec.input_shape) for spec, part in zip(specs, parts, strict=True)}
    return PreparedImage(told.width, told.height, inputs, told, preview.reshape(height, width, 3)), rest
