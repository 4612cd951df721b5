"""Detectors that ship belong to the library, wherever the workspace lies: the package is read, never changed."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dfcore
from dfcore import workspace
from dfcore.cli import main
from dfcore.detectors import library
from dfcore.detectors.bundle import read_card, write_bundle
from dfcore.detectors.detector import Detector
from dfcore.detectors.fast_engine import fast_engine
from dfcore.errors import AccessError, BundleError
from dfcore.exchange.optimize import optimize
from tests.conftest import ROOT, make_card, make_image, untrained


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "bundle"
    write_bundle(folder, untrained(1), make_card(title="Shipped"))
    return folder


@pytest.fixture
def shipped(made, tmp_path, monkeypatch) -> Path:
    """Two detectors that ship, one of them the default, and an empty folder as workspace."""
    folder = tmp_path / "package" / "_models"
    for name in ("faces", "small"):
        shutil.copytree(made, folder / name)
    (folder / "default.txt").write_text("small\n")
    monkeypatch.setattr(workspace, "shipped_models_dir", lambda: folder)
    monkeypatch.delenv("DFCORE_MODELS")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def names() -> list[str]:
    return [path.name for path in library.list_bundles()]


def test_shipped_detectors_are_listed_and_loaded_from_any_folder(shipped):
    assert names() == ["small", "faces"], "the default first"
    assert library.find_bundle("faces") == shipped / "faces"
    assert Detector.load("faces").folder == shipped / "faces"
    assert [(info.name, info.default) for info in dfcore.list_detectors()] == [("small", True), ("faces", False)]
    with pytest.raises(BundleError, match="one of: small, faces"):
        library.find_bundle("gone")
    assert not workspace.models_dir().exists(), "nothing was made on the way"


def test_a_folder_that_is_named_is_the_whole_library(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path / "own"))
    assert names() == [] and library.default_name() is None
    with pytest.raises(BundleError, match=r"no detector 'faces'.* left out, since DFCORE_MODELS names .*own"):
        library.find_bundle("faces")


def test_a_detector_of_the_workspace_comes_before_a_shipped_one_of_its_name(shipped, made):
    own = library.promote(made, workspace.models_dir(), "faces")
    assert names() == ["small", "faces"]
    assert library.find_bundle("faces") == own and not library.is_shipped(own)
    library.delete(workspace.models_dir(), "faces")
    assert library.find_bundle("faces") == shipped / "faces", "and the shipped one is there again"


def test_a_shipped_detector_can_be_the_default_but_neither_renamed_nor_deleted(shipped):
    models = workspace.models_dir()
    for attempt in (
        lambda: library.delete(models, "faces"),
        lambda: library.rename(models, "faces", "other"),
    ):
        with pytest.raises(BundleError, match="'faces' ships with the package and cannot be renamed or deleted"):
            attempt()
    library.set_default(models, "faces")
    assert library.default_name() == "faces" and names() == ["faces", "small"]
    assert (shipped / "default.txt").read_text() == "small\n", "the package is not touched"
    assert (shipped / "faces").is_dir()
    with pytest.raises(BundleError, match="no detector 'gone'"):
        library.set_default(models, "gone")


def test_a_shipped_detector_is_not_optimized_in_place(shipped):
    before = sorted(path.name for path in (shipped / "faces").iterdir())
    with pytest.raises(BundleError, match="'faces' ships with the package and cannot be changed"):
        optimize(library.find_bundle("faces"))
    assert sorted(path.name for path in (shipped / "faces").iterdir()) == before


def test_in_the_checkout_the_shipped_detectors_are_the_workspaces_own(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", "")
    monkeypatch.setattr(workspace, "shipped_models_dir", lambda: tmp_path / "work" / "models")
    shutil.copytree(shipped, workspace.models_dir())
    assert workspace.model_folders() == [workspace.models_dir()]
    library.rename(workspace.models_dir(), "small", "tiny")
    library.delete(workspace.models_dir(), "faces")
    assert names() == ["tiny"] and library.default_name() == "tiny"


def test_the_shipped_folder_is_trusted_and_may_be_read(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path / "work"))
    assert workspace.is_own(shipped / "faces")
    workspace.require_readable(shipped / "faces" / "card.json")
    with pytest.raises(AccessError, match=rf"\({tmp_path / 'work'}\)"):
        workspace.require_readable(tmp_path / "elsewhere")


def test_the_fast_engine_of_a_shipped_detector_is_taken_unasked(tmp_path):
    assert workspace.shipped_models_dir() == ROOT / "models"
    folder = ROOT / "models" / "small"
    assert fast_engine(folder, read_card(folder), "auto") is not None
    copy = tmp_path / "of-a-stranger"
    shutil.copytree(folder, copy)
    assert fast_engine(copy, read_card(copy), "auto") is None


def test_predict_takes_a_shipped_detector_and_auto_all_of_them(shipped, tmp_path, capsys):
    image = make_image(tmp_path / "image.png")
    assert main(["predict", "faces", str(image)]) == 0
    assert "by faces" in capsys.readouterr().out
    assert main(["predict", "auto", str(image)]) == 0


def test_the_models_page_offers_no_change_of_a_shipped_detector(shipped, made):
    library.promote(made, workspace.models_dir(), "mine")
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("pages/models.py").run()
    assert not app.exception, app.exception[0].message
    keys = {button.key for button in app.button}
    assert {"delete_mine", "default_mine", "default_faces"} <= keys
    assert not {"delete_faces", "rename_it_faces", "default_small"} & keys
    assert sum("ships with the package" in caption.value for caption in app.caption) == 2
    app.button(key="default_faces").click().run()
    assert library.default_name() == "faces"


def test_a_folder_is_allowed_while_a_server_runs_and_withdrawn(tmp_path, monkeypatch, capsys):
    images, data = tmp_path / "elsewhere", tmp_path / "work" / "data"
    images.mkdir()
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path / "work"))
    monkeypatch.setenv("DFCORE_DATA", str(data))
    assert not workspace.readable(images / "a.png")
    with pytest.raises(AccessError, match="dfcore data allow"):
        workspace.require_readable(images)
    assert main(["data", "allow", str(images)]) == 0
    assert workspace.readable(images / "a.png") and not workspace.readable(tmp_path / "other")
    assert main(["data", "allow", "--json"]) == 0
    assert str(images) in capsys.readouterr().out
    assert main(["data", "allow", str(tmp_path / "missing")]) == 2
    assert "which is none" in capsys.readouterr().err
    assert main(["data", "allow", str(images), "--withdraw"]) == 0
    assert not workspace.readable(images / "a.png")
    assert main(["data", "allow", str(images), "--withdraw"]) == 2


def test_without_named_roots_every_folder_is_readable_whatever_is_allowed(tmp_path, monkeypatch):
    monkeypatch.delenv("DFCORE_ROOTS", raising=False)
    monkeypatch.setenv("DFCORE_DATA", str(tmp_path / "data"))
    workspace.allow(tmp_path)
    assert workspace.roots() is None and workspace.readable(tmp_path.parent)
