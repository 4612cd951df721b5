"""Watched folders: nothing half-written is judged, nothing is lost or told twice, however often it is killed."""

import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfcore.cases import Query, open_store
from dfcore.cli import main
from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes
from dfcore.watch import Pace, Stream, alone, resolved
from dfcore.watch import watcher as module
from dfcore.watch.looking import Folders
from dfcore.watch.writing import is_open_for_writing
from tests.unit import watched

ROOT = Path(__file__).parents[2]
OLD = time.time() - 1000


def picture(seed: int = 0, side: int = 24) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "judge_files", watched.judge)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def names(out: Path) -> list[str]:
    return [Path(row["path"]).name for row in rows(out)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def settled(folder: Path, stream: Stream, **options) -> list[str]:
    """Watches once; names in the order told."""
    told: list[str] = []
    pace = Pace(0.05, 0.02)
    ended = watched.watcher(folder, stream, pace=pace, tell=lambda row: told.append(Path(row["path"]).name), **options)
    assert ended.run(lambda seconds: bool(time.sleep(seconds)), once=True, patience=5)
    return told


# === Complete files only ===


def test_a_file_that_grows_waits_until_it_has_stayed_as_it_is(folder):
    clock, path = Clock(), folder / "a.png"
    looked = Folders([folder], 2.0, clock=clock)

    def look() -> list[Path]:
        return [one.path for one in looked.look(lambda path, signature: False)]

    for size in (10, 20, 30):
        path.write_bytes(b"x" * size)
        clock.now += 1.5
        assert look() == [] and looked.waiting == [path]
    clock.now += 1.0
    assert look() == [], "only one second as it is"
    clock.now += 1.5
    assert look() == [path]
    path.write_bytes(b"y" * 30)
    assert look() == [], "the same size, written anew"


def test_what_is_renamed_into_place_is_taken_at_once(folder, tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    os.utime(tmp_path / "a.png", (OLD, OLD))
    (tmp_path / "a.png").rename(folder / "a.png")
    (folder / "new.png").write_bytes(picture())
    looked = Folders([folder], 3.0)
    assert [one.path.name for one in looked.look(lambda path, signature: False)] == ["a.png"]
    assert folder / "new.png" in looked.waiting


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_a_file_that_is_open_for_writing_waits_however_old_it_is(folder):
    path = folder / "a.png"
    with open(path, "wb") as file:
        file.write(picture())
        file.flush()
        os.utime(path, (OLD, OLD))
        looked = Folders([folder], 1.0)
        assert is_open_for_writing(path) and not list(looked.look(lambda path, signature: False))
    assert not is_open_for_writing(path)
    with open(path, "rb"):
        assert not is_open_for_writing(path), "readers do not matter"
    os.utime(path, (OLD, OLD))
    assert [one.path for one in looked.look(lambda path, signature: False)] == [path]


def test_a_slow_writer_is_judged_once_and_whole(folder, tmp_path):
    data, done = picture(side=64), threading.Event()

    def write() -> None:
        for end in range(0, len(data), 1000):
            with open(folder / "slow.png", "ab") as file:
                file.write(data[end : end + 1000])
            time.sleep(0.03)
        done.set()

    with Stream(tmp_path / "out.jsonl") as stream:
        at_work = watched.watcher(folder, stream, pace=Pace(0.4, 0.02))
        thread = threading.Thread(target=write)
        thread.start()
        until = time.monotonic() + 10
        while time.monotonic() < until and not (done.is_set() and stream.lines):
            at_work.step()
            time.sleep(0.01)
        thread.join()
    (row,) = rows(tmp_path / "out.jsonl")
    assert row["sha256"] == sha256_bytes(data) and row["error"] is None and row["score"] is not None


def test_a_file_that_changes_while_it_is_judged_has_no_line_of_what_it_was(folder, tmp_path, monkeypatch):
    def judge_and_change(paths, detectors, options):
        for batch in watched.judge(paths, detectors, options):
            (folder / "a.png").write_bytes(picture(1, 30))
            monkeypatch.setattr(module, "judge_files", watched.judge)
            yield batch

    monkeypatch.setattr(module, "judge_files", judge_and_change)
    (folder / "a.png").write_bytes(picture(0))
    with Stream(tmp_path / "out.jsonl") as stream:
        settled(folder, stream)
    (row,) = rows(tmp_path / "out.jsonl")
    assert row["sha256"] == sha256_bytes(picture(1, 30))


def test_a_truncated_picture_is_judged_anew_once_it_is_whole(folder, tmp_path):
    data = picture(side=64)
    (folder / "a.png").write_bytes(data[:3000])
    with Stream(tmp_path / "out.jsonl") as stream:
        settled(folder, stream)
        (folder / "a.png").write_bytes(data)
        settled(folder, stream)
    cut, whole = rows(tmp_path / "out.jsonl")
    assert cut["error"] and cut["sha256"] == sha256_bytes(data[:3000])
    assert whole["error"] is None and whole["sha256"] == sha256_bytes(data)


# === One line for each content of each file ===


def test_a_replaced_file_is_judged_again_and_one_that_is_only_touched_is_not(folder, tmp_path):
    out = tmp_path / "out.jsonl"
    (folder / "a.png").write_bytes(picture(0))
    with Stream(out) as stream:
        settled(folder, stream)
        os.utime(folder / "a.png")
        assert settled(folder, stream) == []
        (folder / "other.png").write_bytes(picture(1))
        (folder / "other.png").replace(folder / "a.png")
        assert settled(folder, stream) == ["a.png"]
        (folder / "a.png").write_bytes(picture(0))
        assert settled(folder, stream) == [], "that content of that file has a line"
        shutil.copy(folder / "a.png", folder / "b.png")
        assert settled(folder, stream) == ["b.png"], "another file has one of its own"
    assert names(out) == ["a.png", "a.png", "b.png"]


def test_what_is_no_file_to_judge_has_a_line_with_the_reason_once(folder, tmp_path, monkeypatch):
    (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "film.mp4").write_bytes(b"x")
    (folder / "notes.txt").write_text("hello")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "closed").mkdir()
    (folder / ".hidden.png").write_bytes(picture())
    (folder / "download.png.part").write_bytes(picture())
    really = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr("dfcore.watch.looking.os.scandir", scandir)
    out = folder / "out.jsonl"
    for _ in range(2):
        with Stream(out) as stream:
            settled(folder, stream)
    said = {Path(row["path"]).name: row["error"] for row in rows(out)}
    assert len(rows(out)) == len(said) == 6
    assert "A link" in said["link.png"] and "named pipe" in said["pipe.png"] and "video" in said["film.mp4"]
    assert "No picture" in said["notes.txt"] and "Not an image" in said["broken.jpg"]
    assert "Permission denied" in said["closed"], "and what it watches by is no news to it"
    assert all(row["score"] is None for row in rows(out))


def test_verdicts_are_remembered_once_and_not_at_all_if_cases_are_off(folder, tmp_path, monkeypatch):
    (folder / "a.png").write_bytes(picture())
    with Stream(tmp_path / "out.jsonl") as stream:
        settled(folder, stream, memory=True)
    with Stream(tmp_path / "another.jsonl") as stream:
        settled(folder, stream, memory=True)
    found = open_store().search(Query(via="watch"))
    assert found.total == 1
    (judged,) = open_store().history(found.rows[0].picture.sha256).judgements
    assert judged.score == rows(tmp_path / "out.jsonl")[0]["score"] and judged.name.endswith("a.png")


def test_what_cannot_be_remembered_has_no_line_yet_and_is_tried_again(folder, tmp_path, monkeypatch):
    from dfcore.batch.memory import Memory
    from dfcore.errors import StorageError

    failures, add = [1, 1], Memory.add

    def failing(self, judged):
        if judged and failures:
            failures.pop()
            raise StorageError("The disk is full.")
        add(self, judged)

    monkeypatch.setattr(Memory, "add", failing)
    (folder / "a.png").write_bytes(picture())
    warned: list[str] = []
    with Stream(tmp_path / "out.jsonl") as stream:
        settled(folder, stream, memory=True, warn=warned.append)
    assert len(warned) == 2 and "disk is full" in warned[0] and names(tmp_path / "out.jsonl") == ["a.png"]


def test_a_line_that_was_cut_off_is_removed_and_written_anew(folder, tmp_path):
    out = tmp_path / "out.jsonl"
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    with Stream(out) as stream:
        settled(folder, stream)
    whole = out.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[-1])):
        out.write_bytes(whole[:-cut])
        with Stream(out) as stream:
            settled(folder, stream)
        again = rows(out)
        assert sorted(names(out)) == ["0.png", "1.png", "2.png"] and len(again) == 3
    out.write_text("something else\n")
    with pytest.raises(InputError, match="Give another --out"), Stream(out):
        pass
    assert out.read_text() == "something else\n"


def test_after_a_restart_no_file_that_is_as_it_was_is_read_again(folder, tmp_path, monkeypatch):
    for seed in range(5):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    with Stream(tmp_path / "out.jsonl") as stream:
        settled(folder, stream)
    monkeypatch.setattr(module, "judge_files", lambda paths, *_: iter([list(paths)] if list(paths) else []))
    with Stream(tmp_path / "out.jsonl") as stream:
        assert settled(folder, stream) == []


def test_a_second_watcher_of_the_folder_or_of_the_stream_is_refused(folder, tmp_path):
    with alone([folder]):
        with pytest.raises(InputError, match="being watched"), alone([folder]):
            pass
        assert main(["watch", str(folder), "--once", "--out", str(tmp_path / "o.jsonl")]) == 2
    again = Stream(tmp_path / "out.jsonl")
    with alone([folder]), Stream(tmp_path / "out.jsonl"), pytest.raises(InputError, match="another watcher"), again:
        pass
    (folder / "below").mkdir()
    with pytest.raises(InputError, match="none lies in another"):
        resolved([str(folder), str(folder / "below")])
    with pytest.raises(InputError, match="Expected a folder"):
        resolved([str(folder / "nothing")])


def lines(out: Path) -> int:
    return out.read_bytes().count(b"\n") if out.exists() else 0


@pytest.mark.slow
def test_killed_at_any_moment_no_line_is_lost_and_none_is_doubled(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out.jsonl"
    folder.mkdir()
    contents = {f"{seed:03d}.png": picture(seed) for seed in range(150)}
    waiting, chance = list(contents.items()), random.Random(0)
    # Its server has imported everything: only what can be lost or doubled is begun anew twenty times.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.unit.watched"])
    kills = 0
    until = time.monotonic() + 400
    while time.monotonic() < until:
        last = not waiting
        for name, data in waiting[:8]:
            (folder / name).write_bytes(data)
        del waiting[:8]
        running = processes.Process(target=watched.watch, args=(folder, out, dict(os.environ)))
        running.start()
        enough = len(contents) if last else min(lines(out) + 1, len(contents) - len(waiting))
        started = time.monotonic()
        while time.monotonic() - started < 60 and lines(out) < enough:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.1)
        running.kill()
        running.join()
        assert running.exitcode == -signal.SIGKILL
        kills += 1
        if last:
            break
    told = [(Path(row["path"]).name, row["sha256"]) for row in rows(out)]
    assert kills >= 15 and sorted(told) == sorted((name, sha256_bytes(data)) for name, data in contents.items())
    store = open_store()
    assert store.search(Query(via="watch")).total == len(contents) and store.verify().holds
    assert all(len(store.history(digest).judgements) == 1 for _, digest in told)


@pytest.mark.slow
def test_a_hundred_thousand_files_are_looked_at_in_moments(tmp_path):
    for number in range(100):
        (tmp_path / "in" / str(number)).mkdir(parents=True)
        for name in range(1000):
            (tmp_path / "in" / str(number) / f"{name}.png").touch()
    looked = Folders([tmp_path / "in"], 2.0)
    list(looked.look(lambda path, signature: True))
    began = time.process_time()
    assert not list(looked.look(lambda path, signature: True)) and not looked.waiting
    took = time.process_time() - began
    print(f"a look at 100,000 files took {took:.2f} s of the processor")
    assert took < 5


# === The command ===


def test_the_command_watches_until_it_is_told_to_stop(knowing, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture(0, 32))
    out = tmp_path / "out.jsonl"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dfcore", "watch", str(folder), "--detector", str(knowing["thumbnails"]), "--out",
               str(out), "--settle", "0.2", "--interval", "0.1"]  # fmt: skip
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for name in ("a.png", "b.png"):
            (folder / name).write_bytes(picture(len(name), 32))
            until = time.monotonic() + 90
            while time.monotonic() < until and not (out.exists() and name in out.read_text()):
                assert running.poll() is None, running.communicate()
                time.sleep(0.1)
        running.send_signal(signal.SIGTERM)
        said, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0, errors
    assert "a.png: " in said and "b.png: " in said and len(rows(out)) == 2
    row = rows(out)[0]
    assert {"score", "finding", "card_sha256", "model_sha256", "fake_from", "at", "stamp"} <= row.keys()
    assert main(["watch", str(folder), "--detector", str(knowing["thumbnails"]), "--out", str(out), "--once",
                 "--settle", "0.1"]) == 0  # fmt: skip
    assert len(rows(out)) == 2
