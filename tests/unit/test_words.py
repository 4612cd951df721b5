"""Nobody is comforted without right: what a detector must have shown before it may call an image likely real."""

import json

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import binomtest

from dfcore import Verdict
from dfcore.confidence import (
    FINDINGS,
    DecisionThresholds,
    ErrorBudget,
    HeldOutSource,
    OODResult,
    Policy,
    Words,
    decide,
    find,
    sides_in_words,
)
from dfcore.confidence.words import upper_bound

FIVE = DecisionThresholds(real_below=0.3, fake_from=0.7, budget=ErrorBudget(max_fnr=0.05))


def source(low, fakes, name="theirs", **options):
    """A source of which so many fakes lie below 0.3, the rest above."""
    return HeldOutSource.of(name, "another data set", [0.1] * low + [0.9] * (fakes - low), **options)


@pytest.mark.parametrize(("count", "total"), [(0, 1), (0, 59), (3, 100), (23, 650), (5, 5)])
def test_the_upper_bound_is_that_of_clopper_and_pearson(count, total):
    expected = binomtest(count, total, alternative="less").proportion_ci(0.95, "exact").high
    assert upper_bound(count, total) == pytest.approx(expected)


CASES = [
    pytest.param([], False, id="nothing-measured"),
    pytest.param([source(0, 58)], False, id="too-few-to-know"),
    pytest.param([source(0, 59)], True, id="just-enough"),
    pytest.param([source(5, 100)], False, id="the-share-alone-is-not-enough"),
    pytest.param([source(23, 650)], True, id="many"),
    pytest.param([source(0, 0)], False, id="no-fake-was-judged"),
    pytest.param([source(0, 1000), source(5, 40, "hard")], False, id="a-bad-source-does-not-hide-behind-a-large-one"),
    pytest.param([source(0, 1000), source(1, 4, "tiny")], True, id="one-of-few-proves-nothing"),
    pytest.param([source(0, 30), source(0, 30, "more")], True, id="together"),
]


@pytest.mark.parametrize(("sources", "may"), CASES)
def test_the_right_needs_few_fakes_below_on_every_source_and_certainty_on_all(sources, may):
    words = Words(sources=tuple(sources))
    assert words.allow_real(FIVE) == may
    said = words.in_words(FIVE)
    assert ("has no right" in said) != may
    assert ("chosen without their source" in said) == ("lay below the lower threshold" in said)
    assert Words.model_validate_json(words.model_dump_json()) == words


def test_refused_fakes_are_no_evidence():
    scores, refused = [0.9] * 200, [True] * 150 + [False] * 50
    words = Words(sources=(HeldOutSource.of("x", "y", scores, refused),))
    assert (words.sources[0].fakes, words.sources[0].refused) == (50, 150)
    assert not words.allow_real(FIVE)


def test_the_right_is_for_the_thresholds_at_hand():
    """Stricter thresholds let fewer pass, a stricter budget allows fewer; what was not kept counts as passed."""
    words = Words(sources=(HeldOutSource.of("x", "y", np.linspace(0, 1, 1001)),))

    def may(below, budget):
        return words.allow_real(DecisionThresholds(real_below=below, fake_from=1, budget=ErrorBudget(max_fnr=budget)))

    assert (may(0.03, 0.05), may(0.04, 0.05), may(0.03, 0.01), may(0.001, 0.01)) == (True, False, False, True)
    assert words.sources[0].below(0.1) == 100
    assert words.sources[0].below(0.5) == 1001, "further than is known"


def test_what_was_not_kept_is_told_as_the_least_that_there_is():
    """The fault: 50 of 615 fakes were known to lie below, and "615 of 615" was said."""
    words = Words(sources=(HeldOutSource.of("x", "y", np.linspace(0, 1, 1001)), source(1, 100)))
    at = DecisionThresholds(real_below=0.5, fake_from=1, budget=ErrorBudget())
    assert "at least 202 of 1,101 fakes lay below" in words.in_words(at) and "(18.3% or more" in words.in_words(at)
    first, second, together = words.rows(at)
    assert (first["below"], first["upper"], together["below"], together["upper"]) == (201, 1.0, 202, 1.0)
    assert second["below"] == 1 and second["upper"] < 1 and not words.are_known(at)
    known = at.model_copy(update={"real_below": 0.1505})
    assert words.are_known(known) and "152 of 1,101 fakes lay below" in words.in_words(known)
    assert "at least" not in words.in_words(known)


def test_a_source_measured_again_replaces_its_record():
    words = Words().plus(source(0, 10, fingerprint="f")).plus(source(3, 20, "renamed", fingerprint="f"))
    assert [each.name for each in words.plus(source(1, 5, "renamed")).sources] == ["renamed"]
    assert [(each.name, each.fakes) for each in words.sources] == [("renamed", 20)]


OLD = {"data set": "theirs", "fake": 400, "ood_rate": 0.25, "three_way_fnr": 0.01}
OLD_CARDS = [
    pytest.param([], False, id="measured-nowhere"),
    pytest.param([OLD], True, id="few"),
    pytest.param([OLD | {"three_way_fnr": 0.04}], False, id="many"),
    pytest.param([OLD | {"ood_rate": 1.0, "three_way_fnr": 0.0}], False, id="all-refused"),
    pytest.param([{"data set": "photos", "fake": 0, "three_way_fpr": 0.0}], False, id="no-fakes"),
    pytest.param([OLD | {"three_way_fnr": None}, OLD | {"fake": "many"}], False, id="no-figures"),
]


@pytest.mark.parametrize(("rows", "may"), OLD_CARDS)
def test_what_an_old_card_measured_tells_whether_it_may(rows, may):
    """At its thresholds and lower ones; at higher ones nothing was measured."""
    words = Words.of_measured(rows, 0.3)
    assert words.allow_real(FIVE) == may
    assert words.allow_real(FIVE.model_copy(update={"real_below": 0.2})) == may
    assert not words.allow_real(FIVE.model_copy(update={"real_below": 0.31}))


def test_evidence_of_an_old_card_counts_the_fakes_that_were_judged():
    (theirs,) = Words.of_measured([OLD], 0.3).sources
    assert (theirs.fakes, theirs.refused, theirs.below(0.3), theirs.below(0.4)) == (300, 100, 4, 300)


def test_a_table_sums_up_all_sources():
    rows = Words(sources=(source(1, 100), source(2, 50, "b"))).rows(FIVE)
    assert [(row["source"], row["below"], row["fakes"]) for row in rows] == [
        ("theirs", 1, 100),
        ("b", 2, 50),
        ("all together", 3, 150),
    ]
    json.dumps(rows, allow_nan=False)


@pytest.mark.parametrize("lowest", [(0.3, 0.1), (float("nan"),)])
def test_damaged_evidence_is_refused(lowest):
    with pytest.raises(ValidationError):
        HeldOutSource(name="x", held_out_by="y", fakes=3, lowest=lowest)


# === What is said ===


@pytest.mark.parametrize("says_real", [True, False])
def test_without_the_right_a_low_score_is_no_sign_and_no_decision(says_real):
    thresholds = FIVE.model_copy(update={"says_real": says_real})
    found = find([0.1, 0.3, 0.69, 0.7], thresholds).tolist()
    assert found == ["real" if says_real else "no_sign", "inconclusive", "inconclusive", "fake"]
    assert decide(0.1, thresholds) == ("real" if says_real else "inconclusive")
    assert find(0.1, thresholds, True) == "inconclusive", "an image that is refused shows nothing either way"
    assert find(0.1, thresholds, True, ignore_ood=True) == found[0]
    assert set(found) <= set(FINDINGS)


def test_a_verdict_tells_what_it_found_and_why_it_is_not_called_real():
    silent = Verdict(score=0.1, threshold=0.5, thresholds=FIVE)
    assert (silent.finding, silent.decision, silent.label) == ("no_sign", "inconclusive", None)
    assert "no measured right" in silent.reason
    allowed = silent.under(Policy(FIVE.model_copy(update={"says_real": True})))
    assert (allowed.finding, allowed.decision, allowed.reason) == ("real", "real", None)
    refused = Verdict(score=0.1, threshold=0.5, thresholds=FIVE, ood=OODResult(3.0, ("it is small",)))
    assert refused.finding == "inconclusive"
    assert "it is small" in refused.reason
    assert Verdict(score=0.1, threshold=0.5).finding == "no_sign", "a single threshold gives no right"
    assert Verdict(score=None, threshold=0.5, error="No image.").finding is None


def test_no_card_grants_itself_the_right():
    """The right follows from the evidence; thresholds that claim it are not believed."""
    from dfcore.detectors.card import Card, Preprocess, Threshold, Training

    card = Card(
        title="x", created="", arch="none", loss="binary", preprocess=Preprocess(size=32, resize="stretch"),
        threshold=Threshold(value=0.5, chosen_on="", criterion=""), cam_layer="", training=Training(dataset=""),
        decision_thresholds=FIVE.model_copy(update={"says_real": True}),
    )  # fmt: skip
    assert not card.thresholds.says_real
    assert "says_real" not in card.model_dump_json()
    granted = card.model_copy(update={"words": Words(sources=(source(0, 100),))})
    assert granted.thresholds.says_real
    assert granted.thresholds.told() == granted.thresholds.model_dump(mode="json") | {"says_real": True}
    stricter = FIVE.model_copy(update={"budget": ErrorBudget(max_fnr=0.01)})
    assert not granted.worded(stricter).says_real


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ((0.2, 0.8, True), "likely real below 0.200, likely fake from 0.800"),
        ((0.2, 0.8, False), "no sign of a fake found below 0.200, likely fake from 0.800"),
        ((0.2, 2.0, False), "no sign of a fake found below 0.200"),
        ((-1.0, 0.8, True), "likely fake from 0.800"),
        ((-1.0, 2.0, True), "undecided throughout"),
    ],
)
def test_a_side_that_no_score_reaches_has_no_words(thresholds, words):
    low, high, says_real = thresholds
    assert sides_in_words(low, high, says_real=says_real) == words
