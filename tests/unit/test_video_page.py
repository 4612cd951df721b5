"""The page Video, driven by Streamlit's AppTest: every state of a film, what is said of it, who may do what."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import film_files, film_frames, film_moment, film_timeline, map_layer, media, viewer, widgets
from dashboard.navigation import path
from dfcore.confidence import ErrorBudget
from dfcore.explanation import Heatmap
from dfcore.films import Sampling
from dfcore.films.rows import Row
from dfcore.films.store import FilmStore
from dfcore.runs import State
from tests.conftest import ROOT, make_card, untrained
from tests.made_film_jobs import make_film
from tests.made_films import film, number_of, sound_alone, write

APP = ROOT / "streamlit_app.py"
AUTH = {"redirect_uri": "http://localhost/oauth2callback", "cookie_secret": "a-cookie-secret-of-some-length"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folder of films."""
    return tmp_path / "films"


@pytest.fixture
def file(tmp_path) -> Path:
    """A film of twenty frames."""
    return write(tmp_path, film(20))


@pytest.fixture
def detector(tmp_path) -> str:
    """The name of a detector in the library."""
    from dfcore.detectors.bundle import write_bundle

    write_bundle(tmp_path / "models" / "plain", untrained(1), make_card(title="Plain"))
    return "plain"


@pytest.fixture
def started(monkeypatch) -> list:
    """Films whose process would have been started."""
    result: list = []
    monkeypatch.setattr(FilmStore, "launch", lambda store, film: result.append(film))
    return result


@pytest.fixture
def drawn(monkeypatch) -> list[str]:
    """What was drawn of frames, run by run."""
    result: list[str] = []
    monkeypatch.setattr(film_moment.st, "html", lambda body, **_: result.append(body))
    return result


def open_page(role: str = "", **asked: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120)
    if role:
        app.secrets = {"auth": AUTH, "roles": {role: ["*"]}}
        app.user = {"is_logged_in": True, "email": "ada@example.org"}
    app.run()
    for name, value in asked.items():
        app.query_params[name] = value
    app.switch_page(path("video")).run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.error]
    return " ".join(str(part.value) for part in parts).replace("\\", "").replace("\N{WORD JOINER}", "")


def labels(app: AppTest) -> list[str]:
    return [item.label for item in app.button]


def press(app: AppTest, label: str) -> AppTest:
    next(item for item in app.button if item.label == label).click().run()
    assert not app.exception, app.exception[0].message
    return app


def asked(app: AppTest) -> dict[str, str]:
    """The query parameters of the address."""
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


# === What to judge ===


def test_without_films_the_page_asks_for_one(detector):
    app = open_page()
    assert "No film yet" in words(app)
    assert next(item for item in app.button if item.label == "Judge it").disabled


def test_a_film_on_the_server_is_judged_as_was_chosen(detector, file, started):
    app = open_page()
    app.segmented_control(key="film_how").set_value("On the server").run()
    app.text_input(key="film_place").set_value(f" {file} ").run()
    app.segmented_control(key="film_sampling").set_value("frames").run()
    app.number_input(key="film_every_frames").set_value(5.0).run()
    app.toggle(key="film_faces").set_value(False).run()
    app.text_input(key="film_title").set_value(" From the archive ").run()
    app.toggle(key="inspect_own_budget").set_value(True).run()
    app.number_input(key="inspect_max_fpr").set_value(1.0).run()
    press(app, "Judge it")
    (job,) = started
    request = job.request
    assert (request.title, request.by, request.path) == ("From the archive", "local user", str(file))
    assert request.sampling == Sampling("frames", 5) and not request.faces and request.detectors == (detector,)
    assert request.budget == ErrorBudget(max_fpr=0.01, max_fnr=0.05)
    assert asked(app)["film"] == job.id and "one frame in 5" in words(app)
    assert "Results appear here as soon as frames are judged" in words(app)
    # The next one begins without this one's name, and how it was looked at stays.
    app.session_state["film_new"] = True
    app.run()
    assert (app.text_input(key="film_title").value, app.text_input(key="film_place").value) == ("", "")
    assert app.segmented_control(key="film_sampling").value == "frames"
    app.text_input(key="film_place").set_value(str(file)).run()
    press(app, "Judge it")
    assert app.session_state["film_new"] is False and len(started) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [(sound_alone(), "sound"), (film(10)[:700], ""), (b"no film at all", ""), (b"", "empty file")],
    ids=["sound alone", "cut off", "text", "empty"],
)
def test_what_is_no_film_is_told_in_place_and_what_was_typed_stays(detector, tmp_path, started, content, told):
    place = write(tmp_path, content, "odd.mp4")
    app = open_page()
    app.segmented_control(key="film_how").set_value("On the server").run()
    app.text_input(key="film_place").set_value(str(place)).run()
    press(app, "Judge it")
    assert told in app.error[0].value and len(app.error[0].value) > 20
    assert app.text_input(key="film_place").value == str(place) and not started and not list(FilmStore())


def test_what_may_not_be_read_is_refused(detector, file, tmp_path, started, monkeypatch):
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path / "open"))
    app = open_page()
    app.segmented_control(key="film_how").set_value("On the server").run()
    app.text_input(key="film_place").set_value(str(file)).run()
    press(app, "Judge it")
    assert "lies outside of the folders that may be read" in app.error[0].value and not started


def test_without_what_reads_films_the_page_says_what_to_install(detector, file, started, monkeypatch):
    from dfcore.errors import MissingExtraError
    from dfcore.films import reader

    def require(*_):
        raise MissingExtraError("Reading films needs PyAV: pip install 'dfcore[films]'.")

    monkeypatch.setattr(reader.extras, "require", require)
    app = open_page()
    app.segmented_control(key="film_how").set_value("On the server").run()
    app.text_input(key="film_place").set_value(str(file)).run()
    press(app, "Judge it")
    assert "pip install" in app.error[0].value and not started


def test_an_upload_is_handed_over_and_then_gone(detector, file, started, folder, tmp_path):
    from dashboard.upload_spool import FILM, Offered, Spool

    app, data = open_page(), file.read_bytes()
    spool = Spool([Offered("shot/a.mp4", len(data), 0), Offered("b.mp4", 3, 0)], FILM)
    spool.add(0, data)
    app.session_state["film_upload_spool"], app.session_state["film_upload_id"] = spool, "1-2"
    app.run()
    assert "1 file is left out. b.mp4: more than 1 file at a time." in words(app)
    press(app, "Judge it")
    (job,) = started
    assert job.copy.read_bytes() == data and job.title == "a.mp4" and job.request.sampling == Sampling("seconds", 1.0)
    assert "film_upload_spool" not in app.session_state and not list((tmp_path / "batches" / ".uploads").iterdir())


# === States ===


@pytest.mark.parametrize(
    ("state", "said", "offered"),
    [
        (State.QUEUED, "waiting", {"Stop"}),
        (State.RUNNING, "running", {"Stop"}),
        (State.STOPPING, "stopping", set()),
        (State.STOPPED, "stopped", {"Go on"}),
        (State.INTERRUPTED, "interrupted", {"Go on"}),
        (State.FAILED, "failed", {"Go on"}),
        (State.COMPLETED, "ended", set()),
    ],
)
def test_each_state_is_said_and_offers_what_can_be_done(folder, file, state, said, offered):
    make_film(folder, file, state=state, total=50, reason="The film could not be read any further.")
    app = open_page()
    assert f" {said}]" in words(app) and set(labels(app)) & {"Stop", "Go on"} == offered
    closes = {"Close and delete pictures", "Delete this film"}
    assert set(labels(app)) & closes == (set() if state.active else closes)
    assert ("could not be read any further" in words(app)) == (state is State.FAILED)
    assert "sampled frames" in words(app), "what was judged can be looked at in every state"


def test_progress_tells_speed_and_time_left(folder, file):
    make_film(folder, file, state=State.RUNNING, total=60)
    shown = [item.proto.text for item in open_page().get("progress")]
    assert shown == ["12 of about 60 frames, 8.2 frames/s, about 70 s left"]


def test_a_film_that_goes_on_is_launched(folder, file, started):
    job = make_film(folder, file, state=State.STOPPED, total=50)
    press(open_page(), "Go on")
    assert [one.id for one in started] == [job.id]


def test_a_film_of_which_nothing_was_judged_says_so(folder, file):
    make_film(folder, file, 0, state=State.FAILED, reason="It shows no progress.")
    app = open_page()
    assert "No frame was judged" in words(app) and "It shows no progress" in words(app)


def test_a_damaged_film_is_listed_and_the_others_work(folder, file):
    make_film(folder, file, number=1, title="Sound")
    (make_film(folder, file, number=2).folder / "film.json").write_text("{")
    app = open_page()
    assert any("damaged" in option for option in app.selectbox(key="film").options)
    assert "film.json is missing or damaged" in words(app) and "Delete this film" in labels(app)
    app.selectbox(key="film").set_value("20260101-000001-000-film").run()
    assert not app.exception and "sampled frames" in words(app)


def test_a_damaged_film_can_be_closed(folder, file):
    (damaged := make_film(folder, file, number=2).folder / "film.json").write_text("{")
    app = open_page()
    press(app, "Close and delete pictures")
    assert not app.exception and f"{damaged.parent.name}, damaged" in words(app)
    app.button(key="dialog_go").click().run()
    assert not app.exception and "was closed by request" in words(app)


def test_the_address_names_film_and_moment_and_one_that_is_gone_is_told(folder, file):
    make_film(folder, file, number=1, title="First")
    make_film(folder, file, number=2, title="Second")
    app = open_page(film="20260101-000001-000-film", at="2")
    assert app.selectbox(key="film").value == "20260101-000001-000-film" and "frame 2" in words(app)
    assert "All 2 films" in [item.label for item in app.expander]
    app.selectbox(key="film").set_value("20260101-000002-000-film").run()
    assert asked(app)["at"] == "4", "another film begins at its strongest moment"
    assert "is not there" in words(open_page(film="20990101-000000-000-film"))
    for at in ("-1", "99", "x", "9" * 30):
        assert asked(open_page(at=at))["at"] == "4"


def test_the_list_shows_what_one_decides_by(folder, file):
    make_film(folder, file, number=1, title="First")
    make_film(folder, file, 6, number=2, title="Second", state=State.STOPPED)
    app = open_page()
    app.session_state["film_all"] = True
    app.run()
    assert app.dataframe[0].value.to_dict("list") == {
        "Name": ["Second", "First"], "State": ["stopped", "ended"], "Frames": [6, 12], "Likely fake": [2, 4],
        "Pictures": ["kept"] * 2, "Started": ["2026-01-01 00:00"] * 2, "By": ["ada@example.org"] * 2,
    }  # fmt: skip


# === What is said ===


def test_the_films_word_is_inconclusive_and_tells_that_it_is_not_calibrated(folder, file):
    make_film(folder, file, notes=("1 part of it was damaged.",))
    said = words(open_page())
    assert "### :gray[:material/help: Inconclusive]" in said and "no films to calibrate this on" in said
    assert "Of 12 sampled frames `small` applies to 10, of which 4 are called likely fake" in said
    assert "film.mp4; MP4" in said and "128 × 96 pixels; 10 frames/s" in said and "1 part of it was damaged." in said
    assert "likely real" not in said.lower()


def test_the_timeline_has_a_panel_for_each_detector_and_gaps_where_a_face_was_gone(folder, file):
    job = make_film(folder, file)
    whole, faces = film_timeline.panels(job.judges(), job.rows())
    assert (whole.title, whole.real_below, whole.fake_from) == ("Whole frame, judged by small", 0.2, 0.8)
    assert [one.sample for one in whole.lines[0].moments if one and not one.used] == [5, 11]
    assert [(round(start, 1), round(end, 1)) for start, end in whole.stretches] == [(0.3, 0.4), (0.9, 1.0)]
    first, second = faces.lines
    assert [one and one.sample for one in first.moments] == [0, 1, 2, 3, 4, 5, 6, None, 8, 9, 10, 11]
    assert [one.sample for one in second.moments if one] == [3, 4, 5, 6, 8, 9, 10, 11] and second.key == 2
    (part, _) = film_timeline.panels(job.judges(), job.rows(), (0.25, 0.55))
    assert [one.sample for one in part.lines[0].moments if one] == [3, 4, 5]


def test_of_very_many_samples_the_highest_of_neighbours_is_drawn(monkeypatch, folder, file):
    monkeypatch.setattr(film_timeline, "_POINTS", 6)
    job = make_film(folder, file, faces=0)
    (whole,) = film_timeline.panels(job.judges(), job.rows())
    assert [one and one.score for one in whole.lines[0].moments] == [0.3, 0.9, 0.95, 0.3, 0.9, 0.95]
    assert "Of each 2 neighbouring samples the highest is drawn" in words(open_page())


def test_a_click_on_the_timeline_looks_at_that_moment_and_face(monkeypatch):
    state: dict = {"film_timeline": {"selection": {"points": [{"customdata": [9, "0:00.9", "likely fake", 2]}]}}}
    monkeypatch.setattr(film_timeline, "st", SimpleNamespace(session_state=state, query_params={}))
    film_timeline._clicked()
    assert state["film_look"] == 2 and state["film_at"][1] == "9" and film_timeline.st.query_params["at"] == "9"
    state["film_timeline"] = {"selection": {"points": []}}
    film_timeline._clicked()
    assert state["film_at"][1] == "9"


def test_moments_are_gone_through_by_buttons(folder, file, drawn):
    make_film(folder, file)
    app = open_page(at="0")
    assert "**0:00.0**, frame 0" in words(app)
    assert next(item for item in app.button if item.label == "Previous").disabled
    press(app, "Next")
    assert "**0:00.1**, frame 1" in words(app) and asked(app)["at"] == "1"
    app.segmented_control(key="film_look").set_value(1).run()
    assert "**Face 1: :gray[:material/search_off: No sign of a fake found]**" in words(app)
    press(app, "0:00.4: 0.95")
    assert "**Whole frame: :orange[:material/warning: Likely fake]**" in words(app) and asked(app)["at"] == "4"
    assert any('aria-label="Score 0.950' in body for body in drawn)


def test_the_frame_is_drawn_with_its_faces(folder, file, drawn):
    make_film(folder, file)
    open_page(at="3")
    body = next(body for body in drawn if "<img" in body)
    assert "aspect-ratio:128/96" in body and "left:10.00%;top:20.00%;width:20.00%;height:40.00%" in body
    assert "whole frame: likely fake; face 1: no sign of a fake found; face 2:" in body
    assert body.count("position:absolute;left:0;top:0") == 2


@pytest.mark.parametrize("copied", [True, False])
def test_a_frame_is_read_again_as_it_was_judged(folder, file, copied):
    job = make_film(folder, file, copied=copied)
    for at in (11, 3):
        rgb = film_frames.frame(job, job.samples()[at])
        assert number_of(rgb) == at
        with Image.open(io.BytesIO(media.png(rgb))) as again:
            assert np.array_equal(np.asarray(again), rgb)


def test_a_frame_says_where_it_comes_from_wherever_it_is_opened(folder, file, monkeypatch):
    job = make_film(folder, file)
    opened = []
    monkeypatch.setattr(film_moment.widgets, "inspect", lambda name, *_: opened.append(name))
    press(open_page(at="3"), "Open in Inspect")
    assert opened == [f"{file.name}, 0m00.3s, frame 3.png"]
    sample = job.samples()[3]
    late = SimpleNamespace(position=replace(sample.position, seconds=7265.24, frame=181631))
    assert film_moment._file_name(job, late, 2) == f"{file.name}, 2h01m05.2s, frame 181631, face 2.png"


def test_a_frame_of_a_data_set_says_of_which_film_it_is(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(widgets, "inspect", lambda name, data, detector: opened.append(name))
    (tmp_path / "000012.png").write_bytes(b"")
    for film_of in ("real/clip.mp4", None, float("nan"), ""):
        widgets.inspect_file(tmp_path / "000012.png", film_of)
    assert opened == ["clip.mp4, 000012.png", *["000012.png"] * 3]


def test_a_film_that_is_gone_or_has_changed_shows_its_thumbnail_and_says_why(folder, file, drawn):
    make_film(folder, file)
    file.write_bytes(film(20, rate=5))
    assert "The film's file has changed since it was judged" in words(open_page(at="3"))
    file.unlink()
    drawn.clear()
    assert "The film is not there any more: it was moved or deleted" in words(open_page(at="3"))
    assert any("data:image/jpeg" in body and "left:10.00%" in body for body in drawn)


def test_the_heat_map_is_made_on_demand_and_says_why_there_is_none(folder, file, detector, drawn, monkeypatch):
    from dfcore.detectors.bundle import read_card
    from dfcore.detectors.remembered import card_sha256

    version = card_sha256(read_card(folder.parent / "models" / detector))
    make_film(folder, file, judge=detector, version=version)
    asked_for: list = []

    def heatmap(entry, data, method, target, layer, view=0):
        asked_for.append((entry.key, target))
        return Heatmap(np.linspace(0, 1, 96 * 128, dtype=np.float32).reshape(96, 128), 1.0, method, target, layer)

    monkeypatch.setattr(film_moment.inference, "heatmap", heatmap)
    app = open_page(at="3")
    assert not asked_for
    app.toggle(key="film_map").set_value(True).run()
    frame = [body for body in drawn if "<img" in body][-1]
    assert asked_for == [("plain", "fake")]
    assert all(part in frame for part in (f"opacity:{map_layer.OPACITY}%", map_layer.bar(), "high evidence of fake"))
    app.segmented_control(key="film_look").set_value(1).run()
    assert "the detector that judged this is gone, or has changed since" in words(app)
    app = open_page(at="5")
    app.toggle(key="film_map").set_value(True).run()
    assert "since the score is not used" in words(app)


def _viewer_of_a_map():
    from types import SimpleNamespace

    import numpy as np

    from dashboard import media, viewer
    from dfcore.detectors.verdict import Verdict
    from dfcore.explanation import Heatmap
    from tests.conftest import make_card

    values = np.linspace(0, 1, 96 * 128, dtype=np.float32).reshape(96, 128)
    entry, data = SimpleNamespace(card=make_card(), version="1"), media.png(np.zeros((96, 128, 3), np.uint8))
    viewer.show(entry, "a.png", data, Verdict(0.9, 0.5), Heatmap(values, 1.0, "gradcam", "fake", "conv"))


def test_a_map_is_drawn_as_in_inspect(monkeypatch):
    """The same layer at the same opacity, under the same legend."""
    assert f'read("opacity", {map_layer.OPACITY})' in viewer.asset("viewer.js")
    shown: dict = {}
    monkeypatch.setattr(viewer, "_viewer", lambda *, data, **_: shown.update(data))
    monkeypatch.setattr(viewer.media, "address", lambda data_url, place: data_url)
    app = AppTest.from_function(_viewer_of_a_map).run()
    assert not app.exception, app.exception
    made = Heatmap(np.linspace(0, 1, 96 * 128, dtype=np.float32).reshape(96, 128), 1.0, "gradcam", "fake", "conv")
    assert shown["map"] == map_layer.source(("another",), made)
    assert shown["colours"] in map_layer.legend(made) and shown["evidence"] in map_layer.legend(made)


def test_a_face_is_judged_by_the_same_detector_though_it_has_faces_cropped(folder, detector):
    from dfcore.detectors.bundle import read_card, write_card
    from dfcore.detectors.face_records import FramingRecord
    from dfcore.films.judges import version_of

    bundle = folder.parent / "models" / detector
    framed = read_card(ROOT / "models" / "faces").framing
    assert isinstance(framed, FramingRecord)
    write_card(bundle, read_card(bundle).model_copy(update={"framing": framed}))
    row = Row(0, 0, 0.0, 1, (0, 0, 9, 9), detector, version_of(read_card(bundle)), 0.9, 1.0, False, True, "fake", None)
    entry = film_moment._entry(row)
    assert entry is not None and entry.key == detector
    write_card(bundle, read_card(bundle).model_copy(update={"framing": None}))
    assert film_moment._entry(row) is None


def test_the_timeline_can_be_had_as_a_table(folder, file):
    import pandas as pd

    table = pd.read_csv(io.BytesIO(film_files._csv(make_film(folder, file))))
    assert len(table) == 12 + 11 + 8 and table["track"].isna().sum() == 12


# === Deleting, and who may do what ===


def test_a_film_is_closed_and_deleted_after_a_question(folder, file):
    job = make_film(folder, file, copied=True)
    app = press(open_page(), "Close and delete pictures")
    press(app, "Cancel")
    assert job.copy.exists()
    press(app, "Close and delete pictures").button(key="dialog_go").click().run()
    app.run()
    assert not job.copy.exists() and job.samples()
    app = press(open_page(), "Delete this film")
    press(app, "Delete for good")
    app.run()
    assert not job.folder.exists() and file.exists() and "No film yet" in words(app)


@pytest.mark.parametrize(
    ("role", "there"),
    [
        ("viewer", set()),
        ("analyst", {"Go on", "Close and delete pictures", "Open in Inspect"}),
        ("trainer", {"Go on", "Close and delete pictures", "Open in Inspect", "Delete this film"}),
    ],
)
def test_who_may_do_what(folder, file, role, there):
    make_film(folder, file, state=State.STOPPED)
    app = open_page(role)
    every = {"Go on", "Close and delete pictures", "Open in Inspect", "Delete this film"}
    assert set(labels(app)) & every == there
    assert "sampled frames" in words(app), "everybody may read"
