"""The part of Data sets that fetches: what is told before, while and after; by Streamlit's AppTest."""

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import fetch_view, hub_actions
from dashboard.roles import Role
from dfcore import workspace
from dfcore.datasets import registry
from dfcore.errors import InputError
from dfcore.hub import fetch, fetch_jobs, record
from dfcore.hub.fetch_jobs import FetchStatus, FetchStore
from dfcore.hub.sources import Offer
from dfcore.runs import State
from dfcore.utils import space
from dfcore.utils.files import write_json
from tests.unit.fetching import no_credentials, set_of
from tests.unit.test_pages import button, open_page, words


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path / "home")
    monkeypatch.setattr(fetch_jobs, "launch", lambda job: None)


def chosen(title: str) -> AppTest:
    app = open_page("datasets")
    app.selectbox(key="fetch_set").set_value(title).run()
    assert not app.exception, app.exception[0].message
    return app


def text(app: AppTest) -> str:
    return words(app).replace("\\", "").replace("`", "")


def put(state: State, **facts) -> fetch_jobs.Fetch:
    """A fetch in some state."""
    job = FetchStore().start("kaggle:owner/faces")
    write_json(job.folder / "status.json", FetchStatus(state, heartbeat=time.time(), **facts).__dict__)
    return job


def test_a_known_set_is_told_with_size_licence_layout_and_how_to_sign_in(tmp_path):
    app = chosen("cifake")
    shown = text(app)
    for part in ("120,000 images", "105 MB", "MIT", "{train,test}/{REAL,FAKE}", "Good for", "Bad for", "are free",
                 "no credentials", "KAGGLE_API_TOKEN", str(workspace.data_dir() / "cifake")):  # fmt: skip
        assert part in shown, part
    asks = chosen("faceforensics")
    assert "signed request" in text(asks) and "https://github.com/ondyari/" in asks.info[0].value, "a link"


def test_what_will_not_fit_is_told_at_once(monkeypatch):
    monkeypatch.setattr(space, "free_bytes", lambda folder: 72_700_000_000)
    assert "It does not fit: 414 GB to load" in text(chosen("openfake"))
    assert "fit:" not in text(chosen("cifake"))


def test_another_version_in_the_folder_is_told_before_anything_begins():
    folder = workspace.data_dir() / "faces"
    folder.mkdir(parents=True)
    record.write(folder, record.Fetched("kaggle:owner/faces", "2", "Faces", "", "", record.now(), {}))
    app = chosen(fetch_view._OTHER)
    app.text_input(key="fetch_address").set_value("kaggle:owner/faces@1").run()
    button(app, "Fetch", "fetch_go").click().run()
    assert not app.exception and list(FetchStore()) == []
    assert "holds version 2 of it, not 1. Choose another name for this one's folder (“Name of its folder”)" in text(app)
    app.text_input(key="fetch_name kaggle:owner/faces@1").set_value("old")
    button(app, "Fetch", "fetch_go").click().run()
    assert [job.request.name for job in FetchStore()] == ["old"]


def test_one_of_which_nothing_was_loaded_does_not_say_that_it_was_kept():
    put(State.FAILED, reason="Kaggle could not be reached (ConnectTimeout).")
    app = open_page("datasets")
    assert "could not be reached" in text(app) and "is kept" not in text(app)
    labels = {one.label for one in app.button}
    assert {"Try again", "Close"} <= labels and "Go on" not in labels


def test_what_is_typed_is_asked_about_and_fetched(monkeypatch):
    said = Offer(fetch.wanted("hf:owner/set").source, "A *set*", "", 10**14, 7, gated=True)
    monkeypatch.setattr(fetch, "describe", lambda source: said)
    app = chosen(fetch_view._OTHER)
    app.text_input(key="fetch_address").set_value("owner/set").run()
    assert "Expected kaggle:OWNER/NAME" in text(app)
    app.text_input(key="fetch_address").set_value("hf:owner/set").run()
    button(app, "Ask the service", "fetch_ask").click().run()
    shown = " ".join([text(app), *(one.value for one in app.success)]).replace("\\", "")
    assert "7 files" in shown and "not stated" in shown and "does not fit" in shown and "want their terms" in shown
    app.session_state[fetch_view.POPOVER] = True
    button(app, "Fetch", "fetch_go").click().run()
    assert not app.exception and not app.session_state[fetch_view.POPOVER]
    assert [job.request.text for job in FetchStore()] == ["hf:owner/set"]
    assert "goes on while you visit other pages" in text(app)
    button(app, "Fetch", "fetch_go").click().run()
    assert "is being fetched already" in text(app)


def test_progress_and_what_can_be_done_are_shown():
    job = put(State.RUNNING, phase="loading", done=12 * 10**8, total=4 * 10**9, unit=fetch.BYTES, seconds_left=180)
    assert fetch_view.so_far(job.status()) == "Loading: 1.2 GB of 4 GB, about 3 min left"
    app = open_page("datasets")
    button(app, "Stop", f"stop {job.id}").click().run()
    assert job.status().state is State.STOPPING


def test_one_that_failed_says_why_goes_on_or_is_discarded_after_a_question(monkeypatch):
    job = put(State.FAILED, reason="Kaggle could not be reached (ConnectTimeout).")
    half = job.wanted.half
    half.mkdir(parents=True)
    (half / "1.archive").write_bytes(bytes(5000))
    with monkeypatch.context() as one:  # A page that is drawn every two seconds counts no bytes.
        one.setattr(fetch, "half_fetched", None)
        app = open_page("datasets")
    assert "could not be reached" in text(app) and "What was loaded is kept" in text(app)
    button(app, "Discard", f"discard {job.id}").click().run()
    assert half.exists() and "5 kB of" in text(app)
    button(app, "Delete for good").click().run()
    assert not app.exception and not half.exists() and list(FetchStore()) == []


def test_one_that_is_there_leads_to_the_data_set():
    job = put(State.COMPLETED)
    folder = job.wanted.folder
    for name, data in set_of(["real", "fake"]).items():
        path = job.wanted.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    registry.register(job.wanted.folder)
    said = {
        "version": "1",
        "licence": "CC0",
        "bytes": 10**6,
        "files": 6,
        "left_out": [],
        "left_out_in_all": 2,
        "notes": [],
    }
    (job.folder / "outcome.json").write_text(json.dumps({
        "folder": str(job.wanted.folder), "there": False, "fetched": said, "counts": {"real": 3, "fake": 3},
    }))  # fmt: skip
    app = open_page("datasets")
    assert "6 files, 1 MB, 2 left out" in text(app) and "3 real and 3 fake images. Licence: CC0" in text(app)
    button(app, "Open", f"open {job.id}").click().run()
    assert not app.exception and list(FetchStore()) == []
    assert app.selectbox(key="dataset").value == str(folder)


def test_one_that_was_not_understood_says_why():
    job = put(State.COMPLETED)
    said = {"licence": "", "bytes": 10**6, "files": 6, "left_out_in_all": 0}
    (job.folder / "outcome.json").write_text(json.dumps({
        "folder": "faces", "there": False, "fetched": said, "counts": None, "trouble": "It holds films.\nLayouts: …",
    }))  # fmt: skip
    assert "it has to be told how to read it. It holds films. Licence: not stated" in text(open_page("datasets"))


def test_only_trainers_fetch(monkeypatch):
    monkeypatch.setattr("dashboard.roles.current", lambda: Role.ANALYST)
    job = put(State.RUNNING, phase="loading")
    app = chosen("cifake")
    assert button(app, "Fetch", "fetch_go").disabled and button(app, "Ask the service", "fetch_ask").disabled
    assert not [one for one in app.button if one.key == f"stop {job.id}"]
    assert "credentials" not in text(app)


def test_a_damaged_record_is_told_and_the_page_stands(tmp_path):
    job = put(State.RUNNING)
    (job.folder / "fetch.json").write_text("{")
    app = open_page("datasets")
    assert not app.exception and "fetch.json is missing or damaged" in text(app)


def test_an_address_behind_a_signed_request_is_not_asked_about(monkeypatch):
    monkeypatch.setattr(fetch, "describe", lambda source: pytest.fail("asked"))
    with pytest.raises(InputError, match="signed request"):
        hub_actions.ask_about.__wrapped__("faceforensics")
