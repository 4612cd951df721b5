"""Thresholds keep the error budget that they were chosen for, and abstain where that cannot be known."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dfcore.confidence import DecisionThresholds, ErrorBudget, decide, fit_thresholds


def chosen(real, fake, budget=None, **options):
    """Thresholds of a detector that may say what it finds."""
    labels = np.repeat([0, 1], [len(real), len(fake)])
    result = fit_thresholds(labels, np.concatenate([real, fake]), budget or ErrorBudget(), **options)
    return result.model_copy(update={"says_real": True})


# === The budget ===

BAD = [
    pytest.param({"max_fpr": -0.01}, id="negative"),
    pytest.param({"fnr": 0.51}, id="more-than-half"),
    pytest.param({"max_fnr": float("nan")}, id="nan"),
    pytest.param({"max_fpr": float("inf")}, id="infinity"),
    pytest.param({"false_alarm": 0.05}, id="misspelt"),
]


@pytest.mark.parametrize("values", BAD)
def test_a_budget_that_makes_no_sense_is_refused(values):
    with pytest.raises(ValidationError):
        ErrorBudget(**values)


@pytest.mark.parametrize("share", [0, 0.5])
def test_the_limits_of_a_budget_belong_to_it(share):
    assert ErrorBudget(max_fpr=share, max_fnr=share).max_fnr == share


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
        result = np.clip(random.normal(mean, 0.2, images), 0, 1)
        return result if decimals is None else result.round(decimals)

    real, fake = scores(0.45, 20_000), scores(0.55, 20_000)
    max_fpr, max_fnr = [], []
    for _ in range(400):
        result = chosen(scores(0.45, 60), scores(0.55, 60), ErrorBudget(max_fpr=share, max_fnr=share))
        assert result.real_below < result.fake_from
        max_fpr.append((real >= result.fake_from).mean())
        max_fnr.append((fake < result.real_below).mean())
    for rates in (max_fpr, max_fnr):
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
    alarms = chosen(some, many, ErrorBudget(max_fpr=share, max_fnr=0.1))
    max_fnr = chosen(many, some, ErrorBudget(max_fpr=0.1, max_fnr=share))
    assert (decide(1.0, alarms) != "fake") == abstains
    assert (decide(0.0, max_fnr) != "real") == abstains
    assert (decide(0.0, alarms), decide(1.0, max_fnr)) == ("real", "fake"), "the other side has images enough"


def test_an_abstaining_verdict_fits_in_a_card():
    result = chosen([], [])
    assert set(decide([0, 0.5, 1], result)) == {"inconclusive"}
    assert DecisionThresholds.model_validate_json(result.model_dump_json()) == result.model_copy(
        update={"says_real": False}
    ), "a right is not read from a card"


def test_thresholds_by_hand():
    """Of 39 images one in 20 is two of 40: one of those known, and the next."""
    real = np.arange(39) / 100
    fake = real + 0.2
    result = chosen(real, fake)
    assert decide(real, result).tolist() == ["real"] * 21 + ["inconclusive"] * 17 + ["fake"]
    assert decide(fake, result).tolist() == ["real"] + ["inconclusive"] * 17 + ["fake"] * 21
    assert result.abstention_rate == pytest.approx(34 / 78)
    assert result.images == 78


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
    result = chosen(real, fake, between=between)
    assert result.real_below == result.fake_from == pytest.approx(expected)
    assert result.abstention_rate == 0
    assert set(decide(real, result)) == {"real"}
    assert set(decide(fake, result)) == {"fake"}


# === Properties ===


@st.composite
def labelled(draw):
    """Labels and scores of two classes that overlap, with ties."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (random.random(draw(st.integers(150, 300))) < draw(st.floats(0.3, 0.7))).astype(int)
    means = 0.45 + draw(st.floats(0, 0.1)) * labels
    return labels, np.clip(random.normal(means, 0.2), 0, 1).round(draw(st.integers(1, 3)))


holds = settings(derandomize=True, max_examples=20, deadline=None, database=None)


@holds
@given(labelled())
def test_a_larger_budget_never_decides_less(data):
    result = [fit_thresholds(*data, ErrorBudget(max_fpr=b, max_fnr=b)) for b in np.arange(0, 0.51, 0.02)]
    undecided = [one.abstention_rate for one in result]
    assert undecided == sorted(undecided, reverse=True)
    assert undecided[0] == 1
    for one in result:
        assert one.real_below <= one.fake_from


@pytest.mark.parametrize("seed", range(3))
def test_where_half_of_a_class_may_err_every_image_is_decided(seed):
    random = np.random.default_rng(seed)
    labels = (random.random(300) < 0.4).astype(int)
    scores = np.clip(random.normal(0.45 + 0.1 * labels, 0.2), 0, 1).round(2)
    assert fit_thresholds(labels, scores, ErrorBudget(max_fpr=0.5, max_fnr=0.5)).abstention_rate == 0


@holds
@given(labelled())
def test_undecided_is_the_share_that_gets_no_answer(data):
    result = fit_thresholds(*data, ErrorBudget()).model_copy(update={"says_real": True})
    assert result.abstention_rate == (decide(data[1], result) == "inconclusive").mean() > 0


@holds
@given(labelled())
def test_the_order_of_images_does_not_matter(data):
    labels, scores = data
    order = np.random.default_rng(0).permutation(len(labels))
    assert fit_thresholds(labels[order], scores[order], ErrorBudget()) == fit_thresholds(labels, scores, ErrorBudget())


def test_a_verdict_tells_what_it_was_chosen_for_and_on():
    budget = ErrorBudget(max_fpr=0.1, max_fnr=0.2)
    result = chosen(np.linspace(0, 0.6, 30), np.linspace(0.4, 1, 30), budget, chosen_on="the validation split")
    assert (result.budget, result.chosen_on, result.images) == (budget, "the validation split", 60)


# === The answer ===


@holds
@given(st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted), st.floats(0, 1))
@example([0.3, 0.7], 0.3)
@example([0.3, 0.7], 0.7)
def test_the_three_answers(between, score):
    """The lower threshold itself is not below it; the upper one is a fake."""
    low, high = between
    expected = "fake" if score >= high else "real" if score < low else "inconclusive"
    assert decide(score, DecisionThresholds(real_below=low, fake_from=high, says_real=True)) == expected


@pytest.mark.parametrize(("score", "expected"), [(0.0, "real"), (0.49, "real"), (0.5, "fake"), (1.0, "fake")])
def test_one_threshold_leaves_nothing_open(score, expected):
    assert decide(score, DecisionThresholds.single(0.5).model_copy(update={"says_real": True})) == expected


# === Sources ===


def sources(random, count, images, spread):
    """Real scores and fake scores of sources at different heights, with the number of each source's images."""
    heights = random.normal(0, spread, count)
    names = np.repeat(np.arange(count), images)
    real = np.clip(random.normal(0.4 + heights[names], 0.1), 0, 1)
    fake = np.clip(random.normal(0.6 + heights[names], 0.1), 0, 1)
    return np.repeat([0, 1], count * images), np.concatenate([real, fake]), np.tile(names, 2)


def test_the_budget_holds_for_the_worst_source():
    """Pooled, the worst source costs several times the budget; by source none does on average."""
    random = np.random.default_rng(0)
    budget = ErrorBudget(max_fpr=0.1, max_fnr=0.1)
    worst = {"pooled": [], "by source": []}
    for _ in range(60):
        labels, scores, names = sources(random, 4, 80, 0.1)
        half = np.tile(np.arange(80) < 40, 8)  # Chosen on half of each source, measured on the other.
        for way, groups in (("pooled", None), ("by source", names[half])):
            result = fit_thresholds(labels[half], scores[half], budget, groups=groups)
            wrong = (labels == 0) & (scores >= result.fake_from)
            worst[way].append(max(wrong[~half & (names == n) & (labels == 0)].mean() for n in range(4)))
    assert np.mean(worst["by source"]) < 0.11
    assert np.mean(worst["pooled"]) > 0.2


def test_each_threshold_is_the_strictest_that_a_source_asks_for():
    labels, scores, names = sources(np.random.default_rng(1), 3, 60, 0.1)
    by_source = fit_thresholds(labels, scores, ErrorBudget(), groups=names)
    alone = [fit_thresholds(labels[names == n], scores[names == n], ErrorBudget()) for n in range(3)]
    assert by_source.fake_from == max(one.fake_from for one in alone)
    assert by_source.real_below == min(one.real_below for one in alone)
    assert (by_source.groups, by_source.pooled_groups) == (3, 0)


def test_sources_too_small_to_verify_the_budget_keep_it_together():
    """Of 12 images one in 20 cannot be shown; two such sources together can."""
    labels, scores, names = sources(np.random.default_rng(2), 3, 60, 0.05)
    small = np.isin(np.arange(len(names)) % 60, np.arange(12))
    keep = (names == 0) | small
    result = fit_thresholds(labels[keep], scores[keep], ErrorBudget(), groups=names[keep])
    assert (result.groups, result.pooled_groups) == (1, 2)
    together = keep & (names > 0)
    lower_bound = fit_thresholds(labels[together], scores[together], ErrorBudget())
    assert result.fake_from >= lower_bound.fake_from


def handled(random, images, shifts):
    """Labels, scores and handlings of real images and fakes, whose handled selves are alike but for a shift."""
    labels = np.repeat([0, 1], images)
    own = random.normal(np.where(labels == 1, 0.55, 0.45), 0.1)
    scores = np.concatenate([own + shift + random.normal(0, 0.01, len(own)) for shift in shifts.values()])
    return np.tile(labels, len(shifts)), np.clip(scores, 0, 1), np.repeat(list(shifts), 2 * images)


def test_an_image_counts_once_however_often_it_was_handled():
    """Ten selves that are wrong together are one image: taken for ten, they break the budget of images as they are."""
    random, budget = np.random.default_rng(4), ErrorBudget(max_fpr=0.1, max_fnr=0.1)
    shifts = dict.fromkeys(("original", *map(str, range(9))), 0.0)
    wrong = {"once": [], "as many": []}
    for _ in range(300):
        labels, scores, done = handled(random, 15, shifts)
        fresh_labels, fresh, _ = handled(random, 400, {"original": 0.0})
        for way, options in (("once", {"handlings": done}), ("as many", {})):
            result = fit_thresholds(labels, scores, budget, **options)
            wrong[way].append((fresh[fresh_labels == 0] >= result.fake_from).mean())
    assert np.mean(wrong["once"]) <= 0.1
    assert np.mean(wrong["as many"]) > 0.1


def test_a_handling_may_cost_more_than_the_budget_and_images_as_they_are_may_not():
    labels, scores, done = handled(np.random.default_rng(5), 400, {"original": 0.0, "mild": 0.02, "shifted": 0.12})
    result = fit_thresholds(labels, scores, ErrorBudget(), handlings=done)
    real = labels == 0
    alarms = {name: (scores[real & (done == name)] >= result.fake_from).mean() for name in set(done)}
    assert alarms["original"] <= 0.05
    assert 0.05 < alarms["shifted"] <= 1.5 * 0.05
    assert result.images == 800

    labels, scores, done = handled(np.random.default_rng(5), 400, {"original": 0.0, "low": -0.2, "lower": -0.25})
    result = fit_thresholds(labels, scores, ErrorBudget(), handlings=done)
    assert (scores[(labels == 0) & (done == "original")] >= result.fake_from).mean() <= 0.05


def test_each_source_keeps_the_budget_as_it_is_and_over_all_handlings():
    labels, scores, done = handled(np.random.default_rng(6), 300, {"original": 0.0, "mild": 0.05})
    names = np.tile(np.arange(600) % 3, 2)
    scores = np.clip(scores + 0.1 * (names == 2), 0, 1)
    result = fit_thresholds(labels, scores, ErrorBudget(), groups=names, handlings=done)
    for of_handling in (done == "original", np.ones(len(done), bool)):
        alarms = scores[(labels == 0) & (names == 2) & of_handling] >= result.fake_from
        assert alarms.mean() <= 0.05
