"""Tests of heat-maps: the right map beats random orders, its inverse loses, and the test costs what it says."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.card import Card, MapFigures
from dfcore.detectors.detector import Detector
from dfcore.detectors.verdict import Verdict
from dfcore.errors import InputError
from dfcore.evaluation.maps import average_faithfulness, faithfulness_of
from dfcore.explanation import Faithfulness, Heatmap, faithfulness, random_orders, strengths
from dfcore.explanation.faithfulness import ORDERS, SHARES
from dfcore.explanation.sanity import rank_correlation, shuffle_weights
from dfcore.imaging import ImageFacts, PreparedImage
from dfcore.inspection import maps, record
from tests.conftest import make_card, untrained

SIDE = 112
PATCH = (slice(40, 56), slice(72, 88))  # Four of the 8-pixel cells.


def square() -> np.ndarray:
    """Dark noise with one bright patch."""
    made = np.random.default_rng(0).integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
    made[PATCH] = 255
    return made


class Counting:
    """A detector that looks at the patch alone, and counts the squares it is shown."""

    def __init__(self, sign: float = 1.0):
        self.sign, self.seen = sign, 0

    def __call__(self, squares: np.ndarray) -> np.ndarray:
        self.seen += len(squares)
        brightness = squares[:, *PATCH].mean((1, 2, 3)) / 255
        return brightness if self.sign > 0 else 1 - brightness


def heatmap(values: np.ndarray, target: str = "fake", **options) -> Heatmap:
    return Heatmap(values.astype(np.float32), float(np.nanmax(values)), "gradcam", target, "conv", **options)


def on_the_patch() -> np.ndarray:
    values = np.zeros((SIDE, SIDE))
    values[PATCH] = 1.0
    return values


@pytest.mark.parametrize("target", ["fake", "real"])
def test_the_map_of_the_one_patch_that_counts_beats_random_and_its_inverse_loses(target):
    score = Counting(1.0 if target == "fake" else -1.0)
    right = faithfulness(score, square(), heatmap(on_the_patch(), target))
    wrong = faithfulness(score, square(), heatmap(1 - on_the_patch(), target))
    assert right.outcome == "faithful" and right.beats_random >= 0.95
    assert wrong.outcome == "random" and wrong.beats_random <= 0.05
    assert right.deletion_area < right.random_areas.mean() < right.insertion_area
    verb = "lowers" if target == "fake" else "raises"
    assert right.in_words().startswith(f"Blotting out the brightest tenth of the map {verb} the score from ")
    assert right.in_words().endswith("the map shows what the score hangs on.")
    assert "do not read this map" in wrong.in_words()


def test_random_maps_win_about_half():
    random, score = np.random.default_rng(1), Counting()
    chance = random_orders(score, square())
    won = [
        faithfulness(score, square(), heatmap(random.random((14, 14))), random=chance, seed=seed).beats_random
        for seed in range(40)
    ]
    assert 0.4 < np.mean(won) < 0.6


@given(seed=st.integers(0, 99), power=st.floats(0.3, 3))
@settings(max_examples=15, deadline=None)
def test_curves_share_their_ends_and_only_the_order_of_a_map_counts(seed, power):
    values, score = np.random.default_rng(seed).random((14, 14)), Counting()
    one = faithfulness(score, square(), heatmap(values), seed=seed)
    same = faithfulness(score, square(), heatmap(values**power), seed=seed)
    np.testing.assert_array_equal(one.deletion, same.deletion)
    np.testing.assert_array_equal(one.insertion, same.insertion)
    whole, nothing = score(square()[None])[0], one.deletion[-1]
    assert one.deletion[0] == one.insertion[-1] == whole and one.insertion[0] == nothing
    assert (one.random[:, 0] == whole).all() and (one.random[:, -1] == nothing).all()
    # Nothing but the patch counts, so every further blot can only lower the score.
    assert (np.diff(one.deletion) <= 1e-9).all() and (np.diff(one.random) <= 1e-9).all()
    assert (np.diff(one.insertion) >= -1e-9).all()
    assert 0 <= one.deletion_area <= 1 and 0 <= one.insertion_area <= 1


@pytest.mark.parametrize("orders", [1, ORDERS])
def test_the_cost_is_what_it_says(orders):
    score = Counting()
    faithfulness(score, square(), heatmap(on_the_patch()), orders=orders)
    assert score.seen == 10 + 3 * orders <= 34
    score.seen, known = 0, random_orders(Counting(), square())
    faithfulness(score, square(), heatmap(on_the_patch()), random=known)
    assert score.seen == 8


def test_the_same_seed_gives_the_same_result_and_equal_cells_have_no_fixed_order():
    score = Counting()
    flat = heatmap(np.ones((SIDE, SIDE)))
    one, two, other = (faithfulness(score, square(), flat, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.random, two.random)
    np.testing.assert_array_equal(one.deletion, two.deletion)
    assert not np.array_equal(one.random, other.random)


def test_a_score_that_nothing_moves_cannot_be_tested_and_says_so():
    result = faithfulness(lambda squares: np.full(len(squares), 0.97), square(), heatmap(on_the_patch()))
    assert result.outcome == "inert" and result.beats_random == 0.5
    assert "cannot be tested" in result.in_words()


def test_the_sentence_tells_of_the_first_step_that_shows_a_difference():
    flat, late = np.array([0.9, 0.9, 0.9, 0.9, 0.2]), np.array([0.9, 0.9, 0.3, 0.2, 0.2])
    text = Faithfulness("fake", late, late[::-1], np.tile(flat, (10, 1))).in_words()
    assert text.startswith("Blotting out the brightest half of the map lowers the score from 0.90 to 0.30; random "
                           "halves leave it at 0.90.")  # fmt: skip
    back = np.array([0.2, 0.8, 0.9, 0.9, 0.9])
    text = Faithfulness("fake", flat, back, np.tile(late, (10, 1))).in_words()
    assert text.startswith("Bringing the brightest tenth of the map back into the blotted image raises the score from "
                           "0.20 to 0.80; random tenths leave it at 0.20.")  # fmt: skip


def test_an_empty_map_and_no_orders_are_refused():
    with pytest.raises(InputError, match="map is empty"):
        faithfulness(Counting(), square(), heatmap(np.zeros((4, 4))))
    with pytest.raises(InputError, match="at least one random order"):
        random_orders(Counting(), square(), orders=0)


@pytest.mark.parametrize("side", [16, 17, 32, 50, 224])
def test_any_side_is_cut_into_cells(side):
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    result = faithfulness(lambda squares: squares.mean((1, 2, 3)) / 255, pixels, heatmap(pixels[..., 0] / 255.0))
    assert result.random.shape == (ORDERS, len(SHARES))


def test_cells_are_those_of_the_judged_region():
    values = np.full((30, 40), np.nan)
    values[5:25, 10:30] = np.repeat(np.repeat([[1.0, 0.2], [0.4, 0.6]], 10, 0), 10, 1)
    for region in (None, (10, 5, 30, 25)):
        np.testing.assert_allclose(strengths(heatmap(values, region=region), 2), [[1.0, 0.2], [0.4, 0.6]], atol=1e-6)


# === Randomised weights ===


def test_shuffled_weights_keep_their_numbers_and_lose_their_order():
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dropout(0.5)])
    before = [np.asarray(weight).copy() for weight in model.weights]
    shuffle_weights(model, seed=1)
    after = [np.asarray(weight) for weight in model.weights]
    assert all(np.array_equal(np.sort(a, None), np.sort(b, None)) for a, b in zip(before, after, strict=True))
    assert not np.array_equal(before[0], after[0])


def test_rank_correlation_is_one_for_the_same_order_and_none_for_flat_maps():
    values = np.random.default_rng(0).random((6, 6))
    assert rank_correlation(values, values**3) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, np.zeros((6, 6))) == 0


# === Detectors and cards ===


@pytest.fixture(scope="module")
def detector():
    from dfcore.engines import KerasEngine

    model = untrained(seed=0)
    side = model.input_shape[1]
    card = make_card(preprocess={"size": side, "resize": "stretch"}, cam_layer="conv_last")
    return Detector(card, KerasEngine(model, tta_flip=False), model)


def prepared(detector: Detector, seed: int = 0) -> PreparedImage:
    rgb = np.random.default_rng(seed).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    return PreparedImage.from_pixels(rgb, [detector.spec])


def test_the_score_of_the_whole_image_is_the_verdicts(detector):
    image = prepared(detector)
    (verdict,) = detector.judge([image])
    target = verdict.side
    shown = next(
        each for each in (detector.explain(image, target=some) for some in (target, "fake", "real")) if each.peak
    )
    result = faithfulness_of(detector, image, shown, orders=2)
    assert result.deletion[0] == pytest.approx(verdict.score, abs=1e-7)


@pytest.mark.slow
def test_averages_go_on_the_card_and_come_back(detector, tmp_path):
    weights = [each.copy() for each in detector.model.get_weights()]
    rows = average_faithfulness(detector, [prepared(detector, seed) for seed in range(2)], "validation",
                                methods=("gradcam", "saliency"))  # fmt: skip
    assert [row.method for row in rows] == ["gradcam", "saliency"]
    assert all(row.images == 2 and row.view is None for row in rows)
    assert all(np.array_equal(a, b) for a, b in zip(weights, detector.model.get_weights(), strict=True))
    write_card(tmp_path, detector.card.model_copy(update={"faithfulness": tuple(rows)}))
    assert list(read_card(tmp_path).faithfulness) == rows


def test_cards_without_the_figures_still_load():
    plain = make_card().model_dump(mode="json")
    del plain["faithfulness"]
    assert Card.model_validate(plain).faithfulness == ()


# === What is said of a map ===


def figures_of(**changes) -> MapFigures:
    return MapFigures(**{"method": "gradcam", "split": "validation", "images": 32, "beats_random": 0.84, "sanity": 0.1}
                      | changes)  # fmt: skip


def note(*rows: MapFigures, method: str = "gradcam") -> str:
    return maps.method_note(make_card(faithfulness=rows), method)


def test_the_note_says_what_was_measured_and_no_more():
    assert note(figures_of()) == (
        "On 32 pictures that the detector had not learned from, the parts that Grad-CAM shows brightest mattered more "
        "than parts chosen at random in 84% of comparisons; 50% is chance."
    )
    assert "not been measured" in note(figures_of(), method="saliency")
    assert "hardly better than random" in note(figures_of(beats_random=0.55))
    assert "weights are shuffled" in note(figures_of(sanity=0.9))
    both = note(figures_of(view="whole image"), figures_of(view="centre", beats_random=0.7))
    assert "84% (whole image) and 70% (centre)" in both
    assert "[" not in note(figures_of(split="[a](http://b)")).replace(r"\[", "")
    assert "maps of older are has not been measured" in note(figures_of(), method="older"), "of a map that was stored"


def test_a_map_is_told_with_all_its_settings_and_how_far_its_method_is_to_be_trusted():
    card = make_card(faithfulness=[figures_of(method="gradcam++", beats_random=0.55)])
    shown = dataclasses.replace(heatmap(on_the_patch()), method="gradcam++", target="real", layer="block_2")
    said = maps.in_words(shown, "centre square", Verdict(0.9, 0.5), card)
    assert said.startswith("Evidence of real by Grad-CAM++, layer block_2, in centre square; what is darkened")
    assert said.endswith(maps.method_note(card, "gradcam++")) and "hardly better than random" in said
    empty = dataclasses.replace(shown, peak=0.0)
    assert maps.in_words(empty, "centre", Verdict(0.9, 0.5), card).startswith("No evidence of real by Grad-CAM++")
    assert "random" not in maps.in_words(shown, "centre square", Verdict(0.9, 0.5), None), "its card is gone"


def test_the_record_says_of_a_map_what_the_report_says():
    card, shown, one = make_card(), heatmap(on_the_patch()), Verdict(0.9, 0.5)
    told = record(card, "a.png", one, ImageFacts("PNG", SIDE, SIDE, "RGB", 1, "0" * 64), shown)["heatmap"]
    assert told["in_words"] == maps.in_words(shown, told["view"], one, card)


# === The page's part ===


def page() -> None:
    from types import SimpleNamespace

    import numpy as np
    import streamlit as st

    from dashboard import faithfulness_view, inference
    from dfcore.detectors.verdict import Verdict
    from dfcore.explanation import Faithfulness, Heatmap

    curve = np.array([0.9, 0.4, 0.3, 0.2, 0.2])
    tested = Faithfulness("fake", curve, curve[::-1] + 0.05, np.tile(np.linspace(0.9, 0.2, 5), (10, 1)))
    inference.faithfulness = lambda *_: tested
    method = st.selectbox("Method", ["gradcam", "saliency"], help="Which map.")
    shown = Heatmap(np.ones((4, 4), np.float32), st.session_state.get("peak", 1.0), method, "fake", None)
    score = st.session_state.get("score", 0.9)
    faithfulness_view.show(SimpleNamespace(version="1"), b"image", shown, Verdict(score, 0.5))


def test_a_map_is_tested_when_asked_and_the_answer_is_that_maps_alone(monkeypatch):
    from dashboard import inference

    monkeypatch.setattr(inference, "faithfulness", inference.faithfulness)  # Restored after the page replaced it.
    app = AppTest.from_function(page, default_timeout=30).run()
    assert not app.exception and not app.markdown
    app.button(key="inspect_test_map").click().run()
    assert not app.exception
    assert "Blotting out the brightest tenth of the map lowers the score from 0.90 to 0.40" in app.markdown[0].value
    app.button(key="inspect_test_map").click().run()
    assert len(app.markdown) == 1, "pressed twice"
    app.selectbox[0].set_value("saliency").run()
    assert not app.markdown, "another map has not been tested"
    app.session_state["peak"] = 0.0
    app.run()
    assert not app.button and "nothing to test" in app.caption[0].value


def test_an_undecided_verdict_says_what_the_map_then_means():
    thresholds = make_card().thresholds.model_copy(update={"real_below": 0.2, "fake_from": 0.8})
    shown = heatmap(on_the_patch())
    assert "undecided" in maps.meaning(Verdict(0.5, 0.5, thresholds=thresholds), shown)
    assert not maps.meaning(Verdict(0.95, 0.5, thresholds=thresholds), shown)
    real = dataclasses.replace(shown, target="real")
    assert "towards real" in maps.meaning(Verdict(0.5, 0.5, thresholds=thresholds), real)
