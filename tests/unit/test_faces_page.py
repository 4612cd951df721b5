"""Inspect, face by face: framed on the picture, listed, and each with its own verdict and heat-map when chosen."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dashboard import faces, filmstrip, viewer
from dfcore.detectors.verdict import Verdict
from dfcore.errors import BusyError
from dfcore.faces import find_faces
from tests.conftest import ROOT
from tests.unit.drawn_face import drawn_face, scene
from tests.unit.test_pages import button, open_page, upload, words, workspace

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
    for name in ("faces", "small"):
        shutil.copytree(ROOT / "models" / name, workspace / "models" / name)


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


def choose(app, number: int, at: int = 1):
    """Chooses in the list; 0 is the whole picture."""
    app.session_state["inspect_faces_strip"] = {"chosen": {"number": number, "at": at}}
    return app.run()


def test_faces_come_after_the_verdict_framed_listed_and_each_with_its_own(library, drawn, monkeypatch):
    shown_before = []
    monkeypatch.setattr(
        faces, "find", lambda data, find=faces.find: shown_before.append(len(drawn["picture"])) or find(data)
    )
    app = upload(open_page("inspect"), file(GROUP))
    assert shown_before and shown_before[0] > 0, "nobody waited for faces to see the verdict"
    assert "4 faces found, 3 judged by Faces (FFHQ against StyleGAN)" in words(app).replace("\\", "")
    assert "1 face too small to be judged" in words(app) and name(app) == "0.png"
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


def test_a_chosen_face_has_its_verdict_and_its_heat_map_and_the_whole_comes_back(library, drawn):
    app = upload(open_page("inspect"), file(GROUP))
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    whole = drawn["picture"][-1]
    click(app, drawn, 1)
    seen = drawn["picture"][-1]
    assert name(app) == "0.png, face 2" and not seen["faces"] and seen["map"]
    assert seen["width"] == seen["height"] < 300 and "The verdict is on this face alone" in seen["notes"]
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


def test_a_portrait_stays_as_it_was_and_without_faces_no_list_is_shown(library, drawn):
    app = upload(open_page("inspect"), file(drawn_face(300)))
    assert not drawn["strip"] and "found" not in " ".join(item.value for item in app.caption)
    rows, columns = np.mgrid[:400, :500]
    app = upload(open_page("inspect"), file(np.stack([rows // 2, columns // 2, rows % 7 * 9], 2).astype(np.uint8)))
    assert "No face was found" in words(app) and not drawn["strip"]
    assert "Judged by Small" in words(app), "a picture without a face does not go to the detector for faces"


def test_an_alarm_on_a_face_is_told_beside_the_verdict_on_the_whole(library, drawn, monkeypatch):
    def alarmed(*given, judge=faces.judge, **options):
        told = judge(*given, **options)
        return replace(told, faces=(replace(told.faces[0], verdict=Verdict(0.99, 0.5)), *told.faces[1:]))

    monkeypatch.setattr(faces, "judge", alarmed)
    app = upload(open_page("inspect"), file(GROUP[::, 1:]))
    assert "**1 of 3 faces is called likely fake.** Click a face" in words(app)
    assert drawn["strip"][-1]["items"][1]["mark"].endswith("Likely fake")
    choose(app, 1)
    assert "Click a face" not in words(app) and "## :orange[:material/warning: Likely fake]" in words(app)


def test_where_faces_cannot_be_looked_for_it_is_told_and_looked_for_again_when_asked(library, drawn, monkeypatch):
    def busy(_):
        raise BusyError("The server is busy: others wait.")

    with monkeypatch.context() as patch:
        patch.setattr(faces, "find", busy)
        app = upload(open_page("inspect"), file(GROUP[1:]))
    assert "Faces could not be looked for: The server is busy" in words(app).replace("\\", "")
    assert name(app) == "0.png" and not app.exception
    button(app, "Look for faces again").click().run()
    assert "4 faces found" in words(app) and "could not be" not in words(app)
