"""What a verdict means: rates at the thresholds in use, base rates, answers, agreement, subjects, samples."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfcore.confidence import DecisionThresholds, ErrorBudget, HeldOutSource, OODResult, Words
from dfcore.detectors import library, subject
from dfcore.detectors.bundle import read_card, write_bundle
from dfcore.detectors.card import Training
from dfcore.detectors.face_records import FramingRecord, Subject
from dfcore.detectors.trained_on import Seen
from dfcore.detectors.verdict import Verdict
from dfcore.errors import BundleError
from dfcore.evaluation import MeasuredRates, measured_rates, predictions_path, write_predictions
from dfcore.faces import Face, Framing
from dfcore.imaging import ImageFacts, decoder
from dfcore.inspection import agreement, alarm, answers, aside, looks_like, titles
from dfcore.inspection.samples import samples
from dfcore.labels import name_of
from dfcore.synthesis import taef2
from dfcore.utils.texts import percent
from tests.conftest import make_card, untrained
from tests.unit.drawn_face import drawn_face

AT = DecisionThresholds(real_below=0.2, fake_from=0.8, images=100)
RATES = MeasuredRates("the test split of demo", 100, 50, 3, 20, 4, 60)


def verdict(score: float | None, reasons: dict[str, str] | None = None, **changes) -> Verdict:
    reasons = reasons or {}
    ood = OODResult(1.0, tuple(reasons.values()), tuple(reasons))
    return Verdict(score, 0.5, thresholds=AT, ood=ood, error=None if score is not None else "Not an image.", **changes)


# === Rates ===


def table(labels, scores, ood=None) -> pd.DataFrame:
    rows = {"path": [f"{n}.png" for n in range(len(labels))], "label": labels, "score": scores, "logit": scores}
    rows |= {"sha256": [f"{n:064x}" for n in range(len(labels))], "group": [""] * len(labels)}
    return pd.DataFrame(rows | ({} if ood is None else {"is_ood": ood}))


@pytest.fixture
def bundle(tmp_path):
    write_bundle(tmp_path / "bundle", untrained(1), make_card())
    return tmp_path / "bundle"


def test_rates_are_those_at_the_thresholds_in_use_and_of_judged_images(bundle):
    labels = [0, 0, 0, 1, 1, 1, 1]
    scores = [0.1, 0.5, 0.9, 0.1, 0.5, 0.9, 0.95]
    write_predictions(predictions_path(bundle, "test"), table(labels, scores, [False] * 6 + [True]))
    rates = measured_rates(bundle, read_card(bundle), AT)
    assert (rates.real, rates.fake, rates.alarms, rates.found, rates.passed, rates.between) == (3, 3, 1, 1, 1, 2)
    assert "test split" in rates.where and not rates.chosen_here
    low = measured_rates(bundle, read_card(bundle), DecisionThresholds(real_below=0.05, fake_from=0.4))
    assert (low.alarms, low.found, low.passed, low.between) == (2, 2, 0, 2)


def test_images_of_one_class_tell_no_rates_and_the_next_split_does(bundle):
    write_predictions(predictions_path(bundle, "test"), table([1, 1], [0.1, 0.9]))
    assert measured_rates(bundle, read_card(bundle), AT) is None
    write_predictions(predictions_path(bundle, "validation"), table([0, 1], [0.1, 0.9]))
    validation = measured_rates(bundle, read_card(bundle), AT)
    assert "validation split" in validation.where and validation.chosen_here
    assert not measured_rates(bundle, read_card(bundle), DecisionThresholds.single(0.5)).chosen_here
    assert measured_rates(None, read_card(bundle), AT) is None


def test_a_detector_that_held_out_sources_is_quoted_by_them_and_by_the_worst(bundle):
    card = make_card(training=Training(dataset="many", config={"cross_validation": "source"}))
    random = np.random.default_rng(0)
    rows = table([0] * 150 + [1] * 150, random.random(300))
    rows["group"] = ["a", "b", "c"] * 100
    write_predictions(predictions_path(bundle, "test"), table([0, 1], [0.1, 0.9]))
    write_predictions(predictions_path(bundle, "cross-validation"), rows)
    rates = measured_rates(bundle, card, AT.model_copy(update={"budget": ErrorBudget(max_fpr=0.1, max_fnr=0.1)}))
    held_out = "each source of pictures judged by a detector that had not learned from it"
    assert rates.where == f"the data set many, {held_out}" and rates.real == 150
    assert rates.worst is not None and rates.worst[0] in "abc" and 0 <= rates.worst[1] <= 1
    assert rates.chosen_here, "each score is of a detector that had not learned from it, but the thresholds had"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.data(), st.floats(1.5, 1e5))
def test_an_alarm_is_worth_less_where_fakes_are_rarer(real, fake, data, one_in):
    alarms, found = data.draw(st.integers(0, real)), data.draw(st.integers(1, fake))
    rates = replace(RATES, real=real, fake=fake, alarms=alarms, found=found)
    likely, least = rates.alarm_is_right(one_in)
    rarer, rarer_least = rates.alarm_is_right(2 * one_in)
    assert 0 <= least <= likely <= 1 and rarer <= likely and rarer_least <= least
    by_counts = found / fake / (found / fake + (one_in - 1) * alarms / real)
    assert likely == pytest.approx(by_counts)
    worse = replace(rates, worst=("street", 1.0)).alarm_is_right(one_in)
    assert worse[1] <= least


def test_without_a_fake_found_no_alarm_has_a_worth():
    assert replace(RATES, found=0).alarm_is_right(10) is None


def test_what_an_alarm_is_worth_is_said_with_how_rare_fakes_are():
    said = alarm(verdict(0.9), RATES)
    start = "If one in 10 such pictures is fake, an alarm like this is right in about 60% of cases; with 90%"
    assert said.one_in == 10 and said.in_words.startswith(start)
    rare = alarm(verdict(0.9), RATES, 1_000_000).in_words
    assert "one in 1,000,000" in rare and "is right in less than 1% of cases; perhaps in hardly any." in rare
    sure = alarm(verdict(0.9), replace(RATES, real=100_000, fake=100_000, alarms=1, found=99_000), 2).in_words
    assert "more than 99% of cases" in sure and "at least 99%" in sure


def test_without_a_false_alarm_only_the_bound_of_its_worth_is_said():
    none = replace(RATES, alarms=0)
    said = alarm(verdict(0.9), none)
    assert said.likely is None and "is right, with 90% confidence, in at least" in said.in_words
    assert alarm(verdict(0.9), none, 1_000_000).in_words.endswith("this may be right in hardly any case.")
    assert "cannot be told" in alarm(verdict(0.9), replace(RATES, found=0)).in_words


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 50), st.data(), st.integers(2, 10**6))
def test_the_bound_that_is_said_is_never_above_the_bound(real, found, data, one_in):
    rates = replace(RATES, real=real, alarms=data.draw(st.integers(0, real)), found=found)
    said = alarm(verdict(0.9), rates, one_in)
    for percentage in re.findall(r"at least (\d+)%", said.in_words):
        assert 0.01 <= int(percentage) / 100 <= said.at_least + 1e-9
    assert "about less" not in said.in_words and "hardly any of" not in said.in_words


def test_what_is_no_alarm_or_was_not_measured_is_worth_nothing():
    assert alarm(verdict(0.9), None) is None
    for score in (0.1, 0.5):
        assert alarm(verdict(score), RATES) is None
    for one_in in (-5, 0, 1, 1_000_001):
        assert alarm(verdict(0.9), RATES, one_in) is None, "out of range"
    insisted = verdict(0.9, {"far": "unlike"}, ignore_ood=True)
    assert insisted.finding == "fake" and alarm(insisted, RATES) is None, "nothing was measured on such pictures"


def test_small_shares_do_not_become_zero():
    assert [percent(share) for share in (0.001, 0.05, 0.125, 1.0)] == ["0.1%", "5%", "12.5%", "100%"]


# === Answers ===


def test_an_alarm_quotes_alarms_and_what_is_found():
    result = answers(make_card(title="Demo"), verdict(0.9), RATES, chosen="it fits")
    assert "3 of 100 real pictures likely fake (3.0%)" in result.sure and "found 20 of 50 fakes (40.0%)" in result.sure
    assert result.why.startswith("Judged by Demo: it fits.") and "at or above 0.800" in result.why
    assert "not proof" in result.conclusion


def test_no_sign_of_a_fake_is_not_put_as_real():
    result = answers(make_card(), verdict(0.1), RATES)
    text = " ".join((result.conclusion, result.sure, result.why, result.next)).lower()
    assert "does not make it real" in text and "4 of 50 fakes (8.0%) had such a low score too" in text
    assert "likely real" not in text.replace("right to call a picture likely real", "")


def test_fakes_of_other_sources_are_quoted_by_thresholds_that_their_source_took_no_part_in():
    words = Words(sources=(HeldOutSource.of("street", "cross-validation by source", [0.1] * 12 + [0.5] * 88),))
    result = answers(make_card(words=words), verdict(0.1), RATES)
    quoted = "At these thresholds, but chosen without their source, 12 of 100 fakes of sources that it had not learned"
    assert result.sure.startswith(quoted)


def test_what_is_undecided_says_between_what():
    result = answers(make_card(), verdict(0.5), RATES)
    assert "above 0.200 and below 0.800" in result.why and "40% of the pictures lay between" in result.sure
    nothing = Verdict(0.5, 0.5, thresholds=DecisionThresholds(real_below=-1, fake_from=2))
    assert "decides nothing" in answers(make_card(), nothing, RATES).why


def test_an_unlike_image_is_told_in_plain_words_and_what_to_do():
    result = answers(
        make_card(), verdict(0.05, {"small": "its shorter side has 20 pixels"}), RATES, kind="a screenshot"
    )
    assert result.conclusion.startswith("Nothing can be concluded")
    assert "It is a screenshot, and unlike" in result.why and "20 pixels" in result.why
    assert "larger version" in result.next and "not measured" in result.sure
    insisted = answers(make_card(), verdict(0.9, {"far": "its features differ"}, ignore_ood=True), RATES)
    assert "by the score alone" in insisted.conclusion and "not measured" in insisted.sure


def test_where_the_choice_was_automatic_no_other_detector_is_advised():
    for rule in ("faceless", "large"):
        one = verdict(0.5, {rule: "unlike"})
        assert "Automatic" in answers(make_card(), one, RATES).next
        assert "No detector here knows" in answers(make_card(), one, RATES, chosen="it comes closest").next


def test_every_rule_that_refuses_has_advice():
    from dfcore.confidence import RULES
    from dfcore.inspection.answers import _ADVICE

    assert set(_ADVICE) == set(RULES)


def test_without_figures_it_is_said_that_nothing_is_known():
    assert answers(make_card(), verdict(0.9), None).sure.startswith("Unknown")
    unread = answers(make_card(), verdict(None), None)
    assert "no verdict" in unread.conclusion and unread.why == "Not an image."


# === Agreement ===


def test_detectors_of_the_same_title_are_all_counted():
    card = make_card()
    named = titles({"one": card, "two": card, "three": card.model_copy(update={"title": "Another"})})
    assert named["three"] == "Another" and len(set(named.values())) == 3
    assert agreement({title: verdict(0.9) for title in named.values()}).startswith("All 3")


def test_agreement_counts_only_those_that_judge_such_pictures():
    away = verdict(0.01, {"far": "unlike"})
    assert agreement({"A": verdict(None)}) == agreement({}) == "No detector could judge it."
    assert "none of their scores counts" in agreement({"A": away, "B": away})
    assert agreement({"A": verdict(0.9), "B": away}).startswith("Only A judges")
    assert "They disagree: A calls it likely fake" in agreement({"A": verdict(0.9), "B": verdict(0.1)})
    assert agreement({"A": verdict(0.9), "B": verdict(0.95)}).startswith("Both that judge")
    mixed = agreement({"A": verdict(0.5), "B": verdict(0.1), "C": away})
    assert mixed.startswith("None of the 2") and "1 of them cannot decide. That does not make it real." in mixed
    assert agreement({"A": verdict(0.5), "B": verdict(0.6)}) == "Both that judge such pictures are undecided."


# === What a picture looks like ===


def facts(width: int, height: int, kind: str = "PNG", **exif: str) -> ImageFacts:
    return ImageFacts(kind, width, height, "RGB", 1, "0" * 64, exif=exif)


def test_a_screenshot_is_told_by_its_size_or_its_own_words():
    assert "phone" in looks_like(facts(1170, 2532))
    assert "screenshot" in looks_like(facts(1920, 1080)) and "phone" not in looks_like(facts(1920, 1080))
    assert looks_like(facts(900, 700, UserComment="Screenshot")) == "a screenshot"
    for other in (facts(1024, 1024), facts(1170, 2532, "JPEG"), facts(1170, 2532, Make="Maker")):
        assert looks_like(other) is None


# === Subjects ===


def test_portraits_make_a_detector_of_faces_and_refuse_other_pictures():
    face = drawn_face(256)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    found, framing = subject.of_images(np.stack([face] * 4))
    assert found == Subject(kind="face", images=4, share=1.0)
    assert framing is not None and framing.faces == 4 and framing.spread == framing.apart == 0
    assert subject.of_images(np.stack([face, noise])) == (None, None), "half of them are none"
    assert subject.of_images(np.zeros((3, 32, 32, 3), np.uint8)) == (None, None), "too small to tell"
    passed, refused = subject.checked(found, [OODResult(0.5)] * 2, np.stack([face, noise]))
    assert not passed.is_ood and refused.rules == ("faceless",) and refused.distance == 0.5
    far = OODResult(3.0, ("far away",), ("far",))
    portrait, other = subject.checked(found, [far] * 2, np.stack([face, noise]))
    assert portrait == far and other.rules == ("far", "faceless"), "no picture without a face is nearly one of its kind"
    (other,) = subject.checked(None, [OODResult(0.5)], noise[None])
    assert not other.is_ood, "a detector of other things refuses nothing by this"


def test_a_detector_that_errs_on_portraits_refuses_them_and_says_what_was_measured():
    assert subject.of_portraits(["fake", "inconclusive", None, "fake"], 0.1) == Subject(
        kind="no_face", images=4, share=0.5
    )
    assert subject.of_portraits(["no_sign"] * 9 + ["fake"], 0.1) is None, "within its budget"
    errs = Subject(kind="no_face", images=150, share=0.4)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    refused, passed = subject.checked(errs, [OODResult(0.5)] * 2, np.stack([drawn_face(256), noise]))
    assert refused.rules == ("portrait",) and "of 150 real portraits this detector called 40%" in refused.reasons[0]
    assert not passed.is_ood
    far = OODResult(3.0, ("far away",), ("far",))
    assert subject.checked(errs, [far], drawn_face(256)[None]) == [far], "nothing is looked at that is refused already"


def test_how_faces_were_cropped_is_told_where_they_were_cropped_by_their_faces():
    random = np.random.default_rng(0)
    placed = []
    for _ in range(40):
        x, y, apart = random.uniform(300, 700), random.uniform(300, 700), random.uniform(20, 60)
        points = ((x - apart / 2, y), (x + apart / 2, y), (x, y + apart / 2), (x - 5, y + apart), (x + 5, y + apart))
        placed.append(Face((x - apart, y - apart, x + apart, y + 1.7 * apart), 0.9, points))
    at, down = Framing(0.3, -0.1), FramingRecord(margin=0.3, offset=-0.1)
    crops = [within(face, at.frame(face)) for face in placed]
    found = subject.framing_of(crops)
    assert (
        found is not None and found.framing == at == down.framing and (found.faces, found.alignment) == (40, "features")
    )
    anyhow = [(face, int(random.uniform(0.4, 4) * side)) for face, side in crops]
    assert subject.framing_of(anyhow) is None and subject.framing_of([]) is None


def within(face: Face, frame: tuple[float, float, float, float]) -> tuple[Face, int]:
    """A face as it lies in a crop, with the crop's side."""
    left, top, right, _ = frame
    side = right - left
    scale = 1000 / side  # Whole pixels would round the side of small crops.
    box = tuple((edge - start) * scale for edge, start in zip(face.box, (left, top) * 2, strict=True))
    return Face(box, face.score, tuple(((x - left) * scale, (y - top) * scale) for x, y in face.landmarks)), 1000


# === Demonstration detectors ===


def test_a_demonstration_detector_never_becomes_the_default_and_is_not_chosen(tmp_path):
    for name, demonstration in (("simulated", True), ("real", False)):
        write_bundle(
            tmp_path / name, untrained(1), make_card(training=Training(dataset="x", demonstration=demonstration))
        )
    with pytest.raises(BundleError, match="simulation, and cannot be the default"):
        library.set_default(tmp_path, "simulated")
    assert library.default_name(tmp_path) is None
    library.set_default(tmp_path, "real")
    assert [path.name for path in library.answering(library.list_bundles(tmp_path))] == ["real"]


def test_a_heading_says_what_keeps_its_finding_from_being_the_answer():
    seen, said = verdict(0.9), verdict(0.5)
    assert aside(seen) == aside(verdict(0.9, {"far": "unlike"}), "something") == aside(verdict(None), "declares") == ""
    assert aside(seen, "declares") == ", and the file declares AI"
    assert aside(said, "declares") == ", but the file declares AI"
    assert "learned from this very picture" in aside(replace(seen, seen=Seen.TRAIN))
    assert "tuned on this very picture" in aside(replace(seen, seen=Seen.VALIDATION))
    assert aside(verdict(0.9, {"far": "unlike"}, ignore_ood=True)) == " by the score alone"


def test_errors_at_a_budget_of_ones_own_are_told_as_such():
    own = AT.model_copy(update={"budget": ErrorBudget(max_fpr=0.3, max_fnr=0.125)})
    card = make_card()
    assert "own error budget" not in answers(card, verdict(0.9), RATES).sure
    told = answers(card, replace(verdict(0.9), thresholds=own), RATES).sure
    assert told.startswith("At the thresholds of your own error budget (30% false alarms, 12.5% missed fakes), on")


def test_a_copy_of_a_training_picture_is_not_called_unlike_them():
    copy = replace(verdict(0.5, {"portrait": "a face fills it"}), seen=Seen.LIKE_TRAIN)
    assert "It is not judged: a face fills it." in answers(make_card(), copy, RATES).why


# === Samples ===


@pytest.mark.slow
def test_the_reconstructions_that_ship_are_those_of_the_network_that_is_named():
    of_photographs = {sample.title: decoder.decode(sample.data) for sample in samples()}
    for title in ("Temple", "Flower"):
        rgb, shipped = of_photographs[f"{title} 1"], of_photographs[f"{title} 2"]
        made = taef2.reconstruct(rgb[: shipped.shape[0], : shipped.shape[1]])
        assert np.abs(made.astype(int) - shipped).max() <= 2  # Kinds of processors round differently.
    taef2.release()


def test_samples_tell_what_they_are_and_not_by_their_names():
    made = samples()
    assert len({sample.sha256 for sample in made}) == len(made) == 4
    assert [sample.truth.startswith("Self-made") for sample in made] == [False, True, False, True]
    assert [name_of(sample.label) for sample in made] == ["real", "fake", "real", "fake"]
    told = ("photo", "fake", "made", "real", "again")
    assert not any(word in f"{sample.name} {sample.title}" for sample in made for word in told)
    assert [sample.sha256 for sample in made] == [sample.sha256 for sample in samples()]


def test_what_a_file_declares_changes_the_advice_and_nothing_else():
    for score, start in ((0.1, "The file declares itself AI-generated: go by that"), (0.9, "The file declares itself")):
        plainly, declared = (
            answers(make_card(), verdict(score), RATES, file_says=says) for says in ("something", "declares")
        )
        assert declared.next.startswith(start) and plainly.next in declared.next
        assert replace(declared, next="") == replace(plainly, next="")
    signed = answers(make_card(), verdict(0.1, {"colourless": "it has hardly any colour"}), RATES, file_says="invalid")
    assert signed.next.startswith("Its content credential is not valid") and "version in colour" in signed.next
    silent = answers(make_card(), verdict(0.1), RATES, file_says="nothing").next
    assert "says nothing of its origin" in silent and "what the file says" not in silent


def test_a_screenshot_is_to_be_cut_out_also_where_its_score_counts():
    result = answers(make_card(), verdict(0.5), RATES, kind="perhaps a screenshot")
    assert "cut out the picture that it shows" in result.next and "screenshot" not in result.why
