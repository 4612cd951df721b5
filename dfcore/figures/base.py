"""Colours and layout shared by all figures: blue means real, orange fake, grey undecided, and nothing else uses them.

The colours are legible on light and dark backgrounds; background, font and grid are left to the caller. Axes of rates
run from 0 to 1, and curves show threshold and counts on hover.
"""

from typing import TYPE_CHECKING, Any

from dfcore.confidence import Finding
from dfcore.utils import extras

if TYPE_CHECKING:
    import plotly.graph_objects as go

REAL_COLOUR, FAKE_COLOUR, NEUTRAL_COLOUR = "#2a8ac4", "#e0702a", "#8a97a1"
# Whatever else is drawn: curves, runs, metrics.
SERIES_COLOURS = ("#1ba97c", "#9a78d0", "#c9578f", "#b09a1e", "#2fa9b0", "#8c6a3f")
CURVE_COLOUR, POINT_COLOUR = SERIES_COLOURS[:2]
RIGHT_COLOUR, WRONG_COLOUR = SERIES_COLOURS[0], SERIES_COLOURS[2]
NO_SIGN_COLOUR = "#a3b8c8"
# By `Verdict.finding`, from low to high scores.
FINDING_COLOURS: dict[Finding, str] = {
    "real": REAL_COLOUR,
    "no_sign": NO_SIGN_COLOUR,
    "inconclusive": NEUTRAL_COLOUR,
    "fake": FAKE_COLOUR,
}
HEIGHT = 360


def graph_objects() -> Any:
    """Plotly's graph objects, imported when the first figure is made.

    Raises:
        MissingExtraError: If Plotly is not installed.
    """
    extras.require("plotly", "app", "A figure")
    import plotly.graph_objects as go

    return go


def line(x: list[float], y: list[float], name: str) -> Any:
    """A dashed reference line, such as chance level."""
    go = graph_objects()
    style = {"color": NEUTRAL_COLOUR, "dash": "dash", "width": 1.5}
    return go.Scatter(x=x, y=y, mode="lines", name=name, line=style, hoverinfo="skip")


def laid_out(figure: "go.Figure", x: str, y: str, x_range: tuple[float, float] | None = None) -> "go.Figure":
    """Sets titles, margins and legend of a figure.

    The legend lies below the axes, where the toolbar, which appears above, never covers it.
    """
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(title={"text": x}, range=x_range, automargin=True)
    figure.update_yaxes(title={"text": y}, automargin=True)
    return figure


def square(figure: "go.Figure", x: str, y: str) -> "go.Figure":
    """Both axes from 0 to 1 at the same scale."""
    laid_out(figure, x, y, x_range=(-0.01, 1.01))
    # The width of the ticks is known, so the browser need not measure and lay out each axis again.
    figure.update_yaxes(range=[-0.01, 1.02], scaleanchor="x", constrain="domain", automargin=False)
    figure.update_xaxes(constrain="domain")  # Its margin makes room for the legend below it.
    figure.update_layout(height=430, margin={"l": 56, "r": 8, "t": 8, "b": 44})
    return figure
