"""Paired tests against values worked out by hand, against scikit-learn, and by their properties."""

import json

import numpy as np
import pandas as pd
import pytest

from dfcore.errors import InputError
from dfcore.evaluation import paired


def both(labels, a, b):
    return pd.DataFrame({"label": labels, "score_a": a, "score_b": b})


def drawn(images, step_a, step_b, seed=0):
    """Scores of two detectors; the steps say how far each parts the classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % 2
    a, b = (np.clip(random.normal(0.4 + step * labels, 0.2), 0, 1).round(2) for step in (step_a, step_b))
    return both(labels, a, b)


# === The calls ===

R, W = 0.1, 0.9  # Right and wrong of a real image.
DECISIONS = [
    # Two-sided: 2 x (1 + 6) / 2^6.
    pytest.param([R] * 3 + [W] * 5, [R] * 2 + [W] + [R] * 5, (1, 5, 7 / 32), id="one-against-five"),
    pytest.param([W] * 6, [R] * 6, (0, 6, 1 / 32), id="none-against-six"),
    pytest.param([R] * 6, [W] * 6, (6, 0, 1 / 32), id="six-against-none"),
    pytest.param([R, W, R, W], [W, R, R, W], (1, 1, 1.0), id="one-against-one"),
    pytest.param([R, W], [R, W], (0, 0, 1.0), id="the-same-calls"),
]


@pytest.mark.parametrize(("a", "b", "expected"), DECISIONS)
def test_mcnemar_by_hand(a, b, expected):
    result = paired.compare(both([0] * len(a), a, b), 0.5, 0.5)
    assert (result["only_a_right"], result["only_b_right"], result["mcnemar_p"]) == pytest.approx(expected)
    assert result["images"] == len(a)
    assert (result["accuracy_a"], result["accuracy_b"]) == (a.count(R) / len(a), b.count(R) / len(b))


def test_each_detector_is_called_at_its_own_threshold():
    """A score at the threshold is a fake."""
    result = paired.compare(both([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], [0.7, 0.8, 0.8, 0.9]), 0.3, 0.8)
    assert (result["accuracy_a"], result["accuracy_b"]) == (1, 3 / 4)
    assert (result["only_a_right"], result["only_b_right"]) == (1, 0)


# === ROC AUC ===


def test_auc_by_hand():
    """A: the fake stands higher in 3 of 4 pairs. B: in 3, and one pair is tied."""
    result = paired.compare(both([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.2, 0.5, 0.5, 0.9]), 0.5, 0.5)
    assert (result["auc_a"], result["auc_b"], result["auc_difference"]) == (3 / 4, 3.5 / 4, 1 / 8)


@pytest.mark.parametrize("seed", range(3))
def test_auc_against_scikit_learn(seed):
    from sklearn.metrics import roc_auc_score

    data = drawn(301, 0.1, 0.2, seed)
    result = paired.compare(data, 0.5, 0.5)
    assert result["auc_a"] == pytest.approx(roc_auc_score(data.label, data.score_a))
    assert result["auc_b"] == pytest.approx(roc_auc_score(data.label, data.score_b))
    assert result["auc_low"] < result["auc_difference"] < result["auc_high"]


def test_a_detector_is_no_better_than_itself():
    data = drawn(100, 0.2, 0.2)
    result = paired.compare(data.assign(score_b=data.score_a), 0.5, 0.5)
    assert [result[key] for key in ("only_a_right", "only_b_right", "auc_difference", "auc_low", "auc_high")] == [0] * 5
    assert (result["mcnemar_p"], result["bootstrap_p"]) == (1, 1)


def test_a_clear_lead_is_no_chance():
    result = paired.compare(drawn(300, 0.05, 0.5), 0.45, 0.6)
    assert result["mcnemar_p"] < 0.001
    assert result["bootstrap_p"] < 0.002
    assert result["auc_low"] > 0.2


def test_a_small_lead_may_be_chance():
    result = paired.compare(drawn(60, 0.2, 0.22), 0.5, 0.5)
    assert result["mcnemar_p"] > 0.05
    assert result["bootstrap_p"] > 0.05
    assert result["auc_low"] < 0 < result["auc_high"]


def test_the_same_images_tell_more_than_others_would():
    """B follows A closely and is a little better: unpaired, both intervals would overlap by far."""
    data = drawn(300, 0.2, 0.0)
    result = paired.compare(data.assign(score_b=data.score_a + 0.05 * data.label), 0.5, 0.5)
    assert 0 < result["auc_low"] < result["auc_difference"] < 0.1
    assert result["bootstrap_p"] < 0.01


def test_turned_round_a_comparison_says_the_opposite():
    data = drawn(200, 0.1, 0.2)
    result = paired.compare(data, 0.5, 0.6)
    turned = paired.compare(data.rename(columns={"score_a": "score_b", "score_b": "score_a"}), 0.6, 0.5)
    assert (turned["only_a_right"], turned["only_b_right"]) == (result["only_b_right"], result["only_a_right"])
    assert turned["mcnemar_p"] == pytest.approx(result["mcnemar_p"])
    assert turned["bootstrap_p"] == pytest.approx(result["bootstrap_p"])
    assert (turned["auc_difference"], turned["auc_low"], turned["auc_high"]) == pytest.approx(
        (-result["auc_difference"], -result["auc_high"], -result["auc_low"])
    )


def test_a_seed_gives_the_same_result_again():
    data = drawn(100, 0.1, 0.2)
    assert paired.compare(data, 0.5, 0.5, seed=1) == paired.compare(data, 0.5, 0.5, seed=1)
    assert paired.compare(data, 0.5, 0.5, seed=1)["auc_low"] != paired.compare(data, 0.5, 0.5, seed=2)["auc_low"]


@pytest.mark.parametrize("label", [0, 1])
def test_with_one_class_the_calls_alone_are_compared(label):
    result = paired.compare(both([label] * 6, [R] * 6, [W] * 6), 0.5, 0.5)
    assert {key for key, value in result.items() if value is None} == {
        "auc_a", "auc_b", "auc_difference", "auc_low", "auc_high", "bootstrap_p"}  # fmt: skip
    assert result["mcnemar_p"] == pytest.approx(1 / 32)
    assert "only one class" in paired.in_words(result)


@pytest.mark.parametrize("label", [0, None], ids=["one-class", "both-classes"])
def test_the_result_is_plain_data_for_a_file(label):
    data = drawn(40, 0.1, 0.2)
    result = paired.compare(data if label is None else data.assign(label=label), 0.5, 0.5)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


# === Joining ===


def table(contents, labels, scores):
    return pd.DataFrame({"path": [f"{c}.png" for c in contents], "sha256": list(contents), "label": labels,
                         "score": scores})  # fmt: skip


def test_images_are_joined_by_content_whatever_their_order():
    first = table("abcd", [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4])
    second = table("xdbay", [1, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5])
    result = paired.join(first, second).set_index("sha256").sort_index()
    assert result.index.tolist() == ["a", "b", "d"]
    assert result.label.tolist() == [0, 1, 1]
    assert result.score_a.tolist() == [0.1, 0.2, 0.4]
    assert result.score_b.tolist() == [0.6, 0.7, 0.8]


def test_a_copy_counts_once():
    twice = table("aab", [0, 0, 1], [0.1, 0.1, 0.9])
    assert len(paired.join(twice, twice)) == 2


def test_predictions_of_other_images_are_refused():
    with pytest.raises(InputError, match="Received: 2 and 3 images, none of them in both"):
        paired.join(table("ab", [0, 1], [0.1, 0.9]), table("xyz", [0, 1, 1], [0.1, 0.9, 0.9]))


# === In words ===


def test_a_lead_in_words():
    result = paired.compare(drawn(300, 0.05, 0.5), 0.45, 0.6)
    text = paired.in_words(result)
    for part in (
        "same 300 images",
        f"A is right on {result['accuracy_a']:.1%} and B on {result['accuracy_b']:.1%}",
        f"only A is right on {result['only_a_right']}",
        f"only B on {result['only_b_right']}",
        f"{result['auc_a']:.3f} and {result['auc_b']:.3f}",
        f"interval +{result['auc_low']:.3f} to +{result['auc_high']:.3f}",
    ):
        assert part in text
    assert "not significant" not in text


def test_what_may_be_chance_is_called_so():
    text = paired.in_words(paired.compare(drawn(60, 0.2, 0.22), 0.5, 0.5))
    assert text.count("not significant") == 2


def test_images_that_were_packed_again_are_the_same_by_their_pixels():
    first = table(["a", "b"], [0, 1], [0.1, 0.9])
    second = table(["x", "y"], [0, 1], [0.2, 0.8])
    with pytest.raises(InputError):
        paired.join(first, second)
    pixels = {"pixels_sha256": ["p", "q"]}
    assert paired.join(first.assign(**pixels), second.assign(**pixels)).score_b.tolist() == [0.2, 0.8]
    with pytest.raises(InputError):  # One table of an earlier version.
        paired.join(first.assign(**pixels), second)
