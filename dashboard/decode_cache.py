"""Cache of recently viewed images, each decoded once for both display and inference."""

import time
from collections.abc import Sequence

import numpy as np

from dashboard.recent import Recent
from dfcore.errors import DfcoreError, ImageError
from dfcore.imaging import ImageFacts, PreparedImage, PreprocessSpec, sandbox
from dfcore.imaging.signature import Signature
from dfcore.utils.files import sha256_bytes

# Longest side of a preview in pixels, and maximum number of cached images.
SIDE, _MOST = 900, 16
_cache: Recent[PreparedImage] = Recent(_MOST)
# What is small enough to be known of every picture of many sessions.
_described: Recent[tuple[ImageFacts, tuple[str, str]]] = Recent(4_096)
_seconds: Recent[float] = Recent(4_096)


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
        image = _decode(key, data, list({*specs, *(image.inputs if image else ())}))
        _cache.keep(key, image)
    if isinstance(image, DfcoreError):
        raise image
    return image


def preview(data: bytes) -> np.ndarray:
    """Decoded pixels for display, (H, W, 3) RGB uint8, at most `SIDE` per side; raises like `prepare`."""
    image = prepare(data).preview
    assert image is not None  # `prepare` requests one.
    return image


def known_preview(image_sha256: str) -> np.ndarray | None:
    """The preview of an image that was decoded a moment ago; None of another.

    Args:
        image_sha256: Hash of the file.
    """
    known = _cache.get(image_sha256)
    return known.preview if isinstance(known, PreparedImage) else None


def described(data: bytes) -> tuple[ImageFacts, tuple[str, str]]:
    """Properties of an image file, and perceptual hashes of image and mirror image; raises like `prepare`."""
    known = _described.get(sha256_bytes(data))
    if isinstance(known, DfcoreError):
        raise known
    if known is not None:
        return known
    image = prepare(data)
    assert image.facts is not None and image.signature is not None  # Set for every image decoded here.
    return image.facts, _hashes(image.signature)


def seconds(image_sha256: str) -> float:
    """How long it took until an image was decoded, with the time that it waited for its turn; 0 if nobody knows.

    Args:
        image_sha256: Hash of the file.
    """
    known = _seconds.get(image_sha256)
    return known if isinstance(known, float) else 0.0


def _decode(key: str, data: bytes, specs: list[PreprocessSpec]) -> PreparedImage | ImageError:
    began = time.monotonic()
    try:
        result = sandbox.prepare(data, specs, SIDE, signed=True)
    except ImageError as error:
        return error
    _seconds.keep(key, time.monotonic() - began)
    if result.facts is not None and result.signature is not None:
        _described.keep(result.facts.sha256, (result.facts, _hashes(result.signature)))
    return result


def _hashes(signature: Signature) -> tuple[str, str]:
    """Perceptual hashes of an image and of its mirror image, of 16 hexadecimal digits."""
    whole, mirrored = (f"{int(one):016x}" for one in signature.hashes)
    return whole, mirrored
