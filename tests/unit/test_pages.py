"""Every page, driven by Streamlit's AppTest: empty, with a finished run, and through its main actions."""

import gc
import io
import json
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import detectors, navigation, prediction_sources, viewer
from dfcore import inspection
from dfcore.cli import main
from dfcore.detectors import spare_networks
from dfcore.detectors.bundle import read_card
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import default_name, set_default
from dfcore.evaluation.robustness import CHANGES
from dfcore.runs import Run, RunStore, State, Status
from dfcore.training import presets
from dfcore.utils.files import write_json
from tests.conftest import give_right, make_card, untrained

APP = Path(__file__).parents[2] / "streamlit_app.py"
PAGES = navigation.names()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_dataset):
    """A workspace with one completed run on a small data set."""
    folder = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "dfcore", "train", "--data-root", str(small_dataset), "--runs-dir",
               str(folder / "runs"), "--epochs", "2", "--image-size", "32", "--name", "Small *run*"]  # fmt: skip
    environment = os.environ | {"DFCORE_CACHE": str(folder / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=APP.parent, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace in which pages may do what they like."""
    for name in ("runs", "models", "data", "cache"):
        monkeypatch.setenv(f"DFCORE_{name.upper()}", str(tmp_path / name))
    return tmp_path


@pytest.fixture
def filled(workspace, finished, small_dataset):
    """A workspace of its own with the completed run, and its data set registered."""
    shutil.copytree(finished / "runs", workspace / "runs")
    (workspace / "data").mkdir()
    (workspace / "data" / "registered.json").write_text(json.dumps([str(small_dataset)]))
    return workspace


@pytest.fixture
def library(filled, knowing):
    """The same with two detectors in the library: one for images of 32 pixels, one for 300."""
    for name, folder in knowing.items():
        shutil.copytree(folder, filled / "models" / name)
    return filled


def open_page(name: str) -> AppTest:
    """A session that begins on a page."""
    app = AppTest.from_file(str(APP), default_timeout=120)
    if name != "home":
        app.switch_page(f"pages/{name}.py")
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def open_tab(title: str) -> AppTest:
    """A tab of Evaluate; only the one that is open is drawn."""
    app = open_page("evaluate")
    app.session_state["evaluate_tab"] = title
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    """All that a reader sees, roughly."""
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.subheader]
    return " ".join(str(part.value) for part in parts).replace("\N{WORD JOINER}", "")


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def button(app: AppTest, label: str, key: str | None = None):
    """The first with a label, and with a key if one is given; else one without a key is preferred."""
    result = [item for item in app.button if item.label == label and key in (None, item.key)]
    return min(result, key=lambda item: item.key is not None)


def sized(side: int, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def upload(app: AppTest, *images: bytes) -> AppTest:
    files = [(f"{number}.png", data, "image/png") for number, data in enumerate(images)]
    app.file_uploader(key="inspect_upload").set_value(files).run()
    assert not app.exception, app.exception[0].message
    return app


def open_below(app: AppTest, name: str) -> AppTest:
    """Opens one of the tabs below picture and verdict in Inspect."""
    app.session_state["inspect_tab"] = name
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def listed(app: AppTest) -> pd.DataFrame:
    """The table of all pictures of Inspect, opened."""
    app.session_state["inspect_table"] = True
    app.run()
    assert not app.exception, app.exception[0].message
    (table,) = (frame.value for frame in app.dataframe if "Verdict" in frame.value)
    return table


def accept(app: AppTest, percent: float) -> AppTest:
    """Sets both error budgets."""
    app.toggle(key="inspect_own_budget").set_value(True).run()
    app.number_input(key="inspect_max_fpr").set_value(percent)
    app.number_input(key="inspect_max_fnr").set_value(percent).run()
    assert not app.exception, app.exception[0].message
    return app


@pytest.mark.parametrize(
    ("page", "advice"),
    [
        ("home", "make the demonstration data set first"),
        ("inspect", "no detector yet"),
        ("batch", "No batch yet"),
        ("video", "No film yet"),
        ("cases", "There is no case yet"),
        ("datasets", "Make the demonstration set"),
        ("train", "no data set yet"),
        ("monitor", "No runs yet"),
        ("evaluate", "no detector yet"),
        ("models", "library is empty"),
    ],
)
def test_an_empty_workspace_says_what_to_do_next(workspace, page, advice):
    assert advice in words(open_page(page))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_finished_run_shows_no_error(filled, page):
    app = open_page(page)
    assert not app.error


def test_only_inspect_and_a_running_evaluation_import_tensorflow(filled):
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(APP)!r}, default_timeout=120).run()
for page in {[page for page in PAGES if page not in ("home", "inspect")]!r}:
    app.switch_page(f"pages/{{page}}.py").run()
    assert not app.exception, page
    assert "tensorflow" not in sys.modules, page
assert "keras" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=APP.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_names_from_strangers_are_shown_as_they_are(filled):
    assert r"Small \*run\*" in words(open_page("home"))


# === Inspect ===


def test_an_uploaded_image_gets_verdict_heat_map_and_result(filled):
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").upload("a.png", picture(), "image/png").run()
    assert not app.exception
    for answer in ("Conclusion", "How sure", "Why", "Next"):
        assert f"**{answer}.**" in words(app)
    open_below(app, "Details")
    assert "Score **" in words(app)
    assert "test images like its training data" in words(app)
    assert "Thresholds for at most 5% false alarms and 5% missed fakes" in words(app)
    assert app.get("download_button")


def test_several_images_are_listed_and_a_bad_one_has_its_reason(filled):
    app = open_page("inspect")
    files = [("a.png", picture(1), "image/png"), ("b.png", b"no image", "image/png")]
    app.file_uploader(key="inspect_upload").set_value(files).run()
    assert not app.exception
    assert not app.dataframe, "drawn when it is opened"
    table = listed(app)
    assert list(table.File) == ["a.png", "b.png"]
    assert list(table.Verdict) == ["Inconclusive", "No verdict"]
    assert "Not an image" in table.Remark[1]
    assert table.Remark[0], "an inconclusive verdict has its reason"


def test_an_unreadable_image_alone_says_why(filled):
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").upload("b.png", b"no image", "image/png").run()
    assert not app.exception
    assert "Not an image that is read here" in words(app).replace("\\", "")


def test_choices_of_the_heat_map_survive_another_page(filled):
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").upload("a.png", picture(), "image/png").run()
    app.segmented_control(key="inspect_target").set_value("real").run()
    app.switch_page("pages/models.py").run()
    app.switch_page("pages/inspect.py").run()
    assert app.segmented_control(key="inspect_target").value == "real"
    assert "**Conclusion.**" in words(app)


def test_judged_parts_are_framed_and_each_has_its_map(filled, results, viewed):
    """A detector of the whole image and two crops: frames and names of all three, and the map of the chosen one."""
    from dfcore.detectors.bundle import write_bundle

    spec = {"size": 32, "resize": "stretch", "views": ["native", "native_br"]}
    write_bundle(filled / "models" / "views", untrained(1), make_card(title="Views", preprocess=spec))
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("views")
    open_below(upload(app, sized(300)), "Details")
    frames = ((0, 0, 300, 300), (134, 134, 166, 166), (268, 268, 300, 300))
    drawn = [tuple(round(300 * edge) for edge in part["box"]) for part in viewed[-1]["parts"]]
    assert tuple(drawn) == frames and [part["whole"] for part in viewed[-1]["parts"]] == [True, False, False]
    assert viewed[-1]["map"] and [part["explained"] for part in viewed[-1]["parts"]] == [True, False, False]
    judged = results[-1]["judged"]
    assert [tuple(part["region"]) for part in judged] == list(frames)
    assert [part["view"] for part in judged] == [
        "whole image", "centre at native pixels", "bottom right at native pixels"
    ]  # fmt: skip
    open_below(app, "Why")
    choice = app.segmented_control(key="inspect_view_views")
    assert choice.value == 0 and results[-1]["heatmap"]["view"] == "whole image"
    choice.set_value(2).run()
    assert [part["explained"] for part in viewed[-1]["parts"]] == [False, False, True]
    open_below(app, "Details")
    shown = results[-1]["heatmap"]
    assert shown["view"] == "bottom right at native pixels"
    seen = np.array([[value is not None for value in row] for row in shown["values"]])
    step = shown["every_nth_pixel"]
    rows, columns = (step * np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    assert min(*rows, *columns) >= 268 and not seen[:-8, :-8].any()


def test_a_detector_of_the_whole_image_shows_no_frames(filled, viewed):
    app = upload(open_page("inspect"), sized(32))
    assert [part["whole"] for part in viewed[-1]["parts"]] == [True], "there is one part, the whole"
    assert "Part of the image" not in [item.label for item in app.segmented_control]


def scale(app: AppTest) -> str:
    """The score on its scale, as HTML."""
    (result,) = (item.proto.body for item in app.get("html") if 'role="img"' in item.proto.body)
    return result


def heading(app: AppTest) -> str:
    """The verdict in words."""
    (result,) = (item.value for item in app.markdown if item.value.startswith("## "))
    return result


def test_budgets_move_the_thresholds_and_the_verdict(filled, small_dataset):
    app = upload(open_page("inspect"), (small_dataset / "test" / "fake" / "0.png").read_bytes())
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    assert "Inconclusive" in heading(app), "24 images teach no threshold for 5% errors"
    open_below(app, "Details")
    assert "never likely real, never likely fake" in words(app)
    accept(app, 50)
    assert "Likely fake" in heading(app) or "No sign of a fake found" in heading(app)
    assert "Thresholds for at most 50% false alarms and 50% missed fakes" in words(app)
    assert "no sign of a fake found below **" in words(app)
    shown = heading(app)
    # They are kept, as every other choice.
    app.switch_page("pages/models.py").run()
    app.switch_page("pages/inspect.py").run()
    assert app.number_input(key="inspect_max_fnr").value == 50
    assert heading(app) == shown


@pytest.mark.parametrize("may", [True, False])
def test_a_verdict_says_likely_real_only_where_the_card_gives_the_right(may, library, results, charts, small_dataset):
    folder = library / "models" / "thumbnails"
    if may:
        give_right(folder)
    images = sorted((small_dataset / "validation").rglob("*.png"))
    scores = [verdict.score for verdict in Detector.load(folder).predict(images)]
    low = images[int(np.argmin(scores))]
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    accept(upload(app, low.read_bytes()), 50)
    app.toggle(key="inspect_stability").set_value(True).run()
    assert not app.exception
    legend = {trace.name for trace in charts["stability_band"].data}
    assert ("likely real" in legend, "no sign of a fake found" in legend) == (may, not may)
    seen = words(app)
    open_below(app, "Details")
    assert ("Likely real" if may else "No sign of a fake found") in heading(app)
    seen += words(app)
    for right in (
        "to call an image likely real",
        "may call an image likely real",
        "right to call a picture likely real",
    ):
        seen = seen.replace(right, "")
    assert ("likely real" in seen.lower()) == may, seen
    assert results[-1]["verdict"]["finding"] == ("real" if may else "no_sign")
    assert results[-1]["verdict"]["decision"] == ("real" if may else "inconclusive")
    assert len(results[-1]["detector"]["words"]["sources"]) == may
    table = listed(upload(app, low.read_bytes(), sized(32)))
    assert ("Likely real" in set(table["Verdict"])) == may


def test_an_unlike_image_is_inconclusive_until_one_insists(library):
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    accept(upload(app, sized(300)), 50)
    assert "Inconclusive" in heading(app)
    assert "unlike the pictures that the detector learned from" in words(app)
    assert "shorter side has 300 pixels" in words(app)
    assert "score not used" in scale(app) and "border-radius:50%" not in scale(app), "no knob near any answer"
    assert "there is no heat-map of what it hangs on" in words(app) and "pulls the score" not in words(app)
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    assert "Likely fake" in heading(app) or "No sign of a fake found" in heading(app)
    assert "This is by the score alone" in words(app) and "was not measured" in words(app), "the warning stays"
    assert "border-radius:50%" in scale(app)


def test_the_errors_of_the_card_count_until_others_are_set(library):
    from dfcore.confidence import ErrorBudget
    from dfcore.detectors.bundle import read_card, write_card
    from dfcore.evaluation import thresholds_for

    folder = library / "models" / "thumbnails"
    card = read_card(folder)
    strict = thresholds_for(folder, card, ErrorBudget(max_fpr=0.25, max_fnr=0.25))
    write_card(folder, card.model_copy(update={"decision_thresholds": strict}))
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    open_below(upload(app, sized(32)), "Details")
    assert app.number_input(key="inspect_max_fpr").value == 25
    assert "Thresholds for at most 25% false alarms" in words(app)
    assert "Thresholds for at most 10% false alarms" in words(accept(app, 10))


# === The automatic choice ===


def test_one_detector_leaves_nothing_to_choose(filled):
    app = open_page("inspect")
    assert not any("Automatic" in option for option in app.selectbox(key="detector").options)


def test_the_detector_that_fits_the_image_is_chosen(library):
    app = open_page("inspect")
    assert app.selectbox(key="detector").value == "auto"
    for side, title in ((32, "Thumbnails"), (300, "Photographs")):
        upload(app, sized(side))
        assert f"Judged by {title}\\: it is the only one trained on such images" in words(app), side
    upload(app, sized(100))
    assert "no detector was trained on such images" in words(app)
    assert "Inconclusive" in heading(app)


def test_each_of_several_images_has_its_own_detector(library):
    app = upload(open_page("inspect"), sized(32), sized(300), sized(300, seed=1), b"no image")
    table = listed(app)
    assert [text.split(":")[0] for text in table.Detector[:3]] == ["thumbnails", "photographs", "photographs"]
    assert "Not an image" in table.Remark[3]
    app.selectbox(key="detector").set_value("photographs").run()
    assert {text.split(":")[0] for text in app.dataframe[0].value.Detector} == {"photographs"}


def test_an_address_can_ask_for_a_detector(library):
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.query_params["detector"] = "photographs"
    app.switch_page("pages/inspect.py").run()
    assert app.selectbox(key="detector").value == "photographs"


def test_an_address_that_asks_for_what_is_gone_is_told_and_another_choice_ends_it(library):
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.query_params["detector"] = "gone"
    app.switch_page("pages/inspect.py").run()
    assert "Detector gone is not there" in " ".join(item.value for item in app.warning)
    app.run()
    assert "Detector gone is not there" in " ".join(item.value for item in app.warning)
    app.selectbox(key="detector").set_value("photographs").run()
    assert not app.exception and not app.warning


def test_a_detector_that_was_deleted_meanwhile_is_told(library):
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("photographs").run()
    shutil.rmtree(library / "models" / "photographs")
    app.run()
    assert "Detector photographs is not there" in " ".join(item.value for item in app.warning)


def test_a_link_to_a_run_that_was_deleted_is_told_where_there_is_none(tmp_path):
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.query_params["run"] = "20200101-000000-000-cnn"
    app.switch_page("pages/monitor.py").run()
    assert not app.exception
    assert "is not there" in app.warning[0].value and "No runs yet" in words(app)


@pytest.mark.parametrize(
    ("page", "asked", "told"),
    [
        ("monitor", {"run": "gone"}, "Run gone is not there"),
        ("monitor", {"overlay": "gone"}, "Run gone is not there"),
        ("evaluate", {"detector": "run:gone"}, "Detector run:gone is not there"),
        ("evaluate", {"split": "gone"}, "Split gone is not there"),
        ("evaluate", {"threshold": "7"}, "a threshold of 7; it must be a number from 0 to 1"),
        ("evaluate", {"threshold": "nan"}, "a threshold of nan; it must be a number from 0 to 1"),
        ("models", {"detector": "gone"}, "Detector gone is not there"),
    ],
)
def test_a_link_that_leads_nowhere_is_told_until_something_else_is_chosen(filled, page, asked, told):
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    for name, value in asked.items():
        app.query_params[name] = value
    app.switch_page(f"pages/{page}.py").run()
    for _ in range(2):
        assert not app.exception
        assert told in " ".join(item.value for item in app.warning).replace("\\", "").replace("\N{WORD JOINER}", "")
        app.run()


def test_an_overlaid_run_that_was_deleted_meanwhile_is_told(filled, beside):
    (sound,) = (run for run in RunStore(filled / "runs") if run.id != beside.id)
    app = open_page("monitor")
    app.selectbox(key="run").set_value(sound.id).run()
    app.multiselect(key="overlay").set_value([beside.id]).run()
    shutil.rmtree(beside.folder)
    app.run()
    assert not app.exception
    assert f"Run {beside.id} is not there" in app.warning[0].value.replace("\\", "")


# === Stability and the full result ===


def test_a_verdict_is_tried_after_small_changes_by_the_thresholds_that_are_shown(library, results):
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    upload(app, sized(32))
    assert "small changes the score lies between" not in words(app), "it costs time, and waits to be asked"
    app.toggle(key="inspect_stability").set_value(True).run()
    assert not app.exception
    assert f"After {len(CHANGES)} small changes the score lies between" in words(app)
    assert "it stays undecided." in words(app), "neither side has a threshold: nothing is decided"
    accept(app, 50)
    shown = words(app)
    open_below(app, "Details")
    rows = results[-1]["stability"]
    assert [row["change"] for row in rows] == ["original", *(change.name for change in CHANGES)]
    assert {row["finding"] for row in rows} <= {"no_sign", "fake"}
    holds = len({row["finding"] for row in rows}) == 1
    held = "it stays undecided." if rows[0]["finding"] == "inconclusive" else "the verdict holds."
    assert (held in shown) == holds


@pytest.fixture
def results(monkeypatch) -> list[dict]:
    """What the download held after every run of Inspect, read as strict JSON."""
    match, made = [], inspection.record

    def saved(*arguments):
        result = made(*arguments)
        match.append(json.loads(json.dumps(result, allow_nan=False)))
        return result

    monkeypatch.setattr(inspection, "record", saved)
    return match


@pytest.fixture
def viewed(monkeypatch) -> list[dict]:
    """What the picture's component was given in every run of Inspect."""
    given: list[dict] = []
    monkeypatch.setattr(viewer, "_viewer", lambda *, data, **_: given.append(json.loads(json.dumps(data))))
    return given


def test_the_download_holds_all_that_was_shown(library, results):
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    open_below(accept(upload(app, sized(300)), 25), "Details")
    verdict = results[-1]["verdict"]
    assert verdict["decision"] == "inconclusive"
    assert verdict["label"] is None
    assert verdict["ood_reasons"] == ["its shorter side has 300 pixels; the training images had 32"]
    assert verdict["thresholds"]["budget"] == {"max_fpr": 0.25, "max_fnr": 0.25}
    assert results[-1]["detector"]["calibration"]["method"] == "none"
    assert results[-1]["stability"] is None
    assert "The score was not used" in words(app) and f"{verdict['score']:.3f}" not in words(app)


# === Data sets ===


@pytest.mark.slow
def test_one_click_makes_the_demonstration_set(workspace):
    app = open_page("datasets")
    button(app, "Make the demonstration set").click().run()
    assert not app.exception
    assert "This is a demonstration" in words(app)
    assert [metric.value for metric in app.metric] == ["1,440", "720", "720", "0"]


@pytest.mark.parametrize("text", ["", "/no/such/folder"], ids=["nothing", "missing folder"])
def test_registering_what_is_not_there_is_refused(workspace, text):
    app = open_page("datasets")
    app.text_input[0].set_value(text)
    button(app, "Register").click().run()
    assert "Expected an existing folder" in words(app)


def test_a_folder_that_is_no_data_set_names_the_known_layouts(workspace, tmp_path):
    (tmp_path / "odd" / "things").mkdir(parents=True)
    (tmp_path / "odd" / "things" / "a.png").write_bytes(picture())
    app = open_page("datasets")
    app.text_input[0].set_value(str(tmp_path / "odd"))
    button(app, "Register").click().run()
    assert "names a class" in words(app)


def test_unreadable_images_are_listed_with_their_reason(workspace, small_dataset, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(small_dataset, copy)
    (copy / "train" / "real" / "broken.png").write_bytes(picture()[:200])
    app = open_page("datasets")
    app.text_input[0].set_value(str(copy))
    button(app, "Register").click().run()
    app.session_state["datasets_tab"] = "Left out"
    app.session_state[f"left out {copy}"] = True
    app.run()
    listed = next(table.value for table in app.dataframe if "Path" in table.value.columns)
    assert list(listed.Path) == ["train/real/broken.png"]
    assert listed.Reason[0]


# === Train and Monitor ===


def test_training_starts_from_the_form_and_monitor_shows_it(filled, small_dataset):
    app = open_page("train")
    button(app, "Start training").click().run()
    assert not app.exception
    assert not app.error
    latest = next(iter(RunStore(filled / "runs")))
    assert latest.config()["data_root"] == str(small_dataset)
    assert latest.config()["image_size"] == 32
    latest.request_stop()
    app = open_page("monitor")
    assert latest.id in [row for table in app.dataframe for row in table.value.get("Id", [])]


def setting(app: AppTest, label: str):
    return next(item for item in (*app.selectbox, *app.pills, *app.number_input) if item.label == label)


def test_views_chosen_in_the_form_are_trained(filled):
    app = open_page("train")
    assert "Last layer" not in [item.label for item in app.selectbox], "without views there is nothing to share"
    setting(app, "Further views").set_value(["native", "native_tl"]).run()
    setting(app, "Last layer").set_value("own").run()
    button(app, "Start training").click().run()
    assert not app.exception and not app.error
    latest = next(iter(RunStore(filled / "runs")))
    latest.request_stop()
    assert (latest.config()["views"], latest.config()["view_heads"]) == ("native,native_tl", "own")


def test_a_preset_fills_the_form_and_can_be_put_away(filled):
    app = open_page("train")
    before = setting(app, "Architecture").value
    assert setting(app, "Preset").value == ""
    for name in presets.names():
        preset = presets.get(name)
        app.selectbox(key="train_preset").set_value(name).run()
        assert not app.exception
        assert preset.summary in words(app)
        assert setting(app, "Architecture").value == preset.values["arch"]
        assert setting(app, "Image size (pixels)").value == preset.values["image_size"]
        assert setting(app, "Calibrate by").value == preset.values.get("cross_validation", "off")
        if preset.values["weights"] == "shipped":
            assert "Epochs, at most" not in words(app), "the head is solved for at once"
            continue
        assert setting(app, "Epochs, at most").value == preset.values["epochs"]
        assert setting(app, "Stop early by").value == "off"
    app.selectbox(key="train_preset").set_value("").run()
    assert setting(app, "Architecture").value == before
    assert setting(app, "Stop early by").value == "auc"


def test_cross_validation_beside_early_stopping_is_refused_and_without_it_starts(filled):
    app = open_page("train")
    setting(app, "Calibrate by").set_value("content").run()
    button(app, "Start training").click().run()
    assert "“Stop early by”: expected off with cross-validation" in words(app).replace("\\", "")
    assert len(list(RunStore(filled / "runs"))) == 1
    setting(app, "Stop early by").set_value("off")
    setting(app, "Folds").set_value(3)
    button(app, "Start training").click().run()
    assert not app.error
    latest = next(iter(RunStore(filled / "runs")))
    assert (latest.config()["cross_validation"], latest.config()["folds"]) == ("content", 3)
    latest.request_stop()


def test_train_again_brings_the_settings_of_the_run(filled):
    app = open_page("monitor")
    button(app, "Train again with changes").click().run()
    app.switch_page("pages/train.py").run()
    assert "With the settings of" in words(app)
    assert next(item for item in app.number_input if item.label == "Epochs, at most").value == 2


def test_a_run_is_deleted_only_after_a_second_click(filled):
    app = open_page("monitor")
    store = RunStore(filled / "runs")
    button(app, "Delete").click().run()
    assert len(list(store)) == 1
    button(app, "Delete for good").click().run()
    assert len(list(store)) == 0
    assert "No runs yet" in words(app)


@pytest.fixture
def beside(filled):
    """A second run beside the completed one, whose files may be damaged; its id sorts first."""
    (sound,) = RunStore(filled / "runs")
    copy = sound.folder.with_name("29990101-000000-000-cnn")
    shutil.copytree(sound.folder, copy)
    return Run(copy)


# More kinds of damage, by the list alone, are in test_runs.py.
BROKEN = [(name, text) for name in ("config.json", "status.json", "created.json") for text in (b'{"half', b"[]")]
BROKEN += [(name, b"\xff\xfe\x00") for name in ("history.csv", "steps.csv", "metrics.json")]


@pytest.mark.parametrize(("name", "content"), BROKEN, ids=[f"{name}: {text!r}" for name, text in BROKEN])
def test_a_damaged_run_is_shown_with_its_reason_and_deleted_and_hides_no_other(filled, beside, name, content):
    (beside.folder / name).write_bytes(content)
    broken = name in ("config.json", "status.json", "created.json")
    (sound,) = (run for run in RunStore(filled / "runs") if run.id != beside.id)
    for page in ("home", "train", "evaluate", "models"):
        app = open_page(page)
        assert not app.error, page
        if page == "home":
            assert (f"{name} is " in words(app).replace("\\", "")) == broken
            assert r"Small \*run\*" in words(app)
    app = open_page("monitor")
    assert app.selectbox(key="run").value == beside.id, "the damaged one is the latest"
    app.multiselect(key="overlay").set_value([sound.id])
    app.session_state["run_settings"] = app.session_state["run_log"] = True
    app.run()
    assert not app.exception
    assert not [error for error in app.error if name not in error.value.replace("\\", "")]
    table = app.dataframe[0].value
    states = dict(zip(table["Id"], table["State"], strict=True))
    assert states == {beside.id: "damaged" if broken else "completed", sound.id: "completed"}
    assert (f"{name} is " in words(app).replace("\\", "")) == broken
    button(app, "Delete").click().run()
    button(app, "Delete for good").click().run()
    assert not app.exception
    assert [run.id for run in RunStore(filled / "runs")] == [sound.id]


def test_seeds_of_one_repetition_are_curves_of_their_own(filled, charts):
    (first,) = RunStore(filled / "runs")
    for seed in (1, 2):
        # As `--repeat` makes them: within one second, with the same name.
        copy = first.folder.with_name(f"{first.id[:15]}-{seed:03}-cnn")
        shutil.copytree(first.folder, copy)
        write_json(copy / "config.json", first.config() | {"seed": seed})
    runs = [run.id for run in RunStore(filled / "runs")]
    app = open_page("monitor")
    app.selectbox(key="run").set_value(first.id).run()
    charts.clear()
    app.multiselect(key="overlay").set_value([run for run in runs if run != first.id]).run()
    assert not app.exception
    names = {trace.name for trace in charts["curve_Loss"].data}
    assert names == {f"Small *run* (seed {seed}): {part}" for seed in range(3) for part in ("training", "validation")}


def test_runs_that_differ_in_nothing_are_told_apart_by_their_ids(filled, beside, charts):
    (first,) = (run for run in RunStore(filled / "runs") if run.id != beside.id)
    app = open_page("monitor")
    app.multiselect(key="overlay").set_value([first.id]).run()
    names = {trace.name for trace in charts["curve_ROC AUC on validation"].data}
    assert names == {f"Small *run* [{run.id}]: validation" for run in (first, beside)}


@pytest.fixture
def charts(monkeypatch) -> dict:
    """The figures that a page draws, by their keys."""
    import streamlit as st

    drawn, show = {}, st.plotly_chart

    def chart(figure, **options):
        drawn[options.get("key")] = figure
        return show(figure, **options)

    monkeypatch.setattr(st, "plotly_chart", chart)
    return drawn


def test_the_loss_within_epochs_is_drawn_for_whoever_opens_it(filled):
    app = open_page("monitor")
    assert "each the mean over a second" not in words(app)
    app.session_state["monitor_steps"] = True
    app.run()
    assert not app.exception
    assert f"{len(next(iter(RunStore(filled / 'runs'))).steps())} reports, each the mean over a second" in words(app)


def test_the_loss_within_epochs_is_open_while_there_is_no_epoch_yet(filled):
    run = next(iter(RunStore(filled / "runs")))
    (run.folder / "history.csv").unlink()
    app = open_page("monitor")
    assert "each the mean over a second" in words(app)
    (run.folder / "steps.csv").unlink()
    app.run()
    assert not app.exception
    assert "No step was reported yet" in words(app)


def test_settings_and_log_are_shown_to_whoever_opens_them(filled):
    app = open_page("monitor")
    assert not app.code
    app.session_state["run_settings"] = app.session_state["run_log"] = True
    app.run()
    assert not app.exception
    run = next(iter(RunStore(filled / "runs")))
    assert app.code[0].value == run.log_tail().strip()
    assert list(app.dataframe[-1].value["Setting"]) == list(run.config())


def test_notes_are_kept(filled):
    app = open_page("monitor")
    app.text_area[0].set_value("Looks good.")
    button(app, "Save notes").click().run()
    assert next(iter(RunStore(filled / "runs"))).notes() == "Looks good."


# === Evaluate ===


def test_the_threshold_moves_the_figures(filled):
    app = open_page("evaluate")
    values = []
    for threshold in (0.0, 1.0):
        app.slider(key="threshold").set_value(threshold).run()
        assert not app.exception
        values.append({metric.label: metric.value for metric in app.metric})
    assert values[0]["False alarms on real (FPR)"] == "1.000"
    assert values[1]["False alarms on real (FPR)"] == "0.000"
    assert values[0]["ROC AUC"] == values[1]["ROC AUC"]


def test_clicking_a_cell_shows_its_images(filled):
    app = open_page("evaluate")
    app.slider(key="threshold").set_value(0.0).run()
    app.session_state["cells"] = {"selection": {"points": [{"customdata": ["false_fake"]}]}}
    app.run()
    assert not app.exception
    assert any("score" in caption.value for caption in app.caption)


def test_a_detector_is_measured_on_another_data_set(filled, charts):
    app = open_page("evaluate")
    app.session_state["evaluate_matrix"] = True
    app.run()
    assert "No detector was measured on another data set yet" in words(app)
    button(app, "Measure").click().run()
    assert not app.exception
    assert not app.error
    measured = next(item for item in app.segmented_control if item.label == "Measured on")
    assert any(option.endswith(", all") for option in measured.options)
    # It is what is shown, under its name and not under that of its file.
    assert next(option for option in measured.options if option.endswith(", all")) in words(app).replace("\\", "")
    assert measured.value not in ("test", "validation")
    assert measured.value not in charts["roc"].data[1].name and ", all" in charts["roc"].data[1].name
    # Then it stands in the matrix too.
    assert "No detector was measured" not in words(app)
    assert "Figures that include images which the detector was trained on are far too optimistic" in words(app)
    for figure in ("balanced_accuracy", "false_positive_rate"):
        app.segmented_control(key="matrix_figure").set_value(figure).run()
        assert not app.exception


def test_figures_of_images_that_were_refused_stand_below_a_warning(filled, monkeypatch):
    read = prediction_sources.table
    monkeypatch.setattr(prediction_sources, "table", lambda source: read(source).assign(is_ood=True))
    app = open_page("evaluate")
    assert not app.exception and "The detector refuses every one of these" in app.warning[0].value


def test_the_matrix_is_filled_where_it_stands(library, charts):
    app = open_page("evaluate")
    app.session_state["evaluate_matrix"] = True
    app.run()
    before = app.selectbox(key="matrix_detector").options
    button(app, "Fill this cell", "matrix_go").click().run()
    assert not app.exception and not app.error
    (figure,) = charts["matrix"].data
    assert sum(value is not None for row in figure.z for value in row) == 1
    assert "not measured" in {text for row in figure.text for text in row}
    assert len(app.selectbox(key="matrix_detector").options) == len(before) - 1


def test_more_metrics_are_drawn_for_whoever_opens_them(filled):
    app = open_page("evaluate")
    assert "Brier score" not in {metric.label for metric in app.metric}
    app.session_state["evaluate_more"] = True
    app.run()
    assert not app.exception
    assert "Brier score" in {metric.label for metric in app.metric}
    assert "precision    recall" in app.code[0].value
    assert [button.label for button in app.get("download_button")] == ["Predictions (CSV)"]


def test_no_figure_is_missing_where_both_classes_are_there(filled):
    app = open_page("evaluate")
    app.session_state["evaluate_more"] = True
    pages = (app.run(), open_tab("Confidence"))
    shown = {metric.label: metric.value for page in pages for metric in page.metric}
    assert {"Calibration error (ECE)", "ROC AUC", "Inconclusive", "Brier score"} <= set(shown)
    assert {label for label, value in shown.items() if value == "not computed"} <= {"Precision"}


def test_confidence_tells_the_three_answers_and_their_budgets(filled):
    app = open_tab("Confidence")
    shown = {metric.label: metric.value for metric in app.metric}
    metrics = next(iter(RunStore(filled / "runs"))).metrics()["test"]
    assert shown["False alarms (budget 5%)"] == f"{metrics['three_way']['fpr']:.1%}"
    assert shown["Passed fakes (budget 5%)"] == f"{metrics['three_way']['passed']:.1%}"
    assert "it has no right to call an image likely real" in words(app)
    assert shown["Inconclusive"] == f"{metrics['three_way']['abstention_rate']:.1%}" == "100.0%"
    assert shown["Accuracy when decided"] == "none", "nothing was decided"
    assert "platt scaling, fitted on 24 images: the validation split" in words(app).replace("\\", "")
    app = open_page("evaluate")
    app.session_state["evaluate_more"] = True
    assert f"{metrics['ece']:.3f}" in {metric.value for metric in app.run().metric}


def test_robustness_is_measured_once_and_kept(filled):
    app = open_tab("Robustness")
    assert "Not measured on these images yet" in words(app)
    app.number_input(key="robust_most").set_value(20)
    button(app, "Measure", "robust_go").click().run()
    assert not app.exception
    assert not app.error
    for _ in range(2):
        table = next(table.value for table in app.dataframe if table.value.index.name == "Change")
        assert list(table.index) == ["Unchanged", *(change.title for change in CHANGES)]
        assert "20 images of the test split" in words(app).replace("\\", "")
        app = open_tab("Robustness")
    assert button(app, "Measure again", "robust_go")


def test_two_detectors_are_compared_on_the_same_images(filled, knowing):
    assert "no second detector" in words(open_tab("Comparison"))
    (run,) = RunStore(filled / "runs")
    shutil.copytree(knowing["thumbnails"], filled / "models" / "thumbnails")
    app = open_tab("Comparison")
    app.selectbox(key="detector").set_value(f"run:{run.id}").run()
    assert app.selectbox(key="compare_with").value == "thumbnails"
    app.segmented_control(key="split").set_value("test").run()
    assert "not measured on the same images" in words(app), "the other one on validation alone"
    app.segmented_control(key="split").set_value("validation").run()
    assert not app.exception
    text = words(app).replace("\\", "")
    assert "On the same 24 images A is right on" in text
    assert "McNemar, p =" in text
    assert "**B** is thumbnails: Thumbnails" in text


# === Models ===


def test_cards_tell_thresholds_calibration_and_what_is_known(library, knowing):
    """With several detectors in the library, each has its own buttons."""
    app = open_page("models")
    assert not app.table, "a whole card is drawn when it is opened"
    for name in knowing:
        app.session_state[f"card_{name}"] = True
    app.run()
    assert len(app.json) == 2
    cards = [dict(table.value[["Entry", "Value"]].replace(r"\\", "", regex=True).to_numpy()) for table in app.table]
    assert len(cards) == 2
    known = {card["Training images"] for card in cards}
    assert known == {"shorter side 32 to 32 pixels", "shorter side 300 to 300 pixels"}
    for card in cards:
        assert card["Three-way thresholds"].startswith("undecided throughout: ")
        assert "at most 5% false alarms and 5% fakes below" in card["Three-way thresholds"]
        assert "it has no right to call an image likely real" in card["Right to say likely real"]
        assert card["Calibration"].startswith("none")
    assert [item.label for item in app.button].count("Delete") == 2


def test_a_card_tells_what_it_refuses_and_what_its_words_rest_on(library):
    from dfcore.confidence import Gate, MeasuredHandling
    from dfcore.detectors.bundle import read_card, write_card

    folder = library / "models" / "thumbnails"
    give_right(folder)
    card, row = read_card(folder), MeasuredHandling(handling="jpeg_40", images=40, refused=0.25, fpr=0.125, sound=True)
    gate = Gate(quality_from=30, measured=(row,), fitted_on="40 held-out images")
    write_card(folder, card.model_copy(update={"ood": card.ood.model_copy(update={"gate": gate})}))
    app = open_page("models")
    assert len(app.dataframe) == 0, "drawn when it is opened"
    app.session_state["gate_thumbnails"] = True
    app.run()
    assert not app.exception
    sources, handlings = (frame.value for frame in app.dataframe)
    assert sources[["Source", "Judged fakes", "Below the lower threshold"]].to_numpy().tolist() == [["theirs", 400, 0]]
    assert handlings[["Handling", "Refused", "False alarms"]].to_numpy().tolist() == [["JPEG quality 40", 0.25, 0.125]]


def test_confidence_tells_what_each_rule_costs_and_whether_each_source_keeps_the_budget(filled, small_dataset):
    from dfcore.evaluation import HANDLED, predictions_path, read_predictions, write_predictions

    (run,) = RunStore(filled / "runs")
    table = read_predictions(predictions_path(run.bundle, "test"))
    rules = ["compressed"] * 4 + [""] * (len(table) - 4)
    write_predictions(predictions_path(run.bundle, HANDLED), table.assign(rules=rules, is_ood=[bool(r) for r in rules]))
    by_source = table.assign(group=["a", "b"] * (len(table) // 2))
    write_predictions(predictions_path(run.bundle, "test"), by_source)
    app = open_tab("Confidence")
    assert "handled" not in {option for box in app.selectbox for option in box.options}, "it is no split"
    tables = [frame.value for frame in app.dataframe]
    (refusals,) = [frame for frame in tables if "Rule" in frame]
    assert refusals[["Rule", "Images"]].to_numpy().tolist() == [
        ["too strongly compressed", 4], ["any rule", 4], ["let pass", len(table) - 4],
    ]  # fmt: skip
    (coverage,) = [frame for frame in tables if "Source" in frame]
    assert coverage.Source.tolist() == ["a", "b"]


def test_a_run_is_promoted_renamed_made_default_and_deleted(filled):
    app = open_page("models")
    app.text_input[0].set_value("first")
    button(app, "Promote").click().run()
    assert (filled / "models" / "first" / "card.json").is_file()
    button(app, "Make default").click().run()
    assert "(default)" in words(app).replace("\\", "")
    app.session_state["renaming_first"] = True
    app.text_input(key="rename_first").set_value("second").run()
    button(app, "Rename it").click().run()
    assert (filled / "models" / "second").is_dir() and not app.session_state["renaming_second"]
    button(app, "Delete").click().run()
    button(app, "Delete for good").click().run()
    assert not (filled / "models" / "second").exists()


def test_the_default_is_deleted_only_with_a_successor(library):
    models = library / "models"
    set_default(models, "thumbnails")
    app = open_page("models")
    button(app, "Delete", "delete_thumbnails").click().run()
    assert "It is the default. New default" in [item.label for item in app.selectbox]
    button(app, "Delete for good", "dialog_go").click().run()
    assert not app.exception and not (models / "thumbnails").exists()
    assert default_name(models) == "photographs"


def test_the_successor_is_the_one_that_is_chosen_when_it_is_pressed(library):
    models = library / "models"
    shutil.copytree(models / "photographs", models / "third")
    set_default(models, "thumbnails")
    app = open_page("models")
    button(app, "Delete", "delete_thumbnails").click().run()
    # Both in one run, as when it is chosen and the button pressed before the dialog is drawn anew.
    app.selectbox(key="successor_thumbnails").set_value("third")
    button(app, "Delete for good", "dialog_go").click().run()
    assert not app.exception and default_name(models) == "third"


def test_a_run_whose_time_is_not_known_yet_says_nothing_of_it(filled, monkeypatch):
    monkeypatch.setattr(Run, "status", lambda _: Status(State.RUNNING, epochs=2))
    app = open_page("monitor")
    bars = [item.proto.text for item in app.get("progress")]
    assert "Epoch 0 of 2" in bars, bars


def test_monitor_lists_what_runs_are_compared_by(filled):
    (run,) = RunStore(filled / "runs")
    table = open_page("monitor").dataframe[0].value
    best = max(run.history(), key=lambda row: (row["val_auc"], -row["val_loss"]))
    assert table["ROC AUC"][0] == pytest.approx(best["val_auc"])
    assert table["Accuracy"][0] == pytest.approx(best["val_accuracy"])
    assert table["Epochs"][0] == "2 of 2" and 0 < table["Minutes"][0] < 60


def test_a_bad_name_is_refused_with_what_would_be_right(filled):
    app = open_page("models")
    app.text_input[0].set_value("../evil")
    button(app, "Promote").click().run()
    assert "Expected a name" in words(app)
    assert not (filled / "evil").exists()


def test_an_altered_detector_is_refused(filled, capsys):
    bundle = next(iter(RunStore(filled / "runs"))).bundle
    (bundle / "model.keras").write_bytes(b"something else")
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").upload("a.png", picture(), "image/png").run()
    assert not app.exception
    assert "not the model that its card was written for" in words(app)
    assert main(["predict", str(bundle), str(bundle)]) == 2


def test_no_run_of_a_page_clears_the_networks_that_all_sessions_share(monkeypatch):
    import keras

    cleared = []
    monkeypatch.setattr(keras.backend, "clear_session", lambda: cleared.append(True))
    open_page("home").run()
    assert not cleared


@pytest.mark.slow
def test_a_detector_that_leaves_the_cache_is_freed_with_its_network(library, monkeypatch):
    """The fault: what had been taken out of the collector's rounds stayed in memory for good, 27 MB a network."""
    detectors._load.clear()
    folder = library / "models" / "thumbnails"
    for number in range(detectors._IN_MEMORY + 1):
        shutil.copytree(folder, folder.with_name(f"copy-{number}"))
    entries = [entry for entry in detectors.library()[0] if entry.key.startswith("copy-")]
    networks = []
    for entry in entries:
        loaded = detectors.detector(entry)
        detectors.explainer(entry)
        networks.append(weakref.ref(loaded.model))
        del loaded
    assert networks[0]() is None
    assert None not in [network() for network in networks[1:]], "those in the cache stay"
    assert gc.get_freeze_count() > 100_000, "and need not be looked through after each run of a page"
    detectors._load.clear()


def test_only_the_last_detector_keeps_the_network_of_its_heat_maps(knowing):
    image, engine = np.zeros((32, 32, 3), np.uint8), SimpleNamespace(heads=1)
    first, second = (Detector(read_card(folder), engine, folder=folder) for folder in knowing.values())
    for detector in (first, second):
        before = detector.explain(image, method="saliency").values
        spare_networks.used(detector)
        assert detector.has_spare_network
    assert not first.has_spare_network
    network = weakref.ref(second.model)
    spare_networks.free()
    assert network() is None and not second.has_spare_network
    np.testing.assert_array_equal(second.explain(image, method="saliency").values, before)


def test_it_is_freed_when_no_heat_map_has_been_asked_for(knowing, monkeypatch):
    monkeypatch.setattr(spare_networks, "_IDLE", 0.1)
    folder = knowing["thumbnails"]
    detector = Detector(read_card(folder), SimpleNamespace(heads=1), folder=folder)
    network = weakref.ref(detector.model)
    spare_networks.used(detector)
    spare_networks._timer.join(30)
    assert network() is None and not detector.has_spare_network


def test_a_network_that_scores_need_stays(knowing):
    detector = Detector.load(knowing["thumbnails"])
    assert detector.engine.name == "keras"
    spare_networks.used(detector)
    detector.free_network()
    assert detector.model is detector.engine.model
