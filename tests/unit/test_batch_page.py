"""The page Batch, driven by Streamlit's AppTest: every state of a batch, every filter, who may do what."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from dashboard import actions, batch_files, batch_grid, batch_view, big_upload
from dashboard.batch_view import FOUND, View
from dashboard.navigation import path
from dfcore.batch.job import Batch
from dfcore.batch.store import BatchStore
from dfcore.confidence import ErrorBudget
from dfcore.runs import State
from tests.conftest import ROOT, make_card, untrained
from tests.made_batches import make_batch, picture, rows_of

APP = ROOT / "streamlit_app.py"
AUTH = {"redirect_uri": "http://localhost/oauth2callback", "cookie_secret": "a-cookie-secret-of-some-length"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folder of batches."""
    return tmp_path / "batches"


@pytest.fixture
def detector(tmp_path) -> str:
    """The name of a detector in the library."""
    from dfcore.detectors.bundle import write_bundle

    write_bundle(tmp_path / "models" / "plain", untrained(1), make_card(title="Plain"))
    return "plain"


@pytest.fixture
def grids(monkeypatch) -> list[dict]:
    """What the grid was given, run by run; strict JSON."""
    given_: list[dict] = []
    monkeypatch.setattr(batch_grid, "_grid", lambda *, data, **_: given_.append(json.loads(json.dumps(data))))
    return given_


def open_page(role: str = "", **asked: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=120)
    if role:
        app.secrets = {"auth": AUTH, "roles": {role: ["*"]}}
        app.user = {"is_logged_in": True, "email": "ada@example.org"}
    app.run()
    for name, value in asked.items():
        app.query_params[name] = value
    app.switch_page(path("batch")).run()
    assert not app.exception, app.exception[0].message
    return app


def words(app: AppTest) -> str:
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.error]
    return " ".join(str(part.value) for part in parts).replace("\\", "").replace("\N{WORD JOINER}", "")


def labels(app: AppTest) -> list[str]:
    return [item.label for item in app.button]


def press(app: AppTest, label: str) -> AppTest:
    next(item for item in app.button if item.label == label).click().run()
    assert not app.exception, app.exception[0].message
    return app


def unfold(app: AppTest, *keys: str) -> AppTest:
    for key in keys:
        app.session_state[key] = True
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def asked(app: AppTest) -> dict[str, str]:
    """The query parameters of the address."""
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def names(grid: dict) -> list[str]:
    return [item["name"] for item in grid["items"]]


# === What to judge ===


def test_without_batches_the_page_asks_what_to_judge_and_says_what_is_not_allowed(detector):
    app = open_page()
    assert "No batch yet" in words(app)
    assert app.segmented_control(key="batch_how").options == ["Upload", "On the server"]
    assert "Addresses of pictures on the web cannot be judged here" in words(app)
    assert "DFCORE_ADDRESSES" in words(app), "how the operator allows it"
    assert next(item for item in app.button if item.label == "Judge them").disabled


def test_addresses_are_offered_where_the_operator_allows_hosts(detector, monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", "pictures.example.org")
    app = open_page()
    app.segmented_control(key="batch_how").set_value("Addresses").run()
    assert "pictures.example.org" in words(app)
    app.text_area(key="batch_addresses").set_value("https://elsewhere.example.com/a.jpg").run()
    press(app, "Judge them")
    assert "elsewhere.example.com" in app.error[0].value.replace("\\", "").replace("\N{WORD JOINER}", "")
    assert list(BatchStore()) == []


@pytest.fixture
def started(monkeypatch) -> list:
    """Batches whose process would have been started."""
    result: list = []
    monkeypatch.setattr(BatchStore, "launch", lambda store, batch: result.append(batch))
    return result


def test_a_folder_is_judged_by_what_was_chosen(detector, tmp_path, started, grids):
    (tmp_path / "pictures").mkdir()
    app = open_page()
    app.segmented_control(key="batch_how").set_value("On the server").run()
    app.text_input(key="batch_place").set_value(str(tmp_path / "pictures")).run()
    app.text_input(key="batch_title").set_value(" From the archive ").run()
    app.toggle(key="inspect_own_budget").set_value(True).run()
    app.number_input(key="inspect_max_fpr").set_value(1.0).run()
    app.toggle(key="inspect_ignore_ood").set_value(True).run()
    app.toggle(key="batch_remember").set_value(False).run()
    press(app, "Judge them")
    (batch,) = started
    assert batch.title == "From the archive" and batch.by == "local user"
    assert batch.request.detectors == (detector,)
    assert batch.request.budget == ErrorBudget(max_fpr=0.01, max_fnr=0.05)
    assert batch.request.options.ignore_ood and not batch.request.options.remember
    assert asked(app)["batch"] == batch.id
    assert "At most 1% false alarms" not in words(app) and "at most 1% false alarms and 5% missed fakes" in words(app)


def test_a_folder_that_may_not_be_read_is_refused_and_what_was_typed_stays(detector, tmp_path, monkeypatch, started):
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path / "open"))
    app = open_page()
    app.segmented_control(key="batch_how").set_value("On the server").run()
    app.text_input(key="batch_place").set_value("/etc").run()
    press(app, "Judge them")
    assert "lies outside of the folders that may be read" in app.error[0].value
    assert app.text_input(key="batch_place").value == "/etc" and not started


def offer(app: AppTest, *files: tuple[str, bytes]) -> None:
    """Puts a complete upload into the session, as the browser's slices do."""
    from dashboard.upload_spool import Offered, Spool

    spool = Spool([Offered(name, len(data), 0) for name, data in files])
    spool.add(0, b"".join(data for name, data in files if not name.endswith(".txt")))
    app.session_state["big_upload_spool"] = spool
    app.session_state["big_upload_id"] = "1-2"
    app.run()
    assert not app.exception, app.exception[0].message


def test_uploads_are_handed_to_the_batch_and_then_gone(detector, tmp_path, started, folder):
    app = open_page()
    offer(app, ("a.png", picture(1)), ("notes.txt", b"x"), ("b.png", picture(2)))
    assert "1 file is left out. notes.txt: neither a picture nor a ZIP." in words(app)
    press(app, "Judge them")
    (batch,) = started
    assert [file.read_bytes() for file in sorted(batch.spool.iterdir())] == [picture(1), picture(2)]
    assert "big_upload_spool" not in app.session_state
    assert not list((folder / ".uploads").iterdir())


# === States ===


@pytest.mark.parametrize(
    ("state", "said", "offered"),
    [
        (State.QUEUED, "waiting", {"Stop"}),
        (State.RUNNING, "running", {"Stop"}),
        (State.STOPPING, "stopping", set()),
        (State.STOPPED, "stopped", {"Go on"}),
        (State.INTERRUPTED, "interrupted", {"Go on"}),
        (State.FAILED, "failed", {"Go on"}),
        (State.COMPLETED, "ended", set()),
    ],
)
def test_each_state_is_said_and_offers_what_can_be_done(folder, state, said, offered, grids):
    make_batch(folder, 20, state=state, total=50)
    app = open_page()
    assert [badge for badge in words(app).split(":") if said in badge] or said in str(app.main)
    assert set(labels(app)) & {"Stop", "Go on"} == offered
    closes = {"Close and delete files", "Delete this batch"}
    assert set(labels(app)) & closes == (set() if state.active else closes)
    assert len(grids[-1]["items"]) == 20, "rows that are there can be looked at in every state"


def test_progress_tells_speed_and_time_left(folder, grids):
    make_batch(folder, 20, state=State.RUNNING, total=2_820)
    app = open_page()
    shown = [item.proto.text for item in app.get("progress")]
    assert shown == ["20 of 2,820 pictures, 40 images/s, about 70 s left"]


def test_a_batch_that_goes_on_is_launched_and_one_that_was_closed_cannot(folder, grids, started):
    batch = make_batch(folder, 20, state=State.STOPPED, total=50)
    press(open_page(), "Go on")
    assert [one.id for one in started] == [batch.id]
    shutil.rmtree(folder)
    make_batch(folder, 20, state=State.STOPPED, total=50, closed="by request")
    assert "Go on" not in labels(open_page())


def test_a_batch_without_rows_yet_says_so(folder):
    make_batch(folder, 0, state=State.RUNNING, total=0)
    assert "Results appear here as soon as pictures are judged" in words(open_page())


def test_a_damaged_batch_is_listed_and_the_others_work(folder, grids):
    make_batch(folder, 5, number=1, title="Sound")
    (make_batch(folder, 5, number=2).folder / "batch.json").write_text("{")
    app = open_page()
    assert any("damaged" in option for option in app.selectbox(key="batch").options)
    assert "batch.json is missing or damaged" in words(app) and "Delete this batch" in labels(app)
    app.selectbox(key="batch").set_value("20260101-000001-000-batch").run()
    assert not app.exception and len(grids[-1]["items"]) == 5


def test_a_damaged_batch_can_be_closed_and_its_pictures_are_told_to_be_out_of_reach(detector, folder, grids):
    (damaged := make_batch(folder, 5, number=2).folder / "batch.json").write_text("{")
    app = open_page()
    press(app, "Close and delete files")
    assert not app.exception and f"{damaged.parent.name}, damaged" in words(app)
    app.button(key="dialog_go").click().run()
    assert not app.exception and "was closed by request" in words(app)
    app.query_params["batch"], app.query_params["row"] = damaged.parent.name, "1"
    app.switch_page(path("inspect")).run()
    assert not app.exception and "batch.json is missing or damaged" in words(app)


def test_the_address_names_the_batch_and_one_that_is_gone_is_told(folder, grids):
    make_batch(folder, 3, number=1, title="First")
    make_batch(folder, 4, number=2, title="Second")
    assert len(grids) == 0 and len(open_page() and grids[-1]["items"]) == 4, "the newest comes first"
    app = open_page(batch="20260101-000001-000-batch")
    assert len(grids[-1]["items"]) == 3
    assert "All 2 batches" in [item.label for item in app.expander]
    assert "is not there" in words(open_page(batch="20990101-000000-000-batch"))
    assert "is not there" in words(open_page(batch="../../etc"))


def test_the_list_shows_what_one_decides_by(folder, grids):
    make_batch(folder, 10, number=1, title="First", closed="by age")
    make_batch(folder, 20, number=2, title="Second", state=State.STOPPED)
    table = unfold(open_page(), "batch_all").dataframe[0].value
    assert table.to_dict("list") == {
        "Name": ["Second", "First"], "State": ["stopped", "ended"], "Pictures": [20, 10], "Likely fake": [6, 3],
        "No verdict": [2, 1], "Files": ["kept", "deleted"],
        "Started": ["2026-01-01 00:00", "2026-01-01 00:00"], "By": ["ada@example.org"] * 2,
    }  # fmt: skip


# === Rows ===


def test_rows_say_what_all_pages_say_and_no_score_that_is_not_used(folder, grids):
    make_batch(folder, 10)
    open_page()
    items = grids[-1]["items"]
    assert [item["mark"] for item in items[:4]] == [
        "▲ Likely fake", "○ No sign of a fake found", "? Inconclusive", "? Inconclusive"
    ]  # fmt: skip
    assert items[9]["mark"] == "× No verdict" and items[9]["note"] == "Not an image." and not items[9]["score"]
    assert "trained on" in items[1]["note"] and "trained on" not in items[0]["note"]
    assert items[3]["score"] == "score not used" and items[0]["score"] == "0.970"
    assert items[0]["src"].startswith("data:image/jpeg;base64,") and items[9]["src"] is None
    assert items[0]["name"] == "picture 00000 <b>.png", "text, which the component writes as text"
    assert "Likely fake" in items[0]["said"] and "0.970" in items[0]["said"]


def test_filters_narrow_rows_and_stay_in_the_address(folder, grids):
    make_batch(folder, 60)
    app = open_page()
    app.pills(key="batch_found").set_value(["fake", "none"]).run()
    assert {item["mark"] for item in grids[-1]["items"]} == {"▲ Likely fake", "× No verdict"}
    assert asked(app)["found"] == "fake,none"
    app.text_input(key="batch_text").set_value("0003").run()
    assert names(grids[-1]) == ["picture 00030 <b>.png", "picture 00034 <b>.png", "picture 00035 <b>.png",
                                "picture 00039 <b>.png"]  # fmt: skip
    app.selectbox(key="batch_order").set_value("-score").run()
    assert [item["score"] for item in grids[-1]["items"]] == ["0.970", "0.950", "0.790", ""]
    app.slider(key="batch_scores").set_value((0.9, 1.0)).run()
    assert names(grids[-1]) == ["picture 00035 <b>.png", "picture 00030 <b>.png"]
    app.segmented_control(key="batch_layout").set_value("list").run()
    assert grids[-1]["layout"] == "list"
    again = open_page(**asked(app))
    assert names(grids[-1]) == ["picture 00035 <b>.png", "picture 00030 <b>.png"]
    assert again.segmented_control(key="batch_layout").value == "list"
    assert again.pills(key="batch_found").value == ["fake", "none"]


def test_scores_are_compared_within_one_detector_only(folder, grids):
    make_batch(folder, 60, by=("small", "faces"))
    app = open_page(lowest="0.9")
    assert not app.slider, "no range of scores while two detectors are shown"
    assert len(grids[-1]["items"]) == 48
    assert {item["score"].partition(" · ")[2] for item in grids[-1]["items"]} == {"small", "faces", ""}
    app.selectbox(key="batch_by").set_value("faces").run()
    assert grids[-1]["label"].endswith("of 30; arrow keys move, Enter opens")
    app.slider(key="batch_scores").set_value((0.9, 1.0)).run()
    assert all(float(item["score"].partition(" ")[0]) >= 0.9 for item in grids[-1]["items"])
    assert asked(app)["by"] == "faces" and asked(app)["lowest"] == "0.9"
    app.selectbox(key="batch_by").set_value("").run()
    assert not app.slider and "lowest" not in app.query_params


def test_nothing_left_by_the_filters_is_said(folder, grids):
    make_batch(folder, 10)
    assert "No row is left by these filters" in words(open_page(text="nothing is called so"))


def test_the_histogram_follows_the_filters_and_shows_the_thresholds_of_each_detector(folder, grids, monkeypatch):
    from dfcore import figures

    drawn: list = []
    draw = figures.scores_so_far
    monkeypatch.setattr(figures, "scores_so_far", lambda *given_: drawn.append(given_) or draw(*given_))
    make_batch(folder, 60, by=("small", "faces"))
    app = unfold(open_page(), "batch_histogram")
    assert [sum(count for *_, count in bars) for bars, _ in drawn] == [18, 24], "used scores of each"
    assert {at for _, at in drawn} == {(0.2, 0.8)}
    drawn.clear()
    app.pills(key="batch_found").set_value(["no_sign"]).run()
    assert [sum(count for *_, count in bars) for bars, _ in drawn] == [6, 6]
    assert all(high <= 0.25 for bars, _ in drawn for low, high, count in bars if count)


def test_a_batch_of_which_nothing_was_judged_has_no_histogram_and_says_so(folder, grids, monkeypatch):
    """No detector stands in any of its rows."""
    monkeypatch.setattr(Batch, "detectors", lambda batch: [])
    make_batch(folder, 10)
    app = unfold(open_page(), "batch_histogram")
    assert not app.exception and "No picture was judged." in words(app)


def test_pages_turn_by_buttons_keys_and_number(folder, grids):
    make_batch(folder, 120)
    app = open_page()
    assert grids[-1]["page"] == 0 and grids[-1]["pages"] == 3
    press(app, "Next page")
    assert grids[-1]["page"] == 1 and names(grids[-1])[0] == "picture 00048 <b>.png"
    app.number_input(key="batch_page").set_value(3).run()
    assert grids[-1]["page"] == 2 and len(grids[-1]["items"]) == 24
    assert asked(app)["at"] == "96"
    press(app, "Previous page")
    app.pills(key="batch_found").set_value(["fake"]).run()
    assert grids[-1]["page"] == 0, "another filter begins at its first row"


def test_another_batch_begins_without_filters(folder, grids):
    make_batch(folder, 10, number=1)
    make_batch(folder, 20, number=2)
    app = open_page(found="fake")
    assert len(grids[-1]["items"]) == 6
    app.selectbox(key="batch").set_value("20260101-000001-000-batch").run()
    assert len(grids[-1]["items"]) == 10 and "found" not in app.query_params


# === What can be taken away and what is deleted ===


def test_downloads_hold_all_rows_in_each_format(folder):
    import io

    import pandas as pd

    batch = make_batch(folder, 30, numbered=True)
    assert len(rows_of(batch_files._file(batch, ".jsonl").decode())) == 30
    assert len(pd.read_csv(io.BytesIO(batch_files._file(batch, ".csv")))) == 30
    assert len(pd.read_parquet(io.BytesIO(batch_files._file(batch, ".parquet")))) == 30
    assert len(json.loads(batch_files._file(batch, ".json"))) == 27, "without those that have no verdict"


def downloads(app: AppTest) -> dict[str, bool]:
    return {item.proto.label: item.proto.disabled for item in app.get("download_button")}


def test_the_competitions_format_needs_numbers(folder, grids):
    make_batch(folder, 12, numbered=True)
    assert downloads(open_page()) == dict.fromkeys(["CSV", "JSON Lines", "Parquet", "Competition JSON"], False)
    make_batch(folder, 11, number=2)
    assert downloads(open_page())["Competition JSON"]


def test_what_has_no_verdict_or_no_row_is_listed_with_its_reason(folder, grids):
    left = {"path": "holiday.zip/notes.txt", "reason": "No picture.", "files": 2, "missed": False}
    make_batch(folder, 20, left_out=(left,))
    app = unfold(open_page(), "batch_unjudged", "batch_left_out")
    unjudged, left_out = (frame.value for frame in app.dataframe)
    assert list(unjudged.Reason) == ["Not an image."] * 2
    assert left_out.to_dict("records") == [{"File": "holiday.zip/notes.txt", "Files": 2, "Reason": "No picture."}]
    assert {"2 files have no verdict, with reasons", "2 files have no row, with reasons"} <= {
        item.label for item in app.expander
    }


def test_closing_deletes_the_pictures_and_keeps_the_rows(folder, grids):
    batch = make_batch(folder, 10)
    app = press(open_page(), "Close and delete files")
    assert "Rows, downloads and what is remembered under Cases stay" in words(app)
    press(app, "Cancel")
    assert batch.spool.is_dir()
    press(app, "Close and delete files")
    app.button(key="dialog_go").click().run()
    assert not batch.spool.exists() and batch.status().closed == "by request"
    assert "This batch was closed by request" in words(app)
    assert len(grids[-1]["items"]) == 10 and not any(item["src"] for item in grids[-1]["items"])
    assert "Close and delete files" not in labels(app)


def test_deleting_deletes_all_and_shows_the_next_batch(folder, grids):
    make_batch(folder, 10, number=1)
    gone = make_batch(folder, 20, number=2)
    press(press(open_page(), "Delete this batch"), "Cancel")
    assert gone.folder.exists()
    app = press(press(open_page(), "Delete this batch"), "Delete for good")
    assert not gone.folder.exists() and len(grids[-1]["items"]) == 10
    assert not app.warning, "what was deleted on purpose is not told as missing"


# === Roles ===


@pytest.mark.parametrize(("role", "may"), [("viewer", set()), ("analyst", {"Close and delete files"}),
                                           ("trainer", {"Close and delete files", "Delete this batch"})])  # fmt: skip
def test_who_sees_may_not_judge_and_who_judges_may_not_delete(folder, grids, detector, role, may):
    make_batch(folder, 10)
    app = unfold(open_page(role), "batch_new")
    assert len(grids[-1]["items"]) == 10 and downloads(app)["CSV"] is False
    assert set(labels(app)) & {"Close and delete files", "Delete this batch"} == may
    assert grids[-1]["opens"] == ("Judge them" in labels(app)) == (role != "viewer")
    assert ("Judging images requires the role of analyst" in words(app)) == (role == "viewer")


@pytest.mark.parametrize("act", [
    lambda batch: actions.start_batch([], ["auto"], budget=None, ignore_ood=False, remember=False, title=""),
    lambda batch: actions.stop_batch(batch.id), lambda batch: actions.resume_batch(batch.id),
    lambda batch: actions.close_batch(batch.id), lambda batch: actions.delete_batch(batch.id),
])  # fmt: skip
def test_what_a_viewer_asks_for_all_the_same_is_refused(folder, monkeypatch, act):
    from dashboard import roles
    from dfcore.errors import AccessError

    batch = make_batch(folder, 2)
    monkeypatch.setattr(roles, "current", lambda: roles.Role.VIEWER)
    monkeypatch.setattr(roles, "who", lambda: "somebody")
    with pytest.raises(AccessError, match="requires the role of"):
        act(batch)
    assert batch.spool.is_dir()


# === Uploads ===


def sent(app: AppTest, name: str, value: object) -> AppTest:
    """What the browser's part tells, by running its callback as Streamlit does."""
    app.session_state["big_upload"] = {name: value}
    return app


def test_a_viewers_slices_are_refused(monkeypatch):
    from dashboard import roles

    state: dict = {"big_upload": {"offer": {"id": "1", "files": [["a.png", 3, 0]]}}}
    monkeypatch.setattr(big_upload.st, "session_state", state)
    monkeypatch.setattr(roles, "current", lambda: roles.Role.VIEWER)
    monkeypatch.setattr(roles, "who", lambda: "somebody")
    big_upload._offer()
    assert "requires the role of analyst" in str(state["big_upload_error"]) and "big_upload_spool" not in state


def test_slices_go_to_disk_and_the_same_files_go_on_where_they_stopped(monkeypatch):
    state: dict = {}
    slices = {"one": b"abc", "two": b"def"}
    monkeypatch.setattr(big_upload.st, "session_state", state)
    monkeypatch.setattr(big_upload.streamlit_private, "take_slice", lambda file_id: slices.get(file_id))
    files = [["a.png", 4, 7], ["b.png", 2, 7]]
    state["big_upload"] = {"offer": {"id": "1", "files": files}}
    big_upload._offer()
    state["big_upload"] = {"slice": {"id": "1", "at": 0, "file": "one"}}
    big_upload._slice()
    assert state["big_upload_spool"].received == 3 and big_upload.complete() is None
    state["big_upload"] = {"offer": {"id": "2", "files": files}}
    big_upload._offer()
    for value in ({"id": "1", "at": 3, "file": "two"}, {"id": "2", "at": 0, "file": "one"}, {"id": "2", "at": 3}, None):
        state["big_upload"] = {"slice": value}
        big_upload._slice()
    assert state["big_upload_spool"].received == 3, "neither another page's, nor twice, nor nothing"
    state["big_upload"] = {"slice": {"id": "2", "at": 3, "file": "two"}}
    big_upload._slice()
    spool = big_upload.complete()
    assert spool is not None
    assert [(name, place.read_bytes()) for name, place in spool.paths()] == [("a.png", b"abcd"), ("b.png", b"ef")]
    state["big_upload"] = {"offer": {"id": "3", "files": [["a.png", 4, 8]]}}
    big_upload._offer()
    assert state["big_upload_spool"].received == 0, "a file that has changed begins anew"


def test_slices_that_do_not_fit_end_the_upload(monkeypatch):
    state: dict = {"big_upload": {"offer": {"id": "1", "files": [["a.png", 2, 0]]}}}
    monkeypatch.setattr(big_upload.st, "session_state", state)
    monkeypatch.setattr(big_upload.streamlit_private, "take_slice", lambda _: b"abc")
    big_upload._offer()
    state["big_upload"] = {"slice": {"id": "1", "at": 0, "file": "x"}}
    big_upload._slice()
    assert "have changed while they were sent" in str(state["big_upload_error"])
    assert "big_upload_spool" not in state


# === The address ===


@given(
    some.builds(
        View, some.sets(some.sampled_from(FOUND)).map(lambda found: tuple(sorted(found, key=FOUND.index))),
        some.text(max_size=30), some.text(max_size=30), some.sampled_from([0.0, 0.25, 0.5]),
        some.sampled_from([0.5, 0.75, 1.0]), some.sampled_from(list(batch_view.ORDERS)),
        some.sampled_from(list(batch_view.SIZES)), some.integers(0, 10**8),
    )
)  # fmt: skip
def test_a_view_comes_back_from_its_address(view):
    assert batch_view.read(view.parameters()) == view


@given(some.dictionaries(some.sampled_from(batch_view.NAMES), some.text()))
def test_any_address_gives_a_view(parameters):
    view = batch_view.read(parameters)
    assert view.page >= 0 and 0 <= view.lowest <= view.highest <= 1
    view.query()
