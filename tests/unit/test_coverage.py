"""Whether the budget holds for each source, and what a source would have got that nobody knew."""

import json

import numpy as np
import pandas as pd
import pytest

from dfcore.confidence import DecisionThresholds, ErrorBudget, Words, fit_thresholds
from dfcore.evaluation import coverage, refusal_table, sources_held_out

BUDGET = ErrorBudget(max_fpr=0.1, max_fnr=0.1)


def table(heights, images=100, seed=0):
    """Scores of sources, each shifted by its height."""
    random = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({"label": label, "group": name, "score": random.normal(0.3 + 0.4 * label + height, 0.1, images)})
        for name, height in heights.items()
        for label in (0, 1)
    ]
    return pd.concat(parts, ignore_index=True).assign(score=lambda t: t.score.clip(0, 1))


def fitted(data):
    return fit_thresholds(data.label.to_numpy(), data.score.to_numpy(), BUDGET, groups=data.group)


def test_every_source_keeps_the_budget_that_was_chosen_by_source_and_an_unknown_one_need_not():
    data = table({"a": 0, "b": 0.02, "low": -0.3})
    rows = {row["group"]: row for row in coverage(data, fitted(data))}
    assert all(row["fpr"] <= 0.1 and row["passed"] <= 0.1 for row in rows.values())
    assert rows["low"]["passed_without"] > 0.5, "the others would not have expected fakes so low"
    assert rows["a"]["passed_without"] <= 0.1
    json.dumps(list(rows.values()), allow_nan=False)


def test_refused_images_are_not_judged_and_a_class_may_be_missing():
    data = table({"a": 0, "b": 0}).assign(is_ood=False)
    data.loc[data.group == "b", "is_ood"] = data.label == 1
    row = coverage(data, fitted(data))[1]
    assert (row["real"], row["fake"], row["refused"], row["passed"]) == (100, 0, 0.5, None)


@pytest.mark.parametrize(("heights", "may"), [({"a": 0, "b": 0.01, "c": 0.02}, True), ({"a": 0, "low": -0.35}, False)])
def test_a_source_gives_no_right_that_only_its_own_thresholds_give(heights, may):
    """By its own thresholds each source keeps the budget; at those that the others give, a low one does not."""
    data = table(heights, 400)
    thresholds = fitted(data)
    words = Words(sources=tuple(sources_held_out(data, thresholds)))
    assert words.allow_real(thresholds) == may
    assert sum(each.fakes for each in words.sources) == 400 * len(heights)


def test_a_rule_is_measured_by_what_it_refuses():
    thresholds = DecisionThresholds(real_below=0.3, fake_from=0.7)
    data = pd.DataFrame({
        "label": [0, 0, 0, 1, 1, 1], "score": [0.95, 0.95, 0.05, 0.95, 0.05, 0.5],
        "rules": ["small", "small far", "", "far", "", ""], "is_ood": [True, True, False, True, False, False],
    })  # fmt: skip
    rows = {row["rule"]: row for row in refusal_table(data, thresholds)}
    assert list(rows) == ["small", "far", "any", ""]
    assert (rows["small"]["images"], rows["small"]["alone"], rows["small"]["fpr"]) == (2, 1, 1.0)
    assert rows["small"]["passed"] is None
    assert (rows[""]["images"], rows[""]["fpr"], rows[""]["passed"], rows[""]["decided"]) == (
        3,
        0.0,
        0.5,
        pytest.approx(2 / 3),
    )
    assert rows["any"]["share"] == 0.5
