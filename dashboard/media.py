"""Pictures for the browser: by an address that it fetches once, and as files."""

import base64
import io

import numpy as np
from streamlit import runtime

from dfcore.utils.html import data_url as _data_url


def address(data_url: str, place: str) -> str:
    """The address of a picture, the same for the same picture; kept while a session shows it.

    Args:
        data_url: The picture, see `dfcore.utils.html.data_url`.
        place: Where the page shows it.

    Returns:
        Below the dashboard's own address; where no server runs, `data_url` itself.
    """
    if not runtime.exists():
        return data_url
    kind, _, content = data_url.removeprefix("data:").partition(";base64,")
    found = runtime.get_instance().media_file_mgr.add(base64.b64decode(content), kind, place)
    return found.lstrip("/")  # From the page's own place, wherever the dashboard is served.


def thumbnail(rgb: np.ndarray, side: int) -> str:
    """A small picture as an address that holds it.

    Args:
        rgb: uint8 (H, W, 3).
        side: Longest side in pixels.
    """
    from PIL import Image

    picture = Image.fromarray(rgb)
    picture.thumbnail((side, side))
    return _data_url(np.asarray(picture), "JPEG", quality=85)


def png(rgb: np.ndarray) -> bytes:
    """Pixels as a PNG file, quickly made.

    Args:
        rgb: uint8 (H, W, 3).
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
