"""Figures tell the numbers that the metrics tell, on axes that do not mislead."""

import numpy as np
import pytest

from dfcore import figures
from dfcore.evaluation import METRICS, confusion, evaluate_scores, precision_recall_points, reliability, roc_points

random = np.random.default_rng(0)
LABELS = (random.random(200) < 0.4).astype(int)
SCORES = np.clip(random.normal(0.4 + 0.25 * LABELS, 0.2), 0, 1)
# Perfectly parted scores: a curve with corners only, so that most thresholds lie between its points.
PARTED = (np.array([0, 0, 1, 1, 1, 1]), np.array([0.1, 0.2, 0.6, 0.7, 0.8, 0.9]))
TITLES = {key: metric.title for key, metric in METRICS.items()}
THRESHOLDS = (0.0, 0.15, 0.5, 0.65, 0.85, 1.0)


def traces(figure) -> dict:
    return {trace.name.split()[0]: trace for trace in figure.data}


def roc(labels, scores, threshold):
    return figures.roc(roc_points(labels, scores), evaluate_scores(labels, scores, threshold), TITLES, split="test")


def precision_recall(labels, scores, threshold):
    metrics = evaluate_scores(labels, scores, threshold)
    return figures.precision_recall(precision_recall_points(labels, scores), metrics, TITLES)


@pytest.mark.parametrize("data", [(LABELS, SCORES), PARTED], ids=["overlapping", "parted"])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_operating_point_on_the_roc_curve_is_that_of_the_threshold(data, threshold):
    result = confusion(*data, threshold)
    point = traces(roc(*data, threshold))["at"]
    assert point.x[0] == pytest.approx(result.false_fake / (data[0] == 0).sum())
    assert point.y[0] == pytest.approx(result.true_fake / (data[0] == 1).sum())
    assert list(point.customdata[0]) == pytest.approx([threshold, result.false_fake, result.true_fake])


@pytest.mark.parametrize("data", [(LABELS, SCORES), PARTED], ids=["overlapping", "parted"])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_operating_point_on_the_precision_recall_curve_is_that_of_the_threshold(data, threshold):
    metrics = evaluate_scores(*data, threshold)
    result = traces(precision_recall(*data, threshold))
    if metrics["precision"] is None:
        assert "at" not in result, "nothing was called fake: there is no such point"
    else:
        assert (result["at"].x[0], result["at"].y[0]) == pytest.approx((metrics["recall"], metrics["precision"]))


def test_the_legend_of_the_roc_curve_says_what_it_was_measured_on():
    name = traces(roc(LABELS, SCORES, 0.5))["ROC"].name
    assert "test" in name
    assert "200 images" in name
    assert f"{evaluate_scores(LABELS, SCORES, 0.5)['roc_auc']:.3f}" in name


@pytest.mark.parametrize("make", [roc, precision_recall])
def test_axes_of_rates_show_zero_to_one(make):
    figure = make(LABELS, SCORES, 0.5)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert -0.05 < axis.range[0] <= 0
        assert 1 <= axis.range[1] < 1.05
        assert axis.title.text


def test_metrics_have_the_titles_of_the_registry():
    axes = {figure.layout[axis].title.text for figure in (roc(*PARTED, 0.5), precision_recall(*PARTED, 0.5))
            for axis in ("xaxis", "yaxis")}  # fmt: skip
    assert axes == {TITLES[key] for key in ("false_positive_rate", "recall", "precision")}
    bent = {key: key.upper() for key in TITLES}
    figure = figures.roc(roc_points(*PARTED), evaluate_scores(*PARTED, 0.5), bent, split="test")
    assert "ROC_AUC" in figure.data[1].name


@pytest.mark.parametrize(
    "make",
    [
        lambda: roc(LABELS, SCORES, 0.5),
        lambda: precision_recall(LABELS, SCORES, 0.5),
        lambda: figures.confusion_matrix({"true_real": 9, "false_fake": 1, "false_real": 1, "true_fake": 3}),
        lambda: figures.training_curves({str(n): HISTORY for n in range(9)}, COLUMNS, title="Loss", epochs=5),
        lambda: figures.training_curves({"one": HISTORY}, COLUMNS, title="Loss", epochs=5),
        lambda: figures.robustness([{"title": "blur", "roc_auc": 0.5}], TITLES),
        lambda: figures.reliability(reliability(LABELS, SCORES), "ECE 0.1"),
    ],
)
def test_blue_and_orange_mean_real_and_fake_and_nothing_else(make):
    text = make().to_json().lower()
    assert figures.REAL_COLOUR not in text
    assert figures.FAKE_COLOUR not in text


def test_the_line_of_chance():
    chance = traces(roc(LABELS, SCORES, 0.5))["chance"]
    assert (list(chance.x), list(chance.y)) == ([0, 1], [0, 1])
    share = LABELS.mean()
    assert traces(precision_recall(LABELS, SCORES, 0.5))["chance"].y == pytest.approx((share, share))


def test_the_histogram_counts_every_image_once_in_the_colour_of_its_class():
    scores = np.where(np.arange(200) < 3, 1.0, SCORES)
    figure = figures.score_histogram(LABELS, scores, 0.42)
    real, fake = figure.data
    assert (sum(real.y), sum(fake.y)) == ((LABELS == 0).sum(), (LABELS == 1).sum())
    assert (real.marker.color, fake.marker.color) == (figures.REAL_COLOUR, figures.FAKE_COLOUR)
    assert tuple(figure.layout.xaxis.range) == (0, 1)
    assert figure.layout.shapes[0].x0 == 0.42


def test_the_confusion_matrix_tells_counts_and_shares_and_names_its_cells():
    counts = {"true_real": 90, "false_fake": 10, "false_real": 1, "true_fake": 3}
    (bars,) = figures.confusion_matrix(counts).data
    result = {cell[0]: (x, base, text) for cell, x, base, text in
             zip(bars.customdata, bars.x, bars.base, bars.text, strict=True)}  # fmt: skip
    assert {cell: (x, base) for cell, (x, base, _) in result.items()} == {
        "true_real": ("called real", 1),
        "false_fake": ("called fake", 1),
        "false_real": ("called real", 0),
        "true_fake": ("called fake", 0),
    }
    for cell, share in (
        ("true_real", "90.0%"),
        ("false_fake", "10.0%"),
        ("false_real", "25.0%"),
        ("true_fake", "75.0%"),
    ):
        assert f"<b>{counts[cell]}</b>" in result[cell][2]
        assert share in result[cell][2]


def test_an_empty_row_of_the_confusion_matrix_divides_by_nothing():
    (bars,) = figures.confusion_matrix({"true_real": 0, "false_fake": 0, "false_real": 2, "true_fake": 2}).data
    assert "0.0% of real" in bars.text[0]


# === Training curves ===

HISTORY = [{"epoch": float(n), "loss": 1 / n, "val_loss": 1.2 / n} for n in range(1, 6)]
COLUMNS = {"loss": "training", "val_loss": "validation"}


def test_training_curves_show_every_epoch_on_an_axis_that_does_not_jump():
    figure = figures.training_curves({"run": HISTORY}, COLUMNS, title="Loss", epochs=30)
    assert [trace.name for trace in figure.data] == ["training", "validation"]
    assert list(figure.data[0].x) == [1, 2, 3, 4, 5]
    assert list(figure.data[0].y) == pytest.approx([row["loss"] for row in HISTORY])
    assert tuple(figure.layout.xaxis.range) == (0.5, 30.5)
    assert figure.layout.yaxis.title.text == "Loss"


def test_several_runs_are_told_apart_by_name_and_colour():
    figure = figures.training_curves({"one": HISTORY, "two": HISTORY[:2]}, COLUMNS, title="Loss", epochs=5)
    assert [trace.name for trace in figure.data] == ["one: training", "one: validation", "two: training",
                                                     "two: validation"]  # fmt: skip
    assert figure.data[0].line.color == figure.data[1].line.color != figure.data[2].line.color
    assert figure.data[0].line.dash != figure.data[1].line.dash


def test_runs_of_the_same_name_stay_apart():
    names = {"one": "same", "two": "same", "three": "other"}
    figure = figures.training_curves(dict.fromkeys(names, HISTORY), {"loss": "training"}, title="Loss", epochs=5,
                                     names=names)  # fmt: skip
    assert [trace.name for trace in figure.data] == ["same: training", "same: training", "other: training"]
    assert len({trace.line.color for trace in figure.data}) == 3


def test_no_legend_takes_room_from_the_curves():
    for count in (1, 2, 6):
        figure = figures.training_curves({str(run): HISTORY for run in range(count)}, COLUMNS, title="Loss", epochs=5)
        assert (figure.layout.height, figure.layout.showlegend) == (300, False)


@pytest.mark.parametrize("count", [1, 3])
def test_the_colours_and_dashes_of_a_legend_are_those_of_the_curves(count):
    figure = figures.training_curves({str(run): HISTORY for run in range(count)}, COLUMNS, title="Loss", epochs=5)
    colours, solid, dashed = figures.curve_styles(count)
    assert [trace.line.dash for trace in figure.data] == [solid, dashed] * count
    drawn = [trace.line.color for trace in figure.data]
    assert drawn == (colours if count == 1 else [colour for colour in colours for _ in COLUMNS])


@pytest.mark.parametrize("epochs", [5, 60])
def test_the_best_epoch_is_starred_on_validation(epochs):
    rows = [{"epoch": float(n), "loss": 1 / n, "val_loss": 1.2 / n} for n in range(1, epochs + 1)]
    figure = figures.training_curves({"run": rows}, COLUMNS, title="Loss", epochs=epochs, best={"run": 4.0})
    training, validation = figure.data
    assert set(training.marker.symbol) == {"circle"}
    assert [x for x, symbol in zip(validation.x, validation.marker.symbol, strict=True) if symbol == "star"] == [4.0]
    assert validation.marker.size[3] > 0


@pytest.mark.parametrize("make", ["roc", "precision_recall", "scores", "reliability", "robustness"])
def test_legends_lie_below_the_axes_where_no_toolbar_covers_them(make):
    figure = {
        "roc": lambda: roc(LABELS, SCORES, 0.5),
        "precision_recall": lambda: precision_recall(LABELS, SCORES, 0.5),
        "scores": lambda: figures.score_histogram(LABELS, SCORES, 0.5),
        "reliability": lambda: figures.reliability(reliability(LABELS, SCORES), "ECE 0.1"),
        "robustness": lambda: figures.robustness([{"title": "blur", "roc_auc": 0.5}], TITLES),
    }[make]()
    legend = figure.layout.legend
    assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom")


def test_smoothing_keeps_the_raw_curve_visible():
    figure = figures.training_curves({"run": HISTORY}, {"loss": "training"}, title="Loss", epochs=5, smoothing=0.5)
    raw, smoothed = figure.data
    assert list(raw.y) == pytest.approx([row["loss"] for row in HISTORY])
    assert raw.opacity < 0.5
    assert list(smoothed.y) == pytest.approx(figures.smooth(list(raw.y), 0.5))


def test_the_vertical_axis_can_be_logarithmic_or_that_of_a_share():
    options = {"title": "t", "epochs": 5}
    assert figures.training_curves({"r": HISTORY}, COLUMNS, log=True, **options).layout.yaxis.type == "log"
    low, high = figures.training_curves({"r": HISTORY}, COLUMNS, unit_range=True, **options).layout.yaxis.range
    assert low == 0
    assert 1 <= high < 1.05


def test_a_run_without_an_epoch_yet_is_an_empty_figure():
    figure = figures.training_curves({"run": []}, COLUMNS, title="Loss", epochs=5, smoothing=0.9)
    assert all(len(trace.x) == 0 for trace in figure.data)


def test_a_figure_that_a_run_lacks_is_left_out():
    figure = figures.training_curves({"run": HISTORY}, {"val_auc": "AUC"}, title="AUC", epochs=5)
    assert len(figure.data[0].x) == 0


SMOOTHED = [
    pytest.param([1.0, 2.0, 3.0], 0.0, [1.0, 2.0, 3.0], id="no-smoothing"),
    pytest.param([4.0, 4.0, 4.0], 0.9, [4.0, 4.0, 4.0], id="constant-stays-from-the-first-value-on"),
    # (0.5 * 0.5 * 1 + 0.5 * 4) / 0.75
    pytest.param([1.0, 4.0], 0.5, [1.0, 3.0], id="by-hand"),
    pytest.param([], 0.5, [], id="nothing"),
]


@pytest.mark.parametrize(("values", "weight", "expected"), SMOOTHED)
def test_smoothing_by_hand(values, weight, expected):
    assert figures.smooth(values, weight) == pytest.approx(expected)


def test_an_image_to_look_into_keeps_its_pixels():
    import base64
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    (trace,) = figures.zoomable(pixels).data
    data = base64.b64decode(trace.source.split(",")[1])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
