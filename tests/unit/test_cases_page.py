"""Cases, and what Inspect remembers, driven by Streamlit's AppTest."""

from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import background, case_actions, memory, roles, stored_reports
from dashboard.roles import Role
from dfcore import workspace as folders
from dfcore.cases import Query, open_store
from dfcore.datasets.registry import registered
from dfcore.detectors.bundle import read_card, write_card
from dfcore.errors import StorageError
from dfcore.utils.files import sha256_bytes
from tests.unit.cases import a_judgement, a_picture, fill, tampered
from tests.unit.test_pages import (
    filled,
    finished,
    library,
    listed,
    open_below,
    open_page,
    picture,
    sized,
    upload,
    words,
)
from tests.unit.test_pages import workspace as own_workspace

__all__ = ["filled", "finished", "library", "own_workspace"]  # Fixtures.
STRANGE = "<b>x</b> [l](http://e.example) :red[y] $z$.jpg"


@pytest.fixture
def workspace(own_workspace):
    return own_workspace


def open_cases(**address: str | int) -> AppTest:
    app = open_page("home")
    for name, value in address.items():
        app.query_params[name] = str(value)
    app.switch_page("pages/cases.py")
    for name, value in address.items():
        app.query_params[name] = str(value)
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def pressed(app: AppTest, key: str) -> AppTest:
    """Presses the button whose key ends so."""
    (found,) = (item for item in app.button if str(item.key).endswith(key))
    found.click().run()
    assert not app.exception, app.exception[0].message
    return app


def field(app: AppTest, kind: str, ending: str):
    (found,) = (item for item in getattr(app, kind) if str(item.key).endswith(ending))
    return found


def asked(app: AppTest, name: str) -> str:
    """What the address says; AppTest gives a list or a text."""
    found = app.query_params[name]
    return found if isinstance(found, str) else found[0]


def tables(app: AppTest) -> list[list[dict]]:
    return [frame.value.to_dict("records") for frame in app.dataframe]


def settle(app: AppTest) -> None:
    """Waits until all that Inspect handed over is written."""
    for job in app.session_state["memory_jobs"].values():
        job.future.exception(60)


# === Inspect remembers ===


def test_every_verdict_is_remembered_once_with_all_that_repeats_it(filled):
    app = upload(open_page("inspect"), sized(32))
    settle(app)
    app.run()
    store = open_store()
    (row,) = store.search().rows
    assert row.picture.sha256 == sha256_bytes(sized(32))
    assert (row.picture.name, row.picture.width, row.picture.format) == ("0.png", 32, "PNG")
    assert len(row.picture.phash) == len(row.picture.mirrored) == 16 and row.picture.pixels_sha256
    history = store.history(row.picture.sha256)
    (judged,) = history.judgements
    assert judged.by == "local user" and judged.via == "inspect" and judged.detector.startswith("run:")
    assert judged.tool and judged.engine and judged.card_sha256 and judged.gate_sha256 and judged.at
    assert judged.record["verdict"]["finding"] == judged.finding
    # Other thresholds make another verdict.
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    settle(app)
    assert len(store.history(row.picture.sha256).judgements) == 2


def test_a_new_session_knows_what_was_seen_before_and_the_first_one_does_not_boast(filled):
    app = upload(open_page("inspect"), sized(32))
    settle(app)
    app.run()
    assert "Seen before" not in words(app), "not even its own verdict"
    open_store().decide(sha256_bytes(sized(32)), "fake", by="eve")
    app = upload(open_page("inspect"), sized(32))
    settle(app)
    app.run()
    text = words(app)
    assert "**Seen before**: the same file, " in text and "decided " in text and "Fake" in text
    open_store()
    pressed(app, "inspect_history")
    assert asked(app, "picture") == sha256_bytes(sized(32))
    assert "Verdicts" in words(app)


def test_a_picture_that_cannot_be_read_is_remembered_with_its_reason(filled):
    app = upload(open_page("inspect"), b"no image")
    settle(app)
    (row,) = open_store().search().rows
    assert row.judgement.finding is None and "Not an image" in row.judgement.error


def test_nothing_is_remembered_where_that_is_turned_off_and_the_pages_say_so(filled, monkeypatch):
    monkeypatch.setenv("DFCORE_CASES", "off")
    app = open_page("inspect")
    assert "Nothing is remembered here" in words(app).replace("\\", "")
    app = upload(app, sized(32))
    assert "Nothing is remembered here" in words(app).replace("\\", "") and "**Conclusion.**" in words(app)
    assert not app.session_state["memory_jobs"]
    open_below(app, "Notes")
    assert not [item for item in app.button if "decide" in str(item.key)]
    assert "Nothing is remembered here" in words(open_page("cases")).replace("\\", "")
    assert not (filled / "cases").exists() and not (folders.app_script().parent / "off").exists()


def test_a_damaged_store_is_told_beside_the_verdict_which_stays(filled):
    folders.cases_dir().mkdir(parents=True)
    (folders.cases_dir() / "cases.db").write_bytes(b"no database at all" * 1000)
    app = upload(open_page("inspect"), sized(32))
    settle(app)
    app.run()
    assert "**Conclusion.**" in words(app) and "The verdict is not remembered" in words(app)
    told = words(open_page("cases")).replace("\\", "")
    assert "cases.db" in told


def test_what_could_not_be_written_is_tried_again_later(filled, monkeypatch):
    made = memory.memory_writer._open
    calls = []

    def fail():
        calls.append(1)
        raise StorageError("The disk is full.")

    monkeypatch.setattr(memory.memory_writer, "_open", fail)
    app = upload(open_page("inspect"), sized(32))
    settle(app)
    before = len(calls)
    app.run()
    assert len(calls) == before, "not at every run"
    assert "The disk is full" in words(app)
    monkeypatch.setattr(memory.memory_writer, "_open", made)
    monkeypatch.setattr(memory, "_AGAIN_SECONDS", 0.0)
    app.run()
    settle(app)
    app.run()
    assert open_store().search().total == 1 and "The disk is full" not in words(app)


def test_keys_decide_on_the_picture_in_sight_and_go_on(filled):
    app = upload(open_page("inspect"), sized(32), sized(40))
    settle(app)
    first, second = sha256_bytes(sized(32)), sha256_bytes(sized(40))
    presses = [
        {"number": 1, "action": "fake", "picture": first}, {"number": 2, "action": "next", "picture": first},
    ]  # fmt: skip
    app.session_state["inspect_review"] = {"pressed": presses}
    app.run()
    assert not app.exception
    store = open_store()
    assert store.history(first).decisions[-1].decided == "fake"
    ids, at, _ = app.session_state["inspect_shown"]
    assert (ids[at], at) == (second, 1)
    app.session_state["inspect_review"] = {"pressed": [*presses, {"number": 3, "action": "real", "picture": second}]}
    app.run()
    assert len(store.history(first).decisions) == 1 and store.history(second).decisions[-1].decided == "real"
    assert listed(app).Decision.tolist() == ["Fake", "Real"]


def test_a_decision_a_note_tags_a_case_and_the_picture_itself_are_kept_from_the_notes(filled):
    data = sized(32)
    app = open_below(upload(open_page("inspect"), data), "Notes")
    sha256 = sha256_bytes(data)
    store = open_store()
    assert not store.history(sha256).image, "not unless asked"
    field(app, "segmented_control", "_decided").set_value("fake")
    field(app, "text_area", "_why").set_value("the *ears*")
    app.run()
    pressed(app, "_decide")
    assert store.history(sha256).decisions[-1].why == "the *ears*"
    assert "the \\*ears\\*" in words(app) and "decided by local user" in words(app).replace("\\", "")
    field(app, "text_area", "_note").set_value("line one\n<b>line</b> two")
    pressed(app, "_add_note")
    assert field(app, "text_area", "_note").value == "" and store.history(sha256).notes[-1].text.startswith("line one")
    pressed(app, "_add_note")
    assert len(store.history(sha256).notes) == 1 and "Expected a note" in words(app), "an empty one is refused"
    field(app, "multiselect", "_tags").set_value(["press"]).run()
    assert store.history(sha256).tags == ("press",)
    case = store.create_case("Known", by="ada")
    app.run()
    field(app, "selectbox", "_file").set_value(case.id).run()
    pressed(app, "_file_add")
    assert [one.id for one in store.history(sha256).cases] == [case.id]
    pressed(app, "_keep")
    assert store.image(sha256) == data and "is kept" in words(app)


def test_inspect_offers_what_was_judged_last(filled):
    assert "Recently judged" not in words(open_page("inspect"))
    store = open_store()
    names = fill(store, 10)
    data = picture(3)
    kept = a_picture(sha256=sha256_bytes(data), name=STRANGE)
    store.remember(kept, a_judgement(0.9, finding="fake", decision="fake"))
    store.keep_image(kept.sha256, data, by="ada")
    app = open_page("inspect")
    assert "Recently judged" in words(app) and r"\<b\>x" in words(app)
    assert not any(names[0] in str(item.key) for item in app.button if str(item.key).startswith("recent_6"))
    app.button(key=f"recent_{kept.sha256}").click().run()
    assert "**Conclusion.**" in words(app), "it was kept and opens again"
    app = open_page("inspect")
    app.button(key=f"recent_history_{names[-1]}").click().run()
    assert asked(app, "picture") == names[-1]


# === The page ===


def test_an_empty_store_says_what_fills_it(workspace):
    assert "There is no case yet" in words(open_page("cases"))
    assert "Nothing was judged yet" in words(open_cases(view="pictures"))
    assert "The log is empty" in words(open_cases(view="log"))


def test_cases_are_listed_searched_opened_and_made(workspace):
    store = open_store()
    fill(store)
    other = store.create_case(STRANGE, by="eve")
    store.change_case(other.id, closed=True, by="eve")
    app = open_page("cases")
    assert [row["Title"] for row in tables(app)[0]] == ["The first case"]
    app.segmented_control(key="cases_state").set_value("All").run()
    assert {row["State"] for row in tables(app)[0]} == {"open", "closed"}
    app.text_input(key="cases_text").set_value("nothing like it").run()
    assert "No case fits" in words(app)
    app.text_input(key="new_case_title").set_value("Made here")
    pressed(app, "new_case_create")
    assert asked(app, "case") == "3" and "3: Made here" in words(app)
    app = open_cases(case=other.id)
    assert r"\<b\>x" in words(app)


def test_pictures_are_found_by_what_was_said_of_them(workspace):
    store = open_store()
    names = fill(store, 5)
    app = open_cases(view="pictures")
    assert len(tables(app)[0]) == 5

    def shown() -> set[str]:
        return {row["File"] for row in tables(app)[0]} if tables(app) else set()

    app.text_input(key="pictures_text").set_value("EARS odd").run()
    assert shown() == {"folder/0.jpg"}
    app.text_input(key="pictures_text").set_value("").run()
    app.selectbox(key="pictures_decided").set_value("fake").run()
    assert shown() == {"folder/0.jpg"}
    app.selectbox(key="pictures_decided").set_value("none").run()
    assert len(shown()) == 4
    app.selectbox(key="pictures_tag").set_value("portrait").run()
    assert shown() == {"folder/1.jpg"}
    app.selectbox(key="pictures_tag").set_value(None)
    app.selectbox(key="pictures_decided").set_value(None)
    app.slider(key="pictures_scores").set_value((0.5, 1.0)).run()
    assert shown() == {"folder/3.jpg", "folder/4.jpg"}
    app.selectbox(key="pictures_finding").set_value("fake").run()
    assert shown() == set() and "0 pictures" in words(app)
    assert store.search(Query(text=names[2][:12])).total == 1


def test_many_pictures_come_in_pages(workspace):
    store = open_store()
    store.remember_many([(a_picture(number), a_judgement(0.5)) for number in range(120)])
    app = open_cases(view="pictures")
    assert len(tables(app)[0]) == 50 and "120 pictures" in words(app)
    (number,) = app.number_input
    number.set_value(3).run()
    assert len(tables(app)[0]) == 20


def test_a_history_shows_old_verdicts_beside_new_ones_and_lets_the_file_be_given(workspace):
    store = open_store()
    data = picture(1)
    one = a_picture(sha256=sha256_bytes(data), name=STRANGE)
    store.remember(one, a_judgement(0.2))
    store.remember(one, a_judgement(0.9, card_sha256="e" * 64, finding="fake", decision="fake", via="again"))
    app = open_cases(picture=one.sha256)
    (verdicts,) = (rows for rows in tables(app) if rows and "Detector" in rows[0])
    assert [row["Verdict"] for row in verdicts] == ["Likely fake", "No sign of a fake found"]
    assert "was not kept" in words(app) and r"\<b\>x" in words(app)
    app.file_uploader[0].set_value([("other.png", picture(2), "image/png")]).run()
    assert "This is another file" in words(app)
    app.file_uploader[0].set_value([("same.png", data, "image/png")]).run()
    assert [image.id for image in app.session_state["inspect_images"]] == [one.sha256]


def test_two_pictures_stand_side_by_side(workspace):
    names = fill(open_store())
    app = open_cases(picture=names[0], beside=names[1])
    assert "perceptual hashes differ in" in words(app)
    (lines,) = (rows for rows in tables(app) if rows and "Same" in rows[0])
    assert {"same", "differs"} == {row["Same"] for row in lines}


@pytest.mark.parametrize("address", [{"case": "99"}, {"case": "x"}, {"picture": "f" * 64}, {"picture": STRANGE}])
def test_links_to_what_is_gone_say_so_and_show_the_list(workspace, address):
    app = open_cases(**address)
    assert "is not there" in words(app) and "There is no case yet" in words(app)


def test_a_case_is_renamed_closed_opened_again_and_deleted_with_a_tombstone(workspace):
    store = open_store()
    names = fill(store)
    app = open_cases(case=1)
    app.session_state["case_rename"] = True
    app.text_input(key="case_title_1").set_value("Renamed")
    pressed(app, "case_rename_1")
    assert "1: Renamed" in words(app) and not app.session_state["case_rename"], "it closes once it is done"
    pressed(app, "case_close_1")
    assert store.case(1).closed
    pressed(app, "case_close_1")
    assert not store.case(1).closed
    pressed(app, "case_delete_1")
    assert "tombstone stays" in words(app)
    app.button(key="dialog_go").click().run()
    assert store.case(1).title == "Renamed", "a reason is asked for"
    pressed(app, "case_delete_1")
    app.text_input(key="delete_case_why").set_value("filed twice")
    app.button(key="dialog_go").click().run()
    assert not store.cases().total and asked(app, "view") == "cases"
    assert store.search().total == len(names) and store.verify().holds


def test_a_picture_is_forgotten_with_a_tombstone(workspace):
    store = open_store()
    names = fill(store)
    app = open_cases(picture=names[0])
    pressed(app, "picture_forget")
    app.text_input(key="forget_why").set_value("asked by its owner")
    app.button(key="dialog_go").click().run()
    assert store.search().total == len(names) - 1 and store.verify().holds
    assert asked(app, "view") == "pictures"


def test_the_log_is_checked_and_a_change_behind_its_back_is_told(workspace):
    store = open_store()
    fill(store)
    app = open_cases(view="log")
    kept = f"{store.head().number}:{store.head().hash}"
    assert [item.value for item in app.code] == [kept]
    pressed(app, "log_check")
    assert not app.success and "none of the" in app.info[0].value, "nobody knows what followed"
    app.text_input(key="log_earlier").set_value(kept).run()
    assert not app.success and not app.info, "this hash was not checked against"
    pressed(app, "log_check")
    assert "The log holds" in app.success[0].value and not app.info
    store.note("one more", by="somebody", picture=store.search().rows[0].picture.sha256)
    assert not app.run().success, "nothing is known of the entry that was added"
    pressed(app, "log_check")
    assert "The log holds" in app.success[0].value
    tampered(store, "DELETE FROM log WHERE sequence >= " + kept.partition(":")[0])
    pressed(app, "log_check")
    assert "does not hold" in words(app) and not app.success


def test_an_empty_log_is_not_said_to_hold(workspace):
    app = open_cases(view="log")
    pressed(app, "log_check")
    assert not app.success and "the log is empty" in app.info[0].value


def test_a_viewer_sees_all_and_changes_nothing(workspace, monkeypatch):
    store = open_store()
    names = fill(store)
    monkeypatch.setattr(roles, "current", lambda: Role.VIEWER)
    before = store.head()
    for address in ({}, {"view": "pictures"}, {"view": "changed"}, {"view": "log"}, {"case": 1}, {"picture": names[0]}):
        app = open_cases(**address)
        offered = {str(item.key) for item in app.button}
        for ending in ("create", "_decide", "add_note", "_add", "_keep", "delete_1", "forget", "rename_1", "close_1"):
            assert not [key for key in offered if key.endswith(ending)], (address, offered)
        assert not app.multiselect and not app.file_uploader
    assert "looks odd around the ears" in words(open_cases(picture=names[0]))
    assert store.head() == before


def test_an_analyst_may_not_delete(workspace, monkeypatch):
    names = fill(open_store())
    monkeypatch.setattr(roles, "current", lambda: Role.ANALYST)
    assert not [item for item in open_cases(case=1).button if "delete" in str(item.key)]
    assert not [item for item in open_cases(picture=names[0]).button if "forget" in str(item.key)]
    assert hasattr(case_actions.delete_case, "__wrapped__")


# === When a detector changed; what people decided as a data set ===


def test_pictures_of_a_gone_detector_are_listed_and_told_in_their_case(workspace):
    fill(open_store())
    app = open_cases(view="changed")
    (rows,) = (rows for rows in tables(app) if rows and "It" in rows[0])
    assert {row["It"] for row in rows} == {"is gone"} and "3 pictures" in words(app)
    assert "2 pictures were last judged by a detector that has changed since" in words(open_cases(case=1))


def test_a_case_is_judged_again_beside_the_old_verdicts_which_stay(library):
    folder = library / "models" / "thumbnails"
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    data = sized(32)
    app = upload(app, data)
    settle(app)
    store = open_store()
    sha256 = sha256_bytes(data)
    store.keep_image(sha256, data, by="ada")
    assert "Every picture was last judged" in app_success(open_cases(view="changed"))
    card = read_card(folder)
    old = store.history(sha256).judgements[-1]
    at = card.thresholds.model_copy(update={"real_below": 0.0, "fake_from": 0.0})
    write_card(folder, card.model_copy(update={"decision_thresholds": at}))
    app = open_cases(view="changed")
    (rows,) = (rows for rows in tables(app) if rows and "It" in rows[0])
    assert [row["It"] for row in rows] == ["same network, other settings"]
    pressed(app, "again_start_None")
    task = background.find(background.again_key(None, "local user"))
    assert task is not None and task.wait(120)
    app.run()
    assert "verdicts **" in words(app) and len(store.history(sha256).judgements) == 1, "nothing is written yet"
    pressed(app, "again_None_keep")
    judgements = store.history(sha256).judgements
    assert judgements[0] == old and judgements[1].via == "again" and judgements[1].finding == "fake"
    assert "Every picture was last judged" in app_success(app)


def app_success(app: AppTest) -> str:
    return " ".join(item.value for item in app.success)


def test_deleting_a_detector_tells_how_many_verdicts_cite_it(library):
    app = open_page("inspect")
    app.selectbox(key="detector").set_value("thumbnails")
    settle(upload(app, sized(32), sized(40)))
    app = open_page("models")
    app.button(key="delete_thumbnails").click().run()
    assert "Cases hold 2 of its verdicts" in words(app)
    app = open_page("models")
    app.button(key="delete_photographs").click().run()
    assert "Cases hold" not in words(app)


def test_decisions_are_exported_as_a_data_set_and_what_was_not_kept_is_listed(workspace):
    store = open_store()
    names = fill(store)
    for seed, decided in enumerate(("real", "fake")):
        data = sized(32, seed)
        one = a_picture(sha256=sha256_bytes(data), name=f"{seed}.png")
        store.remember(one, a_judgement())
        store.keep_image(one.sha256, data, by="ada")
        store.decide(one.sha256, decided, by="ada")
    app = open_cases(view="log")
    app.text_input(key="export_name_None").set_value("../escape")
    pressed(app, "export_None")
    assert "Expected a name of letters" in words(app)
    app.text_input(key="export_name_None").set_value("decisions")
    pressed(app, "export_None")
    assert "1 real and 1 fake pictures" in app_success(app)
    missing = next(rows for rows in tables(app) if rows and "Why" in rows[0])
    assert [row["SHA-256"] for row in missing] == [names[0]]
    made = folders.data_dir() / "decisions"
    assert made in registered() and len(list(made.rglob("*.png"))) == 2
    pressed(app, "export_open")
    assert "Read as: manifest" in words(app), "Data sets opens it"


def test_a_case_and_a_picture_are_reported_when_asked_for(workspace):
    names = fill(open_store())
    open_store().note(STRANGE, by="eve", picture=names[0])
    for app in (open_cases(case=1), open_cases(picture=names[0])):
        assert {item.proto.label for item in app.get("download_button")} >= {"Report (HTML)", "Report (PDF)"}
        assert not app.error
    page = stored_reports._case(1, "ada", ".html").decode()
    assert "Case 1: The first case" in page and "looks odd around the ears" in page
    page = stored_reports._picture(names[0], "ada", ".html").decode()
    assert "&lt;b&gt;x&lt;/b&gt;" in page and "<b>x</b>" not in page


def test_what_is_old_is_deleted_after_telling_how_much(workspace):
    store = open_store()
    names = fill(store)
    app = open_cases(view="log")
    assert app.button(key="prune").disabled and "0 pictures and 0 closed cases" in words(app)
    store.change_case(1, closed=True, by="ada")
    after = datetime.now(UTC).date() + timedelta(days=1)
    assert store.old(after.isoformat()).pictures == len(names)
    case_actions.prune(after.isoformat())
    assert not store.search().total and not store.cases().total and store.verify().holds
