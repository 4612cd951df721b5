"""The timeline of a film: scores over time, of the whole frame and of each face."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dfcore.figures.base import FAKE_COLOUR, NEUTRAL_COLOUR, SERIES_COLOURS, graph_objects

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Heights in pixels: of a panel, of a title, of the axis of time, and of the legend.
_PANEL, _TITLE, _AXIS, _LEGEND = 124, 26, 48, 26
# Width of the thresholds' labels, beside the plots.
_LABELS = 84
_DASHES = ("solid", "dash", "dot")
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# Seconds below which the axis tells tenths.
_TENTHS, _HOUR, _DAY = 10.0, 3600.0, 86400.0


@dataclass(frozen=True)
class Moment:
    """A sample that was judged.

    Attributes:
        sample: Its number; `customdata` of its point begins with it, and ends with the key of its line.
        seconds: Its time.
        score: P(fake) in [0, 1].
        used: Whether the score decides; drawn hollow if not.
        says: What is said of it, in words.
    """

    sample: int
    seconds: float
    score: float
    used: bool
    says: str


@dataclass(frozen=True)
class Line:
    """The samples of the whole frame, or of one face.

    Attributes:
        name: Its name, in the legend.
        moments: In the order of time; None where nothing was judged.
        key: Tells it from others where one of its points is clicked.
    """

    name: str
    moments: Sequence[Moment | None]
    key: int = 0


@dataclass(frozen=True)
class Panel:
    """Lines that one detector judged.

    Attributes:
        title: Its title.
        lines: The lines.
        real_below: The lower threshold; None if it is unknown.
        fake_from: Score from which a sample is called likely fake; None if it is unknown.
        stretches: Beginning and end of each stretch that is called likely fake, in seconds.
    """

    title: str
    lines: Sequence[Line]
    real_below: float | None = None
    fake_from: float | None = None
    stretches: Sequence[tuple[float, float]] = ()


def timeline(panels: Sequence[Panel], part: tuple[float, float], chosen: float | None = None) -> "go.Figure":
    """Scores over the time of a film, a panel for each detector below the other, on one axis of time.

    Args:
        panels: At least one.
        part: Beginning and end of what is drawn, in seconds.
        chosen: Time of the moment that is looked at, in seconds; None for none.
    """
    graph_objects()
    from plotly.subplots import make_subplots

    count = len(panels)
    plots = count * _PANEL + (count - 1) * _TITLE
    figure = make_subplots(
        count, 1, shared_xaxes=True, vertical_spacing=_TITLE / plots if count > 1 else 0.0,
        subplot_titles=[html.escape(panel.title) for panel in panels],
    )  # fmt: skip
    figure.update_annotations(font={"size": 13})
    for row, panel in enumerate(panels, 1):
        _draw(figure, panel, row, legend=len(panel.lines) > 1)
        if chosen is not None:
            figure.add_vline(_time(chosen), line={"color": NEUTRAL_COLOUR, "width": 3}, opacity=0.6, row=row, col=1)
    legend = _LEGEND if any(len(panel.lines) > 1 for panel in panels) else 0
    figure.update_layout(
        height=plots + _TITLE + _AXIS + legend, margin={"l": 8, "r": _LABELS, "t": _TITLE, "b": 8}, hovermode="closest",
        dragmode=False, legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0},
    )  # fmt: skip
    figure.update_yaxes(range=[-0.05, 1.08], tickvals=[0, 0.5, 1], title={"text": "Score"}, automargin=True)
    start, end = part
    room = max((end - start) * 0.015, 0.05)
    figure.update_xaxes(
        type="date", range=[_time(start - room), _time(end + room)], automargin=True, nticks=10,
        tickformat=_ticks(start, end),
    )  # fmt: skip
    figure.update_xaxes(title={"text": f"Time in the film ({_unit(end)})"}, row=count)
    return figure


def clock(seconds: float) -> str:
    """A time in a film: "1:05.2", "2:01:05.2"."""
    tenths = round(max(seconds, 0.0) * 10)
    minutes, rest = divmod(tenths, 600)
    text = f"{rest // 10:02d}.{rest % 10}"
    return f"{minutes}:{text}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{text}"


def _draw(figure: "go.Figure", panel: Panel, row: int, *, legend: bool) -> None:
    for number, line in enumerate(panel.lines):
        _draw_line(figure, line, number, row, legend=legend)
    for start, end in panel.stretches:
        # The outline shows a stretch of a single sample too.
        figure.add_vrect(
            _time(start), _time(end), fillcolor=FAKE_COLOUR, opacity=0.2, layer="below", row=row, col=1,
            line={"color": FAKE_COLOUR, "width": 2},
        )  # fmt: skip
    # Beside the plot, where no curve runs through them.
    for place, text, side in (
        (panel.real_below, "lower<br>threshold", "top"), (panel.fake_from, "likely fake<br>from", "bottom")
    ):  # fmt: skip
        if place is not None and 0 < place <= 1:
            figure.add_hline(
                place, row=row, col=1, line={"color": NEUTRAL_COLOUR, "dash": "dash", "width": 1.5},
                annotation={
                    "text": f"{text} {place:.2f}", "x": 1, "xanchor": "left", "yanchor": side, "align": "left",
                    "font": {"size": 11},
                },
            )  # fmt: skip


def _draw_line(figure: "go.Figure", line: Line, number: int, row: int, *, legend: bool) -> None:
    """The samples that count, joined where they follow each other; the refused ones hollow, and joined to none."""
    go = graph_objects()
    number += row - 1
    colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
    dash = _DASHES[number // len(SERIES_COLOURS) % len(_DASHES)]
    name = html.escape(line.name)
    shared: dict[str, Any] = {
        "name": name, "legendgroup": f"{row} {number}",
        "hovertemplate": f"%{{customdata[1]}}: score %{{y:.3f}}, %{{customdata[2]}}<extra>{name}</extra>",
    }  # fmt: skip
    used = [moment if moment is not None and moment.used else None for moment in line.moments]
    refused = [moment for moment in line.moments if moment is not None and not moment.used]
    figure.add_trace(
        go.Scatter(
            **_points(used, line.key), **shared, mode="lines+markers", connectgaps=False, showlegend=legend,
            line={"color": colour, "width": 2, "dash": dash}, marker={"size": 6, "color": colour},
        ),
        row=row, col=1,
    )  # fmt: skip
    if refused:
        figure.add_trace(
            go.Scatter(
                **_points(refused, line.key), **shared, mode="markers", showlegend=False,
                marker={"size": 7, "color": colour, "symbol": "circle-open", "line": {"width": 1.5}},
            ),
            row=row, col=1,
        )  # fmt: skip


def _points(moments: Sequence[Moment | None], key: int) -> dict[str, Any]:
    return {
        "x": [None if one is None else _time(one.seconds) for one in moments],
        "y": [None if one is None else one.score for one in moments],
        "customdata": [None if one is None else [one.sample, clock(one.seconds), one.says, key] for one in moments],
    }


def _time(seconds: float) -> str:
    """As a date since the beginning of dates, since Plotly writes only dates as minutes and seconds."""
    return (_BEGINNING + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _ticks(start: float, end: float) -> str:
    if end < _HOUR:
        return "%M:%S.%1f" if end - start < _TENTHS else "%M:%S"
    return "%H:%M:%S" if end < _DAY else "day %-j, %H:%M"


def _unit(end: float) -> str:
    return "minutes:seconds" if end < _HOUR else "hours:minutes:seconds" if end < _DAY else "day, hours:minutes"
