"""Figures of explanations: what blotting out a heat-map's strongest parts does to the score."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dfcore.figures.base import NEUTRAL_COLOUR, SERIES_COLOURS, graph_objects

if TYPE_CHECKING:
    import plotly.graph_objects as go

_BAND = "rgba(138, 151, 161, 0.3)"


def faithfulness(
    shares: Sequence[float], deletion: np.ndarray, insertion: np.ndarray, random: np.ndarray
) -> "go.Figure":
    """Score against the share of the image blotted out, and brought back, by the map and in random orders.

    Args:
        shares: Shares of the image, (n,), in [0, 1].
        deletion: Scores, P(fake), after so much of the strongest was blotted out: (n,).
        insertion: Scores after so much of the strongest was brought back: (n,).
        random: As deletion, in random orders: (orders, n).
    """
    go = graph_objects()
    from plotly.subplots import make_subplots

    titles = ("Share blotted out, brightest first", "Share brought back, brightest first")
    figure = make_subplots(1, 2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.06)
    x = list(shares)
    for column, by_map, chance in ((1, deletion, random), (2, insertion, random[:, ::-1])):
        low, high, middle = chance.min(0).tolist(), chance.max(0).tolist(), chance.mean(0).tolist()
        first = column == 1
        figure.add_traces(
            [
                go.Scatter(
                    x=[*x, *x[::-1]], y=[*high, *low[::-1]], fill="toself", fillcolor=_BAND, line={"width": 0},
                    mode="lines", hoverinfo="skip", name="random orders, range", showlegend=first,
                ),
                go.Scatter(
                    x=x, y=middle, mode="lines", name="random orders, mean", showlegend=first,
                    line={"color": NEUTRAL_COLOUR, "dash": "dash", "width": 1.5},
                    hovertemplate="%{x:.0%} at random: score %{y:.2f}<extra></extra>",
                ),
                go.Scatter(
                    x=x, y=by_map.tolist(), mode="lines+markers", name="by the map", showlegend=first,
                    line={"color": SERIES_COLOURS[0], "width": 2.5},
                    hovertemplate="%{x:.0%} by the map: score %{y:.2f}<extra></extra>",
                ),
            ],
            rows=[1] * 3,
            cols=[column] * 3,
        )  # fmt: skip
    figure.update_layout(
        height=260,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
    )
    figure.update_annotations(font={"size": 13})
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%", automargin=True)
    figure.update_yaxes(range=[-0.03, 1.03], automargin=True)
    figure.update_yaxes(title={"text": "Score"}, col=1)
    return figure
