"""Every page, driven by Streamlit's AppTest: empty, with a finished run, and through its main actions."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dfcore.cli import main
from dfcore.runs import RunStore

APP = Path(__file__).parents[1] / "streamlit_app.py"
PAGES = ("home", "inspect", "datasets", "train", "monitor", "evaluate", "models")


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


def open_page(name: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.run()
    if name != "home":
        app.switch_page(f"pages/{name}.py").run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    """All that a reader sees, roughly."""
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.subheader]
    return " ".join(str(part.value) for part in parts)


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def button(app: AppTest, label: str):
    return next(item for item in app.button if item.label == label)


@pytest.mark.parametrize(
    ("page", "advice"),
    [
        ("home", "make the demonstration data set first"),
        ("inspect", "no detector yet"),
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
    assert "Likely" in words(app)
    assert "this detector calls an image fake from" in words(app)
    assert "test images of its own kind of data" in words(app)
    assert app.get("download_button")


def test_several_images_are_listed_and_a_bad_one_has_its_reason(filled):
    app = open_page("inspect")
    files = [("a.png", picture(1), "image/png"), ("b.png", b"no image", "image/png")]
    app.file_uploader(key="inspect_upload").set_value(files).run()
    assert not app.exception
    table = app.dataframe[0].value
    assert list(table.File) == ["a.png", "b.png"]
    assert "Not an image" in table.Problem[1]


def test_an_unreadable_image_alone_says_why(filled):
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").upload("b.png", b"no image", "image/png").run()
    assert not app.exception
    assert "Not an image in a format" in words(app).replace("\\", "")


def test_choices_of_the_heat_map_survive_another_page(filled):
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").upload("a.png", picture(), "image/png").run()
    app.segmented_control(key="inspect_target").set_value("real").run()
    app.switch_page("pages/models.py").run()
    app.switch_page("pages/inspect.py").run()
    assert app.segmented_control(key="inspect_target").value == "real"
    assert "Likely" in words(app)


# === Data sets ===


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
    listed = next(table.value for table in app.dataframe if "error" in table.value.columns)
    assert list(listed.path) == ["train/real/broken.png"]


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


def test_a_detector_is_measured_on_another_data_set(filled):
    app = open_page("evaluate")
    button(app, "Measure").click().run()
    assert not app.exception
    assert not app.error
    measured = next(item for item in app.segmented_control if item.label == "Measured on")
    assert any(option.endswith(", all") for option in measured.options)


# === Models ===


def test_a_run_is_promoted_renamed_made_default_and_deleted(filled):
    app = open_page("models")
    app.text_input[0].set_value("first")
    button(app, "Promote").click().run()
    assert (filled / "models" / "first" / "card.json").is_file()
    button(app, "Make default").click().run()
    assert "(default)" in words(app).replace("\\", "")
    app.text_input(key="rename_first").set_value("second").run()
    button(app, "Rename it").click().run()
    assert (filled / "models" / "second").is_dir()
    button(app, "Delete").click().run()
    button(app, "Delete for good").click().run()
    assert not (filled / "models" / "second").exists()


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
