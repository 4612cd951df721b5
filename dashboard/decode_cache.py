"""Cache of recently viewed images, each decoded once for both display and inference."""

from collections.abc import Sequence

import numpy as np

from dashboard.recent import Recent
from dfcore.errors import DfcoreError, ImageError
from dfcore.imaging import ImageFacts, PreparedImage, PreprocessSpec, sandbox
from dfcore.utils.files import sha256_bytes

# Longest side of a preview in pixels, and maximum number of cached images.
SIDE, _MOST = 900, 16
_cache: Recent[PreparedImage] = Recent(_MOST)
# What is small enough to be known of every picture of many sessions.
_described: Recent[tuple[ImageFacts, tuple[str, str]]] = Recent(4_096)


def prepare(data: bytes, specs: Sequence[PreprocessSpec] = ()) -> PreparedImage:
    """Decodes an image for these models and for display, or returns it from the cache.

    Args:
        data: Contents of an image file.
        specs: Preprocessing of each model that will see the image.

    Raises:
        ImageError: If the image cannot be decoded; failures are cached too, see `Recent`.
    """
    key = sha256_bytes(data)
    image = _cache.get(key)
    if isinstance(image, DfcoreError):
        raise image
    if image is None or not set(specs) <= set(image.inputs):
        # Keep the inputs requested earlier: they are likely to be requested again.
        image = _decode(data, list({*specs, *(image.inputs if image else ())}))
        _cache.keep(key, image)
    if isinstance(image, DfcoreError):
        raise image
    return image


def preview(data: bytes) -> np.ndarray:
    """Decoded pixels for display, (H, W, 3) RGB uint8, at most `SIDE` per side; raises like `prepare`."""
    image = prepare(data).preview
    assert image is not None  # `prepare` requests one.
    return image


def facts(data: bytes) -> ImageFacts:
    """Format, size and metadata of an image file; raises like `prepare`."""
    result = prepare(data).facts
    assert result is not None  # Set for every image decoded from a file.
    return result


def described(data: bytes) -> tuple[ImageFacts, tuple[str, str]]:
    """Properties of an image file, and perceptual hashes of image and mirror image; raises like `prepare`."""
    known = _described.get(sha256_bytes(data))
    if isinstance(known, DfcoreError):
        raise known
    if known is not None:
        return known
    image = prepare(data)
    assert image.facts is not None and image.hashes is not None  # Set for every image decoded here.
    return image.facts, image.hashes


def _decode(data: bytes, specs: list[PreprocessSpec]) -> PreparedImage | ImageError:
    try:
        result = sandbox.prepare(data, specs, SIDE, hashed=True)
    except ImageError as error:
        return error
    if result.facts is not None and result.hashes is not None:
        _described.keep(result.facts.sha256, (result.facts, result.hashes))
    return result
