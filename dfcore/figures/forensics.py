"""Figures of forensic views: pictures that are zoomed together, and curves with a band to compare with."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.figures.base import NEUTRAL_COLOUR, SERIES_COLOURS, graph_objects, laid_out
from dfcore.utils.html import data_url

if TYPE_CHECKING:
    import plotly.graph_objects as go

# A picture of more pixels is drawn at a fraction of its size: a browser is to load several of them.
MOST_SHOWN = 3_000_000
_GAP, _TITLE = 0.01, 28


def linked(
    pictures: Sequence[tuple[str, np.ndarray, tuple[int, int, int, int]]], columns: int = 2, width: int = 1200
) -> "go.Figure":
    """Pictures side by side whose axes are linked: drag and scroll in one, and all follow.

    Args:
        pictures: For each its title, pixels, RGB uint8 (h, w, 3), and the part of the picture that they cover, (x, y,
            width, height) in the picture's pixels, which are the axes' units.
        columns: Pictures in a row.
        width: Width in pixels that the figure is likely to get, for its height.
    """
    go = graph_objects()
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    first = pictures[0][2]
    tall = min(max(width / columns * first[3] / first[2], 160), 560)
    figure = go.Figure()
    height = round(rows * (tall + _TITLE))
    for number, (title, rgb, region) in enumerate(pictures):
        row, column = divmod(number, columns)
        name = "" if number == 0 else str(number + 1)
        top = 1 - row / rows
        low, high = top - tall / height, top - _TITLE / height
        wide = (1 - _GAP * (columns - 1)) / columns
        left = column * (wide + _GAP)
        right = min(left + wide, 1)
        figure.add_trace(_image(rgb, region, f"x{name}", f"y{name}"))
        link: dict[str, Any] = {} if number == 0 else {"matches": "x"}
        figure.update_layout({
            f"xaxis{name}": {
                "domain": [left, right], "anchor": f"y{name}", "visible": False, "constrain": "domain",
                "range": [first[0] - 0.5, first[0] + first[2] - 0.5], **link,
            },
            f"yaxis{name}": {
                "domain": [max(low, 0), high], "anchor": f"x{name}", "visible": False, "constrain": "domain",
                "scaleanchor": f"x{name}", "range": [first[1] + first[3] - 0.5, first[1] - 0.5],
                **({} if number == 0 else {"matches": "y"}),
            },
        })  # fmt: skip
        figure.add_annotation(
            text=_text(title), xref="paper", yref="paper", x=left, y=high, xanchor="left", yanchor="bottom",
            showarrow=False, font={"size": 13},
        )  # fmt: skip
    figure.update_layout(height=height, margin={"l": 0, "r": 0, "t": 0, "b": 0}, dragmode="pan", showlegend=False)
    return figure


def banded(
    curves: Sequence[tuple[str, Sequence[float], Sequence[float | None]]],
    x: str,
    y: str,
    band: tuple[str, Sequence[float], Sequence[float], Sequence[float]] | None = None,
) -> "go.Figure":
    """Curves over one pair of axes, each with a colour and a dash of its own.

    Args:
        curves: For each its name and its points.
        x: Title of the horizontal axis, with its unit.
        y: Title of the vertical axis, with its unit.
        band: Name, x, lower and upper end of a grey band to compare with.
    """
    go = graph_objects()
    figure = go.Figure()
    if band is not None:
        name, places, low, high = band
        outline = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": "band"}
        figure.add_scatter(x=list(places), y=list(high), showlegend=False, **outline)
        figure.add_scatter(
            x=list(places), y=list(low), name=name, fill="tonexty", fillcolor="rgba(138,151,161,0.3)", **outline
        )
    for number, (name, places, values) in enumerate(curves):
        reference = band is not None and number > 0
        figure.add_scatter(
            x=list(places), y=list(values), mode="lines", name=name,
            line={
                "color": NEUTRAL_COLOUR if reference else SERIES_COLOURS[number % len(SERIES_COLOURS)],
                "width": 1.5 if reference else 2, "dash": ("solid", "dash", "dot")[number % 3],
            },
            hovertemplate=f"%{{x:.4g}}: %{{y:.4g}}<extra>{name}</extra>",
        )  # fmt: skip
    return laid_out(figure, x, y)


def reduced(rgb: np.ndarray) -> np.ndarray:
    """Pixels, RGB uint8 (h, w, 3), as they are drawn: above `MOST_SHOWN` the means of squares of whole pixels."""
    from PIL import Image

    factor = math.ceil((rgb.shape[0] * rgb.shape[1] / MOST_SHOWN) ** 0.5)
    return rgb if factor <= 1 else np.asarray(Image.fromarray(rgb).reduce(factor))


def _image(rgb: np.ndarray, region: tuple[int, int, int, int], x: str, y: str) -> Any:
    go = graph_objects()
    small = reduced(rgb)
    # `x0` is the middle of the first pixel.
    steps = region[2] / small.shape[1], region[3] / small.shape[0]
    return go.Image(
        source=data_url(small, "PNG", compress_level=1), xaxis=x, yaxis=y, hoverinfo="skip", dx=steps[0], dy=steps[1],
        x0=region[0] - 0.5 + steps[0] / 2, y0=region[1] - 0.5 + steps[1] / 2,
    )  # fmt: skip


def _text(title: str) -> str:
    """A title as Plotly shows it, which reads some HTML."""
    return title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
