"""The faces of a picture, each judged by itself: what is cut out, what is left out, and what is said."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from dfcore.cli import main
from dfcore.commands.inspect import printable_lines
from dfcore.confidence import FileRange, Gate, OODDetector, Policy
from dfcore.detectors import of_faces
from dfcore.detectors.card import OODRecord, Preprocess
from dfcore.detectors.detector import Detector
from dfcore.detectors.face_records import FaceSizes, FramingRecord, MeasuredFaces, Subject
from dfcore.engines.base import Outputs
from dfcore.errors import BundleError, ImageError
from dfcore.inspection import faces
from dfcore.inspection.inspect import inspect
from dfcore.reports import Asked, of_inspection, rendered, report_of
from dfcore.utils import extras
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
    assert "2 faces are not judged: smaller than 151 pixels a side when cut out, too small for Faces." in told.left_out
    assert told.summary.startswith("5 faces found, 2 judged by Faces: 2 ") and not told.caution
    fine = detector(preprocess=Preprocess(size=200, resize="fit_crop"))
    told = faces.judge(data, found, "faces", fine)
    assert told.caution.startswith("1 has fewer than 200 pixels") and sum(one.side < 200 for one in told.faces) == 1
    older = OODRecord(files=FileRange(sides=(300, 300)), sha256="")
    assert of_faces.least_side(make_card(ood=older)) == 200 and of_faces.least_side(make_card()) == of_faces.LEAST_SIDE


def sizes(*alarms: int, budget: float = 0.05) -> FaceSizes:
    """Of 100 real faces of 100, 200, … pixels, so many called likely fake."""
    rows = [MeasuredFaces(side=100 * number, faces=100, alarms=many) for number, many in enumerate(alarms, 1)]
    return FaceSizes(budget=budget, measured=tuple(rows))


def test_faces_of_a_size_at_which_it_was_measured_to_err_too_often_are_refused_and_told():
    assert sizes(15, 6, 5).least == 300 and sizes(15, 5, 4).least == 200 and sizes(0, 6, 5, budget=0.1).least == 100
    assert sizes(1, 9, 1).least == 300, "where a larger face errs too often, no smaller one is judged"
    assert sizes(0, 0, 9).least > 300, "and none at all where the largest does"
    data, strict = file(wide()), detector(face_sizes=sizes(15, 5, 4))
    told = faces.judge(data, faces.find(data), "faces", strict)
    assert len(told.faces) == len(PLACES) and not told.too_small
    for one in told.faces:
        small = one.side < 200
        assert ("small_face" in one.verdict.ood.rules) == small == (not one.verdict.is_used)
        assert not small or f"{one.side} pixels a side; on faces below 200 the detector was" in str(one.verdict.reason)
    assert sum(not one.verdict.is_used for one in told.faces) == 3 and "3 to which it does not apply" in told.summary
    insisted = faces.judge(data, faces.find(data), "faces", strict, Policy(None, True))
    assert all(one.verdict.is_used for one in insisted.faces)


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
    assert of_faces.best(cards) == "b" and of_faces.best({"c": cards["c"], "d": cards["d"]}) is None


def test_what_cannot_be_read_is_told_by_the_picture_itself():
    with pytest.raises(ImageError, match="Not an image"):
        faces.find(b"no image")
    judge = detector()
    one = inspect(b"no image", "x.png", {"faces": judge}, face_detector=("faces", judge), forensic=False)
    assert one.faces is None and one.verdict.error and one.to_dict()["faces"] is None


def test_why_faces_were_not_judged_is_told_everywhere(monkeypatch):
    def failing(data):
        raise BundleError("The weights of the finder are altered.")

    judge, data = detector(), file(wide())
    monkeypatch.setattr("dfcore.inspection.inspect.find", failing)
    for given, why in ((("faces", judge), "The weights of the finder are altered."), ("No reason.", "No reason.")):
        one = inspect(data, "x.png", {"faces": judge}, face_detector=given, forensic=False, explain=False)
        assert one.faces is None and one.verdict.score is not None
        said = f"Faces were not judged. {why}"
        assert one.to_dict()["faces"] == {"summary": said, "judged": None, "error": why}
        assert f"  faces: {said}" in printable_lines(one)
        report = report_of("x", [of_inspection(one, Asked("faces"))], "2026-01-01", "a")
        assert said in rendered(report, ".html").decode()
    one = inspect(data, "x.png", {"faces": judge}, forensic=False, explain=False)
    assert one.to_dict()["faces"] is None and "faces:" not in printable_lines(one), "nobody asked"


def test_faces_that_were_found_already_are_not_looked_for_again(monkeypatch):
    judge, data = detector(), file(wide())
    found = faces.find(data)
    monkeypatch.setattr("dfcore.inspection.inspect.find", lambda data: pytest.fail("they were found"))
    given = {"face_detector": ("faces", judge), "found_faces": found}
    one = inspect(data, "x.png", {"faces": judge}, forensic=False, explain=False, **given)
    assert one.faces is not None and len(one.faces.faces) == 4


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
    assert "1 face is not judged: smaller than 74 pixels a side when cut out" in text and "\n  verdict: " in text
    assert "5 faces found, 4 judged" in page and all(f"Face {n}: " in page for n in range(1, 5))
    assert main([*asked, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["chosen"] == "photographs" and row["faces"]["detector"] == "faces"
    assert [set(face) for face in row["faces"]["judged"]] == [
        {"box", "score_of_finder", "region", "finding", "says", "is_used", "score", "logit", "reason"}
    ] * 4
    assert main([*asked, "--no-faces"]) == 0
    assert "faces:" not in capsys.readouterr().out


def test_inspect_says_why_no_face_can_be_judged_and_judges_the_picture(group, capsys, monkeypatch):
    asked = ["inspect", str(group), "--detector", "small", "--no-forensics"]
    alone = group.parent / "alone"
    shutil.copytree(ROOT / "models" / "small", alone / "small")
    with monkeypatch.context() as patch:
        patch.setenv("DFCORE_MODELS", str(alone))
        patch.setattr("dfcore.workspace.shipped_models_dir", lambda: alone)
        assert main(asked) == 0
        assert "faces: Faces were not judged. There is no detector for faces." in capsys.readouterr().out
        shutil.copytree(ROOT / "models" / "faces", alone / "faces")
        (alone / "faces" / "card.json").write_text("{", encoding="utf-8")
        assert main(asked) == 0
        text = capsys.readouterr().out
        assert "There is no detector for faces." in text and "card.json" in text and "\n  verdict: " in text
    monkeypatch.setattr(extras, "installed", lambda module: module != "openvino")
    assert main(["inspect", str(group), "--detector", "small", "--no-forensics", "--engine", "keras"]) == 0
    text = capsys.readouterr().out
    assert "faces: Faces were not judged. Looking for faces needs openvino, which is not installed." in text


def test_a_picture_without_a_face_never_goes_to_the_detector_for_faces(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DFCORE_MODELS", str(ROOT / "models"))
    rows, columns = np.mgrid[:400, :500]
    rgb = np.stack([rows // 2, columns // 2, (rows ^ columns) // 2], 2).astype(np.uint8)
    (tmp_path / "pattern.png").write_bytes(file(rgb))
    assert main(["inspect", str(tmp_path / "pattern.png"), "--json", "--no-forensics"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["chosen"] != "faces" and row["faces"]["judged"] == []
    assert not row["all_detectors"]["Faces (FFHQ against StyleGAN)"]["is_used"]
