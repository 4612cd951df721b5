"""Verdicts as the store of cases keeps them."""

import numpy as np

from dfcore.cases import open_store
from dfcore.confidence import Calibration, DecisionThresholds
from dfcore.confidence.ood import OODResult
from dfcore.detectors.remembered import card_sha256, gate_sha256, judgement, picture
from dfcore.detectors.verdict import Verdict
from dfcore.imaging import ImageFacts
from tests.conftest import make_card


def test_what_is_stored_of_a_verdict_repeats_it():
    thresholds = DecisionThresholds(real_below=0.2, fake_from=0.8, says_real=True)
    verdict = Verdict(0.1, 0.5, -2.25, thresholds=thresholds, ood=OODResult(0.4))
    facts = ImageFacts("JPEG", 64, 48, "RGB", 1000, "a" * 64, pixels_sha256="b" * 64)
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    card, store = make_card(), open_store()
    made = judgement(card, verdict, key="small", title="Small", by="ada", via="inspect", engine="keras", name="x.jpg")
    store.remember(picture(facts, "x.jpg", rgb), made)
    kept = store.history(facts.sha256).judgements[0]
    assert (kept.finding, kept.score, kept.logit, kept.ood) == ("real", 0.1, -2.25, False)
    assert Verdict(kept.score, 0.5, thresholds=DecisionThresholds(**kept.thresholds)).finding == "real"
    turned = picture(facts, "x.jpg", rgb[:, ::-1])
    assert store.seen(picture(ImageFacts("PNG", 64, 48, "RGB", 9, "c" * 64), "y", rgb))[0].bits == 0
    assert turned.phash == picture(facts, "x.jpg", rgb).mirrored


def test_only_what_prepares_and_refuses_pictures_is_in_the_gate():
    card = make_card()
    calibrated = card.model_copy(update={"calibration": Calibration(method="temperature", slope=0.5)})
    larger = card.model_copy(update={"preprocess": card.preprocess.model_copy(update={"size": 64})})
    assert gate_sha256(card) == gate_sha256(calibrated) != gate_sha256(larger)
    assert card_sha256(card) != card_sha256(calibrated)
