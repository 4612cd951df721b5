"""Thresholds keep the error budget that they were chosen for, and abstain where that cannot be known."""

import numpy as np
import pytest
from pydantic import ValidationError

from dfcore.confidence import Budget, Operating, operating_point


def chosen(real, fake, budget=None, **options):
    labels = np.repeat([0, 1], [len(real), len(fake)])
    return operating_point(labels, np.concatenate([real, fake]), budget or Budget(), **options)


def calls(operating, scores):
    return np.array([operating.call(score) for score in scores])


# === The budget ===

BAD = [
    pytest.param({"false_alarms": -0.01}, id="negative"),
    pytest.param({"misses": 0.51}, id="more-than-half"),
    pytest.param({"misses": float("nan")}, id="nan"),
    pytest.param({"false_alarms": float("inf")}, id="infinity"),
    pytest.param({"false_alarm": 0.05}, id="misspelt"),
]


@pytest.mark.parametrize("values", BAD)
def test_a_budget_that_makes_no_sense_is_refused(values):
    with pytest.raises(ValidationError):
        Budget(**values)


@pytest.mark.parametrize("share", [0, 0.5])
def test_the_limits_of_a_budget_belong_to_it(share):
    assert Budget(false_alarms=share, misses=share).misses == share


# === The guarantee ===

GUARANTEES = [
    pytest.param(0.05, None, id="5%"),
    pytest.param(0.1, None, id="10%"),
    pytest.param(0.1, 1, id="10%-with-many-ties"),
]


@pytest.mark.parametrize(("share", "decimals"), GUARANTEES)
def test_fresh_images_cost_no_more_than_the_budget_on_average(share, decimals):
    """The mean over many draws of the images that the thresholds are chosen on."""
    random = np.random.default_rng(0)

    def scores(mean, images):
        found = np.clip(random.normal(mean, 0.2, images), 0, 1)
        return found if decimals is None else found.round(decimals)

    real, fake = scores(0.45, 20_000), scores(0.55, 20_000)
    false_alarms, misses = [], []
    for _ in range(400):
        found = chosen(scores(0.45, 60), scores(0.55, 60), Budget(false_alarms=share, misses=share))
        assert found.real_below < found.fake_from
        false_alarms.append((real >= found.fake_from).mean())
        misses.append((fake < found.real_below).mean())
    for rates in (false_alarms, misses):
        assert np.mean(rates) <= share + 0.007
        if decimals is None:  # Of 60 images, 3 or 6 in 61 may err: nothing is given away.
            assert np.mean(rates) >= np.floor(share * 61) / 61 - 0.007


ABSTAINING = [
    pytest.param(0, 0.05, True, id="no-image"),
    pytest.param(18, 0.05, True, id="18-cannot-show-one-in-20"),
    pytest.param(19, 0.05, False, id="19-can"),
    pytest.param(98, 0.01, True, id="98-cannot-show-one-in-100"),
    pytest.param(99, 0.01, False, id="99-can"),
    pytest.param(1000, 0.0, True, id="no-number-shows-never"),
    pytest.param(1, 0.5, False, id="one-image-shows-one-in-two"),
]


@pytest.mark.parametrize(("images", "share", "abstains"), ABSTAINING)
def test_a_budget_too_small_for_the_images_makes_its_side_abstain(images, share, abstains):
    some, many = np.linspace(0.4, 0.6, images), np.linspace(0.4, 0.6, 100)
    alarms = chosen(some, many, Budget(false_alarms=share, misses=0.1))
    misses = chosen(many, some, Budget(false_alarms=0.1, misses=share))
    assert (alarms.call(1.0) != "fake") == abstains
    assert (misses.call(0.0) != "real") == abstains
    assert (alarms.call(0.0), misses.call(1.0)) == ("real", "fake"), "the other side has images enough"


def test_an_abstaining_verdict_fits_in_a_card():
    found = chosen([], [])
    assert set(calls(found, [0, 0.5, 1])) == {"inconclusive"}
    assert Operating.model_validate_json(found.model_dump_json()) == found


def test_thresholds_by_hand():
    """Of 39 images one in 20 is two of 40: one of those known, and the next."""
    real = np.arange(39) / 100
    fake = real + 0.2
    found = chosen(real, fake)
    assert calls(found, real).tolist() == ["real"] * 21 + ["inconclusive"] * 17 + ["fake"]
    assert calls(found, fake).tolist() == ["real"] + ["inconclusive"] * 17 + ["fake"] * 21
    assert found.undecided == pytest.approx(34 / 78)
    assert found.images == 78


# === Both budgets kept ===

GAPS = [
    pytest.param((0.1, 0.3), (0.7, 0.9), 0.5, 0.5, id="the-middle-lies-in-the-gap"),
    pytest.param((0.1, 0.3), (0.7, 0.9), 0.4, 0.4, id="another-place-in-the-gap"),
    pytest.param((0.6, 0.7), (0.8, 0.9), 0.5, 0.7, id="the-gap-lies-higher"),
    pytest.param((0.1, 0.2), (0.3, 0.4), 0.5, 0.3, id="the-gap-lies-lower"),
]


@pytest.mark.parametrize(("real", "fake", "between", "expected"), GAPS)
def test_where_both_budgets_can_be_kept_there_is_one_threshold(real, fake, between, expected):
    real, fake = np.linspace(*real, 30), np.linspace(*fake, 30)
    found = chosen(real, fake, between=between)
    assert found.real_below == found.fake_from == pytest.approx(expected)
    assert found.undecided == 0
    assert set(calls(found, real)) == {"real"}
    assert set(calls(found, fake)) == {"fake"}


# === Properties ===


@pytest.fixture(params=range(3))
def random_data(request):
    random = np.random.default_rng(request.param)
    labels = (random.random(300) < 0.4).astype(int)
    return labels, np.clip(random.normal(0.45 + 0.1 * labels, 0.2), 0, 1).round(2)


def test_a_larger_budget_never_decides_less(random_data):
    found = [operating_point(*random_data, Budget(false_alarms=b, misses=b)) for b in np.arange(0, 0.51, 0.02)]
    undecided = [one.undecided for one in found]
    assert undecided == sorted(undecided, reverse=True)
    assert (undecided[0], undecided[-1]) == (1, 0)
    for one in found:
        assert one.real_below <= one.fake_from


def test_undecided_is_the_share_that_gets_no_answer(random_data):
    found = operating_point(*random_data, Budget())
    assert found.undecided == (calls(found, random_data[1]) == "inconclusive").mean() > 0


def test_the_order_of_images_does_not_matter(random_data):
    labels, scores = random_data
    order = np.random.default_rng(0).permutation(len(labels))
    assert operating_point(labels[order], scores[order], Budget()) == operating_point(labels, scores, Budget())


def test_a_verdict_tells_what_it_was_chosen_for_and_on():
    budget = Budget(false_alarms=0.1, misses=0.2)
    found = chosen(np.linspace(0, 0.6, 30), np.linspace(0.4, 1, 30), budget, chosen_on="the validation split")
    assert (found.budget, found.chosen_on, found.images) == (budget, "the validation split", 60)


# === The answer ===

CALLED = [
    pytest.param(0.0, "real", id="lowest"),
    pytest.param(0.29, "real", id="below"),
    pytest.param(0.3, "inconclusive", id="the-lower-threshold-is-not-below-it"),
    pytest.param(0.69, "inconclusive", id="between"),
    pytest.param(0.7, "fake", id="from-the-upper-threshold-on"),
    pytest.param(1.0, "fake", id="highest"),
]


@pytest.mark.parametrize(("score", "expected"), CALLED)
def test_the_three_answers(score, expected):
    assert Operating(real_below=0.3, fake_from=0.7).call(score) == expected


@pytest.mark.parametrize(("score", "expected"), [(0.0, "real"), (0.49, "real"), (0.5, "fake"), (1.0, "fake")])
def test_one_threshold_leaves_nothing_open(score, expected):
    assert Operating.single(0.5).call(score) == expected
