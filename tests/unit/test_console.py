"""No name ends a command, whatever the console can show: it is escaped, the rest is judged, and files are UTF-8."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from dfcore.cli import main
from dfcore.detectors.detector import Detector
from dfcore.runs import RunStore
from dfcore.runs.launch import _environment
from dfcore.utils.processes import SYSTEM_ALLOCATOR
from tests.conftest import make_image

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "models" / "small"
# Cyrillic, Chinese beside an emoji, control characters, an override of direction, bytes that are no UTF-8.
NAMES = {
    "cyrillic": "фото.png",
    "astral": "照片 🙂.png",
    "control": "a\n\x1b[31m\tb.png",
    "override": "gnp.\u202eexe.png",
    "no UTF-8": os.fsdecode(b"caf\xe9.png"),
}
CONSOLES = ["cp1252", "ascii", "utf-8"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse some of these names")


@pytest.fixture(scope="module")
def loaded():
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DFCORE_MODELS", str(SMALL.parent))
        return Detector.load(SMALL)


@pytest.fixture
def odd(tmp_path) -> Path:
    """{real,fake} with an image of each name."""
    for label in ("real", "fake"):
        for seed, name in enumerate(NAMES.values()):
            make_image(tmp_path / "фотографии" / label / name, seed=seed + 10 * (label == "fake"))
    return tmp_path / "фотографии"


@pytest.fixture(params=CONSOLES)
def console(request, monkeypatch, loaded):
    """Runs a command on such a console; returns exit code, output and error output."""
    monkeypatch.setattr(Detector, "load", staticmethod(lambda *_: loaded))

    def run(*arguments) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), request.param, "strict") for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        code = main([str(argument) for argument in arguments])
        for stream in streams:
            stream.flush()
        return code, *(stream.buffer.getvalue().decode(request.param) for stream in streams)

    return run


def plain(text: str) -> bool:
    """Whether a terminal shows it as it stands, a line a line."""
    return all(character.isprintable() or character == "\n" for character in text)


def test_predict_judges_all(odd, console):
    code, text, err = console("predict", SMALL, odd)
    assert (code, err) == (0, "")
    assert len(text.splitlines()) == 2 * len(NAMES)
    assert text.count("(score ") == 2 * len(NAMES)
    assert plain(text)


def test_predict_as_json_stays_json(odd, console):
    code, text, _ = console("predict", SMALL, odd, "--json")
    rows = json.loads(text)
    assert code == 0
    assert {Path(row["path"]).name for row in rows} >= {NAMES["cyrillic"], NAMES["astral"], NAMES["control"]}
    assert all(row["error"] is None for row in rows)


def test_predict_names_what_cannot_be_judged(odd, console):
    for path in odd.glob("real/*"):
        path.write_bytes(b"no image")
    code, text, err = console("predict", SMALL, odd, "--out", odd / "вывод.csv")
    assert code == 3
    assert f"{len(NAMES)} verdicts" in text
    assert sum("Not an image" in line for line in err.splitlines()) == len(NAMES)
    assert plain(text + err)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_what_is_written_is_utf_8_whatever_the_console(suffix, odd, console, tmp_path):
    out = tmp_path / f"вывод{suffix}"
    assert console("predict", SMALL, odd, "--out", out)[0] == 0
    assert NAMES["cyrillic"] in {Path(path).name for path in paths_of(out)}
    measured = tmp_path / f"измерено{suffix}"
    code, _, err = console("evaluate", SMALL, "--data-root", odd, "--split", "all", "--out", measured)
    assert code == 0, err
    assert NAMES["cyrillic"] in {Path(path).name for path in paths_of(measured)}


def paths_of(out: Path) -> list[str]:
    if out.suffix == ".parquet":
        return pd.read_parquet(out).path.tolist()
    with open(out, encoding="utf-8", newline="") as file:
        return [row["path"] for row in (csv.DictReader(file) if out.suffix == ".csv" else map(json.loads, file))]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_scan_tells_of_odd_names(as_json, odd, console):
    (odd / "real" / NAMES["control"]).write_bytes(b"no image")
    code, text, err = console("data", "scan", odd, *(["--json"] if as_json else []))
    assert (code, err) == (3, "")
    if as_json:
        assert len(json.loads(text)["unreadable"]) == 3, "no image, and two names that are no UTF-8"
    else:
        assert plain(text)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_explain_takes_and_writes_any_name(name, odd, console, tmp_path):
    out = tmp_path / f"карта {name}"
    code, text, err = console("explain", SMALL, odd / "fake" / name, "--out", out)
    assert (code, err) == (0, "")
    assert plain(text)
    assert out.read_bytes().startswith(b"\x89PNG")
    code, text, _ = console("explain", SMALL, odd / "fake" / name, "--out", out, "--json")
    assert json.loads(text)["out"] == str(out)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_error_that_names_a_file_is_one_plain_line(name, console, tmp_path):
    code, text, err = console("predict", SMALL, tmp_path / f"нет {name}")
    assert (code, text) == (2, "")
    assert len(err.splitlines()) == 1
    assert plain(err)


def test_runs_of_odd_names_are_listed(console, tmp_path, small_dataset):
    run = RunStore(tmp_path / "runs").create({"arch": "cnn", "name": "прогон 🙂\x1b[31m", "data_root": "x"}, epochs=1)
    code, text, err = console("runs", "list")
    assert (code, err) == (0, "")
    assert run.id in text
    assert plain(text)


@pytest.mark.slow
def test_a_process_of_its_own_on_such_a_console(odd):
    asked = [sys.executable, "-m", "dfcore", "predict", SMALL, *(odd / "fake").iterdir()]
    own = os.environ | {"PYTHONIOENCODING": "cp1252", "DFCORE_MODELS": str(SMALL.parent)}
    done = subprocess.run(asked, cwd=ROOT, env=own, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode("cp1252")
    assert done.stdout.count(b"(score ") == len(NAMES)
    assert rb"\u0444\u043e\u0442\u043e.png" in done.stdout


def test_the_log_of_a_run_is_utf_8_whatever_the_console(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    code = r"print('фото \udce9')"
    log = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, check=True).stdout
    assert log.decode().strip() == "фото \\udce9"


def test_training_keeps_the_allocator_that_the_dashboard_does_without(monkeypatch):
    monkeypatch.setenv(SYSTEM_ALLOCATOR, "1")
    assert _environment()[SYSTEM_ALLOCATOR] == "0"
