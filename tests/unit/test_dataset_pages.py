"""Data sets and Train: what was understood, mapping, audit, remedies, missing folders; by Streamlit's AppTest."""

import shutil
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import actions, background, understood
from dfcore.audit import Audit, Finding, stored
from dfcore.datasets import registry, scan
from dfcore.datasets.reading import Reading, recall, remember
from dfcore.errors import BusyError, InputError
from tests.conftest import make_image
from tests.unit.test_pages import button, open_page, words


@pytest.fixture
def small(small_dataset, tmp_path) -> Path:
    """A registered data set of its own, 72 images in train, validation and test."""
    root = tmp_path / "sets" / "small"
    shutil.copytree(small_dataset, root)
    return registry.register(root)


def folder_set(root: Path, names: dict[str, int]) -> Path:
    """A registered folder with so many images in each folder."""
    seed = 0
    for name, images in names.items():
        for number in range(images):
            make_image(root / name / f"{number}.png", seed=(seed := seed + 1))
    return registry.register(root)


def click(app: AppTest, label: str, key: str | None = None) -> AppTest:
    button(app, label, key).click().run()
    assert not app.exception, app.exception[0].message
    return app


def tab(app: AppTest, name: str) -> AppTest:
    app.session_state["datasets_tab"] = name
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def tile(app: AppTest, title: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == title)


def text(app: AppTest) -> str:
    return words(app).replace("\\", "")


def table_with(app: AppTest, column: str) -> pd.DataFrame:
    return next(item.value for item in app.dataframe if column in item.value.columns)


# === What was understood ===


def test_folders_are_shown_with_class_split_and_images_before_anything_is_used(small):
    app = open_page("datasets")
    tree = table_with(app, "Folder").set_index("Folder")
    assert tree.loc["train/fake"].Class == "fake"
    assert tree.loc["test/real"].Class == "real"
    assert tree.loc["test/real"].Split == "test"
    assert set(tree.Images) == {12}
    assert all(picture.startswith("data:image/png") for picture in tree["Image 1"])
    assert "Not confirmed yet" in text(app)


def test_one_click_confirms_and_another_withdraws(small):
    app = click(open_page("datasets"), "This is right")
    assert recall(small).confirmed
    assert "Confirmed" in text(app)
    assert "Not confirmed" not in text(app)
    click(app, "Withdraw")
    assert not recall(small).confirmed


@pytest.mark.parametrize("confirmed", [True, False])
def test_what_tells_the_classes_apart_is_still_told_once_the_reading_is_confirmed(confirmed, monkeypatch):
    told: list[str] = []
    fake = SimpleNamespace(container=lambda **_: nullcontext())
    for name in ("caption", "warning", "markdown", "badge"):
        setattr(fake, name, lambda text, *_, **__: told.append(text))
    monkeypatch.setattr(understood, "st", fake)
    reading = Reading(confirmed=confirmed)
    understood.headline(
        SimpleNamespace(reading=reading, doubts=("The size tells the classes apart.",), layout="folders")
    )
    assert any("The size tells the classes apart" in text for text in told)


def test_one_click_turns_real_and_fake_around_and_a_second_turns_them_back(tmp_path):
    root = folder_set(tmp_path / "sets" / "odd", {"real": 3, "fake": 5})
    app = click(open_page("datasets"), "This is right")
    assert (tile(app, "Real"), tile(app, "Fake")) == ("3", "5")
    click(app, "Real and fake are the wrong way round")
    assert (tile(app, "Real"), tile(app, "Fake")) == ("5", "3")
    assert "Swapped" in text(app)
    assert not recall(root).confirmed, "what was confirmed was the other way round"
    click(app, "Real and fake are the wrong way round")
    assert (tile(app, "Real"), tile(app, "Fake")) == ("3", "5")
    assert recall(root) == Reading()


def test_many_folders_show_the_largest_and_the_others_on_demand(tmp_path):
    names = {f"maker{number}/{label}": 2 if number else 3 for number in range(12) for label in ("real", "fake")}
    folder_set(tmp_path / "sets" / "many", names)
    app = open_page("datasets")
    tree = table_with(app, "Folder")
    assert len(tree) == 20
    assert set(tree.Folder[:2]) == {"maker0/real", "maker0/fake"}
    assert any("4 more folders with 8 images" in item.label for item in app.expander)


# === What is not known is asked ===


@pytest.mark.parametrize(
    ("names", "real", "fake"),
    [
        ({"apples": 4, "pears": 5}, ["apples"], ["pears"]),
        ({"a": 2, "b": 2, "c": 3}, ["c"], ["a", "b"]),
        ({"set/x1": 3, "set/x2": 3, "set/notes": 1}, ["x2"], ["x1"]),
    ],
)
def test_folders_that_name_no_class_are_mapped_once_and_confirmed(tmp_path, names, real, fake):
    root = folder_set(tmp_path / "sets" / "unknown", names)
    app = open_page("datasets")
    assert app.error, "it is told why"
    assert "Describe how to read it" in text(app)
    for picked, label in ((real, "real"), (fake, "fake")):
        app.multiselect(key=f"folder {label} {root}").set_value(picked).run()
    click(app, "Read it this way")
    assert not app.error
    sizes = {Path(name).name: images for name, images in names.items()}
    assert tile(app, "Real") == str(sum(sizes[name] for name in real))
    assert tile(app, "Fake") == str(sum(sizes[name] for name in fake))
    click(app, "This is right")
    assert recall(root).confirmed
    app = open_page("datasets")
    assert "Confirmed" in text(app), "asked once, remembered"
    assert not app.error


def test_a_folder_of_films_is_not_said_to_hold_images(tmp_path):
    for name in ("real/a.mp4", "fake/b.mp4"):
        (tmp_path / "films" / name).parent.mkdir(parents=True)
        (tmp_path / "films" / name).write_bytes(b"\0\0\0\x18ftypmp42")
    registry.register(tmp_path / "films")
    app = open_page("datasets")
    root = tmp_path / "films"
    assert "It holds 2 videos" in text(app) and "extract the frames" in text(app)
    assert "No images were found in" in text(app) and "All images are directly" not in text(app)
    assert "Describe how to read it" not in text(app)
    assert [code.value for code in app.code] == [f"dfcore data frames {root} {root}-frames"]


def test_a_folder_stands_on_one_side_only(tmp_path):
    root = folder_set(tmp_path / "sets" / "both", {"apples": 2, "pears": 2})
    app = open_page("datasets")
    for label in ("fake", "real"):
        app.multiselect(key=f"folder {label} {root}").set_value(["apples"]).run()
        assert not app.exception
    assert app.multiselect(key=f"folder fake {root}").value == []
    click(app, "Read it this way")
    assert recall(root).class_folders == {"apples": "real"}


# === Audit ===


def made_audit(root: Path, *findings: Finding) -> Audit:
    dataset = scan(root)
    usable = dataset.usable
    return Audit(
        root=str(root), dataset=dataset.name, fingerprint=dataset.fingerprint, images=len(usable),
        real=int((usable.label == 0).sum()), fake=int((usable.label == 1).sum()), created="2026-01-02T03:04:05+00:00",
        findings=findings,
    )  # fmt: skip


def finding(**values) -> Finding:
    return Finding(
        **{"kind": "duplicates", "severity": "high", "title": "Two splits share 2 images",
           "meaning": "Results are too good.", "advice": "Take them out.", "count": 1} | values
    )  # fmt: skip


@pytest.fixture
def audited(small) -> Path:
    rows = scan(small).usable
    one = rows.iloc[0]
    stored.keep(small, made_audit(
        small,
        finding(pairs=((rows.path.iloc[0], rows.path.iloc[1]),), exclude=(one.pixels_sha256,)),
        finding(kind="groups", severity="medium", title="Images alike", together=(tuple(rows.pixels_sha256[:2]),)),
        finding(kind="blank", severity="low", title="Nine dull images", images=tuple(rows.path[:9]), count=9),
        finding(kind="labels", severity="ok", title="Labels agree"),
    ))  # fmt: skip
    return small


def test_a_stored_audit_is_shown_again_without_running(audited, monkeypatch):
    monkeypatch.setattr(background, "start", None)
    for _ in range(2):
        app = tab(open_page("datasets"), "Audit")
        shown = text(app)
        for title in ("Two splits share 2 images", "Images alike", "Nine dull images"):
            assert title in shown
        assert "Labels agree" in shown
        assert "2026-01-02 03:04 UTC" in shown
        assert "has changed since this audit" not in shown


def test_an_image_is_taken_out_of_the_index_and_put_back_without_touching_files(audited):
    files = sorted(audited.rglob("*.png"))
    app = tab(open_page("datasets"), "Audit")
    before = int(tile(app, "Usable images"))
    click(app, "Take 1 image out of the index")
    assert int(tile(app, "Usable images")) == before - 1
    assert "taken out of the index" in text(app)
    assert "has changed since this audit" in text(app)
    assert sorted(audited.rglob("*.png")) == files
    click(app, "Put back")
    assert int(tile(app, "Usable images")) == before
    assert "has changed since this audit" not in text(app)
    assert recall(audited) == Reading()


def test_images_are_kept_together_and_let_part(audited):
    app = tab(open_page("datasets"), "Audit")
    click(app, "Keep 1 group together")
    assert len(recall(audited).together) == 1
    click(app, "Let them part")
    assert recall(audited) == Reading()


def test_an_audit_of_other_content_is_marked_as_out_of_date(audited):
    make_image(audited / "train" / "real" / "new.png", seed=99)
    app = tab(open_page("datasets"), "Audit")
    assert "has changed since this audit" in text(app)
    assert button(app, "Audit again")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"root": 1}'])
def test_a_damaged_audit_counts_as_none(audited, content):
    (file,) = (Path(registry.demo_folder()).parent / "audits").iterdir()
    file.write_bytes(content)
    app = tab(open_page("datasets"), "Audit")
    assert "Not audited yet" in text(app)


def test_an_audit_runs_in_the_background_and_its_result_is_shown(small, monkeypatch):
    import dfcore.audit.run

    def audit(dataset, *, progress, **_):
        progress(1, 2)
        return made_audit(small, finding(title="Found by the audit"))

    monkeypatch.setattr(dfcore.audit.run, "audit", audit)
    app = tab(open_page("datasets"), "Audit")
    click(app, "Audit this data set")
    assert background.find(background.audit_key(small)) is None or background.find(background.audit_key(small)).wait(30)
    app.run()
    assert "Found by the audit" in text(app)
    assert stored.recall(small).findings[0].title == "Found by the audit"


def test_an_audit_shows_its_progress_and_can_be_stopped(small, monkeypatch):
    import dfcore.audit.run

    go_on, began = threading.Event(), threading.Event()

    def audit(dataset, *, progress, **_):
        progress(30, 72)
        began.set()
        assert go_on.wait(30)
        progress(31, 72)
        raise AssertionError("it went on")

    monkeypatch.setattr(dfcore.audit.run, "audit", audit)
    app = tab(open_page("datasets"), "Audit")
    click(app, "Audit this data set")
    assert began.wait(30)
    app.run()
    (bar,) = app.get("progress")
    assert "30 of 72" in bar.proto.text
    click(app, "Stop")
    assert "Stopping" in text(app)
    task = background.find(background.audit_key(small))
    go_on.set()
    assert task.wait(30)
    app.run()
    assert "was stopped" in text(app)
    assert "Not audited yet" in text(app)
    assert stored.recall(small) is None


# === Work in the background ===


def test_work_that_fails_is_told_and_the_next_may_begin():
    def fail(task):
        raise InputError("Nothing to see.")

    for _ in range(2):
        task = background.start("a", "Looking", fail)
        assert task.wait(30)
        assert str(task.error) == "Nothing to see."
    background.drop("a")
    assert background.find("a") is None


def test_unforeseen_errors_of_work_are_told_without_their_insides():
    task = background.start("b", "Looking", lambda task: 1 / 0)
    assert task.wait(30)
    assert "Looking failed: ZeroDivisionError" in str(task.error)


def test_one_long_work_at_a_time_and_the_same_is_not_started_twice():
    hold = threading.Event()
    task = background.start("c", "Holding", lambda task: hold.wait(30))
    try:
        assert background.start("c", "Holding", lambda task: None) is task
        with pytest.raises(BusyError, match="Holding"):
            background.start("d", "Looking", lambda task: None)
        with pytest.raises(BusyError, match="Holding"):
            background.start("c", "Holding something else", lambda task: None)
    finally:
        hold.set()
        assert task.wait(30)
    other = background.start("d", "Looking", lambda task: 5)
    assert other.wait(30)
    assert other.result == 5


# === Missing folders ===


def test_a_missing_data_set_is_told_and_can_be_forgotten(small):
    shutil.rmtree(small)
    app = open_page("datasets")
    assert any("is missing" in item.label for item in app.expander)
    click(app, "Forget", f"forget {small}")
    assert not registry.missing()
    assert not any("missing" in item.label for item in app.expander)


def test_a_moved_data_set_keeps_what_was_said_of_it_and_its_audit(audited, tmp_path):
    remember(audited, Reading(confirmed=True))
    place = shutil.move(audited, tmp_path / "sets" / "moved")
    app = open_page("datasets")
    app.text_input(key=f"moved {audited}").set_value("/no/such/place")
    click(app, "It is here now")
    assert "Expected an existing folder" in text(app)
    app.text_input(key=f"moved {audited}").set_value(str(place))
    click(app, "It is here now")
    assert registry.registered() == [Path(place)]
    assert "Confirmed" in text(app)
    assert "Two splits share 2 images" in text(tab(app, "Audit"))


@pytest.mark.slow
def test_what_is_added_beside_others_is_opened(small, tmp_path):
    other = folder_set(tmp_path / "sets" / "other", {"real": 3, "fake": 3})
    registry.forget(other)
    app = open_page("datasets")
    app.session_state["datasets_add"] = True
    app.text_input[0].set_value("/no/such/folder")
    click(app, "Register")
    assert app.session_state["datasets_add"], "it was refused"
    app.text_input[0].set_value(str(other))
    click(app, "Register")
    assert app.selectbox(key="dataset").value == str(other) and not app.session_state["datasets_add"]
    app.session_state["datasets_add"] = True
    click(app, "Make the demonstration set")
    assert Path(app.selectbox(key="dataset").value).name == "demo" and not app.session_state["datasets_add"]


def test_what_is_found_again_beside_others_is_opened(small, tmp_path):
    gone = folder_set(tmp_path / "sets" / "gone", {"real": 3, "fake": 3})
    place = shutil.move(gone, tmp_path / "sets" / "found")
    app = open_page("datasets")
    app.text_input(key=f"moved {gone}").set_value(str(place))
    click(app, "It is here now")
    assert app.selectbox(key="dataset").value == str(place)


# === Train ===


def test_train_tells_what_the_audit_found_before_the_button(audited):
    app = open_page("train")
    shown = text(app)
    assert "Two splits share 2 images" in shown
    assert "Nine dull images" not in shown
    assert "Not confirmed yet" in shown
    assert button(app, "Start training")
    assert any("Two splits" in note for note in stored.notes(audited, scan(audited)))


def test_train_says_that_nobody_audited_and_offers_it(small):
    app = open_page("train")
    assert "Not audited" in text(app)
    assert button(app, "Audit now")
    assert stored.notes(small, scan(small)) == (
        "Nobody has confirmed how the data set was read.", "The data set was not audited.",
    )  # fmt: skip


def test_train_leads_to_the_data_set(audited, small):
    app = open_page("train")
    click(app, "Open it in Data sets")
    assert "Data sets" in [title.value for title in app.title]


# === Roles ===


def test_a_viewer_sees_everything_and_changes_nothing(audited, monkeypatch):
    from dashboard import roles
    from dashboard.roles import Role

    monkeypatch.setattr(roles, "current", lambda: Role.VIEWER)
    app = open_page("datasets")
    assert table_with(app, "Folder") is not None
    acting = {"This is right", "Real and fake are the wrong way round", "Forget"}
    assert {item.label for item in app.button if item.disabled} >= acting
    app = tab(app, "Audit")
    assert "Two splits share 2 images" in text(app)
    assert {"Take 1 image out of the index", "Keep 1 group together", "Audit again"} <= {
        item.label for item in app.button if item.disabled
    }
    with pytest.raises(InputError):
        actions.swap(audited)


# === Reading it differently ===


def test_what_was_understood_stands_in_the_form(tmp_path):
    root = folder_set(tmp_path / "sets" / "plain", {"train/real": 3, "train/fake": 3, "test/real": 1, "test/fake": 1})
    app = open_page("datasets")
    app.session_state[f"differently {root}"] = True
    app.run()
    assert app.multiselect(key=f"folder real {root}").value == ["real"]
    assert app.multiselect(key=f"folder fake {root}").value == ["fake"]
    click(app, "Read it this way")
    assert recall(root).class_folders == {"real": "real", "fake": "fake"}
    app.session_state[f"differently {root}"] = True
    app.run()
    click(app, "Forget these answers")
    assert recall(root) == Reading()


def test_a_pattern_shows_what_it_matches_before_it_is_saved(tmp_path):
    root = folder_set(tmp_path / "sets" / "clips", {"real/a": 3, "real/b": 2, "fake/c": 4})
    app = open_page("datasets")
    app.session_state[f"differently {root}"] = True
    app.run()
    app.selectbox(key=f"groups {root}").set_value(r"([^/]+)/[^/]+$").run()
    assert "9 of 9 images fall into 3 groups" in text(app)
    app.selectbox(key=f"groups {root}").set_value("own").run()
    app.text_input(key=f"pattern {root}").set_value("([").run()
    assert "expected a regular expression" in text(app)
    app.text_input(key=f"pattern {root}").set_value(r"real/(\w)").run()
    assert "5 of 9 images fall into 2 groups" in text(app)
    click(app, "Read it this way")
    assert recall(root).groups == r"real/(\w)"


@pytest.mark.parametrize("values", [("0", "1"), ("-1", "1"), ("x", "y")])
def test_values_of_a_table_are_mapped_once(tmp_path, values):
    root = tmp_path / "sets" / "table"
    rows = ["file;what;clip"]
    for number in range(6):
        make_image(root / "pictures" / f"{number}.png", seed=number)
        rows.append(f"pictures/{number}.png;{values[number % 2]};c{number // 2}")
    (root / "manifest.csv").write_text("\n".join(rows))
    registry.register(root)
    app = open_page("datasets")
    assert "The first rows of manifest.csv" in text(app)
    for role, column in (("path", "file"), ("label", "what"), ("source", "clip")):
        app.selectbox(key=f"column {role} {root}").set_value(column).run()
    app.multiselect(key=f"value real {root} what").set_value([values[1]]).run()
    app.multiselect(key=f"value fake {root} what").set_value([values[0]]).run()
    click(app, "Read it this way")
    assert not app.error
    said = recall(root)
    assert said.labels == {values[1]: "real", values[0]: "fake"}
    assert said.columns == {"path": "file", "label": "what", "source": "clip"}
    usable = scan(root).usable
    assert dict(zip(usable.path, usable.label, strict=True))["pictures/0.png"] == 1
    assert usable.source_id.nunique() == 3


def test_the_form_is_open_where_a_class_is_missing(tmp_path):
    root = folder_set(tmp_path / "sets" / "half", {"real": 3, "shed": 4})
    app = open_page("datasets")
    app.multiselect(key=f"folder fake {root}").set_value(["shed"]).run()
    click(app, "Read it this way")
    assert (tile(app, "Real"), tile(app, "Fake")) == ("3", "4")


# === Left out, copies, notes ===


def test_what_was_left_out_is_counted_by_reason_and_listed(small):
    for name in ("broken.png", "worse.png"):
        (small / "train" / "real" / name).write_bytes(b"no image")
    app = tab(open_page("datasets"), "Left out")
    reasons = table_with(app, "Reason")
    assert reasons.Files.sum() == int(tile(app, "Left out")) >= 2
    app.session_state[f"left out {small}"] = True
    app.run()
    assert {"train/real/broken.png", "train/real/worse.png"} <= set(table_with(app, "Path").Path)


def test_a_neutralised_copy_is_registered_and_shows_what_it_brought(small, monkeypatch):
    stored.keep(small, made_audit(small, finding(kind="shortcuts", title="Told by format", figures={"auc": 0.991})))

    def audit(dataset, **_):
        return made_audit(dataset.root, finding(kind="shortcuts", severity="ok", figures={"auc": 0.5}))

    monkeypatch.setattr("dfcore.audit.copies.audit", audit)
    app = tab(open_page("datasets"), "Audit")
    click(app, "Make a neutralised copy")
    task = background.find(background.neutralise_key(small))
    assert task is None or task.wait(60)
    app.run()
    assert "AUC 0.99 before, **0.50** after" in text(app)
    copy = registry.demo_folder().parent / "small-neutralised"
    assert copy in registry.registered()
    click(app, "Open the copy")
    assert tile(app, "Usable images") == "72"
    assert app.selectbox(key="dataset").value == str(copy)


def test_the_card_will_tell_reading_and_audit(audited):
    from dfcore.training.config import TrainConfig
    from dfcore.training.data import prepare

    notes = prepare(TrainConfig(data_root=str(audited), image_size=32)).dataset.notes
    assert "Nobody has confirmed how the data set was read." in notes
    assert "Audit, high: Two splits share 2 images" in notes
    assert "The data set has changed since its audit." not in notes
    remember(audited, Reading(confirmed=True))
    assert not any("Nobody" in note for note in prepare(TrainConfig(data_root=str(audited))).dataset.notes)
