"""Verdicts as the store of cases keeps them."""

import json

import numpy as np

from dfcore import workspace
from dfcore.cases import open_store
from dfcore.cli import main
from dfcore.confidence import Calibration, DecisionThresholds
from dfcore.confidence.ood import OODResult
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.face_records import FaceSizes, FramingRecord, MeasuredFaces
from dfcore.detectors.remembered import card_sha256, cited, gate_sha256, judgement, picture
from dfcore.detectors.verdict import Verdict
from dfcore.faces import Framing
from dfcore.imaging import ImageFacts
from dfcore.utils.files import sha256_bytes
from tests.conftest import make_card
from tests.unit.cases import a_picture


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


def test_how_faces_are_cropped_changes_no_detector_that_cases_cite(tmp_path):
    card = make_card()
    sizes = FaceSizes(budget=0.05, measured=(MeasuredFaces(side=192, faces=100, alarms=4),))
    framed = card.model_copy(update={"framing": FramingRecord(margin=0.2, offset=-0.1), "face_sizes": sizes})
    assert card_sha256(card) == card_sha256(framed) and gate_sha256(card) == gate_sha256(framed)
    values = card.model_dump(mode="json")
    del values["framing"], values["face_sizes"]  # As cards were before there was such a thing.
    assert card_sha256(card) == sha256_bytes(json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode())
    (tmp_path / "card.json").write_text(json.dumps(values))
    assert read_card(tmp_path).framing is None
    write_card(tmp_path, framed)
    assert read_card(tmp_path).framing.framing == Framing(0.2, -0.1) and read_card(tmp_path).face_sizes == sizes


def test_a_detector_that_cases_cite_is_not_deleted_unasked(tmp_path, capsys):
    folder = workspace.runs_dir() / "20260101-000000-000-cnn"
    card = make_card(model_sha256="a" * 64)
    (folder / "bundle").mkdir(parents=True)
    write_card(folder / "bundle", card)
    (folder / "config.json").write_text("{}")
    assert cited(folder / "bundle") == "" and not workspace.cases_dir().exists()  # No store is made to ask.
    made = judgement(card, Verdict(0.1, 0.5, 1.0), key="run:x", title="x", by="ada", via="batch")
    open_store().remember(a_picture(), made)
    assert cited(folder / "bundle").startswith("Cases hold 1 of its verdicts")
    assert cited(tmp_path / "nothing") == ""
    status = {"state": "completed", "heartbeat": 0, "phase": "", "epoch": 1, "epochs": 1, "reason": ""}
    (folder / "status.json").write_text(json.dumps(status))
    assert main(["runs", "delete", folder.name]) == 2 and "--cited" in capsys.readouterr().err
    assert main(["runs", "delete", folder.name, "--cited"]) == 0 and not folder.exists()
