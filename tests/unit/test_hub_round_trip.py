"""A detector that is trained here, pushed to the stand-in and pulled elsewhere scores the same to the last bit."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.standins import hugging_face

pytest.importorskip("huggingface_hub")
ROOT = Path(__file__).parents[2]


def run(workspace: Path, hub, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dfcore", *arguments], env=environment(workspace, hub), cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert hugging_face.TOKEN not in done.stdout + done.stderr
    return done.stdout


def environment(workspace: Path, hub) -> dict[str, str]:
    folders = {f"DFCORE_{name.upper()}": str(workspace / name) for name in ("runs", "models", "data", "cases", "cache")}
    return (
        os.environ | folders | {"HF_ENDPOINT": hub.address, "HF_TOKEN": hugging_face.TOKEN, "HF_HOME": str(workspace)}
    )


def rows(workspace: Path, hub, detector: str, images: Path) -> list[dict]:
    told = json.loads(run(workspace, hub, "predict", detector, str(images), "--json"))
    # What differs is the name alone.
    return [{key: value for key, value in row.items() if key != "detector"} for row in told]


@pytest.mark.slow
def test_trained_pushed_and_pulled_in_a_fresh_workspace_it_scores_the_same_to_the_last_bit(small_dataset, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    with hugging_face.running() as hub:
        train = ("train", "--data-root", str(small_dataset), "--epochs", "1", "--image-size", "32", "--name", "Trip")
        run(here, hub, *train)
        trained = next(path.name for path in (here / "runs").iterdir() if not path.name.startswith("."))
        told = json.loads(run(here, hub, "push", trained, "hf:tester/trip", "--json"))
        pull = ("pull", told["address"], "--digest", told["digest"])
        # Some thousand bytes a time, so that it is far from its end when it is killed.
        hub.cut("/model.keras?", after=5000, times=10**6)
        killed = subprocess.Popen(
            [sys.executable, "-m", "dfcore", *pull], env=environment(there, hub), cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not [path for path in there.glob("models/.pull-*/model.keras") if path.stat().st_size]:
            assert killed.poll() is None, "it ended by itself"
            time.sleep(0.05)
        killed.kill()
        killed.wait()
        hub.faults.clear()
        kept = next(there.glob("models/.pull-*/model.keras")).stat().st_size
        before = len(hub.requests)
        run(there, hub, *pull)
        loaded = [one for one in hub.requests[before:] if "/far/" in one.path and "keras" in one.path]
        assert [one.range for one in loaded] == [f"bytes={kept}-"]
        images = small_dataset / "test"
        expected = rows(here, hub, trained, images)
        assert len(expected) == 24 and all(row["error"] is None for row in expected)
        assert rows(there, hub, "trip", images) == expected
