"""Cache of recently viewed images, each decoded once for both display and inference."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from dfcore.errors import ImageError
from dfcore.imaging import ImageFacts, PreparedImage, PreprocessSpec, sandbox
from dfcore.utils.files import sha256_bytes

# Longest side of a preview in pixels, and maximum number of cached images.
SIDE, _MOST = 900, 16
_cache: OrderedDict[str, PreparedImage | ImageError] = OrderedDict()
_lock = threading.Lock()


def prepare(data: bytes, specs: Sequence[PreprocessSpec] = ()) -> PreparedImage:
    """Decodes an image for these models and for display, or returns it from the cache.

    Args:
        data: Contents of an image file.
        specs: Preprocessing of each model that will see the image.

    Raises:
        ImageError: If the image cannot be decoded; failures are cached too.
    """
    key = sha256_bytes(data)
    with _lock:
        image = _cache.get(key)
    if isinstance(image, ImageError):
        raise image
    if image is None or not set(specs) <= set(image.inputs):
        # Keep the inputs requested earlier: they are likely to be requested again.
        image = _decode(data, list({*specs, *(image.inputs if image else ())}))
        with _lock:
            _cache[key] = image
            while len(_cache) > _MOST:
                _cache.popitem(last=False)
    if isinstance(image, ImageError):
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


def _decode(data: bytes, specs: list[PreprocessSpec]) -> PreparedImage | ImageError:
    try:
        return sandbox.prepare(data, specs, SIDE)
    except ImageError as error:
        return error
