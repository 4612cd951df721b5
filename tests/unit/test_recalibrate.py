"""Thresholds and gate are fitted on handled images; network, calibration and the old bundle stay as they are."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dfcore.confidence import DecisionThresholds, ErrorBudget, FileRange, OODDetector
from dfcore.datasets import scan
from dfcore.detectors.bundle import read_card, write_bundle, write_card, write_trained_on
from dfcore.detectors.card import Card, MapFigures, OODRecord, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import TrainedOn
from dfcore.engines import Outputs
from dfcore.errors import InputError
from dfcore.evaluation import (
    HANDLED,
    Learned,
    learned_features,
    measure_handled,
    predict_split,
    predictions_path,
    read_predictions,
    refit,
    thresholds_for,
    write_predictions,
)
from dfcore.evaluation.refit import HANDLINGS, handled_rows
from dfcore.exchange.recalibrate import recalibrate
from dfcore.imaging.signature import signature
from dfcore.utils.files import sha256_file
from tests.conftest import make_card, untrained

PER_CLASS = 20


class Grain:
    """Finds images with a fine checkerboard fake, as some generators leave it: blur and halving break it."""

    name, width = "grain", 3

    def outputs(self, pixels: np.ndarray) -> Outputs:
        grey = pixels.mean(-1)
        board = np.indices(grey.shape[1:]).sum(0) % 2 * 2 - 1
        trace = (grey * board).mean((1, 2))
        features = np.stack([trace, grey.mean((1, 2)), np.abs(np.diff(grey, axis=2)).mean((1, 2))], 1)
        return Outputs((trace - 4).astype(np.float32), features.astype(np.float32))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """20 smooth images a class, the fakes with a checkerboard of 8 grey levels."""
    folder, random = tmp_path_factory.mktemp("grain") / "data", np.random.default_rng(0)
    board = (np.indices((48, 48)).sum(0) % 2 * 2 - 1)[..., None]
    for name, strength in (("real", 0), ("fake", 8)):
        (folder / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            small = Image.fromarray(random.integers(60, 200, (6, 6, 3)).astype(np.uint8))
            pixels = np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC), float)
            pixels = pixels + strength * board + random.normal(0, 1.5, pixels.shape)
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def card(**changes):
    values = {
        "title": "Grain", "created": "today", "arch": "none", "loss": "binary",
        "preprocess": Preprocess(size=48, resize="stretch"), "cam_layer": "none", "training": Training(dataset="none"),
        "threshold": Threshold(value=0.5, chosen_on="nothing", criterion="none"),
        "ood": OODRecord(files=FileRange(sides=(48, 48)), sha256=""),
        "decision_thresholds": DecisionThresholds(real_below=0.5, fake_from=0.5, chosen_on="validation"),
    }  # fmt: skip
    return Card(**(values | changes))


@pytest.fixture(scope="module")
def fitted(root):
    """What is fitted on those images, and the data set."""
    dataset, detector = scan(root), Detector(card(), Grain(), None)
    rows = dataset.usable
    paths = [dataset.root / path for path in rows.path]
    bank = measure_handled(detector, paths, rows.label.tolist(), [HANDLINGS] * len(rows))
    features = bank.features[(bank.table.handling == "original").to_numpy()]
    domain = OODDetector.fit(features, features)
    originals = bank.table[bank.table.handling == "original"]
    base = pd.DataFrame({"label": originals.label, "logit": originals.logit, "group": ""})

    def learned(sound):
        return learned_features(detector, paths, sound)

    return refit(detector.card, domain, bank, rows, base, "validation", Learned(learned)), bank


def test_what_breaks_the_score_is_measured_and_refused(fitted):
    result, bank = fitted
    gate = {row.handling: row for row in result.card.ood.gate.measured}
    assert set(gate) == set(bank.table.handling) <= set(HANDLINGS)
    assert gate["original"].sound
    assert gate["jpeg_90"].sound
    assert not gate["blur_2"].sound
    assert not gate["half"].sound
    assert gate["original"].refused <= 0.1
    for broken in ("half", "quarter", "jpeg_20", "blur_4"):
        assert gate[broken].refused > 0.9, broken
    # What looks like a smooth photograph passes, and the card does not hide it.
    assert gate["blur_2"].passed == 1


def test_a_bank_holds_what_each_handling_made_of_each_image(fitted, root):
    _, bank = fitted
    assert bank.table.groupby("handling").size().max() == 2 * PER_CLASS
    sides = bank.table.groupby("handling").side.median()
    assert (sides["original"], sides["half"], sides["double"]) == (48, 24, 96)
    assert "enlarged_1024" not in sides, "nobody enlarges twenty times"
    assert bank.table[bank.table.handling == "phone"].quality.eq(60).all()
    assert bank.table[bank.table.handling == "original"].quality.isna().all()


def test_the_fitted_card_judges_a_handled_image_as_it_was_measured(fitted, root):
    result, _ = fitted
    detector = Detector(result.card, Grain(), None, ood_detector=result.ood_detector)
    image = Image.open(root / "fake" / "0.png")
    whole, half = detector.predict([np.asarray(image), np.asarray(image.resize((24, 24)))])
    assert whole.decision == "fake"
    assert half.decision == "inconclusive"
    assert "24 pixels; below" in half.reason
    assert (
        OODDetector.from_bytes(result.ood_detector.to_bytes()).handled.tolist() == result.ood_detector.handled.tolist()
    )


# === A bundle ===


@pytest.fixture
def bundle(root, tmp_path):
    """An untrained network that lists the images of `root` as held out but three a class, with predictions on them."""
    dataset = scan(root)
    features = np.random.default_rng(0).normal(size=(30, 8))
    made = tmp_path / "old"
    write_bundle(tmp_path / "bare", untrained(1), make_card())
    bare = Detector.load(tmp_path / "bare")
    table = predict_split(bare, dataset, None, cache_dir=tmp_path / "cache")
    features = bare.engine.outputs(np.stack([bare.spec.apply(np.asarray(Image.open(root / p))) for p in table.path]))
    domain = OODDetector.fit(features.features, features.features)
    thresholds = DecisionThresholds(real_below=0.4, fake_from=0.6, chosen_on="the validation split")
    old = make_card(ood=OODRecord(files=FileRange(sides=(48, 48)), sha256=""), decision_thresholds=thresholds)
    write_bundle(made, untrained(1), old, domain)
    rows = dataset.usable
    looks = [signature(np.asarray(Image.open(root / path))) for path in rows.path]
    listed = TrainedOn.of(
        rows.pixels_sha256.tolist(), rows.sha256.tolist(), looks, [k % PER_CLASS > 2 for k in range(len(rows))]
    )
    write_trained_on(made, read_card(made), listed)
    write_predictions(predictions_path(made, "validation"), table)
    return made


@pytest.mark.slow
def test_a_new_bundle_has_the_same_network_and_new_figures(bundle, root, tmp_path):
    tested = MapFigures(method="gradcam", split="validation", images=9, beats_random=0.9, sanity=0.1)
    write_card(bundle, read_card(bundle).model_copy(update={"faithfulness": (tested,)}))
    before = {path.name: sha256_file(path) for path in bundle.iterdir()}
    new = recalibrate(bundle, [scan(root)], tmp_path / "new")
    assert {path.name: sha256_file(path) for path in bundle.iterdir()} == before, "never in place"
    assert sha256_file(tmp_path / "new" / "model.keras") == before["model.keras"]
    assert new == read_card(tmp_path / "new")
    assert new.ood.gate.measured
    assert new.calibration == read_card(bundle).calibration, "that of images as they are"
    assert new.words.sources == () and new.faithfulness == (), "those were of the old scores"
    detector = Detector.load(tmp_path / "new")
    table = read_predictions(predictions_path(tmp_path / "new", "validation"))
    verdicts = detector.predict([root / path for path in table.path])
    assert [v.score for v in verdicts] == pytest.approx(table.score.tolist())
    assert [v.ood.is_ood for v in verdicts] == table.is_ood.tolist()
    handled = read_predictions(predictions_path(tmp_path / "new", HANDLED))
    assert set(handled.group) == {row.handling for row in new.ood.gate.measured}
    json.dumps(new.model_dump(mode="json"), allow_nan=False)


@pytest.mark.slow
def test_handled_training_images_bound_the_domain_and_are_replaced_the_next_time(bundle, root, tmp_path):
    own, card = len(Detector.load(bundle).ood_detector.references), read_card(bundle)
    lax = card.thresholds.model_copy(update={"budget": ErrorBudget(max_fpr=0.5, max_fnr=0.5)})
    write_card(bundle, card.model_copy(update={"decision_thresholds": lax}))  # So that some handling is sound.
    once = recalibrate(bundle, [scan(root)], tmp_path / "once")
    twice = recalibrate(tmp_path / "once", [scan(root)], tmp_path / "twice")
    assert 0 < once.ood.gate.learned <= 6 * 4, "six training images, four handlings of each"
    for name, card in (("once", once), ("twice", twice)):
        assert len(Detector.load(tmp_path / name).ood_detector.references) == own + card.ood.gate.learned
    assert (once.ood.gate, once.thresholds) == (twice.ood.gate, twice.thresholds), "fitted anew, to the same"


@pytest.mark.slow
def test_other_budgets_are_chosen_on_handled_images_too(bundle, root, tmp_path):
    new = recalibrate(bundle, [scan(root)], tmp_path / "new")
    budget = new.thresholds.budget.model_copy(update={"max_fpr": 0.2, "max_fnr": 0.2})
    wider = thresholds_for(tmp_path / "new", new, budget)
    assert wider.fake_from <= new.thresholds.fake_from
    assert wider.real_below >= new.thresholds.real_below
    same = thresholds_for(tmp_path / "new", new.model_copy(update={"decision_thresholds": None}), new.thresholds.budget)
    assert (same.real_below, same.fake_from) == pytest.approx((new.thresholds.real_below, new.thresholds.fake_from))


@pytest.mark.parametrize(("side", "of_class"), [(200, 100), (4000, 17), (7000, 15)])
def test_fewer_of_large_images_are_handled(side, of_class):
    rows = pd.DataFrame({"label": [0, 1] * 150, "width": side, "height": side, "sha256": map(str, range(300))})
    chosen = handled_rows(rows)
    assert chosen.label.value_counts().tolist() == [of_class, of_class]
    assert chosen.index.is_monotonic_increasing
    assert handled_rows(rows.iloc[: 2 * 15 - 1]) is None
    assert handled_rows(rows.assign(sha256="a copy")) is None, "copies count once"


def test_what_it_cannot_do_is_told(bundle, root, tmp_path):
    with pytest.raises(InputError, match="never recalibrated in place"):
        recalibrate(bundle, [scan(root)], bundle)
    other = scan(root)
    few = replace(other, table=other.table.iloc[: PER_CLASS + 3])
    with pytest.raises(InputError, match=r"at least 15 real and 15 fake.*Received"):
        recalibrate(bundle, [few], tmp_path / "new")
    assert not (tmp_path / "new").exists()
