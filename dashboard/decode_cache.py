"""What was decoded of the images that are looked at now: each once, for all that a page shows and judges of it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from dfcore.errors import ImageError
from dfcore.imaging import sandbox
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.imaging.sandbox import Looked
from dfcore.utils.files import sha256_bytes

# Pixels a side of what is shown, and images that are remembered.
SIDE, _MOST = 900, 16
_kept: OrderedDict[str, Looked | ImageError] = OrderedDict()
_lock = threading.Lock()


def look(data: bytes, specs: Sequence[PreprocessSpec] = ()) -> Looked:
    """Decodes an image for these networks, unless that was done a moment ago.

    Raises:
        ImageError: why it cannot be decoded.
    """
    key = sha256_bytes(data)
    with _lock:
        found = _kept.get(key)
    if isinstance(found, ImageError):
        raise found
    if found is None or not set(specs) <= set(found.squares):
        # What was asked for before will be asked for again.
        found = _decode(data, list({*specs, *(found.squares if found else ())}))
        with _lock:
            _kept[key] = found
            while len(_kept) > _MOST:
                _kept.popitem(last=False)
    if isinstance(found, ImageError):
        raise found
    return found


def _decode(data: bytes, specs: list[PreprocessSpec]) -> Looked | ImageError:
    try:
        return sandbox.look(data, specs, SIDE)
    except ImageError as error:
        return error
