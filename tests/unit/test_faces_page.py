"""Inspect, face by face: framed on the picture, listed, and each with its own verdict and heat-map when chosen."""

import io
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dashboard import face_work, faces, filmstrip, media, viewer
from dashboard.inference_queue import Turns
from dashboard.recent import Recent
from dfcore.detectors.verdict import Verdict
from dfcore.errors import BusyError, MissingExtraError, TransientImageError
from dfcore.faces import find_faces
from dfcore.utils.files import sha256_bytes
from tests.conftest import ROOT
from tests.unit.drawn_face import drawn_face, scene
from tests.unit.test_pages import button, open_below, open_page, upload, words, workspace

__all__ = ["workspace"]  # A fixture.

PLACES = [(20, 30, 300), (420, 40, 240), (900, 380, 200), (830, 20, 60)]


def file(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


GROUP = scene(PLACES, 700, 1200)


@pytest.fixture
def library(workspace):
    """Two of the detectors that ship: of faces, and of thumbnails."""
    shutil.copytree(ROOT / "models" / "small", workspace / "models" / "small")
    shutil.copytree(ROOT / "models" / "faces", workspace / "models" / "faces")


@pytest.fixture
def drawn(monkeypatch) -> dict[str, list[dict]]:
    """What the components were given in every run: the picture's, and the strips'."""
    given: dict[str, list[dict]] = {"picture": [], "strip": []}
    kept = lambda place, data: given[place].append(json.loads(json.dumps(data)))  # noqa: E731  (short)
    monkeypatch.setattr(viewer, "_viewer", lambda *, data, **_: kept("picture", data))
    monkeypatch.setattr(filmstrip, "_strip", lambda *, data, **_: kept("strip", data))
    return given


def name(app) -> str:
    """The name on the verdict card in sight."""
    return next(item.value for item in app.caption if item.value.startswith(r"0\.png")).replace("\\", "")


def click(app, drawn, number: int):
    """Clicks a face on the picture."""
    app.session_state["inspect_viewer"] = {"face": {"image": drawn["picture"][-1]["image"], "number": number, "at": 1}}
    return app.run()


def choose(app, number: int, at: int = 1, of: bytes | None = None):
    """Chooses in the list, of a picture; 0 is the whole picture."""
    image = sha256_bytes(file(GROUP) if of is None else of)
    app.session_state["inspect_faces_strip"] = {"chosen": {"id": f"{image} {number}", "number": number, "at": at}}
    return app.run()


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    """What other tests found is not known, and however slow the machine is, faces are looked for unasked."""
    monkeypatch.setattr(faces, "_SLOW_SECONDS", 1e9)
    for name in ("_found", "_kept", "_cut"):
        monkeypatch.setattr(face_work, name, Recent(8))


def test_faces_come_after_the_verdict_framed_listed_and_each_with_its_own(library, drawn, monkeypatch):
    shown_before = []
    monkeypatch.setattr(
        face_work, "find", lambda data, find=face_work.find: shown_before.append(len(drawn["picture"])) or find(data)
    )
    app = upload(open_page("inspect"), file(GROUP))
    assert shown_before and shown_before[0] > 0, "nobody waited for faces to see the verdict"
    told = words(app).replace("\\", "")
    assert "4 faces found, 3 judged by Faces (FFHQ against StyleGAN)" in told and name(app) == "0.png"
    assert "1 face is not judged: smaller than 74 pixels" in told
    items, framed = drawn["strip"][-1]["items"], drawn["picture"][-1]["faces"]
    assert [item["name"] for item in items] == ["The picture", "Face 1", "Face 2", "Face 3"]
    for face, one in zip(sorted(find_faces(GROUP), key=lambda face: -face.side), framed, strict=False):
        assert one["box"] == pytest.approx(
            [face.box[0] / 1200, face.box[1] / 700, face.box[2] / 1200, face.box[3] / 700]
        )
    assert items[1]["mark"] == "Does not apply" and not items[1]["notes"], "a score that is not used is not shown"
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    assert all(item["notes"][0].startswith("score ") for item in drawn["strip"][-1]["items"][1:])
    assert len(shown_before) == 1, "nothing is judged again for other settings"


@pytest.mark.parametrize("why", ["looking for faces reads it again", "Others wait for their verdicts"])
def test_where_others_would_wait_faces_are_looked_for_only_if_one_asks(why, library, drawn, monkeypatch):
    if why.startswith("Others"):
        monkeypatch.setattr(Turns, "is_crowded", True)
    else:
        monkeypatch.setattr(faces, "_SLOW_SECONDS", 0.0)
    looked = []
    monkeypatch.setattr(face_work, "find", lambda data, find=face_work.find: looked.append(data) or find(data))
    app = upload(open_page("inspect"), file(GROUP))
    assert why in words(app) and not looked and not drawn["strip"]
    button(app, "Look for faces").click().run()
    assert len(looked) == 1 and len(drawn["strip"][-1]["items"]) == 4
    assert why not in words(app)


def test_a_chosen_face_has_its_verdict_and_its_heat_map_and_the_whole_comes_back(library, drawn):
    app = upload(open_page("inspect"), file(GROUP))
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    whole = drawn["picture"][-1]
    click(app, drawn, 1)
    seen = drawn["picture"][-1]
    assert name(app) == "0.png, face 2" and not seen["faces"] and seen["map"]
    assert seen["width"] == seen["height"] < 300 and "The verdict is on this face alone" in seen["notes"]
    assert "**This face is small:** 1" in words(app)
    assert "it is the one for faces" in words(app) and drawn["strip"][-1]["chosen"] == 2
    app.run()
    assert name(app) == "0.png, face 2", "an old click does not come again, nor is it lost"
    choose(app, 3)
    assert name(app) == "0.png, face 3" and drawn["picture"][-1]["image"] != seen["image"]
    choose(app, 0, at=2)
    assert name(app) == "0.png" and drawn["picture"][-1] == whole and drawn["strip"][-1]["chosen"] == 0
    for nonsense in (17, -1, "x", None):
        choose(app, nonsense, at=3)
        assert name(app) == "0.png" and not app.exception


@pytest.mark.parametrize("tab", ["Forensics", "All detectors", "Notes", "Details"])
def test_what_is_of_the_whole_picture_says_so_while_a_face_is_chosen(tab, library, drawn):
    app = upload(open_page("inspect"), file(GROUP))
    open_below(app, tab)
    of_whole = "of the whole picture, not of face 2, which is chosen"
    assert of_whole not in words(app)
    click(app, drawn, 1)
    assert of_whole in words(app).replace("\\", "")


def test_a_portrait_stays_as_it_was_and_without_faces_no_list_is_shown(library, drawn):
    app = upload(open_page("inspect"), file(drawn_face(300)))
    assert not drawn["strip"] and "found" not in " ".join(item.value for item in app.caption)
    rows, columns = np.mgrid[:400, :500]
    app = upload(open_page("inspect"), file(np.stack([rows // 2, columns // 2, rows % 7 * 9], 2).astype(np.uint8)))
    assert ":material/face:" not in words(app) and not drawn["strip"]
    assert "Judged by Small" in words(app), "a picture without a face does not go to the detector for faces"


def test_an_alarm_on_a_face_is_told_beside_the_verdict_on_the_whole(library, drawn, monkeypatch):
    def alarmed(*given, judge=face_work.judge, **options):
        told = judge(*given, **options)
        return replace(told, faces=(replace(told.faces[0], verdict=Verdict(0.99, 0.5)), *told.faces[1:]))

    monkeypatch.setattr(face_work, "judge", alarmed)
    group = file(GROUP[::, 1:])
    app = upload(open_page("inspect"), group)
    assert "**1 of 3 faces is called likely fake.** Click a face" in words(app)
    assert drawn["strip"][-1]["items"][1]["mark"].endswith("Likely fake")
    choose(app, 1, of=group)
    assert "Click a face" not in words(app) and "## :orange[:material/warning: Likely fake]" in words(app)


def test_where_faces_cannot_be_looked_for_it_is_told_and_looked_for_again_when_asked(library, drawn, monkeypatch):
    def busy(_):
        raise BusyError("The server is busy: others wait.")

    monkeypatch.setattr(Turns, "is_crowded", True)
    app = upload(open_page("inspect"), file(GROUP))
    with monkeypatch.context() as patch:
        patch.setattr(face_work, "find", busy)
        button(app, "Look for faces").click().run()
    assert "Faces were not judged. The server is busy" in words(app).replace("\\", "")
    assert name(app) == "0.png" and not app.exception
    failed = app.session_state["inspect_faces_failed"]
    app.session_state["inspect_faces_failed"] = failed | {("", "another picture", False): "Why."}
    button(app, "Look for faces again").click().run()
    assert "4 faces found" in words(app) and "not judged. The" not in words(app), "at once, though others wait"
    assert list(app.session_state["inspect_faces_failed"].values()) == ["Why."], "another picture's reason stays"


def test_what_is_kept_no_longer_is_looked_for_again_after_the_verdict_is_shown(library, drawn, monkeypatch):
    def busy(_):
        raise BusyError("The server is busy: others wait.")

    app = upload(open_page("inspect"), file(GROUP))
    assert drawn["strip"]
    for name_ in ("_found", "_kept"):
        monkeypatch.setattr(face_work, name_, Recent(8))
    monkeypatch.setattr(face_work, "find", busy)
    drawn["picture"].clear()
    app.run()
    assert drawn["picture"] and name(app) == "0.png" and not app.exception
    assert "Faces were not judged. The server is busy" in words(app).replace("\\", "")


def test_what_is_known_of_faces_is_made_once_and_small(library, drawn, monkeypatch):
    made = []
    thumbnail = SimpleNamespace(thumbnail=lambda rgb, side: made.append(rgb) or media.thumbnail(rgb, side))
    monkeypatch.setattr(face_work, "media", thumbnail)
    app = upload(open_page("inspect"), file(GROUP))
    before = len(drawn["strip"])
    app.run()
    assert len(drawn["strip"]) > before and len(made) == 3
    ((told, _),) = face_work._kept._results.values()
    assert all(one.preview is None for one in told.told.faces)
    assert all(thumb.startswith("data:image/jpeg") and len(thumb) < 20_000 for thumb in told.thumbs)


@pytest.mark.parametrize("why", ["The machine is short of memory.", "at most 0 MB to be looked at by itself"])
def test_a_face_that_cannot_be_cut_out_leaves_the_picture_with_the_reason(why, library, drawn, monkeypatch):
    def short(*_):
        raise TransientImageError(why)

    app = upload(open_page("inspect"), file(GROUP))
    if why.startswith("The"):
        monkeypatch.setattr(face_work.sandbox, "part", short)
    else:
        monkeypatch.setattr(face_work, "MAX_BYTES", 1000)
    click(app, drawn, 1)
    said = words(app).replace("\\", "")
    assert "Face 2 cannot be shown by itself." in said and why in said
    assert name(app) == "0.png" and not app.exception and drawn["strip"][-1]["chosen"] == 0


def test_a_choice_in_the_list_of_another_picture_chooses_nothing(library, drawn):
    app = upload(open_page("inspect"), file(GROUP))
    choose(app, 2, of=b"another picture")
    assert name(app) == "0.png" and drawn["strip"][-1]["chosen"] == 0
    assert drawn["strip"][-1]["items"][2]["id"] == f"{sha256_bytes(file(GROUP))} 2"


def test_where_no_face_can_be_judged_page_and_details_say_why(library, drawn, monkeypatch):
    def lacking(module, extra, purpose, require=faces.extras.require):
        if purpose == "Looking for faces":
            raise MissingExtraError("Looking for faces needs openvino.")
        return require(module, extra, purpose)

    monkeypatch.setattr(faces.extras, "require", lacking)
    app = upload(open_page("inspect"), file(GROUP))
    assert "Faces were not judged. Looking for faces needs openvino." in words(app).replace("\\", "")
    assert all(item.label != "Look for faces again" for item in app.button)
    for one, why in (
        (faces.Faces(error="No reason."), "No reason."),
        (faces.Faces("entry"), "They were still being looked for."),
        (faces.Faces("entry", later="Others wait"), "Others wait, so they are looked for when somebody asks."),
    ):
        assert one.to_dict() == {"summary": f"Faces were not judged. {why}", "judged": None, "error": why}
    assert faces.Faces().to_dict() is None
