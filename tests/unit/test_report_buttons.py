"""Reports from Inspect: made when a button is pressed, by whoever may judge."""

from html import unescape
from threading import Semaphore

import pytest

from dashboard import detectors, face_work, inference_queue, report_buttons, roles
from dashboard.recent import Recent
from dashboard.uploads import Picture
from dfcore.confidence import DecisionThresholds
from dfcore.detectors.bundle import read_card, write_bundle, write_card
from dfcore.detectors.detector import Detector
from tests.conftest import make_card, untrained
from tests.unit.test_pages import (
    filled,
    finished,
    library,
    open_below,
    open_page,
    results,
    sized,
    upload,
    words,
    workspace,
)

__all__ = ["filled", "finished", "library", "results", "workspace"]  # Fixtures.


def test_reports_are_made_only_when_asked_for_and_hold_the_settings_in_use(library, monkeypatch):
    offered: dict = {}
    made: list[str] = []
    content, really = report_buttons._content, report_buttons._made
    monkeypatch.setattr(
        report_buttons, "_content", lambda wanted, suffix: offered.setdefault(suffix, content(wanted, suffix))
    )
    monkeypatch.setattr(report_buttons, "_made", lambda wanted, suffix: made.append(suffix) or really(wanted, suffix))
    app = upload(open_page("inspect"), sized(300))
    assert not offered
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    open_below(app, "Details")
    app.run()
    assert set(offered) == {".html", ".pdf"} and not made
    page = offered[".html"]().decode()
    assert made == [".html"] and "How to repeat it" in page and "--ignore-ood --json" in page
    assert "0.png" in page and "local user" in page and page.count("<img") == 3
    assert offered[".pdf"]().startswith(b"%PDF-")


@pytest.fixture
def offered(monkeypatch) -> dict:
    """What the button for each format gives, as it was shown last."""
    content, result = report_buttons._content, {}

    def kept(wanted, suffix):
        result[suffix] = content(wanted, suffix)
        return result[suffix]

    monkeypatch.setattr(report_buttons, "_content", kept)
    return result


def test_the_report_has_the_map_that_is_shown_with_its_settings(library, offered, results):
    spec = {"size": 32, "resize": "stretch", "views": ["native"]}
    write_bundle(library / "models" / "views", untrained(1), make_card(title="Views", preprocess=spec))
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("views")
    open_below(upload(app, sized(64)), "Why")
    layer = Detector.load("views").explainer().layers[0]
    app.selectbox(key="inspect_layer_views").set_value(layer)
    app.segmented_control(key="inspect_target").set_value("real")
    app.segmented_control(key="inspect_view_views").set_value(1)
    app.selectbox(key="inspect_method").set_value("gradcam++").run()
    open_below(app, "Details")
    shown = results[-1]["heatmap"]
    assert (shown["method"], shown["target"], shown["layer"]) == ("gradcam++", "real", layer)
    assert shown["view"] == "centre at native pixels"
    page = unescape(offered[".html"]().decode())
    assert shown["in_words"] in page and f"by Grad-CAM++, layer {layer}, in {shown['view']}" in page


def test_without_a_map_on_the_page_there_is_none_in_the_report(library, offered):
    app = open_below(upload(open_page("inspect"), sized(32)), "Why")
    app.toggle(key="inspect_explain").set_value(False).run()
    open_below(app, "Details")
    page = offered[".html"]().decode()
    assert page.count("<img") == 1 and "Grad-CAM" not in page


def test_page_report_and_result_say_what_an_alarm_is_worth_by_the_same_rarity(library, offered, results):
    folder = library / "models" / "thumbnails"
    at = DecisionThresholds(real_below=-1, fake_from=0, images=24)
    write_card(folder, read_card(folder).model_copy(update={"decision_thresholds": at}))
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    upload(app, sized(32))
    assert "If one in 10 such pictures is fake" in words(app)
    app.number_input(key="inspect_one_in").set_value(1000).run()
    open_below(app, "Details")
    said = results[-1]["alarm"]
    assert said["one_in"] == 1000 and "If one in 1,000 such pictures is fake" in said["in_words"]
    assert said["in_words"] in words(app).replace("\\", "") and said["in_words"] in offered[".html"]().decode()


def test_faces_are_looked_for_before_the_turn_to_judge_is_taken(library, offered, monkeypatch):
    looked, really = [], face_work.find

    def find(data):
        looked.append(inference_queue.inference._inside)
        return really(data)

    monkeypatch.setattr(face_work, "find", find)
    monkeypatch.setattr(face_work, "_found", Recent(1))
    monkeypatch.setattr("dfcore.inspection.inspect.find", lambda data: pytest.fail("it was looked for already"))
    entry = detectors.library()[0][0]
    picture = Picture("x.png", sized(64))
    wanted = report_buttons._Wanted([entry], picture, {}, (), None, 10, "a", entry)
    assert "No face was found" in report_buttons._made(wanted, ".html").decode() and looked == [0]
    monkeypatch.setattr(face_work, "_found", Recent(1))
    monkeypatch.setattr(inference_queue.faces, "_room", Semaphore(0))
    page = report_buttons._made(wanted, ".html").decode()
    assert "Faces were not judged. The server is busy" in page and "How to repeat it" in page


def test_viewers_are_offered_no_report(filled, monkeypatch):
    monkeypatch.setattr(roles, "current", lambda: roles.Role.VIEWER)
    app = open_page("inspect")
    assert "role" in words(app)
    drawn: list = []
    monkeypatch.setattr(report_buttons.st, "download_button", lambda *args, **options: drawn.append(args))
    report_buttons.show([], None, None, None, "")
    assert not drawn
