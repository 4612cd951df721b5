"""What a server with strangers before it keeps to itself: its folders, who may do what, its turns, its errors."""

import ast
import importlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import streamlit
from streamlit import config as streamlit_config
from streamlit.testing.v1 import AppTest, local_script_runner

from dashboard import (
    actions,
    background,
    case_actions,
    detectors,
    error_reporting,
    exchange_actions,
    film_actions,
    hub_actions,
    inference_queue,
    prediction_sources,
    roles,
    roots,
    streamlit_private,
    tracker_actions,
    uploads,
)
from dashboard.inference_queue import Turns
from dashboard.markup import code, message, plain
from dashboard.roles import Role, role_of
from dfcore import figures, workspace
from dfcore.datasets import registry, scan
from dfcore.datasets.listing import list_images
from dfcore.errors import AccessError, BusyError, DfcoreError
from dfcore.foreign.adopt import PreprocessingError
from dfcore.foreign.check import Check, Preprocessing
from dfcore.imaging import decoder
from dfcore.runs import RunStore
from dfcore.training.config import TrainConfig
from tests.conftest import make_image
from tests.unit.test_pages import listed

ROOT = Path(__file__).parents[2]
APP = ROOT / "streamlit_app.py"
ADDRESS = "ada@example.org"


def open_page(name: str, **seeds) -> AppTest:
    """A page; `seeds` are AppTest's own: secrets, user."""
    app = AppTest.from_file(str(APP), default_timeout=120)
    for seed, value in seeds.items():
        setattr(app, seed, value)
    if name != "home":
        app.switch_page(f"pages/{name}.py")
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    """All that a reader sees, roughly, without the escapes of Markdown."""
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.subheader]
    return " ".join(str(part.value) for part in parts).replace("\\", "").replace("\N{WORD JOINER}", "")


def labels(app: AppTest) -> set[str]:
    return {item.label for item in app.button}


# === Folders ===


@pytest.fixture
def open_folder(tmp_path, monkeypatch) -> Path:
    """The one folder that may be read; beside it lies `outside`."""
    for name in ("open", "outside", "open-too"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(workspace.ROOTS, str(tmp_path / "open"))
    return tmp_path / "open"


@pytest.fixture
def outside(open_folder) -> Path:
    return open_folder.parent / "outside"


WAYS_OUT = ["outside", "open/../outside", "open/link", "open/link/..", "open-too", "/etc", "/"]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_folder_outside_is_refused_and_those_that_may_be_read_are_named(open_folder, outside, way):
    (open_folder / "link").symlink_to(outside)
    with pytest.raises(
        AccessError, match=rf"outside of the folders .*{re.escape(str(open_folder))}\).*{workspace.ROOTS}"
    ):
        registry.register(str(open_folder.parent / way))
    with pytest.raises(AccessError):
        scan(open_folder.parent / way)
    assert registry.registered() == []


def test_whether_something_outside_exists_is_not_told(open_folder, outside):
    text = []
    for name in ("there", "gone"):
        path = outside / name
        if name == "there":
            path.mkdir()
        with pytest.raises(AccessError) as caught:
            registry.register(str(path))
        text.append(str(caught.value).replace(name, ""))
    assert text[0] == text[1]


@pytest.mark.parametrize(
    "way", ["open", "open/set", "open/../open/set", "open/gone", "runs", "models", "data", "cache"]
)
def test_what_lies_within_and_the_workspaces_own_may_be_read(open_folder, way):
    (open_folder / "set").mkdir()
    assert workspace.readable(open_folder.parent / way)


def test_roots_may_be_links_and_several(tmp_path, monkeypatch, open_folder, outside):
    (tmp_path / "alias").symlink_to(outside)
    monkeypatch.setenv(workspace.ROOTS, os.pathsep.join([str(open_folder), "", str(tmp_path / "alias")]))
    assert workspace.readable(outside / "set")
    assert workspace.readable(tmp_path / "alias" / "set")
    assert not workspace.readable(tmp_path / "open-too")


def test_no_root_leaves_the_workspaces_own_alone(open_folder, monkeypatch):
    monkeypatch.setenv(workspace.ROOTS, "")
    with pytest.raises(AccessError, match="none but the workspace's own"):
        workspace.require_readable(open_folder)
    assert workspace.readable(workspace.data_dir() / "demo")


def test_the_command_line_without_roots_reads_everything(open_folder, outside, monkeypatch):
    monkeypatch.delenv(workspace.ROOTS)
    assert workspace.readable(outside)


def test_the_dashboard_always_has_roots_and_keeps_those_that_were_told(open_folder, monkeypatch):
    roots.set_roots()
    assert os.environ[workspace.ROOTS] == str(open_folder)
    monkeypatch.delenv(workspace.ROOTS)
    roots.set_roots()
    assert set(os.environ[workspace.ROOTS].split(os.pathsep)) == {str(Path.home()), str(Path.cwd())}
    assert not workspace.readable(Path("/etc"))


def test_files_that_link_out_of_a_data_set_are_listed_with_their_reason(small_dataset, open_folder, outside):
    shutil.copytree(small_dataset, open_folder / "set")
    secret = make_image(outside / "secret.png", seed=7)
    (open_folder / "set/train/real/zz.png").symlink_to(secret)
    (open_folder / "set/train/real/own.png").symlink_to("0.png")
    result = scan(open_folder / "set")
    listed = result.unreadable.set_index("path").error
    assert list(listed.index) == ["train/real/zz.png"]
    assert "outside of the folders that may be read here" in listed.iloc[0]
    assert result.table.set_index("path").sha256.isna().sum() == 1, "nothing of it was read"
    assert "train/real/own.png" in set(result.usable.path), "links within are fine"


def test_a_link_that_is_bent_later_is_not_read_from_memory(small_dataset, open_folder, outside):
    shutil.copytree(small_dataset, open_folder / "set")
    inside = make_image(open_folder / "inside.png", seed=7)
    link = open_folder / "set/train/real/zz.png"
    link.symlink_to(inside)
    assert scan(open_folder / "set").unreadable.empty
    link.unlink()
    link.symlink_to(shutil.copy2(inside, outside / "secret.png"))
    assert list(scan(open_folder / "set").unreadable.path) == ["train/real/zz.png"]


def test_rows_of_a_manifest_that_lead_out_are_listed_with_their_reason(open_folder, outside):
    make_image(open_folder / "a.png")
    make_image(outside / "secret.png")
    (open_folder / "link.png").symlink_to(outside / "secret.png")
    rows = ["path,label", "a.png,real", "../outside/secret.png,fake", f"{outside}/secret.png,fake", "link.png,fake"]
    (open_folder / "manifest.csv").write_text("\n".join(rows))
    result = scan(open_folder)
    assert list(result.usable.path) == ["a.png"]
    assert len(result.unreadable) == 3
    assert result.unreadable.sha256.isna().all()


def test_a_registered_folder_outside_is_refused_with_those_that_may_be_read(open_folder, outside, small_dataset):
    shutil.copytree(small_dataset, outside / "set")
    workspace.data_dir().mkdir()
    (workspace.data_dir() / "registered.json").write_text(json.dumps([str(outside / "set")]))
    app = open_page("datasets")
    (text,) = [str(error.value).replace("\\", "") for error in app.error]
    assert f"{outside / 'set'} lies outside of the folders that may be read here ({open_folder})" in text
    assert not app.metric, "nothing of it is shown"


def test_the_form_says_which_folders_may_be_read(open_folder):
    field = next(one for one in open_page("datasets").text_input if one.label.startswith("Folder or manifest"))
    assert str(open_folder) in field.help.replace("\\", "")


HOSTILE_PATHS = ["/etc/passwd", "../outside/secret.png", "a/../../outside/secret.png", "link.png", "folder/secret.png"]


@pytest.fixture
def measured(open_folder, outside) -> prediction_sources.Source:
    """Stored predictions over a folder from which links lead out."""
    make_image(outside / "secret.png")
    (open_folder / "link.png").symlink_to(outside / "secret.png")
    (open_folder / "folder").symlink_to(outside)
    return prediction_sources.Source(
        "test", "test split", open_folder / "predictions_test.parquet", open_folder, "test"
    )


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_paths_of_stored_predictions_lead_out_of_no_folder(measured, path):
    assert prediction_sources.image_path(measured, path) is None


def test_a_path_with_a_zero_byte_leads_nowhere(measured):
    assert prediction_sources.image_path(measured, "a\0.png") is None


def test_a_zero_byte_in_the_name_of_a_folder_is_told(open_folder):
    with pytest.raises(AccessError):
        registry.register(f"{open_folder}/a\0b")


def test_images_within_are_found(measured):
    make_image(measured.root / "real" / "a.png")
    assert prediction_sources.image_path(measured, "real/a.png") == measured.root / "real" / "a.png"


@pytest.mark.parametrize("start", [actions.start, lambda config: actions.estimate(config, training_images=1,
                                                                                   validation_images=1)],
                         ids=["start", "estimate"])  # fmt: skip
@pytest.mark.parametrize("what", ["weights", "data_root"])
def test_training_takes_neither_weights_nor_images_from_outside(open_folder, outside, start, what):
    (outside / "weights.h5").write_bytes(b"secret")
    values = {"data_root": str(open_folder), what: str(outside / ("weights.h5" if what == "weights" else ""))}
    with pytest.raises(AccessError, match="outside of the folders that may be read"):
        start(TrainConfig(**values))
    assert list(RunStore(workspace.runs_dir())) == []


# === Roles ===

ROLES = {
    "trainer": [ADDRESS, "*-lab@example.org"],
    "analyst": ["*@news.example.org", ADDRESS],
    "viewer": ["*@example.org", "?@b.org"],
}
HOLDERS = [
    pytest.param(ADDRESS, Role.TRAINER, id="the-highest-of-several"),
    pytest.param("ADA@Example.ORG", Role.TRAINER, id="case-does-not-count"),
    pytest.param(" ada@example.org\n", Role.TRAINER, id="blanks-do-not-count"),
    pytest.param("vision-lab@example.org", Role.TRAINER, id="a-pattern"),
    pytest.param("eve@news.example.org", Role.ANALYST, id="a-domain"),
    pytest.param("eve@example.org", Role.VIEWER, id="the-rest-of-a-domain"),
    pytest.param("x@b.org", Role.VIEWER, id="one-character"),
    pytest.param("xy@b.org", Role.NONE, id="two-characters"),
    pytest.param("ada@example.org.evil.org", Role.NONE, id="a-domain-that-begins-alike"),
    pytest.param("eve@evilexample.org", Role.NONE, id="a-domain-that-ends-alike"),
    pytest.param("eve@evil.org, ada@example.org", Role.VIEWER, id="no-list-of-addresses"),
    pytest.param("*", Role.NONE, id="a-pattern-as-address"),
    pytest.param("", Role.NONE, id="nobody"),
]


@pytest.mark.parametrize(("address", "role"), HOLDERS)
def test_the_role_of_an_address(address, role):
    assert role_of(address, ROLES) is role


@pytest.mark.parametrize("given", [{}, {"viewer": []}, {"none": ["*"]}, {"owner": ["*"]}], ids=str)
def test_who_stands_under_no_role_has_none(given):
    assert role_of(ADDRESS, given) is Role.NONE


def test_patterns_may_be_written_in_capitals():
    assert role_of(ADDRESS, {"analyst": ["*@EXAMPLE.org"]}) is Role.ANALYST


def test_one_pattern_without_brackets_is_one_pattern():
    """`trainer = "*@example.org"` is easily written; taken letter by letter it would let everybody in."""
    assert role_of("eve@evil.org", {"trainer": "*@example.org"}) is Role.NONE
    assert role_of(ADDRESS, {"trainer": "*@example.org"}) in (Role.TRAINER, Role.NONE)


def test_roles_include_those_below():
    assert Role.NONE < Role.VIEWER < Role.ANALYST < Role.TRAINER


AUTH = {"cookie_secret": "a-cookie-secret-of-some-length", "client_secret": "a-client-secret-of-some-length"}


@pytest.fixture
def as_role(monkeypatch):
    """Makes whoever asks somebody with a role."""

    def become(role: Role) -> None:
        monkeypatch.setattr(roles, "current", lambda: role)

    return become


@pytest.mark.parametrize(("has", "needs"), [(a, b) for a in Role for b in Role if a < b])
def test_a_refusal_names_the_role_that_it_takes_and_the_one_at_hand(as_role, log, has, needs):
    as_role(has)
    with pytest.raises(AccessError, match=f"Juggling requires the role of {needs.name.lower()}; .*{has.name.lower()}"):
        roles.require(needs, "Juggling")
    assert "Refused to local user" in log.read_text()
    assert not roles.may(needs)


@pytest.mark.parametrize(("has", "needs"), [(a, b) for a in Role for b in Role if a >= b])
def test_a_role_is_enough_for_itself_and_those_below(as_role, has, needs):
    as_role(has)
    roles.require(needs, "Juggling")
    assert roles.may(needs)


def visit(page: str = "home", given: dict | None = None, **user) -> AppTest:
    """A page of a server with sign-in, seen by somebody."""
    return open_page(page, secrets={"auth": AUTH, "roles": given or {}}, user={"is_logged_in": True} | user)


def test_without_sign_in_whoever_reaches_the_server_may_do_everything():
    assert not roles.has_sign_in()
    assert roles.current() is Role.TRAINER
    assert "Make the demonstration set" in labels(open_page("datasets"))


def test_with_sign_in_nothing_is_shown_before_it():
    app = open_page("models", secrets={"auth": AUTH, "roles": {"trainer": ["*"]}}, user={"is_logged_in": False})
    assert labels(app) == {"Sign in"}
    assert words(app) == "Deepfake workbench Sign in to continue."


KEPT_OUT = [
    pytest.param({"email": "eve@evil.org"}, id="no-role"),
    pytest.param({"email": ADDRESS, "email_verified": False}, id="address-not-verified"),
    pytest.param({"email": ""}, id="empty-address"),
    pytest.param({"email": None}, id="no-address"),
    pytest.param({"name": ADDRESS, "sub": ADDRESS}, id="address-in-another-place"),
]


@pytest.mark.parametrize("user", KEPT_OUT)
def test_who_has_no_role_is_kept_out(user):
    app = visit(given={"trainer": [ADDRESS]}, **user)
    assert labels(app) == {"Sign out"}
    assert [error.value for error in app.error] == [
        "You are signed in, but have no role here. The server's administrator can assign one."
    ]
    assert not app.title


@pytest.mark.parametrize("role", ["viewer", "analyst", "trainer"])
def test_a_page_offers_what_the_role_may_do(role):
    user = {"email": ADDRESS, "email_verified": True}
    app = visit("train", {role: [ADDRESS]}, **user)
    offered = "no data set yet" in words(app)
    assert offered == (role == "trainer")
    assert ("Training requires the role of trainer" in words(app)) == (role != "trainer")
    app = visit("inspect", {role: [ADDRESS]}, **user)
    assert ("Judging images requires the role of analyst" in words(app)) == (role == "viewer")
    assert f"ada@example.org, {role}" in words(app)


def test_a_viewer_has_no_place_to_drop_an_image():
    app = visit("home", {"viewer": [ADDRESS]}, email=ADDRESS)
    assert not app.file_uploader
    assert visit("home", {"analyst": [ADDRESS]}, email=ADDRESS).file_uploader


def test_what_a_viewer_clicks_all_the_same_is_refused(log):
    app = visit("datasets", {"viewer": [ADDRESS]}, email=ADDRESS)
    next(item for item in app.button if item.label == "Make the demonstration set").click().run()
    assert "requires the role of trainer" in words(app)
    assert f"Refused to {ADDRESS} (viewer): Making the demonstration set" in log.read_text()
    assert not registry.demo_folder().exists()


AT_ONCE = """
import sys, threading
from unittest.mock import MagicMock
import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.caching.storage.dummy_cache_storage import MemoryCacheStorageManager
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunData, script_runner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.state.session_state import SessionState
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

APP, COUNT = sys.argv[1], 3
Runtime._instance = MagicMock(spec=Runtime)
Runtime._instance.media_file_mgr = MediaFileManager(MemoryMediaFileStorage("/media"))
Runtime._instance.cache_storage_manager = MemoryCacheStorageManager()
st.secrets._secrets = {"auth": {"cookie_secret": "a-cookie-secret-of-some-length"}, "roles": {}}
together, came, old_kind = threading.Barrier(COUNT), set(), script_runner._mpa_v1

def run_pages_of_the_old_kind(path):
    if threading.get_ident() not in came:
        came.add(threading.get_ident())
        together.wait(60)
    return old_kind(path)

def visit():
    state = SafeSessionState(SessionState(), lambda: None)
    visitor = LocalScriptRunner(APP, state, PagesManager(APP, ScriptCache()), user_info={"is_logged_in": False})
    visitor.request_rerun(RerunData(page_name="models"))
    visitor.start()
    visitor.join()
    for message in visitor.forward_msgs():
        if message.delta.new_element.WhichOneof("type") == "heading":
            sys.stdout.write(message.delta.new_element.heading.body + "\\n")  # In one go: threads share it.

script_runner._mpa_v1 = run_pages_of_the_old_kind
visitors = [threading.Thread(target=visit) for _ in range(COUNT)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
"""


def test_tabs_that_come_back_together_to_a_new_server_do_not_get_past_the_sign_in():
    """Streamlit takes a folder `pages` for pages of the old kind, which it runs alone, until it was told otherwise."""
    done = subprocess.run([sys.executable, "-c", AT_ONCE, str(APP)], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=300)  # fmt: skip
    assert done.stdout.split("\n")[:-1] == ["Deepfake workbench"] * 3, done.stderr[-2000:]


BROKEN_SECRETS = [
    pytest.param('[auth]\ncookie_secret = "never closed\n', id="no-toml"),
    pytest.param('[auth]\nclient_id = "a"\nclient_id = "b"\n', id="a-key-twice"),
]


@pytest.mark.parametrize("content", BROKEN_SECRETS)
def test_secrets_that_cannot_be_read_open_no_door(tmp_path, monkeypatch, content):
    """An editor's half-saved file must not turn the sign-in off."""
    file = tmp_path / "secrets.toml"
    file.write_text(content)
    files = streamlit_config.get_option("secrets.files")
    try:
        streamlit_config.set_option("secrets.files", [str(file)])
        monkeypatch.delenv("DFCORE_DEBUG")
        app = AppTest.from_file(str(APP), default_timeout=120).run()
        assert not app.title, "a page was shown to somebody who is not signed in"
        with suppress(Exception):
            assert roles.current() is Role.NONE
    finally:
        streamlit_config.set_option("secrets.files", files)


def test_what_sign_in_needs_is_installed():
    """Streamlit speaks OpenID Connect through Authlib, and Authlib through httpx."""
    pytest.importorskip("authlib", reason="a server without sign-in needs neither")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Authlib would rather have httpx2.
        importlib.import_module("authlib.integrations.starlette_client")


# === Actions ===

MODULES = (actions, case_actions, exchange_actions, film_actions, hub_actions, tracker_actions)
ACTIONS = {
    name: function
    for module in MODULES
    for name, function in vars(module).items()
    if callable(function) and hasattr(function, "__wrapped__") and function.__module__ == module.__name__
}
OF_ANALYSTS = {
    "require_judging", "require_measuring", "write_notes", "pack", "remember", "keep_image", "decide", "note",
    "set_tags", "create_case", "file_in", "take_out", "change_case", "start_judging_again", "stop_judging_again",
    "keep_judged_again", "start_batch", "stop_batch", "resume_batch", "close_batch", "report",
    "start_film", "stop_film", "resume_film", "close_film",
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("role", [Role.NONE, Role.VIEWER], ids=str)
def test_every_action_refuses_a_viewer(as_role, log, name, role):
    as_role(role)
    with pytest.raises(AccessError, match="requires the role of"):
        ACTIONS[name]()  # The role is asked for before the arguments are looked at.


@pytest.mark.parametrize("name", ACTIONS)
def test_an_analyst_judges_measures_notes_and_passes_on_and_nothing_else(as_role, log, name):
    as_role(Role.ANALYST)
    if name in OF_ANALYSTS:
        with suppress(TypeError):  # Its arguments.
            ACTIONS[name]()
    else:
        with pytest.raises(AccessError, match="requires the role of trainer"):
            ACTIONS[name]()


def test_an_analyst_stops_the_judging_again_that_he_began(as_role, log):
    as_role(Role.ANALYST)

    def work(task):
        report = task.step("Judging again")
        while True:
            report(1, 2)
            time.sleep(0.01)

    task = background.start(background.again_key(7, "local user"), "Judging again", work)
    case_actions.stop_judging_again(None)
    assert not task.stopping
    case_actions.stop_judging_again(7)
    assert task.wait(5) and task.was_stopped


def test_no_action_is_without_a_role():
    public = {
        name
        for module in MODULES
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
    }
    assert public - {"needs"} == set(ACTIONS)
    assert len(ACTIONS) >= 16


def test_who_did_what_is_noted(as_role, log, open_folder):
    (open_folder / "set").mkdir()
    as_role(Role.TRAINER)
    actions.register(str(open_folder / "set"))
    assert f"local user: Registering a data set {open_folder / 'set'}" in log.read_text()


def test_what_failed_is_not_noted_as_done(as_role, log, open_folder):
    as_role(Role.TRAINER)
    with pytest.raises(AccessError):
        actions.register("/etc")
    assert "Registering" not in (log.read_text() if log.exists() else "")


# === How work ended ===


@pytest.fixture
def as_somebody(monkeypatch):
    """Makes whoever asks a person who signed in."""
    monkeypatch.setattr(roles, "has_sign_in", lambda: True)
    people = set()

    def become(address: str) -> None:
        monkeypatch.setattr(roles, "who", lambda: address)
        people.add(address)

    yield become
    for address in tuple(people):
        become(address)
        background.drop("work")


def fails(task: background.Task) -> None:
    raise DfcoreError("The hub refused it.")


def test_how_work_ended_is_told_to_who_began_it_whoever_looks_first(as_somebody):
    as_somebody("ada@example.org")
    assert background.start("work", "Publishing", fails).wait(5)
    as_somebody("bob@example.org")
    assert background.find("work") is None
    background.drop("work")
    as_somebody("ada@example.org")
    assert str(background.find("work").error) == "The hub refused it."
    background.drop("work")
    assert background.find("work") is None


def test_work_under_way_is_seen_by_all_and_ones_own_puts_away_nobody_elses(as_somebody):
    go = threading.Event()
    as_somebody("ada@example.org")
    first = background.start("work", "Publishing", lambda task: go.wait(5))
    as_somebody("bob@example.org")
    assert background.find("work") is first
    go.set()
    assert first.wait(5)
    second = background.start("work", "Publishing", fails)
    assert second.wait(5) and background.find("work") is second
    background.drop("work")
    as_somebody("ada@example.org")
    assert background.find("work") is first


def test_without_sign_in_it_is_told_to_the_session_or_once_that_is_closed_to_any(monkeypatch):
    monkeypatch.setattr(streamlit_private, "session", lambda: "first")
    assert background.start("work", "Publishing", fails).wait(5)
    monkeypatch.setattr(streamlit_private, "session", lambda: "second")
    monkeypatch.setattr(streamlit_private, "is_open", lambda session: True)
    assert background.find("work") is None
    monkeypatch.setattr(streamlit_private, "is_open", lambda session: session != "first")
    assert background.find("work") is not None, "the page was loaded again"
    background.drop("work")
    assert background.find("work") is None


def test_a_viewer_who_comes_first_takes_neither_a_failure_nor_a_refused_check(monkeypatch):
    monkeypatch.setenv("DFCORE_TAKE_IN", "1")
    said, better = Preprocessing("0..255", False), Preprocessing("0..1", True)
    figures = ({"roc_auc": 0.98, "accuracy": 0.91, "ece": 0.05}, {"roc_auc": 0.02, "accuracy": 0.5, "ece": 0.4})

    def refuse(task: background.Task) -> None:
        raise PreprocessingError(Check(said, (better, said), figures, better, False, {"real": 24, "fake": 24}))

    with monkeypatch.context() as of_ada:
        of_ada.setattr(roles, "person", lambda: ADDRESS)
        for key, work in ((background.ADOPT_KEY, refuse), (background.FETCH_DETECTOR, fails)):
            assert background.start(key, "Work", work).wait(5)
    given = {"viewer": ["bob@example.org"], "trainer": [ADDRESS]}
    app = visit("models", given, email="bob@example.org")
    assert "adopt refused" not in app.session_state and "The hub refused it" not in words(app)
    app = visit("models", given, email=ADDRESS)
    assert "adopt refused" in app.session_state and "The hub refused it" in words(app)


def test_who_lost_the_role_does_not_put_away_how_work_ended(as_somebody, as_role):
    as_somebody(ADDRESS)
    assert background.start("work", "Publishing", fails).wait(5)
    as_role(Role.ANALYST)
    with pytest.raises(AccessError, match="requires the role of trainer"):
        actions.close_work("work")
    as_role(Role.TRAINER)
    actions.close_work("work")
    assert background.find("work") is None


# What changes something or takes the machine's time; only the modules of actions may call it.
FUNCTIONS = {
    "start", "resume", "estimate", "launch", "create", "promote", "rename", "delete", "set_default", "write_bundle",
    "write_card", "unpack", "pack", "register", "forget", "make_demo", "relocate", "remember", "keep", "audit", "make",
    "neutralise", "discard", "push", "pull", "adopt",
}  # fmt: skip
METHODS = {"request_stop", "write_notes", "delete", "claim", "create", "hand_over", "remember_many", "create_case",
           "change_case", "take_out", "keep_image", "drop_image", "delete_case", "prune"}  # fmt: skip
# Of the store of cases alone: elsewhere the same words mean something else.
STORES = {"store", "cases", "open_store"}
OF_STORES = {"remember", "file", "note", "decide", "tag", "untag", "forget", "restore"}
ALLOWED = {"actions.py": 6, "case_actions.py": 6, "exchange_actions.py": 7, "film_actions.py": 1, "hub_actions.py": 5}
SOURCES = sorted([*(ROOT / "pages").glob("*.py"), *(ROOT / "dashboard").glob("*.py")])


def offences(source: str) -> list[str]:
    """Where dfcore's functions are named that change something; calls and references alike."""
    tree = ast.parse(source)
    of_dfcore, result = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            of_dfcore |= {(a.asname or a.name).split(".")[0] for a in node.names if a.name.split(".")[0] == "dfcore"}
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dfcore":
            result += [f"{node.lineno}: {a.name}" for a in node.names if a.name in FUNCTIONS or a.name == "*"]
            of_dfcore |= {a.asname or a.name for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base = node.value
            while isinstance(base, (ast.Attribute, ast.Call)):
                base = base.func if isinstance(base, ast.Call) else base.value
            name = base.id if isinstance(base, ast.Name) else ""
            of_actions = name in {module.__name__.rpartition(".")[2] for module in MODULES}
            if (
                (name in of_dfcore and node.attr in FUNCTIONS)
                or (not of_actions and node.attr in METHODS)
                or (name in STORES and node.attr in OF_STORES)
            ):
                result.append(f"{node.lineno}: {ast.unparse(node)}")
    return result


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_only_actions_change_anything(path):
    result = offences(path.read_text())
    if path.name in ALLOWED:
        assert len(result) >= ALLOWED[path.name], "the test has lost its sight"
    elif path.name == "memory_writer.py":  # What `case_actions` hands over, it writes.
        assert [line.rpartition(" ")[2] for line in result] == ["store.remember_many"]
    else:
        assert result == []


OFFENCES = [
    "from dfcore import runs\nruns.start(None, {})",
    "from dfcore import runs as r\nr.resume(None)",
    "import dfcore.runs\ndfcore.runs.estimate({})",
    "from dfcore.runs import start",
    "from dfcore.runs.launch import launch as harmless",
    "from dfcore.detectors.bundle import *",
    "from dfcore import library\nst.button('x', on_click=library.delete)",
    "from dfcore.detectors.library import promote",
    "from dfcore import library as shelf\nshelf.set_default(folder, 'x')",
    "from dfcore.datasets import registered\nregistered.forget(x)",
    "from dfcore.datasets.demo import make_demo",
    "run.request_stop()",
    "stored.store().delete('x')",
    "stored.runs()[0].write_notes('x')",
    "from dfcore.exchange.import_export import unpack",
    "from dfcore.datasets.reading import remember",
    "from dfcore.audit import stored\nstored.keep(root, found)",
    "from dfcore.audit.run import audit",
    "store.decide(picture, 'fake', by='x')",
    "from dfcore.cases import open_store\nopen_store().note('x', by='y')",
    "from dfcore.cases import open_store\ncases = open_store()\ncases.file(1, [], by='y')",
    "memory_writer.hand_over([], 'x')",
    "kept.keep_image(a, b, by='x')",
]


@pytest.mark.parametrize("source", OFFENCES)
def test_an_action_past_the_roles_would_be_seen(source):
    assert offences(source)


def test_what_only_looks_alike_is_no_offence():
    assert not offences("import pandas as pd\npd.DataFrame().rename(columns={})\nactions.delete_run('x')\nbar.start()")
    assert not offences("dialogs.decide('x')\ncase_actions.delete_case(1, 'x')\nstore.search()\nmemory.remember([])")


# === Turns ===


def in_threads(count: int, work) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def joined(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


@pytest.mark.parametrize("active", [1, 3])
def test_no_more_are_at_work_than_may_be(active):
    room, lock, now, most, done = Turns(active, waiting=50), threading.Lock(), 0, 0, []

    def work(number: int) -> None:
        nonlocal now, most
        with room.take():
            with lock:
                now, most = now + 1, max(most, now + 1)
            time.sleep(0.002)
            with lock:
                now -= 1
                done.append(number)

    joined(in_threads(50, work))
    assert sorted(done) == list(range(50)), "everybody had a turn"
    assert most <= active


def test_of_fifty_at_once_ten_wait_and_the_others_are_sent_away_at_once():
    room, served, sent_away = Turns(active=1, waiting=10), [], []

    def work(number: int) -> None:
        try:
            with room.take():
                served.append(number)
        except BusyError as error:
            sent_away.append(str(error))

    with room.take():
        threads = in_threads(50, work)
        until = time.monotonic() + 120
        while len(sent_away) < 40 and time.monotonic() < until:
            time.sleep(0.01)
        assert served == []
    joined(threads)
    assert (len(served), len(sent_away)) == (10, 40)
    assert sent_away[0] == "The server is busy: 10 others are waiting already. Try again in a minute."


def test_whoever_waits_too_long_is_told_and_gives_the_place_back():
    room = Turns(active=1, waiting=1, patience=0.05)
    with room.take():
        for _ in range(5):
            with pytest.raises(BusyError, match=r"turn did not come within .* Try again"), room.take():
                raise AssertionError
    with room.take():
        pass


def test_a_queue_is_crowded_while_somebody_waits():
    room, entered, done = Turns(active=1, waiting=1), threading.Event(), threading.Event()

    def wait() -> None:
        with room.take():
            entered.set()
            done.wait(10)

    with room.take():
        assert not room.is_crowded
        waiting = threading.Thread(target=wait)
        waiting.start()
        until = time.monotonic() + 10
        while not room.is_crowded and time.monotonic() < until:
            time.sleep(0.01)
        assert room.is_crowded and not entered.is_set()
    assert entered.wait(10) and not room.is_crowded
    done.set()
    waiting.join(10)


def test_a_kept_turn_serves_all_that_follows_and_is_given_back_at_the_end():
    room = Turns(active=1, waiting=0)
    with room.kept() as kept:
        assert not kept.has_turn
        for _ in range(2):
            with room.take():
                assert kept.has_turn
        refused = []

        def other() -> None:
            with pytest.raises(BusyError), room.take():
                raise AssertionError
            refused.append(True)

        joined(in_threads(1, lambda _: other()))
        assert refused == [True], "the turn is one thread's own, and lasts"
    with room.take(), pytest.raises(BusyError), room.take():
        raise AssertionError
    with pytest.raises(ZeroDivisionError), room.kept(), room.take():
        _ = 1 / 0
    assert room.until_idle(0)


def test_what_can_wait_waits_until_nobody_has_a_turn():
    room, entered, leave = Turns(active=1, waiting=1), threading.Event(), threading.Event()

    def work(_: int) -> None:
        with room.take():
            entered.set()
            leave.wait(10)

    assert room.until_idle(0)
    threads = in_threads(2, work)
    assert entered.wait(10) and not room.until_idle(0.05)
    threading.Timer(0.05, leave.set).start()
    assert room.until_idle(10)
    joined(threads)


def test_places_are_given_back_after_an_error():
    room = Turns(active=2, waiting=0)
    for _ in range(10):
        with pytest.raises(ZeroDivisionError), room.take():
            _ = 1 / 0
    with room.take(), room.take(), pytest.raises(BusyError), room.take():
        raise AssertionError


def test_nobody_is_kept_waiting_for_the_end_of_a_measurement():
    """What is said tells that nobody waited: whoever did is told of the turn that did not come."""
    with (
        inference_queue.measuring.take(),
        pytest.raises(BusyError, match="another one is running"),
        inference_queue.measuring.take(),
    ):
        raise AssertionError
    with inference_queue.measuring.take():
        pass


@pytest.fixture
def library(knowing, tmp_path) -> Path:
    """A workspace with one detector."""
    shutil.copytree(knowing["thumbnails"], tmp_path / "models" / "thumbnails")
    return tmp_path


def drop(app: AppTest, count: int, key: str = "inspect_upload", size: int = 32) -> AppTest:
    folder = workspace.data_dir() / "dropped"
    paths = [make_image(folder / f"{number}.png", (size, size), seed=number) for number in range(count)]
    files = [(path.name, path.read_bytes(), "image/png") for path in paths]
    app.file_uploader(key=key).set_value(files).run()
    assert not app.exception, app.exception[0].message
    return app


def test_a_full_server_says_so_and_offers_to_try_again(library, monkeypatch):
    room = Turns(active=1, waiting=0)
    monkeypatch.setattr(inference_queue, "inference", room)
    app = open_page("inspect")
    with room.take():
        drop(app, 1)
        assert "The server is busy" in words(app)
        assert "Score **" not in words(app)
    next(item for item in app.button if item.label == "Try again").click().run()
    assert "busy" not in words(app)
    assert "**Conclusion.**" in words(app)


# === Uploads ===


def test_whatever_the_library_takes_for_an_image_can_be_handed_in():
    assert {f".{kind}" for kind in uploads.TYPES} == decoder.SUFFIXES
    assert {"jfif", "jpe", "mpo"} <= set(uploads.TYPES)


@pytest.mark.parametrize("name", ["download.jfif", "old.jpe", "photo.JPG"])
def test_one_image_under_any_of_its_names_is_taken(name, library, tmp_path):
    data = make_image(tmp_path / "image.jpg").read_bytes()
    app = open_page("inspect")
    app.file_uploader(key="inspect_upload").set_value([(name, data, "image/jpeg")]).run()
    assert not app.exception, app.exception[0].message
    assert [picture.name for picture in app.session_state["inspect_images"]] == [name]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_bytes(data)
    assert [path.name for path in list_images([tmp_path / "folder"])] == [name]


def test_more_images_than_are_held_are_told_and_the_first_are_judged(library, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_FILES", 2)
    app = drop(open_page("inspect"), 5)
    assert "Only the first 2 images were loaded; 3 more exceed the limit of 2 images" in words(app)
    assert list(listed(app).File) == ["0.png", "1.png"]


def test_more_bytes_than_are_held_are_told_and_the_first_are_judged(library, monkeypatch):
    app = open_page("inspect")
    drop(app, 1, size=600)
    monkeypatch.setattr(uploads, "MOST_BYTES", 2 * 2**20)
    drop(app, 4, size=600)  # About a megabyte each.
    assert "Only the first 1 images were loaded; 3 more exceed the limit" in words(app)
    assert "or 2 MB in total" in words(app)
    assert [picture.name for picture in app.session_state["inspect_images"]] == ["0.png"]


def test_as_many_as_are_held_are_taken_without_a_word(library, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_FILES", 3)
    app = drop(open_page("inspect"), 3)
    assert "exceed the limit" not in words(app)
    assert len(listed(app)) == 3


def test_what_was_left_out_on_home_is_told_too(library, monkeypatch):
    """Home opens Inspect at once: what it said itself nobody can read."""
    monkeypatch.setattr(uploads, "MOST_FILES", 2)
    app = drop(open_page("home"), 3, key="home_upload")
    assert app.title[0].value == "Inspect"
    assert len(app.session_state["inspect_images"]) == 2
    assert "Only the first 2 images were loaded" in words(app)


def test_the_bounds_are_those_that_are_told():
    assert (uploads.MOST_FILES, uploads.MOST_BYTES) == (100, 256 * 2**20)


# === What nobody foresaw ===


@pytest.fixture
def log(tmp_path):
    """The dashboard's log of this test alone."""

    def forget() -> None:
        error_reporting.log.cache_clear()
        logger = logging.getLogger("dashboard")
        for handler in [*logger.handlers]:
            logger.removeHandler(handler)
            handler.close()

    forget()
    yield tmp_path / "logs" / "dashboard.log"
    forget()


@pytest.fixture
def served(monkeypatch, log):
    """As on a server: errors are told, not raised."""
    monkeypatch.delenv("DFCORE_DEBUG")
    return log


CAUSE = "the cause that nobody foresaw at /srv/private"


def broken(*_arguments, **_options):
    raise RuntimeError(CAUSE)


def reference(app: AppTest) -> str:
    """The number that is shown; that nothing else of the error is."""
    assert not app.exception
    (text,) = [str(error.value) for error in app.error if "unexpected error" in str(error.value)]
    assert CAUSE not in words(app)
    assert "Traceback" not in words(app)
    assert "RuntimeError" not in words(app)
    assert not app.code or all(CAUSE not in str(code.value) for code in app.code)
    return re.search(r"\*\*([0-9A-F]{8})\*\*", text)[1]


def test_an_unforeseen_error_shows_a_number_that_leads_to_it_in_the_log(served, monkeypatch):
    monkeypatch.setattr(detectors, "library", broken)
    number = reference(open_page("home"))
    text = served.read_text()
    assert f"ERROR Reference {number}\n" in text
    assert "Traceback (most recent call last)" in text
    assert f"RuntimeError: {CAUSE}" in text
    assert "pages/home.py" in text


def test_every_error_has_a_number_of_its_own(served, monkeypatch):
    monkeypatch.setattr(detectors, "library", broken)
    assert len({reference(open_page("home")) for _ in range(3)}) == 3


def test_with_debug_an_unforeseen_error_is_raised(log, monkeypatch):
    monkeypatch.setattr(detectors, "library", broken)
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    assert len(app.exception) == 1
    assert not app.error
    assert not log.exists()


def test_an_error_of_one_session_leaves_the_others_alone(served, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(detectors, "library", broken)
        reference(open_page("home"))
    assert not open_page("home").error


@pytest.fixture
def evaluated(library) -> AppTest:
    app = open_page("evaluate")
    assert "Fakes caught (TPR)" in [metric.label for metric in app.metric]
    return app


def test_an_error_in_a_fragment_is_told_in_its_place_and_the_rest_of_the_page_shows(evaluated, served, monkeypatch):
    monkeypatch.setattr(figures, "roc", broken)
    number = reference(evaluated.run())
    assert f"Reference {number}\n" in served.read_text()
    assert any(item.label == "Measured on" for item in evaluated.segmented_control), "the choices are there"


def rerun_fragment(app: AppTest) -> AppTest:
    """Runs the one fragment of a page alone, as Streamlit does after a click in it."""
    (fragment,) = app._fragment_storage._fragments
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_script_runner, "RerunData", partial(local_script_runner.RerunData, fragment_id=fragment))
        return app.run()


def test_an_error_of_a_fragment_that_is_rerun_alone_is_told_too(evaluated, served, monkeypatch):
    monkeypatch.setattr(figures, "roc", broken)
    monkeypatch.setattr(detectors, "detectors", broken)  # The page itself is not run.
    assert f"Reference {reference(rerun_fragment(evaluated))}\n" in served.read_text()


def test_damaged_predictions_are_told_in_words_and_not_as_unforeseen(library, served):
    (library / "models/thumbnails/predictions_validation.parquet").write_bytes(b"PAR1 no more")
    app = open_page("evaluate")
    assert "predictions_validation.parquet cannot be read" in words(app)
    assert "unexpected error" not in words(app)


def test_an_error_after_a_click_is_told_too(library, served, monkeypatch):
    """What a button's callback does runs before the page."""
    monkeypatch.setattr(actions, "delete_detector", broken)
    app = open_page("models")
    next(item for item in app.button if item.label == "Delete").click().run()
    next(item for item in app.button if item.label == "Delete for good").click().run()
    number = reference(app)
    assert f"Reference {number}\n" in served.read_text()


PASSWORD, TOKEN, LISTED = "correct-horse-battery", "tok-0123456789abcdef", "one-of-several-98765"
SECRETS = {
    "api_key": TOKEN,
    "database": {"password": PASSWORD, "deep": {"token": "deep-" + TOKEN}},
    "tokens": [LISTED, "another-one"],
    "roles": {"trainer": [ADDRESS]},
}


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, "deep-" + TOKEN, LISTED])
def test_secrets_do_not_reach_the_log(served, monkeypatch, secret):
    def leaking(*_):
        raise RuntimeError(f"could not connect with {secret!r} for {ADDRESS}")

    monkeypatch.setattr(detectors, "library", leaking)
    app = open_page("home", secrets=json.loads(json.dumps(SECRETS)))
    text = served.read_text()
    assert "could not connect with" in text
    assert "[secret]" in text
    assert secret not in text
    assert TOKEN not in text
    assert secret not in words(app)
    assert ADDRESS in text, "names are what the log is read for"


def test_a_log_without_a_place_goes_to_the_terminal(monkeypatch, tmp_path, log, capsys):
    (tmp_path / "logs").write_text("a file where a folder should be")
    error_reporting.log().warning("Something to be read")
    assert "WARNING Something to be read" in capsys.readouterr().err


def test_the_log_is_bounded(log, monkeypatch):
    monkeypatch.setattr(error_reporting, "_MAX_BYTES", 1000)
    for number in range(500):
        error_reporting.log().info("Line %d", number)
    files = list(log.parent.iterdir())
    assert 1 < len(files) <= 4
    assert sum(file.stat().st_size for file in files) < 6000


# === Markup ===

STRANGE = [
    "*bold* _it_ **b**", "[link](javascript:alert(1))", "![image](http://x/y.png)", "<script>alert(1)</script>",
    "# head", "> quote", "- item", "1. item", "| a | b |", "`code`", "~~gone~~", "$x^2$", ":red[red]",
    ":material/home:", ":smile:", "&lt;", "a\\*b", "http://evil.example", "www.evil.example", "---", "C:\\folder",
]  # fmt: skip


@pytest.mark.parametrize("text", STRANGE)
def test_no_sign_of_markdown_is_left_to_itself(text):
    marked = plain(text).replace("\N{WORD JOINER}", "")
    assert re.sub(r"\\(.)", r"\1", marked) == text, "it reads as it was"
    assert not re.search(r"[\\`*_{}\[\]()#+\-.!|<>~$:&]", re.sub(r"\\.", "", marked))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See https://github.com/a/b_c.", r"See `https://github.com/a/b_c`\."),
        ("Choose hf:ada/my_faces@v2 (--name).", r"Choose `hf:ada/my_faces@v2` \(`--name`\)\."),
        ("a--b `hf:x", "a\\-\N{WORD JOINER}\\-b \\``hf:x`"),
    ],
)
def test_addresses_and_options_in_messages_can_be_copied(text, shown):
    assert message(text) == shown


@pytest.mark.parametrize("text", STRANGE)
def test_code_holds_whatever_it_is_given(text):
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(code(text))[1].children
    assert [(token.type, token.content) for token in tokens] == [("code_inline", text)]


@pytest.mark.parametrize("text", ["a\nb", "a\r\n# b", "a\tb", "a\0b", "a\x1b[31mb", "a\u202eb", "a\u2028b", "a\u200bb"])
def test_no_sign_that_bends_lines_is_left(text):
    marked = plain(text)
    assert marked.isprintable()
    assert marked.startswith("a")
    assert marked.endswith("b")
    assert "\N{REPLACEMENT CHARACTER}" in marked


@pytest.mark.parametrize("value", [None, 3, 0.5, Path("a_b")])
def test_anything_can_be_made_plain(value):
    assert plain(value).replace("\\", "") == str(value)


# === What is set ===


def test_the_server_is_for_this_machine_alone_and_tells_strangers_nothing():
    result = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert result["server"]["address"] == "127.0.0.1"
    assert result["server"]["enableXsrfProtection"] is True
    assert result["server"].get("enableCORS", True) is True
    assert 0 < result["server"]["maxUploadSize"] <= 64
    assert result["client"]["showErrorDetails"] == "none"
    assert result["client"]["showErrorLinks"] is False
    assert result["client"]["toolbarMode"] == "viewer"
    assert result["browser"]["gatherUsageStats"] is False
    assert "secrets" not in result


# === Private parts of Streamlit ===


@pytest.mark.parametrize("part", streamlit_private.PARTS.values(), ids=lambda part: part[2])
@pytest.mark.parametrize("page", ["home", "models"])
def test_a_streamlit_without_a_private_part_is_told_with_its_version_and_shows_nothing(monkeypatch, part, page):
    # Only for the check: the Streamlit that runs the test needs the part itself.
    monkeypatch.setattr(streamlit_private, "_has", lambda other: other != part)
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    if page != "home":
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    assert f"Streamlit {streamlit.__version__} is not one that this dashboard works with" in words(app)
    assert part[2] in words(app)
    assert not app.title, "nothing else is shown"


@pytest.mark.parametrize("part", streamlit_private.PARTS.values(), ids=lambda part: part[2])
def test_a_private_part_that_is_gone_is_noticed(monkeypatch, part):
    streamlit_private.require()
    module, owner, name = part
    place = importlib.import_module(module)
    monkeypatch.delattr(getattr(place, owner) if owner else place, name)
    with pytest.raises(DfcoreError, match=name):
        streamlit_private.require()
    if owner:
        monkeypatch.delattr(place, owner)
    else:
        monkeypatch.setitem(sys.modules, module, None)
    for change in (streamlit_private.require, streamlit_private.keep_networks):
        with pytest.raises(DfcoreError, match=r"requirements\.txt"):
            change()


def test_private_parts_of_streamlit_are_known_to_one_module():
    """Nothing under `streamlit.runtime` and the like is imported for anything but its types elsewhere."""
    for path in (APP, *(ROOT / "dashboard").glob("*.py"), *(ROOT / "pages").glob("*.py")):
        if path.stem == "streamlit_private":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name and name.startswith("streamlit.")], path.name


def test_secrets_and_logs_are_not_checked_in():
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/logs/" in ignored
    assert not (ROOT / ".streamlit" / "secrets.toml").exists()
