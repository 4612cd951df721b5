"""Fills a workspace as months of use would: data sets, runs in every state, detectors, measurements, audits."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from dfcore.cases import Judgement, Picture, Store
from dfcore.detectors import library
from dfcore.detectors.bundle import MODEL, read_card, write_card
from dfcore.runs import Run, RunStore, State
from dfcore.utils.files import sha256_bytes, sha256_file
from tests.conftest import make_image
from tests.e2e.server import ROOT, command
from tests.made_batches import make_batch
from tests.made_film_jobs import make_film
from tests.made_films import film, write

LONG_NAME = "Portraits of the press archive, second attempt with the larger crops and without the agency's watermarks"

STRANGE = "<b>x</b> [l](http://e.example) `c` $x$ :red[y] \N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"


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
    first = _trained(workspace, demo, "Demonstration")
    for name, run in (("promoted", first), ("second", _trained_again(first, LONG_NAME))):
        library.promote(run.bundle, workspace / "models", name)
    _unfinished(first)
    _batches(workspace)
    _films(workspace)
    command(workspace, "data", "audit", str(workspace / "damaged"), "--no-networks")
    command(workspace, "cross-eval", "promoted", "small", "--data-root", str(demo))
    remember(workspace, demo)


def _batches(workspace: Path) -> None:
    """One that ended, one that was stopped, one whose files were deleted, and one that is damaged."""
    make_batch(workspace / "batches", 120, number=1, title=LONG_NAME, by=("small", "faces"), numbered=True)
    make_batch(workspace / "batches", 30, number=2, title="Stopped", state=State.STOPPED, total=500)
    make_batch(workspace / "batches", 10, number=3, title="Closed", closed="by age")
    (make_batch(workspace / "batches", 3, number=4, title="Damaged").folder / "batch.json").write_text("{")


def _films(workspace: Path) -> None:
    """One that ended, one that was stopped, and one that is damaged."""
    file = write(workspace, film(40))
    make_film(workspace / "films", file, 40, number=1, title=LONG_NAME, copied=True, notes=(STRANGE,))
    make_film(workspace / "films", file, 12, number=2, title=STRANGE, state=State.STOPPED, total=500)
    (make_film(workspace / "films", file, 3, number=3).folder / "film.json").write_text("{")


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


def remember(workspace: Path, demo: Path) -> None:
    """Fills the store of cases: pictures that were judged, decided on, noted and filed, some of them kept."""
    with Store(f"sqlite:///{workspace / 'cases' / 'cases.db'}", workspace / "cases" / "images") as store:
        files = sorted(demo.rglob("*.jpg"))[:60]
        known = {sha256_bytes(file.read_bytes()): file for file in files}
        store.remember_many(_judged(sha256, file, number) for number, (sha256, file) in enumerate(known.items()))
        names = list(known)
        for number, title in enumerate((LONG_NAME, STRANGE, "Closed")):
            case = store.create_case(title, by="ada@example.org", tags=["press"] * (not number))
            store.file(case.id, names[10 * number : 10 * number + 12], by="ada@example.org")
        store.change_case(case.id, by="ada@example.org", closed=True)
        for number, sha256 in enumerate(names[:20]):
            decided = ("real", "fake", "undecided")[number % 3]
            store.decide(sha256, decided, by="eve@example.org", case=1 if number < 12 else None, why=STRANGE)
            store.keep_image(sha256, known[sha256].read_bytes(), by="eve@example.org")
        store.note(f"{STRANGE}\nsecond line", by=STRANGE, picture=names[0], case=1)
        store.note(STRANGE, by="eve@example.org", case=1)
        store.tag("harbour", by="eve@example.org", picture=names[0])


def _judged(sha256: str, file: Path, number: int) -> tuple[Picture, Judgement]:
    """A verdict on a picture, by a detector that is there and by one that is gone in turn."""
    score = number / 60
    finding = "fake" if score > 0.8 else "no_sign" if score < 0.2 else "inconclusive"
    name = STRANGE if number == 3 else file.name
    facts = {"format": "JPEG", "width": 64, "height": 64, "bytes": file.stat().st_size}
    return Picture(sha256, sha256_bytes(sha256.encode()), sha256[:16], name, **facts), Judgement(
        sha256, "promoted" if number % 2 else "gone", "c" * 64, name=name, by="eve@example.org", title="A detector",
        model_sha256="d" * 64, tool="0.7.0", engine="openvino", score=score, logit=score, finding=finding,
        decision="fake" if finding == "fake" else "inconclusive",
        thresholds={"real_below": 0.2, "fake_from": 0.8, "says_real": False}, via="batch" if number % 3 else "inspect",
    )  # fmt: skip


def _trained(workspace: Path, demo: Path, name: str) -> Run:
    settings = ("--arch", "cnn", "--image-size", "32", "--epochs", "3", "--name", name)
    command(workspace, "train", "--data-root", str(demo), *settings)
    return next(iter(RunStore(workspace / "runs")))


def _trained_again(run: Run, name: str) -> Run:
    """Copies a run as if the same had been trained again: the same network, but not the same file of it."""
    again = Run(shutil.copytree(run.folder, run.folder.with_name(f"{run.id}-again")))
    _change(again.folder / "config.json", name=name)
    with zipfile.ZipFile(again.bundle / MODEL, "a") as network:
        network.comment = b"again"
    card = read_card(again.bundle)
    training = card.training.model_copy(update={"config": card.training.config | {"name": name}})
    changes = {"title": name, "training": training, "model_sha256": sha256_file(again.bundle / MODEL)}
    write_card(again.bundle, card.model_copy(update=changes))
    return again


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
