"""Export for another runtime in Models: the form, the work in the background, the archive; by AppTest."""

import threading
import zipfile
from pathlib import Path

import pytest

from dashboard import background, roles
from dashboard.roles import Role
from dfcore import export as exports
from dfcore.detectors.bundle import write_bundle
from dfcore.errors import BundleError
from dfcore.export import Exported, packed
from dfcore.export.check import Check
from tests.conftest import make_card, untrained
from tests.unit.test_pages import button, open_page

ASKED: dict = {}


@pytest.fixture
def mine(tmp_path) -> Path:
    folder = tmp_path / "models" / "mine"
    write_bundle(folder, untrained(1), make_card(title="Mine"))
    return folder


@pytest.fixture
def converted(monkeypatch):
    """Stands in for the converter, which takes seconds."""
    ASKED.clear()

    def export(bundle, to, out, *, progress, **options):
        ASKED.update(options, bundle=bundle, to=to)
        progress("Converting", 0, 0)
        if to == "onnx":
            raise BundleError("ONNX has no operation for it.")
        Path(out).mkdir()
        (Path(out) / "model.keras").write_bytes(b"weights")
        check = Check(32, 0, 3e-7, 3e-7, 1e-4)
        return Exported(Path(out), to, 7, check, None, None, "print('judged')", "it has no images")

    monkeypatch.setattr(packed, "export", export)


def started(mine: Path, to: str):
    app = open_page("models")
    app.session_state["export_mine"] = True
    app.run()
    next(box for box in app.selectbox if box.label == "Format").set_value(to).run()
    button(app, "Export").click().run()
    assert not app.exception
    task = background.find(background.export_key(mine))
    if task is None:  # It ended at once, and what went wrong is told once.
        return app
    assert task.wait(60)
    return app.run()


def test_what_was_exported_is_told_and_given_as_one_archive(mine, converted):
    app = started(mine, "keras")
    told = " ".join(item.value for item in app.success).replace("\\", "")
    assert "Exported to Keras" in told and "differ by up to 3e-07" in told
    assert any("cannot be used: it has no images" in item.value.replace("\\", "") for item in app.info)
    assert (ASKED["bundle"], ASKED["to"], ASKED["quantize"], ASKED["data_root"]) == (mine, "keras", None, None)
    archive = background.find(background.export_key(mine)).result[1]
    with zipfile.ZipFile(archive) as content:
        assert content.namelist() == ["mine-keras/model.keras"]
    assert any("print('judged')" in item.value for item in app.code)
    button(app, "Done").click().run()
    assert not app.success


def test_why_there_is_no_export_is_told(mine, converted):
    app = started(mine, "onnx")
    assert any("ONNX has no operation for it" in item.value.replace("\\", "") for item in app.error)


def test_what_was_chosen_stays_while_it_is_at_work_and_when_it_is_refused(mine, converted, monkeypatch):
    """The fault: the form went away with the first export, and all choices with it."""
    may_end, export = threading.Event(), packed.export
    monkeypatch.setattr(packed, "export", lambda *given, **more: (may_end.wait(60), export(*given, **more))[1])
    app = open_page("models")
    app.session_state["export_mine"] = True
    app.run()
    next(box for box in app.selectbox if box.label == "Format").set_value("onnx").run()
    button(app, "Export").click().run()
    try:
        assert button(app, "Export").disabled
    finally:
        may_end.set()
    assert background.find(background.export_key(mine)).wait(60)
    app.run()
    assert not app.exception
    assert next(box for box in app.selectbox if box.label == "Format").value == "onnx"
    assert not button(app, "Export").disabled


def test_8_bits_are_offered_where_a_format_has_them(mine, converted):
    app = open_page("models")
    app.session_state["export_mine"] = True
    app.run()
    for form in exports.FORMATS.values():
        next(box for box in app.selectbox if box.label == "Format").set_value(form.key).run()
        options = next(box for box in app.selectbox if box.label == "Precision").options
        assert ("8 bits" in options) == bool(form.int8)


def test_an_analyst_does_not_start_one(mine, converted, monkeypatch):
    monkeypatch.setattr(roles, "current", lambda: Role.ANALYST)
    app = open_page("models")
    app.session_state["export_mine"] = True
    app.run()
    assert button(app, "Export").disabled
