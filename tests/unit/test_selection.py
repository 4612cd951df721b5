"""A detector that knows such images is chosen, of several the most reliable, and a bad fit is owned up to."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dfcore.confidence import NOT_CHECKED, OODResult
from dfcore.detectors.selection import needed, select_detector

NEAR, NEARER = OODResult(0.9), OODResult(0.3)
FAR = OODResult(4.0, ("its features are unlike those of the training images",))
FARTHER = OODResult(9.0, ("its features are unlike those of the training images",))
NEAR_BUT_SMALL = OODResult(0.2, ("its shorter side has 9 pixels",))
FAR_AND_SMALL = OODResult(
    2.0, ("its shorter side has 9 pixels", "its features are unlike those of the training images")
)

# ROC AUC of each on its own kind of images; of d it is not known.
RECORDS = {"a": 0.90, "b": 0.95, "c": 0.99, "d": None}
ONLY, BEST = "the only one trained on such", "the best record"
CHOICES = [
    pytest.param({"a": NEAR}, "a", True, ONLY, id="one-detector"),
    pytest.param({"a": NEARER, "b": NEAR}, "b", True, f"{BEST} (ROC AUC 0.950", id="the-best-record"),
    pytest.param({"d": NEARER, "a": NEAR}, "a", True, BEST, id="a-known-record-before-none"),
    pytest.param({"a": NEAR, "b": NEAR_BUT_SMALL}, "a", True, ONLY, id="a-fit-before-a-record"),
    pytest.param({"a": NEAR, "c": NOT_CHECKED}, "a", True, ONLY, id="images-known-before-none"),
    pytest.param({"a": NEAR, "b": NEARER, "c": FAR}, "b", True, BEST, id="several-fit"),
    pytest.param({"c": FARTHER, "b": FAR}, "b", False, "comes closest", id="none-fits"),
    pytest.param({"a": FAR_AND_SMALL, "b": FAR}, "b", False, "comes closest", id="fewer-reasons-before-a-distance"),
    pytest.param({"a": NOT_CHECKED}, "a", False, "no record", id="nothing-is-known"),
    pytest.param({"a": FAR, "b": NOT_CHECKED}, "b", False, "no record", id="rather-unknown-than-known-to-be-unfit"),
]


@pytest.mark.parametrize(("known", "name", "fits", "why"), CHOICES)
def test_choice(known, name, fits, why):
    result = select_detector(known, RECORDS)
    assert (result.name, result.fits) == (name, fits)
    assert why in result.why


def test_there_must_be_a_detector():
    with pytest.raises(ValueError, match="at least one detector"):
        select_detector({}, {})


def test_without_a_face_a_detector_of_faces_is_never_the_closest_beside_another_one():
    faceless = OODResult(0.1, ("no face",), ("faceless",))
    others = [OODResult(9.0, ("a", "b", "c"), ("small", "far", "flat")), FARTHER, NOT_CHECKED, NEAR]
    for other in others:
        assert select_detector({"c": faceless, "a": other}, RECORDS).name == "a"
        assert needed({"c": faceless, "a": other}, {}, RECORDS) == "a", "and its network does not even run"
    assert not select_detector({"c": faceless}, RECORDS).fits, "alone it is asked, and refuses"


CHEAP = ("small", "large", "compressed", "flat")
# Of one detector: rules that the file breaks, whether its subject is missing, rules that its features break, and their
# distance; None if it knows no domain.
DOMAINS = st.none() | st.tuples(
    st.lists(st.sampled_from(CHEAP), max_size=2, unique=True),
    st.sampled_from(["", "faceless", "portrait"]),
    st.lists(st.sampled_from(["far", "handled"]), max_size=2, unique=True),
    st.sampled_from([0.0, 0.4, 1.0, 3.0, float("inf")]),
)


def both_ways(domain) -> tuple[OODResult, OODResult]:
    """What is foreseen of an image, and the full result, as `Detector.foreseen` and `Detector.score` make them."""
    if domain is None:
        return NOT_CHECKED, NOT_CHECKED
    cheap, subject, features, distance = domain
    rules = (*cheap, *features)
    full, before = OODResult(distance, rules, rules), OODResult(0.0, tuple(cheap), tuple(cheap))
    if subject == "faceless":
        return before.refused(subject, subject), full.refused(subject, subject)
    if subject and not rules:
        full = full.refused(subject, subject)
    reasons = tuple(cheap) or ((subject,) if subject else ())
    return OODResult(0.0, reasons, tuple(cheap)), full


@given(st.lists(st.tuples(DOMAINS, st.sampled_from([None, 0.7, 0.9])), min_size=1, max_size=5))
@example([((["large"], "", [], 0.4), 0.9), (([], "", [], 0.4), 0.7), (([], "portrait", [], 0.4), 0.9)])
def test_the_choice_is_the_same_whether_all_networks_run_or_those_that_it_takes(given):
    names = [f"detector {number}" for number in range(len(given))]
    results = {name: both_ways(domain) for name, (domain, _) in zip(names, given, strict=True)}
    records = {name: record for name, (_, record) in zip(names, given, strict=True)}
    foreseen, full = ({name: result[which] for name, result in results.items()} for which in (0, 1))
    known: dict[str, OODResult] = {}
    while (name := needed(foreseen, known, records)) is not None:
        assert name not in known, "a network runs at most once"
        known[name] = full[name]
    chosen = select_detector(foreseen | known, records)
    assert chosen == select_detector(full, records)
    assert chosen.name in known


def test_a_network_that_cannot_be_chosen_does_not_run():
    fits, too_large = OODResult(0.0), OODResult(0.0, ("large",), ("large",))
    foreseen = {"a": fits, "b": too_large, "c": OODResult(0.0, ("portrait",))}
    assert needed(foreseen, {}, RECORDS) == "a"
    assert needed(foreseen, {"a": NEAR}, RECORDS) is None
    assert needed(foreseen, {"a": FAR}, RECORDS) == "c"
    assert needed(foreseen, {"a": FAR, "c": NEAR_BUT_SMALL}, RECORDS) is None
