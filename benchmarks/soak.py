"""Kills training again and again at random moments, and checks that nothing is lost and nothing changes.

Run from the project's root, on a machine with nothing else to do: `python -m benchmarks.soak`. A few real trainings,
each in its own detached worker as `dfcore train` starts it, are made once without interruption. Then the same
trainings are begun anew; their workers get SIGKILL at random moments, from the first milliseconds over the writing of
checkpoints to the last words, and are resumed until they complete. A run that was killed must end with the same
weights, figures and scores as the one that was left alone, to the last bit. Linux only.
"""

import argparse
import csv
import io
import json
import math
import os
import platform
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pandas as pd
import psutil

from dfcore.datasets.demo import make_demo
from dfcore.errors import DfcoreError
from dfcore.runs import Run, RunStore, State, resume, start
from dfcore.training.checkpoints import Checkpoint
from dfcore.training.config import TrainConfig, make_config
from dfcore.utils.files import read_json

# === What is trained ===

_COMMON = {"arch": "cnn", "image_size": 32, "batch_size": 8, "lr": 1e-3, "augmentation": "light"}
_CONFIGS: dict[str, dict[str, Any]] = {
    "plateau": {
        "image_size": 64, "epochs": 60, "early_stopping": "loss", "patience": 6, "schedule": "plateau", "dropout": 0.4,
    },
    "cosine": {
        "epochs": 28, "early_stopping": "off", "schedule": "cosine", "warmup_epochs": 2.5, "optimizer": "adamw",
        "loss": "categorical", "label_smoothing": 0.05, "cache": "memory",
    },
    "strong": {"epochs": 20, "early_stopping": "auc", "patience": 12, "augmentation": "strong", "class_weights": True},
    "folds": {"epochs": 9, "early_stopping": "off", "cross_validation": "content", "folds": 2, "dropout": 0.5},
    "pretrained": {
        "arch": "mobilenetv2", "epochs": 12, "freeze_epochs": 4, "early_stopping": "auc", "patience": 8,
        "batch_size": 16, "weights": "WEIGHTS", "schedule": "cosine", "warmup_epochs": 1,
    },
}  # fmt: skip
_CROPS = 8
# Real images outnumber fakes, so that class weights matter.
_FAKES_KEPT = 2 / 3
_MAKE_WEIGHTS = (
    "import sys, keras; keras.utils.set_random_seed(0); "
    "keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(sys.argv[1])"
)

# === When it is killed ===

_WEIGHTS_OF_AIMS = {"time": 0.42, "write": 0.44, "finish": 0.07, "early": 0.07}
_EARLY_SECONDS = 2.0
# Of the work after the start; a sitting that always got less than this would never end a run.
_SHARE_OF_WORK = 0.35
_SHARE_OF_WRITES = 0.25
_POLL_SECONDS = 0.0002
# From the sight of a temporary file until the kill: mostly at once, sometimes as long as a whole write takes.
_AFTER_SIGHT = (0.003, 0.003, 0.003, 0.05)
_AFTER_PHASE = 0.1
_MOST_KILLS_A_RUN = 14
_CLI_EVERY = 8
_PATIENCE = 600.0

_FINISHING = ("making the fast form", "fitting calibration", "measuring on", "writing the detector")
_PHASES = {
    "starting": ("starting", "waiting for its turn", "loading TensorFlow"),
    "preparing": ("reading the data set", "decoding images", "building the network"),
    "training": ("training epoch",),
    "validating": ("validating epoch",),
    "folds": ("cross-validation",),
    "finishing": _FINISHING,
}
_TEMPORARY = (".aside-", ".finish-", ".bundle-")
_CHECKPOINTS_KEPT = 2
_TIMINGS = ("seconds", "images_per_second")
_TRAINED = re.compile(r"^(?:cross-validation, (?P<network>[^:]+): )?training epoch (?P<epoch>\d+) of ", re.MULTILINE)


class Aim(StrEnum):
    """What a kill is aimed at."""

    TIME = "time"
    WRITE = "write"
    FINISH = "finish"
    EARLY = "early"


@dataclass(frozen=True)
class Plan:
    """When the worker of one sitting is to be killed.

    Attributes:
        aim: what is waited for.
        delay: seconds after that; for `TIME` and `EARLY` after the start of the process.
        writes: for `WRITE`, in which of the sitting's checkpoint writes.
        phase: for `FINISH`, the phase to wait for; empty for the beginning of the whole end.
    """

    aim: Aim
    delay: float
    writes: int = 1
    phase: str = ""


@dataclass(frozen=True)
class Reference:
    """A run that was left alone.

    Attributes:
        run: its folder.
        startup: seconds until its first epoch began.
        work: seconds from there to the end.
        finishing: seconds of these for the detector and its measurement.
        epochs: that were trained, those of folds too; each ends in a checkpoint.
    """

    run: Run
    startup: float
    work: float
    finishing: float
    epochs: int


@dataclass(frozen=True)
class Traces:
    """What lies in a run's folder between two sittings.

    Attributes:
        temporaries: files that are written aside, as paths.
        checkpoints: files of checkpoints, as paths.
        epochs: completed epochs by network ("" is the run's own), from those.
        log_bytes: length of the log.
    """

    temporaries: frozenset[Path]
    checkpoints: frozenset[Path]
    epochs: dict[str, int]
    log_bytes: int


@dataclass
class Kill:
    """One kill and what came of it.

    Attributes:
        config: name of the config.
        aim: what it was aimed at.
        after: seconds since the start of the sitting.
        phase: what the run was doing, by its status.
        write: evidence that a checkpoint was being written; empty without.
        other_write: whether another file was being written.
        finishing: whether it hit the making of the detector.
        shown: seconds until `Run.status()` said interrupted, where that was asked first.
        listed: seconds until `dfcore runs list` said so, where that was asked first, with the start of its process.
        resumed: whether the run went on afterwards.
    """

    config: str
    aim: Aim
    after: float
    phase: str
    write: str
    other_write: bool
    finishing: bool
    shown: float | None = None
    listed: float | None = None
    resumed: bool = False

    @property
    def group(self) -> str:
        """The phase, roughly."""
        return next((name for name, begins in _PHASES.items() if self.phase.startswith(begins)), "other")


@dataclass
class Soaked:
    """A run that was killed until it completed.

    Attributes:
        config: name of the config.
        folder: where it lies.
        kills: in their order.
        sittings: how many processes worked on it.
        troubles: why it did not complete, or went on elsewhere than it should.
        differences: what is not as in the reference.
        left_over: temporary files in the finished folder.
        other_files: names in which the folder differs from the reference otherwise.
    """

    config: str
    folder: Path
    kills: list[Kill] = field(default_factory=list)
    sittings: int = 0
    completed: bool = False
    troubles: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)

    @property
    def identical(self) -> bool:
        """Whether it ended as the reference did."""
        return self.completed and not self.differences


# === Preparations ===


def use_only(folder: Path) -> None:
    """Keeps the workbench, here and in all workers, within a folder."""
    for name in ("runs", "models", "data", "cache"):
        os.environ[f"DFCORE_{name.upper()}"] = str(folder / name)
    os.environ["TMPDIR"] = str(folder / "tmp")
    (folder / "tmp").mkdir()


def survivors(folder: Path, patience: float = 10.0) -> list[str]:
    """Processes that outlive the workers by so many seconds, known by their folder for temporary files."""
    until = time.monotonic() + patience
    while True:
        result = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(folder / "tmp"):
                    result.append(f"{process.pid} {' '.join(process.cmdline())}")
            except psutil.Error:
                continue
        if not result or time.monotonic() > until:
            return result
        time.sleep(0.5)


def make_data(folder: Path) -> Path:
    """The demonstration set, small, with fewer fakes than real images to learn from."""
    data = make_demo(folder / "data" / "demo", crops_per_block=_CROPS)
    fakes = sorted((data / "train" / "fake").iterdir())
    for path in Random(0).sample(fakes, round(len(fakes) * (1 - _FAKES_KEPT))):
        path.unlink()
    return data


def make_weights(folder: Path) -> Path:
    """Random weights for MobileNetV2 in the form of pretrained ones, made in a process of its own."""
    path = folder / "mobilenetv2.weights.h5"
    command = [sys.executable, "-c", _MAKE_WEIGHTS, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)
    return path


def recipe_config(name: str, data: Path, folder: Path) -> TrainConfig:
    """The config of a config."""
    values = _COMMON | _CONFIGS[name] | {"data_root": str(data), "precision": "float32", "name": f"Soak {name}"}
    if values.get("weights") == "WEIGHTS":
        values["weights"] = str(make_weights(folder))
    return make_config(values)


def tell(text: str) -> None:
    """A line about the progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# === A sitting ===


class Worker:
    """The process that works on a run, held so that its pid cannot be mistaken for another's."""

    def __init__(self, run: Run):
        status = run.status()
        if status.pid is None:
            raise DfcoreError(f"Run {run.id} has no process: {status}.")
        self.began = time.monotonic()
        try:
            self._descriptor: int | None = os.pidfd_open(status.pid)
        except ProcessLookupError:  # It ended at once.
            self._descriptor = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._descriptor is not None:
            os.close(self._descriptor)

    def ended(self, timeout: float = 0.0) -> bool:
        """Whether it is gone, at the latest after so many seconds."""
        return self._descriptor is None or bool(select.select([self._descriptor], [], [], timeout)[0])

    def kill(self) -> None:
        """Sends SIGKILL, unless it is gone."""
        if self._descriptor is not None and not self.ended():
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, moment: Callable[[], bool], delay: float, poll: float) -> bool:
        """Waits for a moment and some seconds more; False when the process ends before."""
        until = time.monotonic() + _PATIENCE
        while not moment():
            if self.ended() or time.monotonic() > until:
                return False
            time.sleep(poll)
        return not self.ended(delay)


def folders_of_checkpoints(run: Run) -> dict[str, Path]:
    """{network: folder} of those that there are; the networks as the log calls them, "" is the run's own."""
    result = {"": run.checkpoints} if run.checkpoints.is_dir() else {}
    folds = run.folder / "folds"
    if folds.is_dir():
        count = run.config()["folds"]
        numbers = sorted(entry.name for entry in os.scandir(folds) if entry.name.isdecimal() and entry.is_dir())
        result |= {f"fold {int(number) + 1} of {count}": folds / number for number in numbers}
    return result


def names_in(folder: Path, prefix: str) -> Iterator[Path]:
    """Files in a folder by the beginning of their names; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            yield from [folder / entry.name for entry in entries if entry.name.startswith(prefix)]
    except FileNotFoundError:
        return


def half_written_checkpoints(run: Run) -> set[Path]:
    """Temporary files of checkpoints that lie there now."""
    return {path for folder in folders_of_checkpoints(run).values() for path in names_in(folder, ".aside-")}


def traces(run: Run) -> Traces:
    """What lies in the folder now."""
    folders, config = folders_of_checkpoints(run), run.config()
    checkpoints = {name: list(names_in(folder, "epoch-")) for name, folder in folders.items()}
    epochs = {name: max((int(path.name[6:12]) for path in result), default=0) for name, result in checkpoints.items()}
    # A fold that was scored is done for good.
    for path in (run.folder / "folds").glob("*.parquet"):
        if path.stem.isdecimal():
            epochs[f"fold {int(path.stem) + 1} of {config['folds']}"] = config["epochs"]
    return Traces(
        temporaries=frozenset(run.folder.rglob(".aside-*")),
        checkpoints=frozenset(path for result in checkpoints.values() for path in result),
        epochs=epochs,
        log_bytes=run.log.stat().st_size if run.log.is_file() else 0,
    )


def draw(random: Random, reference: Reference, done: int, last: Kill | None, twice: bool) -> Plan:
    """The plan of the next kill.

    Args:
        random: decides.
        reference: tells how long things take.
        done: epochs that have a checkpoint already, those of folds too.
        last: the kill before in the same run.
        twice: whether the one before was already the second early one in a row.
    """
    left = max(reference.epochs - done, 0)
    weights = dict(_WEIGHTS_OF_AIMS)
    if last is not None and last.aim is Aim.EARLY and not twice:
        weights = {Aim.EARLY: 1.0}
    elif not left:
        weights = {Aim.TIME: 0.4, Aim.FINISH: 0.6}  # No checkpoint will be written any more.
    aim = Aim(random.choices(list(weights), list(weights.values()))[0])
    if aim is Aim.EARLY:
        return Plan(aim, random.uniform(0, _EARLY_SECONDS))
    if aim is Aim.WRITE:
        writes = random.randint(1, min(max(round(reference.epochs * _SHARE_OF_WRITES), 1), left))
        return Plan(aim, random.uniform(0, random.choice(_AFTER_SIGHT)), writes)
    if aim is Aim.FINISH:
        if random.random() < 0.5:
            return Plan(aim, random.uniform(0, _AFTER_PHASE), phase="writing the detector")
        return Plan(aim, random.uniform(0, reference.finishing))
    until_end = reference.finishing + (reference.work - reference.finishing) * left / reference.epochs
    return Plan(aim, random.uniform(0, reference.startup + min(_SHARE_OF_WORK * reference.work, until_end)))


def stored_phase(run: Run) -> str:
    """What the run is doing, without a look at its process."""
    return read_json(run.folder / "status.json")["phase"]


def await_moment(run: Run, worker: Worker, plan: Plan) -> bool:
    """Waits until the planned moment; False when the process ended before."""
    if plan.aim in (Aim.TIME, Aim.EARLY):
        return not worker.ended(plan.delay)
    if plan.aim is Aim.FINISH:
        if plan.phase:
            return worker.wait(lambda: stored_phase(run).startswith(plan.phase), plan.delay, 0.001)
        return worker.wait(lambda: any(names_in(run.folder, ".finish-")), plan.delay, 0.001)
    old, seen = half_written_checkpoints(run), set[Path]()

    def in_write() -> bool:
        seen.update(half_written_checkpoints(run) - old)
        return len(seen) >= plan.writes

    return worker.wait(in_write, plan.delay, _POLL_SECONDS)


def unfinished_write(before: Traces, after: Traces) -> str:
    """Evidence that a checkpoint write was cut short; empty without."""
    is_checkpoint = [path for path in after.temporaries - before.temporaries if path.name.startswith(".aside-epoch-")]
    if is_checkpoint:
        return "its temporary file is still there"
    new = after.checkpoints - before.checkpoints
    crowded = [folder for folder, count in Counter(p.parent for p in after.checkpoints).items()
               if count > _CHECKPOINTS_KEPT and any(path.parent == folder for path in new)]  # fmt: skip
    return "older files were not removed yet" if crowded else ""


def is_shown_interrupted(run: Run, *, by_cli: bool) -> bool:
    """Whether the run is said to be interrupted, by the command line or by `Run.status()`."""
    if not by_cli:
        return run.status().state is State.INTERRUPTED
    command = [sys.executable, "-m", "dfcore", "runs", "list", "--json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout)
    return any(row["id"] == run.id and row["state"] == State.INTERRUPTED for row in rows)


def await_interrupted(run: Run, *, by_cli: bool, since: float, patience: float = 30.0) -> float | None:
    """Seconds until the run is said to be interrupted; None when it never is."""
    while time.monotonic() - since < patience:
        if is_shown_interrupted(run, by_cli=by_cli):
            return time.monotonic() - since
        if not by_cli and run.status().state is State.COMPLETED:
            return None
    return None


def went_on_rightly(run: Run, before: Traces) -> list[str]:
    """What a sitting trained first, where that is not the epoch after the newest checkpoint."""
    with open(run.log, "rb") as file:
        file.seek(before.log_bytes)
        text = file.read().decode(errors="replace")
    first: dict[str, int] = {}
    for result in _TRAINED.finditer(text):
        first.setdefault(result["network"] or "", int(result["epoch"]))
    return [
        f"{name or 'the network'} went on with epoch {epoch} where {before.epochs.get(name, 0)} were done"
        for name, epoch in first.items()
        if epoch != before.epochs.get(name, 0) + 1
    ]


def sit(run: Run, config: str, plan: Plan | None, before: Traces, *, by_cli: bool) -> Kill | None:
    """One sitting of a run whose process was just started; None when it ended by itself."""
    with Worker(run) as worker:
        if plan is None or not await_moment(run, worker, plan):
            worker.ended(_PATIENCE)
            return None
        worker.kill()
        killed = time.monotonic()
        if not by_cli:
            seconds = await_interrupted(run, by_cli=False, since=killed)
            worker.ended(_PATIENCE)
        else:
            worker.ended(_PATIENCE)
            if run_state(run) is State.COMPLETED:
                return None
            seconds = await_interrupted(run, by_cli=True, since=killed)
    if run_state(run) is State.COMPLETED:
        return None
    after, phase = traces(run), stored_phase(run)
    others = [path for path in after.temporaries - before.temporaries if not path.name.startswith(".aside-epoch-")]
    return Kill(
        config=config,
        aim=plan.aim,
        after=killed - worker.began,
        phase=phase,
        write=unfinished_write(before, after),
        other_write=bool(others),
        finishing=phase.startswith(_FINISHING) or any(names_in(run.folder, ".finish-")),
        shown=None if by_cli else seconds,
        listed=seconds if by_cli else None,
    )


def run_state(run: Run) -> State:
    """The state as stored, without a look at the process."""
    return State(read_json(run.folder / "status.json")["state"])


# === Whole runs ===


def make_reference(store: RunStore, name: str, config: TrainConfig) -> Reference:
    """Trains a config without interruption.

    Raises:
        DfcoreError: when it does not complete.
    """
    tell(f"{name}: the run that is left alone")
    run = start(store, config.to_dict(), epochs=config.epochs)
    with Worker(run) as worker:
        begun = worker.wait(lambda: stored_phase(run).startswith("training epoch"), 0, 0.005)
        startup = time.monotonic() - worker.began
        begun = begun and worker.wait(lambda: any(names_in(run.folder, ".finish-")), 0, 0.002)
        finishing = time.monotonic() - worker.began
        worker.ended(_PATIENCE)
        total = time.monotonic() - worker.began
    status = run.status()
    if not begun or status.state is not State.COMPLETED:
        raise DfcoreError(f"{name} cannot be trained: {status.state}, {status.reason}\n{run.log_tail(2000)}")
    epochs = len(run.history()) * (1 + (config.folds if config.cross_validation != "off" else 0))
    tell(f"{name}: {epochs} epochs; {startup:.1f} s to the first, {total:.1f} s in all. {status.reason}")
    return Reference(run, startup, total - startup, total - finishing, epochs)


def soak(store: RunStore, config: str, reference: Reference, random: Random, wanted: int, done: int) -> Soaked:
    """Trains a config under at most so many kills.

    Args:
        store: where runs lie.
        config: name of the config.
        reference: the same without kills.
        random: decides about the moments.
        wanted: kills at most.
        done: kills in earlier runs, for the progress.
    """
    config = reference.run.config()
    run = start(store, config, epochs=config["epochs"])
    soaked = Soaked(config, run.folder)
    before = Traces(frozenset(), frozenset(), {}, 0)
    early = 0
    while True:
        last = soaked.kills[-1] if soaked.kills else None
        plan = (
            draw(random, reference, sum(before.epochs.values()), last, early % 2 == 0)
            if len(soaked.kills) < wanted
            else None
        )
        number = done + len(soaked.kills)
        kill = sit(run, config, plan, before, by_cli=number % _CLI_EVERY == _CLI_EVERY - 1)
        soaked.sittings += 1
        soaked.troubles += went_on_rightly(run, before)
        status = run.status()
        if last is not None:
            last.resumed = kill is not None or status.state is State.COMPLETED
        if kill is None:
            break
        early = early + 1 if kill.aim is Aim.EARLY else 0
        soaked.kills.append(kill)
        tell(report_of(kill, number + 1))
        before = traces(run)
        try:
            resume(run)
        except DfcoreError as error:
            soaked.troubles.append(f"it could not be resumed: {error}")
            return soaked
    soaked.completed = status.state is State.COMPLETED
    if not soaked.completed:
        soaked.troubles.append(f"it ended as {status.state}: {status.reason} {run.log_tail(1500)}")
    return soaked


def report_of(kill: Kill, number: int) -> str:
    """A line about a kill."""
    notes = [f"checkpoint: {kill.write}"] if kill.write else []
    notes += ["another file half-written"] if kill.other_write else []
    notes += ["the detector half-made"] if kill.finishing else []
    seconds = kill.shown if kill.listed is None else kill.listed
    by = "shown" if kill.listed is None else "listed"
    notes.append(f"{by} after {seconds:.2f} s" if seconds is not None else "NOT SHOWN AS INTERRUPTED")
    return f"kill {number}, {kill.config}, {kill.aim}: after {kill.after:.1f} s in '{kill.phase}'; {'; '.join(notes)}"


# === Comparison ===


def model_arrays(bundle: Path) -> dict[str, np.ndarray]:
    """Every variable of a saved model, by its place in the file."""
    result: dict[str, np.ndarray] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            result[name] = item[()]

    with zipfile.ZipFile(bundle / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as weights:
        weights.visititems(keep)
    return result


def unequal_arrays(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> list[str]:
    """Names of arrays that are missing on one side or differ in a bit."""
    different = [
        name
        for name in ours.keys() & theirs.keys()
        if (ours[name].dtype, ours[name].shape) != (theirs[name].dtype, theirs[name].shape)
        or ours[name].tobytes() != theirs[name].tobytes()
    ]
    return sorted(different + list(ours.keys() ^ theirs.keys()))


def checkpoint_content(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and state of a checkpoint; the state without what depends on the machine's speed."""
    checkpoint = Checkpoint(path)
    arrays = {
        f"{name}/{index}": array
        for name in ("model", "optimizer", "best")
        for index, array in enumerate(checkpoint.arrays(name))
    }
    return arrays, timeless(checkpoint.state)


def timeless(value: Any) -> Any:
    """Plain data without entries that tell times."""
    if isinstance(value, dict):
        return {name: timeless(part) for name, part in value.items() if name not in _TIMINGS}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def checkpoints_by_step(run: Run) -> dict[str, Path]:
    """{epoch and step: file}."""
    return {path.name.partition(".")[0]: path for path in sorted(names_in(run.checkpoints, "epoch-"))}


def differing_checkpoints(run: Run, reference: Run) -> list[str]:
    """What differs between the checkpoints that both have; the newest must be among them."""
    ours, theirs = checkpoints_by_step(run), checkpoints_by_step(reference)
    if not ours or max(ours) != max(theirs):
        return [f"newest checkpoint {max(ours, default='none')} instead of {max(theirs)}"]
    result = []
    for step in sorted(ours.keys() & theirs.keys()):
        (arrays, state), (expected, expected_state) = checkpoint_content(ours[step]), checkpoint_content(theirs[step])
        if unequal := unequal_arrays(arrays, expected):
            result.append(f"checkpoint {step}: {len(unequal)} of {len(expected)} arrays differ, as {unequal[0]}")
        if state != expected_state:
            names = sorted(
                name for name in state.keys() | expected_state if state.get(name) != expected_state.get(name)
            )
            result.append(f"checkpoint {step}: {', '.join(names)} of its state differ")
    return result


def differing_history(run: Run, reference: Run) -> list[str]:
    """Whether history.csv differs, by text, in anything but times."""
    ours, theirs = (
        pd.read_csv(one.folder / "history.csv", dtype=str).drop(columns=list(_TIMINGS), errors="ignore")
        for one in (run, reference)
    )
    if ours.shape != theirs.shape or list(ours) != list(theirs):
        return [f"history.csv has {ours.shape} rows and columns instead of {theirs.shape}"]
    rows = (ours != theirs).any(axis=1)
    if not rows.any():
        return []
    first = int(np.flatnonzero(rows)[0])
    return [
        f"history.csv differs in {rows.sum()} rows, first {ours.loc[first].to_dict()} {theirs.loc[first].to_dict()}"
    ]


def wrong_steps(run: Run) -> list[str]:
    """What is wrong with the order of steps.csv; it is throttled, but the last step of an epoch always stands there."""
    with open(run.folder / "steps.csv", newline="", encoding="utf-8") as file:
        names, *lines = csv.reader(file)
    result = [f"steps.csv: broken line {line}" for line in lines if len(line) != len(names)]
    rows = [dict(zip(names, map(float, line), strict=True)) for line in lines if len(line) == len(names)]
    places = [(int(row["epoch"]), int(row["step"])) for row in rows]
    doubled = [place for place, count in Counter(places).items() if count > 1]
    if doubled:
        result.append(f"steps.csv: doubled (epoch, step) {doubled[:5]}")
    elif places != sorted(places):
        result.append("steps.csv: rows are out of order")
    expected = {(int(row["epoch"]), int(rows[0]["steps"])) for row in run.history()} if rows else set()
    if missing := sorted(expected - set(places)):
        result.append(f"steps.csv: missing (epoch, step) {missing[:5]}")
    if beyond := sorted(epoch for epoch in {epoch for epoch, _ in places} if epoch > len(run.history())):
        result.append(f"steps.csv: epochs {beyond} that never were completed")
    return result


def differing_predictions(run: Run, reference: Run) -> list[str]:
    """Which tables of predictions differ, in the folder and in the bundle."""
    result = []
    for path in sorted(reference.folder.glob("predictions_*.parquet")):
        for place in (Path(path.name), Path("bundle") / path.name):
            if not (run.folder / place).is_file():
                result.append(f"{place} is missing")
                continue
            ours, theirs = pd.read_parquet(run.folder / place), pd.read_parquet(reference.folder / place)
            columns = [str(name) for name in theirs if name not in ours or not ours[name].equals(theirs[name])]
            if columns or list(ours) != list(theirs):
                result.append(f"{place} differs in {', '.join(columns) or 'its columns'}")
    return result


def differing_figures(run: Run, reference: Run) -> list[str]:
    """Whether best epoch, card, metrics or the last status differ."""
    cards = [read_json(one.bundle / "card.json") for one in (run, reference)]
    best = [card["training"]["best_epoch"] for card in cards]
    result = [f"best epoch {best[0]} instead of {best[1]}"] if best[0] != best[1] else []
    # The archive of a model holds times, so that its hash differs where its arrays do not.
    ours, theirs = ({k: v for k, v in card.items() if k not in ("created", "model_sha256")} for card in cards)
    result += [f"card.json differs in {name}" for name in theirs if ours.get(name) != theirs[name]]
    if run.metrics() != reference.metrics():
        result.append("metrics.json differs")
    ends = [(status.epoch, status.epochs, status.step, status.reason) for status in (run.status(), reference.status())]
    return result + ([f"the last status is {ends[0]} instead of {ends[1]}"] if ends[0] != ends[1] else [])


def differences(run: Run, reference: Run) -> list[str]:
    """Everything in which a finished run is not as its reference."""
    expected = model_arrays(reference.bundle)
    unequal = unequal_arrays(model_arrays(run.bundle), expected)
    result = [f"model.keras: {len(unequal)} of {len(expected)} arrays differ, as {unequal[0]}"] if unequal else []
    for part in (differing_checkpoints, differing_history, differing_predictions, differing_figures):
        result += part(run, reference)
    return result + wrong_steps(run)


def file_names(run: Run) -> set[str]:
    """All files of a run by name, without hashes and without TensorBoard, which writes one a sitting."""
    paths = [path.relative_to(run.folder) for path in run.folder.rglob("*") if path.parent.name != "tensorboard"]
    return {re.sub(r"\.[0-9a-f]{16}\.npz$", ".npz", str(path)) for path in paths}


def compare(soaked: Soaked, reference: Reference) -> None:
    """Enters what a completed run has other than its reference."""
    run = Run(soaked.folder)
    soaked.differences = differences(run, reference.run)
    names, expected = file_names(run), file_names(reference.run)
    temporary = {name for name in names if any(part.startswith(_TEMPORARY) for part in Path(name).parts)}
    soaked.left_over = sorted(temporary)
    soaked.other_files = sorted(f"+{name}" for name in names - expected - temporary)
    soaked.other_files += sorted(f"-{name}" for name in expected - names)


# === Report ===


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under their names, the first column to the left, all others to the right."""
    cells = [[str(cell) for cell in row] for row in (names, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = []
    for row in cells:
        rest = "".join(f"{cell:>{width + 2}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append(f"{row[0]:<{widths[0]}}{rest}")
    return "\n".join(lines)


def outcome_row(name: str, runs: Sequence[Soaked]) -> list[object]:
    """What came of the kills of a config."""
    kills = [kill for run in runs for kill in run.kills]
    resumed = sum(kill.resumed for kill in kills)
    return [
        name, len(kills), sum(run.sittings for run in runs), sum(bool(kill.write) for kill in kills),
        sum(kill.finishing for kill in kills), resumed, len(kills) - resumed,
        f"{sum(run.identical for run in runs)} of {len(runs)}",
    ]  # fmt: skip


def phase_row(name: str, runs: Sequence[Soaked]) -> list[object]:
    """In which phases the kills of a config came."""
    counts = Counter(kill.group for run in runs for kill in run.kills)
    return [name, *(counts[phase] for phase in (*_PHASES, "other"))]


def totals(runs: Sequence[Soaked], left: Sequence[str]) -> list[str]:
    """The result in a few lines."""
    kills = [kill for run in runs for kill in run.kills]
    resumed, writes = sum(kill.resumed for kill in kills), [kill for kill in kills if kill.write]
    shown = [kill.shown for kill in kills if kill.shown is not None]
    listed = [kill.listed for kill in kills if kill.listed is not None]
    unseen = len(kills) - len(shown) - len(listed)
    reasons = ", ".join(f"{count} with {reason}" for reason, count in Counter(kill.write for kill in writes).items())
    lines = [
        f"{len(kills)} kills, {resumed} of {len(kills)} resumed, {len(kills) - resumed} unrecoverable",
        f"{len(writes)} within a checkpoint write" + (f" (evidence: {reasons})" if writes else ""),
        f"{sum(kill.other_write for kill in kills)} within the write of another file, "
        f"{sum(kill.finishing for kill in kills)} while the detector was made, "
        f"{sum(kill.after <= _EARLY_SECONDS for kill in kills)} within {_EARLY_SECONDS:.0f} s of the start",
        f"final weights, figures and scores identical in {sum(run.identical for run in runs)} of {len(runs)} runs",
        f"temporary files left in {sum(bool(run.left_over) for run in runs)} finished runs, "
        f"other files than expected in {sum(bool(run.other_files) for run in runs)}; {len(left)} processes left",
    ]
    if shown:
        lines.append(f"shown as interrupted after at most {max(shown):.2f} s")
    if listed:
        lines.append(f"listed so by `dfcore runs list` after at most {max(listed):.2f} s, with its own start")
    return lines + ([f"NOT shown as interrupted after {unseen} kills"] if unseen else [])


def findings(runs: Sequence[Soaked], left: Sequence[str] = ()) -> list[str]:
    """Everything that was not as it should be, run by run."""
    lines = [f"process left: {process}" for process in left]
    for run in runs:
        told_of = [(f"{kind}: {text}") for kind, texts in (
            ("trouble", run.troubles), ("difference", run.differences),
            ("left over", run.left_over), ("files", run.other_files),
        ) for text in texts]  # fmt: skip
        lines += [f"{run.config} {run.folder.name}: {text}" for text in told_of]
    return lines


def report(runs: Sequence[Soaked], left: Sequence[str], seed: int, seconds: float) -> str:
    """The whole result as text."""
    by_config = {name: [run for run in runs if run.config == name] for name in _CONFIGS}
    groups = [(name, result) for name, result in by_config.items() if result] + [("all", list(runs))]
    outcome = ("config", "kills", "sittings", "in checkpoint", "in finishing", "resumed", "unrecoverable", "identical")
    parts = [
        f"SIGKILL at random moments of training, seed {seed}, {seconds / 60:.0f} min; {os.cpu_count()} cores "
        f"({platform.machine()}), TensorFlow {version('tensorflow')}, Keras {version('keras')}",
        table(outcome, [outcome_row(name, result) for name, result in groups]),
        "Phase at the kill, by status.json:\n"
        + table(("config", *_PHASES, "other"), [phase_row(name, result) for name, result in groups]),
        "\n".join(totals(runs, left)),
    ]
    if result := findings(runs, left):
        parts.append("\n".join(result))
    return "\n\n".join(parts) + "\n"


def all_well(runs: Sequence[Soaked]) -> bool:
    """Whether every run was resumed, completed as its reference did and left nothing."""
    kills = [kill for run in runs for kill in run.kills]
    shown = all(kill.shown is not None or kill.listed is not None for kill in kills)
    return shown and all(run.identical and not run.troubles and not run.left_over for run in runs)


# === The whole ===


def run_all(folder: Path, kills: int, seed: int) -> list[Soaked]:
    """Makes run after run, config by config, until there were enough kills."""
    data, store, random = make_data(folder), RunStore(folder / "runs"), Random(seed)
    names, references, runs = list(_CONFIGS), dict[str, Reference](), list[Soaked]()
    a_run = min(_MOST_KILLS_A_RUN, math.ceil(kills / len(names)))
    while names and (done := sum(len(run.kills) for run in runs)) < kills:
        # The one that was made least often.
        name = min(names, key=lambda one: (sum(run.config == one for run in runs), names.index(one)))
        if name not in references:
            try:
                references[name] = make_reference(store, name, recipe_config(name, data, folder))
            except DfcoreError as error:
                runs.append(Soaked(name, folder / "none", troubles=[str(error)]))
                tell(f"{name}: {error}")
                names.remove(name)
                continue
        soaked = soak(store, name, references[name], random, min(a_run, kills - done), done)
        if soaked.completed:
            compare(soaked, references[name])
        elif not soaked.kills:
            names.remove(name)  # It fails by itself; another try would too.
        runs.append(soaked)
        tell(f"{name}: {len(soaked.kills)} kills, {'identical' if soaked.identical else 'NOT IDENTICAL'}")
        for line in findings([soaked]):
            tell(line)
    return runs


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many at least")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/soak.txt"), help="file for the result")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the whole; 1 when something was lost or changed. The runs are then kept to be looked at."""
    options = parse(arguments)
    folder, began, well = Path(tempfile.mkdtemp(prefix="soak-")), time.monotonic(), False
    use_only(folder)
    try:
        runs = run_all(folder, options.kills, options.seed)
        left = survivors(folder)
        text, well = report(runs, left, options.seed, time.monotonic() - began), all_well(runs) and not left
    finally:
        if well:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            tell(f"The runs are kept in {folder}.")
    print(text, end="")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
