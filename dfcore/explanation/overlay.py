"""Rendering of heat-maps: a perceptually uniform colour map (inferno) over the image, with a colour bar.

Colours run from the weakest to the strongest part of a map. Pixel by pixel, saliency is a few bright points on nothing,
and Score-CAM may lie between 0.8 and 1 everywhere: drawn as they are, neither shows anything. `drawn` makes both
legible; the map's own values stay as they are.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dfcore.explanation.explainer import Heatmap
from dfcore.explanation.methods import METHODS
from dfcore.imaging.preprocess import Region

_BAR_WIDTH, _MARGIN = 18, 10
_BAND_PIXELS = 1_000_000
# Maps are drawn from at most so many pixels a side, smoothed by a Gaussian of this share of the side.
_DRAWN_SIDE, _SMOOTHING = 256, 1 / 60
# Share of a map that is at most as strong as the brightest colour; spread, of the strongest, below which a map is flat.
_FULL_FROM, _FLAT = 0.99, 0.02
# The stops of Matplotlib's inferno, as Plotly has them.
_INFERNO = ("000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4")


def colours(values: np.ndarray) -> np.ndarray:
    """Maps values in [0, 1] or NaN, shape (...), to RGB uint8 (..., 3) by the inferno colour map."""
    table = _inferno()
    index = np.rint(np.nan_to_num(np.clip(values, 0, 1)) * (len(table) - 1)).astype(int)
    return table[index]


def drawn(heatmap: Heatmap, side: int | None = None) -> np.ndarray:
    """A heat-map's values as they are drawn: smoothed a little and stretched over all colours.

    The weakest part becomes 0 and the strongest hundredth 1. A map that is the same everywhere is not stretched: its
    rounding errors would look like evidence.

    Args:
        heatmap: The map.
        side: Longer side of the result in pixels, at most that of the map; by default the map's own.

    Returns:
        float32 of the shape of `heatmap.values`, or of that size, in [0, 1], NaN outside the region that the network
        sees.
    """
    from scipy.ndimage import gaussian_filter

    left, top, right, bottom = heatmap.judged
    factor = min(1.0, side / max(heatmap.values.shape)) if side else 1.0
    height, width = (max(1, round(factor * edge)) for edge in heatmap.values.shape)
    result = np.full((height, width), np.nan, np.float32)
    if right <= left or bottom <= top:
        return result
    inside = Image.fromarray(np.ascontiguousarray(heatmap.values[top:bottom, left:right], np.float32))
    left, top, right, bottom = (round(factor * edge) for edge in heatmap.judged)
    # Something is left of the narrowest region, wherever it lies.
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    shrink = max(inside.size) / _DRAWN_SIDE
    if shrink > 1:  # Large pictures cost no more than small ones.
        inside = inside.resize([max(1, round(edge / shrink)) for edge in inside.size], Image.Resampling.BOX)
    smooth = gaussian_filter(np.asarray(inside), _SMOOTHING * max(inside.size), mode="nearest")
    low, high = float(smooth.min()), float(np.quantile(smooth, _FULL_FROM))
    if high - low >= _FLAT * high > 0:
        smooth = (smooth - low) / (high - low)
    placed = Image.fromarray(np.clip(smooth, 0, 1)).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    np.clip(np.asarray(placed), 0, 1, out=result[top:bottom, left:right])
    return result


def layer(heatmap: Heatmap, side: int | None = None) -> np.ndarray:
    """The map alone, to be laid over its image by whoever sets the opacity.

    Args:
        heatmap: The map.
        side: See `drawn`.

    Returns:
        RGBA uint8 (H, W, 4) of the map's size or `side`: opaque on the region that the network sees, transparent
        outside.
    """
    values = drawn(heatmap, side)
    alpha = np.where(np.isfinite(values), 255, 0).astype(np.uint8)
    return np.concatenate([colours(values) * (alpha[..., None] > 0), alpha[..., None]], axis=-1)


def overlay(rgb: np.ndarray, heatmap: Heatmap, opacity: float = 0.5) -> np.ndarray:
    """Blends a heat-map with its image.

    Args:
        rgb: The image, uint8 (H, W, 3).
        heatmap: Its heat-map.
        opacity: Opacity of the map, in [0, 1]; regions the network does not see are darkened instead.

    Returns:
        uint8 (H, W, 3).
    """
    return np.concatenate([part for _, part in _bands(rgb, drawn(heatmap), opacity)])


def _bands(rgb: np.ndarray, values: np.ndarray, opacity: float) -> Iterator[tuple[int, np.ndarray]]:
    """The overlay in bands, each with its first row: what lies between takes ten times the memory of the result."""
    rows = max(1, _BAND_PIXELS // rgb.shape[1])
    for top in range(0, len(rgb), rows):
        part, evidence = rgb[top : top + rows], values[top : top + rows]
        blended = np.float32(1 - opacity) * part + np.float32(opacity) * colours(evidence)
        seen = np.isfinite(evidence)[..., None]
        yield top, np.rint(np.where(seen, blended, part * np.float32(0.4))).astype(np.uint8)


def figure(rgb: np.ndarray, heatmap: Heatmap, opacity: float = 0.5) -> Image.Image:
    """The overlay at the image's size, with a title and a colour bar from low to high evidence."""
    height, width = rgb.shape[:2]
    size = float(np.clip(height // 20, 10, 28))
    font = ImageFont.load_default(size)
    title = f"{METHODS[heatmap.method].title}: evidence of {heatmap.target}"
    texts = ("high", "low")
    text_width = int(max(font.getlength(text) for text in texts))
    canvas_height = max(height, int(6 * size))
    canvas = Image.new("RGB", (width + 3 * _MARGIN + _BAR_WIDTH + text_width, canvas_height + int(2 * size)), "white")
    for top, part in _bands(rgb, drawn(heatmap), opacity):
        canvas.paste(Image.fromarray(part), (0, top))
    bar = colours(np.linspace(1, 0, canvas_height)[:, None].repeat(_BAR_WIDTH, axis=1))
    canvas.paste(Image.fromarray(bar), (width + _MARGIN, 0))
    draw = ImageDraw.Draw(canvas)
    left = width + 2 * _MARGIN + _BAR_WIDTH
    draw.text((left, 0), texts[0], "black", font)
    draw.text((left, canvas_height - 1.3 * size), texts[1], "black", font)
    draw.text((2, canvas_height + 0.3 * size), title, "black", font)
    return canvas


def outlined(rgb: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
    """Draws a thin frame, white on black, around each region.

    Args:
        rgb: The image, uint8 (H, W, 3); it is not changed.
        regions: (left, top, right, bottom) in pixels of this image.

    Returns:
        uint8 (H, W, 3).
    """
    picture = Image.fromarray(rgb).copy()
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / 450))
    for left, top, right, bottom in regions:
        for inset, colour in ((0, "black"), (width, "white")):
            box = (left + inset, top + inset, right - 1 - inset, bottom - 1 - inset)
            if box[0] < box[2] and box[1] < box[3]:
                draw.rectangle(box, outline=colour, width=width)
    return np.asarray(picture)


def _inferno() -> np.ndarray:
    stops = np.array([list(bytes.fromhex(colour)) for colour in _INFERNO], float)
    at = np.linspace(0, 1, len(stops))
    fine = np.linspace(0, 1, 256)
    return np.stack([np.interp(fine, at, stops[:, c]) for c in range(3)], axis=1).round().astype(np.uint8)
