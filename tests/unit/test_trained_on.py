"""A detector knows the images that it was trained on, by pixels, file and looks, and tells wherever it is measured."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dfcore import workspace
from dfcore.cli import main
from dfcore.datasets import assign_splits, scan
from dfcore.datasets.looks import looks
from dfcore.datasets.registry import register
from dfcore.detectors import trained_on
from dfcore.detectors.bundle import TRAINED_ON, read_card, read_trained_on, write_trained_on
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import promote
from dfcore.detectors.trained_on import Seen, TrainedOn, in_short, in_words
from dfcore.errors import ArchiveError, BundleError
from dfcore.evaluation import splits_as_trained
from dfcore.evaluation.overlap import cell, found, overlap
from dfcore.evaluation.overlap import in_words as overlap_in_words
from dfcore.exchange import import_export
from dfcore.exchange.import_export import pack, unpack
from dfcore.imaging import sandbox
from dfcore.imaging.decoder import pixels_digest
from dfcore.imaging.signature import signature
from dfcore.utils.files import sha256_bytes
from tests.conftest import ROOT, make_card

APP = ROOT / "streamlit_app.py"


def picture(seed: int, width: int = 240, height: int = 200) -> np.ndarray:
    """A picture of noise that is spread over scales as in photographs."""
    random = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    scale = 1 / np.maximum(np.hypot(rows, columns), 1 / width)
    noise = random.normal(size=(3, height, width)) * [[[1.0]], [[0.6]], [[0.6]]]
    luma, *tints = np.fft.ifft2(np.fft.fft2(noise) * scale).real
    pixels = np.stack([luma, luma + tints[0], luma + tints[1]], -1)
    return (128 + 45 * pixels / pixels.std()).clip(0, 255).astype(np.uint8)


def encoded(pixels: np.ndarray, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    size = [round(factor * side) for side in pixels.shape[1::-1]]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def listed(pictures: list[np.ndarray], held=()) -> TrainedOn:
    """The list of these, of which some belong to the validation split."""
    return TrainedOn.of(
        [pixels_digest(each) for each in pictures],
        [sha256_bytes(encoded(each)) for each in pictures],
        [signature(each) for each in pictures],
        [number in held for number in range(len(pictures))],
    )


def asked(known: TrainedOn, pictures: list[np.ndarray], *, pixels=True, files=True, by_looks=True) -> list[Seen]:
    nothing = [None] * len(pictures)
    return known.find(
        [pixels_digest(each) for each in pictures] if pixels else nothing,
        [sha256_bytes(encoded(each)) for each in pictures] if files else nothing,
        lambda rest: [signature(pictures[position]) if by_looks else None for position in rest],
    )


PICTURES = [picture(seed) for seed in range(40)]
KNOWN = listed(PICTURES[:30], held=range(20, 30))
EXPECTED = [Seen.TRAIN] * 20 + [Seen.VALIDATION] * 10 + [Seen.NOT_FOUND] * 10


# === The list ===


@pytest.mark.parametrize("by", ["pixels", "files"])
def test_the_very_image_is_found_by_its_pixels_or_its_file(by):
    asking = {"pixels": False, "files": False, "by_looks": False} | {by: True}
    assert asked(KNOWN, PICTURES, **asking) == EXPECTED


def test_what_is_in_both_splits_was_trained_on():
    known = listed([PICTURES[0], PICTURES[0], PICTURES[1]], held=[0, 2])
    assert asked(known, PICTURES[:3]) == [Seen.TRAIN, Seen.VALIDATION, Seen.NOT_FOUND]


COPIES = {
    "quality 50": lambda pixels: np.asarray(Image.open(io.BytesIO(encoded(pixels, "JPEG", quality=50)))),
    "quality 95": lambda pixels: np.asarray(Image.open(io.BytesIO(encoded(pixels, "JPEG", quality=95)))),
    "half the size": lambda pixels: resized(pixels, 0.5),
    "twice the size": lambda pixels: resized(pixels, 2),
    "another aspect": lambda pixels: np.asarray(Image.fromarray(pixels).resize((200, 200))),
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "brighter by a shade": lambda pixels: np.minimum(pixels.astype(int) + 3, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_changed_copy_looks_like_its_original(change):
    seen = asked(KNOWN, [change(each) for each in PICTURES])
    like = {Seen.TRAIN: Seen.LIKE_TRAIN, Seen.VALIDATION: Seen.LIKE_VALIDATION}
    expected = [like.get(each, each) for each in EXPECTED]
    assert sum(one == other for one, other in zip(seen, expected, strict=True)) >= 38, seen
    assert seen[30:] == [Seen.NOT_FOUND] * 10


def test_other_images_look_like_none():
    assert set(asked(KNOWN, [picture(seed) for seed in range(1000, 1100)], files=False)) == {Seen.NOT_FOUND}


def test_the_same_shape_in_other_colours_is_another_image():
    """Perceptual hashes see brightness only."""
    for change in ([1, 0.5, 0.5], [0.6, 1, 0.6], [0.5, 1, 1]):
        assert set(asked(KNOWN, [(each * change).astype(np.uint8) for each in PICTURES])) == {Seen.NOT_FOUND}


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_blank_images_look_like_nothing(shade):
    blank = [np.full((50, size, 3), shade, np.uint8) for size in (50, 60)]
    assert asked(listed(blank[:1]), blank) == [Seen.TRAIN, Seen.NOT_FOUND]


def test_what_is_unknown_is_never_found():
    known = TrainedOn.of([None, "00" * 32], ["", None], [None, None], [False, False])
    assert known.find([None, "", float("nan")], [None] * 3, lambda rest: [None] * len(rest)) == [Seen.NOT_FOUND] * 3


def test_looks_are_asked_for_once_and_only_where_hashes_do_not_answer():
    rests = []
    KNOWN.find([pixels_digest(each) for each in PICTURES], [None] * 40, lambda rest: rests.append(rest) or [None] * 10)
    assert rests == [list(range(30, 40))]


def test_it_takes_some_thirty_bytes_an_image_and_comes_back_whole():
    data = KNOWN.to_bytes()
    assert data == KNOWN.to_bytes()
    assert asked(TrainedOn.from_bytes(data), PICTURES) == EXPECTED
    columns = (np.resize(getattr(KNOWN, name), 3000) for name in ("pixels", "files", "looks", "colours", "held"))
    assert len(TrainedOn(*columns).to_bytes()) < 34 * 3000


def test_looks_of_another_version_are_not_compared(monkeypatch):
    """Else a new way of hashing would make lists of before say something by accident."""
    known = TrainedOn.from_bytes(KNOWN.to_bytes())
    monkeypatch.setattr(trained_on, "VERSION", trained_on.VERSION + 1)
    assert asked(known, PICTURES) == EXPECTED, "pixels and files are"
    assert set(asked(known, PICTURES, pixels=False, files=False)) == {Seen.NOT_FOUND}


def test_looks_are_computed_as_when_their_version_was_given():
    """If this fails, signatures have changed: raise `VERSION`, and make the lists of the shipped detectors anew."""
    known = listed([np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)])
    assert trained_on.VERSION == 1
    assert (int(known.looks[0]), int(known.colours[0])) == LOOKS_OF_VERSION_1


LOOKS_OF_VERSION_1 = (14618193034736377419, 559026398271390224)


# === What is no list is refused ===


COLUMNS = ("pixels", "files", "looks", "colours", "held")


def archive(**changes) -> bytes:
    """The list with some arrays replaced, added, or left out (None)."""
    arrays = {name: getattr(KNOWN, name) for name in (*COLUMNS, "version")} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def bomb() -> bytes:
    """A few kilobytes that unpack to a gigabyte."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file, file.open("pixels.npy", "w") as member:
        for _ in range(100):
            member.write(bytes(10**7))
    return buffer.getvalue()


def header(shape: str) -> bytes:
    """An array that claims a shape, and holds nothing."""
    text = f"{{'descr': '<u8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def claimed(shape: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("pixels.npy", header(shape))
        for name in ("files", "looks", "colours", "held", "version"):
            with file.open(f"{name}.npy", "w") as member:
                np.save(member, getattr(KNOWN, name))
    return buffer.getvalue()


HOSTILE = {
    "nothing": b"",
    "no archive": b"PK and no more",
    "cut off": KNOWN.to_bytes()[:-40],
    "without pixels": archive(pixels=None),
    "without a version": archive(version=None),
    "one more": archive(more=np.zeros(3)),
    "floats": archive(pixels=KNOWN.pixels.astype(float)),
    "narrower": archive(looks=KNOWN.looks.astype(np.uint32)),
    "signed": archive(colours=KNOWN.colours.astype(np.int64)),
    "held as numbers": archive(held=KNOWN.held.astype(int)),
    "too few": archive(files=KNOWN.files[:-1]),
    "two dimensions": archive(pixels=KNOWN.pixels[:, None]),
    "a single number": archive(held=np.array(True)),
    "no image": archive(**{name: getattr(KNOWN, name)[:0] for name in COLUMNS}),
    "version of text": archive(version=np.array("one")),
    "versions": archive(version=np.arange(2)),
    "objects": archive(pixels=np.array([{}] * 30, object)),
    "records": archive(pixels=np.zeros(30, [("x", "<u8")])),
    "a bomb": bomb(),
    "a huge shape": claimed("(1000000000000,)"),
    "a negative shape": claimed("(-1,)"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_list_is_refused(data, safety_net):
    with pytest.raises((ValueError, ArchiveError)):
        TrainedOn.from_bytes(data)


def test_more_images_than_are_listed_are_refused(monkeypatch):
    monkeypatch.setattr(trained_on, "MOST_IMAGES", 29)
    with pytest.raises(ValueError, match="invalid values"):
        TrainedOn.from_bytes(KNOWN.to_bytes())


@pytest.fixture
def own(knowing, tmp_path) -> Path:
    """A detector with the list."""
    folder = Path(shutil.copytree(knowing["thumbnails"], tmp_path / "own"))
    write_trained_on(folder, read_card(folder), KNOWN)
    return folder


def with_list(folder: Path, data: bytes, **record) -> None:
    """Puts another file in the place of the list, with a card that was written for it."""
    (folder / TRAINED_ON).write_bytes(data)
    card = json.loads((folder / "card.json").read_text())
    card["trained_on"] |= {"sha256": sha256_bytes(data)} | record
    (folder / "card.json").write_text(json.dumps(card))


SPOILT = {
    "altered": (lambda folder: (folder / TRAINED_ON).write_bytes(b"other"), "not the file that its card was written"),
    "gone": (lambda folder: (folder / TRAINED_ON).unlink(), r"trained_on\.npz cannot be read"),
    "no list": (lambda folder: with_list(folder, b"no list"), r"trained_on\.npz cannot be read"),
    "pickled": (lambda folder: with_list(folder, HOSTILE["objects"]), r"trained_on\.npz cannot be read"),
    "other counts": (lambda folder: with_list(folder, KNOWN.to_bytes(), train=500), "Expected 500 images of training"),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_list_is_refused_with_the_reason(spoil, message, own):
    assert len(read_trained_on(own, read_card(own))) == 30
    spoil(own)
    with pytest.raises(BundleError, match=message):
        Detector.load(own).predict([encoded(PICTURES[0])])


def test_a_file_that_is_too_large_is_not_even_read(own, monkeypatch):
    monkeypatch.setattr("dfcore.detectors.bundle.MAX_TRAINED_ON", 100)
    with pytest.raises(BundleError, match=r"larger than .* and was refused"):
        read_trained_on(own, read_card(own))


def test_the_list_goes_out_and_comes_in_with_a_detector(own, tmp_path, monkeypatch):
    monkeypatch.setattr(import_export, "_check_isolated", lambda folder: assert_sound(folder))
    target = unpack(pack(own), tmp_path / "models", "taken-in")
    assert (target / TRAINED_ON).read_bytes() == (own / TRAINED_ON).read_bytes()
    assert read_card(target).trained_on == read_card(own).trained_on
    (verdict,) = Detector.load(target, "keras").predict([encoded(PICTURES[0])])
    assert verdict.seen is Seen.TRAIN


def assert_sound(folder: Path) -> None:
    """What the isolated process does, here."""
    assert import_export._problem(folder) is None


@pytest.mark.parametrize("case", ["pickled", "other counts"])
def test_a_strangers_list_is_read_before_it_is_taken_in(own, case):
    spoil, message = SPOILT[case]
    spoil(own)
    with pytest.raises(BundleError, match=message):
        raise BundleError(import_export._problem(own))


# === The verdict on one image ===


def test_a_verdict_tells_whether_the_detector_was_trained_on_the_image(own, tmp_path):
    detector = Detector.load(own)
    packed = [encoded(PICTURES[0]), encoded(PICTURES[0], "BMP"), encoded(PICTURES[25], "WEBP", lossless=True)]
    seen = [verdict.seen for verdict in detector.predict([*packed, encoded(PICTURES[35]), PICTURES[0], b"broken"])]
    assert seen == [Seen.TRAIN, Seen.TRAIN, Seen.VALIDATION, Seen.NOT_FOUND, Seen.UNKNOWN, Seen.UNKNOWN]


def test_with_a_preview_looks_are_compared_too(own):
    detector = Detector.load(own)
    copy = encoded(resized(PICTURES[0], 1.5), "JPEG", quality=85)
    prepared = [sandbox.prepare(copy, [detector.spec], side) for side in (0, 900, 60)]
    assert [verdict.seen for verdict in detector.judge(prepared)] == [Seen.NOT_FOUND, Seen.LIKE_TRAIN, Seen.LIKE_TRAIN]


def test_a_bundle_of_before_does_not_know(knowing):
    detector = Detector.load(knowing["thumbnails"])
    assert detector.trained_on is None
    (verdict,) = detector.predict([encoded(PICTURES[0])])
    assert verdict.seen is Seen.UNKNOWN and in_words(verdict.seen) == ""


def test_predict_says_so_in_words_and_in_a_column(own, tmp_path, capsys):
    for name, pixels in (("old", PICTURES[0]), ("held", PICTURES[29]), ("new", PICTURES[35])):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{name}.png").write_bytes(encoded(pixels))
    (tmp_path / "images" / "broken.png").write_bytes(b"broken")
    assert main(["predict", str(own), str(tmp_path / "images"), "--out", str(tmp_path / "out.csv")]) in (0, 3)
    table = pd.read_csv(tmp_path / "out.csv").set_index("path")
    table.index = table.index.map(lambda path: Path(path).stem)
    assert table.trained_on.dropna().to_dict() == {"old": "train", "held": "validation", "new": "not found"}
    capsys.readouterr()
    main(["predict", str(own), str(tmp_path / "images")])
    lines = {Path(line.partition(": ")[0]).stem: line for line in capsys.readouterr().out.splitlines()}
    assert re.search(r"\. This very image was among those that the detector was trained on", lines["old"])
    assert "This very image was used to tune the detector" in lines["held"]
    assert "image was" not in lines["new"]


# === Figures on images of which some were trained on ===


def table(*rows: tuple[int, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["label", "score", "trained_on"])


def test_figures_are_given_without_the_images_that_were_trained_on():
    known = [(label, float(label), seen) for label in (0, 1) for seen in ("train", "like train", "validation")]
    new = [(0, 0.6, "not found"), (0, 0.2, "not found"), (1, 0.4, "not found"), (1, 0.7, "not found")]
    result = overlap(table(*known, *new), 0.5)
    counts = {"train": 2, "like_train": 2, "validation": 2, "like_validation": 0}
    assert result == {"known": True, "images": 10} | counts | {"unseen": result["unseen"]}
    assert found(result) == 6 and cell(result) == "6 of 10"
    assert result["unseen"]["images"] == 4 and result["unseen"]["roc_auc"] == 0.75
    text = overlap_in_words(result)
    assert text == (
        "Of 10 images 2 were trained on, 2 look like ones that were trained on and 2 were used to tune the detector "
        "(validation split): the figures flatter. On the other 4 (2 real, 2 fake): ROC AUC 0.750, Balanced accuracy "
        "0.500."
    )


CASES = {
    "nothing found": ([(0, 0.1, "not found")] * 3, "none found", "Neither these 3 images nor"),
    "all": ([(0, 0.1, "train")] * 3, "3 of 3", "3 were trained on: the figures flatter. There are no others."),
    "tuned on": ([(0, 0.1, "validation"), (1, 0.1, "not found")], "1 of 2", "the figures are somewhat optimistic"),
    "one class left": ([(0, 0.1, "train"), (1, 0.1, "not found")], "1 of 2", "ROC AUC not computed"),
    "unknown": ([(0, 0.1, "unknown")] * 2, "unknown", "It is unknown which images this detector was trained on"),
}


@pytest.mark.parametrize(("rows", "short", "text"), CASES.values(), ids=CASES)
def test_each_case_is_told_in_words(rows, short, text):
    result = overlap(table(*rows), 0.5)
    assert cell(result) == short and text in overlap_in_words(result)


@pytest.mark.parametrize("result", [None, {"known": False}])
def test_what_is_unknown_is_never_called_no(result):
    assert cell(result) == "unknown" and cell(result, same_data=True) == "yes"
    assert "unknown" in overlap_in_words(result)
    assert "this is the data set that it was trained on" in overlap_in_words(result, same_data=True)


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> tuple[Path, Path]:
    """A, and B that holds 60 images of A beside 60 of its own: half are packed anew, 4 are smaller copies."""
    root = tmp_path_factory.mktemp("sets")
    for number in range(120):
        label, pixels = ("real", "fake")[number % 2], picture(5000 + number, 120, 100)
        write(root / "a" / label / f"{number}.png", encoded(pixels))
        if number < 56:
            again = encoded(pixels) if number % 4 < 2 else encoded(pixels, "BMP")
            write(root / "b" / label / f"copy-{number}.{'png' if number % 4 < 2 else 'bmp'}", again)
        elif number < 60:
            write(root / "b" / label / f"small-{number}.jpg", encoded(resized(pixels, 0.75), "JPEG", quality=90))
        else:
            write(root / "b" / label / f"{number}.png", encoded(picture(6000 + number, 120, 100)))
    return root / "a", root / "b"


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def trained(knowing, sets, tmp_path) -> Path:
    """A detector whose list says that it was trained on all of A."""
    folder = Path(shutil.copytree(knowing["thumbnails"], tmp_path / "trained"))
    data = scan(sets[0]).usable
    known = TrainedOn.of(
        data.pixels_sha256.tolist(),
        data.sha256.tolist(),
        looks(sets[0], data.path.tolist(), data.sha256.tolist(), workspace.cache_dir()),
        [False] * len(data),
    )
    write_trained_on(folder, read_card(folder), known)
    return folder


def test_cross_eval_counts_and_tells_the_overlap(trained, knowing, sets, capsys):
    asking = ["cross-eval", str(trained), str(knowing["photographs"]), "--data-root", str(sets[1])]
    assert main([*asking, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["trained on it"] for row in rows] == ["60 of 120", "unknown"]
    seen = rows[0]["trained_on"]
    assert (seen["train"], seen["like_train"], seen["unseen"]["images"]) == (56, 4, 60)
    assert main(asking) == 0
    text = capsys.readouterr().out
    assert "60 of 120" in text and "unknown" in text
    assert "trained on b: Of 120 images 56 were trained on and 4 look like ones that were trained on" in text


def test_evaluate_tells_the_overlap_and_keeps_it(trained, sets, capsys):
    asking = ["evaluate", str(trained), "--data-root", str(sets[1]), "--split", "all"]
    assert main([*asking, "--out", str(sets[0].parent / "out.csv"), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["trained_on"]["train"] == 56
    rows = pd.read_csv(sets[0].parent / "out.csv")
    assert rows.trained_on.value_counts().to_dict() == {"not found": 60, "train": 56, "like train": 4}
    rest = rows[rows.trained_on == "not found"]
    assert metrics["trained_on"]["unseen"] == overlap(rows, read_card(trained).threshold.value)["unseen"]
    assert metrics["trained_on"]["unseen"]["images"] == len(rest)
    assert main(asking) == 0
    assert "Of 120 images 56 were trained on" in capsys.readouterr().out


def test_compare_tells_which_of_the_two_was_trained_on_the_images(trained, knowing, sets, capsys):
    asking = ["compare", str(knowing["thumbnails"]), str(trained), "--data-root", str(sets[1]), "--split", "all"]
    assert main(asking) == 0
    text = capsys.readouterr().out
    assert "B: Of 120 images 56 were trained on" in text and "\nA: Of" not in text


def test_a_run_lists_its_training_and_validation_images(small_dataset, tmp_path):
    from dfcore.training import session

    run = session.train(data_root=str(small_dataset), arch="cnn", image_size=32, epochs=1, early_stopping="off")
    card = read_card(run.bundle)
    assert (card.trained_on.train, card.trained_on.validation) == (24, 24)
    detector = Detector.load(run.bundle)
    rows = scan(small_dataset).usable
    seen = detector.trained_on.find(rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: [None] * len(rest))
    expected = rows.split.map({"train": Seen.TRAIN, "validation": Seen.VALIDATION, "test": Seen.NOT_FOUND})
    assert seen == expected.tolist()


# === In the dashboard ===


def opened(page: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    return " ".join(str(part.value) for part in [*app.markdown, *app.warning, *app.caption]).replace("\\", "")


def test_evaluate_shows_the_overlap_beside_the_figures(trained, sets):
    promote(trained, workspace.models_dir(), "trained")
    register(sets[1])
    app = opened("evaluate")
    app.selectbox(key="other_data").set_value(str(sets[1])).run()
    next(button for button in app.button if button.label == "Measure").click().run()
    assert not app.exception
    measured = next(item for item in app.segmented_control if item.label == "Measured on")
    measured.set_value(next(key for key in measured.options if key.endswith(", all"))).run()
    text = words(app)
    assert "Of 120 images 56 were trained on and 4 look like ones that were trained on: the figures flatter." in text
    assert "On the other 60 (30 real, 30 fake): ROC AUC" in text


INSPECTED = {
    "train": (encoded(PICTURES[0]), "This very image was among those that the detector was trained on"),
    "validation": (encoded(PICTURES[29]), "This very image was used to tune the detector"),
    "like train": (encoded(PICTURES[1], "JPEG", quality=80), "This image looks like one that the detector was"),
    "not found": (encoded(PICTURES[35]), None),
}


@pytest.mark.parametrize(("data", "expected"), INSPECTED.values(), ids=INSPECTED)
def test_inspect_says_whether_the_detector_was_trained_on_the_image(own, data, expected):
    promote(own, workspace.models_dir(), "own")
    text = words(inspected(data))
    assert expected in text if expected else "This very image" not in text and "looks like one" not in text
    assert "is unknown: its bundle" not in text


def test_few_words_claim_no_more_than_the_sentence():
    assert [in_short(seen) for seen in Seen if not seen.found] == ["", ""]
    for seen in filter(lambda seen: seen.found, Seen):
        for part in ("looks like", "trained on", "used to tune the detector"):
            assert (part in in_short(seen)) == (part in in_words(seen)), seen


def test_inspect_says_where_it_is_unknown(knowing):
    promote(knowing["thumbnails"], workspace.models_dir(), "own")
    text = words(inspected(encoded(PICTURES[0])))
    assert "Whether this image was among those that the detector was trained on is unknown" in text


def inspected(data: bytes) -> AppTest:
    app = opened("inspect")
    app.toggle(key="inspect_explain").set_value(False) if any(t.key == "inspect_explain" for t in app.toggle) else None
    app.file_uploader[0].upload("image.bin.png", data, "image/png").run()
    assert not app.exception, app.exception[0].message
    return app


def test_splits_are_those_that_the_detector_lists_whatever_would_be_drawn_today(small_dataset):
    """Since which images belong together is understood better, older detectors' splits would be drawn otherwise."""
    dataset = scan(small_dataset)
    rows = dataset.usable.reset_index(drop=True)
    kinds = np.random.default_rng(0).choice(["train", "validation", "test"], len(rows), p=[0.6, 0.2, 0.2])
    known = rows[kinds != "test"]
    listed = TrainedOn.of(
        known.pixels_sha256.tolist(),
        known.sha256.tolist(),
        [None] * len(known),
        (kinds[kinds != "test"] == "validation"),
    )
    split = splits_as_trained(make_card(), dataset, listed).usable.split.tolist()
    assert split == kinds.tolist()
    drawn = assign_splits(dataset).usable.split.tolist()
    assert splits_as_trained(make_card(), dataset, None).usable.split.tolist() == drawn != split
    few = TrainedOn.of(["a" * 64] * 40, ["b" * 64] * 40, [None] * 40, [False] * 40)
    assert splits_as_trained(make_card(), dataset, few).usable.split.tolist() == drawn, "another data set"
