"""The detectors that ship: whole, small enough, honest about themselves, and quiet on real photographs."""

from pathlib import Path

import numpy as np
import pytest

from dfcore.datasets.demo import sample_images
from dfcore.datasets.listing import list_images
from dfcore.detectors.bundle import OOD_FILE, REPLAY, read_card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import list_bundles
from dfcore.detectors.trained_on import Seen
from dfcore.evaluation import full_metrics, predictions_path, read_predictions, stored_splits

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
BUNDLES = list_bundles(MODELS)
PHOTOS = ROOT.parent / "shared" / "data" / "photos"
every_bundle = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)


def test_three_ship_and_are_light_enough_to_clone():
    assert {path.name for path in BUNDLES} == {"small", "faces", "photographs"}
    files = [file for path in BUNDLES for file in path.rglob("*") if file.is_file() and file.name != REPLAY]
    sizes = {path.name: sum(file.stat().st_size for file in files if path in file.parents) for path in BUNDLES}
    assert sum(sizes.values()) < 40e6 and sizes["photographs"] < 4e6, "its network is shared, and no part of it"
    assert all((path / REPLAY).stat().st_size < 10e6 for path in BUNDLES), "features of what it learned from"
    # The parts are shared; 78 MB are CLIP.
    everything = [file.stat().st_size for file in MODELS.rglob("*") if file.is_file()]
    assert sum(everything) < 130e6 and max(everything) < 100e6


@every_bundle
def test_a_card_tells_what_people_must_know(bundle):
    card = read_card(bundle)
    assert card.limits and card.description and card.licence and card.measured and card.robustness
    assert card.calibration.method != "none" and card.thresholds is not None
    assert card.ood is not None and (bundle / OOD_FILE).is_file()
    assert {"cross-validation", "validation"} <= set(card.results)
    assert not any("/" in str(value) for value in card.training.config.values()), "a path of the machine travels along"


@every_bundle
def test_figures_on_a_card_follow_from_the_predictions_beside_it(bundle):
    card = read_card(bundle)
    for split in ("cross-validation", "validation"):
        result = full_metrics(read_predictions(predictions_path(bundle, split)), card.threshold.value, card.thresholds)
        assert result["roc_auc"] == pytest.approx(card.results[split]["roc_auc"])
        assert result["ece"] == pytest.approx(card.results[split]["ece"])


@every_bundle
def test_it_recognises_the_images_that_it_was_trained_on(bundle):
    card, listed = read_card(bundle), Detector.load(bundle).trained_on
    counts = {split: sum(of_class.values()) for split, of_class in card.training.counts.items()}
    assert (card.trained_on.train, card.trained_on.validation) == (counts["train"], counts["validation"])
    expected = {"cross-validation": Seen.TRAIN, "validation": Seen.VALIDATION, "test": Seen.NOT_FOUND}
    for split in stored_splits(bundle):
        files = read_predictions(predictions_path(bundle, split)).sha256.tolist()
        nothing = [None] * len(files)
        assert set(listed.find(nothing, files, lambda rest: [None] * len(rest))) == {expected[split]}, split


@every_bundle
def test_a_photograph_is_judged_and_noise_is_not_trusted(bundle):
    detector = Detector.load(bundle)
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    photograph, strange = detector.predict([sample_images()["photograph-temple.png"], noise])
    assert photograph.error is None and 0 <= photograph.score <= 1
    assert strange.decision == "inconclusive" and strange.reason


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not here")
@every_bundle
def test_few_of_a_hundred_real_photographs_are_called_fake(bundle):
    verdicts = Detector.load(bundle).predict(list_images([PHOTOS]))
    assert sum(verdict.decision == "fake" for verdict in verdicts) <= 5
