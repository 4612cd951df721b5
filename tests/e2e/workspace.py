"""Fills a workspace as months of use would: data sets, runs in every state, detectors, measurements, audits."""

import json
import shutil
from pathlib import Path
from typing import Any

from dfcore.detectors import library
from dfcore.runs import Run, RunStore, State
from tests.conftest import make_image
from tests.e2e.server import ROOT, command
from tests.made_batches import make_batch

LONG_NAME = "Portraits of the press archive, second attempt with the larger crops and without the agency's watermarks"


def fill(workspace: Path) -> None:
    """Fills an empty workspace; takes about a minute.

    Args:
        workspace: Folder for runs, models, data, cache and logs. Paths in it become part of the content, so it can be
            copied but not moved.
    """
    shutil.copytree(ROOT / "models", workspace / "models", ignore=shutil.ignore_patterns("parts"))
    demo = workspace / "data" / "demo"
    command(workspace, "data", "demo", str(demo))
    _other_data_sets(workspace, demo)
    finished = [_trained(workspace, demo, name) for name in ("Demonstration", LONG_NAME)]
    for name, run in zip(("promoted", "second"), finished, strict=True):
        library.promote(run.bundle, workspace / "models", name)
    _unfinished(finished[0])
    _batches(workspace)
    command(workspace, "data", "audit", str(workspace / "damaged"), "--no-networks")
    command(workspace, "cross-eval", "promoted", "small", "--data-root", str(demo))


def _batches(workspace: Path) -> None:
    """One that ended, one that was stopped, one whose files were deleted, and one that is damaged."""
    make_batch(workspace / "batches", 120, number=1, title=LONG_NAME, by=("small", "faces"), numbered=True)
    make_batch(workspace / "batches", 30, number=2, title="Stopped", state=State.STOPPED, total=500)
    make_batch(workspace / "batches", 10, number=3, title="Closed", closed="by age")
    (make_batch(workspace / "batches", 3, number=4, title="Damaged").folder / "batch.json").write_text("{")


def _other_data_sets(workspace: Path, demo: Path) -> None:
    """One that nobody understands, one with damaged files, and one that was deleted after it was registered."""
    for number in range(8):
        make_image(workspace / "unknown" / "garden" / f"{number}.jpg", (48, 40), seed=number)
        make_image(workspace / "unknown" / "kitchen" / f"{number}.png", (40, 40), seed=100 + number)
    # A part of it, since an audit of all of it takes minutes.
    for number, file in enumerate(sorted(demo.rglob("*.jpg"))[::12]):
        copy = workspace / "damaged" / file.relative_to(demo)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        copy.write_bytes(content if number % 20 else content[: 5 * number])
    listed = [workspace / name for name in ("unknown", "damaged", "deleted")]
    (workspace / "data" / "registered.json").write_text(json.dumps([str(demo), *map(str, listed)]))


def _trained(workspace: Path, demo: Path, name: str) -> Run:
    settings = ("--arch", "cnn", "--image-size", "32", "--epochs", "3", "--name", name)
    command(workspace, "train", "--data-root", str(demo), *settings)
    return next(iter(RunStore(workspace / "runs")))


def _unfinished(finished: Run) -> None:
    """Copies of a run as it was while it was unfinished: stopped, failed, interrupted; and two that are damaged."""
    for number, (state, changes) in enumerate(
        {
            "stopped": {"reason": "on request"},
            "failed": {"reason": "The disk is full. Free some space, then resume."},
            "running": {"pid": 2**22 - 1, "started": 1.0},  # No such process: it is shown as interrupted.
        }.items()
    ):
        folder = _copy(finished, number, name=state)
        shutil.rmtree(folder / "bundle", ignore_errors=True)
        (folder / "metrics.json").unlink(missing_ok=True)
        _change(folder / "status.json", state=state, epoch=1, **changes)
    for number, file in ((3, "status.json"), (4, "config.json")):
        folder = _copy(finished, number, name=f"without {file}")
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: len(content) // 2])


def _copy(run: Run, number: int, *, name: str) -> Path:
    folder = Path(shutil.copytree(run.folder, run.folder.with_name(f"20260101-00000{number}-000-cnn")))
    _change(folder / "config.json", name=name)
    return folder


def _change(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
