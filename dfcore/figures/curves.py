"""Figures of evaluation and training, made from plain data."""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dfcore.figures.base import (
    CURVE_COLOUR,
    FAKE_COLOUR,
    HEIGHT,
    NEUTRAL_COLOUR,
    POINT_COLOUR,
    REAL_COLOUR,
    RIGHT_COLOUR,
    SERIES_COLOURS,
    WRONG_COLOUR,
    graph_objects,
    laid_out,
    line,
    square,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

VALIDATION_DASH = "dash"
# Epochs from which curves have no marker at each.
_MOST_MARKED = 40
CELLS = ("true_real", "false_fake", "false_real", "true_fake")
CELL_TITLES = {
    "true_real": "Real, called real",
    "false_fake": "Real, called fake (false alarm)",
    "false_real": "Fake, called real (missed)",
    "true_fake": "Fake, called fake (caught)",
}


def roc(
    points: Mapping[str, np.ndarray], metrics: Mapping[str, Any], titles: Mapping[str, str], *, split: str,
    what: str = "images",
) -> "go.Figure":  # fmt: skip
    """ROC curve with chance level and the operating point at the threshold.

    Args:
        points: From `dfcore.evaluation.roc_points`.
        metrics: From `dfcore.evaluation.evaluate_scores` for the same scores.
        titles: {metric: displayed name} of roc_auc, false_positive_rate and recall.
        split: Split that the curve was measured on.
        what: What was scored.
    """
    go = graph_objects()
    alarms, caught = titles["false_positive_rate"], titles["recall"]
    hover = (
        f"threshold %{{customdata[0]:.3f}}<br>{alarms}: %{{x:.3f}} (%{{customdata[1]}})"
        f"<br>{caught}: %{{y:.3f}} (%{{customdata[2]}})<extra></extra>"
    )
    counts = metrics["confusion"]
    curve = go.Scatter(
        x=points["fpr"].tolist(),
        y=points["tpr"].tolist(),
        customdata=np.column_stack([points["threshold"], points["false_positives"], points["true_positives"]]).tolist(),
        hovertemplate=hover,
        mode="lines",
        name=f"{titles['roc_auc']} {metrics['roc_auc']:.3f} on {split}, {metrics['images']:,} {what}",
        line={"color": CURVE_COLOUR, "width": 2.5},
    )
    detail = [metrics["threshold"], counts["false_fake"], counts["true_fake"]]
    point = _threshold_point(metrics["false_positive_rate"], metrics["recall"], detail, hover)
    figure = go.Figure([line([0, 1], [0, 1], "chance"), curve, point])
    return square(figure, alarms, caught)


def precision_recall(
    points: Mapping[str, np.ndarray], metrics: Mapping[str, Any], titles: Mapping[str, str]
) -> "go.Figure":
    """Precision-recall curve with chance level (the share of fakes) and the operating point at the threshold.

    Args:
        points: From `dfcore.evaluation.precision_recall_points`.
        metrics: From `dfcore.evaluation.evaluate_scores` for the same scores.
        titles: {metric: displayed name} of average_precision, recall and precision.
    """
    go = graph_objects()
    caught, precise = titles["recall"], titles["precision"]
    hover = f"threshold %{{customdata[0]:.3f}}<br>{caught}: %{{x:.3f}}<br>{precise}: %{{y:.3f}}<extra></extra>"
    curve = go.Scatter(
        x=points["recall"].tolist(),
        y=points["precision"].tolist(),
        customdata=points["threshold"][:, None].tolist(),
        hovertemplate=hover,
        mode="lines",
        name=f"{titles['average_precision']} {metrics['average_precision']:.3f}",
        line={"color": CURVE_COLOUR, "width": 2.5},
    )
    share = metrics["fake"] / metrics["images"]
    traces = [line([0, 1], [share, share], "chance"), curve]
    if metrics["precision"] is not None:
        traces.append(_threshold_point(metrics["recall"], metrics["precision"], [metrics["threshold"]], hover))
    return square(go.Figure(traces), caught, precise)


def score_histogram(labels: np.ndarray, scores: np.ndarray, threshold: float) -> "go.Figure":
    """Histogram of the scores of real and fake images, with the threshold."""
    go = graph_objects()
    edges = np.linspace(0, 1, 41)
    figure = go.Figure()
    for label, name, colour, pattern in ((0, "real", REAL_COLOUR, ""), (1, "fake", FAKE_COLOUR, "/")):
        counts, _ = np.histogram(scores[labels == label], edges)
        figure.add_bar(
            x=((edges[1:] + edges[:-1]) / 2).tolist(),
            y=counts.tolist(),
            width=1 / 40,
            name=f"{name} images",
            marker={
                "color": colour,
                "opacity": 0.75,
                "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "rgba(0,0,0,0.45)", "size": 6},
            },
            hovertemplate=f"score %{{x:.2f}}: %{{y}} {name} images<extra></extra>",
        )
    figure.add_vline(x=threshold, line={"color": NEUTRAL_COLOUR, "dash": "dash", "width": 2})
    figure.update_layout(barmode="overlay", bargap=0)
    return laid_out(figure, "Score, P(fake)", "Images", x_range=(0, 1))


def confusion_matrix(counts: Mapping[str, int]) -> "go.Figure":
    """Confusion matrix as four clickable cells, green where correct; `customdata` names the cell."""
    go = graph_objects()
    rows = {"real": counts["true_real"] + counts["false_fake"], "fake": counts["true_fake"] + counts["false_real"]}
    texts, fills = [], []
    for cell in CELLS:
        actual = "real" if cell in ("true_real", "false_fake") else "fake"
        share = counts[cell] / rows[actual] if rows[actual] else 0.0
        texts.append(f"<b>{counts[cell]:,}</b><br>{share:.1%} of {actual}<br>{CELL_TITLES[cell].split(', ')[1]}")
        fills.append(_shade(RIGHT_COLOUR if cell.startswith("true") else WRONG_COLOUR, share))
    bars = go.Bar(
        x=["called real", "called fake"] * 2,
        y=[1] * 4,
        base=[1, 1, 0, 0],
        width=1,
        customdata=[[cell] for cell in CELLS],
        marker={"color": fills, "line": {"width": 2, "color": "rgba(128,128,128,0.4)"}},
        text=texts,
        textposition="inside",
        insidetextanchor="middle",
        insidetextfont={"color": "#10181f", "size": 14},
        textangle=0,
        hovertemplate="%{text}<extra></extra>",
        unselected={"marker": {"opacity": 0.5}, "textfont": {"color": "#10181f"}},
        selected={"textfont": {"color": "#10181f"}},
    )
    figure = go.Figure(bars)
    figure.update_yaxes(
        tickvals=[0.5, 1.5], ticktext=["is fake", "is real"], range=[0, 2], fixedrange=True, showgrid=False
    )
    figure.update_xaxes(fixedrange=True, side="top")
    figure.update_layout(
        height=HEIGHT, barmode="overlay", bargap=0, showlegend=False, dragmode=False,
        margin={"l": 8, "r": 8, "t": 8, "b": 8}, font={"size": 14},
    )  # fmt: skip
    return figure


def thinned(values: Sequence[float], most: int = 1000) -> dict[str, list[float]]:
    """Reduces a series to at most `most` points, each the mean of its neighbours: {"report": [...], "loss": [...]}."""
    parts = np.array_split(np.asarray(values, float), min(most, len(values)))
    ends = np.cumsum([len(part) for part in parts])
    return {"report": ends.tolist(), "loss": [float(part.mean()) for part in parts]}


def training_curves(
    runs: Mapping[str, Sequence[Mapping[str, float]]],
    figures: Mapping[str, str],
    *,
    title: str,
    epochs: int,
    names: Mapping[str, str] | None = None,
    smoothing: float = 0.0,
    log: bool = False,
    unit_range: bool = False,
    best: Mapping[str, float] | None = None,
) -> "go.Figure":
    """Training curves of one or several runs, over epochs, without a legend: `curve_styles` tells what one holds.

    Curves of training are solid, those of validation dashed; several runs have a colour each.

    Args:
        runs: History rows by run id.
        figures: Columns of the history to draw, with displayed names.
        title: Title of the vertical axis.
        epochs: End of the horizontal axis, fixed so that the figure does not jump as epochs arrive.
        names: {run id: displayed name} if there are several runs; the id where missing.
        smoothing: Weight of the past in an exponential moving average, in [0, 1); the raw curve stays visible.
        log: logarithmic vertical axis.
        unit_range: vertical axis from 0 to 1.
        best: {run id: best epoch}, marked with a star on the curves of validation.
    """
    go = graph_objects()
    figure = go.Figure()
    for number, (run, rows) in enumerate(runs.items()):
        for column, name in figures.items():
            x = [row["epoch"] for row in rows if column in row]
            y = [row[column] for row in rows if column in row]
            several = len(runs) > 1
            on_validation = column.startswith("val_")
            colour = SERIES_COLOURS[(number if several else int(on_validation)) % len(SERIES_COLOURS)]
            label = f"{(names or {}).get(run, run)}: {name}" if several else name
            line = {"color": colour, "width": 2, "dash": VALIDATION_DASH if on_validation else "solid"}
            starred = [on_validation and epoch == (best or {}).get(run) for epoch in x]
            hover = f"epoch %{{x}}%{{text}}: %{{y:.4g}}<extra>{html.escape(label)}</extra>"
            if smoothing > 0:
                figure.add_scatter(
                    x=x, y=y, mode="lines", line=line | {"width": 1}, opacity=0.3, showlegend=False, hoverinfo="skip"
                )
            figure.add_scatter(
                x=x, y=smooth(y, smoothing), mode="lines+markers", name=label, line=line, hovertemplate=hover,
                text=[" (best)" if star else "" for star in starred],
                marker={
                    "size": [14 if star else 5 if len(x) < _MOST_MARKED else 0 for star in starred],
                    "symbol": ["star" if star else "circle" for star in starred],
                },
            )  # fmt: skip
    figure = laid_out(figure, "Epoch", title, x_range=(0.5, max(epochs, 2) + 0.5))
    figure.update_layout(height=300, showlegend=False)
    if log:
        figure.update_yaxes(type="log")
    elif unit_range:
        figure.update_yaxes(range=[0, 1.02])
    else:
        # From 0 on: a constant learning rate of 0.0001 looked like 0 between -1 and 1.
        figure.update_yaxes(rangemode="tozero", exponentformat="e")
    return figure


def curve_styles(runs: int) -> tuple[list[str], str, str]:
    """Colours of the runs, and dashes of training and validation, as `training_curves` draws them.

    Args:
        runs: Number of runs; the curves of a single one have two colours, of training and of validation.
    """
    colours = [SERIES_COLOURS[number % len(SERIES_COLOURS)] for number in range(max(runs, 2))]
    return colours, "solid", VALIDATION_DASH


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average with bias correction; weight in [0, 1)."""
    mean, smoothed = 0.0, []
    for count, value in enumerate(values, 1):
        mean = weight * mean + (1 - weight) * value
        smoothed.append(mean / (1 - weight**count))
    return smoothed


def zoomable(rgb: np.ndarray, height: int = 520) -> "go.Figure":
    """Zoomable image: drag to move, scroll to zoom, without interpolation."""
    import base64
    import io

    go = graph_objects()
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    figure = go.Figure(go.Image(source=source, hoverinfo="skip"))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(height=height, margin={"l": 0, "r": 0, "t": 0, "b": 0}, dragmode="pan")
    return figure


def _threshold_point(x: float, y: float, detail: list[float], hover: str) -> Any:
    go = graph_objects()
    return go.Scatter(
        x=[x],
        y=[y],
        customdata=[detail],
        hovertemplate=hover,
        mode="markers",
        name=f"at threshold {detail[0]:.3f}",
        marker={"color": POINT_COLOUR, "size": 12, "symbol": "diamond"},
    )


def _shade(colour: str, share: float) -> str:
    """An opaque tint of a colour, stronger for larger shares, on which dark text stays legible."""
    strength = 0.25 + 0.55 * share
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - strength * (255 - part)):02x}" for part in parts)
