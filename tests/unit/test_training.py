"""Training: what a run leaves behind, that it repeats, stops and goes on, and that it fails with a reason."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dfcore.architectures import backbone_layers, build_model, register_architecture, registry
from dfcore.confidence import ErrorBudget, fit_calibration, fit_thresholds
from dfcore.datasets import TEST, TRAIN, VALIDATION, scan
from dfcore.detectors.bundle import read_card, write_bundle, write_card, write_openvino
from dfcore.detectors.card import OpenVINORecord
from dfcore.detectors.detector import Detector
from dfcore.engines import KerasEngine
from dfcore.errors import DatasetError, DfcoreError, RunError, StorageError
from dfcore.evaluation import CROSS_VALIDATION, HANDLED, full_metrics, predictions_path, read_predictions, stored_splits
from dfcore.runs import Run, RunStore, State, resume, start
from dfcore.runs.detached import _is_mine
from dfcore.runs.process import identity
from dfcore.training import checkpoints, reporter, worker
from dfcore.training import trainer as trainer_module
from dfcore.training.config import make_config
from dfcore.training.data import prepare, require_same
from dfcore.training.progress import Progress
from dfcore.training.trainer import Trainer
from dfcore.utils import files
from tests.conftest import make_card, make_image

TINY = {
    "arch": "cnn",
    "image_size": 32,
    "batch_size": 8,
    "epochs": 3,
    "lr": 1e-3,
    "early_stopping": "off",
    "augmentation": "flip,noise",
    "precision": "float32",
}
# For tests of what is made of the figures of epochs, in which what is learned plays no part: a step an epoch.
QUICK = {"image_size": 16, "batch_size": 24, "augmentation": "none"}
NEVER = 10**9
ROOT = Path(__file__).parents[2]


class Watch:
    """A watcher that wishes to stop after so many steps, and keeps what it was told."""

    def __init__(self, stop_at: int = NEVER):
        self.stop_at, self.steps, self.epochs, self.phases = stop_at, [], 0, []
        self.steps_beside = []

    def phase(self, text):
        self.phases.append(text)

    def working(self, text, done, total):
        pass

    def step(self, row):
        self.steps.append(row)

    def beside(self, row, left):
        self.steps_beside.append((row["epoch"], row["step"], left))

    def epoch(self, history):
        self.epochs = len(history)

    def should_stop(self):
        return len(self.steps) == self.stop_at


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch):
    """A stop may then be asked for at any step; else it is looked for once a second."""
    import keras

    monkeypatch.setattr(reporter, "_EVERY_SECONDS", 0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def unharmed_signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def tiny(data, **changes):
    return make_config(TINY | {"data_root": str(data)} | changes)


def make_trainer(config, folder, watch=None) -> Trainer:
    return Trainer(config, prepare(config), Path(folder), watch or Watch())


def trained(config, folder) -> Trainer:
    trainer = make_trainer(config, folder)
    assert trainer.run()
    return trainer


def assert_same_weights(one, other):
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def same_weights(one, other) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def assert_same_history(one, other):
    """All but the speed; the loss is a sum that is added up in another order after a resume."""
    columns = ["epoch", "loss", "accuracy", "lr", "val_loss", "val_accuracy", "val_auc"]
    tables = [pd.DataFrame(trainer.progress.history)[columns] for trainer in (one, other)]
    np.testing.assert_allclose(*tables, rtol=1e-5)


def new_run(config, folder) -> Run:
    return RunStore(folder).create(config.to_dict(), epochs=config.epochs)


def work(run: Run) -> int:
    """Trains a run in this process, as its worker would."""
    me = identity()
    run.claim(int(me["pid"]), me["started"], epochs=run.status().epochs)
    return worker.main(str(run.folder))


def scripted(monkeypatch, name: str, values) -> None:
    """Lets validation come out as told, epoch by epoch."""
    text = iter(values)

    def figures(labels, logits):
        return {"val_loss": 1.0, "val_accuracy": 0.5, "val_auc": 0.5} | {name: next(text)}

    monkeypatch.setattr(trainer_module, "validation_figures", figures)


def unbalanced(data: Path, folder: Path) -> Path:
    """A copy with a quarter of the fakes in train."""
    shutil.copytree(data, folder)
    fakes = sorted((folder / "train" / "fake").iterdir())
    for path in fakes[len(fakes) // 4 :]:
        path.unlink()
    return folder


# === Runs that several tests begin with ===


@pytest.fixture(scope="module")
def stopped_in_second_epoch(small_dataset, tmp_path_factory):
    """A configuration, a folder with two checkpoints of a run that was stopped, and the trainer of the whole run."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFCORE_CACHE", str(folder / "cache"))
        patch.setattr(reporter, "_EVERY_SECONDS", 0)
        config = tiny(small_dataset, epochs=2)
        whole = trained(config, folder / "whole")
        assert not make_trainer(config, folder / "parts", Watch(whole.steps + 2)).run()
    return config, folder / "parts", whole


@pytest.fixture
def run_before(stopped_in_second_epoch, tmp_path):
    """Makes a run that comes to a phase soon: for those at its end, its network has learned all that it will."""

    def make(phase: str) -> Run:
        config, _, whole = stopped_in_second_epoch
        run = new_run(config, tmp_path / "runs")
        if phase in ("measuring on test", "writing the detector"):
            shutil.copytree(whole.folder, run.checkpoints, dirs_exist_ok=True)
        return run

    return make


@pytest.fixture(scope="module")
def compiled(small_dataset, tmp_path_factory) -> Trainer:
    """A trainer whose network has learned for an epoch; to trace that step takes longer than the epoch itself."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFCORE_CACHE", str(folder / "cache"))
        return trained(tiny(small_dataset, **QUICK, epochs=1), folder / "run")


@pytest.fixture
def anew(compiled, tmp_path):
    """Lets a network that is compiled already begin another run, for tests in which it may have learned before."""

    def begin(watch: Watch | None = None, **changes) -> Trainer:
        compiled.config = tiny(compiled.data.dataset.root, **QUICK, **changes)
        compiled.folder, compiled.watcher, compiled.progress = tmp_path / "anew", watch or Watch(), Progress()
        compiled.model.optimizer.learning_rate = compiled.config.lr
        return compiled

    return begin


@pytest.fixture
def bare_bundles(monkeypatch):
    """Runs end with their network alone: to calibrate and measure it takes longer than to train it."""

    def finish(run, config, data, trained, watcher):
        write_bundle(run.bundle, trained.model, make_card())

    monkeypatch.setattr("dfcore.training.finish.finish", finish)


def leave_half_done(run: Run, *names: str) -> None:
    """What a process that was killed an hour ago may have left in a run's folder."""
    for name in names:
        path = run.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 3600,) * 2)


# === What a completed run leaves behind ===


@pytest.fixture(scope="module")
def completed(small_dataset, tmp_path_factory):
    """A run that was trained once, on a data set in which one image is damaged, after a process that was killed."""
    before = signal.getsignal(signal.SIGTERM)
    folder = tmp_path_factory.mktemp("completed")
    data = folder / "data"
    shutil.copytree(small_dataset, data)
    whole = next((data / "train" / "real").iterdir()).read_bytes()
    (data / "train" / "real" / "damaged.png").write_bytes(whole[: len(whole) // 2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFCORE_CACHE", str(folder / "cache"))
        patch.setenv("DFCORE_RUNS", str(folder / "runs"))
        patch.setattr(reporter, "_EVERY_SECONDS", 0)
        run = new_run(tiny(data, early_stopping="auc", name="A tiny one"), folder / "runs")
        leave_half_done(run, ".aside-status-1.json", ".finish-1/bare/model.keras", ".bundle-1/bundle/model.keras",
                        "checkpoints/.aside-epoch-000001-step-00000000-1.npz")  # fmt: skip
        assert work(run) == 0
    signal.signal(signal.SIGTERM, before)
    return run


class TestCompletedRun:
    def test_says_so(self, completed):
        status = completed.status()
        assert (status.state, status.epoch, status.reason) == (State.COMPLETED, 3, "")
        assert status.fraction == 1
        with pytest.raises(RunError, match="completed"):
            resume(completed)

    def test_leaves_every_file(self, completed):
        names = {path.name for path in completed.folder.iterdir() if not path.name.startswith(".")}
        assert names >= {
            "config.json",
            "data.json",
            "status.json",
            "heartbeat",
            "history.csv",
            "steps.csv",
            "checkpoints",
            "predictions_validation.parquet",
            "predictions_test.parquet",
            "metrics.json",
            "excluded.csv",
            "tensorboard",
            "bundle",
        }
        assert {path.name for path in completed.bundle.iterdir()} == {
            "model.keras",
            "card.json",
            "domain.npz",
            "trained_on.npz",
            "replay.npz",
            "openvino.xml",
            "openvino.npz",
            "predictions_validation.parquet",
            "predictions_test.parquet",
        }
        assert list((completed.folder / "tensorboard").glob("events.out.tfevents*"))
        older, newer = sorted(path.name for path in completed.checkpoints.iterdir())
        assert re.fullmatch(r"epoch-000002-step-00000000\.[0-9a-f]{16}\.npz", older)
        assert re.fullmatch(r"epoch-000003-step-00000000\.[0-9a-f]{16}\.npz", newer)

    def test_leaves_nothing_that_was_for_the_training_alone_or_that_a_killed_process_left_half_done(self, completed):
        assert {path.name for path in completed.folder.rglob(".*")} == {".lock"}

    def test_history_has_a_row_an_epoch_and_steps_a_row_a_step(self, completed):
        history = completed.history()
        assert [row["epoch"] for row in history] == [1, 2, 3]
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "lr", "images_per_second"):
            assert all(np.isfinite(row[name]) for row in history), name
        steps = completed.steps()
        assert [row["step"] for row in steps] == list(range(1, int(steps[0]["steps"]) + 1)) * 3
        # The live losses of an epoch average to the epoch's own.
        images = np.full(int(steps[0]["steps"]), 8.0)
        images[-1] = len(prepare_train(completed)) - images[:-1].sum()
        first = [row["loss"] for row in steps[: len(images)]]
        assert np.average(first, weights=images) == pytest.approx(history[0]["loss"], rel=1e-4)

    def test_tensorboard_can_read_the_figures(self, completed):
        from tensorflow.python.summary.summary_iterator import summary_iterator

        (events,) = (completed.folder / "tensorboard").iterdir()
        result = {(v.tag, event.step) for event in summary_iterator(str(events)) for v in event.summary.value}
        assert {("val_auc", epoch) for epoch in (1, 2, 3)} <= result

    @pytest.mark.parametrize("split", [VALIDATION, TEST])
    def test_predictions_are_those_of_the_bundle_to_the_last_bit(self, completed, split):
        """What is reported is what users get who give the same files to the finished detector."""
        table = read_predictions(completed.folder / f"predictions_{split}.parquet")
        root = Path(completed.config()["data_root"])
        assert set(table.path) == {p.relative_to(root).as_posix() for p in (root / split).rglob("*.png")}
        assert [path.split("/")[1] for path in table.path] == ["fake" if label else "real" for label in table.label]
        detector = Detector.load(completed.folder, "openvino")
        verdicts = detector.predict([root / path for path in table.path], batch_size=5)
        assert [verdict.score for verdict in verdicts] == table.score.tolist()
        assert [verdict.logit for verdict in verdicts] == table.logit.tolist()

    def test_calibration_and_thresholds_come_from_validation_alone(self, completed):
        table = read_predictions(completed.folder / "predictions_validation.parquet")
        card = read_card(completed.bundle)
        labels, source = table.label.to_numpy(int), "the validation split"
        assert card.calibration == fit_calibration(labels, table.logit, fitted_on=source)
        assert card.calibration.method == "platt"
        assert table.score.tolist() == card.calibration.apply(table.logit).tolist()
        assert card.thresholds == fit_thresholds(labels, table.score, ErrorBudget(), chosen_on=source)
        # As likely fake as real is where the calibrated score is one half.
        assert (card.threshold.value, card.threshold.chosen_on) == (0.5, source)

    def test_it_knows_what_its_training_images_are_like(self, completed):
        card, detector = read_card(completed.bundle), Detector.load(completed.folder)
        assert card.ood.files.sides == (32, 32)
        assert card.ood.files.qualities is None, "PNGs have none"
        assert card.ood.limit_from == "the validation split"
        assert len(detector.ood_detector.references) == len(prepare_train(completed))
        root = Path(completed.config()["data_root"])
        learned = detector.predict([root / path for path in prepare_train(completed)])
        assert np.mean([verdict.ood.is_ood for verdict in learned]) < 0.1
        grey = np.full((32, 32, 3), 128, np.uint8)
        (strange,) = detector.predict([grey])
        assert strange.decision == "inconclusive"
        assert strange.ood.is_ood

    @pytest.mark.parametrize("split", [VALIDATION, TEST])
    def test_metrics_follow_from_the_predictions(self, completed, split):
        table, card = read_predictions(completed.folder / f"predictions_{split}.parquet"), read_card(completed.bundle)
        expected = full_metrics(table, card.threshold.value, card.thresholds)
        assert completed.metrics()[split] == expected
        assert card.results[split] == {name: value for name, value in expected.items() if name != "report"}

    @pytest.mark.parametrize("split", [VALIDATION, TEST])
    def test_predictions_travel_with_the_detector(self, completed, split):
        ours, theirs = (read_predictions(predictions_path(f, split)) for f in (completed.folder, completed.bundle))
        pd.testing.assert_frame_equal(ours, theirs)
        assert ours.is_ood.dtype == bool

    def test_the_card_tells_what_it_was_trained_on(self, completed):
        card, config = read_card(completed.bundle), completed.config()
        result = scan(config["data_root"])
        assert card.title == "A tiny one"
        assert (card.arch, card.preprocess.size, card.loss) == ("cnn", 32, "binary")
        assert card.training.fingerprint == result.fingerprint
        assert card.training.counts == {split: dict(row) for split, row in result.counts().iterrows()}
        assert card.training.excluded == 1
        assert card.training.epochs_run == 3
        best = max(completed.history(), key=lambda row: row["val_auc"])
        assert 1 <= card.training.best_epoch <= best["epoch"]
        assert any("only" in limit and "images" in limit for limit in card.limits)

    def test_the_card_names_no_folder_of_this_machine(self, completed):
        root = completed.config()["data_root"]
        text = (completed.bundle / "card.json").read_text()
        assert str(Path(root).parent) not in text

    def test_unreadable_images_are_listed_with_their_reason(self, completed):
        excluded = pd.read_csv(completed.folder / "excluded.csv")
        assert excluded.path.tolist() == ["train/real/damaged.png"]
        assert "damaged" in excluded.error[0]


def prepare_train(run: Run) -> list[str]:
    usable = scan(run.config()["data_root"]).usable
    return usable.path[usable.split == TRAIN].tolist()


def test_without_a_test_split_the_run_completes_and_says_so(small_dataset, tmp_path, unharmed_signals):
    data = tmp_path / "data"
    shutil.copytree(small_dataset, data, ignore=shutil.ignore_patterns("test"))
    run = new_run(tiny(data, epochs=1), tmp_path / "runs")
    assert work(run) == 0, run.status().reason
    assert run.metrics()["test"]["images"] == 0
    assert run.metrics()["test"]["accuracy"] is None
    assert run.metrics()["validation"]["images"] > 0
    assert any("no test split" in limit for limit in read_card(run.bundle).limits)


# === Cross-validation within a run ===

CV = {"cross_validation": "content", "folds": 3, "epochs": 2, "augmentation": "none"}


def work_watched(run: Run, monkeypatch, stop_in: str = "") -> list[str]:
    """Trains a run; returns its phases. A stop is asked for when a phase begins with `stop_in`."""
    phases, phase = [], worker.RunWatcher.phase

    def message(self, text):
        phases.append(text)
        phase(self, text)
        if stop_in and text.startswith(stop_in):
            run.request_stop()

    with monkeypatch.context() as patch:
        patch.setattr(worker.RunWatcher, "phase", message)
        assert work(run) == 0, run.status().reason
    return phases


@pytest.fixture(scope="module")
def cross_validated(small_dataset, tmp_path_factory):
    """A run with three folds, trained in one go after a process that was killed; one training image has a copy."""
    before = signal.getsignal(signal.SIGTERM)
    folder = tmp_path_factory.mktemp("cross_validated")
    shutil.copytree(small_dataset, folder / "data")
    shutil.copy(folder / "data" / "train" / "fake" / "0.png", folder / "data" / "train" / "fake" / "copy.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFCORE_CACHE", str(folder / "cache"))
        patch.setattr(reporter, "_EVERY_SECONDS", 0)
        run = new_run(tiny(folder / "data", **CV), folder / "runs")
        leave_half_done(run, "folds/.aside-0-1.parquet", "folds/0/.aside-epoch-000001-step-00000000-1.npz")
        work_watched(run, patch)
    signal.signal(signal.SIGTERM, before)
    return run


# Phase in which a stop is asked for, how many folds are done by then, and which were trained since the stop before.
FOLD_STOPS = [
    ("training epoch 2", 0, set()),
    ("cross-validation, fold 1 of 3", 0, {1}),
    ("cross-validation, fold 3 of 3: train", 2, {1, 2, 3}),
]


def trained_folds(phases: list[str]) -> set[int]:
    return {int(fold[1]) for phase in phases if (fold := re.match(r"cross-validation, fold (\d) of 3: train", phase))}


@pytest.mark.slow
class TestCrossValidatedRun:
    def test_every_training_image_is_scored_once_by_a_network_that_did_not_see_it(self, cross_validated):
        table = read_predictions(predictions_path(cross_validated.folder, CROSS_VALIDATION))
        assert sorted(table.path) == sorted(prepare_train(cross_validated))
        assert sorted(table.fold.unique()) == [f"fold {number} of 3" for number in (1, 2, 3)]
        copies = table[table.path.isin(["train/fake/0.png", "train/fake/copy.png"])]
        assert len(copies) == 2
        assert copies.fold.nunique() == 1, "a copy in the training would have been seen"
        # By the network of the run itself, which learned them, the logits would be others.
        root = Path(cross_validated.config()["data_root"])
        seen = Detector.load(cross_validated.folder).predict([root / path for path in table.path])
        assert not np.isclose([verdict.logit for verdict in seen], table.logit).any()

    def test_calibration_and_thresholds_come_from_those(self, cross_validated):
        card = read_card(cross_validated.bundle)
        table = read_predictions(predictions_path(cross_validated.bundle, CROSS_VALIDATION))
        source = "3-fold cross-validation of the training split"
        assert card.calibration == fit_calibration(table.label.to_numpy(int), table.logit, fitted_on=source)
        assert card.thresholds == fit_thresholds(
            table.label.to_numpy(int), table.score, ErrorBudget(), chosen_on=source
        )
        assert card.threshold.chosen_on == source
        assert card.calibration.images == len(table) == 25
        assert table.score.tolist() == card.calibration.apply(table.logit).tolist()
        assert (cross_validated.bundle / "domain.npz").is_file()

    def test_it_is_measured_like_a_split(self, cross_validated):
        metrics = cross_validated.metrics()
        assert set(metrics) == {VALIDATION, TEST, CROSS_VALIDATION}
        table = read_predictions(predictions_path(cross_validated.folder, CROSS_VALIDATION))
        card = read_card(cross_validated.bundle)
        assert metrics[CROSS_VALIDATION] == full_metrics(table, 0.5, card.thresholds)
        assert stored_splits(cross_validated.bundle) == [TEST, VALIDATION, CROSS_VALIDATION]

    def test_the_progress_counts_the_networks_besides(self, cross_validated):
        status = cross_validated.status()
        assert (status.state, status.epoch, status.epochs) == (State.COMPLETED, 8, 8)
        assert status.fraction == 1
        assert [row["epoch"] for row in cross_validated.history()] == [1, 2], "of the run's own network"
        assert not [path for path in (cross_validated.folder / "folds").iterdir() if path.is_dir()]

    def test_what_a_killed_process_left_half_done_of_a_fold_is_gone(self, cross_validated):
        assert {path.name for path in cross_validated.folder.rglob(".*")} == {".lock"}

    def test_stopped_in_folds_it_goes_on_there_and_ends_the_same(
        self, cross_validated, tmp_path, monkeypatch, unharmed_signals
    ):
        run = new_run(make_config(cross_validated.config()), tmp_path / "runs")
        for stop_in, done, begun in FOLD_STOPS:
            phases = work_watched(run, monkeypatch, stop_in)
            assert run.status().state is State.STOPPED
            assert not run.bundle.exists()
            assert len(list((run.folder / "folds").glob("*.parquet"))) == done
            assert trained_folds(phases) == begun
            run.update(state=State.STOPPED, pid=None, started=None)
        phases = work_watched(run, monkeypatch)
        assert run.status().state is State.COMPLETED, run.status().reason
        assert trained_folds(phases) == {3}, "what is done is not done again"
        one, other = (read_predictions(predictions_path(r.folder, CROSS_VALIDATION)) for r in (run, cross_validated))
        pd.testing.assert_frame_equal(one.drop(columns="score"), other.drop(columns="score"), rtol=1e-5)
        assert_same_weights(Detector.load(run.folder).model, Detector.load(cross_validated.folder).model)


def grouped(data: Path, folder: Path) -> Path:
    """The same images, those of every split as if they came from two sources."""
    for path in data.rglob("*.png"):
        split, label = path.relative_to(data).parts[:2]
        source = "canon" if int(path.stem) % 3 else "nikon"
        (folder / split / source / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / split / source / label / path.name)
    return folder


@pytest.mark.slow
def test_whole_groups_are_held_out_when_asked(small_dataset, tmp_path, unharmed_signals):
    run = new_run(
        tiny(grouped(small_dataset, tmp_path / "data"), **(CV | {"cross_validation": "group"})), tmp_path / "runs"
    )
    assert work(run) == 0, run.status().reason
    table = read_predictions(predictions_path(run.folder, CROSS_VALIDATION))
    assert table.fold.tolist() == table.group.tolist()
    assert {name: result["images"] for name, result in run.metrics()[CROSS_VALIDATION]["groups"].items()} == {
        "canon": 16, "nikon": 8}  # fmt: skip
    assert run.status().epochs == 2 * 3


@pytest.mark.slow
def test_sources_that_were_held_out_are_evidence_and_handling_is_measured(small_dataset, tmp_path, unharmed_signals):
    """With 24 validation images a class there are enough to fit the gate; with 24 of two sources none for a right."""
    data = grouped(small_dataset, tmp_path / "data")
    for path in (data / "test").rglob("*.png"):
        _, source, label, name = path.relative_to(data).parts
        shutil.move(path, data / "validation" / source / label / f"9{name:0>7}")
    shutil.rmtree(data / "test")
    run = new_run(tiny(data, **(CV | {"cross_validation": "source"})), tmp_path / "runs")
    assert work(run) == 0, run.status().reason
    card = read_card(run.bundle)
    assert card.thresholds.groups + card.thresholds.pooled_groups == 2
    assert {(each.name, each.fakes) for each in card.words.sources} == {("canon", 8), ("nikon", 4)}
    assert not card.thresholds.says_real
    assert {row["group"] for row in card.results[CROSS_VALIDATION]["coverage"]} == {"canon", "nikon"}
    handled = read_predictions(predictions_path(run.bundle, HANDLED))
    assert set(handled.group) == {row.handling for row in card.ood.gate.measured}
    assert {row.images for row in card.ood.gate.measured} == {48}
    assert HANDLED not in stored_splits(run.bundle)
    sides = card.ood.gate.sides
    (small,) = Detector.load(run.bundle).predict([make_image(tmp_path / "small.png", (int(sides[0]) - 4,) * 2)])
    assert f"below {sides[0]:.0f} the score was measured to err too often" in small.reason


TOO_FEW = {
    "no groups": ({"cross_validation": "group"}, "needs at least two groups"),
    "more folds than images": ({"cross_validation": "content", "folds": 13}, "13 folds need as many unrelated images"),
}


@pytest.mark.parametrize(("changes", "message"), TOO_FEW.values(), ids=TOO_FEW)
def test_folds_that_cannot_be_made_are_told_before_anything_is_trained(
    changes, message, small_dataset, tmp_path, unharmed_signals
):
    run = new_run(tiny(small_dataset, **changes), tmp_path / "runs")
    assert work(run) == 1
    assert message in run.status().reason
    assert run.history() == []


# === Patches ===


@pytest.fixture
def any_size(monkeypatch) -> str:
    """The name of a small network that takes images of any size, with batch normalisation."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @register_architecture("any_size", title="Any size", summary="For a test.", cam_layer="conv_2", any_size=True)
    def features(inputs, weights):
        from keras import layers

        x = layers.Rescaling(1 / 255, name="scale")(inputs)
        for number in (1, 2):
            x = layers.Conv2D(8, 3, strides=2, name=f"conv_{number}")(x)
            x = layers.ReLU(name=f"relu_{number}")(layers.BatchNormalization(name=f"norm_{number}")(x))
        return layers.Dense(8, name="head_dense")(layers.GlobalAveragePooling2D(name="head_pool")(x))

    return "any_size"


@pytest.mark.slow
def test_parts_teach_it_and_whole_images_are_judged(small_dataset, tmp_path, any_size, monkeypatch, unharmed_signals):
    """The last of the epochs sees whole images; the detector takes the whole size."""
    seen, gather = [], trainer_module.training_batches

    def watched(*arguments, **options):
        batches = gather(*arguments, **options)
        seen.append((options["augmentation"], next(iter(batches))[0].shape[1]))
        return batches

    monkeypatch.setattr(trainer_module, "training_batches", watched)
    run = new_run(
        tiny(small_dataset, arch=any_size, image_size=48, augmentation="flip,random_crop", full_image_epochs=1),
        tmp_path / "runs",
    )
    assert work(run) == 0, run.status().reason
    assert seen == [("flip,random_crop", 32), ("flip,random_crop", 32), ("flip", 48)]
    detector = Detector.load(run.folder)
    assert detector.model.input_shape == (None, 48, 48, 3)
    table = read_predictions(predictions_path(run.folder, TEST))
    (verdict,) = detector.predict([small_dataset / table.path[0]])
    assert verdict.logit == table.logit[0]


# === The same seed, the same run ===


@pytest.mark.slow
def test_one_seed_gives_one_result_and_another_seed_another(stopped_in_second_epoch, tmp_path):
    config, _, one = stopped_in_second_epoch
    same = trained(config, tmp_path / "same")
    other = trained(config.model_copy(update={"seed": config.seed + 1}), tmp_path / "other")
    assert_same_weights(one.model, same.model)
    assert_same_history(one, same)
    assert not same_weights(one.model, other.model)


@pytest.fixture(scope="module")
def cnn_weights(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(11)
    path = tmp_path_factory.mktemp("weights") / "cnn.weights.h5"
    build_model("cnn", size=32).save_weights(path)
    return path


# Steps at which a run is stopped, each time after it went on from the stop before.
STOPS = {
    "at the first step, and in the second epoch": ((1, 5), {}),
    "within the second epoch, under a cosine with warm-up": (
        (5,),
        {"schedule": "cosine", "warmup_epochs": 1, "optimizer": "adamw", "augmentation": "standard"},
    ),
    "while the head is trained, and just after": (
        (2, 4),
        {"weights": "FILE", "freeze_epochs": 1, "schedule": "cosine"},
    ),
    "while the head is trained for longer": ((2,), {"weights": "FILE", "freeze_epochs": 2}),
    "within the third epoch, two logits": ((7,), {"loss": "categorical"}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("stops", "changes"), STOPS.values(), ids=STOPS)
def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_been(stops, changes, small_dataset, tmp_path, cnn_weights):
    if "weights" in changes:
        changes = changes | {"weights": str(cnn_weights)}
    config = tiny(small_dataset, **changes)
    whole = trained(config, tmp_path / "whole")
    reached = 0
    for stop_at in stops:
        part = make_trainer(config, tmp_path / "parts", Watch(stop_at - reached))
        assert (part.progress.epoch, part.progress.step) == divmod(reached, part.steps)
        assert not part.run()
        assert (part.progress.epoch, part.progress.step) == divmod(stop_at, part.steps)
        reached = stop_at
    part = make_trainer(config, tmp_path / "parts")
    assert (part.progress.epoch, part.progress.step) == divmod(reached, part.steps)
    assert part.run()
    assert_same_weights(part.model, whole.model)
    assert_same_history(part, whole)
    assert part.progress.best_epoch == whole.progress.best_epoch
    assert_same_weights(part.best_model(), whole.best_model())


@pytest.mark.slow
def test_a_plateau_is_remembered_by_a_run_that_goes_on(small_dataset, tmp_path, monkeypatch):
    """How long it has been stuck, at which loss, and what became of the rate."""
    config = tiny(small_dataset, schedule="plateau", plateau_patience=2, epochs=8)
    scripted(monkeypatch, "val_loss", STUCK)
    whole = trained(config, tmp_path / "whole")
    assert [row["lr"] for row in whole.progress.history] == pytest.approx(HALVED), "the rate was lowered twice"
    scripted(monkeypatch, "val_loss", STUCK)
    for stop_at in (8, 16):  # Before the first halving, and after it.
        assert not make_trainer(config, tmp_path / "parts", Watch(8)).run()
        parts = make_trainer(config, tmp_path / "parts")
        assert (parts.progress.epoch, parts.progress.step) == divmod(stop_at, parts.steps)
        assert parts.progress.plateau_value is not None
    assert parts.run()
    assert_same_history(parts, whole)
    assert_same_weights(parts.model, whole.model)


@pytest.mark.slow
def test_a_stop_is_heeded_between_epochs_too(stopped_in_second_epoch, tmp_path, monkeypatch):
    """Epochs of less than a second must not outrun the wish to stop."""
    monkeypatch.setattr(reporter, "_EVERY_SECONDS", 3600)

    class AfterFirstEpoch(Watch):
        def should_stop(self):
            return self.epochs >= 1

    config, _, whole = stopped_in_second_epoch
    trainer = make_trainer(config, tmp_path / "parts", AfterFirstEpoch())
    assert not trainer.run()
    assert trainer.progress.epoch == 1
    resumed = make_trainer(config, tmp_path / "parts")
    assert resumed.run()
    assert_same_weights(resumed.model, whole.model)


# === Checkpoints ===


def with_a_flipped_bit(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def with_other_weights(data: bytes) -> bytes:
    """As if somebody had written it: every check sum in the file is right."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["model/00000"] += 1
    altered = io.BytesIO()
    np.savez(altered, **arrays)
    return altered.getvalue()


DAMAGES = {
    "cut short": lambda data: data[: len(data) // 2],
    "a flipped bit": with_a_flipped_bit,
    "other weights, with check sums that fit": with_other_weights,
    "other content": lambda data: b"not a checkpoint",
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(damage, stopped_in_second_epoch, tmp_path):
    config, saved, whole = stopped_in_second_epoch
    shutil.copytree(saved, tmp_path / "parts")
    newest = max((tmp_path / "parts").glob("epoch-*.npz"))
    newest.write_bytes(damage(newest.read_bytes()))
    trainer = make_trainer(config, tmp_path / "parts")
    assert (trainer.progress.epoch, trainer.progress.step) == (1, 0)
    assert trainer.run()
    assert_same_weights(trainer.model, whole.model)


def test_with_no_readable_checkpoint_it_says_so(stopped_in_second_epoch, tmp_path):
    config, saved, _ = stopped_in_second_epoch
    shutil.copytree(saved, tmp_path / "parts")
    for path in (tmp_path / "parts").glob("epoch-*.npz"):
        path.write_bytes(b"not a checkpoint")
    with pytest.raises(DfcoreError, match="No checkpoint can be read"):
        make_trainer(config, tmp_path / "parts")


def test_a_checkpoint_of_another_network_is_refused(stopped_in_second_epoch, tmp_path):
    config, saved, _ = stopped_in_second_epoch
    other = config.model_copy(update={"loss": "categorical"})
    with pytest.raises(DfcoreError, match="does not fit this model"):
        make_trainer(other, saved)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    state = {"epoch": 1, "step": 0}
    first = checkpoints.save(tmp_path, {"model": [np.arange(3.0)]}, state)

    def full(file, **arrays):
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DfcoreError, match="No space left on device"):
        checkpoints.save(tmp_path, {"model": [np.arange(3.0) + 1]}, state | {"epoch": 2})
    assert list(tmp_path.iterdir()) == [first]
    assert checkpoints.newest(tmp_path).state == state


def saved(folder: Path, epoch: int, step: int = 0, weight: float = 0.0) -> Path:
    return checkpoints.save(folder, {"model": [np.full(3, weight)]}, {"epoch": epoch, "step": step})


def counted(folder: Path) -> tuple[int, int]:
    state = checkpoints.newest(folder).state
    return state["epoch"], state["step"]


def damage_file(path: Path) -> None:
    path.write_bytes(with_a_flipped_bit(path.read_bytes()))


def test_the_newest_and_the_one_before_are_kept(tmp_path):
    paths = [saved(tmp_path, *at) for at in ((1, 0), (1, 5), (2, 0), (2, 3), (10, 0))]
    assert sorted(tmp_path.iterdir()) == paths[-2:]
    assert counted(tmp_path) == (10, 0)


def test_of_two_checkpoints_of_one_step_the_later_counts(tmp_path):
    for weight in (1.0, 2.0):
        path = saved(tmp_path, 1, weight=weight)
        os.utime(path, (weight, weight))
    (weights,) = checkpoints.newest(tmp_path).arrays("model")
    assert weights.tolist() == [2.0] * 3


def test_a_checkpoint_that_reads_otherwise_than_it_was_written_is_refused_and_those_before_stay(tmp_path, monkeypatch):
    retained, flush = [saved(tmp_path, epoch) for epoch in (1, 2)], files.flush

    def spoil(path):
        flush(path)
        for written in tmp_path.glob("epoch-000003*"):
            damage_file(written)

    monkeypatch.setattr(files, "flush", spoil)
    with pytest.raises(StorageError, match="does not read as it was written"):
        saved(tmp_path, 3)
    assert sorted(tmp_path.iterdir()) == retained
    assert counted(tmp_path) == (2, 0)


def test_a_damaged_checkpoint_does_not_push_out_a_sound_one(tmp_path):
    for epoch in (1, 2, 3):
        newest = saved(tmp_path, epoch)
    damage_file(newest)
    assert counted(tmp_path) == (2, 0)
    newest = saved(tmp_path, 2, 5)
    assert counted(tmp_path) == (2, 5)
    damage_file(newest)
    assert counted(tmp_path) == (2, 0), "the one before always stays"


def test_a_checkpoint_that_was_half_written_when_its_process_was_killed_is_swept(tmp_path):
    retained = saved(tmp_path, 1)
    (tmp_path / ".aside-epoch-000002-step-00000000-x7.npz").write_bytes(b"half")
    assert counted(tmp_path) == (1, 0)
    assert list(tmp_path.iterdir()) == [retained]


def test_older_ones_that_a_kill_left_go_when_the_run_goes_on(tmp_path):
    first = saved(tmp_path, 1)
    content = first.read_bytes()
    retained = [saved(tmp_path, epoch) for epoch in (2, 3)]
    first.write_bytes(content)  # As if the process had been killed before it was removed.
    assert counted(tmp_path) == (3, 0)
    assert sorted(tmp_path.iterdir()) == retained


# === What the settings do ===


class Recorder(Watch):
    """Keeps the weights at the end of every epoch."""

    def __init__(self):
        super().__init__()
        self.trainer, self.weights = None, []

    def epoch(self, history):
        super().epoch(history)
        self.weights.append(self.trainer.model.get_weights())


EARLY = {
    "loss: falls, then rises": ("loss", "val_loss", (0.5, 0.4, 0.6, 0.7, 0.1), 2, 4),
    "auc: rises, then falls": ("auc", "val_auc", (0.5, 0.8, 0.7, 0.6, 0.9), 2, 4),
    "auc: too small a gain is none": ("auc", "val_auc", (0.5, 0.50001, 0.50002, 0.9, 0.9), 1, 3),
    "auc: better in time": ("auc", "val_auc", (0.5, 0.4, 0.6, 0.5, 0.7), 5, 5),
    "off: the last epoch counts": ("off", "val_auc", (0.9, 0.8, 0.7, 0.6, 0.5), 5, 5),
}


@pytest.mark.slow
@pytest.mark.parametrize(("watched", "figure", "values", "best", "ends"), EARLY.values(), ids=EARLY)
def test_early_stopping_ends_in_time_and_keeps_the_best_epoch(watched, figure, values, best, ends, anew, monkeypatch):
    scripted(monkeypatch, figure, values)
    watch = Recorder()
    trainer = watch.trainer = anew(watch, epochs=5, early_stopping=watched, patience=2)
    assert trainer.run()
    assert (trainer.progress.best_epoch, trainer.progress.epoch) == (best, ends)
    for ours, theirs in zip(trainer.best_model().get_weights(), watch.weights[best - 1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Dies(Recorder):
    """Ends the process, in a way, when so many epochs are kept."""

    def __init__(self, after: int):
        super().__init__()
        self.after = after

    def epoch(self, history):
        super().epoch(history)
        if len(history) == self.after:
            raise KeyboardInterrupt


BESTS = {
    "the best is in the last checkpoint alone": ((0.5, 0.9, 0.6, 0.5), False, 2),
    "a damaged checkpoint takes the best that it held along": ((0.5, 0.6, 0.9, 0.5, 0.5), True, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize(("values", "damaged", "best"), BESTS.values(), ids=BESTS)
def test_the_best_weights_travel_in_the_checkpoint(values, damaged, best, anew, monkeypatch):
    scripted(monkeypatch, "val_auc", values)
    watch = Dies(after=3)
    trainer = watch.trainer = anew(watch, epochs=4, early_stopping="auc", patience=4)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    before, last = sorted(trainer.folder.iterdir())
    if damaged:
        damage_file(last)
    else:
        before.unlink()
    resumed = make_trainer(trainer.config, trainer.folder)
    for _ in range(2):
        assert resumed.progress.best_epoch == best
        for ours, theirs in zip(resumed.best_model().get_weights(), watch.weights[best - 1], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert resumed.run()


def test_class_weights_make_both_classes_count_the_same(small_dataset, tmp_path, monkeypatch):
    config = tiny(unbalanced(small_dataset, tmp_path / "data"), epochs=1)
    data = prepare(config)
    real, fake = np.bincount(data.labels(TRAIN))
    weights = data.class_weights()
    assert real > fake
    assert real * weights[0] == pytest.approx(fake * weights[1])
    given, batches = [], trainer_module.training_batches
    monkeypatch.setattr(
        trainer_module, "training_batches", lambda *a, **k: given.append(k["weights"]) or batches(*a, **k)
    )
    with_weights = trained(config, tmp_path / "with")
    without = trained(config.model_copy(update={"class_weights": False}), tmp_path / "without")
    np.testing.assert_array_equal(given[0], weights[data.labels(TRAIN)])
    assert given[1] is None
    assert not same_weights(with_weights.model, without.model)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "units"), [("binary", 1), ("categorical", 2)])
def test_both_losses_learn_the_training_images(loss, units, small_dataset, tmp_path):
    config = tiny(small_dataset, loss=loss, epochs=12, augmentation="none", class_weights=False)
    trainer = trained(config, tmp_path)
    history = trainer.progress.history
    assert trainer.best_model().output_shape == (None, units)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    # The score of the engine is what the loss was trained on.
    pixels = trainer.data.pixels.gather(np.arange(4))
    outputs = trainer.best_model()(pixels.astype(np.float32)).numpy()
    logits = KerasEngine(trainer.best_model()).logits(pixels)
    np.testing.assert_allclose(logits, outputs[:, 0] if units == 1 else outputs[:, 1] - outputs[:, 0], rtol=1e-4)


def rates(trainer) -> list[float]:
    assert trainer.run()
    return [row["lr"] for row in trainer.progress.history]


def test_a_constant_rate_stays(completed):
    assert [row["lr"] for row in completed.history()] == pytest.approx([1e-3] * 3)


@pytest.mark.slow
def test_a_cosine_ends_at_zero(small_dataset, tmp_path):
    falling = rates(make_trainer(tiny(small_dataset, schedule="cosine", epochs=4), tmp_path))
    assert falling == pytest.approx([1e-3 * (1 + np.cos(np.pi * part)) / 2 for part in (0.25, 0.5, 0.75, 1)], abs=1e-8)


def test_a_cosine_with_warm_up_rises_first(small_dataset, tmp_path):
    watch = Watch()
    config = tiny(small_dataset, schedule="cosine", warmup_epochs=1, epochs=3)
    trainer = make_trainer(config, tmp_path, watch)
    assert trainer.run()
    text = [row["lr"] for row in watch.steps]
    assert text[: trainer.steps] == sorted(text[: trainer.steps])
    assert max(text) == pytest.approx(1e-3)
    assert text[-1] == pytest.approx(0, abs=1e-8)


STUCK = (0.6, 0.7, 0.7, 0.5, 0.5, 0.5, 0.5, 0.5)
HALVED = [1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 2.5e-4, 2.5e-4]


@pytest.mark.slow
@pytest.mark.parametrize("watched", ["off", "auc", "loss"])
def test_a_plateau_halves_the_rate_whatever_early_stopping_watches(watched, anew, monkeypatch):
    scripted(monkeypatch, "val_loss", STUCK)
    trainer = anew(schedule="plateau", plateau_patience=2, epochs=8, early_stopping=watched, patience=50)
    # Stuck for two epochs: the fourth is slower, and after a gain the seventh.
    assert rates(trainer) == pytest.approx(HALVED)


def test_a_plateau_has_a_patience_of_its_own(anew, monkeypatch):
    """It lowers the rate before the run ends, and does not reach the next plateau sooner for that."""
    scripted(monkeypatch, "val_loss", STUCK)
    trainer = anew(schedule="plateau", plateau_patience=1, early_stopping="loss", patience=2, epochs=8)
    assert rates(trainer) == pytest.approx([1e-3, 1e-3, 5e-4])


def test_epochs_of_the_head_are_no_plateau(small_dataset, tmp_path, monkeypatch, cnn_weights):
    scripted(monkeypatch, "val_loss", (0.1, 0.1, 0.9, 0.9, 0.9))
    config = tiny(small_dataset, weights=str(cnn_weights), freeze_epochs=2, epochs=5,
                  schedule="plateau", plateau_patience=1)  # fmt: skip
    trainer = trained(config, tmp_path)
    assert [row["lr"] for row in trainer.progress.history] == pytest.approx([1e-3, 1e-3, 1e-3, 1e-3, 5e-4])


def scripted_rows(monkeypatch, *rows) -> None:
    """Lets validation come out as told: pairs of loss and AUC, epoch by epoch."""
    text = iter(rows)

    def figures(labels, logits):
        loss, auc = next(text)
        return {"val_loss": loss, "val_accuracy": 0.5, "val_auc": auc}

    monkeypatch.setattr(trainer_module, "validation_figures", figures)


TIES = [
    pytest.param([(0.7, 1.0), (0.5, 1.0), (0.3, 1.0), (0.2, 1.0)], 4, 4, id="the-loss-still-falls"),
    pytest.param([(0.7, 1.0), (0.5, 1.0), (0.6, 1.0), (0.6, 1.0)], 2, 4, id="until-it-rises"),
    pytest.param([(0.7, 0.9), (0.1, 0.8), (0.1, 0.8), (0.1, 0.8)], 1, 3, id="a-lower-loss-of-a-worse-order"),
    pytest.param([(0.1, 0.8), (0.7, 0.9), (0.6, 0.9), (0.1, 0.8)], 3, 4, id="a-better-order-of-a-higher-loss"),
    pytest.param([(0.9, 0.9), (0.8, 0.89995), (0.7, 0.8999), (0.6, 0.88)], 3, 4, id="as-good-as-the-same"),
    pytest.param([(0.9, 0.9), (0.8, 0.89995), (0.7, 0.8998), (0.6, 0.8997)], 2, 4, id="never-downhill-in-small-steps"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "best", "epochs"), TIES)
def test_among_epochs_of_the_same_auc_the_lower_loss_is_the_best(rows, best, epochs, anew, monkeypatch):
    scripted_rows(monkeypatch, *rows)
    trainer = anew(early_stopping="auc", patience=2, epochs=4)
    assert trainer.run()
    assert (trainer.progress.best_epoch, trainer.progress.epoch) == (best, epochs)


def test_pretrained_layers_stay_frozen_while_the_head_is_trained(small_dataset, tmp_path, cnn_weights):
    given = build_model("cnn", size=32, weights=str(cnn_weights))
    config = tiny(small_dataset, weights=str(cnn_weights), freeze_epochs=2, head_lr=5e-3, epochs=3)
    watch = Recorder()
    trainer = watch.trainer = make_trainer(config, tmp_path, watch)
    assert trainer.run()
    names = [weight.path for weight in trainer.model.weights]
    backbone = {weight.path for layer in backbone_layers(trainer.model) for weight in layer.weights}
    for index, name in enumerate(names):
        before, head, after = given.get_weights()[index], watch.weights[1][index], watch.weights[2][index]
        if name in backbone:
            np.testing.assert_array_equal(before, head, err_msg=name)
            assert not np.array_equal(head, after), name
        else:
            assert not np.array_equal(before, head), name
    assert [row["lr"] for row in trainer.progress.history] == pytest.approx([5e-3, 5e-3, 1e-3])


@pytest.mark.slow
def test_epochs_of_the_head_do_not_tire_the_patience(small_dataset, tmp_path, monkeypatch, cnn_weights):
    scripted(monkeypatch, "val_auc", (0.9, 0.5, 0.5, 0.5, 0.5))
    config = tiny(small_dataset, weights=str(cnn_weights), freeze_epochs=3, epochs=5, early_stopping="auc", patience=1)
    assert trained(config, tmp_path).progress.epoch == 4


@pytest.mark.slow
def test_batch_normalisation_of_pretrained_layers_stays_as_it_was(small_dataset, tmp_path, any_size):
    """Its moving averages would lag for hundreds of steps: good AUC, accuracy near one half."""
    import keras

    path = tmp_path / "pretrained.weights.h5"
    given = build_model(any_size, size=32)
    given.save_weights(path)
    config = tiny(small_dataset, arch=any_size, weights=str(path), freeze_epochs=1, epochs=2)
    model = trained(config, tmp_path / "run").model
    for layer in given.layers:
        if layer.weights and layer.name != "head_logit":
            pairs = list(zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True))
            saved = all(np.array_equal(before, after) for before, after in pairs)
            assert saved == isinstance(layer, keras.layers.BatchNormalization), layer.name


@pytest.mark.slow
def test_mixed_precision_leaves_a_float32_detector(small_dataset, tmp_path):
    trainer = trained(tiny(small_dataset, precision="mixed_bfloat16", epochs=1), tmp_path)
    assert trainer.model.get_layer("conv_1").compute_dtype == "bfloat16"
    best = trainer.best_model()
    assert {layer.compute_dtype for layer in best.layers} == {"float32"}
    assert_same_weights(best, trainer.model)


# === When it goes wrong ===


def test_one_class_is_refused_before_anything_starts(small_dataset, tmp_path, unharmed_signals):
    data = tmp_path / "data"
    shutil.copytree(small_dataset, data, ignore=shutil.ignore_patterns("fake"))
    config = tiny(data)
    with pytest.raises(DatasetError, match=r"no fake images in train.*Expected both classes"):
        prepare(config)
    run = new_run(config, tmp_path / "runs")
    assert work(run) == 1
    status = run.status()
    assert status.state is State.FAILED
    assert "no fake images in train" in status.reason


def test_a_data_set_that_is_gone_fails_with_its_name(small_dataset, tmp_path, unharmed_signals):
    run = new_run(tiny(tmp_path / "gone"), tmp_path / "runs")
    assert work(run) == 1
    assert run.status().state is State.FAILED
    assert "is not there any more" in run.status().reason


def test_a_loss_that_is_no_number_fails_with_advice(small_dataset, tmp_path, monkeypatch, unharmed_signals):
    monkeypatch.setattr(trainer_module, "make_loss", lambda config: lambda y, logits: logits * float("nan"))
    run = new_run(tiny(small_dataset), tmp_path / "runs")
    assert work(run) == 1
    status = run.status()
    assert status.state is State.FAILED
    assert "loss became nan" in status.reason
    assert "lower learning rate" in status.reason


def test_an_error_of_any_kind_is_told(small_dataset, tmp_path, monkeypatch, unharmed_signals, capsys):
    def broken(*_):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(trainer_module, "make_loss", broken)
    run = new_run(tiny(small_dataset), tmp_path / "runs")
    assert work(run) == 1
    assert run.status().reason == "ZeroDivisionError: of all things"
    assert "Traceback" in capsys.readouterr().out, "the log has the whole story"


def test_a_stop_while_images_are_read_is_no_failure(small_dataset, tmp_path, monkeypatch, unharmed_signals):
    run = new_run(tiny(small_dataset), tmp_path / "runs")
    phase = worker.RunWatcher.phase
    # Somebody asks for it as soon as the run is at work.
    monkeypatch.setattr(worker.RunWatcher, "phase", lambda self, text: (run.request_stop(), phase(self, text)))
    assert work(run) == 0
    assert run.status().state is State.STOPPED
    assert not (run.folder / ".reserve").exists()


def in_phase(monkeypatch, begin: str, act) -> list:
    """Lets something happen when a phase begins so, once; returns what came of it."""
    phase, came = worker.RunWatcher.phase, []

    def message(self, text):
        phase(self, text)
        if text.startswith(begin) and not came:
            came.append(act())

    monkeypatch.setattr(worker.RunWatcher, "phase", message)
    return came


@pytest.mark.slow
@pytest.mark.usefixtures("bare_bundles", "unharmed_signals")
def test_a_stop_that_is_pressed_twice_stops_once(stopped_in_second_epoch, tmp_path, monkeypatch):
    config, _, whole = stopped_in_second_epoch
    run = new_run(config, tmp_path / "runs")
    in_phase(monkeypatch, "training epoch 2", lambda: (run.request_stop(), run.request_stop()))
    assert work(run) == 0
    assert run.status().state is State.STOPPED
    with pytest.raises(RunError, match="is stopped; only"):
        run.request_stop()
    assert run.status().state is State.STOPPED
    assert work(run) == 0
    assert run.status().state is State.COMPLETED
    assert_same_weights(Detector.load(run.folder).model, whole.model)


# === A disk that is full ===


@pytest.mark.slow
@pytest.mark.usefixtures("unharmed_signals")
def test_a_full_disk_fails_the_run_with_its_reason_and_it_goes_on_when_there_is_room(
    stopped_in_second_epoch, tmp_path, monkeypatch
):
    config, _, whole = stopped_in_second_epoch
    run, flush = new_run(config, tmp_path / "runs"), files.flush

    def full(path):
        # What a run keeps in reserve is enough for its last words.
        if (run.folder / ".reserve").exists():
            raise OSError(28, "No space left on device")
        flush(path)

    for phase in ("training epoch 2", "validating epoch 2"):
        with monkeypatch.context() as patch:
            came = in_phase(patch, phase, lambda patch=patch: patch.setattr(files, "flush", full))
            assert work(run) == 1
        assert came
        status = run.status()
        assert status.state is State.FAILED
        assert "No space left on device" in status.reason
        assert checkpoints.newest(run.checkpoints).state["epoch"] == 1
        assert not list(run.folder.rglob(".aside-*"))
        assert not (run.folder / ".reserve").exists()

    assert work(run) == 0
    assert run.status().state is State.COMPLETED
    assert [row["epoch"] for row in run.history()] == [1, 2]
    assert_same_weights(Detector.load(run.folder).model, whole.model)


def test_a_disk_without_any_room_ends_the_process_all_the_same(
    small_dataset, tmp_path, monkeypatch, unharmed_signals, capsys
):
    run = new_run(tiny(small_dataset), tmp_path / "runs")

    def full(_):
        raise OSError(28, "No space left on device")

    in_phase(monkeypatch, "training epoch 2", lambda: monkeypatch.setattr(files, "flush", full))
    assert work(run) == 1
    assert "No space left on device" in capsys.readouterr().out
    assert checkpoints.newest(run.checkpoints).state["epoch"] == 1


# === A data set that changes ===


def other_image(data: Path) -> None:
    make_image(data / "train" / "real" / "0.png", seed=99)


CHANGES = {
    "an image is another": other_image,
    "an image is gone": lambda data: (data / "train" / "real" / "0.png").unlink(),
    "an image more": lambda data: make_image(data / "train" / "real" / "new.png", seed=99),
    "an image of the other class": lambda data: (data / "train" / "real" / "0.png").rename(
        data / "train" / "fake" / "from-real.png"
    ),
    "an image of another split": lambda data: (data / "test" / "real" / "0.png").rename(
        data / "validation" / "real" / "from-test.png"
    ),
}
HARMLESS = {
    "nothing": lambda data: None,
    "another time": lambda data: os.utime(data / "train" / "real" / "0.png", (1, 1)),
    "a file that takes no part": lambda data: (data / "train" / "real" / "damaged.png").write_bytes(b"no image"),
}


def rows_of(config) -> tuple[Path, pd.DataFrame]:
    prepared = prepare(config)
    return prepared.dataset.root, prepared.rows


@pytest.fixture
def data(small_dataset, tmp_path) -> Path:
    """A data set that may be changed."""
    return Path(shutil.copytree(small_dataset, tmp_path / "data"))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_data_set_that_has_changed_is_refused_until_it_is_restored(change, data, small_dataset, tmp_path):
    config, path = tiny(data), tmp_path / "data.json"
    require_same(*rows_of(config), path, begun=False)
    change(data)
    for _ in range(2):
        with pytest.raises(DatasetError, match=f"{re.escape(str(data))} has changed since this run began"):
            require_same(*rows_of(config), path, begun=True)
    shutil.rmtree(data)
    shutil.copytree(small_dataset, data)
    require_same(*rows_of(config), path, begun=True)


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_no_image_is_no_change(change, data, tmp_path):
    config, path = tiny(data), tmp_path / "data.json"
    require_same(*rows_of(config), path, begun=False)
    change(data)
    require_same(*rows_of(config), path, begun=True)


def test_before_anything_was_learned_a_data_set_may_change(data, tmp_path):
    config, path = tiny(data), tmp_path / "data.json"
    require_same(*rows_of(config), path, begun=False)
    other_image(data)
    require_same(*rows_of(config), path, begun=False)
    require_same(*rows_of(config), path, begun=True)


def test_a_run_that_began_before_this_was_noted_goes_on(data, tmp_path):
    config, path = tiny(data), tmp_path / "data.json"
    require_same(*rows_of(config), path, begun=True)
    other_image(data)
    with pytest.raises(DatasetError, match="has changed"):
        require_same(*rows_of(config), path, begun=True)


@pytest.mark.slow
@pytest.mark.usefixtures("bare_bundles", "unharmed_signals")
def test_a_run_whose_data_set_has_changed_fails_with_its_name_and_goes_on_when_it_is_restored(
    data, stopped_in_second_epoch, tmp_path, monkeypatch
):
    config, _, whole = stopped_in_second_epoch
    run = new_run(config.model_copy(update={"data_root": str(data)}), tmp_path / "runs")
    work_watched(run, monkeypatch, "training epoch 2")
    assert run.status().state is State.STOPPED
    saved = sorted(run.checkpoints.iterdir())
    image = data / "train" / "fake" / "3.png"
    before = image.read_bytes()
    make_image(image, seed=99)
    assert work(run) == 1
    status = run.status()
    assert status.state is State.FAILED
    assert f"The data set {data} has changed since this run began" in status.reason
    assert sorted(run.checkpoints.iterdir()) == saved
    image.write_bytes(before)
    work_watched(run, monkeypatch)
    assert run.status().state is State.COMPLETED
    assert_same_weights(Detector.load(run.folder).model, whole.model)


# === Who has the run ===


def contents(run: Run) -> dict[str, bytes]:
    """What lies in a run's folder, but for signs of life and what is removed at the end."""
    paths = [path for path in run.folder.rglob("*") if path.is_file() and path.name != "heartbeat"]
    result = {path.relative_to(run.folder).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in result.items() if not name.startswith(".finish-")}


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["training epoch 2", "validating epoch 2", "measuring on test"])
def test_a_process_whose_run_was_given_to_another_writes_nothing_more(
    phase, run_before, monkeypatch, unharmed_signals, capsys
):
    run, other = run_before(phase), identity(os.getppid())

    def give_away():
        Run(run.folder).update(state=State.QUEUED, pid=other["pid"], started=other["started"], phase="waiting")
        return contents(run)

    came = in_phase(monkeypatch, phase, give_away)
    assert work(run) == 1
    now = contents(run)
    assert {name for name in now | came[0] if now.get(name) != came[0].get(name)} == set()
    assert f"given to another process ({other['pid']})" in capsys.readouterr().out


def taken_for_gone(run: Run) -> State:
    """What somebody in another place notes who hears nothing of a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dfcore.runs.job.place", lambda: "another place")
        patch.setattr("dfcore.runs.job.SILENT_SECONDS", -1.0)
        return Run(run.folder).status().state


@pytest.mark.slow
@pytest.mark.usefixtures("bare_bundles", "unharmed_signals")
def test_a_run_that_was_taken_for_gone_goes_on_and_says_so(stopped_in_second_epoch, tmp_path, monkeypatch):
    run = new_run(stopped_in_second_epoch[0], tmp_path / "runs")
    text, tell = [], worker.RunWatcher.step
    monkeypatch.setattr(worker.RunWatcher, "step", lambda self, row: (tell(self, row), text.append(run.status().state)))
    came = in_phase(monkeypatch, "training epoch 2", lambda: taken_for_gone(run))
    assert work(run) == 0
    assert came == [State.INTERRUPTED]
    assert set(text) == {State.RUNNING}
    assert (run.status().state, run.status().reason) == (State.COMPLETED, "")


def test_a_run_that_was_taken_for_gone_while_it_waited_still_gets_its_turn(tmp_path, monkeypatch, unharmed_signals):
    run, asked = new_run(tiny(tmp_path / "gone"), tmp_path / "runs"), []

    def turn_of(self, _):
        asked.append(run.status().state)
        if len(asked) == 1:
            assert taken_for_gone(run) is State.INTERRUPTED
            return False
        assert len(asked) < 10, "it waits for ever"
        return True

    monkeypatch.setattr(RunStore, "turn_of", turn_of)
    monkeypatch.setattr("dfcore.runs.turn._POLL_SECONDS", 0.01)
    assert work(run) == 1
    assert "is not there any more" in run.status().reason, "it began"


def test_a_worker_that_is_busy_for_long_gives_signs_of_life(small_dataset, tmp_path, monkeypatch, unharmed_signals):
    run = new_run(tiny(small_dataset), tmp_path / "runs")

    def beaten() -> int:
        return (run.folder / "heartbeat").stat().st_mtime_ns

    def slow(*_):
        run.beat()
        before, until = beaten(), time.monotonic() + 120
        while beaten() == before and time.monotonic() < until:
            time.sleep(0.01)
        raise DatasetError("enough" if time.monotonic() < until else "there was no sign of life")

    monkeypatch.setattr("dfcore.training.data.prepare", slow)
    monkeypatch.setattr("dfcore.runs.turn._BEAT_SECONDS", 0.05)
    assert work(run) == 1
    assert run.status().reason == "enough"


@pytest.mark.parametrize("part", ["the card", "the OpenVINO network"])
def test_a_bundle_that_was_deleted_while_it_was_made_is_not_made_anew(part, tmp_path):
    gone, card = tmp_path / "run" / "bundle", make_card()
    with pytest.raises(StorageError, match="is not there any more"):
        if part == "the card":
            write_card(gone, card)
        else:
            write_openvino(gone, card, OpenVINORecord(enabled=False, reason="a test"), (b"graph", b"weights"))
    assert not gone.parent.exists()


DELETED = ["loading TensorFlow", "training epoch 1", "validating epoch 1", "measuring on test", "writing the detector"]


@pytest.mark.slow
@pytest.mark.parametrize("phase", DELETED)
def test_a_run_that_is_deleted_while_it_trains_ends_and_is_not_made_anew(
    phase, run_before, tmp_path, monkeypatch, unharmed_signals
):
    run = run_before(phase)
    came = in_phase(monkeypatch, phase, lambda: run.folder.rename(tmp_path / "aside"))
    assert work(run) == 1
    assert came
    assert not run.folder.exists()


def test_a_run_of_another_process_is_left_alone(small_dataset, tmp_path):
    run = new_run(tiny(small_dataset), tmp_path / "runs")
    other = identity(os.getppid())
    run.claim(int(other["pid"]), other["started"], epochs=3)
    assert worker.main(str(run.folder)) == 1
    assert run.status().state is State.QUEUED
    assert run.status().pid == os.getppid()


@pytest.mark.parametrize("pid", [2**22 + 1, os.getpid()], ids=["another-number", "a-number-that-it-has-got-again"])
def test_a_resumed_worker_waits_until_it_is_entered(pid, small_dataset, tmp_path):
    """After a stop the old process still stands in the status until the launcher has entered the new one."""
    run = new_run(tiny(small_dataset), tmp_path / "runs")
    run.update(state=State.STOPPED, pid=pid, started=1.0)
    me = identity()
    later = threading.Timer(0.5, lambda: run.claim(int(me["pid"]), me["started"], epochs=3))
    later.start()
    assert _is_mine(run, patience=120)
    entered = run.status()
    later.join()
    assert (entered.pid, entered.started) == (me["pid"], me["started"])


# === In processes of their own ===


def wait_for(run: Run, wanted, *, seconds: float = 300):
    """Waits until a run's status is as wanted, and returns it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status = run.status()
        if wanted(status):
            return status
        time.sleep(0.05)
    raise AssertionError(f"{run.id} is {run.status()} after {seconds} s. Its log: {run.log_tail(2000)}")


def beyond(epoch: int):
    return lambda status: status.state is State.RUNNING and status.epoch > epoch


@pytest.fixture
def store(tmp_path):
    """A store whose processes are ended with the test, whatever comes."""
    store = RunStore(tmp_path / "runs")
    yield store
    for run in store:
        status = run.status()
        if status.state.active and status.pid not in (None, os.getpid()):
            os.kill(status.pid, signal.SIGKILL)
            wait_for(run, lambda status: not status.state.active, seconds=20)


WORKER = """
import os, signal, sys
from pathlib import Path
import tensorflow
import numpy as np
from dfcore.training import checkpoints, reporter, session, worker

reporter._EVERY_SECONDS = 0
save, savez, step = checkpoints.save, np.savez, worker.RunWatcher.step

def die():
    os.kill(os.getpid(), signal.SIGKILL)

{patch}
sys.exit(worker.main(sys.argv[1]))
"""


@pytest.fixture
def worker_process():
    """Starts a worker in a process of its own, with some lines before its beginning; all end with the test."""
    processes = []

    def begin(run: Run, patch: str = "") -> subprocess.Popen:
        with open(run.log, "ab") as log:
            command = [sys.executable, "-c", WORKER.format(patch=patch), str(run.folder)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        processes.append(process)
        who = identity(process.pid)
        run.claim(process.pid, who["started"], epochs=run.status().epochs)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()


# In the order in which one run meets them.
KILLS = {
    "within the writing of the first checkpoint": """
savez = np.savez
def half(file, **arrays):
    if not isinstance(file, (str, Path)):
        return savez(file, **arrays)
    Path(file).write_bytes(b"half")
    die()
np.savez = half
""",
    "within an epoch": """
def told(self, row):
    step(self, row)
    if (row["epoch"], row["step"]) == (2, 2):
        die()
worker.RunWatcher.step = told
""",
    "after the last checkpoint, before it is told of": """
def saved(folder, variables, state):
    save(folder, variables, state)
    if state["epoch"] == 2:
        die()
checkpoints.save = saved
""",
}


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_goes_on_with_no_row_missing_and_none_twice(
    stopped_in_second_epoch, tmp_path, worker_process, unharmed_signals
):
    config, _, whole = stopped_in_second_epoch
    run = new_run(config, tmp_path / "runs")
    for when, patch in KILLS.items():
        assert worker_process(run, patch).wait(timeout=300) == -signal.SIGKILL, f"{when}: {run.log_tail(2000)}"
        assert run.status().state is State.INTERRUPTED, when
        told = [(row["epoch"], row["step"]) for row in run.steps()]
        assert told == sorted(set(told)), when
        epochs = [row["epoch"] for row in run.history()]
        assert epochs == [1, 2][: len(epochs)], when
    assert work(run) == 0, run.status().reason
    assert run.status().state is State.COMPLETED
    assert [row["epoch"] for row in run.history()] == [1, 2]
    assert [(row["epoch"], row["step"]) for row in run.steps()] == [(e, s) for e in (1, 2) for s in (1, 2, 3)]
    assert {path.name for path in run.folder.rglob(".*")} == {".lock"}
    assert_same_weights(Detector.load(run.folder).model, whole.model)


@pytest.mark.slow
def test_a_process_whose_run_is_deleted_ends_within_seconds_and_makes_nothing_anew(
    small_dataset, tmp_path, worker_process
):
    run = new_run(tiny(small_dataset, epochs=10_000), tmp_path / "runs")
    process = worker_process(run)
    wait_for(run, beyond(1))
    run.folder.rename(tmp_path / "aside")
    assert process.wait(timeout=120) == 1, (tmp_path / "aside" / "log.txt").read_text()[-2000:]
    assert not run.folder.exists()


@pytest.mark.slow
def test_runs_queue_stop_die_and_go_on(small_dataset, tmp_path, store):
    config = tiny(small_dataset, epochs=12, schedule="cosine")
    first = start(store, tiny(small_dataset, epochs=10_000).to_dict(), epochs=10_000)
    wait_for(first, beyond(1))  # It has learned something by the time that it is stopped.
    second, third = (start(store, config.to_dict(), epochs=config.epochs) for _ in range(2))

    # One trains at a time; those behind it wait, and can be stopped while they do.
    third.request_stop()
    assert "waiting for its turn" in wait_for(third, lambda s: s.state is State.STOPPED).reason
    assert second.status().state is State.QUEUED
    assert first.status().state is State.RUNNING
    with pytest.raises(RunError, match="at work"):
        store.delete(first.id)
    with pytest.raises(RunError, match="running already"):
        resume(first)

    # What is stopped keeps what it learned; the next in the queue then has its turn.
    first.request_stop()
    assert "what was learned is kept" in wait_for(first, lambda s: s.state is State.STOPPED).reason
    assert checkpoints.newest(first.checkpoints).state["epoch"] == len(first.history())
    wait_for(second, beyond(1))

    # A process that is killed is noticed; resumed, it goes on as if nothing had been.
    os.kill(second.status().pid, signal.SIGKILL)
    killed = wait_for(second, lambda s: s.state is State.INTERRUPTED, seconds=20)
    assert "killed" in killed.reason
    assert killed.epoch < config.epochs
    resume(second)
    assert wait_for(second, lambda s: not s.state.active).state is State.COMPLETED
    assert [row["epoch"] for row in second.history()] == list(range(1, config.epochs + 1))
    assert_same_weights(Detector.load(second.folder).model, trained(config, tmp_path / "whole").best_model())
