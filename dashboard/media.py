"""Pictures for the browser: by an address that it fetches once, and as files."""

import base64
import io

import numpy as np
from streamlit import runtime


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


def png(rgb: np.ndarray) -> bytes:
    """Pixels as a PNG file, quickly made.

    Args:
        rgb: uint8 (H, W, 3).
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
