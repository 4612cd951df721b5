"""Calibration error and three-way answers against values worked out by hand."""

import json

import numpy as np
import pytest

from dfcore.confidence import DecisionThresholds, decide
from dfcore.errors import InputError
from dfcore.evaluation import calibration_error, reliability, three_way

# === Calibration ===

# Over ten bins: one real image at 0.05, one fake at 0.15, one of each at 0.95 and 1.
LABELS, SCORES = [0, 1, 1, 0], [0.05, 0.15, 0.95, 1.0]


def test_reliability_by_hand():
    result = reliability(LABELS, SCORES, bins=10)
    assert result["images"].tolist() == [1, 1, 2]
    assert result["score"] == pytest.approx([0.05, 0.15, 0.975])
    assert result["share"] == pytest.approx([0, 1, 0.5])


def test_calibration_error_by_hand():
    assert calibration_error(LABELS, SCORES, bins=10) == pytest.approx((0.05 + 0.85 + 2 * 0.475) / 4)


ERRORS = [
    pytest.param([0, 0, 1, 1], [0, 0, 1, 1], 0.0, id="certain-and-right"),
    pytest.param([1, 1, 0, 0], [0, 0, 1, 1], 1.0, id="certain-and-wrong"),
    pytest.param([0, 1], [0.5, 0.5], 0.0, id="half-of-them"),
    pytest.param([1, 1, 1], [0.9, 0.9, 0.9], 0.1, id="fake-only"),
    pytest.param([0, 0], [0.25, 0.25], 0.25, id="real-only"),
    pytest.param([], [], None, id="nothing"),
]


@pytest.mark.parametrize(("labels", "scores", "expected"), ERRORS)
def test_calibration_error_of_simple_cases(labels, scores, expected):
    assert calibration_error(labels, scores) == pytest.approx(expected)


def test_every_image_counts_in_one_bin():
    scores = np.linspace(0, 1, 61)  # Among them the edges of all bins.
    result = reliability(np.arange(61) % 2, scores)
    assert result["images"].sum() == 61
    assert len(result["images"]) == 15
    assert (result["images"] * result["score"]).sum() == pytest.approx(scores.sum())
    assert (result["images"] * result["share"]).sum() == pytest.approx(30)


def test_scores_that_keep_what_they_say_have_little_error():
    random = np.random.default_rng(0)
    scores = random.random(50_000)
    labels = (random.random(50_000) < scores).astype(int)
    assert calibration_error(labels, scores) < 0.02
    assert calibration_error(labels, np.sqrt(scores)) > 0.1


def test_without_images_there_are_no_points():
    assert {name: len(part) for name, part in reliability([], []).items()} == {"score": 0, "share": 0, "images": 0}


# === Three answers ===

OPERATING = DecisionThresholds(real_below=0.3, fake_from=0.7, says_real=True)
REAL, FAKE = [0.1, 0.3, 0.5, 0.7], [0.2, 0.69, 0.7, 0.9]
BY_HAND = [
    pytest.param(
        None,
        {"real": {"real": 1, "inconclusive": 2, "fake": 1}, "fake": {"real": 1, "inconclusive": 1, "fake": 2}},
        {"fpr": 1 / 4, "fnr": 1 / 4, "abstention_rate": 3 / 8, "ood_rate": 0, "selective_accuracy": 3 / 5},
        id="by-score",
    ),
    pytest.param(
        [False, False, False, True, False, True, False, True],
        {"real": {"real": 1, "inconclusive": 3, "fake": 0}, "fake": {"real": 1, "inconclusive": 2, "fake": 1}},
        {"fpr": 0, "fnr": 1 / 4, "abstention_rate": 5 / 8, "ood_rate": 3 / 8, "selective_accuracy": 2 / 3},
        id="images-unlike-the-known-are-inconclusive",
    ),
    pytest.param(
        [True] * 8,
        {"real": {"real": 0, "inconclusive": 4, "fake": 0}, "fake": {"real": 0, "inconclusive": 4, "fake": 0}},
        {"fpr": 0, "fnr": 0, "abstention_rate": 1, "ood_rate": 1, "selective_accuracy": None},
        id="nothing-is-known",
    ),
]


@pytest.mark.parametrize(("is_ood", "counts", "shares"), BY_HAND)
def test_three_way_by_hand(is_ood, counts, shares):
    result = three_way([0] * 4 + [1] * 4, REAL + FAKE, OPERATING, is_ood)
    assert result["counts"] == counts
    assert {name: result[name] for name in shares} == pytest.approx(shares)
    assert (result["real_below"], result["fake_from"]) == (0.3, 0.7)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


MISSING = [
    pytest.param([0, 0], [0.1, 0.8], {"fnr", "passed"}, id="real-only"),
    pytest.param([1, 1], [0.1, 0.8], {"fpr"}, id="fake-only"),
    pytest.param([0, 1], [0.5, 0.5], {"selective_accuracy"}, id="nothing-decided"),
    pytest.param([], [], {"fpr", "fnr", "passed", "abstention_rate", "ood_rate", "selective_accuracy"}, id="nothing"),
]


@pytest.mark.parametrize(("labels", "scores", "missing"), MISSING)
def test_shares_of_nothing_are_not_made_up(labels, scores, missing):
    result = three_way(labels, scores, OPERATING)
    assert {name for name, value in result.items() if value is None} == missing


OPERATINGS = [
    pytest.param(OPERATING, id="two-thresholds"),
    pytest.param(DecisionThresholds.single(0.5), id="one-threshold"),
    pytest.param(DecisionThresholds(real_below=-1, fake_from=2), id="abstains"),
]


@pytest.mark.parametrize("thresholds", OPERATINGS)
def test_many_images_are_decided_as_each_alone(thresholds):
    scores = np.linspace(0, 1, 101)
    assert decide(scores, thresholds).tolist() == [decide(score, thresholds).item() for score in scores]


@pytest.mark.parametrize(
    "function", [reliability, calibration_error, lambda y, s: three_way(y, s, OPERATING)],
    ids=["reliability", "calibration_error", "three_way"],
)  # fmt: skip
def test_every_function_checks(function):
    with pytest.raises(InputError, match="finite"):
        function([0, 1], [0.5, float("nan")])
