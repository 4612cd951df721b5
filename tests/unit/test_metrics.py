"""Metrics against values worked out by hand, against scikit-learn, and by their properties."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dfcore.confidence import DecisionThresholds
from dfcore.errors import InputError
from dfcore.evaluation import METRICS, confusion, evaluate_scores, full_metrics, precision_recall_points, roc_points
from dfcore.evaluation.metrics import check

# Four real and four fake images. From 0.5 on: one false alarm, three fakes caught.
LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.2, 0.4, 0.7, 0.3, 0.6, 0.8, 0.9]
BY_HAND = {
    "images": 8,
    "real": 4,
    "fake": 4,
    "accuracy": 6 / 8,
    "balanced_accuracy": 6 / 8,
    "precision": 3 / 4,
    "recall": 3 / 4,
    "f1": 3 / 4,
    "accuracy_real": 3 / 4,
    "accuracy_fake": 3 / 4,
    "false_positive_rate": 1 / 4,
    # Of 16 pairs the fake stands higher in 13: 0.3 beats two, 0.6 three, 0.8 and 0.9 four.
    "roc_auc": 13 / 16,
    # Precision at each fake, from the top: 1/1, 2/2, 3/4, 4/6.
    "average_precision": (1 + 1 + 3 / 4 + 4 / 6) / 4,
    "eer": 1 / 4,
    "tpr_at_fpr_1": 1 / 2,
    "tpr_at_fpr_5": 1 / 2,
    "brier": (0.01 + 0.04 + 0.16 + 0.49 + 0.49 + 0.16 + 0.04 + 0.01) / 8,
    "log_loss": -2 * sum(map(math.log, (0.9, 0.8, 0.6, 0.3))) / 8,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_values_by_hand(name):
    assert evaluate_scores(LABELS, SCORES, 0.5)[name] == pytest.approx(BY_HAND[name])


def test_the_result_is_plain_data_for_a_file_with_all_that_was_computed():
    result = evaluate_scores(LABELS, SCORES, 0.5)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
    assert result["not_computed"] == {}
    assert result["confusion"] == {"true_real": 3, "false_fake": 1, "false_real": 1, "true_fake": 3}
    assert "real" in result["report"]
    assert "fake" in result["report"]


@st.composite
def labelled(draw, most: int = 60):
    """Labels and scores of both classes, with ties."""
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), max_size=most))
    labels, scores = np.array([(0, draw(st.integers(0, 20))), (1, draw(st.integers(0, 20))), *rows]).T
    return labels, scores / 20


holds = settings(derandomize=True, max_examples=40, deadline=None, database=None)


@holds
@given(labelled())
def test_against_scikit_learn(data):
    from sklearn import metrics

    labels, scores = data
    called = scores >= 0.45
    assume(called.any())  # Without a call there is no precision.
    result = evaluate_scores(labels, scores, 0.45)
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(labels, called))
    assert result["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, called))
    assert result["precision"] == pytest.approx(metrics.precision_score(labels, called))
    assert result["recall"] == pytest.approx(metrics.recall_score(labels, called))
    assert result["f1"] == pytest.approx(metrics.f1_score(labels, called))
    assert result["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert result["average_precision"] == pytest.approx(metrics.average_precision_score(labels, scores))
    assert [*result["confusion"].values()] == metrics.confusion_matrix(labels, called).ravel().tolist()


def test_an_image_is_called_fake_from_the_threshold_on():
    assert confusion([0, 1], [0.5, 0.5], 0.5).__dict__ == {
        "true_real": 0, "false_fake": 1, "false_real": 0, "true_fake": 1}  # fmt: skip


@pytest.mark.parametrize(("label", "score"), [(0, 1.0), (1, 0.0)])
def test_a_wrong_and_certain_score_costs_a_finite_loss(label, score):
    assert 10 < evaluate_scores([label], [score], 0.5)["log_loss"] < 20


# === EER and TPR at FPR ===


def rates(labels, scores, threshold) -> tuple[float, float]:
    result = confusion(labels, scores, threshold)
    return (result.false_fake / (result.false_fake + result.true_real),
            result.false_real / (result.false_real + result.true_fake))  # fmt: skip


@holds
@given(labelled())
def test_eer_lies_where_both_error_rates_meet(data):
    """No threshold has both rates below it, and between two neighbouring ones the rates cross there."""
    labels, scores = data
    eer = evaluate_scores(labels, scores, 0.5)["eer"]
    both = [rates(labels, scores, threshold) for threshold in [*np.unique(scores), 2.0]]
    assert min(max(pair) for pair in both) >= eer - 1e-9
    assert max(min(pair) for pair in both) <= eer + 1e-9


EER = [
    pytest.param([0.1, 0.2, 0.8, 0.9], 0.0, id="parted"),
    pytest.param([0.8, 0.9, 0.1, 0.2], 1.0, id="reversed"),
    pytest.param([0.5, 0.5, 0.5, 0.5], 0.5, id="all-the-same"),
    pytest.param([0.1, 0.6, 0.5, 0.9], 0.5, id="one-pair-crossed"),
]


@pytest.mark.parametrize(("scores", "expected"), EER)
def test_eer_by_hand(scores, expected):
    assert evaluate_scores([0, 0, 1, 1], scores, 0.5)["eer"] == pytest.approx(expected)


def test_tpr_at_fpr_by_hand():
    """100 real images, 0.99 the highest of them: one false alarm may happen at 1%, five at 5%."""
    reals = np.arange(100) / 100
    fakes = [0.985, 0.975, 0.955, 0.945, 0.1]
    result = evaluate_scores([0] * 100 + [1] * 5, [*reals, *fakes], 0.5)
    assert result["tpr_at_fpr_1"] == pytest.approx(1 / 5)
    assert result["tpr_at_fpr_5"] == pytest.approx(4 / 5)


# === What cannot be computed ===

ONE_CLASS = [
    pytest.param([0, 0, 0], {"accuracy_fake", "recall", "f1"}, id="real-only"),
    pytest.param([1, 1, 1], {"accuracy_real", "false_positive_rate"}, id="fake-only"),
]


@pytest.mark.parametrize(("labels", "missing"), ONE_CLASS)
def test_one_class_only_gives_no_numbers_made_up(labels, missing):
    result = evaluate_scores(labels, [0.2, 0.6, 0.7], 0.5)
    need_both = {key for key, metric in METRICS.items() if metric.needs_both_classes}
    assert need_both >= {"roc_auc", "average_precision", "eer", "tpr_at_fpr_1", "tpr_at_fpr_5", "balanced_accuracy"}
    assert set(result["not_computed"]) == missing | need_both
    for name, reason in result["not_computed"].items():
        assert result[name] is None
        assert "Needs both classes" in reason
    assert result["accuracy"] == pytest.approx(2 / 3 if labels[0] else 1 / 3)
    assert result["log_loss"] > 0
    assert result["brier"] > 0
    json.dumps(result.to_dict(), allow_nan=False)


def test_no_images_give_no_numbers_at_all():
    result = evaluate_scores([], [], 0.5)
    assert result["images"] == 0
    assert result["accuracy"] is None
    assert all("0 real and 0 fake" in reason for reason in result["not_computed"].values())
    json.dumps(result.to_dict(), allow_nan=False)


def test_nothing_called_fake_leaves_no_precision():
    result = evaluate_scores(LABELS, SCORES, 1.0)
    assert set(result["not_computed"]) == {"precision"}
    assert "No image was called fake" in result["not_computed"]["precision"]
    assert result["f1"] == 0


@holds
@given(labelled())
def test_the_order_of_images_does_not_matter(data):
    labels, scores = data
    order = np.random.default_rng(0).permutation(len(labels))
    one, other = (evaluate_scores(labels[o], scores[o], 0.45) for o in (order, slice(None)))
    assert one.to_dict().keys() == other.to_dict().keys()
    for name, value in one.to_dict().items():
        assert value == (pytest.approx(other[name]) if isinstance(value, float) else other[name]), name


# === All that is told of a table of predictions ===

# The real image at 0.4 and the fake at 0.6 stay undecided; the fake at 0.3 is missed, the real at 0.7 a false alarm.
BETWEEN = DecisionThresholds(real_below=0.4, fake_from=0.7, says_real=True)


def table(labels=LABELS, scores=SCORES, **columns) -> pd.DataFrame:
    given = {"label": pd.array(labels, "Int8"), "score": np.array(scores, float), "group": None}
    return pd.DataFrame(given | columns)


THREE_WAY = [
    pytest.param({},
                 {"fpr": 1 / 4, "fnr": 1 / 4, "abstention_rate": 2 / 8, "ood_rate": 0, "selective_accuracy": 4 / 6},
                 id="by-the-thresholds"),
    pytest.param({"is_ood": [False] * 3 + [True] + [False] * 4},
                 {"fpr": 0, "fnr": 1 / 4, "abstention_rate": 3 / 8, "ood_rate": 1 / 8, "selective_accuracy": 4 / 5},
                 id="an-unlike-image-is-undecided-whatever-its-score"),
    pytest.param({"is_ood": [True] * 8},
                 {"fpr": 0, "fnr": 0, "abstention_rate": 1, "ood_rate": 1, "selective_accuracy": None},
                 id="nothing-is-like-the-training-images"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "expected"), THREE_WAY)
def test_three_way_answers_by_hand(columns, expected):
    result = full_metrics(table(**columns), 0.5, BETWEEN)
    assert {name: result["three_way"][name] for name in expected} == pytest.approx(expected)
    # The two answers know nothing of the three.
    assert {name: result[name] for name in BY_HAND} == pytest.approx(BY_HAND)


def test_the_calibration_error_by_hand():
    """In the bins of 1/15: 0.1 and 0.2 real, 0.9 and 0.95 half of them fake."""
    result = full_metrics(table([0, 0, 0, 1], [0.1, 0.2, 0.94, 0.96]), 0.5, BETWEEN)
    assert result["ece"] == pytest.approx((0.1 + 0.2 + 2 * (0.95 - 0.5)) / 4)


def test_every_group_has_its_own_figures():
    groups = ["camera"] * 4 + ["sdxl"] * 3 + ["dalle"]
    result = full_metrics(table(group=groups), 0.5, BETWEEN)["groups"]
    assert {name: (part["images"], part["real"], part["fake"]) for name, part in result.items()} == {
        "camera": (4, 4, 0), "dalle": (1, 0, 1), "sdxl": (3, 0, 3)}  # fmt: skip
    assert result["camera"]["false_positive_rate"] == 1 / 4
    assert result["sdxl"]["recall"] == pytest.approx(2 / 3)
    assert result["camera"]["roc_auc"] is None, "there is one class only"


@pytest.mark.parametrize("group", [None, "sdxl"], ids=["none", "one"])
def test_one_group_is_no_group(group):
    assert full_metrics(table(group=group), 0.5, BETWEEN)["groups"] == {}


def test_what_is_told_of_no_images_has_its_reasons():
    result = full_metrics(table([], []), 0.5, BETWEEN)
    assert result["ece"] is None
    assert set(result["not_computed"]) == {name for name, value in result.items() if value is None}
    assert result["three_way"]["abstention_rate"] is None
    json.dumps(result, allow_nan=False)


# === Curves ===


@holds
@given(labelled())
def test_every_point_of_the_roc_curve_tells_its_own_threshold(data):
    labels, scores = data
    points = roc_points(labels, scores)
    assert (points["fpr"][0], points["tpr"][0]) == (0, 0)
    assert (points["fpr"][-1], points["tpr"][-1]) == (1, 1)
    assert ((points["threshold"] >= 0) & (points["threshold"] <= 1)).all()
    for index in range(1, len(points["threshold"])):
        result = confusion(labels, scores, points["threshold"][index])
        assert (result.false_fake, result.true_fake) == (
            points["false_positives"][index],
            points["true_positives"][index],
        )
    area = np.trapezoid(points["tpr"], points["fpr"])
    assert area == pytest.approx(evaluate_scores(labels, scores, 0.5)["roc_auc"])


@holds
@given(labelled())
def test_every_point_of_the_precision_recall_curve_tells_its_own_threshold(data):
    labels, scores = data
    points = precision_recall_points(labels, scores)
    assert len({len(part) for part in points.values()}) == 1
    for index in range(len(points["threshold"]) - 1):
        result = confusion(labels, scores, points["threshold"][index])
        precision = result.true_fake / (result.true_fake + result.false_fake)
        recall = result.true_fake / (result.true_fake + result.false_real)
        assert (precision, recall) == pytest.approx((points["precision"][index], points["recall"][index]))


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], []])
def test_there_are_no_curves_without_both_classes(labels):
    scores = [0.5] * len(labels)
    assert roc_points(labels, scores) is None
    assert precision_recall_points(labels, scores) is None


# === Refusals ===

BAD = [
    pytest.param([0, 1], [0.5], r"\(2,\) and \(1,\)", id="lengths-differ"),
    pytest.param([[0, 1]], [[0.5, 0.5]], r"\(1, 2\)", id="two-dimensions"),
    pytest.param([0, 2], [0.5, 0.5], r"Received: \[0, 2\]", id="a-third-class"),
    pytest.param([-1], [0.5], r"Received: \[-1\]", id="negative-label"),
    pytest.param([0.6], [0.5], "labels 0 and 1", id="a-label-between-the-classes"),
    pytest.param(["real"], [0.5], "labels 0 and 1", id="labels-as-text"),
    pytest.param([None], [0.5], "labels 0 and 1", id="no-label"),
    pytest.param([0], [float("nan")], "finite", id="nan"),
    pytest.param([0], [float("inf")], "finite", id="infinity"),
    pytest.param([0], [1.01], r"scores in \[0, 1\]", id="above-one"),
    pytest.param([0], [-0.01], r"scores in \[0, 1\]", id="below-zero"),
    pytest.param([0], ["high"], r"scores in \[0, 1\]", id="scores-as-text"),
]


@pytest.mark.parametrize(("labels", "scores", "message"), BAD)
def test_bad_labels_and_scores_are_refused_with_what_was_received(labels, scores, message):
    with pytest.raises(InputError, match=message):
        check(labels, scores)


@pytest.mark.parametrize(
    "function",
    [lambda y, s: evaluate_scores(y, s, 0.5), roc_points, precision_recall_points],
    ids=["evaluate_scores", "roc_points", "precision_recall_points"],
)
def test_every_function_checks(function):
    with pytest.raises(InputError, match="finite"):
        function([0, 1], [0.5, float("nan")])


def test_labels_of_any_kind_of_number_will_do():
    for labels in ([0, 1], [0.0, 1.0], np.array([False, True]), pd.Series([0, 1], dtype="Int8")):
        assert check(labels, np.float32([0.25, 0.75]))[0].tolist() == [0, 1]
