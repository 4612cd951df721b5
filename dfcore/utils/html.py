"""Pages of HTML that stand alone: no scripts, nothing loaded from elsewhere, pictures inside."""

import base64
import io
from html import escape
from typing import Any

import numpy as np

from dfcore.utils.texts import printable

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = ":root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }"


def page(title: str, style: str, body: str) -> str:
    """A page that may load nothing and run nothing.

    Args:
        title: Title, as plain text.
        style: CSS.
        body: HTML of the body; untrusted parts have gone through `text`.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}{style}</style></head><body>{body}</body></html>\n"
    )


def text(value: object) -> str:
    """Untrusted text, escaped."""
    return escape(printable(value))


def picture(pixels: np.ndarray, alt: str = "") -> str:
    """An image element that holds its picture, uint8 (H, W, 3).

    Args:
        pixels: The picture.
        alt: Text alternative; "" for decoration.
    """
    return f'<img alt="{text(alt)}" src="{data_url(pixels, "JPEG", quality=85)}">'


def data_url(pixels: np.ndarray, kind: str, **options: Any) -> str:
    """An address that holds the picture itself.

    Args:
        pixels: uint8 (H, W, 3), or (H, W, 4) for PNG.
        kind: "JPEG" or "PNG".
        options: Of Pillow's encoder.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return file_url(buffer.getvalue(), kind)


def file_url(data: bytes, kind: str) -> str:
    """An address that holds a picture's file itself.

    Args:
        data: The file.
        kind: "JPEG" or "PNG".
    """
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
