"""Detectors to and from the Hugging Face Hub on Models, by Streamlit's AppTest against the stand-in."""

import json
import re
import threading

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import background, exchange_actions, roles
from dashboard.roles import Role
from dfcore.errors import AccessError, BusyError
from dfcore.exchange import import_export
from dfcore.hub import pinned, push
from dfcore.hub.addresses import Address
from tests.standins.hugging_face import TOKEN
from tests.unit.test_hub import AT, TABLE, bundle, files, hub, made, pushed  # noqa: F401  (fixtures)
from tests.unit.test_pages import button, open_page, words

KEY = background.publish_key("mine")


@pytest.fixture(autouse=True)
def _no_work_left():
    yield
    for key in (KEY, background.FETCH_DETECTOR):
        if (task := background.find(key)) is not None:
            assert task.wait(60)
            background.drop(key)


@pytest.fixture
def page(tmp_path, hub) -> AppTest:  # noqa: F811
    (tmp_path / "models").mkdir()
    made(tmp_path / "models" / "mine")
    return open_page("models")


def ended(key: str) -> background.Task:
    task = background.find(key)
    assert task is not None and task.wait(60)
    assert task.error is None, task.error
    return task


def text(app: AppTest) -> str:
    shown = " ".join([words(app), *(one.value for one in app.success)])
    return re.sub(r"[\\`\N{WORD JOINER}]", "", shown)


def publish(page: AppTest, address: str) -> str:
    """Opens the dialog with an address in it; AppTest closes it at the next run."""
    page.session_state["hub_address mine"] = address
    button(page, "Publish", "publish_mine").click().run()
    assert not page.exception
    return text(page)


def test_a_trainer_sees_what_would_go_and_what_became_of_it(page, hub, tmp_path):  # noqa: F811
    shown = publish(page, "tester/faces")
    assert "will go to hf:tester/faces, seen by its owner alone" in shown and "Its card says: mit" in shown
    assert {"README.md", "model.keras"} <= set(page.dataframe[-1].value["File"]) and not hub.requests
    assert not button(page, "Publish it").disabled
    plan = push.prepare(tmp_path / "models" / "mine", AT)
    exchange_actions.start_publishing(str(AT), plan)
    ended(KEY)
    assert hub.store.repositories["model", "tester/faces"].private and "model.keras" in files(hub)
    page.run()
    assert "Published, only its owner sees it: 4 files sent." in text(page)
    assert any("dfcore pull hf:tester/faces@" in code.value for code in page.code)
    button(page, "Close", f"close {KEY}").click().run()
    assert "Published" not in text(page)


def test_what_goes_is_what_the_dialog_says_when_it_is_pressed(page, hub):  # noqa: F811
    publish(page, "tester/faces")
    assert TABLE in set(page.dataframe[-1].value["File"])
    # Both in one run, as when a field is changed and the button pressed before the dialog is drawn anew.
    page.segmented_control(key="hub_scores mine").set_value("without")
    page.text_input(key="hub_message mine").set_value("Without scores")
    page.text_input(key="hub_address mine").set_value("tester/others")
    button(page, "Publish it").click().run()
    assert not page.exception
    sent = ended(KEY).result
    assert TABLE not in files(hub, "tester/others") and ("model", "tester/faces") not in hub.store.repositories
    assert hub.store.repositories["model", "tester/others"].messages[sent.address.revision] == "Without scores"


def test_while_one_is_published_no_other_is(page, hub, tmp_path, monkeypatch):  # noqa: F811
    hold, folder = threading.Event(), tmp_path / "models" / "mine"
    monkeypatch.setattr(push, "push", lambda plan, step: hold.wait(60))
    try:
        exchange_actions.start_publishing(str(AT), push.prepare(folder, AT))
        page.run()
        assert "Publish" not in {one.label for one in page.button}
        for address in (AT, AT.at("trial")):
            with pytest.raises(BusyError, match=r"being published already: Publishing mine as hf:tester/faces\."):
                exchange_actions.start_publishing(str(address), push.prepare(folder, address))
    finally:
        hold.set()
    ended(KEY)


def test_what_is_wrong_is_told_before_anything_is_sent(page, hub):  # noqa: F811
    assert "Expected hf:OWNER/NAME" in publish(page, "mine") and not hub.requests


def test_without_a_token_it_says_who_sets_one_and_offers_no_field_for_it(page, hub, monkeypatch):  # noqa: F811
    monkeypatch.delenv("HF_TOKEN")
    shown = publish(page, "tester/faces")
    assert "This server has no token" in shown and "settings/tokens" in shown
    assert button(page, "Publish it").disabled
    assert not [field.label for field in page.text_input if "token" in field.label.lower()]


def test_who_is_no_trainer_is_offered_neither(page, monkeypatch):
    monkeypatch.setattr(roles, "current", lambda: Role.ANALYST)
    page.run()
    assert "Publish" not in {one.label for one in page.button}


def test_scores_that_were_left_out_go_along_only_if_the_page_says_so(page, hub, tmp_path):  # noqa: F811
    pushed(tmp_path / "models" / "mine", predictions=False)
    publish(page, "tester/faces")
    button(page, "Publish it").click().run()
    task = background.find(KEY)
    assert task is not None and task.wait(60) and "published without scores" in str(task.error)
    page.run()
    assert "“Scores of its images”: without or “Scores of its images”: with." in text(page)
    assert TABLE not in files(hub)
    background.drop(KEY)
    page.run()
    button(page, "Publish", "publish_mine").click().run()
    assert page.text_input(key="hub_address mine").value == "tester/faces", "what was entered stays"
    page.segmented_control(key="hub_scores mine").set_value("with")
    button(page, "Publish it").click().run()
    ended(KEY)
    assert TABLE in files(hub)


def test_the_licence_that_is_shown_is_the_one_that_will_be_stated(page, hub, tmp_path):  # noqa: F811
    assert "It will state the licence mit. Its card says: mit" in publish(page, "tester/faces")
    record = {"source": "hf:other/faces", "commit": "0" * 40, "at": "2026-01-01", "licence": "cc-by-4.0", "files": {}}
    (tmp_path / "models" / "mine" / pinned.PULLED).write_text(json.dumps(record))
    shown = publish(page, "tester/faces")
    assert "It will state the licence cc-by-4.0. Its card says: mit" in shown
    assert page.selectbox(key="hub_licence mine").value == "as stated so far"


def look(page, detector, monkeypatch) -> None:
    """Looks up a detector that was pushed."""
    monkeypatch.setattr(import_export, "_check_isolated", lambda folder: None)
    pushed(detector)
    monkeypatch.setenv("DFCORE_TAKE_IN", "1")
    page.run()
    look_at(page, "tester/faces")


def look_at(page, address: str) -> None:
    page.text_input(key="hub_from").set_value(address)
    button(page, "Look").click().run()


def field(page, name: str):
    """A field of the form that fetches; its key ends with what was looked up."""
    return next(one for one in page.text_input if (one.key or "").startswith(f"hub_{name} "))


def test_a_detector_is_looked_at_fetched_and_its_origin_shown(page, hub, bundle, monkeypatch, tmp_path):  # noqa: F811
    look(page, bundle, monkeypatch)
    assert not page.exception
    assert "hf:tester/faces, 1.03 MB, private" in text(page).replace("**", "")
    field(page, "name").set_value("theirs")
    button(page, "Fetch it").click().run()
    ended(background.FETCH_DETECTOR)
    page.run()
    assert "theirs was checked and is in the library" in text(page)
    assert "From hf:tester/faces, commit" in text(page) and "; licence mit, as stated there; unchanged" in text(page)
    told = next(one.value for one in page.caption if "unchanged since" in one.value)
    assert "`hf:tester/faces`" in told, "a copy of it is an address"
    (tmp_path / "models" / "theirs" / "predictions_test.parquet").write_bytes(b"other")
    page.run()
    assert "changed since: predictions_test.parquet" in text(page)
    assert TOKEN not in (tmp_path / "logs" / "dashboard.log").read_text() if (tmp_path / "logs").exists() else True


def test_a_refusal_leaves_what_was_looked_up_and_entered(page, hub, bundle, monkeypatch, tmp_path):  # noqa: F811
    look(page, bundle, monkeypatch)
    field(page, "name").set_value("mine")
    field(page, "digest").set_value("1234")
    button(page, "Fetch it").click().run()
    assert "There is already a detector named 'mine'" in text(page)
    assert field(page, "name").value == "mine" and field(page, "digest").value == "1234"
    field(page, "name").set_value("theirs")
    button(page, "Fetch it").click().run()
    task = background.find(background.FETCH_DETECTOR)
    assert task is None or task.wait(60)
    page.run()
    assert not (tmp_path / "models" / "theirs").exists()
    assert field(page, "name").value == "theirs" and field(page, "digest").value == "1234"


def test_what_was_entered_for_one_detector_is_not_that_of_the_next(page, hub, bundle, monkeypatch):  # noqa: F811
    look(page, bundle, monkeypatch)
    field(page, "name").set_value("mine")
    field(page, "digest").set_value("1234")
    button(page, "Fetch it").click().run()
    before = {one.id for one in (field(page, "name"), field(page, "digest"))}
    pushed(bundle, Address("tester", "others"))
    look_at(page, "tester/others")
    name, digest = field(page, "name"), field(page, "digest")
    assert (name.value, digest.value) == ("others", "")
    assert not before & {name.id, digest.id}, "a browser keeps what was typed into a field that stays the same"


def test_detectors_from_elsewhere_need_the_operators_leave(page, monkeypatch):
    monkeypatch.delenv("DFCORE_TAKE_IN", raising=False)
    page.run()
    assert "Fetch from the Hugging Face Hub" not in {one.label for one in page.expander}
    with pytest.raises(AccessError, match="DFCORE_TAKE_IN=1"):
        exchange_actions.look("hf:tester/faces")
