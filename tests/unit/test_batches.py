"""Batches: each file is judged once in a process of its own, whatever happens to it; rows are found in a moment."""

import io
import json
import os
import shutil
import signal
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from dfcore.batch import worker
from dfcore.batch.job import Batch, Options
from dfcore.batch.query import Query
from dfcore.batch.sources import Address, FromPath, Upload
from dfcore.batch.store import BatchStore
from dfcore.batch.writers import COLUMNS
from dfcore.cli import main
from dfcore.errors import AccessError, BatchError, ImageError, InputError, StorageError
from dfcore.runs import State
from dfcore.runs.process import identity
from dfcore.runs.working import work_in_turn
from dfcore.utils.files import lock as make_lock
from dfcore.utils.files import sha256_bytes
from tests.conftest import make_image

SMALL = Path(__file__).parents[2] / "models" / "small"
PATIENCE = 120


@pytest.fixture(autouse=True)
def _shipped(_own_workspace, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", str(SMALL.parent))


@pytest.fixture
def pictures(tmp_path) -> Path:
    for number in range(30):
        make_image(tmp_path / "pictures" / f"{number}.png", seed=number)
    (tmp_path / "pictures" / "text.jpg").write_text("no picture")
    return tmp_path / "pictures"


@pytest.fixture
def store() -> BatchStore:
    return BatchStore()


def at_rest(batch: Batch, *, until=lambda status: not status.state.active):
    end = time.monotonic() + PATIENCE
    while not until(status := batch.status()):
        assert time.monotonic() < end, f"{status}\n{batch.log_tail()}"
        time.sleep(0.05)
    return status


def judging(wanted: int):
    """Whether a process has judged so many, or has come to rest."""
    return lambda status: not status.state.active or (status.phase == "judging" and status.done >= wanted)


@pytest.fixture
def here(monkeypatch):
    """Batches are judged by this process before `start` and `resume` return, which saves the start of another."""

    def judge(batch: Batch) -> None:
        me = identity()
        batch.claim(int(me["pid"]), me["started"], ended=None)
        mine = Batch(batch.folder, (me["pid"], me["started"]))
        lock = make_lock(batch.folder.parent / ".judging.lock")
        work_in_turn(mine, BatchStore(batch.folder.parent), worker.work, lock)
        lock.release(force=True)

    monkeypatch.setattr(BatchStore, "launch", lambda store, batch: judge(batch))


def packed(folder: Path, *more: tuple[str, bytes]) -> io.BytesIO:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for path in sorted(folder.iterdir())[:5]:
            archive.write(path, f"in/{path.name}")
        for name, data in more:
            archive.writestr(name, data)
    result.seek(0)
    return result


def test_a_batch_judges_folders_uploads_and_archives_in_a_process_of_its_own(store, pictures, tmp_path):
    alone = (pictures / "3.png").read_bytes()
    sources = [FromPath(pictures), Upload("alone.png", io.BytesIO(alone)), Upload("many.zip", packed(pictures))]
    batch = store.start(sources, ["small"], by="somebody")
    status = at_rest(batch)
    assert (status.state, status.done, status.total, status.failed) == (State.COMPLETED, 37, 37, 1), batch.log_tail()
    page = batch.rows(limit=100)
    assert page.total == len(page.rows) == 37
    for row in page.rows:
        if row["error"]:
            assert row["name"] == "text.jpg" and batch.thumbnail(row) is None
            continue
        assert sha256_bytes(batch.bytes_of(row)) == row["sha256"]
        assert batch.thumbnail(row).startswith(b"\xff\xd8")
    assert batch.row(31)["sha256"] == sha256_bytes(alone)
    assert [row["path"] for row in page.rows[31:33]] == ["alone.png", "many.zip!/in/0.png"]
    assert (batch.title, batch.by) == ("pictures and 2 more", "somebody")
    assert [one.id for one in store] == [batch.id]
    store.close(batch.id)
    with pytest.raises(ImageError, match="deleted when the batch was closed"):
        batch.bytes_of(page.rows[31])
    assert batch.bytes_of(page.rows[0]), "what was never copied is still there"
    assert batch.thumbnail(page.rows[0]) is None
    assert batch.rows().total == 37
    store.delete(batch.id)
    assert not list(store)


def test_a_batch_has_the_rows_of_the_command(store, pictures, tmp_path, here):
    (tmp_path / "many.zip").write_bytes(packed(pictures, ("note.txt", b"hello")).getvalue())
    asked = [str(pictures), str(tmp_path / "many.zip")]
    assert main(["predict", "small", *asked, "--out", str(tmp_path / "rows.jsonl")]) == 3
    batch = store.start(map(FromPath, asked), ["small"])
    assert at_rest(batch).state is State.COMPLETED
    assert batch.write(tmp_path / "batch.jsonl") is None
    assert (tmp_path / "batch.jsonl").read_text() == (tmp_path / "rows.jsonl").read_text()
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 31 + 6
    assert set(rows[0]) == set(COLUMNS)
    assert rows[-1]["path"] == f"{tmp_path / 'many.zip'}!/note.txt"
    assert "Not an image" in rows[-1]["error"]


# === Interrupted ===


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_batch_that_was_killed_or_stopped_goes_on_with_each_file_judged_once(number, store, tmp_path):
    folder = tmp_path / "many"
    for seed in range(400):
        make_image(folder / f"{seed}.png", seed=seed)
    batch = store.start([FromPath(folder), Upload("in.zip", packed(folder))], ["small"])
    times = 0
    for wanted in (100, 200, 300):
        status = at_rest(batch, until=judging(wanted))
        if status.state.active:
            os.kill(int(status.pid), number)
            status = at_rest(batch)
        if status.state is State.COMPLETED:  # It was done before it heard of it.
            break
        assert status.state is (State.INTERRUPTED if number == signal.SIGKILL else State.STOPPED)
        times += 1
        store.resume(batch.id)
    at_rest(batch)
    assert times >= 1, "it was over before it was killed"
    status = batch.status()
    assert (status.done, status.total, status.failed) == (405, 405, 0)
    names = Counter(row["path"] for row in batch.all_rows())
    assert len(names) == 405 and set(names.values()) == {1}
    lines = batch.journal.read_text().splitlines()
    assert len(lines) == 1 + 405, "nothing was judged twice"


def test_batches_wait_for_each_other_and_a_waiting_one_can_be_stopped(store, pictures, tmp_path):
    folder = tmp_path / "many"
    for seed in range(200):
        make_image(folder / f"{seed}.png", seed=seed)
    first, second, third = (store.start([FromPath(one)], ["small"]) for one in (folder, pictures, pictures))
    store.stop(third.id)
    assert at_rest(third).reason == "Stopped while waiting for its turn."
    at_rest(second)
    assert at_rest(first).ended < second.status().ended
    with pytest.raises(BatchError, match="only a queued or running one can be stopped"):
        store.stop(second.id)
    with pytest.raises(BatchError, match="completed; only a stopped"):
        store.resume(second.id)
    store.resume(third.id)
    assert at_rest(third).state is State.COMPLETED


def test_a_detector_that_is_gone_is_told_and_what_was_judged_stays(store, pictures, knowing, monkeypatch, tmp_path):
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path / "own"))
    shutil.copytree(SMALL, tmp_path / "own" / "mine")
    batch = store.start([FromPath(pictures)], ["mine"])
    shutil.rmtree(tmp_path / "own" / "mine")
    status = at_rest(batch)
    assert status.state is State.FAILED
    assert "There is no detector 'mine'" in status.reason
    shutil.copytree(SMALL, tmp_path / "own" / "mine")
    store.resume(batch.id)
    assert at_rest(batch).state is State.COMPLETED


# === Refused before anything is made ===


def test_what_cannot_be_judged_is_refused_before_anything_is_made(store, pictures, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="nothing to judge"):
        store.start([], ["small"])
    with pytest.raises(InputError, match="There is no detector 'nobody'"):
        store.start([FromPath(pictures)], ["nobody"])
    with pytest.raises(InputError, match="There is no file or folder"):
        store.start([FromPath(tmp_path / "gone")], ["small"])
    with pytest.raises(AccessError, match="DFCORE_ADDRESSES"):
        store.start([Address("https://example.org/1.jpg")], ["small"])
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path / "elsewhere"))
    with pytest.raises(AccessError, match="outside of the folders"):
        store.start([FromPath(pictures)], ["small"])
    assert [path.name for path in store.folder.iterdir()] == []


def test_without_space_nothing_is_spooled(store, pictures, monkeypatch):
    monkeypatch.setattr("dfcore.batch.sources.FREE_BYTES", 2**60)
    with pytest.raises(StorageError, match="There is no space for"):
        store.start([Upload("many.zip", packed(pictures))], ["small"])
    assert list(store.folder.iterdir()) == []


def test_what_is_too_large_is_a_row_with_its_reason(store, pictures, monkeypatch, here):
    monkeypatch.setattr("dfcore.batch.sources.MOST_ZIP_BYTES", 1000)
    batch = store.start([Upload("many.zip", packed(pictures)), FromPath(pictures / "1.png")], ["small"])
    at_rest(batch)
    refused, judged = batch.rows().rows
    assert (refused["path"], refused["finding"]) == ("many.zip", None)
    assert "larger than the limit" in refused["error"]
    assert judged["error"] is None


# === Closing ===


def test_pictures_are_deleted_when_their_time_is_up(store, pictures, monkeypatch, here):
    names = ["same.png", "same.png", "a/same.png", "/../b\\same.png"]
    uploads = [Upload(name, io.BytesIO((pictures / "1.png").read_bytes())) for name in names]
    batch = store.start(uploads, ["small"])
    at_rest(batch)
    assert [row["path"] for row in batch.rows().rows] == [
        "same.png", "same.png (2 of this name)", "a/same.png", "b/same.png",
    ]  # fmt: skip
    assert [one.status().closed for one in store] == [""]
    later = batch.status().ended + 24 * 3600 + 1
    monkeypatch.setattr("dfcore.batch.store.time.time", lambda: later)
    assert [one.status().closed for one in store] == ["by age"]
    assert not batch.spool.exists() and not batch.thumbnails.exists()
    assert batch.rows().total == 4
    monkeypatch.setenv("DFCORE_BATCH_HOURS", "soon")
    with pytest.raises(InputError, match="Expected DFCORE_BATCH_HOURS to be hours, 0 or more"):
        store.start([FromPath(pictures)], ["small"])


def test_an_active_batch_is_neither_closed_nor_deleted(store, pictures):
    batch = store.start([FromPath(pictures)], ["small"])
    for change in (store.close, store.delete):
        with pytest.raises(BatchError, match="at work"):
            change(batch.id)
    at_rest(batch)


def test_a_changed_file_is_not_taken_for_the_one_that_was_judged(store, pictures, here):
    batch = store.start([FromPath(pictures / "1.png")], ["small"])
    at_rest(batch)
    (row,) = batch.rows().rows
    make_image(pictures / "1.png", seed=99)
    with pytest.raises(ImageError, match="has changed since"):
        batch.bytes_of(row)
    (pictures / "1.png").unlink()
    with pytest.raises(ImageError, match="There is no file"):
        batch.bytes_of(row)


# === Remembered ===


def test_verdicts_are_remembered_once_unless_nobody_wants_them(store, pictures, monkeypatch, here):
    from dfcore.cases import Query as CasesQuery
    from dfcore.cases import open_store

    for options in (Options(remember=False), Options(), Options()):
        batch = store.start([FromPath(pictures)], ["small"], by="somebody", options=options)
        assert at_rest(batch).state is State.COMPLETED, batch.log_tail()
        with open_store() as cases:
            found = cases.search(CasesQuery(via="batch"))
        assert found.total == (31 if options.remember else 0)
    row = batch.row(0)
    with open_store() as cases:
        (judgement,) = cases.history(row["sha256"]).judgements
    assert (judgement.score, judgement.finding, judgement.by) == (row["score"], row["finding"], "somebody")
    monkeypatch.setenv("DFCORE_CASES", "off")
    assert at_rest(store.start([FromPath(pictures)], ["small"])).state is State.COMPLETED


# === Finding rows ===


def test_rows_are_found_by_all_that_is_asked_for(tmp_path):
    from dfcore.batch.resume_log import ResumeLog

    batch = Batch(tmp_path / "batch")
    findings = ("fake", "inconclusive", None)
    rows = [
        {
            "path": f"folder/Bild_{number}.PNG", "error": None, "score": number / 100, "is_used": number % 2 == 0,
            "finding": findings[number % 3], "detector": "ab"[number % 2], "sha256": None,
        }
        for number in range(100)
    ]  # fmt: skip
    with ResumeLog(batch.out, {}) as log:
        first = log.add(rows[:60])
        batch.index.make(log.placed())
        places = log.add(rows[60:])
        batch.index.add((60 + n, place, row) for n, (place, row) in enumerate(zip(places, rows[60:], strict=True)))
    assert first[0] == len("{}\n")

    def found(query=Query(), *order, **more) -> list[int]:
        page = batch.rows(query, *order, limit=1000, **more)
        assert page.total == len(page.rows)
        assert [rows[row["number"]]["path"] for row in page.rows] == [row["path"] for row in page.rows]
        return [row["number"] for row in page.rows]

    assert found() == batch.numbers() == list(range(100))
    assert found(Query(text="bild_7.")) == [7]
    assert found(Query(text="%")) == [], "no pattern"
    assert found(Query(findings=("fake",))) == list(range(0, 100, 3))
    assert found(Query(findings=("",))) == list(range(2, 100, 3))
    assert found(Query(detector="b")) == list(range(1, 100, 2))
    assert found(Query(lowest=0.9)) == [90, 92, 94, 96, 98], "scores that are not used are not looked at"
    assert found(Query(highest=0.02, findings=("fake", ""))) == [0, 2]
    assert found(Query(), "score")[:2] == [0, 2]
    assert found(Query(), "score", descending=True)[:2] == [98, 96]
    assert set(found(Query(), "score")[50:]) == set(range(1, 100, 2)), "last"
    assert [row["number"] for row in batch.rows(limit=3, offset=4).rows] == [4, 5, 6]
    assert batch.counts() == {"fake": 34, "inconclusive": 33, "": 33}
    assert batch.detectors() == {"a": 50, "b": 50}
    assert [count for *_, count in batch.histogram(bins=4)] == [13, 12, 13, 12]
    assert [row["path"] for row in batch.all_rows()] == [row["path"] for row in rows]
    batch.index.add([(100, places[-1], rows[-1] | {"detector": None})])
    assert batch.detectors() == {"a": 50, "b": 50}, "what none judged is no detector's"
    with pytest.raises(BatchError, match="has no row 101"):
        batch.row(101)
    with pytest.raises(BatchError, match="Expected an order of"):
        batch.rows(order="sha256; DROP TABLE rows")
