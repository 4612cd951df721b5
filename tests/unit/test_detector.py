"""Detectors and their bundles: one score for one image whichever way it comes, and nothing altered is loaded."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfcore import workspace
from dfcore.architectures import build_model
from dfcore.confidence import (
    Calibration,
    DecisionThresholds,
    ErrorBudget,
    FileRange,
    OODDetector,
    OODResult,
    Policy,
    sigmoid,
)
from dfcore.datasets import TEST, scan
from dfcore.detectors import bundle as bundles
from dfcore.detectors import library
from dfcore.detectors.bundle import read_card, write_bundle, write_card
from dfcore.detectors.card import Card, OODRecord, Preprocess, Threshold, Training
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import find_bundle
from dfcore.detectors.verdict import Verdict
from dfcore.errors import BundleError, ImageError
from dfcore.evaluation import measure, predict_split
from dfcore.utils.files import sha256_bytes, sha256_file

SIZE = 32


def make_card(**changes) -> Card:
    values = {
        "title": "A small one",
        "created": bundles.now(),
        "arch": "cnn",
        "loss": "binary",
        "preprocess": Preprocess(size=SIZE, resize="stretch"),
        "threshold": Threshold(value=0.5, chosen_on="nothing", criterion="none"),
        "cam_layer": "conv_last",
        "training": Training(dataset="none"),
    }
    return Card(**(values | changes))


@pytest.fixture(scope="module")
def model():
    import keras

    keras.utils.set_random_seed(3)
    return build_model("cnn", size=SIZE)


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "small"
    write_bundle(folder, model, make_card())
    return folder


@pytest.fixture(scope="module")
def detector(bundle) -> Detector:
    return Detector.load(bundle)


@pytest.fixture
def own(bundle, tmp_path) -> Path:
    """A copy of the bundle that may be spoilt."""
    folder = tmp_path / "own"
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(1).integers(0, 256, (45, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


# === Judging ===


def test_one_image_has_one_score_whichever_way_it_comes(detector, photo):
    with Image.open(photo) as opened:
        opened.load()
    sources = {
        "path": photo,
        "path as text": str(photo),
        "bytes": photo.read_bytes(),
        "stream": io.BytesIO(photo.read_bytes()),
        "Pillow image": opened,
        "array": np.asarray(opened),
    }
    verdicts = dict(zip(sources, detector.predict(sources.values()), strict=True))
    assert {verdict.error for verdict in verdicts.values()} == {None}
    assert len({verdict.score for verdict in verdicts.values()}) == 1, verdicts
    assert 0 < verdicts["path"].score < 1


def test_a_score_does_not_depend_on_the_batch(detector, small_dataset):
    paths = sorted(small_dataset.rglob("*.png"))[:10]
    whole = [verdict.score for verdict in detector.predict(paths)]
    for size in (1, 3, 7):
        assert [verdict.score for verdict in detector.predict(paths, batch_size=size)] == whole, size
    assert [verdict.score for verdict in detector.predict(paths[::-1], workers=1)] == whole[::-1]


def test_an_unreadable_image_is_told_and_the_others_are_judged(detector, photo, tmp_path):
    broken, text = tmp_path / "broken.png", tmp_path / "text.jpg"
    broken.write_bytes(photo.read_bytes()[:200])
    text.write_text("no image")
    (alone,) = detector.predict([photo])
    verdicts = detector.predict([broken, photo, text, photo, tmp_path / "gone.png"], batch_size=2)
    assert [verdict.score for verdict in verdicts] == [None, alone.score, None, alone.score, None]
    assert [verdict.label for verdict in verdicts] == [None, alone.label, None, alone.label, None]
    assert "damaged" in verdicts[0].error
    assert "Not an image" in verdicts[2].error
    assert "There is no file" in verdicts[4].error


def test_no_images_give_no_verdicts(detector):
    assert detector.predict([]) == []


def test_progress_counts_the_images(detector, photo):
    text = []
    detector.predict([photo] * 5, batch_size=2, progress=text.append)
    assert text == [2, 4, 5]


DECISIONS = {
    "above": (0.51, 0.5, "fake"),
    "on the threshold: fake": (0.5, 0.5, "fake"),
    "below": (0.49, 0.5, "real"),
    "nothing is called fake above one": (1.0, 1.0, "fake"),
    "from nought on all is fake": (0.0, 0.0, "fake"),
    "no score, no call": (None, 0.5, None),
}


@pytest.mark.parametrize(("score", "threshold", "side"), DECISIONS.values(), ids=DECISIONS)
def test_the_threshold_belongs_to_fake(score, threshold, side):
    verdict = Verdict(score, threshold)
    assert verdict.side == side
    # Where a card names no other thresholds, the three-way answer is the two-way one, but it has no right to words.
    assert verdict.decision == ("inconclusive" if side == "real" else side)
    assert (verdict.reason is None) == (side != "real")


BETWEEN = DecisionThresholds(real_below=0.3, fake_from=0.8, says_real=True)
UNLIKE = OODResult(2.0, ("its shorter side has 9 pixels",))
# {reason: (score, ood_result, ignore_ood, side of the one threshold, three-way answer, what the reason says)}.
THREE_WAY = {
    "below the lower threshold": (0.29, OODResult(0.5), False, "real", "real", None),
    "on the lower threshold": (0.3, OODResult(0.5), False, "real", "inconclusive", "between the two thresholds"),
    "just below the upper one": (0.79, OODResult(0.5), False, "fake", "inconclusive", "between the two thresholds"),
    "on the upper threshold": (0.8, OODResult(0.5), False, "fake", "fake", None),
    "no record of the training images": (0.9, OODResult(None), False, "fake", "fake", None),
    "unlike, whatever the score": (0.99, UNLIKE, False, "fake", "inconclusive", "unlike those.* 9 pixels"),
    "unlike, but somebody insists": (0.99, UNLIKE, True, "fake", "fake", None),
    "unlike, insisted, and between": (0.5, UNLIKE, True, "fake", "inconclusive", "between the two thresholds"),
    "not readable": (None, OODResult(None), True, None, None, None),
}


@pytest.mark.parametrize(("score", "known", "ignore_ood", "side", "call", "reason"), THREE_WAY.values(), ids=THREE_WAY)
def test_three_answers_and_why_there_is_none(score, known, ignore_ood, side, call, reason):
    verdict = Verdict(score, 0.5, thresholds=BETWEEN, ood=known, ignore_ood=ignore_ood)
    assert (verdict.side, verdict.decision) == (side, call)
    assert verdict.label == (None if call == "inconclusive" else call), "no comfort, and no alarm, without right"
    if reason is None:
        assert verdict.reason is None
    else:
        assert re.search(reason, verdict.reason)


def test_the_threshold_of_the_card_decides(model, photo, tmp_path):
    (score,) = (verdict.score for verdict in judged(model, photo, tmp_path / "half", 0.5))
    (on,) = judged(model, photo, tmp_path / "on", score)
    (above,) = judged(model, photo, tmp_path / "above", float(np.nextafter(score, 1)))
    assert (on.side, above.side) == ("fake", "real")
    assert on.threshold == score


def judged(model, photo: Path, folder: Path, threshold: float) -> list[Verdict]:
    chosen = Threshold(value=threshold, chosen_on="test", criterion="none")
    write_bundle(folder, model, make_card(threshold=chosen))
    return Detector.load(folder).predict([photo])


def test_scores_are_the_sigmoid_of_logits_without_overflow():
    logits = np.array([-1000.0, -5.0, 0.0, 5.0, 1000.0])
    scores = sigmoid(logits)
    np.testing.assert_allclose(scores, [0, 1 / (1 + np.exp(5)), 0.5, 1 / (1 + np.exp(-5)), 1], rtol=1e-12)
    assert scores.dtype == np.float64


# === Calibration, thresholds, and what it knows ===

SURE = Calibration(method="platt", slope=3.0, offset=-0.25, fitted_on="nothing", images=100)
STEPS = Calibration(method="isotonic", knots=[(-9.0, 0.2), (0.0, 0.4), (9.0, 0.9)], images=9000)


@pytest.mark.parametrize("calibration", [Calibration(), SURE, STEPS], ids=["none", "platt", "isotonic"])
def test_the_score_is_what_the_card_makes_of_the_logit(calibration, model, photo, tmp_path):
    write_bundle(tmp_path / "one", model, make_card(calibration=calibration))
    (verdict,) = Detector.load(tmp_path / "one").predict([photo])
    assert verdict.score == calibration.apply(np.array([verdict.logit], np.float32))[0]
    assert 0 < verdict.score < 1


def test_thresholds_are_the_cards_unless_others_are_asked_for(model, photo, tmp_path):
    write_bundle(tmp_path / "one", model, make_card(decision_thresholds=DecisionThresholds(real_below=-1, fake_from=2)))
    detector = Detector.load(tmp_path / "one")
    (own,) = detector.predict([photo])
    (other,) = detector.predict([photo], policy=Policy(DecisionThresholds(real_below=0, fake_from=0)))
    assert own.decision == "inconclusive", "both sides abstain"
    assert "between the two thresholds" in own.reason
    assert (other.decision, other.reason) == ("fake", None)
    assert own.score == other.score
    assert own.side == other.side, "it has a threshold of its own"
    assert (own.label, other.label) == (None, "fake")


@pytest.fixture(scope="module")
def knowing(model, bundle, small_dataset, tmp_path_factory) -> Path:
    """A detector that knows the training images of the small data set: PNGs of 32 pixels with some colour."""
    folder = tmp_path_factory.mktemp("bundles") / "knowing"
    bare = Detector.load(bundle)
    paths = {split: sorted((small_dataset / split).rglob("*.png")) for split in ("train", "validation")}
    features = {
        split: bare.engine.outputs(np.stack([np.asarray(Image.open(path)) for path in result])).features
        for split, result in paths.items()
    }
    files = FileRange(sides=(32, 32), colourfulness=0.05)
    card = make_card(ood=OODRecord(files=files, sha256="", limit_from="validation"))
    write_bundle(folder, model, card, OODDetector.fit(features["train"], features["validation"]))
    return folder


def test_a_familiar_image_gets_a_verdict_and_a_strange_one_a_reason(knowing, small_dataset, tmp_path):
    detector = Detector.load(knowing)
    large, grey = tmp_path / "large.png", tmp_path / "grey.png"
    with Image.open(next((small_dataset / "train" / "real").iterdir())) as image:
        image.resize((320, 320)).save(large)
        image.convert("L").save(grey)
    familiar, big, colourless = detector.predict([*list((small_dataset / "train" / "fake").iterdir())[:1], large, grey])
    assert familiar.ood.distance < 1
    assert familiar.finding == {"fake": "fake", "real": "no_sign"}[familiar.side]
    reasons = {"its shorter side has 320 pixels; the training images had 32": big, "hardly any colour": colourless}
    for text, verdict in reasons.items():
        assert verdict.decision == "inconclusive", text
        assert verdict.reason.startswith("The image is unlike those that the detector was trained on")
        assert text in verdict.reason
    (insisted,) = detector.predict([large], policy=Policy(ignore_ood=True))
    assert (insisted.finding, insisted.score) == ({"fake": "fake", "real": "no_sign"}[big.side], big.score)
    assert (insisted.reason is None) == (big.side == "fake")
    assert "unlike" not in (insisted.reason or ""), "it is not the image's kind that holds it back"
    assert insisted.ood.is_ood, "it is told all the same"


def test_how_far_an_image_lies_does_not_depend_on_its_company(knowing, small_dataset):
    detector = Detector.load(knowing)
    paths = sorted((small_dataset / "test").rglob("*.png"))[:7]
    whole = [verdict.ood for verdict in detector.predict(paths)]
    assert [verdict.ood for verdict in detector.predict(paths, batch_size=2)] == whole
    assert [verdict.ood for verdict in detector.predict([path.read_bytes() for path in paths])] == whole
    assert len({result.distance for result in whole}) == len(paths)


def test_what_a_data_set_was_measured_to_be_is_what_a_user_gets(knowing, small_dataset, tmp_path):
    """The size and quality of a data set's files are read once, by the scan; an upload tells its own."""
    detector = Detector.load(knowing)
    root = tmp_path / "set"
    shutil.copytree(small_dataset / TEST, root / TEST)
    with Image.open(next((root / TEST / "real").iterdir())) as image:
        image.resize((100, 90)).save(root / TEST / "real" / "large.png")
        image.convert("L").save(root / TEST / "fake" / "grey.jpg", quality=20)
    table = predict_split(detector, scan(root), TEST, cache_dir=tmp_path / "cache")
    verdicts = detector.predict([root / path for path in table.path])
    assert table.is_ood.tolist() == [verdict.ood.is_ood for verdict in verdicts]
    assert table.score.tolist() == [verdict.score for verdict in verdicts]
    strange = set(table.path[table.is_ood])
    assert {f"{TEST}/real/large.png", f"{TEST}/fake/grey.jpg"} <= strange
    assert len(strange) < len(table) / 2


def test_explaining_takes_what_judging_takes(detector, photo, tmp_path):
    one, two = detector.explain(photo), detector.explain(photo.read_bytes(), method="gradcam", target="fake")
    assert one.values.shape == (45, 60)
    np.testing.assert_array_equal(one.values, two.values)
    assert detector.explainer() is detector.explainer(), "it holds graphs that are dear to make"
    with pytest.raises(ImageError, match="There is no file"):
        detector.explain(tmp_path / "gone.png")


# === The same pixels in training and in use ===


@pytest.mark.parametrize("resize", ["stretch", "fit_crop", "native_crop"])
def test_cached_pixels_and_file_bytes_give_the_same_score_to_the_last_bit(resize, model, tmp_path):
    """What was measured on a data set is what a user gets who uploads one of its files."""
    folder = tmp_path / "bundle"
    write_bundle(folder, model, make_card(preprocess=Preprocess(size=SIZE, resize=resize)))
    detector = Detector.load(folder)
    root = tmp_path / "set"
    random = np.random.default_rng(4)
    modes = {"rgb.png": "RGB", "grey.png": "L", "clear.png": "RGBA", "palette.gif": "P", "lossy.jpg": "RGB"}
    for label in ("real", "fake"):
        for name, mode in modes.items():
            path = root / TEST / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (50, 41, 4 if mode == "RGBA" else 3)).astype(np.uint8)
            Image.fromarray(pixels).convert(mode).save(path)
    table = predict_split(detector, scan(root), TEST, cache_dir=tmp_path / "cache")
    assert len(table) == 2 * len(modes)
    verdicts = detector.predict([(root / path).read_bytes() for path in table.path])
    assert [verdict.score for verdict in verdicts] == table.score.tolist()
    again = predict_split(detector, scan(root), TEST, cache_dir=tmp_path / "cache")
    assert again.score.tolist() == table.score.tolist()
    assert (
        predict_split(detector, scan(root), TEST, cache_dir=tmp_path, cache="memory").score.tolist()
        == table.score.tolist()
    )


def test_measuring_tells_what_was_measured(detector, small_dataset, tmp_path):
    metrics, table = measure(detector, scan(small_dataset), TEST, cache_dir=tmp_path)
    assert metrics["images"] == len(table) == len(list((small_dataset / TEST).rglob("*.png")))
    assert (metrics["split"], metrics["unreadable"]) == (TEST, 0)
    assert metrics["same_data_as_training"] is False
    called = (table.score >= detector.threshold) == (table.label == 1)
    assert metrics["accuracy"] == called.mean()


# === Bundles ===


def test_a_bundle_tells_all_that_is_needed_to_use_it(bundle, detector):
    card = read_card(bundle)
    assert card.model_sha256 == sha256_bytes((bundle / "model.keras").read_bytes())
    assert card.labels == {"0": "real", "1": "fake"}
    assert set(card.versions) >= {"dfcore", "tensorflow", "keras", "numpy", "pillow"}
    assert (detector.spec.size, detector.spec.resize, detector.threshold) == (SIZE, "stretch", 0.5)
    assert not [path for path in bundle.parent.iterdir() if path.name.startswith(".")], "nothing is left aside"


def test_writing_a_bundle_again_replaces_it(model, tmp_path, photo):
    write_bundle(tmp_path / "one", model, make_card(title="first"))
    write_bundle(tmp_path / "one", model, make_card(title="second"))
    assert Detector.load(tmp_path / "one").card.title == "second"


def flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.keras").write_bytes(data)


def change_card(folder: Path, **changes) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def use_no_model(folder: Path) -> None:
    """A file that is no model, with a card that was written for it."""
    (folder / "model.keras").write_bytes(b"no model")
    change_card(folder, model_sha256=sha256_bytes(b"no model"))


SPOILT = {
    "altered model": (flip_a_bit, r"is not the model that its card was written for.*Expected SHA-256 [0-9a-f]{12}"),
    "no model": (lambda folder: (folder / "model.keras").unlink(), "it has no model.keras"),
    "no card": (lambda folder: (folder / "card.json").unlink(), "There is no detector"),
    "card that is no JSON": (lambda folder: (folder / "card.json").write_text("{"), "cannot be read"),
    "card that is a list": (
        lambda folder: (folder / "card.json").write_text("[]"),
        "not a valid card of schema version 1",
    ),
    "another schema": (lambda folder: change_card(folder, schema_version=2), "schema version 1.*schema_version"),
    "threshold above one": (
        lambda folder: change_card(folder, threshold={"value": 2, "chosen_on": "", "criterion": ""}),
        r"threshold\.value",
    ),
    "unknown preprocessing": (
        lambda folder: change_card(folder, preprocess={"size": SIZE, "resize": "squeeze"}),
        "squeeze",
    ),
    "another size": (
        lambda folder: change_card(folder, preprocess={"size": 64, "resize": "stretch"}),
        r"Expected input shape \(64, 64, 3\)\. Received: \(32, 32, 3\)",
    ),
    "a hash that fits a file that is no model": (use_no_model, "Expected a zip archive"),
    "calibration of an unknown kind": (
        lambda folder: change_card(folder, calibration={"method": "beta"}),
        r"calibration\.method",
    ),
    "a slope that is no number": (
        lambda folder: change_card(folder, calibration={"method": "platt", "slope": float("nan")}),
        "NaN is no finite number",
    ),
    "a budget out of its range": (
        lambda folder: change_card(
            folder, decision_thresholds={"real_below": 0, "fake_from": 1, "budget": {"max_fnr": 2}}
        ),
        r"decision_thresholds\.budget\.max_fnr",
    ),
    "known images that are not there": (
        lambda folder: change_card(folder, ood={"files": {"sides": [32, 32]}, "sha256": "0" * 64}),
        r"domain\.npz cannot be read",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_bundle_is_refused_with_the_reason(spoil, message, own):
    spoil(own)
    with pytest.raises(BundleError) as refused:
        Detector.load(own)
    assert re.search(message, str(refused.value), re.DOTALL), refused.value


def altered_domain(folder: Path) -> None:
    data = bytearray((folder / "domain.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "domain.npz").write_bytes(data)


def use_no_domain(folder: Path, content: bytes = b"no record") -> None:
    """A file that is no record of images, with a card that was written for it."""
    (folder / "domain.npz").write_bytes(content)
    known = json.loads((folder / "card.json").read_text())["ood"]
    change_card(folder, ood=known | {"sha256": sha256_bytes(content)})


def pickled() -> bytes:
    """An .npz whose array is a pickled object, which could run code."""
    buffer = io.BytesIO()
    np.savez(buffer, mean=np.array([{}], object), basis=0, references=0, limit=1)
    return buffer.getvalue()


SPOILT_RECORDS = {
    "altered": (altered_domain, "not the file that its card was written for, and was refused"),
    "gone": (lambda folder: (folder / "domain.npz").unlink(), "cannot be read"),
    "no record": (use_no_domain, "cannot be read"),
    "a pickled object": (lambda folder: use_no_domain(folder, pickled()), "cannot be read"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILT_RECORDS.values(), ids=SPOILT_RECORDS)
def test_a_spoilt_record_of_known_images_is_refused(spoil, message, knowing, tmp_path):
    """Else somebody could make a detector believe that it knows what it does not."""
    shutil.copytree(knowing, tmp_path / "own")
    spoil(tmp_path / "own")
    with pytest.raises(BundleError, match=message):
        Detector.load(tmp_path / "own")


def test_all_of_a_card_comes_back_from_its_file(knowing, model, tmp_path):
    thresholds = DecisionThresholds(
        real_below=0.2, fake_from=0.7, budget=ErrorBudget(max_fnr=0.1), images=50, chosen_on="some"
    )
    card = make_card(calibration=STEPS, decision_thresholds=thresholds, ood=read_card(knowing).ood)
    written = write_bundle(tmp_path / "one", model, card, Detector.load(knowing).ood_detector)
    read = read_card(tmp_path / "one")
    assert read == written
    assert (read.calibration, read.decision_thresholds) == (STEPS, thresholds)
    assert read.ood.sha256 == sha256_file(tmp_path / "one" / "domain.npz")
    assert read.thresholds == thresholds


def test_a_card_of_version_0_1_is_read(own, photo):
    """It told in a sentence that it was not calibrated, and had one threshold."""
    values = json.loads((own / "card.json").read_text())
    for name in ("decision_thresholds", "ood", "measured", "robustness"):
        values.pop(name)
    values |= {"calibration": "none: the score is the network's own and no calibrated probability"}
    (own / "card.json").write_text(json.dumps(values))
    detector = Detector.load(own)
    (verdict,) = detector.predict([photo])
    assert detector.card.calibration == Calibration()
    assert verdict.score == sigmoid(verdict.logit)
    assert verdict.finding == {"fake": "fake", "real": "no_sign"}[verdict.side]
    assert verdict.ood == OODResult(None)


def test_code_in_a_model_is_never_run(tmp_path, photo):
    """A Lambda layer is Python from a file that somebody sent: `safe_mode` refuses it."""
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Lambda(lambda images: images * 2.0, output_shape=(SIZE, SIZE, 3))(inputs)
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x))
    write_bundle(tmp_path / "lambda", keras.Model(inputs, outputs), make_card())
    with pytest.raises(BundleError, match="no detector is made of: class_name 'Lambda'"):
        Detector.load(tmp_path / "lambda")


# === Finding and keeping ===


def put(bundle: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("model.keras", "card.json"):
        (folder / name).write_bytes((bundle / name).read_bytes())
    return folder


def test_a_bundle_is_found_by_folder_run_and_name(bundle):
    named = put(bundle, workspace.models_dir() / "faces")
    of_run = put(bundle, workspace.runs_dir() / "20260101-000000-000-cnn" / "bundle")
    assert find_bundle(bundle) == bundle
    assert find_bundle("faces") == named
    assert find_bundle(of_run.parent) == of_run, "a run's folder"
    assert find_bundle(of_run.parent.name) == of_run, "a run's id"
    assert Detector.load("faces").folder == named


def test_an_unknown_name_is_refused_with_the_known_ones(bundle):
    with pytest.raises(BundleError, match=r"no detector 'gone'.*none yet"):
        find_bundle("gone")
    put(bundle, workspace.models_dir() / "faces")
    with pytest.raises(BundleError, match="one of: faces"):
        find_bundle("gone")


def test_promoted_renamed_made_the_default_and_deleted(bundle):
    models = workspace.models_dir()
    assert library.list_bundles(models) == []
    assert library.default_name(models) is None
    for name in ("b", "a", "c"):
        assert library.promote(bundle, models, name) == models / name
    assert [path.name for path in library.list_bundles(models)] == ["a", "b", "c"]
    library.set_default(models, "c")
    assert [path.name for path in library.list_bundles(models)] == ["c", "a", "b"]
    # The default keeps its place under its new name, and is none when it is gone.
    library.rename(models, "c", "d")
    assert library.default_name(models) == "d"
    assert [path.name for path in library.list_bundles(models)] == ["d", "a", "b"]
    library.rename(models, "a", "e")
    assert library.default_name(models) == "d"
    library.delete(models, "d")
    assert library.default_name(models) is None
    assert [path.name for path in library.list_bundles(models)] == ["b", "e"]
    # Unless another one takes its place; one that is not there is refused before anything is deleted.
    library.set_default(models, "b")
    for successor in ("gone", "b"):
        with pytest.raises(BundleError, match=f"{successor}"):
            library.delete(models, "b", successor=successor)
    assert library.default_name(models) == "b"
    library.promote(bundle, models, "f")
    library.delete(models, "b", successor="f")
    assert library.default_name(models) == "f"
    library.delete(models, "f")
    assert Detector.load("e").card == read_card(bundle)


def test_a_card_can_be_written_anew_without_touching_the_model(own):
    card = read_card(own).model_copy(update={"title": "Another name"})
    write_card(own, card)
    assert Detector.load(own).card.title == "Another name"


BAD_NAMES = {
    "empty": "",
    "a way out": "../out",
    "a path": "a/b",
    "an absolute path": "/elsewhere",
    "hidden": ".hidden",
    "two dots": "..",
    "spaces": "my model",
    "a line break": "name\n",
    "letters of other scripts": "модель",
    "too long": "x" * 65,
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_names_that_could_lead_elsewhere_are_refused(name, bundle):
    models = workspace.models_dir()
    library.promote(bundle, models, "good")
    for attempt in (
        lambda: library.promote(bundle, models, name),
        lambda: library.rename(models, "good", name),
        lambda: library.rename(models, name, "other"),
        lambda: library.set_default(models, name),
        lambda: library.delete(models, name),
    ):
        with pytest.raises(BundleError, match="Expected a name of at most 64"):
            attempt()
    assert [path.name for path in models.iterdir() if path.name != ".lock"] == ["good"]


def test_a_name_is_given_once_and_only_to_what_is_there(bundle, own):
    models = workspace.models_dir()
    library.promote(bundle, models, "one")
    library.promote(bundle, models, "two")
    with pytest.raises(BundleError, match="already a detector named 'one'"):
        library.promote(bundle, models, "one")
    with pytest.raises(BundleError, match="already a detector named 'one'"):
        library.rename(models, "two", "one")
    for attempt in (library.delete, library.set_default):
        with pytest.raises(BundleError, match="no detector 'gone'"):
            attempt(models, "gone")
    flip_a_bit(own)
    with pytest.raises(BundleError, match="refused"):
        library.promote(own, models, "altered")
    assert [path.name for path in library.list_bundles(models)] == ["one", "two"]
