"""Exports: each network in each format scores as its detector does or is refused, and runs without dfcore."""

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from dfcore import export as exports
from dfcore.cli import main
from dfcore.confidence import Calibration, DecisionThresholds
from dfcore.datasets import scan
from dfcore.detectors.bundle import read_card, write_bundle, write_trained_on
from dfcore.detectors.card import Preprocess
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import TrainedOn
from dfcore.engines import KerasEngine
from dfcore.errors import BundleError, DatasetError, DfcoreError, InputError
from dfcore.exchange.optimize import LIMIT, patterns
from dfcore.export import FORMATS
from dfcore.export.about import LEFT_OUT, NOT_EXPORTED
from dfcore.export.check import compared
from dfcore.export.cost import pictures as pictures_of
from dfcore.export.loader import example
from dfcore.runs import RunStore
from dfcore.training.config import TrainConfig
from dfcore.utils.files import sha256_file
from tests.conftest import make_card
from tests.contract.networks import SIZE, lively

PLATT = Calibration(method="platt", slope=0.7, offset=0.1, images=9)
STEPS = Calibration(method="isotonic", knots=[(-3.0, 0.01), (-1.0, 0.2), (0.5, 0.6), (2.0, 0.97)], images=9)
# What a converter cannot do, and what it says: the Fourier transform.
REFUSED = {("spectral_cnn", "litert"), ("spectral_cnn", "openvino")}
# Left to the table, which takes minutes.
IN_THE_TABLE = {
    "clip_vit_b16": "86 million weights",
    "resnet18": "its layers are among those of resnet50",
    "mobilenetv2": "its layers are among those of mobilenetv2_multiscale_fine",
    "mobilenetv2_multiscale": "its layers are those of mobilenetv2_multiscale_fine",
}
# Deep ones, of which one converter is tried here: the one that once wrote a wrong file without a word.
DEEP = {"resnet50", "efficientnetv2b0", "convnext_tiny", "mobilenetv2_multiscale_fine"}
# On flat images the logarithm of its spectrum amplifies rounding, which may differ by more than the limit.
DOUBTFUL = {("spectral_cnn", "onnx")}


def card_of(name: str, **changes: Any):
    views = changes.pop("views", ())
    size = Preprocess(size=SIZE, resize="fit_crop", views=views)
    return make_card(**{"arch": name, "preprocess": size, "calibration": PLATT} | changes)


def difference(form: str, model: Any, card: Any, folder: Path) -> float:
    """Largest difference of scores between an exported network and Keras."""
    views = len(card.spec.view_titles)
    pixels = patterns(card.spec.size, None, views)
    logits = KerasEngine(model, tta_flip=card.tta_flip, views=views, loss=card.loss).logits(pixels)
    expected = card.calibration.apply(logits)
    assert np.ptp(expected) > 0.2, "answers that are all alike show nothing"
    FORMATS[form].write(model, card, folder, None, False)
    scores, found = FORMATS[form].run(folder)(pixels)
    assert scores.shape == found.shape == logits.shape
    return float(np.abs(scores - expected).max())


@pytest.fixture(scope="module")
def network():
    return lively("cnn", heads=3)


@pytest.fixture(scope="module")
def bundle(network, tmp_path_factory) -> Path:
    """A detector with three views, each with a head of its own, mirror images and a calibration in steps."""
    folder = tmp_path_factory.mktemp("exported") / "views"
    thresholds = DecisionThresholds(real_below=0.3, fake_from=0.7)
    card = card_of(
        "cnn", views=("native", "native_br"), tta_flip=True, calibration=STEPS, decision_thresholds=thresholds
    )  # fmt: skip
    write_bundle(folder, network, card)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Path]:
    """Files of several sizes and kinds: one that EXIF turns, and one with transparency."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(5)
    made = []
    for number, (width, height) in enumerate(((90, 61), (40, 130), (20, 25))):
        coarse = random.integers(0, 256, (6, 7, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        made += [folder / f"{number}.jpg", folder / f"{number}.png"]
        turned = Image.Exif()
        turned[0x0112] = 6
        image.save(made[-2], exif=turned)
        image.putalpha(image.convert("L"))
        image.save(made[-1])
    return made


# === Every architecture, every format ===


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "litert", "openvino"])
def test_what_a_converter_writes_scores_as_keras_does(name, form, tmp_path):
    """SavedModel and Keras run the same operations; benchmarks/exports.py has the table of all."""
    if name in IN_THE_TABLE or (name in DEEP and form != "onnx"):
        pytest.skip(f"benchmarks/exports.py has it: {IN_THE_TABLE.get(name, 'a deep network')}")
    model, card = lively(name), card_of(name)
    if (name, form) in REFUSED:
        with pytest.raises(BundleError, match=r"has no operation for .*FFT2D|cannot represent .*FFT2D"):
            FORMATS[form].write(model, card, tmp_path, None, False)
    elif (name, form) in DOUBTFUL:
        assert difference(form, model, card, tmp_path) < 10 * LIMIT
    else:
        assert difference(form, model, card, tmp_path) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "form"),
    [("spectral_cnn", "savedmodel"), *((name, "keras") for name in ("spectral_cnn", "vit", "mobilenetv2_multiscale"))],
)
def test_layers_of_our_own_are_replaced_by_what_computes_the_same(arch, form, tmp_path):
    assert difference(form, lively(arch), card_of(arch), tmp_path) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_two_outputs_become_one_score(form, tmp_path):
    assert difference(form, lively("cnn", loss="categorical"), card_of("cnn", loss="categorical"), tmp_path) < LIMIT


@pytest.mark.parametrize("form", ["onnx", "litert", "openvino"])
def test_maps_of_one_place_are_normalised_as_keras_does(form, tmp_path):
    """The fault: ONNX took the variance of the last maps of convnext_tiny at 32 pixels over another axis.

    Its blocks, scaled by 1e-6 before they are trained, hide it there.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 3))
    maps = layers.Conv2D(8, SIZE, activation="relu")(layers.Rescaling(1 / 255)(image))
    block = layers.LayerNormalization(epsilon=1e-6)(layers.DepthwiseConv2D(7, padding="same")(maps))
    block = layers.Dense(8)(layers.Activation("gelu")(layers.Dense(16)(block)))
    places = layers.GlobalAveragePooling2D()(layers.Add()([maps, block]))
    model = keras.Model(image, layers.Dense(1)(layers.Rescaling(4.0)(places)))
    assert difference(form, model, card_of("cnn"), tmp_path) < LIMIT


def test_where_an_optimisation_for_onnx_fails_the_network_is_written_without_it(monkeypatch, tmp_path):
    from tf2onnx import optimizer

    tried = []

    class Fails:
        def optimize(self, graph, iteration):
            tried.append(iteration)
            raise ValueError("an optimisation failed")

    every = optimizer._get_optimizers()
    monkeypatch.setitem(every, next(iter(every)), Fails)
    assert difference("onnx", lively("cnn", size=SIZE), card_of("cnn"), tmp_path) < LIMIT
    assert len(tried) > 1, "once without copies, then with them"


# === An export ===


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_an_export_judges_files_in_a_process_without_dfcore(form, bundle, pictures, tmp_path):
    made = exports.export(bundle, form, tmp_path / "out")
    about = json.loads((made.folder / "preprocessing.json").read_text())
    assert about["check"]["difference"] < LIMIT
    assert about["quantisation"] is None
    assert "OUT-OF-DISTRIBUTION DETECTION IS NOT PART" in about["not_exported"][0]
    for name, entry in about["files"].items():
        assert sha256_file(made.folder / name) == entry["sha256"]
    assert {path.name for path in tmp_path.iterdir()} == {"out"}, "nothing else is left"
    code = (
        "import runpy, sys; sys.modules['dfcore'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code, str(made.folder / "load_example.py"), *map(str, pictures)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    verdicts = Detector.load(bundle, "keras").predict(pictures)
    assert [row["file"] for row in rows] == [str(path) for path in pictures]
    np.testing.assert_allclose([row["score"] for row in rows], [v.score for v in verdicts], atol=LIMIT, rtol=0)
    from dfcore.confidence import FINDINGS

    assert [row["says"] for row in rows] == [FINDINGS[verdict.finding] for verdict in verdicts]
    if form == "savedmodel":
        assert made.files is not None and made.files["difference"] < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("form", ["litert", "openvino"])
def test_8_bits_come_with_what_they_cost_on_validation(form, small_dataset, tmp_path):
    write_bundle(tmp_path / "plain", lively("cnn"), card_of("cnn"))
    made = exports.export(tmp_path / "plain", form, tmp_path / "out", quantize="int8", data_root=small_dataset)
    cost = json.loads((made.folder / "preprocessing.json").read_text())["quantisation"]
    assert (cost["real"], cost["fake"], cost["split"], cost["bits"]) == (12, 12, "validation", 8)
    assert cost["calibrated_on"] == ("24 images of train" if form == "litert" else "")
    assert 0 < cost["mean_difference"] <= cost["largest_difference"] < 0.3, "rounded, and still the same network"
    assert abs(cost["before"]["roc_auc"] - cost["after"]["roc_auc"]) < 0.2
    weights = sum(path.stat().st_size for path in made.folder.glob("model.*"))
    assert weights < 0.4 * (tmp_path / "plain" / "model.keras").stat().st_size


@pytest.mark.parametrize("own", ["all", "a part", "none"])
def test_the_cost_of_8_bits_is_measured_on_its_own_data_alone(own, small_dataset, tmp_path):
    """The fault: a set that it had not learned from gave figures, and nothing was said."""
    hashes = scan(small_dataset).usable.sha256.tolist()
    learned = {"all": hashes, "a part": hashes[::3], "none": [f"{number:064x}" for number in range(1, 73)]}[own]
    nothing = [None] * len(learned)
    write_bundle(tmp_path / "plain", lively("cnn"), card_of("cnn"))
    listed = TrainedOn.of(nothing, learned, nothing, [number % 2 == 0 for number in range(len(learned))])
    write_trained_on(tmp_path / "plain", read_card(tmp_path / "plain"), listed)
    detector = Detector.load(tmp_path / "plain", "keras")
    if own == "none":
        message = "Expected the data set that .* was trained on. Received: small, most of whose 72 images"
        with pytest.raises(DatasetError, match=message):
            pictures_of(detector, small_dataset, lambda *_: None, calibrate=True, measured=10)
    else:
        pictures_of(detector, small_dataset, lambda *_: None, calibrate=True, measured=10)


def test_the_example_says_how_it_is_called_and_what_it_cannot_judge(pictures, tmp_path):
    """The fault: without pictures it said nothing and ended with 0; one that was not there gave a traceback."""
    stand_in = replace(FORMATS["onnx"], loader="def run(pixels): return [0.9]\n")
    (tmp_path / "load_example.py").write_text(example(stand_in, card_of("cnn").spec, takes_files=False))
    about = {"thresholds": {"fake_from": 0.7, "real_below": 0.3}, "words": {"fake": "likely fake"}}
    (tmp_path / "preprocessing.json").write_text(json.dumps(about))

    def called(*paths: Path) -> subprocess.CompletedProcess:
        command = [sys.executable, tmp_path / "load_example.py", *paths]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    alone = called()
    assert alone.returncode == 1 and "python load_example.py PICTURE ..." in alone.stderr
    done = called(tmp_path / "missing.jpg", pictures[0])
    missing, judged = map(json.loads, done.stdout.splitlines())
    assert missing["file"].endswith("missing.jpg") and "No such file" in missing["error"]
    assert judged["says"] == "likely fake"
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert called(pictures[0]).returncode == 0


def test_what_is_left_out_is_named_wherever_an_export_is_offered():
    document = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    told = " ".join(document.split()).lower()
    assert all(part in told for part in LEFT_OUT)
    assert all(part in " ".join(NOT_EXPORTED).lower() for part in LEFT_OUT)


# === What goes wrong ===


@pytest.mark.slow
def test_what_a_format_cannot_represent_is_refused_and_leaves_nothing(tmp_path, capsys):
    write_bundle(tmp_path / "spectral", lively("spectral_cnn"), card_of("spectral_cnn"))
    out = tmp_path / "to" / "out"
    assert main(["export", str(tmp_path / "spectral"), "--to", "litert", "--out", str(out)]) == 2
    assert "LiteRT has no operation for Complex, FFT2D, Roll of TensorFlow" in capsys.readouterr().err
    assert not list(out.parent.iterdir())


@pytest.mark.slow
def test_whoever_stops_an_export_finds_nothing_of_it_and_no_process(bundle, tmp_path):
    class StopError(Exception):
        pass

    def stop(title: str, *_: int) -> None:
        if title.startswith("Converting"):
            raise StopError

    with pytest.raises(StopError):
        exports.export(bundle, "keras", tmp_path / "out", progress=stop)
    assert not list(tmp_path.iterdir())
    assert not [each for each in psutil.Process().children() if "dfcore.export.worker" in each.cmdline()]


@pytest.mark.slow
def test_a_run_whose_data_are_gone_is_exported_without_pictures_and_says_so(tmp_path, capsys):
    (tmp_path / "emptied").mkdir()
    config = TrainConfig(data_root=str(tmp_path / "emptied"), arch="cnn", image_size=SIZE)
    run = RunStore(tmp_path / "runs").create(config.to_dict(), epochs=1)
    write_bundle(run.bundle, lively("cnn"), card_of("cnn"))
    assert main(["export", str(run.bundle), "--to", "keras", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "No pictures were among them, since its run's data set cannot be used" in told
    assert re.search(r"out: 2\.\d\d MB; on 32 fixed patterns its scores differ by up to", told)
    assert f"NOT exported: {', '.join(LEFT_OUT)}." in told
    about = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert about["check"]["of_them_pictures"] == 0 and about["check"]["images"] > 0
    assert str(tmp_path) not in json.dumps(about)
    with pytest.raises(InputError, match="emptied"):
        exports.export(run.bundle, "keras", tmp_path / "asked", data_root=tmp_path / "emptied")
    with pytest.raises(InputError, match="emptied"):
        exports.export(run.bundle, "openvino", tmp_path / "small", quantize="int8")


_EXPORT = """
import sys
from dfcore.export import export
export(sys.argv[1], "keras", sys.argv[2], progress=lambda title, *_: print(title, flush=True))
"""


@pytest.mark.slow
def test_an_export_whose_process_is_killed_leaves_nothing(bundle, tmp_path):
    command = [sys.executable, "-c", _EXPORT, str(bundle), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Loading"):
                process.kill()
                break
    end = time.monotonic() + 60
    while list(tmp_path.iterdir()) and time.monotonic() < end:
        time.sleep(0.1)
    assert not list(tmp_path.iterdir())


def test_a_converter_that_dies_is_told_with_its_last_words(bundle, tmp_path, monkeypatch):
    (tmp_path / "python").write_text("#!/bin/sh\necho 'terminate called' >&2\nkill -11 $$\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(DfcoreError, match=r"ended with code -11\. Its last line: terminate called"):
        exports.export(bundle, "keras", tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"python"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "coreml"}, "Expected one of the formats savedmodel, onnx"),
        ({"quantize": "int8"}, "ONNX is exported in 32 bits only. Expected --quantize int8 with litert, openvino"),
        ({"to": "litert", "quantize": "int4"}, "Expected --quantize int8"),
        ({"to": "litert", "quantize": "int8"}, "Expected --data-root ROOT"),
        ({"out": "."}, "exists. Expected a new folder"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_converted(options, message, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    with pytest.raises(InputError, match=message):
        exports.export(bundle, **{"to": "onnx", "out": tmp_path / "out"} | options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores, logits: (scores + 2 * LIMIT, logits), r"differ from the detector's by up to 0\.0002"),
        (lambda scores, logits: (scores, logits + 0.1), "differ from the detector's"),
        (lambda scores, logits: (scores * np.nan, logits), "by up to nan"),
        (lambda scores, logits: (scores[1:], logits), "wrong outputs"),
    ],
)
def test_another_network_than_the_detectors_is_refused(change, message, bundle):
    detector = Detector.load(bundle, "keras")
    logits = np.linspace(-3, 3, 9)
    scores = detector.card.calibration.apply(logits)
    assert compared(detector, logits, (scores, logits), 0, exact=True).difference == 0
    with pytest.raises(BundleError, match=message):
        compared(detector, logits, change(scores, logits), 0, exact=True)
