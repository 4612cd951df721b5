"""The command line: what it prints, what it writes, and how it refuses."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dfcore import workspace
from dfcore.cli import main
from dfcore.datasets import scan
from dfcore.detectors.bundle import read_card, write_bundle
from dfcore.detectors.card import Training
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import promote
from dfcore.evaluation.robustness import CHANGES
from dfcore.runs import RunStore, State
from dfcore.runs.process import identity, place
from dfcore.training import presets
from dfcore.training.config import make_config
from dfcore.utils.files import sha256_file
from tests.conftest import give_right, make_card, untrained

TINY = ("--image-size", "32", "--epochs", "2", "--batch_size", "8", "--precision", "float32", "--early-stopping", "off")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """An untrained detector that has only what a card of version 0.1 told."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    write_bundle(folder, untrained(1), make_card(title="Untrained"))
    return folder


@pytest.fixture
def library(knowing) -> dict[str, Path]:
    """Both of them under the models folder."""
    for name, folder in knowing.items():
        promote(folder, workspace.models_dir(), name)
    return knowing


@pytest.fixture
def sized(tmp_path) -> dict[int, Path]:
    """Images of 32, 100 and 300 pixels."""
    result = {side: tmp_path / "sized" / f"{side}.png" for side in (32, 100, 300)}
    for side, path in result.items():
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    return result


@pytest.fixture
def numbered(tmp_path) -> Path:
    """1.png, 2.png and 10.png, as the competition names its files."""
    folder = tmp_path / "numbered"
    folder.mkdir()
    for number in (1, 2, 10):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 30, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def dfcore(capsys):
    """Runs a command; returns exit code, output and error output."""

    def run(*arguments) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse ends by itself.
            code = ended.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def answer(dfcore):
    """Runs a command with --json and returns its answer."""

    def run(*arguments, expected=0):
        code, out, err = dfcore(*arguments, "--json")
        assert code == expected, err
        return json.loads(out)

    return run


def made_run(data, state: State, **changes):
    config = make_config({"data_root": str(data), "epochs": 2, "name": "made by hand"})
    run = RunStore(workspace.runs_dir()).create(config.to_dict(), epochs=2)
    me = identity()
    run.update(state=state, pid=me["pid"], started=me["started"], place=place(), **changes)
    return run


# === Data ===


def test_scan_tells_layout_counts_and_problems(dfcore, small_dataset, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(small_dataset, data)
    (data / "train" / "real" / "broken.png").write_bytes(b"no image")
    (data / "train" / "real" / "film.mp4").touch()
    code, out, err = dfcore("data", "scan", data)
    assert (code, err) == (3, "")
    assert "train/real/film.mp4 (1): A video" in out
    assert "Layout: class folders, split into folders" in out
    assert re.search(r"validation\s+12\s+12", out)
    assert "Unusable images: 1" in out
    assert "train/real/broken.png: Not an image" in out


def test_scan_as_json(answer, small_dataset):
    result = answer("data", "scan", small_dataset)
    assert result["counts"]["test"] == {"real": 12, "fake": 12}
    assert (result["splits_drawn"], result["unlabelled"], result["unreadable"]) == (False, 0, [])
    assert re.fullmatch("[0-9a-f]{64}", result["fingerprint"])


def test_scan_says_when_it_draws_the_splits(answer, small_dataset):
    result = answer("data", "scan", small_dataset / "train")
    assert result["splits_drawn"] is True
    assert sum(count for row in result["counts"].values() for count in row.values()) == 24


@pytest.mark.slow
def test_demo_makes_a_set_that_says_what_it_is(dfcore, answer, tmp_path):
    code, out, _ = dfcore("data", "demo", tmp_path / "demo")
    assert code == 0
    assert "DEMONSTRATION" in out
    result = answer("data", "scan", tmp_path / "demo")
    assert result["demonstration"] is True
    assert set(result["counts"]) == {"train", "validation", "test"}
    assert result["unreadable"] == []
    code, _, err = dfcore("data", "demo", tmp_path / "demo")
    assert code == 2
    assert "new or empty folder" in err


# === Training and runs ===


def wait(answer, run: str, *states: str) -> dict:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        shown = answer("runs", "show", run)
        if shown["state"] in states:
            return shown
        assert shown["state"] in ("queued", "running", "stopping"), shown
        time.sleep(0.2)
    raise AssertionError(f"{run} is {shown['state']}")


@pytest.fixture
def no_process_is_left():
    yield
    for run in RunStore(workspace.runs_dir()):
        status = run.status()
        if status.state.active and status.pid not in (None, os.getpid()):
            os.kill(status.pid, signal.SIGKILL)


@pytest.mark.slow
def test_train_evaluate_predict_and_explain(dfcore, answer, small_dataset, tmp_path, no_process_is_left):
    """The whole way of the README, in one go."""
    code, out, err = dfcore("train", "--data_root", small_dataset, *TINY, "--name", "whole way")
    assert code == 0, err
    assert [line.split()[:2] for line in out.splitlines()[:2]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert "Balanced accuracy" in out
    (listed,) = answer("runs", "list")
    run = listed["id"]
    assert f"Run {run}" in err
    assert (listed["name"], listed["state"], listed["progress"]) == ("whole way", "completed", 1)

    shown = answer("runs", "show", run)
    assert shown["config"]["batch_size"] == 8
    assert shown["metrics"]["test"]["images"] == 24
    code, out, _ = dfcore("runs", "show", run)
    assert f"{shown['metrics']['test']['accuracy']:.4f}" in out

    measured = answer("evaluate", run, "--data-root", small_dataset, "--out", tmp_path / "test.parquet")
    assert measured["accuracy"] == shown["metrics"]["test"]["accuracy"]
    assert measured["same_data_as_training"] is True
    assert len(pd.read_parquet(tmp_path / "test.parquet")) == 24

    image = next((small_dataset / "test" / "fake").iterdir())
    (row,) = answer("predict", run, image)
    table = pd.read_parquet(tmp_path / "test.parquet").set_index("path")
    assert row["score"] == table.score[image.relative_to(small_dataset).as_posix()]
    text = answer("explain", run, image, "--out", tmp_path / "map.png")
    assert text["score"] == row["score"]

    code, _, err = dfcore("runs", "resume", run)
    assert code == 2
    assert "completed" in err
    assert dfcore("runs", "delete", run)[0] == 0
    assert answer("runs", "list") == []


@pytest.mark.slow
def test_train_repeated_tells_the_spread(dfcore, answer, small_dataset, no_process_is_left):
    """Two runs that differ in their seeds alone; they share the way of telling with `--repeat 1`."""
    code, out, err = dfcore("train", "--data-root", small_dataset, *TINY, "--epochs", "1", "--seed", "7", "--repeat", 2)
    assert code == 0, err
    runs = [answer("runs", "show", row["id"]) for row in reversed(answer("runs", "list"))]
    assert [run["config"]["seed"] for run in runs] == [7, 8]
    assert {**runs[0]["config"], "seed": 8} == runs[1]["config"]
    assert "test, 2 runs (mean ± standard deviation):" in out
    both = [run["metrics"]["test"]["roc_auc"] for run in runs]
    assert f"{np.mean(both):.4f} ± {np.std(both, ddof=1):.4f}" in out
    assert out.count("Detector saved in") == 2


@pytest.mark.slow
def test_train_repeated_and_detached_names_every_run(answer, small_dataset, no_process_is_left):
    started = answer("train", "--data-root", small_dataset, *TINY, "--repeat", 3, "--detach")
    assert [one["run"] for one in started] == [row["id"] for row in reversed(answer("runs", "list"))]
    assert len({one["folder"] for one in started}) == 3
    for one in reversed(started):
        answer("runs", "stop", one["run"])
    for one in started:
        assert wait(answer, one["run"], "stopped", "completed")


def test_a_recipe_is_overruled_by_a_file_and_both_by_options(dfcore, tmp_path, small_dataset):
    """Nothing is started here: what is wrong with the settings tells which were taken."""
    name = presets.names()[0]
    (tmp_path / "config.json").write_text(
        json.dumps({"data_root": str(small_dataset), "arch": "vit", "image_size": 16})
    )
    asked = ("train", "--preset", name, "--config", tmp_path / "config.json")
    code, _, err = dfcore(*asked)
    assert code == 2
    assert "there are ImageNet weights for" in err, "the preset's weights, and the file's architecture"
    assert "not for vit" in err
    _, _, err = dfcore(*asked, "--arch", "resnet50", "--weights", "none")
    assert "image_size: expected at least 32 for resnet50. Received: 16" in err
    assert "ImageNet" not in err


@pytest.mark.slow
def test_train_detached_then_stop_resume_and_delete(dfcore, answer, small_dataset, no_process_is_left):
    started = answer("train", "--data-root", small_dataset, *TINY, "--epochs", "15", "--detach")
    run = started["run"]
    assert Path(started["folder"]).parent == workspace.runs_dir()
    # As soon as it trains; before, a stop would come too early to have something to go on with.
    until = time.monotonic() + 300
    while answer("runs", "show", run)["epoch"] < 1 and time.monotonic() < until:
        time.sleep(0.1)
    code, _, err = dfcore("runs", "delete", run)
    assert code == 2
    assert "stop it" in err
    assert answer("runs", "stop", run)["state"] == "stopping"
    assert wait(answer, run, "stopped")["epoch"] >= 1
    assert answer("runs", "resume", run)["state"] == "queued"
    code, _, err = dfcore("runs", "resume", run)
    assert code == 2
    assert "already" in err, "pressed twice"
    assert wait(answer, run, "completed")["epoch"] == 15
    assert answer("runs", "delete", run)["state"] == "deleted"


def test_without_runs_the_list_says_how_to_start_one(dfcore):
    code, out, _ = dfcore("runs", "list")
    assert code == 0
    assert "dfcore train" in out


def test_runs_are_listed_shown_and_stopped(dfcore, answer, small_dataset):
    older = made_run(small_dataset, State.FAILED, reason="It rained.")
    newer = made_run(small_dataset, State.RUNNING, epoch=1)
    code, out, _ = dfcore("runs", "list")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [[newer.id, "running"], [older.id, "failed"]]
    code, out, _ = dfcore("runs", "show", older.id)
    assert code == 0
    assert "reason: It rained." in out
    code, out, _ = dfcore("runs", "stop", newer.id)
    assert (code, out.strip()) == (0, f"{newer.id}: stopping")
    assert answer("runs", "stop", newer.id)["state"] == "stopping", "asking twice does no harm"


@pytest.mark.parametrize("name", ["config.json", "status.json", "created.json", "metrics.json"])
@pytest.mark.parametrize("text", ["", '{"half', "[]"])
def test_a_damaged_run_is_listed_shown_and_deleted_like_the_others(dfcore, answer, small_dataset, name, text):
    sound = made_run(small_dataset, State.FAILED, reason="It rained.")
    broken = made_run(small_dataset, State.COMPLETED)
    (broken.folder / name).write_text(text)
    code, out, _ = dfcore("runs", "list")
    state = "completed" if name == "metrics.json" else "damaged"
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [[broken.id, state], [sound.id, "failed"]]
    code, out, _ = dfcore("runs", "show", broken.id)
    assert code == 0
    assert f"state: {state}" in out
    assert f"{name} is " in out if state == "damaged" else "ROC AUC" not in out
    shown = answer("runs", "show", broken.id)
    assert (shown["config"] is None, shown["metrics"]) == (name == "config.json", None)
    assert answer("runs", "delete", broken.id)["state"] == "deleted"
    assert [row["id"] for row in answer("runs", "list")] == [sound.id]


def test_another_folder_of_runs_can_be_named(answer, small_dataset, tmp_path):
    made_run(small_dataset, State.FAILED)
    assert len(answer("runs", "list", "--runs-dir", workspace.runs_dir())) == 1
    assert answer("runs", "list", "--runs_dir", tmp_path / "others") == []


# === Judging ===


def test_predict_prints_a_line_an_image(dfcore, bundle, numbered):
    code, out, err = dfcore("predict", bundle, numbered)
    verdicts = Detector.load(bundle).predict([numbered / f"{n}.png" for n in (1, 2, 10)])
    assert {v.label for v in verdicts} == {"fake"}, "a two-way threshold gives no right to other words"
    expected = [
        f"{numbered}/{n}.png: likely {v.label} (score {v.score:.4f}, by small)"
        for n, v in zip((1, 2, 10), verdicts, strict=True)
    ]
    assert (code, out.splitlines(), err) == (0, expected, "")


def test_predict_writes_the_competitions_json(dfcore, bundle, numbered, tmp_path):
    code, out, _ = dfcore("predict", bundle, numbered, "--out", tmp_path / "test_preds.json", "--batch_size", "2")
    assert code == 0
    assert "3 verdicts" in out
    entries = json.loads((tmp_path / "test_preds.json").read_text())
    assert [entry["index"] for entry in entries] == [1, 2, 10]
    assert all(set(entry) == {"index", "prediction"} for entry in entries)
    assert {entry["prediction"] for entry in entries} <= {"real", "fake"}


READERS = {
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".csv": lambda path: pd.read_csv(path).replace({np.nan: None}).to_dict("records"),
    ".parquet": lambda path: pd.read_parquet(path).astype(object).replace({np.nan: None}).to_dict("records"),
}


@pytest.mark.parametrize("suffix", READERS)
def test_predict_writes_every_row_and_names_the_unreadable(suffix, dfcore, answer, bundle, numbered, tmp_path):
    (numbered / "broken.png").write_bytes(b"no image")
    out = tmp_path / "out" / f"verdicts{suffix}"
    code, text, err = dfcore("predict", bundle, numbered, "--out", out)
    assert code == 3
    assert "3 verdicts" in text
    printed = json.loads(dfcore("predict", bundle, numbered, "--json")[1])
    assert err.splitlines() == [f"dfcore: {numbered}/broken.png: {printed[0]['error']}"]
    rows = {Path(row["path"]).name: row for row in READERS[suffix](out)}
    assert set(rows) == {"1.png", "2.png", "10.png", "broken.png"}
    (verdict,) = Detector.load(bundle).predict([numbered / "2.png"])
    assert rows["2.png"]["score"] == verdict.score, "no digit is lost on the way"
    assert (rows["2.png"]["verdict"], rows["2.png"]["label"]) == (verdict.decision, verdict.label)
    assert tuple(rows["2.png"]) == (
        "path", "sha256", "score", "verdict", "label", "reason", "detector", "error", "trained_on",
        "finding",
    )  # fmt: skip
    assert rows["2.png"]["finding"] == verdict.finding
    assert (rows["2.png"]["detector"], rows["2.png"]["reason"]) == ("small", None)
    assert rows["2.png"]["sha256"] == sha256_file(numbered / "2.png")
    assert rows["broken.png"]["score"] is None
    assert "Not an image" in rows["broken.png"]["error"]


def test_the_competitions_json_leaves_the_unreadable_out(dfcore, bundle, numbered, tmp_path):
    (numbered / "3.png").write_bytes(b"no image")
    code, _, err = dfcore("predict", bundle, numbered, "--out", tmp_path / "preds.json")
    assert code == 3
    assert "3.png" in err
    assert f'{numbered}/3.png,1,"Not an image' in (tmp_path / "preds.json.left-out.csv").read_text()
    assert [entry["index"] for entry in json.loads((tmp_path / "preds.json").read_text())] == [1, 2, 10]


def test_a_detector_is_known_by_its_name(answer, bundle, numbered):
    promote(bundle, workspace.models_dir(), "faces")
    by_name, by_folder = answer("predict", "faces", numbered), answer("predict", bundle, numbered)
    assert {row.pop("detector") for row in by_name} == {"faces"}
    assert {row.pop("detector") for row in by_folder} == {"small"}
    assert by_name == by_folder


def test_an_unlike_image_is_inconclusive_unless_one_insists(dfcore, answer, knowing, sized):
    asked = ("predict", knowing["thumbnails"], sized[300])
    code, out, err = dfcore(*asked)
    assert (code, err) == (0, "")
    assert f"{sized[300]}: inconclusive (score " in out
    assert "its shorter side has 300 pixels; the training images had 32." in out
    (row,) = answer(*asked)
    assert (row["verdict"], row["ood_reasons"]) == (
        "inconclusive",
        ["its shorter side has 300 pixels; the training images had 32"],
    )
    # The budgets leave no room between the thresholds, so that only the kind of the image can hold a verdict back.
    budgets = ("--max-fpr", 0.5, "--max-fnr", "0.5")
    assert answer(*asked, *budgets)[0]["verdict"] == "inconclusive"
    (insisted,) = answer(*asked, *budgets, "--ignore-ood")
    # A low score has a reason too, since this detector has no right to call it real; it is not the image's kind.
    assert insisted["finding"] in ("no_sign", "fake")
    assert (insisted["reason"] is None) == (insisted["finding"] == "fake")
    assert "unlike" not in (insisted["reason"] or "")
    assert insisted["score"] == row["score"]


def test_the_competitions_json_has_two_answers_whatever_the_three_way_verdict(answer, dfcore, knowing, sized, tmp_path):
    (row,) = answer("predict", knowing["thumbnails"], sized[300])
    assert dfcore("predict", knowing["thumbnails"], sized[300], "--out", tmp_path / "preds.json")[0] == 0
    (entry,) = json.loads((tmp_path / "preds.json").read_text())
    assert entry == {"index": 300, "prediction": "fake" if row["score"] >= row["threshold"] else "real"}
    assert (row["verdict"], row["label"]) == ("inconclusive", None)


def test_error_budgets_choose_the_thresholds(answer, knowing, small_dataset):
    images = small_dataset / "validation"
    strict, lax = (
        [row["finding"] for row in answer("predict", knowing["thumbnails"], images, *budget)]
        for budget in (("--max-fpr", 0, "--max-fnr", 0), ("--max_fpr", 0.5, "--max-fnr", 0.5))
    )
    assert set(strict) == {"inconclusive"}, "with no error allowed, 24 images teach no threshold"
    assert "inconclusive" not in lax
    one_sided = {row["finding"] for row in answer("predict", knowing["thumbnails"], images, "--max-fnr", 0)}
    assert not one_sided & {"real", "no_sign"}, "the part that was not named is the card's"


@pytest.mark.parametrize("may", [True, False])
def test_the_words_of_a_verdict_obey_the_card(may, answer, dfcore, knowing, small_dataset, tmp_path):
    """Whatever prints or writes a verdict; only a card with evidence lets it say "likely real"."""
    folder = shutil.copytree(knowing["thumbnails"], tmp_path / "thumbnails")
    if may:
        give_right(folder)
    images, budget = small_dataset / "validation", ("--max-fpr", 0.5, "--max-fnr", 0.5)
    rows = answer("predict", folder, images, *budget)
    said = {"real" if may else "no_sign", "fake"}
    assert {row["finding"] for row in rows} == said
    assert {row["verdict"] for row in rows} == ({"real", "fake"} if may else {"inconclusive", "fake"})
    assert all(row["reason"] for row in rows if row["finding"] == "no_sign")
    for suffix, read in READERS.items():
        assert dfcore("predict", folder, images, *budget, "--out", tmp_path / f"out{suffix}")[0] == 0
        written = {row["path"]: (row["verdict"], row["finding"]) for row in read(tmp_path / f"out{suffix}")}
        assert written == {row["path"]: (row["verdict"], row["finding"]) for row in rows}
    asked = [
        dfcore("predict", folder, images, *budget)[1],
        dfcore("evaluate", folder, "--data-root", small_dataset, "--split", "validation", *budget)[1],
    ]
    for text in asked:
        assert ("likely real" in text.replace("to call an image likely real", "")) == may, text
        assert ("no sign of a fake found" in text) != may, text


def test_auto_takes_the_detector_that_fits_each_image(answer, dfcore, library, sized):
    rows = {Path(row["path"]).name: row for row in answer("predict", "auto", sized[300].parent)}
    assert (rows["32.png"]["detector"], rows["300.png"]["detector"]) == ("thumbnails", "photographs")
    assert not rows["32.png"]["ood_reasons"]
    assert not rows["300.png"]["ood_reasons"]
    # Between the two neither fits, and that is said.
    assert rows["100.png"]["verdict"] == "inconclusive"
    for name, detector in (("32.png", "thumbnails"), ("300.png", "photographs")):
        (alone,) = answer("predict", library[detector], sized[300].parent / name)
        assert rows[name] == alone
    code, out, _ = dfcore("predict", "auto", sized[32])
    assert code == 0
    assert ", by thumbnails)" in out


def test_auto_names_what_cannot_be_read(answer, library, sized):
    bad = sized[32].parent / "0.png"
    bad.write_bytes(b"no image")
    rows = answer("predict", "auto", sized[32].parent, expected=3)
    assert "Not an image" in rows[0]["error"]
    assert rows[0]["verdict"] is None
    assert len(rows) == 4


def test_evaluate_prints_the_figures(dfcore, bundle, small_dataset):
    code, out, _ = dfcore("evaluate", bundle, "--data_root", small_dataset, "--split", "validation")
    assert code == 0
    assert "validation: 24 images (12 real, 12 fake), threshold 0.5000" in out
    for name in ("ROC AUC", "EER", "Brier score", "macro avg"):
        assert name in out


def test_evaluate_writes_what_the_ending_says(answer, bundle, small_dataset, tmp_path):
    """The same rows in each format, to the last bit."""
    texts = {}
    for suffix in (".csv", ".jsonl", ".parquet", ".CSV"):
        answer("evaluate", bundle, "--data-root", small_dataset, "--out", tmp_path / f"x{suffix}")
        texts[suffix] = (tmp_path / f"x{suffix}").read_bytes()
    table = pd.read_parquet(tmp_path / "x.parquet")
    assert len(table) == 24
    assert texts[".csv"] == texts[".CSV"]
    assert texts[".csv"].startswith(b"path,sha256,label,group,logit,score,is_ood,pixels_sha256,trained_on\n")
    read = {
        "csv": pd.read_csv(tmp_path / "x.csv"),
        "jsonl": pd.DataFrame([json.loads(line) for line in texts[".jsonl"].splitlines()]),
    }
    for rows in read.values():
        assert rows.path.tolist() == table.path.tolist()
        assert rows.score.tolist() == table.score.tolist()
        assert rows.logit.astype("float32").tolist() == table.logit.tolist()
        assert rows.label.tolist() == table.label.tolist()
        assert rows.is_ood.tolist() == table.is_ood.tolist()


def test_evaluate_all_splits(answer, bundle, small_dataset):
    assert answer("evaluate", bundle, "--data-root", small_dataset, "--split", "all")["images"] == 72


def test_evaluate_tells_the_three_answers_and_the_calibration_error(dfcore, answer, knowing, small_dataset):
    asked = ("evaluate", knowing["thumbnails"], "--data-root", small_dataset)
    result = answer(*asked)
    thresholds = read_card(knowing["thumbnails"]).thresholds
    three = result["three_way"]
    assert (three["real_below"], three["fake_from"]) == (thresholds.real_below, thresholds.fake_from)
    assert {name: sum(row.values()) for name, row in three["counts"].items()} == {"real": 12, "fake": 12}
    assert 0 <= result["ece"] <= 1
    code, out, _ = dfcore(*asked)
    assert code == 0
    assert re.search(rf"\(ECE\)\s+{result['ece']:.4f}", out)
    assert f"inconclusive {three['abstention_rate']:.1%}" in out
    strict = answer(*asked, "--max-fpr", 0, "--max-fnr", 0)["three_way"]
    assert (strict["abstention_rate"], strict["fpr"], strict["fnr"]) == (1, 0, 0)


def test_evaluate_keeps_what_it_measured_for_the_dashboard(answer, knowing, small_dataset):
    from dfcore.evaluation.results import stored

    result = answer("evaluate", knowing["thumbnails"], "--data-root", small_dataset, "--split", "validation")
    (saved,) = stored(workspace.measurements_dir(), read_card(knowing["thumbnails"]).model_sha256)
    assert saved.title == "small, validation"
    assert saved.metrics == result
    assert len(saved.table()) == result["images"] == 24


def test_evaluate_by_group(dfcore, answer, bundle, small_dataset, tmp_path):
    for group, split in (("camera", "train"), ("phone", "test")):
        for label in ("real", "fake"):
            shutil.copytree(small_dataset / split / label, tmp_path / "data" / group / label)
    asked = ("evaluate", bundle, "--data-root", tmp_path / "data", "--split", "all")
    groups = answer(*asked)["groups"]
    assert {name: (result["real"], result["fake"]) for name, result in groups.items()} == {
        "camera": (12, 12), "phone": (12, 12)}  # fmt: skip
    _, out, _ = dfcore(*asked)
    assert re.search(rf"camera\s+24\s+12\s+12\s+0.500\s+{groups['camera']['roc_auc']:.3f}", out)


def test_evaluate_measures_robustness_when_asked(dfcore, answer, knowing, small_dataset):
    asked = ("evaluate", knowing["thumbnails"], "--data-root", small_dataset, "--robustness", "--max-images", 10)
    rows = answer(*asked)["robustness"]
    assert [row["change"] for row in rows] == ["original", *(change.name for change in CHANGES)]
    assert {row["images"] for row in rows} == {10}
    code, out, _ = dfcore(*asked)
    assert code == 0
    for change in CHANGES:
        assert change.title in out
    assert "robustness" not in answer("evaluate", knowing["thumbnails"], "--data-root", small_dataset)


def test_nothing_that_was_trained_on_is_measured_as_test(answer, bundle, small_dataset, tmp_path):
    """Splits that were drawn for the training are drawn again as they were."""
    config = make_config({"data_root": "data", "test_share": 0.25, "seed": 5})
    training = Training(dataset="data", config=config.to_dict())
    write_bundle(tmp_path / "bundle", Detector.load(bundle).model, make_card(training=training))
    data = small_dataset / "train"
    from dfcore.datasets import assign_splits

    drawn = assign_splits(scan(data), config.split_policy).counts().loc["test"].sum()
    assert answer("evaluate", tmp_path / "bundle", "--data-root", data)["images"] == drawn
    assert answer("evaluate", bundle, "--data-root", data)["images"] != drawn, "else this shows nothing"


@pytest.mark.slow
def test_matrix_measures_every_detector_on_every_data_set(dfcore, answer, knowing, small_dataset, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(small_dataset / "test", other)
    asked = ("cross-eval", *knowing.values(), "--data-root", small_dataset, other)
    rows = answer(*asked)
    assert [(row["detector"], row["data set"], row["images"]) for row in rows] == [
        (name, *data) for name in knowing for data in (("small", 72), ("other", 24))]  # fmt: skip
    for row in rows:
        single = answer("evaluate", knowing[row["detector"]], "--split", "all", "--data-root",
                        small_dataset if row["data set"] == "small" else other)  # fmt: skip
        assert row["roc_auc"] == single["roc_auc"]
        assert row["abstention_rate"] == single["three_way"]["abstention_rate"]
        assert row["trained on it"] == "unknown"
    assert {row["ood_rate"] for row in rows if row["detector"] == "photographs"} == {1}, "32 pixels are not 300"
    code, out, _ = dfcore(*asked, "--split", "test")
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split()[:4] == ["detector", "data", "set", "images"]
    assert [line.split()[:3] for line in lines][:2] == [["thumbnails", "small", "24"], ["thumbnails", "other", "4"]]
    assert "photographs on other: The detector refuses every one of these 4 images" in out


@pytest.mark.slow
def test_compare_tells_whether_chance_may_have_done_it(dfcore, answer, knowing, bundle, small_dataset):
    asked = ("--data-root", small_dataset, "--split", "all")
    result = answer("compare", *knowing.values(), *asked)
    assert result["images"] == 72
    assert result["detectors"] == {"a": "Thumbnails", "b": "Photographs"}
    for key, folder in zip("ab", knowing.values(), strict=True):
        single = answer("evaluate", folder, *asked)
        assert result[f"accuracy_{key}"] == single["accuracy"]
        assert result[f"auc_{key}"] == pytest.approx(single["roc_auc"])
    code, out, _ = dfcore("compare", knowing["thumbnails"], knowing["thumbnails"], *asked)
    assert code == 0
    assert out.splitlines()[:2] == ["A: Thumbnails", "B: Thumbnails"]
    assert "p = 1, not significant" in out, "one detector is no better than itself"


def test_evaluate_with_one_class_tells_what_is_missing(dfcore, bundle, small_dataset, tmp_path):
    shutil.copytree(small_dataset / "test" / "fake", tmp_path / "data" / "test" / "fake")
    code, out, err = dfcore("evaluate", bundle, "--data-root", tmp_path / "data")
    assert code == 0, err
    assert re.search(r"ROC AUC\s+not computed: Needs both classes; there are 0 real and 12 fake", out)


@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_explain_writes_a_picture(method, dfcore, answer, bundle, numbered, tmp_path):
    out = tmp_path / "maps" / "map.png"
    code, text, err = dfcore("explain", bundle, numbered / "1.png", "--method", method, "--out", out)
    assert (code, err) == (0, "")
    assert "score" in text
    assert str(out) in text
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width > 30
        assert picture.height > 40
    message = answer("explain", bundle, numbered / "1.png", "--method", method, "--target", "real", "--out", out)
    assert (message["method"], message["target"]) == (method, "real")
    assert message["layer"] == (None if method == "saliency" else "conv_last")
    assert (message["view"], message["region"][:2]) == ("whole image", [0, 0])


# === How it refuses ===

# {reason: (arguments, what stderr says)}; B is a bundle, D a data set, N a folder of numbered images.
REFUSED = {
    "scan: no such folder": ("data scan gone", "There is no folder or manifest gone"),
    "scan: no class": ("data scan N", "No folder in .* names a class. .* Layouts that are known: .*; .*"),
    "scan: no images": ("data scan EMPTY", "No images were found"),
    "train: no data": ("train", "Expected --data-root ROOT"),
    "train: no such data": ("train --data-root gone", "There is no folder or manifest gone"),
    "train: one class": ("train --data-root ONE", "Expected both classes"),
    "train: unknown architecture": ("train --data-root D --arch vgg", "arch: expected one of cnn, .*'vgg'"),
    "train: all that is wrong at once": (
        "train --data-root D --epochs 0 --lr 5 --loss l2",
        "epochs: .*lr: |lr: .*epochs: ",
    ),
    "train: no number": ("train --data-root D --batch_size many", "batch_size: .*'many'"),
    "train: size below the architecture's": ("train --data-root D --arch resnet50 --image-size 16", "at least 32"),
    "train: no such weights": ("train --data-root D --weights gone.h5", "weights: expected none, imagenet, shipped or"),
    "train: no such config": ("train --config gone.json", "gone.json cannot be read"),
    "train: unknown setting": ("train --data-root D --config ODD", "batchsize: there is no such setting"),
    "train: unknown option": ("train --data-root D --speed 3", "unrecognized arguments: --speed"),
    "train: unknown preset": ("train --data-root D --preset huge", r"Expected a preset out of small.*Received: 'huge'"),
    "train: a preset that does not fit what else is asked for": (
        "train --data-root D --preset small --image-size 16",
        "image_size: expected at least 32 for mobilenetv2_multiscale_fine",
    ),
    "train: not even once": ("train --data-root D --repeat 0", "Expected --repeat of at least 1. Received: 0"),
    "train: early stopping beside cross-validation": (
        "train --data-root D --cross-validation content",
        "early_stopping: expected off with cross-validation",
    ),
    "train: patches for a network of one size": (
        "train --data-root D --arch vit --augmentation patch",
        "augmentation: random_crop needs one of",
    ),
    "runs: unknown": ("runs show gone", "There is no run 'gone'"),
    "runs: a way out": ("runs delete ../numbered", "There is no run"),
    "evaluate: unknown detector": ("evaluate gone --data-root D", "There is no detector 'gone'"),
    "evaluate: no such split": (
        "evaluate B --data-root D --split holdout",
        "--split train, validation, test, all.*'holdout'",
    ),
    "evaluate: an ending that is none": (
        "evaluate B --data-root gone --out x.txt",
        "Expected --out FILE ending in .csv, .jsonl, .parquet. Received: x.txt",
    ),
    "evaluate: no ending": ("evaluate B --data-root gone --out x", "Expected --out FILE ending in .csv"),
    "evaluate: a folder": ("evaluate B --data-root gone --out folder.csv", "Expected a file after --out. Received a"),
    "explain: a folder": ("explain B N/1.png --out folder.png", "Expected a file after --out. Received a folder"),
    "predict: a folder": ("predict B N --out folder.csv", "Expected a file after --out. Received a folder"),
    "evaluate: a split without images": (
        "evaluate B --data-root ONE --split test",
        "no usable image in the split 'test'",
    ),
    "evaluate: a budget above one half": (
        "evaluate B --data-root D --max-fnr 0.7",
        "Expected error budgets between 0 and 0.5. Received: .*0.7",
    ),
    "evaluate: a budget that is no number": ("evaluate B --data-root D --max-fnr few", "--max-fnr.*: invalid float"),
    "evaluate: nothing to choose thresholds on": (
        "evaluate B --data-root D --max-fnr 0.1",
        "Untrained has no stored predictions on unseen images",
    ),
    "evaluate: too few for robustness": (
        "evaluate B --data-root D --max-images 1",
        "Expected --max-images of at least 2",
    ),
    "cross-eval: unknown detector": ("cross-eval B gone --data-root D", "There is no detector 'gone'"),
    "matrix: no data": ("cross-eval B", "--data-root"),
    "matrix: no such split": ("cross-eval B --data-root D --split holdout", "invalid choice: 'holdout'"),
    "compare: one detector only": ("compare B --data-root D", "required: BUNDLE"),
    "compare: no such split": ("compare B B --data-root D --split holdout", "--split train, validation, test, all"),
    "predict: nothing to choose from": (
        "predict auto N",
        "There is no detector in .* to choose from",
    ),
    "predict: a negative budget": ("predict B N --max-fpr -0.1", "Expected error budgets between 0 and 0.5"),
    "predict: nothing to choose thresholds on": (
        "predict B N --max-fpr 0.1",
        "Untrained has no stored predictions on unseen images",
    ),
    "evaluate: no data": ("evaluate B", "--data-root"),
    "predict: no such image": ("predict B gone.png", "There is no file or folder gone.png"),
    "predict: empty folder": ("predict B EMPTY", "No images were found"),
    "predict: unknown format": (
        "predict B N --out out.txt",
        "Expected --out FILE ending in .json, .jsonl, .csv, .parquet",
    ),
    "predict: no batch": (
        "predict B N --batch-size 0",
        "--batch-size.*: expected auto or a number of at least 1. Received: 0",
    ),
    "predict: names that are no numbers": ("predict B NAMED --out out.json", "needs names that are numbers.*'photo'"),
    "explain: unknown method": ("explain B N/1.png --method lime --out o.png", "Expected one of the methods gradcam, "),
    "explain: unknown target": ("explain B N/1.png --target dog --out o.png", "Expected one of the targets fake, real"),
    "explain: unknown view": (
        "explain B N/1.png --view left --out o.png",
        r"Expected one of the views 0 \(stretch\)\. Received: 'left'",
    ),
    "explain: unknown layer": (
        "explain B N/1.png --layer x --out o.png",
        "Expected one of the layers conv_1, conv_last",
    ),
    "explain: no picture": ("explain B N/1.png --out o.jpg", "Expected --out FILE ending in .png"),
    "explain: no image": ("explain B ODD --out o.png", "Not an image"),
    "no such command": ("dance", "invalid choice"),
    "no command": ("", "required"),
}


@pytest.mark.parametrize(("command", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_gives_code_2_and_one_line_that_says_why(
    command, message, dfcore, bundle, numbered, small_dataset, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    named, one, odd, empty = tmp_path / "named", tmp_path / "one", tmp_path / "odd.json", tmp_path / "empty"
    named.mkdir()
    empty.mkdir()
    for suffix in ("csv", "png"):
        (tmp_path / f"folder.{suffix}").mkdir()
    shutil.copy(numbered / "1.png", named / "photo.png")
    shutil.copytree(small_dataset / "train" / "real", one / "train" / "real")
    odd.write_text('{"batchsize": 3}')
    places = {"B": bundle, "D": small_dataset, "N": numbered, "NAMED": named, "ONE": one, "ODD": odd, "EMPTY": empty}
    words = [re.sub(r"^[A-Z]+(?=$|/)", lambda m: str(places[m[0]]), word) for word in command.split()]
    code, out, err = dfcore(*words)
    assert code == 2, err
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("dfcore: ")
    assert "Traceback" not in err
    assert re.search(message, err), err
    assert not list(tmp_path.glob("o*.png"))
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir()), "nothing was started"


def test_a_failure_of_ours_gives_code_1(dfcore, bundle, numbered, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = dfcore("predict", bundle, numbered, "--out", tmp_path / "file" / "out.csv")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "could not be written" in err


def test_the_version_is_told(dfcore):
    code, out, _ = dfcore("--version")
    assert code == 0
    assert re.fullmatch(r"dfcore \d+\.\d+\.\d+\S*\n", out)


def test_looking_at_runs_loads_no_tensorflow():
    """It would cost seconds for every glance."""
    code = "import sys, dfcore.cli; dfcore.cli.main(['runs', 'list']); sys.exit('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=root, stdout=subprocess.DEVNULL, check=False).returncode == 0
    )


def test_no_option_is_taken_for_the_old_name_of_another():
    from dfcore import cli, compat

    for command, parser in cli._parser()._subparsers._group_actions[0].choices.items():
        nested = [action.choices.values() for action in parser._actions if isinstance(action.choices, dict)]
        for one in (parser, *(sub for subs in nested for sub in subs)):
            for option in set(one._option_string_actions) & compat.OPTIONS.keys():
                assert option in compat.NEW_OPTIONS.get(command, ()), f"{command} {option}"
