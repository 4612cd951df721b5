"""Aligned fakes in Data sets, Train and Evaluate: made in the background, told to be self-made; by AppTest."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard import background
from dashboard.prediction_sources import Source
from dfcore.datasets import registry, scan
from dfcore.detectors.card import Training
from dfcore.synthesis.align import align
from dfcore.synthesis.plan import Plan
from dfcore.synthesis.sources import real_pictures
from tests.conftest import make_card
from tests.unit.test_align import photos
from tests.unit.test_dataset_pages import text, tile
from tests.unit.test_pages import button, open_page


@pytest.fixture
def holidays(tmp_path) -> Path:
    """A registered folder that tells no classes."""
    return registry.register(photos(tmp_path / "holidays", 4))


@pytest.fixture
def aligned(tmp_path) -> Path:
    """A registered data set of pairs."""
    pictures = real_pictures(photos(tmp_path / "p", 10))
    return registry.register(align(pictures, tmp_path / "out", Plan(("simulated",))).folder)


def opened(root: Path):
    app = open_page("datasets")
    app.session_state[f"align {root}"] = True
    return app.run()


def start(app, kinds=("simulated",)):
    next(item for item in app.multiselect if item.label == "Decoders").set_value([*kinds])
    button(app, "Make aligned fakes").click().run()
    assert not app.exception


def ended(app, root: Path) -> str:
    """What the page tells when the work has ended, which it may have done before this."""
    if (task := background.find(background.align_key(root))) is not None:
        assert task.wait(60)
        app.run()
    return text(app) + " ".join(item.value for item in app.success).replace("\\", "")


def test_they_are_made_of_a_folder_that_tells_no_classes_and_registered(holidays):
    (holidays / "broken.jpg").write_bytes(b"no picture")
    app = opened(holidays)
    assert "all are taken as real" in text(app)
    start(app)
    told = ended(app, holidays)
    assert "Made 4 pairs with self-made fakes (Simulated decoder 4). Nothing in holidays says" in told
    assert "broken.jpg: Not an image" in told
    app.run()
    assert not app.success, "told once"
    folder = registry.demo_folder().parent / "holidays-aligned"
    assert folder in registry.registered()
    app = opened(holidays)
    next(item for item in app.button if item.label.replace("\\", "") == "Open holidays-aligned").click().run()
    assert app.selectbox(key="dataset").value == str(folder)
    assert tile(app, "Usable images") == "8"


def test_what_was_made_is_opened_with_one_click(holidays):
    app = opened(holidays)
    start(app)
    ended(app, holidays)
    app.button(key="open what was made").click().run()
    assert not app.exception
    assert Path(app.selectbox(key="dataset").value).name == "holidays-aligned"


def test_the_new_data_set_opens_and_says_that_its_fakes_are_self_made(aligned):
    app = open_page("datasets")
    assert tile(app, "Fake") == "10"
    assert text(app).count("All 10 fakes are self-made") == 1


def test_stopped_it_keeps_what_was_made(holidays, monkeypatch):
    from dfcore.synthesis import align as module

    key = background.align_key(holidays)
    monkeypatch.setattr(module, "write_json", lambda *_: background.find(key).stop())
    app = opened(holidays)
    start(app)
    assert "was stopped. Pairs already made are kept" in ended(app, holidays)
    assert not (registry.demo_folder().parent / "holidays-aligned").exists()


def test_nothing_to_make_them_with_is_refused_in_words(holidays):
    app = opened(holidays)
    start(app, kinds=[])
    assert background.find(background.align_key(holidays)) is None
    assert "Expected kinds of self-made fakes" in text(app)


def test_train_says_it_before_training(aligned):
    assert "All 10 fakes are self-made" in text(open_page("train"))


def test_the_card_of_a_detector_says_it(aligned):
    from dfcore.training.config import TrainConfig
    from dfcore.training.data import prepare
    from dfcore.training.finish import _card

    config = TrainConfig(data_root=str(aligned), image_size=32)
    card = _card(config, prepare(config), SimpleNamespace(epoch=1, best_epoch=1))
    assert card.training.self_made.startswith("All 10 fakes are self-made")
    assert card.limits[0].startswith("SELF-MADE fakes: All 10 fakes are self-made")
    assert json.loads(card.model_dump_json())["training"]["self_made"] == card.training.self_made


def test_training_notes_it(aligned):
    from dfcore.training.request import check_request

    noted: list[str] = []
    check_request({"data_root": str(aligned)}, note=noted.append)
    assert any("All 10 fakes are self-made" in note for note in noted)


def test_evaluate_says_it_of_the_images_behind_its_figures(aligned):
    card = make_card(training=Training(dataset="d", self_made="All 3 fakes are self-made."))
    own = Source("test", "", Path(), None, "test")
    assert own.self_made(card) == "All 3 fakes are self-made."
    elsewhere = Source("x", "", Path(), None, "all", measured={"self_made": "Some."})
    assert elsewhere.self_made(make_card()) == "Some."
    assert Source("x", "", Path(), None, "all", measured={}).self_made(card) == ""


def test_measuring_on_them_says_it(aligned, tmp_path, capsys):
    from dfcore.cli import main
    from dfcore.detectors.bundle import write_bundle
    from tests.conftest import untrained

    write_bundle(tmp_path / "bundle", untrained(1), make_card())
    assert scan(aligned).self_made
    assert main(["evaluate", str(tmp_path / "bundle"), "--data-root", str(aligned), "--split", "all"]) == 0
    assert "SELF-MADE: All 10 fakes are self-made" in capsys.readouterr().out
