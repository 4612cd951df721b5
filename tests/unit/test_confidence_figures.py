"""Figures of confidence tell the numbers that were measured, in the colours of the answers."""

import numpy as np
import pytest

from dfcore import figures
from dfcore.confidence import DecisionThresholds
from dfcore.evaluation import calibration_error, reliability, three_way

random = np.random.default_rng(0)
LABELS = (random.random(300) < 0.4).astype(int)
SCORES = np.clip(random.normal(0.4 + 0.25 * LABELS, 0.2), 0, 1)
OPERATING = DecisionThresholds(real_below=0.3, fake_from=0.6, says_real=True)
COLOURS = {"likely real": figures.REAL_COLOUR, "inconclusive": figures.NEUTRAL_COLOUR,
           "likely fake": figures.FAKE_COLOUR}  # fmt: skip


def traces(figure) -> dict:
    return {trace.name: trace for trace in figure.data}


# === Reliability ===


def test_the_reliability_curve_goes_through_what_was_measured():
    points = reliability(LABELS, SCORES)
    perfect, curve = figures.reliability(points, f"ECE {calibration_error(LABELS, SCORES):.3f}").data
    assert (list(perfect.x), list(perfect.y)) == ([0, 1], [0, 1])
    assert list(curve.x) == pytest.approx(points["score"])
    assert list(curve.y) == pytest.approx(points["share"])
    assert [cell[0] for cell in curve.customdata] == points["images"].tolist()
    assert f"ECE {calibration_error(LABELS, SCORES):.3f}" in curve.name


def test_points_of_more_images_are_larger_and_none_is_lost():
    points = {
        "score": np.array([0.1, 0.5, 0.9]),
        "share": np.array([0.0, 0.5, 1.0]),
        "images": np.array([1, 3000, 9000]),
    }
    sizes = figures.reliability(points, "ECE 0.100").data[1].marker.size
    assert 5 < sizes[0] < sizes[1] < sizes[2] < 25


def test_the_axes_of_reliability_show_zero_to_one():
    layout = figures.reliability(reliability(LABELS, SCORES), "ECE 0.100").layout
    for axis in (layout.xaxis, layout.yaxis):
        assert -0.05 < axis.range[0] <= 0
        assert 1 <= axis.range[1] < 1.05
        assert axis.title.text


# === Three answers ===


def test_answers_show_the_share_and_count_of_each():
    result = three_way(LABELS, SCORES, OPERATING)
    bars = traces(figures.answers(result))
    assert {name: bar.marker.color for name, bar in bars.items()} == COLOURS
    for name, bar in bars.items():
        call = name.removeprefix("likely ")
        assert list(bar.y) == ["is real", "is fake"]
        assert [cell[0] for cell in bar.customdata] == [result["counts"][actual][call] for actual in ("real", "fake")]
    assert sum(np.array(bar.x) for bar in bars.values()) == pytest.approx([1, 1])
    assert bars["likely fake"].x[0] == pytest.approx(result["fpr"])
    assert bars["likely real"].x[1] == pytest.approx(result["fnr"])


def test_answers_are_stacked_to_a_whole():
    layout = figures.answers(three_way(LABELS, SCORES, OPERATING)).layout
    assert layout.barmode == "stack"
    assert tuple(layout.xaxis.range) == (0, 1)


def test_a_sliver_has_no_text_that_would_not_fit():
    counts = {"real": 970, "inconclusive": 20, "fake": 10}
    bars = traces(figures.answers({"counts": {"real": counts, "fake": counts}}))
    assert [bars[name].text[0] for name in COLOURS] == ["97%", "", ""]


PRESENT = [
    pytest.param([0, 0], ["is real"], id="real-only"),
    pytest.param([1, 1], ["is fake"], id="fake-only"),
    pytest.param([], [], id="nothing"),
]


@pytest.mark.parametrize(("labels", "expected"), PRESENT)
def test_a_class_without_images_has_no_bar(labels, expected):
    result = three_way(labels, [0.2, 0.9][: len(labels)], OPERATING)
    assert all(list(bar.y) == expected for bar in figures.answers(result).data)


# === Robustness ===

TITLES = {
    "roc_auc": "ROC AUC",
    "balanced_accuracy": "Balanced accuracy",
    "false_positive_rate": "False alarms on real (FPR)",
}
ROWS = [
    {"change": "original", "title": "As it is", "roc_auc": 0.99, "balanced_accuracy": 0.95,
     "false_positive_rate": 0.02},
    {"change": "blur", "title": "Blurred", "roc_auc": 0.8, "balanced_accuracy": 0.7, "false_positive_rate": 0.5},
]  # fmt: skip


def test_robustness_shows_three_figures_of_every_change():
    result = traces(figures.robustness(ROWS, TITLES))
    assert {name: list(trace.x) for name, trace in result.items()} == {
        "ROC AUC": [0.99, 0.8],
        "Balanced accuracy": [0.95, 0.7],
        "False alarms on real (FPR)": [0.02, 0.5],
    }
    assert all(list(trace.y) == ["As it is", "Blurred"] for trace in result.values())
    assert len({trace.marker.color for trace in result.values()}) == 3
    assert len({trace.marker.symbol for trace in result.values()}) == 3


def test_robustness_begins_with_the_images_as_they_are_on_top_and_makes_room_for_more():
    layout = figures.robustness(ROWS, TITLES).layout
    assert layout.yaxis.autorange == "reversed"
    assert layout.xaxis.range[0] <= 0 < 1 <= layout.xaxis.range[1]
    assert figures.robustness(ROWS * 5, TITLES).layout.height > layout.height


def test_what_was_not_computed_is_left_out():
    rows = [row | {"roc_auc": None, "false_positive_rate": None} for row in ROWS]
    result = traces(figures.robustness(rows, TITLES))
    assert {name: len(trace.x) for name, trace in result.items()} == {
        "ROC AUC": 0, "Balanced accuracy": 2, "False alarms on real (FPR)": 0}  # fmt: skip


# === Stability ===

CHANGED = [
    {"change": "original", "title": "As it is", "score": 0.4, "decision": "inconclusive"},
    {"change": "blur", "title": "Blurred", "score": 0.1, "decision": "real"},
    {"change": "noise", "title": "Noise", "score": 0.9, "decision": "fake"},
    {"change": "crop", "title": "Cropped", "score": 0.5, "decision": "inconclusive"},
]


def dashes(figure) -> list:
    return sorted(shape.x0 for shape in figure.layout.shapes if shape.type == "line")


def test_stability_shows_every_score_in_the_colour_and_sign_of_its_answer():
    result = traces(figures.stability(CHANGED, 0.3, 0.6))
    assert {name: list(zip(trace.y, trace.x, strict=True)) for name, trace in result.items()} == {
        "likely real": [("Blurred", 0.1)],
        "inconclusive": [("As it is", 0.4), ("Cropped", 0.5)],
        "likely fake": [("Noise", 0.9)],
    }
    assert {name: trace.marker.color for name, trace in result.items()} == COLOURS
    assert len({trace.marker.symbol for trace in result.values()}) == 3


def test_a_band_spans_the_scores():
    (band,) = (shape for shape in figures.stability(CHANGED, 0.3, 0.6).layout.shapes if shape.type == "rect")
    assert (band.x0, band.x1) == (0.1, 0.9)


THRESHOLDS = [
    pytest.param(0.3, 0.6, [0.3, 0.6], id="two"),
    pytest.param(0.5, 0.5, [0.5], id="one"),
    pytest.param(-1.0, 0.6, [0.6], id="never-likely-real"),
    pytest.param(-1.0, 2.0, [], id="abstains"),
]


@pytest.mark.parametrize(("real_below", "fake_from", "expected"), THRESHOLDS)
def test_thresholds_are_drawn_where_they_lie_on_the_scale(real_below, fake_from, expected):
    assert dashes(figures.stability(CHANGED, real_below, fake_from)) == expected


def test_changes_stand_in_their_order_from_the_top():
    layout = figures.stability(CHANGED, 0.3, 0.6).layout
    assert list(layout.yaxis.categoryarray) == ["Cropped", "Noise", "Blurred", "As it is"]
    assert layout.xaxis.range[0] <= 0 < 1 <= layout.xaxis.range[1]


# === Matrix ===

CELLS = [
    {"detector": "faces", "data set": "A", "value": 0.9, "text": "0.900"},
    {"detector": "faces", "data set": "B", "value": None, "text": "one class only"},
    {"detector": "anything", "data set": "B", "value": 0.6, "text": "0.600"},
]


def test_the_matrix_tells_each_measurement_in_its_cell():
    figure = figures.cross_evaluation(CELLS)
    (heat,) = figure.data
    assert (list(heat.y), list(heat.x)) == (["faces", "anything"], ["A", "B"])
    assert [list(row) for row in heat.z] == [[0.9, None], [None, 0.6]]
    assert [list(row) for row in heat.text] == [["0.900", "one class only"], ["not measured", "0.600"]]
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert figure.layout.yaxis.autorange == "reversed"
