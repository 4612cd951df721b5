"""The faces of a picture, each judged by itself: what is cut out, what is left out, and what is said."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from dfcore.cli import main
from dfcore.confidence import FileRange, Gate, OODDetector
from dfcore.detectors.card import FramingRecord, OODRecord, Preprocess, Subject
from dfcore.detectors.detector import Detector
from dfcore.engines.base import Outputs
from dfcore.errors import ImageError
from dfcore.inspection import faces
from dfcore.inspection.inspect import inspect
from tests.conftest import ROOT, make_card
from tests.unit.drawn_face import drawn_face, scene

PLACES = [(20, 30, 300), (420, 40, 240), (900, 380, 200), (500, 520, 130)]
PORTRAITS = Subject(kind="face", images=200, share=1.0)


class Seeing:
    """An engine that keeps what it was given, and says nothing of it."""

    name, heads, width = "keras", 1, 3

    def __init__(self):
        self.seen: list[np.ndarray] = []

    def outputs(self, pixels: np.ndarray) -> Outputs:
        self.seen += list(pixels)
        return Outputs(pixels.mean((1, 2, 3)).astype(np.float32) / 255, pixels.mean((1, 2)).astype(np.float32))


def detector(**changes) -> Detector:
    values = {"title": "Faces", "subject": PORTRAITS, "preprocess": Preprocess(size=64, resize="fit_crop")}
    return Detector(make_card(**(values | changes)), Seeing())


def file(rgb: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, **options)
    return buffer.getvalue()


def wide(places=PLACES) -> np.ndarray:
    return scene(places, 700, 1200)


def test_each_face_is_cut_out_of_the_originals_own_pixels_as_the_card_says():
    rgb = np.asarray(Image.fromarray(wide()).resize((3600, 2100), Image.Resampling.BICUBIC))
    framed = detector(framing=FramingRecord(margin=0.2, offset=0.05, alignment="box"))
    data = file(rgb)
    found = faces.find(data)
    assert (found.width, found.height) == (3600, 2100) and len(found.faces) == len(PLACES)
    assert found.smallest == pytest.approx(24 * 3600 / 2048, rel=0.01), "it was looked for in a smaller copy"
    told = faces.judge(data, found, "faces", framed)
    framing = framed.card.framing.framing
    assert [one.face for one in told.faces] == list(found.faces)
    for face, one, seen in zip(found.faces, told.faces, framed.engine.seen, strict=True):
        cut = framing.crop(rgb, face)
        np.testing.assert_array_equal(seen, framed.spec.apply(cut))
        assert one.side == len(cut) and max(one.preview.shape) <= faces.PREVIEW
    sides = [one.side for one in told.faces]
    assert sides == sorted(sides, reverse=True)


def test_a_face_gets_the_verdict_that_its_crop_gets_as_a_picture():
    rgb, judge = wide(), detector()
    told = faces.judge(file(rgb), faces.find(file(rgb)), "faces", judge)
    for one in told.faces:
        left, top, right, bottom = one.region
        (alone,) = judge.predict([file(rgb[top:bottom, left:right])])
        assert (one.verdict.logit, one.verdict.score) == (alone.logit, alone.score)


def test_the_quality_of_the_file_counts_for_its_faces():
    record = OODRecord(files=FileRange(sides=(1, 9999)), sha256="", gate=Gate(quality_from=60.0))
    strict, features = detector(ood=record), np.random.default_rng(0).normal(size=(40, 3)) * 50 + 120
    strict.ood_detector = OODDetector.fit(features, features)
    for quality, refused in ((30, True), (95, False)):
        data = file(wide(), "JPEG", quality=quality)
        told = faces.judge(data, faces.find(data), "faces", strict)
        assert told.faces and all(("compressed" in one.verdict.ood.rules) == refused for one in told.faces)


def test_what_is_too_small_or_too_much_is_counted_and_told(monkeypatch):
    data = file(wide([*PLACES, (800, 20, 70)]))
    monkeypatch.setattr(faces, "MOST", 2)
    found = faces.find(data)
    told = faces.judge(data, found, "faces", detector())
    assert (len(told.faces), told.too_small, told.too_many) == (2, 0, 3) and len(found.faces) == 5
    assert "3 faces not judged: only the 2 largest are." in told.summary
    record = OODRecord(files=FileRange(sides=(1, 9999)), sha256="", gate=Gate(sides=(150.5, None)))
    told = faces.judge(data, found, "faces", detector(ood=record))
    assert (told.least, len(told.faces), told.too_small, told.too_many) == (151, 2, 2, 1)
    assert "2 faces too small to be judged: cut out below 151 pixels a side." in told.left_out
    assert told.summary.startswith("5 faces found, 2 judged by Faces: 2 ")
    older = OODRecord(files=FileRange(sides=(300, 300)), sha256="")
    assert faces.least_side(make_card(ood=older)) == 200 and faces.least_side(make_card()) == faces.LEAST_SIDE


def test_a_picture_without_faces_says_so_and_nothing_is_judged():
    judge, data = detector(), file(wide([]))
    told = faces.judge(data, faces.find(data), "faces", judge)
    assert told.summary == "No face was found; those below 24 pixels were not looked for." and not told.faces
    assert not judge.engine.seen and json.dumps(told.to_dict())


def test_a_portrait_that_was_judged_as_a_whole_is_not_judged_again():
    judge, data = detector(), file(drawn_face(300))
    found = faces.find(data)
    assert faces.judge(data, found, "faces", judge, judged_whole=True).as_whole and not judge.engine.seen
    assert len(faces.judge(data, found, "faces", judge).faces) == 1, "another detector judged the whole"
    small = file(scene([(400, 30, 200)], 700, 1200))
    assert not faces.judge(small, faces.find(small), "faces", judge, judged_whole=True).as_whole
    two = drawn_face(600).copy()
    two[:130, :130] = drawn_face(130)
    two = file(two)
    assert len(faces.judge(two, faces.find(two), "faces", judge, judged_whole=True).faces) == 2


def test_the_detector_for_faces_is_the_one_of_portraits_with_the_best_record():
    def of(auc: float, subject: Subject | None = PORTRAITS):
        return make_card(subject=subject, results={"test": {"images": 2, "real": 1, "fake": 1, "roc_auc": auc,
                                                            "threshold": 0.5}})  # fmt: skip

    errs = Subject(kind="no_face", images=9, share=1.0)
    cards = {"a": of(0.8), "b": of(0.9), "c": of(0.99, None), "d": of(0.99, errs)}
    assert faces.for_faces(cards) == "b" and faces.for_faces({"c": cards["c"], "d": cards["d"]}) is None


def test_what_cannot_be_read_is_told_by_the_picture_itself():
    with pytest.raises(ImageError, match="Not an image"):
        faces.find(b"no image")
    judge = detector()
    one = inspect(b"no image", "x.png", {"faces": judge}, face_detector=("faces", judge), forensic=False)
    assert one.faces is None and one.verdict.error


# === The commands ===


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A group picture, and the library that ships."""
    monkeypatch.setenv("DFCORE_MODELS", str(ROOT / "models"))
    (tmp_path / "group.png").write_bytes(file(wide([*PLACES, (830, 20, 60)])))
    return tmp_path / "group.png"


def test_inspect_tells_each_face_beside_the_whole_picture(group, capsys, tmp_path):
    out = tmp_path / "page.html"
    asked = ["inspect", str(group), "--detector", "photographs", "--no-forensics"]
    assert main([*asked, "--html", str(out)]) == 0
    text, page = capsys.readouterr().out, out.read_text(encoding="utf-8")
    assert "faces: 5 faces found, 4 judged by Faces (FFHQ against StyleGAN)" in text
    assert "1 face too small to be judged: cut out below 74 pixels a side." in text and "\n  verdict: " in text
    assert "5 faces found, 4 judged" in page and all(f"Face {n}: " in page for n in range(1, 5))
    assert main([*asked, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["chosen"] == "photographs" and row["faces"]["detector"] == "faces"
    assert [set(face) for face in row["faces"]["judged"]] == [
        {"box", "score_of_finder", "region", "finding", "says", "is_used", "score", "logit", "reason"}
    ] * 4
    assert main([*asked, "--no-faces"]) == 0
    assert "faces:" not in capsys.readouterr().out


def test_a_picture_without_a_face_never_goes_to_the_detector_for_faces(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DFCORE_MODELS", str(ROOT / "models"))
    rows, columns = np.mgrid[:400, :500]
    rgb = np.stack([rows // 2, columns // 2, (rows ^ columns) // 2], 2).astype(np.uint8)
    (tmp_path / "pattern.png").write_bytes(file(rgb))
    assert main(["inspect", str(tmp_path / "pattern.png"), "--json", "--no-forensics"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["chosen"] != "faces" and row["faces"]["judged"] == []
    assert not row["all_detectors"]["Faces (FFHQ against StyleGAN)"]["is_used"]
