"""The gate refuses what was measured to break the score, and lets pass what was not."""

from dataclasses import replace

import numpy as np
import pytest

from dfcore.confidence import ORIGINAL, ErrorBudget, Gate, Handled, fit_handled, fit_limits, sound_handlings

BUDGET = ErrorBudget()
FAMILIES = {
    "jpeg": ("jpeg_90", "jpeg_50", "jpeg_20"),
    "smaller": ("half", "quarter"),
    "larger": ("double",),
    "enlarged": ("enlarged_1024",),
    "colour": ("pale", "grey"),
    "noise": ("noise", "noise_40"),
}
# What each does to the logits: a shift of the real ones, and of the fakes.
SHIFTS = {
    ORIGINAL: (0, 0), "jpeg_90": (0, 0), "jpeg_50": (0.3, -0.3), "jpeg_20": (5, -5), "half": (0.2, 0),
    "quarter": (6, 0), "double": (0, 0), "enlarged_1024": (0.1, 0.1), "pale": (0, -0.2), "grey": (0, -7),
    "noise": (0, 0), "noise_40": (8, 0),
}  # fmt: skip
FACTS = {
    ORIGINAL: (200, np.nan, 0.3, 0.1), "jpeg_90": (200, 90, 0.3, 0.1), "jpeg_50": (200, 50, 0.3, 0.1),
    "jpeg_20": (200, 20, 0.3, 0.2), "half": (100, np.nan, 0.3, 0.1), "quarter": (50, np.nan, 0.3, 0.1),
    "double": (400, np.nan, 0.3, 0.1), "enlarged_1024": (1024, np.nan, 0.3, 0.1), "pale": (200, np.nan, 0.15, 0.1),
    "grey": (200, np.nan, 0.0, 0.1), "noise": (200, np.nan, 0.3, 0.05), "noise_40": (200, np.nan, 0.3, 0.0),
}  # fmt: skip


KEYS = ("side", "quality", "colour", "flat")


def handled(images=120, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(images) % 2
    logits = random.normal(np.where(labels == 1, 3, -3), 1.2)
    moved = {name: logits + np.where(labels == 1, fake, real) for name, (real, fake) in SHIFTS.items()}
    facts = {
        name: {key: np.full(images, value, float) for key, value in zip(KEYS, row, strict=True)}
        for name, row in FACTS.items()
    }
    return Handled(labels, moved, facts)


@pytest.fixture(scope="module")
def bank():
    return handled()


@pytest.fixture(scope="module")
def sound(bank):
    return sound_handlings(bank.labels, bank.logits, FAMILIES, BUDGET)


def test_what_keeps_the_budget_is_sound_and_what_breaks_it_is_not(sound):
    assert set(sound) == set(SHIFTS) - {"jpeg_20", "quarter", "grey", "noise_40"}
    assert sound[0] == ORIGINAL


def test_limits_lie_between_what_is_sound_and_what_is_not(bank, sound):
    gate = fit_limits(bank, sound, FAMILIES)
    assert gate.sides == (pytest.approx((100 * 50) ** 0.5), 1024)
    assert (gate.quality_from, gate.colour_from, gate.flat[0]) == (35, pytest.approx(0.075), pytest.approx(0.025))


PASSING = [(200, 75, 0.3, 0.1), (None, None, 0.3, 0.1), (100, 40, 0.3, 0.1), (1024, None, 0.15, 0.1)]
REFUSED = [
    pytest.param((50, 75, 0.3, 0.1), "small", id="small"),
    pytest.param((3000, 75, 0.3, 0.1), "large", id="large"),
    pytest.param((200, 20, 0.3, 0.1), "compressed", id="compressed"),
    pytest.param((200, 75, 0.0, 0.1), "colourless", id="colourless"),
    pytest.param((200, 75, 0.3, 0.0), "noisy", id="noisy"),
    pytest.param((200, 75, 0.3, 0.9), "flat", id="flat"),
]


@pytest.mark.parametrize("facts", PASSING)
def test_what_was_measured_to_keep_the_budget_passes(bank, sound, facts):
    assert not list(fit_limits(bank, sound, FAMILIES).misfits(*facts))


@pytest.mark.parametrize(("facts", "rule"), REFUSED)
def test_what_was_measured_to_break_it_is_refused_with_its_reason(bank, sound, facts, rule):
    ((name, phrase),) = fit_limits(bank, sound, FAMILIES).misfits(*facts)
    assert name == rule
    assert phrase


def test_a_gate_without_limits_refuses_nothing_and_survives_a_card():
    assert not list(Gate().misfits(1, 1, 0.0, 0.0))
    gate = fit_limits(handled(), [ORIGINAL], FAMILIES)
    assert Gate.model_validate_json(gate.model_dump_json()) == gate


def test_of_more_images_each_changes_as_one_like_it_did(bank):
    """The mean shift of a class is carried over; originals stay as they are."""
    random = np.random.default_rng(1)
    labels = np.arange(1000) % 2
    logits = random.normal(np.where(labels == 1, 2, -2), 1.5)
    carried = bank.carried(labels, logits)
    np.testing.assert_array_equal(carried[ORIGINAL], logits)
    for name, (real, fake) in SHIFTS.items():
        assert (carried[name] - logits)[labels == 0].mean() == pytest.approx(real)
        assert (carried[name] - logits)[labels == 1].mean() == pytest.approx(fake)


def test_a_handling_that_was_measured_on_one_class_only_is_left_out(bank):
    logits = dict(bank.logits)
    logits["half"] = np.where(bank.labels == 1, np.nan, logits["half"])
    other = Handled(bank.labels, logits, bank.facts)
    assert "half" not in other.carried(np.array([0, 1]), np.array([-1.0, 1.0]))


def test_the_more_a_handling_costs_the_rest_the_less_it_is_worth():
    """Fakes after it lie so low that thresholds for it would decide few others: it is left out."""
    labels = np.arange(400) % 2
    random = np.random.default_rng(0)
    logits = random.normal(np.where(labels == 1, 1.6, -1.6), 1)
    shifted = {ORIGINAL: logits, "mild": logits - 0.1, "costly": logits - 2.5 * (labels == 1)}
    families = {"mild": ("mild",), "costly": ("costly",)}
    assert sound_handlings(labels, shifted, families, BUDGET) == [ORIGINAL, "mild"]


def test_what_leaves_as_much_decided_as_before_is_sound_however_little_that_is():
    """A weak detector decides a tenth of all images; after mild handling it still does."""
    labels = np.arange(800) % 2
    logits = np.random.default_rng(0).normal(np.where(labels == 1, 0.2, -0.2), 1)
    shifted = {ORIGINAL: logits, "mild": logits + 0.05, "blind": 0.01 * logits}
    families = {"mild": ("mild",), "blind": ("blind",)}
    assert sound_handlings(labels, shifted, families, BUDGET) == [ORIGINAL, "mild"]


def test_what_moves_no_threshold_of_the_worst_source_costs_nothing():
    """Photographs of one source lie high and set the threshold; handling lifts those of the other as high as these."""
    labels, groups = np.arange(800) % 2, np.arange(800) // 2 % 2
    random, blind = np.random.default_rng(0), [f"blind_{grade}" for grade in range(7)]
    logits = np.where(labels == 1, random.normal(1.4, 0.1, 800), random.normal(4.0 * groups - 4, 1))
    shifted = {ORIGINAL: logits, "lifts": logits + 4.0 * ((labels == 0) & (groups == 0))}
    shifted |= dict.fromkeys(blind, 0 * logits)
    families = {"lifts": ("lifts", *blind)}
    assert sound_handlings(labels, shifted, families, BUDGET) == [ORIGINAL], "of all together it moves the threshold"
    assert sound_handlings(labels, shifted, families, BUDGET, groups) == [ORIGINAL, "lifts"]


def test_handling_that_breaks_the_score_is_known_by_its_features():
    random = np.random.default_rng(0)
    images = np.repeat(np.arange(60), 8)
    broken = np.tile(np.arange(8) >= 5, 60)
    points = random.normal(size=(480, 16)) + 4 * broken[:, None] * np.eye(16)[3]
    line, beyond = fit_handled(points, broken, images)
    assert line.shape == (17,)
    assert beyond[~broken].mean() <= 0.03
    assert beyond[broken].mean() > 0.9
    fresh = random.normal(size=(200, 16))
    assert ((fresh @ line[:-1] + line[-1]) > 0).mean() < 0.06
    nothing, no_one = fit_handled(points, np.zeros(480, bool), images)
    assert len(nothing) == 0
    assert not no_one.any()


def test_no_limit_refuses_what_a_source_showed_as_it_is(bank, sound):
    """One source is finely grained, hardly coloured and strongly compressed; the images that were handled are not."""
    own = {"side": 40.0, "quality": 12.0, "colour": 0.01, "flat": 0.001}
    source = {key: np.full(50, value) for key, value in own.items()}
    large = {
        "side": np.full(9, 5000.0),
        "quality": np.full(9, np.nan),
        "colour": np.full(9, 0.4),
        "flat": np.full(9, 0.8),
    }
    gate = fit_limits(bank, sound, FAMILIES, [source, large])
    assert not list(gate.misfits(40, 12, 0.01, 0.001)) and not list(gate.misfits(5000, None, 0.4, 0.8))
    assert {rule for rule, _ in fit_limits(bank, sound, FAMILIES).misfits(40, 12, 0.01, 0.001)} == {
        "small", "compressed", "colourless", "noisy",
    }  # fmt: skip
    assert {rule for rule, _ in gate.misfits(30, 10, 0.0, 0.0)} == {"small", "compressed", "colourless", "noisy"}


def test_where_size_does_not_tell_what_breaks_the_score_somewhat_larger_images_pass(bank, sound):
    """Images enlarged to 1024 pixels break it here, doubled ones of 2000 do not."""
    facts = {name: dict(rows) for name, rows in bank.facts.items()}
    facts["double"]["side"] = np.full(120, 2000.0)
    gate = fit_limits(replace(bank, facts=facts), [name for name in sound if name != "enlarged_1024"], FAMILIES)
    assert gate.sides[1] == pytest.approx(3000)
