"""Only what was measured on fakes of a held-out source is written on a card as evidence for its words."""

import json

import pandas as pd
import pytest

from dfcore.confidence import DecisionThresholds
from dfcore.detectors.bundle import CARD, read_card, write_card
from dfcore.errors import InputError
from dfcore.evaluation.held_out import record_source
from tests.conftest import make_card

METRICS = {
    "dataset": "theirs", "fingerprint": "f", "images": 202, "same_data_as_training": False,
    "trained_on": {"known": True, "train": 0, "validation": 0, "similar": 0},
}  # fmt: skip
THRESHOLDS = DecisionThresholds(real_below=0.3, fake_from=0.7)


@pytest.fixture
def bundle(tmp_path):
    write_card(tmp_path, make_card(decision_thresholds=THRESHOLDS))
    return tmp_path


def table(**changes):
    """Real images with low scores, of which nothing is said, 100 fakes with high ones and one that was refused."""
    columns = {
        "label": [0] * 101 + [1] * 101, "score": [0.1] * 101 + [0.9] * 100 + [0.1], "trained_on": "not found",
        "is_ood": [False] * 201 + [True],
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def test_a_source_gives_the_right_and_a_worse_one_takes_it(bundle):
    assert not read_card(bundle).thresholds.says_real
    card = record_source(bundle, METRICS, table())
    assert card == read_card(bundle)
    assert [(each.name, each.fakes, each.refused) for each in card.words.sources] == [("theirs", 100, 1)]
    assert card.thresholds.says_real
    worse = METRICS | {"dataset": "others", "fingerprint": "g"}
    assert not record_source(bundle, worse, table(score=0.1)).thresholds.says_real
    assert record_source(bundle, worse, table()).thresholds.says_real, "the newer record replaces the older"


def test_fakes_that_it_has_seen_are_left_out(bundle):
    seen = table(trained_on=["not found"] * 200 + ["train", "not found"])
    metrics = METRICS | {"trained_on": METRICS["trained_on"] | {"train": 1}}
    assert record_source(bundle, metrics, seen).words.sources[0].fakes == 99


REFUSED = [
    pytest.param({"same_data_as_training": True}, "trained on", id="its-own-data"),
    pytest.param({"self_made": "All 100 fakes are self-made."}, "made by this workbench", id="self-made"),
    pytest.param({"demonstration": True}, "made by this workbench", id="demonstration"),
    pytest.param({"trained_on": {"known": False}}, "no list of its training images", id="unknown"),
    pytest.param({"trained_on": METRICS["trained_on"] | {"train": 5}}, "was trained on images", id="seen"),
]


@pytest.mark.parametrize(("changes", "text"), REFUSED)
def test_what_is_no_held_out_source_is_no_evidence(bundle, changes, text):
    before = (bundle / CARD).read_bytes()
    with pytest.raises(InputError, match=text):
        record_source(bundle, METRICS | changes, table())
    assert (bundle / CARD).read_bytes() == before


def test_a_source_without_fakes_is_no_evidence(bundle):
    with pytest.raises(InputError, match="has no fakes"):
        record_source(bundle, METRICS, table(label=0))


@pytest.mark.parametrize(("missed", "may"), [(0.0, True), (0.2, False)])
def test_a_card_without_evidence_has_that_of_its_figures_on_other_data(bundle, missed, may):
    values = json.loads((bundle / CARD).read_text())
    del values["words"]
    values["measured"] = [{"data set": "theirs", "fake": 200, "ood_rate": 0.1, "three_way_fnr": missed}]
    (bundle / CARD).write_text(json.dumps(values))
    card = read_card(bundle)
    assert card.thresholds.says_real == may
    write_card(bundle, card)
    assert read_card(bundle).words == card.words
    worse = record_source(bundle, METRICS | {"dataset": "more"}, table())
    assert [each.name for each in worse.words.sources] == ["theirs", "more"]
