"""Figures of confidence: calibration, three-way decisions, robustness, stability of a single image."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.confidence import FINDINGS
from dfcore.figures.base import (
    CURVE_COLOUR,
    FINDING_COLOURS,
    NEUTRAL_COLOUR,
    SERIES_COLOURS,
    graph_objects,
    laid_out,
    line,
    square,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SYMBOLS = {"real": "circle", "no_sign": "circle-open", "inconclusive": "square-open", "fake": "diamond"}


def reliability(points: Mapping[str, np.ndarray], ece: str = "") -> "go.Figure":
    """Reliability diagram: the share of fakes among images of similar score, against the score.

    Args:
        points: From `dfcore.evaluation.reliability`.
        ece: Expected calibration error of the same scores with its title, as text; empty without images.
    """
    go = graph_objects()
    images = points["images"]
    curve = go.Scatter(
        x=points["score"].tolist(),
        y=points["share"].tolist(),
        customdata=images[:, None].tolist(),
        mode="lines+markers",
        name=f"measured, {ece}" if ece else "measured",
        marker={
            "size": np.clip(4 * np.sqrt(images / images.max(initial=1)) * 5, 6, 20).tolist(),
            "color": CURVE_COLOUR,
        },
        line={"color": CURVE_COLOUR, "width": 2},
        hovertemplate="score %{x:.2f}: %{y:.0%} are fake (%{customdata[0]:,} images)<extra></extra>",
    )
    figure = go.Figure([line([0, 1], [0, 1], "perfect"), curve])
    return square(figure, "Score, P(fake)", "Share that is fake")


def answers(three_way: Mapping[str, Any]) -> "go.Figure":
    """Three-way decisions on real and on fake images, one bar each.

    Args:
        three_way: From `dfcore.evaluation.three_way`.
    """
    go = graph_objects()
    figure = go.Figure()
    actual = [name for name, counts in three_way["counts"].items() if sum(counts.values())]
    no_sign = dict.fromkeys(actual, 0) | three_way.get("no_sign", {})  # Earlier figures are without.
    for finding, colour in FINDING_COLOURS.items():
        if finding == "no_sign":
            counts = [no_sign[name] for name in actual]
        else:
            of = [three_way["counts"][name][finding] for name in actual]
            counts = [n - no_sign[name] * (finding == "inconclusive") for n, name in zip(of, actual, strict=True)]
        if finding == ("no_sign" if three_way.get("says_real", True) else "real"):
            continue
        shares = [count / sum(three_way["counts"][name].values()) for count, name in zip(counts, actual, strict=True)]
        figure.add_bar(
            y=[f"is {name}" for name in actual],
            x=shares,
            orientation="h",
            name=FINDINGS[finding],
            text=[f"{share:.0%}" if share >= 0.04 else "" for share in shares],
            textposition="inside",
            insidetextanchor="middle",
            customdata=[[count] for count in counts],
            marker={"color": colour},
            hovertemplate="%{y}: %{x:.1%} (%{customdata[0]:,} images)<extra>%{fullData.name}</extra>",
        )
    laid_out(figure, "Share of the images", "", x_range=(0, 1))
    figure.update_layout(barmode="stack", height=210)
    figure.update_xaxes(tickformat=".0%")
    return figure


def robustness(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> "go.Figure":
    """Metrics under each perturbation.

    Args:
        rows: From `dfcore.evaluation.robustness`.
        titles: {key in the rows: displayed name} of the metrics to draw.
    """
    go = graph_objects()
    figure = go.Figure()
    for number, (key, title) in enumerate(titles.items()):
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        symbol = ("circle", "square", "diamond", "cross", "x")[number % 5]
        shown = [row for row in rows if row.get(key) is not None]
        figure.add_scatter(
            x=[row[key] for row in shown],
            y=[row["title"] for row in shown],
            mode="markers",
            name=title,
            marker={"color": colour, "symbol": symbol, "size": 11},
            hovertemplate=f"%{{y}}: {title} %{{x:.3f}}<extra></extra>",
        )
    laid_out(figure, "", "", x_range=(-0.02, 1.02))
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=90 + 28 * len(rows))
    return figure


def stability(
    rows: Sequence[Mapping[str, Any]], real_below: float, fake_from: float, *, says_real: bool = True
) -> "go.Figure":
    """Score of one image, unchanged and under perturbations, relative to the thresholds.

    Args:
        rows: From `dfcore.evaluation.stability`.
        real_below: Score below which an image is called likely real, or shows no sign of a fake.
        fake_from: Score from which an image is called likely fake.
        says_real: Which of the two it is.
    """
    go = graph_objects()
    figure = go.Figure()
    scores = [row["score"] for row in rows]
    figure.add_vrect(x0=min(scores), x1=max(scores), fillcolor=NEUTRAL_COLOUR, opacity=0.15, line_width=0)
    findings = [row.get("finding", row["decision"]) for row in rows]
    for finding, colour in FINDING_COLOURS.items():
        shown = [row for row, found in zip(rows, findings, strict=True) if found == finding]
        if finding == ("no_sign" if says_real else "real"):
            continue
        figure.add_scatter(
            x=[row["score"] for row in shown],
            y=[row["title"] for row in shown],
            mode="markers",
            name=FINDINGS[finding],
            marker={"color": colour, "symbol": _SYMBOLS[finding], "size": 11},
            hovertemplate="%{y}: score %{x:.3f}<extra></extra>",
        )
    for place in {real_below, fake_from}:
        if 0 <= place <= 1:
            figure.add_vline(x=place, line={"color": NEUTRAL_COLOUR, "dash": "dash", "width": 1.5})
    laid_out(figure, "Score, the higher the more like fakes", "", x_range=(-0.02, 1.02))
    figure.update_yaxes(categoryorder="array", categoryarray=[row["title"] for row in reversed(rows)])
    figure.update_layout(height=90 + 26 * len(rows))
    return figure


def cross_evaluation(rows: Sequence[Mapping[str, Any]]) -> "go.Figure":
    """Detectors against data sets, one cell a measurement.

    Args:
        rows: with detector, data set, value (in [0, 1], or None), text, and own (whether it was trained there).
    """
    go = graph_objects()
    detectors = list(dict.fromkeys(row["detector"] for row in rows))
    sets = list(dict.fromkeys(row["data set"] for row in rows))
    result = {(row["detector"], row["data set"]): row for row in rows}
    values, texts = [], []
    for detector in detectors:
        cells = [result.get((detector, name)) for name in sets]
        values.append([None if cell is None else cell["value"] for cell in cells])
        texts.append(["not measured" if cell is None else cell["text"] for cell in cells])
    figure = go.Figure(
        go.Heatmap(
            x=sets, y=detectors, z=values, text=texts, texttemplate="%{text}", zmin=0, zmax=1, colorscale="Cividis",
            hovertemplate="%{y} on %{x}: %{text}<extra></extra>", xgap=2, ygap=2,
            colorbar={"title": {"text": "value"}, "thickness": 12},
        )
    )  # fmt: skip
    laid_out(figure, "", "")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False)
    figure.update_layout(height=120 + 60 * len(detectors))
    return figure


def scores_so_far(
    bars: Sequence[tuple[float, float, int]], thresholds: tuple[float, float] | None = None
) -> "go.Figure":
    """Histogram of one detector's scores of images whose truth is unknown, with its thresholds.

    Args:
        bars: (from, to, number of images), from low to high scores.
        thresholds: (real below, fake from); None where they are unknown.
    """
    go = graph_objects()
    figure = go.Figure()
    figure.add_bar(
        x=[(low + high) / 2 for low, high, _ in bars],
        y=[count for *_, count in bars],
        width=[high - low for low, high, _ in bars],
        customdata=[[low, high] for low, high, _ in bars],
        marker={"color": SERIES_COLOURS[1]},
        hovertemplate="score %{customdata[0]:.3f} to %{customdata[1]:.3f}: %{y:,}<extra></extra>",
    )
    laid_out(figure, "Score", "Images", x_range=(0, 1))
    dashed = {"color": NEUTRAL_COLOUR, "dash": "dash", "width": 1.5}
    for place, text in zip(thresholds or (), ("lower threshold", "likely fake from"), strict=False):
        if 0 < place <= 1:
            side = "top left" if place > 0.5 else "top right"
            figure.add_vline(place, line=dashed, annotation_text=f"{text} {place:.3f}", annotation_position=side)
    most = max((count for *_, count in bars), default=0)
    figure.update_yaxes(range=[0, 1.25 * max(most, 1)], tickformat=",d", dtick=1 if most < 6 else None)
    figure.update_layout(height=190, bargap=0.05, showlegend=False)
    return figure
