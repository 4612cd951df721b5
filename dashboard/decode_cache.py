"""Images that are looked at now, decoded once for all that a page shows and judges of them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from dfcore.errors import ImageError
from dfcore.imaging import ImageFacts, PreparedImage, PreprocessSpec, sandbox
from dfcore.utils.files import sha256_bytes

# Pixels a side of what is shown, and images that are kept.
SIDE, _MOST = 900, 16
_cache: OrderedDict[str, PreparedImage | ImageError] = OrderedDict()
_lock = threading.Lock()


def prepare(data: bytes, specs: Sequence[PreprocessSpec] = ()) -> PreparedImage:
    """Decodes an image for these models and for showing, unless that was done a moment ago.

    Raises:
        ImageError: why it cannot be decoded.
    """
    key = sha256_bytes(data)
    with _lock:
        image = _cache.get(key)
    if isinstance(image, ImageError):
        raise image
    if image is None or not set(specs) <= set(image.inputs):
        # What was asked for before will be asked for again.
        image = _decode(data, list({*specs, *(image.inputs if image else ())}))
        with _lock:
            _cache[key] = image
            while len(_cache) > _MOST:
                _cache.popitem(last=False)
    if isinstance(image, ImageError):
        raise image
    return image


def preview(data: bytes) -> np.ndarray:
    """Decoded pixels for showing, RGB uint8, at most `SIDE` a side; raises as `prepare` does."""
    image = prepare(data).preview
    assert image is not None  # `prepare` asks for one.
    return image


def facts(data: bytes) -> ImageFacts:
    """What a file says of itself; raises as `prepare` does."""
    result = prepare(data).facts
    assert result is not None  # It came from a file.
    return result


def _decode(data: bytes, specs: list[PreprocessSpec]) -> PreparedImage | ImageError:
    try:
        return sandbox.prepare(data, specs, SIDE)
    except ImageError as error:
        return error
