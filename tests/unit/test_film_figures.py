"""The timeline of a film: each sample at its time, what does not count apart, nothing where nothing was judged."""

import json

import pytest

from dfcore import figures
from dfcore.figures import FAKE_COLOUR, Line, Moment, Panel


def moment(sample: int, score: float = 0.5, *, used: bool = True) -> Moment:
    return Moment(sample, sample * 0.5, score, used, "likely fake" if score > 0.8 else "does not apply")


WHOLE = Panel(
    "Whole frame, <b>small</b>",
    [Line("whole frame", [moment(0, 0.1), None, moment(2, 0.9), moment(3, 0.7, used=False), moment(4, 0.95)])],
    0.2, 0.8, [(1.0, 2.0)],
)  # fmt: skip
FACES = Panel("Faces, faces", [Line("face 1", [moment(0)]), Line("face 2", [moment(1, used=False)])], None, 1.01)


def figure(*panels: Panel, **more):
    made = figures.timeline(panels, (0.0, 2.0), **more)
    return made, json.loads(made.to_json())


def test_samples_that_count_are_joined_and_refused_ones_hollow():
    made, drawn = figure(WHOLE)
    used, refused = made.data
    assert list(used.y) == [0.1, None, 0.9, None, 0.95] and not used.connectgaps
    assert [point and point[0] for point in used.customdata] == [0, None, 2, None, 4]
    assert list(refused.y) == [0.7] and refused.marker.symbol == "circle-open" and refused.mode == "markers"
    assert used.x[2] == "1970-01-01T00:00:01.000", "at its time"
    assert refused.customdata[0][1:] == ["0:01.5", "does not apply", 0]
    assert "&lt;b&gt;" in drawn["layout"]["annotations"][0]["text"]


def test_thresholds_and_stretches_are_drawn_and_what_never_happens_is_not():
    made, drawn = figure(WHOLE, FACES)
    boxes = [shape for shape in made.layout.shapes if shape.type == "rect"]
    assert [(box.x0, box.x1, box.fillcolor) for box in boxes] == [
        ("1970-01-01T00:00:01.000", "1970-01-01T00:00:02.000", FAKE_COLOUR)
    ]
    lines = {shape.y0 for shape in made.layout.shapes if shape.type == "line"}
    assert lines == {0.2, 0.8}, "a threshold beyond 1, or none, is not drawn"
    said = {one["text"]: one for one in drawn["layout"]["annotations"]}
    labels = [said["likely fake<br>from 0.80"], said["lower<br>threshold 0.20"]]
    assert all(label["x"] == 1 and label["xanchor"] == "left" for label in labels), "no curve runs through them"
    assert [label["yanchor"] for label in labels] == ["bottom", "top"], "however near the thresholds lie"


def test_each_face_has_a_line_of_its_own_on_the_same_axis_of_time():
    made, _ = figure(WHOLE, FACES, chosen=1.5)
    assert [trace.name for trace in made.data] == ["whole frame"] * 2 + ["face 1", "face 2", "face 2"]
    assert len({trace.line.color for trace in made.data if trace.mode == "lines+markers"}) == 3
    assert made.layout.xaxis.matches == "x2" and made.layout.xaxis2.range == made.layout.xaxis.range
    chosen = [shape for shape in made.layout.shapes if shape.x0 == shape.x1]
    assert {shape.x0 for shape in chosen} == {"1970-01-01T00:00:01.500"} and len(chosen) == 2
    assert sum(bool(trace.showlegend) for trace in made.data) == 2, "lines of one panel are told apart, each once"


@pytest.mark.parametrize(
    ("end", "form"),
    [(3.0, "%M:%S.%1f"), (59.0, "%M:%S"), (3600.0, "%H:%M:%S"), (90_000.0, "day %-j, %H:%M"), (1e7, "day %-j, %H:%M")],
)
def test_long_films_have_hours(end, form):
    made = figures.timeline([WHOLE], (0.0, end))
    assert made.layout.xaxis.tickformat == form


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (65.25, "1:05.2"), (7265.2, "2:01:05.2")]
)
def test_times_are_told_as_players_do(seconds, text):
    assert figures.clock(seconds) == text
