"""Judging many files: one row for each, in constant memory, and through kills, full disks and damage exactly once."""

import csv
import io
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dfcore.batch import predict as batch_predict
from dfcore.batch.predict import BatchOptions, predict_files
from dfcore.batch.resume_log import ResumeLog
from dfcore.batch.writers import COLUMNS, FORMATS, write_left_out, write_rows
from dfcore.cli import main
from dfcore.commands.base import INCOMPLETE
from dfcore.commands.terminal import progress_bar
from dfcore.confidence import DecisionThresholds, Policy
from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.listing import iter_images, list_images
from dfcore.detectors.detector import Detector
from dfcore.detectors.selection import select_detector
from dfcore.errors import InputError, StorageError
from dfcore.imaging import sandbox
from dfcore.utils.files import sha256_file, stamp
from dfcore.utils.texts import storable
from tests.conftest import make_image

ROOT = Path(__file__).parents[2]
# Starts in two seconds where OpenVINO is installed, and imports no TensorFlow.
SMALL = ROOT / "models" / "small"
COUNT, BATCH = 40, 8
INSISTING = Policy(ignore_ood=True)
ALL_FAKE = DecisionThresholds(real_below=0, fake_from=0)
ALL_REAL = DecisionThresholds(real_below=2, fake_from=2, says_real=True)


@pytest.fixture(autouse=True)
def _shipped(_own_workspace, monkeypatch):
    """Its network in OpenVINO's form is taken unasked where it lies among one's own models."""
    monkeypatch.setenv("DFCORE_MODELS", str(SMALL.parent))


@pytest.fixture(scope="module")
def small() -> Detector:
    """Run by OpenVINO, where it is installed."""
    return Detector.load(SMALL)


@pytest.fixture(scope="module")
def both(knowing) -> dict[str, Detector]:
    """Detectors of images of 32 and of about 300 pixels, run by Keras."""
    return {name: Detector.load(folder) for name, folder in knowing.items()}


@pytest.fixture
def photo(tmp_path) -> Path:
    return make_image(tmp_path / "photo.png")


@pytest.fixture
def bad(tmp_path, photo) -> dict[str, Path]:
    """Files that cannot be judged, by what their rows say."""
    folder = tmp_path / "bad"
    folder.mkdir()
    result = {
        "There is no file": folder / "gone.png",
        "is empty": folder / "empty.png",
        "Not an image": folder / "text.jpg",
        "damaged": folder / "half.png",
        "is a folder": folder / "folder.png",
        "no regular file": folder / "pipe.png",
    }
    result["is empty"].touch()
    result["Not an image"].write_text("no image")
    result["damaged"].write_bytes(photo.read_bytes()[:200])
    result["is a folder"].mkdir()
    os.mkfifo(result["no regular file"])
    return result


def rows_of(paths, detectors, **options) -> list[dict]:
    return [row for batch in predict_files(paths, detectors, BatchOptions(**options)) for row in batch]


def sized(folder: Path, *sides: int) -> list[Path]:
    return [make_image(folder / f"{side}.png", (side, side), seed=side) for side in sides]


# === Rows ===


def test_rows_name_each_file_with_its_hash(small, photo, tmp_path):
    rows = rows_of([photo, tmp_path / "gone.png"], {"small": small}, policies={"small": INSISTING})
    (verdict,) = small.predict([photo], policy=INSISTING)
    assert rows[0] == {
        "path": str(photo),
        "sha256": sha256_file(photo),
        "score": verdict.score,
        "verdict": verdict.decision,
        "finding": verdict.finding,
        "label": verdict.label,
        "threshold": verdict.threshold,
        "reason": verdict.reason,
        "ood_distance": verdict.ood.distance,
        "ood_reasons": list(verdict.ood.reasons),
        "detector": "small",
        "error": None,
        "trained_on": "not found",
    }
    nothing = ("sha256", "score", "verdict", "finding", "label", "threshold", "reason", "ood_distance", "trained_on")
    assert {name: rows[1][name] for name in nothing} == dict.fromkeys(nothing)
    assert (rows[1]["path"], rows[1]["ood_reasons"], rows[1]["detector"]) == (str(tmp_path / "gone.png"), [], "small")
    assert "There is no file" in rows[1]["error"]


def test_rows_tell_why_there_is_no_answer(both, tmp_path):
    (large,) = sized(tmp_path, 320)
    thumbnails = {"thumbnails": both["thumbnails"]}
    (row,) = rows_of([large], thumbnails)
    (verdict,) = both["thumbnails"].predict([large])
    assert (row["verdict"], row["label"], row["reason"]) == ("inconclusive", None, verdict.reason)
    assert row["ood_reasons"] == list(verdict.ood.reasons)
    assert row["ood_distance"] == verdict.ood.distance
    (insisted,) = rows_of([large], thumbnails, policies={"thumbnails": Policy(ALL_FAKE, ignore_ood=True)})
    assert (insisted["verdict"], insisted["reason"]) == ("fake", None)
    assert json.loads(json.dumps([row, insisted])) == [row, insisted], "plain data"


def test_what_cannot_be_judged_is_a_row_with_its_reason_among_the_others(small, photo, bad):
    paths = [path for one in bad.values() for path in (photo, one)]
    (alone,) = rows_of([photo], {"small": small})
    for size, workers in ((1, 1), (3, 2), (64, 5)):
        rows = rows_of(paths, {"small": small}, batch_size=size, workers=workers)
        assert [row["path"] for row in rows] == [str(path) for path in paths]
        assert rows[::2] == [alone] * len(bad)
        for row, reason in zip(rows[1::2], bad, strict=True):
            assert reason in row["error"]
            assert (row["score"], row["verdict"], row["label"], row["reason"]) == (None, None, None, None)
    assert {row["sha256"] is None for row in rows[1::2]} == {True, False}, "what could be read has its hash"


@pytest.mark.parametrize("engine", ["keras", "fast"])
def test_neither_batches_nor_workers_change_a_bit_or_the_order(engine, small, both, small_dataset, bad):
    detectors = {"small": small} if engine == "fast" else both
    paths = [*sorted((small_dataset / "test").rglob("*.png")), *bad.values()]
    # JSON tells floats apart to the last bit.
    whole = [json.dumps(row) for row in rows_of(paths, detectors)]
    assert [json.loads(row)["path"] for row in whole] == [str(path) for path in paths]
    for size, workers in itertools.product((1, 2, 7, 64), (1, 2, 5)):
        rows = rows_of(paths, detectors, batch_size=size, workers=workers)
        assert [json.dumps(row) for row in rows] == whole, (size, workers)
        if size == 7:
            rows = rows_of(paths, detectors, batch_size=size, workers=workers, ordered=False)
            assert sorted(json.dumps(row) for row in rows) == sorted(whole), (size, workers)
    alone = small if engine == "fast" else both["thumbnails"]
    text = {row["path"]: row["score"] for row in map(json.loads, whole) if row["detector"] in ("small", "thumbnails")}
    assert [text[str(path)] for path in paths[:24]] == [verdict.score for verdict in alone.predict(paths[:24])]


def test_batches_are_as_large_as_asked_for(small, photo):
    sizes = [len(batch) for batch in predict_files([photo] * 17, {"small": small}, BatchOptions(batch_size=7))]
    assert sizes == [7, 7, 3]
    assert list(predict_files([], {"small": small})) == []


def test_without_order_nothing_waits_for_a_slow_file(small, photo, tmp_path, monkeypatch):
    slow, seen = make_image(tmp_path / "slow.png", seed=9), threading.Event()
    prepare, content = sandbox.prepare, slow.read_bytes()

    def slowly(data, specs, *_, **options):
        if data == content:
            assert seen.wait(120), "the others wait for the slow one"
        return prepare(data, specs)

    monkeypatch.setattr(batch_predict.sandbox, "prepare", slowly)
    names = []
    options = BatchOptions(batch_size=1, workers=2, ordered=False)
    for (row,) in predict_files([slow] + [photo] * 9, {"small": small}, options):
        names.append(Path(row["path"]).name)
        if len(names) == 5:
            seen.set()
    assert Counter(names) == {"photo.png": 9, "slow.png": 1}
    assert "slow.png" not in names[:5]


def test_of_several_detectors_each_image_has_the_row_of_the_one_that_fits(both, tmp_path, bad):
    paths = [*sized(tmp_path / "sized", 32, 40, 100, 250, 300, 900), *bad.values()]
    rows = rows_of(paths, both, batch_size=4)
    own = {name: rows_of(paths, {name: detector}) for name, detector in both.items()}
    verdicts = {name: detector.predict(paths) for name, detector in both.items()}
    for number, row in enumerate(rows):
        known = {name: result[number].ood for name, result in verdicts.items()}
        name = select_detector(known, dict.fromkeys(both)).name
        # What is no picture is given to none of them.
        assert row == own[name][number] | ({"detector": None} if row["error"] else {})
        assert (row["score"], row["verdict"]) == (verdicts[name][number].score, verdicts[name][number].decision)
    assert {row["detector"] for row in rows if not row["error"]} == {"thumbnails", "photographs"}
    assert [bool(row["error"]) for row in rows] == [False] * 6 + [True] * len(bad)


def test_of_detectors_that_fit_alike_the_record_decides(both, photo):
    result = both["thumbnails"]
    figures = {"images": 1, "real": 1, "fake": 0}
    detectors = {
        name: Detector(
            result.card.model_copy(update={"results": results}), result.engine, ood_detector=result.ood_detector
        )
        for name, results in {
            "none": {},
            "poor": {"test": figures | {"roc_auc": 0.7}},
            "good": {"test": figures | {"roc_auc": 0.9}},
            "fair": {"test": figures | {"roc_auc": 0.8}, "validation": figures | {"roc_auc": 1.0}},
        }.items()
    }
    (row,) = rows_of([photo], detectors)
    assert row["detector"] == "good"


def test_thresholds_belong_to_the_detector_that_they_are_given_for(both, tmp_path):
    paths = sized(tmp_path / "sized", 32, 300, 100)
    one = rows_of(paths, both, policies={"thumbnails": Policy(ALL_FAKE), "photographs": Policy(ALL_REAL)})
    assert [row["verdict"] for row in one] == ["fake", "real", "inconclusive"]
    other = rows_of(paths, both, policies={"thumbnails": Policy(ALL_REAL)})
    assert other[0]["verdict"] == "real"
    assert other[1:] == rows_of(paths, both)[1:], "the card's for the other one"
    insisted = rows_of(paths, both, policies=dict.fromkeys(both, Policy(ALL_FAKE, ignore_ood=True)))
    assert [row["verdict"] for row in insisted] == ["fake"] * 3
    assert [(row["threshold"], row["score"]) for row in insisted] == [(row["threshold"], row["score"]) for row in one]
    assert [row["label"] for row in one] == ["fake", "real", None] and [row["label"] for row in insisted] == [
        "fake"
    ] * 3


# === Bounds ===


class Counted:
    """Paths that count how many of them were taken."""

    def __init__(self, paths):
        self.taken, self._paths = 0, iter(paths)

    def __iter__(self):
        for path in self._paths:
            self.taken += 1
            yield path


@contextmanager
def no_thread_is_left():
    """Those of the decoding processes and of OpenVINO are no business of a single call."""
    yield
    left = [thread.name for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
    assert not left


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("paths", [10_000, 10_000_000])
def test_files_are_taken_as_they_are_needed_however_many_there_are(paths, ordered, small, photo):
    counted = Counted(itertools.repeat(photo, paths))
    options = BatchOptions(batch_size=16, workers=3, ordered=ordered)
    with no_thread_is_left():
        batches = predict_files(counted, {"small": small}, options)
        assert counted.taken == 0, "nothing before the first is asked for"
        yielded = 0
        for batch in itertools.islice(batches, 8):
            yielded += len(batch)
            assert counted.taken - yielded <= 16 + 2 * 3, "one batch in the network's hands, and two files a worker"
        time.sleep(0.2)
        assert counted.taken - yielded <= 16 + 2 * 3, "nobody reads on while nobody asks"
        batches.close()
    taken = counted.taken
    time.sleep(0.1)
    assert counted.taken == taken


def test_what_is_taken_by_default_does_not_depend_on_the_number_either(small, both, photo):
    counted = Counted(itertools.repeat(photo, 10_000))
    with no_thread_is_left():
        batches = predict_files(counted, {"small": small} | both)
        assert len(next(batches)) == 64
        assert counted.taken <= 2 * 64 + 2 * (sandbox.processes() + 1)
        batches.close()


def test_a_generator_that_is_closed_or_forgotten_leaves_no_thread_at_work(small, photo):
    with no_thread_is_left():
        batches = predict_files([photo] * 100, {"small": small}, BatchOptions(batch_size=4))
        next(batches)
        batches.close()
    with no_thread_is_left():
        assert next(predict_files([photo] * 100, {"small": small}, BatchOptions(batch_size=4)))
    with no_thread_is_left():
        predict_files([photo], {"small": small}).close()


def test_what_goes_wrong_in_the_list_of_files_reaches_the_caller(small, photo):
    def paths():
        yield from [photo] * 50
        raise InputError("The folder went away.")

    with no_thread_is_left():
        batches, rows = predict_files(paths(), {"small": small}, BatchOptions(batch_size=8)), []
        with pytest.raises(InputError, match="went away"):
            for batch in batches:
                rows += batch
        assert 50 - 2 * 8 - 2 * (sandbox.processes() + 1) <= len(rows) < 50


@pytest.mark.parametrize("where", ["network", "decoding"])
def test_a_failure_of_ours_reaches_the_caller(where, small, photo, monkeypatch):
    def fail(*_, **options):
        raise RuntimeError("out of order")

    owner, name = (small, "judge") if where == "network" else (batch_predict.sandbox, "prepare")
    monkeypatch.setattr(owner, name, fail)
    with no_thread_is_left(), pytest.raises(RuntimeError, match="out of order"):
        rows_of([photo] * 40, {"small": small}, batch_size=4)


# === Files to judge ===


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_images_of_a_folder_come_by_their_numbers_and_folder_by_folder(tmp_path):
    touch(tmp_path, "10.png", "2.JPG", "1.png", "b.png", "a.png", "notes.txt", "list.json", "no_ending")
    touch(tmp_path, "in/20.png", "in/3.png", "in/deep/1.png", "in-2/1.png", "empty.d/x.txt")
    touch(tmp_path, ".hidden.png", ".git/1.png", "__MACOSX/1.png", "in/._3.png", "in/.cache/4.png")
    names = [path.relative_to(tmp_path).as_posix() for path in iter_images([tmp_path])]
    assert names == [
        "a.png", "b.png", "1.png", "2.JPG", "10.png", "in/3.png", "in/20.png", "in/deep/1.png", "in-2/1.png",
    ]  # fmt: skip
    assert list_images([tmp_path]) == list(iter_images([tmp_path]))


def test_files_are_taken_as_they_are_named_and_folders_in_their_place(tmp_path):
    touch(tmp_path, "b/1.png", "a/2.png", "a/.3.png", "notes.txt")
    paths = [tmp_path / "notes.txt", str(tmp_path / "b"), tmp_path / "a" / ".3.png", tmp_path / "a"]
    assert [path.name for path in iter_images(paths)] == ["notes.txt", "1.png", ".3.png", "2.png"]


def test_files_are_listed_one_after_the_other(tmp_path):
    touch(tmp_path, "1.png", "in/1.png", "in/2.png")
    result = iter_images(itertools.chain([tmp_path], itertools.repeat(tmp_path)))
    assert next(result) == tmp_path / "1.png"
    touch(tmp_path, "in/3.png")
    assert [path.name for path in itertools.islice(result, 4)] == ["1.png", "2.png", "3.png", "1.png"]
    missing = iter_images([tmp_path / "1.png", tmp_path / "gone"])
    assert next(missing) == tmp_path / "1.png"
    with pytest.raises(InputError, match=r"There is no file or folder .*gone"):
        next(missing)


def test_no_image_is_an_error_of_the_list_alone(tmp_path):
    touch(tmp_path, "notes.txt")
    assert list(iter_images([tmp_path])) == []
    assert list(iter_images([])) == []
    with pytest.raises(InputError, match="No images were found"):
        list_images([tmp_path])


# === The progress line ===


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but when it is set; and what the terminal shows since."""
    now, terminal = [100.0], Terminal()
    monkeypatch.setattr("dfcore.commands.terminal.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("dfcore.commands.terminal.sys", SimpleNamespace(stderr=terminal))

    def after(seconds: float, show, done: int, total: int) -> str:
        now[0] += seconds
        terminal.seek(0)
        terminal.truncate()
        show(done, total)
        return terminal.getvalue()

    return after


def test_the_progress_line_tells_how_far_how_fast_and_how_long_still(clock):
    show = progress_bar("judging")
    assert clock(0, show, 100, 1100).removeprefix("\r\x1b[K").strip() == "judging: 9%"
    text = clock(10, show, 600, 1100)
    assert text.startswith("\r\x1b[K"), "over the line before"
    assert "judging: 54% (600 of 1,100), 50 a second, 0:00:10 left" in text
    assert "\n" not in text
    text = clock(15, show, 1100, 1100)
    assert "judging: 100% (1,100 of 1,100), 40 a second" in text
    assert "left" not in text
    assert text.endswith("\n")


def test_the_progress_line_goes_by_what_this_run_did(clock):
    """After a resume the first rows were there already."""
    show = progress_bar("judging")
    clock(0, show, 5000, 10_000)
    assert "51% (5,100 of 10,000), 10 a second, 0:08:10 left" in clock(10, show, 5100, 10_000)


@pytest.mark.parametrize(("pace", "expected"), [(0.25, "0.25"), (12.5, "12.5"), (999, "999"), (2345, "2,?3[45]\\d")])
def test_a_pace_is_told_in_plain_figures(pace, expected, clock):
    show = progress_bar("judging")
    clock(0, show, 0, 10_000_000)
    assert re.search(rf", {expected} a second", clock(1000, show, round(1000 * pace), 10_000_000))


def test_a_progress_line_over_nothing_does_no_harm(clock):
    show = progress_bar("judging")
    assert "0%" in clock(0, show, 0, 0)
    assert "0%" in clock(9, show, 0, 0)


def test_without_a_terminal_there_is_no_progress_line(clock, capsys, monkeypatch):
    monkeypatch.setattr("dfcore.commands.terminal.sys", SimpleNamespace(stderr=(plain := io.StringIO())))
    show = progress_bar("judging")
    assert clock(0, show, 1, 2) == clock(9, show, 2, 2) == plain.getvalue() == ""
    assert capsys.readouterr() == ("", "")


# === Files of verdicts ===


def made_rows(count: int):
    for number in range(count):
        row = {name: f"{name} {number}" for name in COLUMNS}
        yield row | {"path": f"{number}.png", "score": number / 3, "threshold": 0.5, "error": None, "label": "fake",
                     "unlike": []}  # fmt: skip


FORMULAS = ("=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@SUM(1).png", "\t=1.png", "\r=1.png", "＝1.png")


def test_no_text_of_strangers_is_a_formula_in_a_table(tmp_path):
    """Wherever it stands: in names, in reasons, and in what was left out."""
    rows = [row | dict.fromkeys(("path", "reason", "error"), name)
            for name, row in zip(FORMULAS, made_rows(len(FORMULAS)), strict=True)]  # fmt: skip
    write_rows(tmp_path / "X.csv", rows)
    write_left_out(tmp_path / "X.csv", [LeftOut(name, name) for name in FORMULAS], rows)
    for name in ("X.csv", "X.csv.left-out.csv"):
        with open(tmp_path / name, encoding="utf-8", newline="") as file:
            _, *lines = csv.reader(file)
        assert len(lines) == len(FORMULAS)
        for line, formula in zip(lines, FORMULAS, strict=True):
            assert line[0] == f"'{formula}"
            assert all(cell == f"'{formula}" for cell in line if formula in cell)
    for suffix in (".jsonl", ".parquet"):
        write_rows(tmp_path / f"X{suffix}", rows)
        read_table = pd.read_parquet if suffix == ".parquet" else partial(pd.read_json, lines=True)
        assert read_table(tmp_path / f"X{suffix}").path.tolist() == list(FORMULAS), "nobody runs them there"


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_are_written_as_they_come_however_many_there_are(suffix, tmp_path):
    out, count = tmp_path / f"X{suffix}", 10_001
    write_rows(out, made_rows(count))
    assert [str(name) for name in read(out)] == [f"{n}" if suffix == ".json" else f"{n}.png" for n in range(count)]
    if suffix == ".parquet":
        table = pd.read_parquet(out)
        assert list(table.columns) == list(COLUMNS)
        assert table.score.tolist() == [row["score"] for row in made_rows(count)]
        assert table.error.isna().all()
    assert beside(out) == []


def test_what_goes_wrong_while_rows_come_leaves_the_file_as_it_was(tmp_path):
    def rows():
        yield from made_rows(20_000)
        raise OSError(5, "the journal went away")

    for suffix in FORMATS:
        out = tmp_path / f"X{suffix}"
        out.write_text("before")
        with pytest.raises(StorageError, match="could not be written: the journal went away"):
            write_rows(out, rows())
        assert out.read_text() == "before"
        assert not list(tmp_path.glob(".*"))


def test_a_row_of_an_earlier_version_says_no_more_than_its_verdict(tmp_path):
    """Its label was the side of one threshold; the competition asks for no more, all others for the verdict."""
    out = tmp_path / "X.jsonl"
    with ResumeLog(out, HOW) as journal:
        for number, verdict in enumerate(("inconclusive", "fake", None)):
            row = dict.fromkeys(COLUMNS) | {"path": f"{number}.png", "verdict": verdict}
            score, label, error = (None, None, "broken") if verdict is None else (0.3, "fake", None)
            journal.add([row | {"score": score, "label": label, "error": error}])
        write_rows(out, journal.rows())
        write_rows(tmp_path / "X.json", journal.rows())
    assert [json.loads(line)["label"] for line in out.read_text().splitlines()] == [None, "fake", None]
    assert [row["prediction"] for row in json.loads((tmp_path / "X.json").read_text())] == ["fake", "fake"]


def read(out: Path) -> list:
    """The names in a file of verdicts, or the numbers in the competition's."""
    if out.suffix == ".json":
        return [entry["index"] for entry in json.loads(out.read_text())]
    if out.suffix == ".jsonl":
        return [json.loads(line)["path"] for line in out.read_text().splitlines()]
    if out.suffix == ".parquet":
        return pd.read_parquet(out).path.tolist()
    with open(out, newline="", encoding="utf-8") as file:
        return [row["path"] for row in csv.DictReader(file)]


def left_out_of(out: Path) -> list[str]:
    """What stays beside a file of verdicts on `pictures`: the competition's format has no place for what is broken."""
    return [f"{out.name}.left-out.csv"] if out.suffix == ".json" else []


def beside(out: Path) -> list[str]:
    """What lies beside a file, hidden or not."""
    return sorted(path.name for path in out.parent.iterdir() if path != out)


# === The journal ===

HOW = {"detectors": {"small": "1234"}, "ignore_ood": False}


def row_of(path: Path) -> dict:
    """A verdict on a file, which is made if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return next(made_rows(1)) | {"path": str(path), "sha256": sha256_file(path)}


def begun(out: Path, *names: str, how=None) -> Path:
    """A journal as a process leaves it that is killed, on files beside the output file."""
    with ResumeLog(out, how or HOW) as journal:
        rows = [row_of(out.parent / name) for name in names]
        assert not any(journal.strike(out.parent / name) for name in names)
        journal.add(rows)
    return journal.path


def test_a_journal_knows_what_stands_in_it(tmp_path):
    out = tmp_path / "new" / "X.csv"
    assert begun(out, "a.png", "b\n.png") == out.parent / ".X.csv.journal"
    with ResumeLog(out, HOW) as journal:
        assert (journal.judged, journal.failed) == (2, 0)
        struck = [journal.strike(out.parent / name) for name in ("a.png", "b\n.png", "c.png", "")]
        assert struck == [True, True, False, False]
        journal.add([])
        journal.add([{"path": "c.png", "error": "It is no image."}])
        assert (journal.judged, journal.failed) == (3, 1)
        assert [Path(row["path"]).name for row in journal.rows()] == ["a.png", "b\n.png", "c.png"]
        assert not any("stamp" in row for row in journal.rows())
        journal.remove()
    assert beside(out) == ["a.png", "b\n.png"]


def test_a_journal_that_is_not_finished_stays(tmp_path):
    path = begun(tmp_path / "X.csv", "a.png")
    with pytest.raises(ValueError), ResumeLog(tmp_path / "X.csv", HOW) as journal:
        journal.add([row_of(tmp_path / "b.png")])
        raise ValueError
    assert len(path.read_text().splitlines()) == 3
    with ResumeLog(tmp_path / "X.csv", HOW) as journal:
        assert journal.judged == 2


def test_a_journal_can_be_cut_off_anywhere(tmp_path):
    """Every byte may be the last one that a kill, or a disk that is full, lets through."""
    out = tmp_path / "X.csv"
    whole = begun(out, "a.png", "b.png").read_bytes()
    ends = [number for number, byte in enumerate(whole, 1) if byte == 10]
    for length in range(len(whole) + 1):
        (tmp_path / ".X.csv.journal").write_bytes(whole[:length])
        lines = sum(end <= length for end in ends)
        with ResumeLog(out, HOW) as journal:
            assert journal.judged == max(0, lines - 1)
            names = ["a.png", "b.png"][: journal.judged]
            assert [name for name in ("a.png", "b.png") if journal.strike(tmp_path / name)] == names
            journal.add([{"path": "c.png", "error": None}])
            assert [Path(row["path"]).name for row in journal.rows()] == [*names, "c.png"]


# What may stand where a disk lost something, or another program wrote.
GARBAGE = {
    "zeros": bytes(5000),
    "zeros and a line's end": bytes(100) + b"\n",
    "noise": np.random.default_rng(0).bytes(3000),
    "no UTF-8": b'{"path": "\xff\xfe.png"}\n',
    "an empty line": b"\n",
    "half a row": b'{"path": "x.png", "sco\n',
    "a list": b'["x.png"]\n',
    "a number of many digits": b"9" * 10_000 + b"\n",
    "brackets without end": b"[" * 100_000 + b"\n",
    "a row without a name": b'{"score": 0.5}\n',
    "a row whose name is no text": b'{"path": 3}\n',
    "a row of something else": b'{"path": "x.png"}\n',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_row_ends_the_journal_and_what_follows_is_judged_again(garbage, tmp_path):
    out = tmp_path / "X.jsonl"
    path = begun(out, "a.png", "b.png")
    first, row, other = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + row + garbage + other)
    with ResumeLog(out, HOW) as journal:
        assert [name for name in ("a.png", "b.png", "x.png") if journal.strike(tmp_path / name)] == ["a.png"]
        journal.add([row | {"path": "c.png"} for row in made_rows(1)])
        write_rows(out, journal.rows())
    assert [Path(path).name for path in read(out)] == ["a.png", "c.png"]


@pytest.mark.parametrize("first", [b"\n", b"[]\n", b"\xff\xfe\n", b"null\n", b"[" * 100_000 + b"\n"])
def test_a_journal_that_is_none_is_left_alone(first, tmp_path):
    path = begun(tmp_path / "X.csv", "a.png")
    path.write_bytes(content := first + path.read_bytes())
    with pytest.raises(InputError, match="first line cannot be read"), ResumeLog(tmp_path / "X.csv", HOW):
        pass
    assert path.read_bytes() == content


def test_a_journal_names_what_differs_and_is_left_alone(tmp_path):
    path = begun(tmp_path / "X.csv", "a.png")
    content = path.read_bytes()
    for changed, text in {
        "ignore_ood": {"ignore_ood": True},
        "detectors": {"detectors": {"small": "5678"}},
        "detectors, ignore_ood": {"detectors": {}, "ignore_ood": None},
        "more": {"more": 1},
    }.items():
        with (
            pytest.raises(InputError, match=f"another way: {changed} differ"),
            ResumeLog(tmp_path / "X.csv", HOW | text),
        ):
            pass
        assert path.read_bytes() == content
    with ResumeLog(tmp_path / "X.csv", HOW) as journal:
        assert journal.judged == 1, "no lock was left behind"


def test_a_journal_is_for_one_at_a_time(tmp_path):
    with ResumeLog(tmp_path / "X.csv", HOW):
        with pytest.raises(InputError, match="written by another process"), ResumeLog(tmp_path / "X.csv", HOW):
            pass
        with ResumeLog(tmp_path / "Y.csv", HOW):
            pass


@pytest.mark.parametrize("trouble", ["a folder in its place", "no room"])
def test_a_journal_that_failed_holds_no_lock(trouble, tmp_path, monkeypatch):
    """A server lives on."""
    out = tmp_path / "X.csv"
    journal = ResumeLog(out, HOW)  # It is not forgotten, so that nothing tidies up after it.
    if trouble == "a folder in its place":
        journal.path.mkdir()
    with pytest.raises(StorageError, match=r"\.X\.csv\.journal could not be written"), journal:
        # The descriptor takes nothing any more, and the file that holds it does not know.
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, journal._file.fileno())
        os.close(full)
        journal.add([{"path": "a.png", "error": None}])
    if journal.path.is_dir():
        journal.path.rmdir()
    with ResumeLog(out, HOW) as other:
        assert other.judged == 0


# === The command line, stopped and started again ===


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Images with numbers as names, two of which cannot be read."""
    folder = tmp_path_factory.mktemp("bulk") / "pictures"
    for number in range(1, COUNT + 1):
        make_image(folder / f"{number}.png", seed=number)
    (folder / "3.png").write_text("no image")
    (folder / f"{COUNT}.png").write_bytes(b"")
    time.sleep(2.1)  # Only what has not changed for two seconds is known by its stamp.
    return folder


# Half of the time that judging some small images takes.
loaded_once = cache(Detector.load)


class Whole:
    """What runs that nobody disturbs make of some pictures: files by their endings, and the journal."""

    def __init__(self, pictures: Path, folder: Path, formats: tuple[str, ...] = (".csv",), *, errors: bool = False):
        self.files, self.journal = {}, b""
        keep = ResumeLog.remove

        def remove(journal: ResumeLog) -> None:
            self.journal = journal.path.read_bytes()
            keep(journal)

        with (
            pytest.MonkeyPatch.context() as patched,
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            patched.setattr(ResumeLog, "remove", remove)
            patched.setattr(Detector, "load", staticmethod(loaded_once))
            for suffix in formats:
                out = folder / "whole" / f"X{suffix}"
                broken = errors or any(
                    not path.exists() or path.read_bytes()[:8] == b"no image" for path in pictures.iterdir()
                )
                assert main(["predict", str(SMALL), str(pictures), "--out", str(out)]) == (INCOMPLETE if broken else 0)
                assert errors or beside(out) == left_out_of(out)
                for path in out.parent.glob("*.left-out.csv"):
                    path.unlink()
                self.files[suffix] = out.read_bytes()
                out.unlink()

    def part(self, rows: int) -> bytes:
        """The journal after so many rows."""
        return b"".join(self.journal.splitlines(keepends=True)[: 1 + rows])


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory) -> Whole:
    return Whole(pictures, tmp_path_factory.mktemp("whole"), FORMATS)


@pytest.fixture
def out(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "X.csv"


@pytest.fixture
def predict(capsys, monkeypatch):
    """Judges with the small detector in this process; returns exit code, output and error output."""
    monkeypatch.setattr(Detector, "load", staticmethod(loaded_once))

    def run(*arguments, bundle=SMALL) -> tuple[int, str, str]:
        try:
            code = main(["predict", *(str(argument) for argument in (bundle, *arguments))])
        except SystemExit as ended:  # argparse ends by itself.
            code = ended.code
        return code, *capsys.readouterr()

    return run


def journal_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.journal")


def one_line(err: str) -> str:
    assert len(err.splitlines()) == 1, err
    assert err.startswith("dfcore: ")
    assert "Traceback" not in err
    return err


def start(*arguments, disturbed: str = "", bundle: Path = SMALL) -> subprocess.Popen:
    """The command line in a process of its own; `disturbed` is what befalls it, as Python that runs before."""
    run = f"{textwrap.dedent(disturbed)}\nimport sys\nfrom dfcore.cli import main\nsys.exit(main(sys.argv[1:]))"
    way = ["-c", run] if disturbed else ["-m", "dfcore"]
    return subprocess.Popen(
        [sys.executable, *way, "predict", *map(str, (bundle, *arguments))],
        cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, output and error output."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


# What a process needs to kill itself at a chosen moment.
DEADLY = """
import os, signal
from pathlib import Path
from dfcore.batch.resume_log import ResumeLog

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(call):
    return lambda *values, **options: (call(*values, **options), die())

def die_halfway(call):
    return lambda journal: (row if number < 20 else die() for number, row in enumerate(call(journal)))

rows, unlink = ResumeLog.rows, Path.unlink
"""
FIRST_ROWS = f"{DEADLY}\nResumeLog.add = then_die(ResumeLog.add)"
FINAL_FILE = f"{DEADLY}\nResumeLog.rows = die_halfway(ResumeLog.rows)"
MOMENTS = {
    "when the final file is whole but not in its place": f"{DEADLY}\nPath.replace = die",
    "when the final file is in its place": f"{DEADLY}\nPath.replace = then_die(Path.replace)",
    "when the journal is gone but its lock is not": (
        f"{DEADLY}\nPath.unlink = lambda path, **options: (unlink(path, **options), path.suffix != '.journal' or die())"
    ),
}


@pytest.mark.slow
def test_after_a_kill_at_the_first_rows_every_image_has_one_row_all_the_same(pictures, whole, predict, out):
    asked = (pictures, "--out", out, "--batch-size", BATCH)
    assert ended(start(*asked, disturbed=FIRST_ROWS))[0] == -signal.SIGKILL
    assert journal_of(out).read_bytes() == whole.part(BATCH)
    code, text, err = predict(*asked)
    assert code == INCOMPLETE
    assert f"{COUNT - 2} verdicts in {out}, 2 files that cannot be judged" in text
    assert f"going on after {BATCH} verdicts in {journal_of(out)}" in err
    assert out.read_bytes() == whole.files[".csv"]
    assert beside(out) == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_kill_while_the_final_file_is_written_is_one_of_them(suffix, pictures, whole, predict, out):
    out = out.with_suffix(suffix)
    journal_of(out).write_bytes(whole.part(30))
    assert ended(start(pictures, "--out", out, disturbed=FINAL_FILE))[0] == -signal.SIGKILL
    assert journal_of(out).read_bytes() == whole.journal
    assert not out.exists(), "nobody sees half a file"
    assert predict(pictures, "--out", out)[0] == INCOMPLETE
    assert out.read_bytes() == whole.files[suffix]
    assert beside(out) == left_out_of(out)


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_kill_at_the_very_end_leaves_nothing_behind(moment, pictures, whole, predict, out):
    journal_of(out).write_bytes(whole.part(COUNT - 1))
    assert ended(start(pictures, "--out", out, disturbed=moment))[0] == -signal.SIGKILL
    assert predict(pictures, "--out", out)[0] == INCOMPLETE
    assert out.read_bytes() == whole.files[".csv"]
    assert beside(out) == []


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_and_double_nothing(pictures, out, predict, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(150):
        shutil.copy(pictures / f"{1 + number % COUNT}.png", many / f"{number}.png")
    moments, kills, orphans = random.Random(5), 0, 0
    asked = (many, "--out", out, "--batch-size", 2)
    while kills < 3:
        before = size_of(journal_of(out))
        process = start(*asked)
        while process.poll() is None and size_of(journal_of(out)) == before:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.3) if kills else 0)
        children = children_of(process.pid)
        process.kill()
        code, _, err = ended(process)
        assert code in (INCOMPLETE, -signal.SIGKILL), err
        if code == INCOMPLETE:
            break
        kills += 1
        wait_until(lambda left=children: not any(map(alive, left)))
        orphans += len(children)
    else:
        code, _, err = ended(start(*asked))
        assert code == INCOMPLETE, err
    assert kills
    assert orphans, "the decoding processes ended by themselves"
    assert read(out) == [str(many / f"{number}.png") for number in range(150)]
    assert beside(out) == []
    again = out.with_name("again.csv")
    assert predict(many, "--out", again)[0] == INCOMPLETE
    assert out.read_bytes() == again.read_bytes()


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def children_of(pid: int) -> list[int]:
    """Of whichever of its threads."""
    result: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            result += map(int, thread.read_text().split())
    return result


def alive(pid: int) -> bool:
    """Whether there is such a process, other than as an entry that nobody has asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(true) -> None:
    until = time.monotonic() + 120
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_run_that_is_stopped_from_the_keyboard_can_be_gone_on_with(pictures, whole, predict, out, monkeypatch):
    add = ResumeLog.add

    def stop(journal, rows):
        add(journal, rows)
        raise KeyboardInterrupt

    with no_thread_is_left(), monkeypatch.context() as patched:
        patched.setattr(ResumeLog, "add", stop)
        code, text, err = predict(pictures, "--out", out, "--batch-size", BATCH)
    assert (code, text) == (130, "")
    assert one_line(err) == "dfcore: stopped.\n"
    assert journal_of(out).read_bytes() == whole.part(BATCH)
    assert predict(pictures, "--out", out)[0] == INCOMPLETE
    assert out.read_bytes() == whole.files[".csv"]
    assert beside(out) == []


CHANGES = [("--batch-size", 1), ("--batch-size", "auto"), ("--workers", 1), ("--workers", 5), ("--engine", "openvino")]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda words: " ".join(map(str, words)))
def test_what_changes_no_verdict_may_be_another_when_going_on(changes, pictures, whole, predict, out):
    journal_of(out).write_bytes(whole.part(13))
    code, _, err = predict(pictures, "--out", out, *changes)
    assert code == INCOMPLETE, err
    assert "going on after 13 verdicts" in err
    assert out.read_bytes() == whole.files[".csv"]
    assert beside(out) == []


def test_without_order_every_image_has_one_row_too(pictures, whole, predict, out):
    journal_of(out).write_bytes(whole.part(13))
    assert predict(pictures, "--out", out, "--unordered", "--batch-size", 3, "--workers", 5)[0] == INCOMPLETE
    assert sorted(out.read_bytes().splitlines()) == sorted(whole.files[".csv"].splitlines())
    assert beside(out) == []


def test_the_answer_as_json_counts_what_was_gone_on_with(pictures, whole, predict, out):
    journal_of(out).write_bytes(whole.part(13))
    code, text, _ = predict(pictures, "--out", out, "--json")
    assert (code, json.loads(text)) == (INCOMPLETE, {"out": str(out), "verdicts": COUNT - 2, "errors": 2})


def test_errors_are_told_once_by_the_run_that_meets_them(pictures, whole, predict, out):
    _, _, err = predict(pictures, "--out", out)
    assert [line.split(": ")[1] for line in err.splitlines()] == [str(pictures / f"{n}.png") for n in (3, COUNT)]
    journal_of(out).write_bytes(whole.part(13))
    _, _, err = predict(pictures, "--out", out)
    assert f"{pictures}/{COUNT}.png" in err
    assert f"{pictures}/3.png" not in err


def test_workers_are_chosen_by_the_cores_where_that_is_asked_for(pictures, whole, predict, out):
    code, _, err = predict(pictures, "--out", out, "--workers", "auto")
    if code == 2:
        assert "--workers" in one_line(err)
    else:
        assert out.read_bytes() == whole.files[".csv"]


# === Damage, and what is in the way ===

TORN = {
    "a torn line": lambda data: data[:-7],
    "an end that is missing": lambda data: data[:-1],
    "zeros": lambda data: data + bytes(4096),
    "noise": lambda data: data + GARBAGE["noise"],
    "a hole": lambda data: data[:-3000] + bytes(100) + data[-2900:],
    "another journal's row": lambda data: data + GARBAGE["a row of something else"],
    "nothing": lambda _: b"",
    "half a first line": lambda data: data[:20],
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_damaged_journal_costs_time_alone(torn, pictures, whole, predict, out):
    out = out.with_suffix(".jsonl")
    journal_of(out).write_bytes(torn(whole.part(30)))
    code, _, err = predict(pictures, "--out", out)
    assert code == INCOMPLETE, err
    assert out.read_bytes() == whole.files[".jsonl"]
    assert beside(out) == []


def closed(folder: Path) -> Path:
    """A folder that nobody may write, not even root."""
    if os.geteuid():
        folder.mkdir()
        folder.chmod(0o500)
        return folder
    return Path("/sys/kernel")


# {what is in the way: (how it comes there, exit code, what is told)}.
IN_THE_WAY = {
    "an empty first line": (lambda out: journal_of(out).write_text("\n{}\n"), 2, "first line cannot be read"),
    "a journal that is a folder": (lambda out: journal_of(out).mkdir(), 1, "could not be written: Is a directory"),
    "a lock that is a folder": (lambda out: out.with_name(f".{out.name}.lock").mkdir(), 1, "could not be written"),
    "a file that is a folder": (lambda out: (out / "in").mkdir(parents=True), 2, ""),
}


@pytest.mark.parametrize(("put", "code", "expected"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_in_the_way_is_told_in_one_line(put, code, expected, pictures, predict, out):
    put(out)
    before = beside(out)
    result, _, err = predict(pictures / "1.png", "--out", out)
    assert result == code
    assert re.search(f"{out.name}.*{expected}", one_line(err))
    assert set(before) <= set(beside(out))
    assert not [name for name in beside(out) if "aside" in name]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(pictures, predict, tmp_path):
    code, _, err = predict(pictures, "--out", closed(tmp_path / "closed") / "X.csv")
    assert code == 1
    assert re.search("X.csv.* could not be written", one_line(err))


@pytest.fixture
def other(tmp_path, monkeypatch) -> Path:
    """A copy of the small detector whose card says something else."""
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path))
    folder = tmp_path / "other" / "small"
    shutil.copytree(SMALL, folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"threshold": card["threshold"] | {"value": 0.4}}))
    return folder


OTHERWISE = {
    "insisting": (("--ignore-ood",), "ignore_ood"),
    "false alarms": (("--max-fpr", "0.1"), "max_fpr"),
    "misses": (("--max-fnr", "0.1"), "max_fnr"),
    "both": (("--ignore-ood", "--max-fnr", "0.1"), "ignore_ood, max_fnr"),
    "engine": (("--engine", "keras"), "engines"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("changed", "expected"), OTHERWISE.values(), ids=OTHERWISE)
def test_verdicts_that_are_made_in_another_way_are_not_mixed(changed, expected, pictures, whole, predict, out):
    journal_of(out).write_bytes(whole.part(13))
    code, _, err = predict(pictures, "--out", out, *changed)
    assert code == 2
    assert f"{journal_of(out)} holds verdicts that were made in another way: {expected} differ" in one_line(err)
    assert journal_of(out).read_bytes() == whole.part(13)
    assert not out.exists()


def test_verdicts_of_another_detector_are_not_mixed(pictures, whole, predict, other, out):
    journal_of(out).write_bytes(whole.part(13))
    code, _, err = predict(pictures, "--out", out, bundle=other)
    assert code == 2
    assert "another way: detectors differ" in one_line(err), "a card that was changed"
    shutil.copytree(SMALL, other.with_name("copy"))
    code, _, err = predict(pictures, "--out", out, bundle=other.with_name("copy"))
    assert code == 2
    assert re.search("another way: .*detectors.* differ", one_line(err)), "rows would have two names in one file"
    shutil.copytree(SMALL, moved := other.parent / "moved" / "small")
    assert predict(pictures, "--out", out, bundle=moved)[0] == INCOMPLETE, "the same one in another place"
    assert out.read_bytes() == whole.files[".csv"]


@pytest.mark.slow
def test_of_two_processes_on_one_file_one_is_refused(pictures, whole, predict, out):
    halting = f"""{DEADLY}
add = ResumeLog.add
def halt(journal, rows):
    add(journal, rows)
    if journal.judged == {BATCH}:
        os.kill(os.getpid(), signal.SIGSTOP)
ResumeLog.add = halt
"""
    asked = (pictures, "--out", out, "--batch-size", BATCH)
    process = start(*asked, disturbed=halting)
    try:
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        code, _, err = predict(*asked)
        assert code == 2
        assert re.search(r"\.X\.csv\.journal is being written by another process", one_line(err))
        assert journal_of(out).read_bytes() == whole.part(BATCH)
        assert predict(pictures, "--out", out.with_suffix(".jsonl"))[0] == INCOMPLETE, "another file is no matter"
    finally:
        process.send_signal(signal.SIGCONT)
    assert ended(process)[0] == INCOMPLETE
    assert out.read_bytes() == whole.files[".csv"]
    assert beside(out) == ["X.jsonl"]


# === A disk that is full ===

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "at"),
    [(".csv", "the first line"), (".csv", "a row"), (".csv", "the final file"), (".parquet", "the final file")],
)
def test_when_nothing_more_can_be_written_nothing_is_lost(suffix, at, pictures, whole, predict, out):
    out = out.with_suffix(suffix)
    room = {"the first line": 10, "a row": len(whole.part(13)) - 50, "the final file": 2000}[at]
    if at == "the final file":
        journal_of(out).write_bytes(whole.journal)
    code, _, err = ended(start(pictures, "--out", out, "--batch-size", "4", disturbed=LIMITED.format(room)))
    assert code == 1
    text = [line for line in err.splitlines() if f"{pictures}/" not in line and "going on" not in line]
    blamed = out if at == "the final file" else journal_of(out)
    assert len(text) == 1
    assert re.fullmatch(f"dfcore: {re.escape(str(blamed))} could not be written: .*File too large[.]", text[0])
    assert not out.exists()
    assert not list(out.parent.glob(".aside-*"))
    if at == "a row":
        assert journal_of(out).read_bytes() == whole.journal[:room]
    assert predict(pictures, "--out", out)[0] == INCOMPLETE
    assert out.read_bytes() == whole.files[suffix]
    assert beside(out) == []


@pytest.mark.slow
def test_a_disk_that_is_full_is_told_and_gone_on_with_when_there_is_room(pictures, whole, out, tmp_path):
    """On a file system of 16 kB in a namespace of its own; it takes the journal's beginning alone."""
    disk = tmp_path / "disk"
    disk.mkdir()
    code = "import sys; from dfcore.cli import main; sys.exit(main(sys.argv[1:]))"
    asked = [
        sys.executable,
        "-c",
        code,
        "predict",
        str(SMALL),
        str(pictures),
        "--batch-size",
        "4",
        "--out",
        str(disk / out.name),
    ]
    script = f"""
        mount -t tmpfs -o size=16k none {disk} || exit 99
        "$@" 2> {tmp_path}/full.txt; echo $? > {tmp_path}/code.txt
        mount -o remount,size=1m {disk}
        "$@"; test $? = 3 || exit 98
        ls -A {disk}; cp {disk}/X.csv {out.parent}
    """
    process = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *asked],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if process.returncode not in (0, 98):
        pytest.skip(f"no file system can be mounted here: {process.stderr.strip()}")
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "code.txt").read_text().strip() == "1"
    err = (tmp_path / "full.txt").read_text()
    assert f"dfcore: {disk}/.X.csv.journal could not be written: No space left on device." in err
    assert "Traceback" not in err
    assert re.search(r"going on after [1-9]\d* verdicts", process.stderr), "what was written was kept"
    assert out.read_bytes() == whole.files[".csv"]
    assert process.stdout.splitlines()[1:] == ["X.csv"], "nothing lies beside it"


# === Names, and folders that change ===

ODD = (
    b"\xff.png", b"\xff\xfe.png", b"a\nb.png", b"\r\n.png", b'"quoted", and more.png', b" .png", b"=1+1.png", b"\t.png",
    b"x\x1b[2Jy.png", "\u202eäß.png".encode(),
)  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Path:
    """Images whose names are no UTF-8, or hold line ends and the like."""
    folder = tmp_path_factory.mktemp("odd") / "pictures"
    for number, name in enumerate(ODD):
        make_image(folder / "x.png", seed=number).rename(os.fsdecode(os.path.join(os.fsencode(folder), name)))
    return folder


@pytest.fixture(scope="module")
def whole_odd(odd, tmp_path_factory) -> Whole:
    return Whole(odd, tmp_path_factory.mktemp("whole"), (".csv", ".jsonl", ".parquet"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_odd_names_have_one_row_each_after_a_resume_too(suffix, odd, whole_odd, predict, out):
    out = out.with_suffix(suffix)
    expected = [storable(path) for path in iter_images([odd])]
    assert len(set(expected)) == len(ODD)
    for part in (1, 5, len(ODD) - 1):
        journal_of(out).write_bytes(whole_odd.part(part))
        code, _, err = predict(odd, "--out", out)
        assert code == 0, err
        assert len(err.splitlines()) == 1
        assert read(out) == expected
        assert out.read_bytes() == whole_odd.files[suffix]
        assert beside(out) == []


def test_names_that_are_written_alike_are_two_images_all_the_same(predict, out, tmp_path):
    """One is a byte that is no UTF-8, the other the escape that stands for it."""
    folder = tmp_path / "alike"
    for number, name in enumerate((b"\xff.png", b"\\udcff.png")):
        make_image(folder / "x.png", seed=number).rename(os.fsdecode(os.path.join(os.fsencode(folder), name)))
    twins = [sha256_file(path) for path in iter_images([folder])]
    whole = Whole(folder, tmp_path)
    for part in (0, 1):
        journal_of(out).write_bytes(whole.part(part))
        assert predict(folder, "--out", out)[0] == 0
        with open(out, newline="", encoding="utf-8") as file:
            assert [row["sha256"] for row in csv.DictReader(file)] == twins, part


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_cannot_be_read_may_have_an_odd_name_too(suffix, predict, out, tmp_path):
    """A link into nowhere: the reason names the file."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.png")).symlink_to("nowhere")
    (folder / "a\nb.png").symlink_to("nowhere")
    out = out.with_suffix(suffix)
    code, text, err = predict(folder, "--out", out)
    assert code == INCOMPLETE, err
    assert "2 files that cannot be judged" in text
    assert len(err.splitlines()) == 2
    assert sorted(read(out)) == sorted(storable(path) for path in folder.iterdir())


def test_files_may_come_and_go_before_a_run_is_gone_on_with(pictures, predict, out, tmp_path):
    folder = tmp_path / "changing"
    shutil.copytree(pictures, folder)
    whole = Whole(folder, tmp_path)
    journal_of(out).write_bytes(whole.part(20))
    (folder / "5.png").unlink()
    (folder / "30.png").unlink()
    make_image(folder / "0.png", seed=77)
    make_image(folder / "new" / "1.png", seed=78)
    code, text, _ = predict(folder, "--out", out)
    assert code == INCOMPLETE
    # A verdict that was made stays.
    judged = [f"{number}.png" for number in range(1, 21)]
    left = ["0.png", *(f"{number}.png" for number in range(21, COUNT + 1) if number != 30), "new/1.png"]
    assert read(out) == [str(folder / name) for name in judged + left]
    assert f"{COUNT - 1} verdicts" in text
    assert beside(out) == []


# === Resumed by content ===


@pytest.fixture
def leaky(tmp_path, pictures) -> Path:
    """A folder with one good picture, and with what has a row, or a count, without a verdict."""
    folder = tmp_path / "leaky"
    (folder / "in").mkdir(parents=True)
    shutil.copy(pictures / "1.png", folder)
    (folder / "7.png").symlink_to("nowhere")
    for name in ("8.HEIC", "film.mov", "in/some.zip", "in/notes.txt", "in/Thumbs.db", "a.dat", "b.dat"):
        (folder / name).write_bytes(b"\1\2")
    return folder


def verdicts(out: Path) -> dict[str, str]:
    """{path: sha256} of a file of verdicts; each path once."""
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row["sha256"] for row in rows}


def replaced(path: Path) -> None:
    make_image(path, seed=99)


def replaced_unseen(path: Path) -> None:
    """By one of the same size and time, as an archive or a copy may give it."""
    before, size = path.stat(), path.stat().st_size
    make_image(path, seed=99)
    path.write_bytes(path.read_bytes()[:size].ljust(size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swapped(path: Path) -> None:
    """With another one that was judged too: both verdicts would be the other's."""
    other, aside = path.with_name("2.png"), path.with_name("aside")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def renamed(path: Path) -> None:
    path.rename(path.with_name("moved.png"))


def touched(path: Path) -> None:
    path.touch()


def copied(path: Path) -> None:
    shutil.copy(path, path.with_name("0.png"))


def rewritten(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def broken(path: Path) -> None:
    path.write_text("no image")


@pytest.mark.parametrize(
    "happens",
    [replaced, replaced_unseen, swapped, renamed, touched, copied, rewritten, broken],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("stamped", [True, False], ids=["", "by version 0.5"])
def test_what_is_resumed_tells_of_the_files_as_they_are(happens, stamped, pictures, predict, out, tmp_path):
    folder = tmp_path / "changing"
    folder.mkdir()
    for number in (1, 2, 4, 5, 6):
        shutil.copy(pictures / f"{number}.png", folder)
    journal = Whole(folder, tmp_path).part(4)
    if not stamped:
        rows = [json.loads(line) for line in journal.splitlines()]
        for row in rows:
            row.pop("stamp", None)
        journal = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    journal_of(out).write_bytes(journal)
    happens(folder / "4.png")
    code, _, err = predict(folder, "--out", out, "--batch-size", 2)
    assert verdicts(out) == {str(path): sha256_file(path) for path in folder.iterdir()}
    assert code == (INCOMPLETE if happens is broken else 0)
    assert ("of an earlier version" in err) == (not stamped)
    for kind, text in {"replaced": "replaced since", "broken": "replaced since", "renamed": "another name"}.items():
        if happens.__name__ == kind:
            assert f"1 of the files judged before {'were' if 'since' in text else 'have'} {text}" in err
    assert beside(out) == []
    again = out.with_name("again.csv")
    predict(folder, "--out", again)
    assert sorted(out.read_bytes().splitlines()) == sorted(again.read_bytes().splitlines())


def test_unchanged_files_are_known_by_their_stamps_and_not_read(pictures, whole, predict, out, monkeypatch):
    journal_of(out).write_bytes(whole.part(30))
    reads = []
    monkeypatch.setattr("dfcore.batch.resume_log.decoder.read_bytes", lambda path: reads.append(path) or b"")
    with ResumeLog(out, json.loads(whole.part(0))) as journal:
        assert all(journal.strike(pictures / f"{number}.png") for number in range(1, 31))
    assert reads == []


def test_a_file_that_changed_a_moment_ago_is_not_known_by_its_stamp(tmp_path):
    path = make_image(tmp_path / "1.png")
    assert stamp(path) is None
    assert stamp(tmp_path / "gone") is None
    os.utime(path, (1, 1))
    assert stamp(path) is None, "its time was set, and this just now"


@pytest.mark.slow
@pytest.mark.parametrize("rows", range(6))
def test_rows_without_a_picture_keep_their_places(rows, leaky, predict, out, tmp_path):
    (leaky / "empty.png").touch()
    time.sleep(2.1)
    whole = Whole(leaky, tmp_path, errors=True)
    journal_of(out).write_bytes(whole.part(rows))
    assert predict(leaky, "--out", out)[0] == INCOMPLETE
    assert out.read_bytes() == whole.files[".csv"]


def test_what_is_not_left_out_any_more_has_no_row(leaky, predict, out, tmp_path):
    whole = Whole(leaky, tmp_path, errors=True)
    journal_of(out).write_bytes(whole.journal)
    (leaky / "film.mov").unlink()
    (leaky / "7.png").unlink()
    shutil.copy(leaky / "1.png", leaky / "7.png")
    code, *_ = predict(leaky, "--out", out)
    assert code == INCOMPLETE
    with open(out, newline="", encoding="utf-8") as file:
        rows = {Path(row["path"]).relative_to(leaky).as_posix(): row["error"] for row in csv.DictReader(file)}
    assert set(rows) == {"1.png", "7.png", "8.HEIC", "in/some.zip"}
    assert rows["7.png"] == ""


@pytest.mark.parametrize("twice", [False, True])
def test_a_run_killed_twice_drops_the_verdict_that_no_longer_holds(twice, pictures, predict, out, tmp_path):
    folder = tmp_path / "changing"
    folder.mkdir()
    for number in (1, 2, 4):
        shutil.copy(pictures / f"{number}.png", folder)
    journal_of(out).write_bytes(Whole(folder, tmp_path).part(2))
    replaced(folder / "1.png")
    if twice:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(ResumeLog, "settle", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
            assert predict(folder, "--out", out)[0] == 130
    assert predict(folder, "--out", out)[0] == 0
    assert verdicts(out) == {str(path): sha256_file(path) for path in folder.iterdir()}


def test_what_could_not_be_read_or_failed_by_accident_is_tried_again(predict, out, tmp_path, pictures):
    folder = tmp_path / "changing"
    folder.mkdir()
    shutil.copy(pictures / "1.png", folder)
    (folder / "2.png").symlink_to(folder / "later.jpg")
    rows = Whole(folder, tmp_path).journal.splitlines(keepends=True)
    killed = json.loads(rows[1]) | {"error": "Its decoder was killed.", "accident": True, "score": None}
    journal_of(out).write_bytes(b"".join([rows[0], json.dumps(killed).encode() + b"\n", rows[2]]))
    shutil.copy(pictures / "2.png", folder / "later.jpg")
    assert predict(folder, "--out", out)[0] == 0
    assert verdicts(out) == {str(path): sha256_file(path) for path in folder.iterdir()}


# === What is left out ===


ROWS = ["1.png", "7.png", "8.HEIC", "film.mov", "in/some.zip"]
COUNTS = {"*.dat": 2, "in/notes.txt": 1, "in/.*": 1}


@pytest.mark.parametrize("suffix", [*FORMATS, ""])
def test_what_is_left_out_has_a_row_or_a_count_and_the_exit_code_says_so(suffix, leaky, predict, out):
    asked = ("--out", out.with_suffix(suffix)) if suffix else ()
    if suffix == ".json":
        (leaky / "8.HEIC").rename(leaky / "8.jpg")
    code, text, err = predict(leaky, *asked)
    assert code == INCOMPLETE
    rows = [name.replace("HEIC", "jpg") if suffix == ".json" else name for name in ROWS]
    shown = f"{text}{err}"
    assert all(str(leaky / name) in shown for name in [*rows[1:], *COUNTS])
    if not suffix:
        assert sorted(line.split(": ")[0] for line in text.splitlines()) == sorted(str(leaky / name) for name in ROWS)
        return
    out = out.with_suffix(suffix)
    assert sorted(map(str, read(out))) == (["1"] if suffix == ".json" else sorted(str(leaky / name) for name in rows))
    with open(out.with_name(f"{out.name}.left-out.csv"), newline="", encoding="utf-8") as file:
        told = {row["path"]: int(row["files"]) for row in csv.DictReader(file)}
    counted = COUNTS | (dict.fromkeys(rows[1:], 1) if suffix == ".json" else {})
    assert told == {str(leaky / name): number for name, number in counted.items()}
    assert beside(out) == [f"{out.name}.left-out.csv"]


def test_the_answer_as_json_tells_what_is_left_out(leaky, predict, out):
    code, text, _ = predict(leaky, "--out", out, "--json")
    answer = json.loads(text)
    assert (code, answer["verdicts"], answer["errors"]) == (INCOMPLETE, 1, 4)
    assert {Path(one["path"]).relative_to(leaky).as_posix(): one["files"] for one in answer["left_out"]} == COUNTS
    code, text, _ = predict(leaky, "--json")
    assert {Path(row["path"]).relative_to(leaky).as_posix() for row in json.loads(text)} == set(ROWS)


def test_files_that_hold_no_picture_are_told_and_no_reason_for_another_exit_code(pictures, predict, out, tmp_path):
    folder = tmp_path / "sound"
    folder.mkdir()
    shutil.copy(pictures / "1.png", folder / "IMG_5")
    for name in ("README", "list.json", ".DS_Store"):
        (folder / name).write_text("text")
    code, _, err = predict(folder, "--out", out)
    assert code == 0
    assert read(out) == [str(folder / "IMG_5")]
    assert "list.json: no picture" in err
    assert beside(out) == [f"{out.name}.left-out.csv"]
    for name in ("README", "list.json", ".DS_Store"):
        (folder / name).unlink()
    assert predict(folder, "--out", out)[0] == 0
    assert beside(out) == [], "what was told of an earlier time is gone"


@pytest.mark.parametrize(
    "encoding",
    ["cp1252", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ascii", "latin-1", "cp437:strict"))],
)
def test_names_that_the_console_cannot_show_are_escaped(encoding, tmp_path):
    names = ["а.png", "写真.png", "\U0001f600.jpg_large", "ž\u202e.png"]
    for name in names:
        make_image(tmp_path / "picture.png").rename(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-m", "dfcore", "predict", str(SMALL), str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(names)
    assert b"\\u0430.png: " in done.stdout
    assert b"Traceback" not in done.stderr


def test_progress_never_tells_of_more_than_all(pictures, predict, out, tmp_path, monkeypatch):
    folder = tmp_path / "shrinking"
    shutil.copytree(pictures, folder)
    whole = Whole(folder, tmp_path)
    journal_of(out).write_bytes(whole.part(30))
    for number in range(1, 21):
        (folder / f"{number}.png").unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, _, err = predict(folder, "--out", out, "--batch-size", 2)
    shares = [int(share) for share in re.findall(r"judging: (\d+)%", err)]
    assert shares
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert shares.count(100) == 1, "it ends once"


def test_verdicts_on_another_folder_are_not_mixed(pictures, whole, predict, out, tmp_path):
    """Somebody gave a run up, and gives the same file for something else."""
    make_image(tmp_path / "elsewhere" / "1.png")
    journal_of(out).write_bytes(whole.part(13))
    code, _, err = predict(tmp_path / "elsewhere", "--out", out)
    if code == 2:
        assert journal_of(out).name in one_line(err)
    else:
        assert read(out) == [str(tmp_path / "elsewhere" / "1.png")]


def test_one_folder_that_is_named_in_two_ways_is_judged_once(pictures, predict, out, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    relative = Whole(Path(pictures.name), tmp_path)
    journal_of(out).write_bytes(relative.part(13))
    code, _, err = predict(pictures, "--out", out)
    if code == 2:
        assert journal_of(out).name in one_line(err)
    else:
        assert len({Path(name).name for name in read(out)}) == len(read(out)) == COUNT


def test_relative_names_mean_what_they_meant(pictures, predict, out, tmp_path, monkeypatch):
    """The same command in another folder names other images."""
    monkeypatch.chdir(pictures.parent)
    journal = Whole(Path(pictures.name), tmp_path).part(13)
    make_image(tmp_path / "here" / pictures.name / "1.png", seed=99)
    monkeypatch.chdir(tmp_path / "here")
    journal_of(out).write_bytes(journal)
    code, _, err = predict(pictures.name, "--out", out)
    if code == 2:
        assert journal_of(out).name in one_line(err)
    else:
        table = pd.read_csv(out)
        assert table.sha256.tolist() == [sha256_file(Path(pictures.name) / "1.png")]


def test_what_is_named_twice_is_told_alike_for_all(pictures, predict, out):
    """Neither the size of a batch nor a kill decides whether a second mention counts."""
    result = set()
    for size in (1, 8, 64):
        assert predict(pictures, pictures, "--out", out, "--batch-size", size)[0] == INCOMPLETE
        result |= set(Counter(read(out)).values())
    assert len(result) == 1, result
