"""Training mirrored to MLflow's own server, which hangs, loses answers and is met again; needs `make mlflow`."""

import os
import signal
import time

import pytest

from dfcore.detectors.detector import Detector
from dfcore.runs import RunStore, State, resume, start
from dfcore.trackers import at_work, configured, mirror, waits
from dfcore.trackers.server import DeletedRun
from dfcore.training.config import TrainConfig
from tests.made_runs import make_run
from tests.standins.mlflow_server import PROGRAM, Front, forwarding, own

pytest.importorskip("mlflow", reason="MLflow's client is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not PROGRAM.is_file():
        assert os.environ.get("CI") != "true", "MLflow's server is not there: make mlflow"
        pytest.skip("MLflow's own server is not installed: make mlflow")
    with own(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def front(server, monkeypatch, tmp_path):
    """The server behind what can go wrong on the way to it, with an experiment of its own for each test."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DFCORE_MLFLOW")):
            monkeypatch.delenv(name)
    front = Front(forwarding(server))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", front.address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    yield front
    front.close()


# So many that the training has not ended when the tracker is asked, on a busy machine too.
EPOCHS = 30


def client(server):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=server)


def only_run(server, experiment):
    known = client(server).get_experiment_by_name(experiment)
    (run,) = client(server).search_runs([known.experiment_id])
    return run


def until(true, seconds=240.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def test_a_run_that_is_killed_and_resumed_is_one_run_there(server, front, tmp_path, small_dataset, monkeypatch):
    """The tracker hangs from the start, the training is killed, the tracker comes back and loses answers."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    front.fault = lambda method, path: "hang"
    config = TrainConfig(
        data_root=str(small_dataset), arch="cnn", image_size=32, epochs=EPOCHS, batch_size=8, early_stopping="off"
    )
    run = start(RunStore(tmp_path / "runs"), config.to_dict(), epochs=EPOCHS)
    until(lambda: front.held and len(run.history()) >= 2)
    assert run.status().state.active, "it is killed before its end"
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.status().state is State.INTERRUPTED)
    lost: set[str] = set()

    def losing(method, path):
        call = "PUT" if method == "PUT" else path.rpartition("/")[2]
        if call in lost or call not in ("PUT", "log-batch", "create", "log-inputs"):
            return ""
        lost.add(call)
        return "lost"

    front.fault = losing
    resume(run)
    until(lambda: not run.status().state.active)
    assert run.status().state is State.COMPLETED, run.status().reason
    until(lambda: not at_work(run))
    assert not waits(run, configured()), (run.folder / "mlflow.log").read_text()
    there = only_run(server, tmp_path.name)
    assert there.info.status == "FINISHED"
    for name in ("loss", "accuracy", "lr", "val_loss", "val_auc"):
        known = client(server).get_metric_history(there.info.run_id, name)
        assert [each.step for each in known] == list(range(1, EPOCHS + 1)), name
        assert [each.value for each in known] == [row[name] for row in run.history()]
    assert there.data.metrics["test/roc_auc"] == run.metrics()["test"]["roc_auc"]
    assert there.data.params["arch"] == "cnn" and there.data.params["data_root"] == "small"
    (data,) = there.inputs.dataset_inputs
    assert data.dataset.name == "small"
    folder = client(server).download_artifacts(there.info.run_id, "bundle", str(tmp_path))
    pictures = sorted((small_dataset / "test").rglob("*.png"))
    ours, theirs = (Detector.load(each, "openvino").predict(pictures) for each in (run.bundle, folder))
    assert [each.score for each in ours] == [each.score for each in theirs]
    assert client(server).list_artifacts(there.info.run_id)
    # TensorBoard's figures are there once, although two processes wrote them.
    from tensorflow.python.summary.summary_iterator import summary_iterator

    (events,) = (run.folder / "tensorboard").iterdir()
    steps = [
        event.step for event in summary_iterator(str(events)) for value in event.summary.value if value.tag == "loss"
    ]
    assert steps == list(range(1, EPOCHS + 1))


def test_what_was_sent_may_be_sent_again(server, front, tmp_path):
    run = make_run(tmp_path / "runs", name="Portraits")
    for _ in range(2):
        assert mirror.send(run, configured())
        (run.folder / "mlflow.json").unlink()
    there = only_run(server, tmp_path.name)
    assert there.info.run_name == "Portraits"
    for name in there.data.metrics:
        steps = [each.step for each in client(server).get_metric_history(there.info.run_id, name)]
        assert steps == ([1, 2, 3] if "/" not in name else [3]), name
    mirror.send(run, configured())
    client(server).delete_run(there.info.run_id)
    with pytest.raises(DeletedRun, match="mlflow runs restore"):
        mirror.send(run, configured())
