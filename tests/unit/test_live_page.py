"""A camera or a screen on the page Video: what a browser may send, and what is said of it."""

import base64
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import live_session, live_view
from dashboard.navigation import path
from dashboard.verdict import Strictness
from dfcore.confidence import ErrorBudget
from dfcore.errors import AccessError, BusyError, DfcoreError, ImageError, InputError
from dfcore.films.judges import judges_of
from dfcore.films.live import Live
from tests.bright_detectors import bright, grey
from tests.conftest import ROOT, make_card, untrained
from tests.unit.drawn_face import scene

APP = ROOT / "streamlit_app.py"
CARDS = SimpleNamespace(budget=None, ignore_ood=False)


def sent(rgb: np.ndarray, number: int = 0, *, camera: str = "one", **more) -> dict:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    png = base64.b64encode(buffer.getvalue()).decode()
    return {"id": camera, "number": number, "seconds": number / 2, "png": png} | more


@pytest.fixture
def entries(monkeypatch) -> list:
    """Two detectors of a library of three, of which the last is for faces; none has a network."""
    loaded = {"a": bright(), "b": bright(), "faces": bright(of_faces=True)}
    library = [live_session.detectors.Entry(key, Path(key), key, one.card) for key, one in loaded.items()]
    monkeypatch.setattr(live_session.detectors, "detectors", lambda: library)
    monkeypatch.setattr(live_session.detectors, "detector", lambda entry: loaded[entry.key])
    monkeypatch.setattr(live_session, "st", SimpleNamespace(session_state={}))
    monkeypatch.setattr(live_session.actions, "require_judging", lambda: None)
    return library[:2]


def take(value, entries, *, faces: bool = True, accepted=Strictness(None, False)) -> live_session.Session | None:
    live_session.take(value, entries, accepted, faces=faces)
    return live_session.current()


def test_frames_are_judged_and_another_camera_begins_anew(entries):
    first = take(sent(scene([(100, 100, 240)])), entries)
    assert first.number == 0 and [row.track for row in first.last.rows] == [None, 1]
    assert first.judges["face"] == "faces" and first.judges["chosen"] in ("a", "b")
    assert take(sent(grey(220), 1), entries) is first and first.live.number == 2
    assert "1 of 2 sampled frames is called likely fake" in " ".join(first.verdict(first.rows()).sentences())
    second = take(sent(grey(60), camera="two"), entries, faces=False)
    assert second is not first and second.live.number == 1 and second.judges["face"] is None


def test_other_choices_count_anew_and_say_so(entries):
    take(sent(scene([(100, 100, 240)])), entries)
    session = take(sent(scene([(100, 100, 240)]), 1), entries[1:], faces=False, accepted=Strictness(None, True))
    assert [row.detector for row in session.last.rows] == ["b"] and session.live.number == 1
    assert session.anew == "Counted anew from 0:00.5 on, since the choices changed." and session.number == 1
    assert take(sent(grey(60), 2), entries[1:], faces=False, accepted=Strictness(None, True)) is session


def test_a_frame_that_came_twice_counts_once(entries):
    for number in (0, 1, 1, 0):
        session = take(sent(grey(60), number), entries)
    assert session.live.number == 2 and session.number == 1


@pytest.mark.parametrize(
    ("png", "told"),
    [("", "empty"), ("*" * 9, "damaged"), ("AAAA", "image"), (None, "Expected a frame"), ([], "Expected a frame")],
)
def test_a_frame_that_cannot_be_read_is_told_counted_and_passed_over(png, told, entries):
    take(sent(grey(60)), entries)
    session = take(sent(grey(60), 1, png=png), entries)
    assert isinstance(session.error, (ImageError, InputError)) and told in str(session.error).lower() + str(
        session.error
    )
    assert (session.number, session.live.number, session.failed) == (1, 1, 1)
    session = take(sent(grey(60), 2), entries)
    assert session.error is None and session.live.number == 2


def test_a_frame_that_is_too_large_is_not_unpacked(entries, monkeypatch):
    monkeypatch.setattr(live_session, "_MOST_BYTES", 60)
    assert "Expected a frame of up to" in str(take(sent(grey(60)), entries).error)


@pytest.mark.parametrize(
    "value",
    [None, "frame", {}, {"id": "x"}, sent(grey(60)) | {"number": "1"}, sent(grey(60), seconds=float("nan")),
     sent(grey(60), seconds=-1.0), sent(grey(60)) | {"number": True}, sent(grey(60), seconds=None),
     sent(grey(60), seconds=1e300)],
)  # fmt: skip
def test_what_is_no_frame_is_passed_over(value, entries):
    assert take(value, entries) is None


def test_a_busy_server_passes_a_frame_over_and_says_so(entries, monkeypatch):
    take(sent(grey(60)), entries)

    def busy():
        raise BusyError("The server is busy.")

    monkeypatch.setattr(live_session.inference_queue, "inference", SimpleNamespace(take=busy))
    session = take(sent(grey(60), 1), entries)
    assert isinstance(session.error, BusyError) and session.failed == 1 and session.live.number == 1


def test_who_may_not_judge_sends_nothing(entries, monkeypatch):
    def refuse():
        raise AccessError("No.")

    monkeypatch.setattr(live_session.actions, "require_judging", refuse)
    session = take(sent(grey(60)), entries)
    assert session.refused == "No." and not session.running and session.last is None
    assert live_view._told(session)["refused"], "the browser stops sending"


def test_a_detector_of_faces_alone_needs_faces(entries):
    faces = live_session.detectors.detectors()[2:]
    session = take(sent(grey(60)), faces, faces=False)
    assert "faces alone" in session.refused
    told = live_view._told(session)
    assert (told["id"], told["number"]) == ("one", 0) and told["refused"]
    session = take(sent(scene([(100, 100, 240)]), camera="two"), faces)
    assert [row.detector for row in session.last.rows] == [None, "faces"]


def test_the_analysts_budget_moves_the_thresholds(entries, monkeypatch):
    from dfcore.confidence import DecisionThresholds

    at = DecisionThresholds(real_below=0.0, fake_from=1.0, budget=ErrorBudget())
    monkeypatch.setattr(live_session.inference, "thresholds", lambda entry, budget: at)
    session = take(sent(grey(220)), entries[:1], accepted=Strictness(ErrorBudget(), False))
    assert session.last.rows[0].finding == "inconclusive"


def open_page(session: live_session.Session | None = None) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.session_state["video_what"] = "Camera or screen"
    if session is not None:
        app.session_state["live_session"] = session
    app.switch_page(path("video")).run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.warning, *app.error]
    return " ".join(str(part.value) for part in parts).replace("\\", "").replace("\N{WORD JOINER}", "")


@pytest.fixture
def library(tmp_path) -> None:
    from dfcore.detectors.bundle import write_bundle

    write_bundle(tmp_path / "models" / "plain", untrained(1), make_card(title="Plain"))


def test_the_page_says_what_happens_with_the_pictures(library):
    said = words(open_page())
    assert "kept nowhere" in said and "No film yet" not in said


def test_the_page_tells_the_last_frame_the_count_and_what_failed(library):
    judges = judges_of({"a": bright()}, {}, no_faces="There is no detector for faces.")
    session = live_session.Session("one", None, Live(judges=judges))
    live_session._judge(session, session.live, grey(220), 1.5)
    session.error, session.failed, session.running = DfcoreError("It broke."), 3, False
    app = open_page(session)
    said = words(app)
    assert "Frame 1, at 0:01.5" in said and "Whole frame: :orange[:material/warning: Likely fake], score 1.000" in said
    assert "1 of 1 sampled frame is called likely fake by `a`" in said and "no verdict on the film" in said
    assert "The last frame was not judged: It broke." in said and "3 frames were not judged." in said
    assert "Faces are not judged. There is no detector for faces." in said and app.get("download_button")


def test_the_browser_is_told_where_the_faces_are_and_how_fast_it_goes(entries):
    session = take(sent(scene([(100, 100, 240)])), entries)
    told = live_view._told(session)
    (box,) = told["boxes"]
    left, top, right, bottom = box["box"]
    assert 0.1 < left < right < 0.5 and 0.1 < top < bottom < 0.6 and box["label"].endswith(" 1")
    assert (told["id"], told["number"]) == ("one", 0) and "face 1:" in told["words"]
    take(sent(grey(60), 1), entries)
    assert "are judged a second" in live_view._told(live_session.current())["pace"]
