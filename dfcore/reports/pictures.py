"""Pictures of a report: the picture itself, and its heat-map with the scale of its colours."""

import io

import numpy as np
from PIL import Image

from dfcore.explanation import Heatmap, colours, overlay
from dfcore.reports.blocks import Shown

_QUALITY = 88
_NO_PROOF = (
    "It shows where the detector's output is sensitive. It does not prove that anything there was edited or generated, "
    "nor that the rest was not. Colours run from the weakest to the strongest part of this map alone: those of two "
    "maps cannot be compared."
)


def of_pixels(rgb: np.ndarray, name: str, caption: str) -> Shown:
    """A picture, uint8 (H, W, 3).

    Args:
        rgb: Its pixels.
        name: Name of its file.
        caption: What is to be known of it.
    """
    return Shown(jpeg(rgb), "jpeg", f"The picture {name}", caption)


def of_heatmap(rgb: np.ndarray, heatmap: Heatmap, told: str) -> Shown:
    """The picture under its heat-map.

    Args:
        rgb: The picture, uint8 (H, W, 3), of the map's size.
        heatmap: The map.
        told: What is to be said of it, see `dfcore.inspection.maps.in_words`.
    """
    alt = f"The picture under its heat-map: evidence of {heatmap.target}"
    return Shown(jpeg(overlay(rgb, heatmap)), "jpeg", alt, f"{told} {_NO_PROOF}", ("weakest", "strongest"))


def scale_bar() -> bytes:
    """The colours of a heat-map from weak to strong, as PNG."""
    return _encoded(colours(np.linspace(0, 1, 256)[None].repeat(8, axis=0)), "PNG")


def jpeg(rgb: np.ndarray) -> bytes:
    """Pixels, uint8 (H, W, 3), as JPEG; the same bytes each time."""
    return _encoded(rgb, "JPEG", quality=_QUALITY)


def _encoded(rgb: np.ndarray, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, **options)
    return buffer.getvalue()
