"""`dfcore.train`: a run in this process, from the queue to the detector; and what foreign errors become."""

import importlib
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from filelock import FileLock

import dfcore
from dfcore.errors import ConfigError, DfcoreError
from dfcore.runs import RunStore, State, estimate
from dfcore.training import reporter
from dfcore.training import trainer as trainer_module
from dfcore.training.config import make_config
from dfcore.training.failures import in_words, translated
from dfcore.training.watcher import RunWatcher, StoppedEarly

ROOT = Path(__file__).parents[2]
TINY = {"arch": "cnn", "image_size": 32, "batch_size": 8, "epochs": 2, "lr": 1e-3, "precision": "float32"}


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch):
    monkeypatch.setattr(reporter, "_EVERY_SECONDS", 0)
    monkeypatch.setattr("dfcore.runs.turn._POLL_SECONDS", 0.01)


def only_run(tmp_path):
    (run,) = RunStore(tmp_path / "runs")
    return run


def test_it_returns_a_finished_run(small_dataset, tmp_path):
    before, steps = keras.config.dtype_policy().name, []
    handler = signal.getsignal(signal.SIGINT)
    config = dfcore.TrainConfig(data_root=str(small_dataset), epochs=5)
    run = dfcore.train(config, progress=lambda *both: steps.append(both), **(TINY | {"precision": "mixed_bfloat16"}))
    assert run.status().state is State.COMPLETED
    assert run.config()["epochs"] == 2, "what is named beside the config overrules it"
    assert steps == [(number, 6) for number in range(1, 7)]
    assert 0 <= run.metrics()["test"]["accuracy"] <= 1
    picture = next((small_dataset / "test" / "real").iterdir())
    assert dfcore.Detector.load(run.bundle).predict([picture])[0].score is not None
    assert "epoch 2: " in run.log_tail(), "the log tells the same as that of a process of its own"
    assert keras.config.dtype_policy().name == before
    assert signal.getsignal(signal.SIGINT) is handler
    with FileLock(run.folder.parent / ".training.lock", timeout=0):
        pass  # The next one has its turn.


def test_another_folder_of_runs(small_dataset, tmp_path):
    run = dfcore.train(data_root=small_dataset.as_posix(), runs_dir=tmp_path / "mine", **(TINY | {"epochs": 1}))
    assert run.folder.parent == tmp_path / "mine"


@pytest.mark.slow
def test_progress_counts_the_networks_besides(small_dataset):
    steps, folds = [], {"cross_validation": "content", "folds": 2, "early_stopping": "off"}
    dfcore.train(
        data_root=str(small_dataset), progress=lambda *both: steps.append(both), **(TINY | folds | {"epochs": 1})
    )
    done, everything = zip(*steps, strict=True)
    assert list(done) == sorted(done)
    assert everything[-1] == 9
    assert done[2] == 3


def test_wrong_settings_make_no_run(small_dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"epochs: .*; lr: "):
        dfcore.train(data_root=str(small_dataset), epochs=0, lr=-1)
    assert not list(RunStore(tmp_path / "runs"))


def test_it_waits_while_another_one_trains(small_dataset, tmp_path):
    (tmp_path / "runs").mkdir()
    waited = []

    def phase_of() -> str:
        runs = list(RunStore(tmp_path / "runs"))
        return runs[0].status().phase if runs else ""

    def let_go():
        while phase_of() != "waiting for its turn":
            threading.Event().wait(0.01)
        waited.append(True)
        lock.release()

    lock = FileLock(tmp_path / "runs" / ".training.lock", thread_local=False)
    lock.acquire()
    threading.Thread(target=let_go, daemon=True).start()
    run = dfcore.train(data_root=str(small_dataset), **(TINY | {"epochs": 1}))
    assert waited
    assert run.status().state is State.COMPLETED


def resume_in_a_worker(run) -> None:
    """Goes on with a stopped run to its end, in a process as `dfcore runs resume` starts it."""
    run.update(state=State.STOPPED, pid=None, started=None)
    done = subprocess.run(
        [sys.executable, "-c", f"""
import sys
from dfcore.runs import Run
from dfcore.runs.process import identity
from dfcore.training import worker
run, me = Run({str(run.folder)!r}), identity()
run.claim(int(me["pid"]), me["started"], epochs=2)
sys.exit(worker.main({str(run.folder)!r}))
"""], cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert run.status().state is State.COMPLETED


@pytest.mark.slow
def test_ctrl_c_stops_after_the_step_keeps_what_was_learned_and_the_run_goes_on(small_dataset, tmp_path):
    """The run is then resumed by the process of a worker, as `dfcore runs resume` does."""

    def press(done, _):
        if done == 4:
            signal.raise_signal(signal.SIGINT)
        if done >= 4:  # The wish is noted by a thread.
            while only_run(tmp_path).status().state is not State.STOPPING:
                threading.Event().wait(0.01)

    with pytest.raises(KeyboardInterrupt):
        dfcore.train(data_root=str(small_dataset), progress=press, **TINY)
    run = only_run(tmp_path)
    status = run.status()
    assert status.state is State.STOPPED
    assert "what was learned is kept" in status.reason
    assert list(run.checkpoints.glob("epoch-000001-step-00000001*.npz"))
    resume_in_a_worker(run)


def test_a_second_ctrl_c_stops_at_once(small_dataset, tmp_path):
    before = signal.getsignal(signal.SIGINT)  # a process started in the background ignores it

    def press(done, _):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        dfcore.train(data_root=str(small_dataset), progress=press, **TINY)
    assert only_run(tmp_path).status().state is State.STOPPED
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_that_somebody_else_stops_is_returned(small_dataset, tmp_path):
    run = dfcore.train(
        data_root=str(small_dataset),
        progress=lambda done, _: only_run(tmp_path).request_stop() if done == 2 else None,
        **TINY,
    )
    assert run.status().state is State.STOPPED


# === Foreign errors ===

CONFIG = make_config({"data_root": "x"} | TINY | {"cache": "memory"})
OOM = (
    'Graph execution error:\n\nDetected at node conv_1 defined at\n  File "x.py", line 3\n\nOOM when allocating tensor'
)
ONEDNN = (
    'Graph execution error:\n\nDetected at node conv_1 defined at\n  File "x.py", line 3\n\nOperation received an '
    "exception:Status: 1, message: could not create a memory object, in file mkl_conv_ops.cc:1101"
)
MEMORY = [
    pytest.param(tf.errors.ResourceExhaustedError(None, None, OOM), id="resource-exhausted"),
    pytest.param(tf.errors.InternalError(None, None, OOM), id="internal"),
    pytest.param(tf.errors.UnknownError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"), id="cuda"),
    pytest.param(tf.errors.AbortedError(None, None, ONEDNN), id="onednn"),
    pytest.param(RuntimeError("std::bad_alloc"), id="c++"),
    pytest.param(MemoryError(), id="python"),
    pytest.param(OSError(12, "Cannot allocate memory"), id="system"),
]


@pytest.mark.parametrize("error", MEMORY)
def test_when_memory_runs_out_it_says_what_to_lower(error):
    text = str(in_words(error, CONFIG))
    assert text.startswith("Memory ran out. Lower batch_size (now 8) or image_size (now 32), ")
    assert "than cnn" in text
    assert "cache=disk (now memory)" in text
    assert "Graph execution error" not in text
    assert "\n" not in text


OTHERS = [
    pytest.param(tf.errors.InvalidArgumentError(None, None, "Graph execution error:\n\nDetected at node a\n"
                 "  File \"x.py\", line 3\nlogits and labels must be broadcastable\n\t [[{{node a}}]]"),
                 "InvalidArgumentError: logits and labels must be broadcastable", id="graph"),
    pytest.param(OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device", id="disk"),
    pytest.param(ValueError(""), "ValueError: no reason was given", id="silent"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "expected"), OTHERS)
def test_other_foreign_errors_keep_what_they_say(error, expected):
    with pytest.raises(DfcoreError) as caught, translated(CONFIG):
        raise error
    assert str(caught.value) == expected
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ConfigError(["wrong"]), StoppedEarly(), KeyboardInterrupt()])
def test_our_own_pass(error):
    with pytest.raises(type(error)) as caught, translated(CONFIG):
        raise error
    assert caught.value is error


@pytest.mark.slow
def test_a_stop_while_the_gate_is_fitted_keeps_what_was_learned_and_the_run_goes_on(
    small_dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(importlib.import_module("dfcore.evaluation.refit"), "FEWEST", 1)
    told, working = [], RunWatcher.working

    def stopping(watcher, text, done, total):
        told.append(text)
        if text.startswith("measuring what handling does") and "pressed" not in told:
            told.append("pressed")
            watcher._run.request_stop()
        working(watcher, text, done, total)

    monkeypatch.setattr(RunWatcher, "working", stopping)
    run = dfcore.train(data_root=str(small_dataset), **TINY)
    assert (run.status().state, "pressed" in told) == (State.STOPPED, True)
    assert run.status().reason == "Stopped on request; what was learned is kept."
    assert not run.bundle.exists() and not list(run.folder.glob(".finish-*"))
    history = run.history()
    resume_in_a_worker(run)
    assert run.bundle.is_dir() and run.history() == history, "nothing is learned twice"


def out_of_memory(*_, **__):
    """Asks for ten petabytes, which TensorFlow's own allocator refuses."""
    return tf.zeros((10**8, 10**8), tf.uint8)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("make_loss", id="training", marks=pytest.mark.slow),
        pytest.param("validation_figures", id="validation", marks=pytest.mark.slow),
    ],
)
def test_a_run_out_of_memory_is_noted_as_failed_with_what_to_lower(where, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, where, out_of_memory)
    with pytest.raises(DfcoreError, match=r"Memory ran out. Lower batch_size \(now 8\)"):
        dfcore.train(data_root=str(small_dataset), **TINY)
    run = only_run(tmp_path)
    assert run.status().state is State.FAILED
    assert run.status().reason.startswith("Memory ran out.")
    assert "ResourceExhaustedError" in run.log_tail(), "the log has the whole story"


@pytest.mark.slow
def test_the_measurement_of_a_few_steps_says_what_to_lower(tmp_path):
    """In a process of its own, through an architecture that asks for more than any machine has."""
    file = tmp_path / "huge.py"
    file.write_text("""
import dfcore

@dfcore.register_architecture("huge", title="Huge", summary="Too large.", cam_layer="conv")
def features(inputs, weights):
    from keras import layers
    x = layers.Conv2D(8, 3, name="conv")(inputs)
    return layers.Dense(2**50)(layers.GlobalAveragePooling2D()(x))
""")
    values = {"data_root": "x", "arch": "huge", "arch_file": str(file), "image_size": 32, "batch_size": 7}
    with pytest.raises(DfcoreError, match=r"Memory ran out. Lower batch_size \(now 7\)"):
        estimate(values, training_images=1, validation_images=1)


def test_settings_are_plain_data_on_disk(small_dataset, tmp_path):
    run = dfcore.train(data_root=str(small_dataset), **(TINY | {"epochs": 1}))
    assert json.loads((run.folder / "config.json").read_text())["arch_file"] == ""
    assert np.isfinite([row["val_loss"] for row in run.history()]).all()
