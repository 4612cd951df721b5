"""Detectors that are passed on: what goes out comes in again with the same scores, and nothing hostile does."""

import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from dfcore.detectors.bundle import CARD, MODEL, OOD_FILE, OPENVINO_FILES, read_card
from dfcore.detectors.detector import Detector
from dfcore.errors import BundleError
from dfcore.exchange import import_export
from dfcore.exchange.import_export import pack, unpack
from dfcore.utils import archives
from dfcore.utils.files import sha256_bytes
from dfcore.utils.processes import environment
from tests.security.hostile_bundles import hostile_model

APP = Path(__file__).parents[2] / "streamlit_app.py"
MB = 2**20
TABLE = "predictions_validation.parquet"
Members = dict[str, bytes]


def names(library: Path) -> list[str]:
    """What lies in a library of detectors, its lock aside."""
    return sorted(path.name for path in library.iterdir() if path.name != ".lock")


@pytest.fixture(scope="module")
def packed(knowing) -> bytes:
    return pack(knowing["thumbnails"])


@pytest.fixture
def library(tmp_path) -> Path:
    """A folder of detectors."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def members(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_card(content: Members, **changes) -> Members:
    card = json.loads(content[CARD]) | changes
    return content | {CARD: json.dumps(card).encode()}


@pytest.fixture
def not_loaded(monkeypatch):
    """What is wrong is seen before anything is loaded, in whatever process."""

    def never(_: Path) -> None:
        raise AssertionError("it was loaded")

    monkeypatch.setattr(import_export, "_check_isolated", never)


def refused(data: bytes, library: Path, match: str, name: str = "taken-in") -> str:
    before = names(library)
    with pytest.raises(BundleError, match=match) as caught:
        unpack(data, library, name)
    assert names(library) == before, "nothing is left behind"
    assert sorted(path.name for path in library.parent.iterdir()) == ["models"]
    return str(caught.value)


# === There and back ===


@pytest.mark.slow
def test_a_detector_comes_back_with_the_same_files_and_the_same_scores(knowing, packed, library):
    source = knowing["thumbnails"]
    target = unpack(packed, library, "taken-in")
    assert target == library / "taken-in"
    assert names(library) == ["taken-in"]
    came, went = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (target, source))
    # The fast form is not passed on but made anew, and the card tells of it.
    assert set(came) == set(went) | set(OPENVINO_FILES)
    assert all(came[name] == content for name, content in went.items() if name != CARD)
    cards = [json.loads(files[CARD]) for files in (came, went)]
    assert cards[0].pop("openvino")["enabled"]
    assert cards[1].pop("openvino") is None
    assert cards[0] == cards[1]
    pictures = list(np.random.default_rng(0).integers(0, 256, (5, 40, 32, 3)).astype(np.uint8))
    result, expected = (Detector.load(folder, "keras").predict(pictures) for folder in (target, source))
    assert result == expected


def test_an_archive_holds_the_detector_and_nothing_else(knowing, packed, tmp_path):
    assert set(members(packed)) == {MODEL, CARD, OOD_FILE, TABLE}
    copy = tmp_path / "copy"
    for name, data in members(packed).items():
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes(data)
    (copy / "notes.txt").write_text("private")
    (copy / ".secret").write_text("private")
    (copy / "predictions_UPPER.parquet").write_text("private")
    assert set(members(pack(copy))) == {MODEL, CARD, OOD_FILE, TABLE}


def test_a_damaged_detector_is_not_passed_on(packed, tmp_path):
    for name, data in members(packed).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / MODEL).write_bytes(b"altered")
    with pytest.raises(BundleError, match="not the model that its card was written for"):
        pack(tmp_path)


# === Refused before anything is loaded ===


def test_a_name_that_is_taken_is_refused(packed, library, not_loaded):
    (library / "taken-in").mkdir()
    refused(packed, library, "There is already a detector named 'taken-in'")


HOSTILE_NAMES = ["", ".", "..", "../evil", "a/b", "a\\b", "/evil", ".hidden", "-rf", "a" * 65, "a\0b", "a\nb", "a b",
                 "C:evil", "name\u202e", "ñ", "default.txt/"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_name_that_is_no_plain_name_is_refused(packed, library, not_loaded, name):
    refused(packed, library, "Expected a name of at most 64 letters", name)


CASES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "no-model": (lambda content: {n: d for n, d in content.items() if n != MODEL}, f"it has no {MODEL}"),
    "no-card": (lambda content: {n: d for n, d in content.items() if n != CARD}, f"it has no {CARD}"),
    "nothing": (lambda _: {}, f"it has no {CARD}"),
    "altered-model": (lambda content: content | {MODEL: content[MODEL] + b"!"}, "not the model that its card was"),
    "other-hash": (lambda content: with_card(content, model_sha256="0" * 64), "not the model that its card was"),
    "no-hash": (lambda content: with_card(content, model_sha256=""), "not the model that its card was"),
    "unknown-member": (lambda content: content | {"setup.py": b"evil"}, r"no place here: 'setup\.py'"),
    "a-default": (lambda content: content | {"default.txt": b"taken-in"}, "no place here"),
    "a-table-elsewhere": (lambda content: content | {"predictions_/../x.parquet": b""}, "no place here"),
    "a-table-in-a-folder": (lambda content: content | {f"x/{TABLE}": b""}, "no place here"),
    "traversal": (lambda content: content | {f"../{MODEL}": b"evil"}, "no place here"),
    "card-is-no-json": (lambda content: content | {CARD: b"{"}, "cannot be read"),
    "card-nested-deep": (lambda content: content | {CARD: b"[" * 100_000}, "cannot be read"),
    "card-is-a-list": (lambda content: content | {CARD: b"[]"}, "not a valid card of schema version 1"),
    "card-of-tomorrow": (lambda content: with_card(content, schema_version=2), "not a valid card of schema version 1"),
    "card-not-utf-8": (lambda content: content | {CARD: b"\xff\xfe"}, "cannot be read"),
    "card-too-large": (lambda content: with_card(content, description="x" * 4 * MB), "would unpack to 4 MB"),
    "size-of-no-network": (lambda content: with_card(content, preprocess={"size": 10**6, "resize": "x"}), "size: exp"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_from_outside_is_refused_before_it_is_loaded(packed, library, not_loaded, case):
    change, match = CASES[case]
    refused(zipped(change(members(packed))), library, match)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\5\6" + bytes(17)], ids=["empty", "text", "cut"])
def test_what_is_no_archive_is_refused(library, not_loaded, data):
    refused(data, library, "The bundle was refused: Expected a zip archive")


def test_a_link_in_place_of_a_table_is_refused(packed, library, not_loaded):
    buffer = io.BytesIO(packed)
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("predictions_test.parquet")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refused(buffer.getvalue(), library, "is a link or a device")


def test_all_members_together_are_bounded(library, not_loaded, monkeypatch):
    """Each is within its limit; a hundred of them must not fill the memory of the server."""
    letters = "abcdefghij"
    data = bytearray(zipped({f"predictions_{a}{b}.parquet": b"x" for a in letters for b in letters[:9]}))
    at, unpacked = 0, []
    while (at := data.find(b"PK\1\2", at + 1)) > 0:
        struct.pack_into("<I", data, at + 24, 60 * MB)
    monkeypatch.setattr(archives, "_read", lambda _archive, member, _most: unpacked.append(member.file_size) or b"")
    refused(bytes(data), library, ".")
    assert sum(unpacked) <= 1500 * MB


def test_a_name_that_was_taken_meanwhile_is_refused(packed, library, monkeypatch):
    def slow(_: Path) -> None:
        (library / "taken-in").mkdir()
        (library / "taken-in" / CARD).write_text("of somebody else")

    monkeypatch.setattr(import_export, "_check_isolated", slow)
    with pytest.raises(BundleError, match="There is already a detector named 'taken-in'"):
        unpack(packed, library, "taken-in")
    assert [path.name for path in library.rglob("*") if path.name != ".lock"] == ["taken-in", CARD]


def test_a_folder_of_detectors_that_is_not_there_is_made(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(import_export, "_check_isolated", lambda _: None)
    assert read_card(unpack(packed, tmp_path / "new" / "models", "taken-in")).title == "Thumbnails"


# === Refused by the process that loads it ===


@pytest.mark.slow
def test_a_hostile_model_whose_card_matches_is_refused_in_the_process_that_loads_it(packed, library, tmp_path_factory):
    marker = tmp_path_factory.mktemp("marked") / "marker"
    content = members(packed)
    evil = hostile_model("code/lambda-marshalled", content[MODEL], marker)
    content = with_card(content | {MODEL: evil}, model_sha256=sha256_bytes(evil))
    text = refused(zipped(content), library, r"The bundle was refused: .*model\.keras is refused: ")
    assert "asks for an object that no detector is made of" in text
    assert not marker.exists()


DAMAGED_TABLES = {"no-parquet": b"PAR1 and nothing else", "empty": b"", "cut": None}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGED_TABLES)
def test_damaged_predictions_are_refused(packed, library, kind):
    content = members(packed)
    content[TABLE] = content[TABLE][:-9] if kind == "cut" else DAMAGED_TABLES[kind]
    refused(zipped(content), library, r"The bundle was refused: .*predictions_validation\.parquet cannot be read")


@pytest.mark.slow
def test_an_altered_record_of_training_images_is_refused(packed, library):
    content = members(packed)
    refused(
        zipped(content | {OOD_FILE: content[OOD_FILE][:-1] + b"!"}),
        library,
        "not the file that its card was written for",
    )


def test_a_detector_that_takes_too_long_is_refused(packed, library, monkeypatch):
    monkeypatch.setattr(import_export, "_SECONDS", 0.2)
    refused(packed, library, r"could not be loaded within 0\.2 s")


def test_a_detector_that_ends_the_process_that_loads_it_is_refused(packed, library, monkeypatch):
    monkeypatch.setattr(import_export.sys, "executable", "/bin/false")
    refused(packed, library, "loading it crashed the process")


# === What a process that reads strangers' files is told ===

SECRETS = {"AWS_SECRET_ACCESS_KEY": "s3cr3t-of-aws", "STREAMLIT_SERVER_COOKIE_SECRET": "s3cr3t-of-cookies",
           "DATABASE_URL": "postgres://ada:s3cr3t@host", "OPENAI_API_KEY": "s3cr3t-key", "HTTPS_PROXY": "http://s3cr3t@x",
           "DFCORE_RUNS": "/s3cr3t/runs"}  # fmt: skip


@pytest.fixture
def secretive(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_a_bare_environment_holds_what_an_interpreter_needs_and_no_secret(secretive):
    bare = environment(bare=True, EXTRA="1")
    assert not set(SECRETS) & set(bare)
    assert "s3cr3t" not in str(bare)
    assert set(bare) <= {"PATH", "HOME", "PYTHONPATH", "EXTRA", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
                         "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}  # fmt: skip
    assert bare["PATH"] == os.environ["PATH"]
    assert bare["PYTHONPATH"].split(os.pathsep)[0] == str(APP.parent)


def test_our_own_training_keeps_the_whole_environment(secretive):
    assert set(SECRETS.items()) <= set(environment().items())


def test_the_process_that_loads_a_strangers_detector_knows_no_secret(secretive, packed, library, monkeypatch):
    given = []

    def run(*_arguments, **options):
        given.append(options)
        raise import_export.subprocess.TimeoutExpired("", 1)

    monkeypatch.setattr(import_export.subprocess, "run", run)
    refused(packed, library, "could not be loaded")
    (options,) = given
    assert "s3cr3t" not in str(options["env"])
    assert options["timeout"] == import_export._SECONDS


# === In the dashboard ===


@pytest.fixture
def models_page(knowing, library) -> Callable[[], AppTest]:
    """Opens Models."""

    def opened() -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=300).run()
        app.switch_page("pages/models.py").run()
        assert not app.exception
        return app

    return opened


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.error, *app.warning, *app.subheader]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


@pytest.mark.parametrize("value", [None, "", "0", "yes"])
def test_detectors_from_strangers_are_taken_in_only_where_that_was_switched_on(models_page, monkeypatch, value):
    monkeypatch.delenv("DFCORE_TAKE_IN", raising=False)
    if value is not None:
        monkeypatch.setenv("DFCORE_TAKE_IN", value)
    app = models_page()
    assert not app.file_uploader
    assert "Import" not in {button.label for button in app.button}


def take_in(app: AppTest, data: bytes, name: str) -> AppTest:
    app.file_uploader[0].upload("some.zip", data, "application/zip")
    next(field for field in app.text_input if field.label == "Name in the library").set_value(name)
    next(button for button in app.button if button.label == "Import").click().run()
    assert not app.exception
    return app


@pytest.mark.slow
def test_a_detector_is_taken_in_on_models(models_page, packed, library, monkeypatch):
    monkeypatch.setenv("DFCORE_TAKE_IN", "1")
    app = take_in(models_page(), packed, "from-ada")
    assert not app.error
    assert "from-ada: Thumbnails" in words(app)
    assert read_card(library / "from-ada").title == "Thumbnails"


def test_a_detector_that_is_refused_on_models_says_why(models_page, packed, library, not_loaded, monkeypatch):
    monkeypatch.setenv("DFCORE_TAKE_IN", "1")
    app = models_page()
    assert "no place here: 'setup.py'" in words(take_in(app, zipped({"setup.py": b""}), "evil"))
    assert "Expected a name of at most 64 letters" in words(take_in(app, packed, "../evil"))
    assert names(library) == []


def test_what_is_downloaded_is_the_packed_detector(models_page, knowing, packed, library, monkeypatch):
    shutil.copytree(knowing["thumbnails"], library / "thumbnails")
    deferred, add = [], MediaFileManager.add_deferred

    def noted(self, made, *arguments, **options):
        deferred.append((made, options["file_name"]))
        return add(self, made, *arguments, **options)

    monkeypatch.setattr(MediaFileManager, "add_deferred", noted)
    app = models_page()
    assert len(app.get("download_button")) == 1
    (made, name) = deferred[-1]
    assert name == "thumbnails.zip"
    assert members(made()) == members(packed)


NO_FIGURES = {
    "text": {"results": {"test": {"roc_auc": "high", "images": 3}}},
    "lacking": {"results": {"test": {"roc_auc": 0.9}}},
    "robustness": {"robustness": [{"split": "test"}]},
    "counts": {"training": {"dataset": "some", "counts": {"train": {"real": 1}}}},
}


@pytest.mark.parametrize("case", NO_FIGURES)
def test_a_card_without_sound_figures_is_refused_or_breaks_no_page(models_page, packed, library, monkeypatch, case):
    """A page that breaks on a card cannot be used to delete it."""
    monkeypatch.setattr(import_export, "_check_isolated", lambda _: None)
    try:
        unpack(zipped(with_card(members(packed), **NO_FIGURES[case])), library, "taken-in")
    except BundleError:
        return
    assert not AppTest.from_file(str(APP), default_timeout=300).run().exception
    assert "Delete" in {button.label for button in models_page().button}
