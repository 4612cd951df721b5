"""Calibration gives back the probabilities that data were drawn with, and never turns a detector round."""

import numpy as np
import pytest
from scipy.special import expit

from dfcore.confidence import Calibration, fit_calibration, sigmoid
from dfcore.errors import InputError

METHODS = ("temperature", "platt", "isotonic")
GRID = np.linspace(-30, 30, 601)


def drawn(images, slope, offset, seed=0):
    """Labels and logits, where P(fake) is a sigmoid of slope x logit + offset."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 4, images)
    return (random.random(images) < expit(slope * logits + offset)).astype(int), logits


def fit(labels, logits, method="auto"):
    return fit_calibration(np.asarray(labels), np.asarray(logits), fitted_on="the validation split", method=method)


def log_loss(labels, scores):
    return -np.log(np.where(labels == 1, scores, 1 - scores)).mean()


# === Applying ===

APPLIED = [
    pytest.param(Calibration(), [0.5, expit(2), expit(-2)], id="none-is-the-network's-own-sigmoid"),
    pytest.param(Calibration(method="temperature", slope=0.5), [0.5, expit(1), expit(-1)], id="temperature-of-two"),
    pytest.param(Calibration(method="platt", slope=2, offset=-1), [expit(-1), expit(3), expit(-5)], id="platt"),
    pytest.param(Calibration(method="isotonic", knots=[(-1, 0.1), (3, 0.9)]), [0.3, 0.7, 0.1],
                 id="isotonic-is-straight-between-knots-and-level-beyond"),
]  # fmt: skip


@pytest.mark.parametrize(("calibration", "expected"), APPLIED)
def test_scores_by_hand(calibration, expected):
    assert calibration.apply(np.array([0.0, 2.0, -2.0])) == pytest.approx(expected)


@pytest.mark.parametrize(("calibration", "_"), APPLIED)
def test_scores_keep_the_shape_of_the_logits_in_double_precision(calibration, _):
    scores = calibration.apply(np.float32([[0, 1, 2], [3, 4, 5]]))
    assert (scores.shape, scores.dtype) == ((2, 3), np.float64)


def test_sigmoid_of_anything_is_right_and_warns_of_nothing():
    logits = np.array([-1e308, -800, -30, -1, 0, 1, 30, 800, 1e308])
    assert sigmoid(logits) == pytest.approx(expit(logits), abs=1e-15)


# === Fitting ===

RECOVERED = [
    pytest.param("temperature", 0.4, 0.0, id="temperature"),
    pytest.param("platt", 0.4, -1.0, id="platt-overconfident-and-shifted"),
    pytest.param("platt", 2.0, 0.5, id="platt-underconfident"),
]


@pytest.mark.parametrize(("method", "slope", "offset"), RECOVERED)
def test_slope_and_offset_are_found_again(method, slope, offset):
    result = fit(*drawn(50_000, slope, offset), method)
    assert result.method == method
    assert (result.slope, result.offset) == pytest.approx((slope, offset), rel=0.05, abs=0.05)


def test_temperature_moves_nothing_sideways():
    result = fit(*drawn(5000, 0.4, 2.0), "temperature")
    assert result.offset == 0
    assert result.apply(np.zeros(1)) == pytest.approx(0.5)


def test_isotonic_follows_the_probabilities_that_data_were_drawn_with():
    result = fit(*drawn(50_000, 0.5, 1.0), "isotonic")
    inside = GRID[np.abs(GRID) < 6]
    assert result.apply(inside) == pytest.approx(expit(0.5 * inside + 1), abs=0.06)


@pytest.mark.parametrize("method", METHODS)
def test_calibrated_scores_fit_fresh_images_better_than_the_network_s_own(method):
    result = fit(*drawn(5000, 0.3, 0.0), method)
    labels, logits = drawn(5000, 0.3, 0.0, seed=1)
    assert log_loss(labels, result.apply(logits)) < log_loss(labels, sigmoid(logits)) - 0.05


@pytest.mark.parametrize("slope", [0.5, 0.0, -1.0], ids=["good", "chance", "worse-than-chance"])
@pytest.mark.parametrize("method", METHODS)
def test_a_higher_logit_never_gets_a_lower_score(method, slope):
    scores = fit(*drawn(2000, slope, 0.0), method).apply(GRID)
    assert (np.diff(scores) >= 0).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3], ids=["narrow", "plain", "wide"])
def test_perfectly_parted_images_are_no_reason_for_certainty(method, scale):
    logits = scale * np.array([-3.0, -2.5, -2, -1, 1, 2, 2.5, 3])
    result = fit(np.repeat([0, 1], 4), logits, method)
    scores = result.apply(logits)
    assert np.isfinite([result.slope, result.offset]).all()
    assert (scores[:4] < 0.5).all()
    assert (scores[4:] > 0.5).all()
    assert ((scores > 0.01) & (scores < 0.99)).all(), "eight images show no more"


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_logits_that_tell_nothing_give_the_share_of_fakes(method):
    result = fit([0, 0, 0, 1] * 500, np.full(2000, 0.7), method)
    assert result.apply(np.array([0.7])) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []], ids=["real-only", "fake-only", "nothing"])
def test_without_both_classes_nothing_is_fitted_nor_claimed(labels, method):
    result = fit(labels, np.linspace(-1, 1, len(labels)), method)
    assert result == Calibration()
    assert "not a calibrated probability" in result.description


CHOSEN = [
    pytest.param(1, 1, "platt", id="two"),
    pytest.param(12, 12, "platt", id="few"),
    pytest.param(4000, 49, "platt", id="few-of-one-class"),
    pytest.param(2500, 2499, "platt", id="one-too-few-for-any-shape"),
    pytest.param(2500, 2500, "isotonic", id="enough-for-any-shape"),
]


@pytest.mark.parametrize(("real", "fake", "method"), CHOSEN)
def test_the_number_of_images_chooses_the_method(real, fake, method):
    labels = np.repeat([0, 1], [real, fake])
    result = fit(labels, np.random.default_rng(0).normal(labels, 1))
    assert (result.method, result.images) == (method, real + fake)
    assert method in result.description
    assert f"{real + fake:,} images: the validation split" in result.description


@pytest.mark.parametrize("shift", [-1000.0, -10.0, 0.0, 3.0, 50.0])
@pytest.mark.parametrize("images", [1, 2, 5, 12, 60])
def test_few_images_are_enough_to_move_the_threshold_between_the_classes(images, shift):
    """A network that orders all images rightly, and calls all of them fake, is put right by an offset alone."""
    random = np.random.default_rng(images)
    labels = np.repeat([0, 1], images)
    scores = fit(labels, shift + 2 * labels + random.normal(0, 0.3, 2 * images)).apply(shift + np.array([0.2, 1.8]))
    assert scores[0] < 0.5 < scores[1]
    assert ((scores > 1e-2) & (scores < 1 - 1e-2)).all(), "so few images show no more"


@pytest.mark.slow
def test_an_offset_from_few_images_costs_little_where_none_was_needed():
    """Share of right answers on fresh images, where the network's own threshold is the best one already."""
    random = np.random.default_rng(0)
    labels = np.tile([0, 1], 5000)
    fresh = random.normal(4 * labels - 2, 2)
    right = []
    for _ in range(100):
        few = np.repeat([0, 1], 6)
        scores = fit(few, random.normal(4 * few - 2, 2)).apply(fresh)
        right.append(((scores >= 0.5) == labels).mean())
    assert np.mean(right) > ((fresh >= 0) == labels).mean() - 0.02


@pytest.mark.parametrize("method", ["none", "beta", "Platt", ""])
def test_an_unknown_method_is_refused(method):
    with pytest.raises(InputError, match=f"temperature, platt or isotonic. Received: '{method}'"):
        fit([0, 1], [0.0, 1.0], method)


# === On a card ===


@pytest.mark.parametrize("method", ["none", *METHODS])
def test_a_card_keeps_a_calibration_to_the_last_bit(method):
    fitted = Calibration() if method == "none" else fit(*drawn(500, 0.5, 0.3), method)
    read = Calibration.model_validate_json(fitted.model_dump_json())
    assert read == fitted
    np.testing.assert_array_equal(read.apply(GRID), fitted.apply(GRID))
