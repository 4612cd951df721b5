"""Import a Keras model, on Models: what is in the file, what is asked, and what comes of it."""

import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import background
from dfcore.datasets import registry
from dfcore.detectors.bundle import write_bundle
from dfcore.detectors.card import Training
from dfcore.detectors.origin import Adopted
from dfcore.foreign import adopt as adopting
from dfcore.foreign.check import Check, Preprocessing
from tests.conftest import make_card, untrained

APP = Path(__file__).parents[2] / "streamlit_app.py"
SAID, BETTER = Preprocessing("0..255", False), Preprocessing("0..1", True)
FIGURES = ({"roc_auc": 0.98, "accuracy": 0.91, "ece": 0.05}, {"roc_auc": 0.02, "accuracy": 0.5, "ece": 0.4})


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.error, *app.success, *app.caption, *app.info]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


def of(widgets, label: str):
    return next(widget for widget in widgets if widget.label == label)


@pytest.fixture
def page(small_dataset, tmp_path, monkeypatch) -> AppTest:
    monkeypatch.setenv("DFCORE_TAKE_IN", "1")
    registry.register(small_dataset)
    background.drop(background.ADOPT_KEY)
    app = AppTest.from_file(str(APP), default_timeout=300).run()
    app.switch_page("pages/models.py").run()
    assert not app.exception
    return app


@pytest.fixture
def calls(monkeypatch) -> list:
    """What is asked of `adopt`, which refuses unless one insists."""
    result = []

    def stand_in(path, root, said, name, *, file, insist, tell, **_):
        tell("measuring every preprocessing", 1, 2)
        result.append((path.read_bytes()[:2], root, said, name, file, insist))
        found = Check(SAID, (BETTER, SAID), FIGURES, BETTER, False, {"real": 24, "fake": 24})
        if insist:
            raise adopting.InputError("insisted")
        raise adopting.PreprocessingError(found)

    monkeypatch.setattr(adopting, "adopt", stand_in)
    return result


def wait(app: AppTest) -> AppTest:
    task = background.find(background.ADOPT_KEY)
    assert task is None or task.wait(60)
    app.run()
    assert not app.exception
    return app


@pytest.mark.slow
def test_a_model_is_read_asked_about_refused_with_the_table_and_insisted_on(page, calls, small_dataset, tmp_path):
    untrained(0).save(tmp_path / "ada.keras")
    uploader = of(page.file_uploader, "Model file")
    uploader.upload("ada.keras", (tmp_path / "ada.keras").read_bytes(), "application/zip")
    page.run()
    assert not page.exception
    (told,) = [table for table in page.table if "Saved by" in table.value.to_string()]
    assert "32 x 32 pixels" in told.value.to_string() and "Dropout" in told.value.to_string()
    of(page.button, "Check and import").click().run()
    assert "Say what it takes as pixels and which class comes first" in words(page)
    assert not calls, "nothing is guessed"
    of(page.selectbox, "Pixels").select("0..255")
    of(page.selectbox, "Classes, the first output first").select("real,fake")
    of(page.text_input, "Name of the detector").set_value("ada")
    of(page.button, "Check and import").click().run()
    wait(page)
    assert calls[0] == (b"PK", small_dataset, adopting.Said("0..255", "real,fake"), "ada", "ada.keras", False)
    assert "with range 0..1, classes fake,real, colours rgb they are 0.980 and 0.910" in words(page)
    assert "24 real and 24 fake images" in words(page)
    insist = next(box for box in page.checkbox if box.label.startswith("Insist"))
    insist.check()
    of(page.button, "Check and import").click().run()
    told = words(page)  # It is told once, by the first run after its end.
    wait(page)
    assert calls[1][-1] is True
    assert "insisted" in told + words(page)


def fill_in_and_import(page, file) -> None:
    untrained(0).save(file)
    of(page.text_input, "… or a file on the server").set_value(str(file)).run()
    of(page.selectbox, "Pixels").select("-1..1")
    of(page.selectbox, "Classes, the first output first").select("fake,real")
    of(page.text_input, "Name of the detector").set_value("ada")
    of(page.button, "Check and import").click().run()


@pytest.mark.slow
def test_what_was_said_stays_while_it_is_at_work_and_when_it_is_refused(page, monkeypatch, tmp_path):
    """The fault: a set with too few images took the file, the range, the classes and the name with it."""
    may_end = threading.Event()

    def refuses(*_, **__):
        may_end.wait(60)
        raise adopting.InputError("Expected at least 20 real and 20 fake images.")

    monkeypatch.setattr(adopting, "adopt", refuses)
    fill_in_and_import(page, tmp_path / "ada.keras")
    try:
        assert of(page.button, "Check and import").disabled
    finally:
        may_end.set()
    assert background.find(background.ADOPT_KEY).wait(60)
    page.run()
    assert "Expected at least 20 real and 20 fake images" in words(page)
    assert of(page.text_input, "… or a file on the server").value == str(tmp_path / "ada.keras")
    assert of(page.selectbox, "Pixels").value == "-1..1"
    assert of(page.selectbox, "Classes, the first output first").value == "fake,real"
    assert of(page.text_input, "Name of the detector").value == "ada"


@pytest.mark.slow
def test_after_an_import_the_next_one_begins_with_an_empty_form(page, monkeypatch, tmp_path):
    def succeeds(*_, **__):
        return adopting.Adopted(make_card(title="Ada's"), tmp_path / "ada", None)

    monkeypatch.setattr(adopting, "adopt", succeeds)
    fill_in_and_import(page, tmp_path / "ada.keras")
    told = words(page)
    wait(page)
    assert "is in the library as ada" in told + words(page)
    assert of(page.text_input, "… or a file on the server").value == ""


def test_figures_of_an_adopted_detector_are_not_said_to_be_of_its_training_data(page, tmp_path, monkeypatch):
    """What it was trained on is unknown."""
    theirs = Adopted(file="theirs.h5", sha256="0" * 64, end="sigmoid", range="0..1", classes="fake,real", colours="rgb")
    results = {"test": {"roc_auc": 0.855, "images": 300, "real": 150, "fake": 150, "threshold": 0.5}}
    card = make_card(title="Theirs", adopted=theirs, results=results)
    write_bundle(tmp_path / "models" / "theirs", untrained(0), card)
    page.switch_page("pages/home.py").run()
    assert not page.exception
    assert "ROC AUC 0.855 on 300 test images of the data set that it was calibrated on" in words(page)
    assert "training data" not in words(page)
    assert make_card().measured_on == "like its training data"


def test_figures_of_sources_that_were_left_out_are_said_to_be_of_those(page, tmp_path):
    results = {"cross-validation": {"roc_auc": 0.725, "images": 912, "real": 456, "fake": 456, "threshold": 0.5,
                                    "accuracy_fake": 0.6, "false_positive_rate": 0.3}}  # fmt: skip
    by_source = Training(dataset="photos", config={"cross_validation": "source"})
    card = make_card(title="Photographs", training=by_source, results=results)
    write_bundle(tmp_path / "models" / "theirs", untrained(0), card)
    page.switch_page("pages/home.py").run()
    assert not page.exception
    assert "ROC AUC 0.725 on 912 cross-validation images of sources that it had not learned from" in words(page)
    assert "training data" not in words(page)
    by_content = make_card(training=Training(dataset="photos", config={"cross_validation": "content"}), results=results)
    assert by_content.measured_on == "like its training data"


@pytest.mark.slow
def test_a_file_that_is_no_model_says_what_it_is(page):
    of(page.file_uploader, "Model file").upload("net.onnx", b"\x08\x07onnx", "application/octet-stream")
    page.run()
    assert not page.exception
    assert "net.onnx cannot be adopted: it is an ONNX file" in words(page)
    assert "Check and import" not in {button.label for button in page.button}


def test_models_are_taken_in_only_where_that_was_switched_on(monkeypatch):
    monkeypatch.delenv("DFCORE_TAKE_IN", raising=False)
    app = AppTest.from_file(str(APP), default_timeout=300).run()
    app.switch_page("pages/models.py").run()
    assert not app.file_uploader and not app.exception
