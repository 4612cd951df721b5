"""Runs mirrored to MLflow: what is sent, once; and what a tracker that is down, slow, full or refusing costs."""

import base64
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import tracker_actions, trackers_view
from dashboard.page_words import SEND_ANEW
from dfcore.cli import main
from dfcore.commands.train import _tell_tracker
from dfcore.errors import InputError
from dfcore.runs import RunStore, State
from dfcore.runs.process import identity, place
from dfcore.trackers import address, at_work, configured, launch, mirror, recall, start_mirror, waits
from dfcore.trackers.findings import tracker_findings
from dfcore.trackers.sent import LOCK
from dfcore.trackers.server import DeletedRun, TrackerError
from dfcore.utils.files import lock as make_lock
from tests.made_runs import go_on, make_run
from tests.standins.mlflow_server import ROOT, Front, Small

pytest.importorskip("mlflow", reason="MLflow's client is not installed")
PASSWORD = "a-password-of-ours"


@pytest.fixture
def small():
    return Small()


@pytest.fixture
def front(small, monkeypatch):
    """A tracking server that the environment names; its client gives up within seconds."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DFCORE_MLFLOW")):
            monkeypatch.delenv(name)
    front = Front(small)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", front.address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    yield front
    front.close()


@pytest.fixture
def fast(monkeypatch):
    """The follower looks and tries again at once."""
    for name in ("_POLL_SECONDS", "_FIRST_WAIT", "_LONGEST_WAIT"):
        monkeypatch.setattr(mirror, name, 0.02)


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def test_a_finished_run_is_there_with_all_that_belongs_to_it(front, small, tmp_path):
    run = make_run(tmp_path / "runs", name="Portraits, second")
    said: list[str] = []
    assert mirror.send(run, configured(), said.append)
    there = small.only_run()
    assert there["info"]["status"] == "FINISHED" and there["info"]["start_time"] == 1_700_000_000_000
    assert small.experiments == {"dfcore": there["info"]["experiment_id"]}
    assert there["params"].items() >= {"arch": "cnn", "seed": "0", "epochs": "9", "data_root": "portraits"}.items()
    tags = {
        "mlflow.runName": "Portraits, second",
        "dfcore.state": "completed",
        "dfcore.run": run.id,
        "dfcore.seed": "0",
    }
    assert there["tags"].items() >= (tags | {"dfcore.data_sha256": "d" * 64}).items()
    (data,) = there["inputs"]
    assert data["dataset"]["name"] == "portraits" and data["dataset"]["digest"] == "d" * 36
    assert json.loads(data["dataset"]["profile"]) == {
        "images": 8, "train, real": 3, "train, fake": 3, "test, real": 1, "test, fake": 1,
    }  # fmt: skip
    curve = [(m["step"], m["value"], m["timestamp"]) for m in there["metrics"] if m["key"] == "loss"]
    assert curve == [(n, 0.75 / n, 1000 * (1_700_000_000 + 10 * n)) for n in (1, 2, 3)]
    final = {m["key"]: m["value"] for m in there["metrics"] if m["step"] == 3 and "/" in m["key"]}
    assert final["test/roc_auc"] == run.metrics()["test"]["roc_auc"]
    assert final["test/confusion/true_fake"] == run.metrics()["test"]["confusion"]["true_fake"]
    files = {name.partition("/artifacts/")[2]: content for name, content in small.files.items()}
    assert set(files) == {
        "history.csv", "metrics.json", "config.json", "figures.html", "bundle/model.keras", "bundle/card.json",
    }  # fmt: skip
    assert files["bundle/model.keras"] == (run.bundle / "model.keras").read_bytes()
    page = files["figures.html"].decode()
    assert all(
        f"<h3>{title}</h3>" in page for title in ("Loss", "ROC curve", "Scores", "Confusion matrix", "Calibration")
    )
    assert "<script src" not in page
    size = (run.bundle / "model.keras").stat().st_size
    assert size < 10**6 and f"bundle/model.keras, {size / 1e3:.3g} kB" in said


def test_nothing_is_sent_that_is_there_already(front, small, tmp_path):
    run = make_run(tmp_path / "runs")
    mirror.send(run, configured())
    before = len(small.requests)
    assert mirror.send(run, configured())
    assert {method for method, *_ in small.requests[before:]} == {"GET"}
    # Nor if what was noted beside the run is lost, but for files, which are the same again.
    (run.folder / "mlflow.json").unlink()
    assert mirror.send(run, configured())
    assert small.steps(next(iter(small.runs)), "loss") == [1, 2, 3]
    assert len([each for each in small.only_run()["metrics"] if each["key"] == "test/roc_auc"]) == 1


def test_no_path_of_this_machine_is_sent(front, small, tmp_path):
    run = make_run(tmp_path / "runs")
    mirror.send(run, configured())
    told = b"\n".join(path.encode() + body for _, path, body in small.requests)
    assert b"/somewhere" not in told and str(tmp_path).encode() not in told


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.INTERRUPTED], ids=str)
def test_a_run_that_goes_on_goes_on_in_the_same_run_there(front, small, tmp_path, state):
    run = make_run(tmp_path / "runs", epochs=2, state=state)
    assert mirror.send(run, configured())
    there = small.only_run()
    assert there["info"]["status"] == ("FAILED" if state is State.FAILED else "KILLED")
    run.update(state=State.RUNNING, **identity(), place=place())
    go_on(run, 3)
    assert not mirror.send(run, configured())
    assert there["info"]["status"] == "RUNNING" and not waits(run, configured())
    go_on(run, 4)
    run.update(state=State.COMPLETED, pid=None)
    assert waits(run, configured())
    assert mirror.send(run, configured())
    assert small.only_run()["info"]["status"] == "FINISHED"
    assert small.steps(there["info"]["run_id"], "loss") == [1, 2, 3, 4]
    assert not waits(run, configured())


def test_no_step_is_there_twice_when_answers_are_lost(front, small, tmp_path, fast):
    """Each kind of call is done once and its answer lost: the next attempt must see what was done."""
    run = make_run(tmp_path / "runs")
    lost: set[str] = set()

    def fault(method, path):
        call = f"{method} {path.partition('?')[0].rpartition('/')[2]}"
        first = call not in lost
        lost.add(call)
        return "lost" if first else ""

    front.fault = fault
    mirror.follow(run, configured(), lambda _: None)
    there = small.only_run()
    assert there["info"]["status"] == "FINISHED"
    assert len(lost) >= 10
    for name in {each["key"] for each in there["metrics"]}:
        steps = small.steps(there["info"]["run_id"], name)
        assert steps == sorted(set(steps)), name


def test_a_server_without_space_gets_the_rest_once_it_has_some(front, small, tmp_path, fast):
    run = make_run(tmp_path / "runs")
    front.fault = lambda method, path: "507" if path.endswith("model.keras") else ""
    said: list[str] = []
    mirror.follow(run, configured(), said.append, patience=0.2)
    assert small.only_run()["info"]["status"] == "RUNNING", "it looks finished although its detector is missing"
    sent = recall(run, configured())
    assert "507" in sent.problem and sent.since and waits(run, configured())
    assert f"dfcore runs mirror {run.id}" in said[-1]
    uploads = [path for method, path, _ in small.requests if method == "PUT"]
    front.fault = lambda method, path: ""
    assert main(["runs", "mirror", "--runs-dir", str(tmp_path / "runs")]) == 0
    assert small.only_run()["info"]["status"] == "FINISHED"
    again = [path for method, path, _ in small.requests if method == "PUT"][len(uploads) :]
    assert not set(again) & set(uploads)
    assert recall(run, configured()).problem == ""


def test_a_run_that_was_deleted_there_is_not_made_again_unasked(front, small, tmp_path, capsys):
    run = make_run(tmp_path / "runs")
    mirror.send(run, configured())
    small.only_run()["info"]["lifecycle_stage"] = "deleted"
    with pytest.raises(DeletedRun, match=f"dfcore runs mirror {run.id} --anew"):
        mirror.send(run, configured())
    assert len(small.runs) == 1
    assert main(["runs", "mirror", run.id, "--anew", "--runs-dir", str(tmp_path / "runs")]) == 0
    assert len(small.runs) == 2 and f"{front.address}/#/experiments/1/runs/" in capsys.readouterr().out


@pytest.mark.parametrize("which", [[], ["--all"]], ids=["none", "all"])
def test_only_runs_that_are_named_are_sent_anew(front, small, tmp_path, capsys, which):
    """One that waits is there in part, and would be there twice."""
    run = make_run(tmp_path / "runs")
    front.fault = lambda method, path: "500" if method == "PUT" else ""
    with pytest.raises(TrackerError):
        mirror.send(run, configured())
    front.fault = lambda method, path: ""
    assert waits(run, configured()) and len(small.runs) == 1
    assert main(["runs", "mirror", "--anew", *which, "--runs-dir", str(tmp_path / "runs")]) == 2
    assert "Expected with --anew the runs that were deleted there" in capsys.readouterr().err
    assert len(small.runs) == 1


def _shown(folder: str) -> None:
    from pathlib import Path

    from dashboard import trackers_view
    from dfcore.runs import Run

    trackers_view.show(Run(Path(folder)))


def test_the_page_waits_for_the_process_that_it_started_and_offers_no_second(front, tmp_path, monkeypatch):
    run, end = make_run(tmp_path / "runs"), threading.Event()

    def work():
        time.sleep(0.5)  # As long as a process takes to begin.
        with make_lock(run.folder / LOCK):
            end.wait(60)

    process = threading.Thread(target=work)
    monkeypatch.setattr(tracker_actions, "mirror", lambda run_id, **_: process.start())
    app = AppTest.from_function(_shown, kwargs={"folder": str(run.folder)}, default_timeout=60).run()
    try:
        app.button(key="send_to_mlflow").click().run()
        assert not app.exception
        assert "send_to_mlflow" not in [button.key for button in app.button]
        assert any(caption.value.startswith("Being sent to") for caption in app.caption)
    finally:
        end.set()
        process.join(60)


@pytest.mark.parametrize("restored", [False, True], ids=["gone", "restored"])
def test_the_page_sends_a_run_that_was_deleted_there_again_or_as_a_new_one(
    front, small, tmp_path, monkeypatch, restored
):
    run = make_run(tmp_path / "runs")
    monkeypatch.setenv("DFCORE_RUNS", str(tmp_path / "runs"))
    mirror.send(run, configured())
    small.only_run()["info"]["lifecycle_stage"] = "deleted"
    with pytest.raises(DeletedRun):
        mirror.send(run, configured())
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(launch, "_start", lambda run: mirror.main(str(run.folder)))
    monkeypatch.setattr(trackers_view, "_START_SECONDS", 0)
    app = AppTest.from_function(_shown, kwargs={"folder": str(run.folder)}, default_timeout=60).run()
    assert "waits" in app.warning[0].value and "--anew" not in app.warning[0].value
    assert app.button(key="send_anew").label == SEND_ANEW and SEND_ANEW in app.warning[0].value
    app.button(key="send_to_mlflow").click().run()
    assert not app.exception and app.warning and len(small.runs) == 1, "still deleted, and not made again unasked"
    if restored:
        small.only_run()["info"]["lifecycle_stage"] = "active"
    app.button(key="send_to_mlflow" if restored else "send_anew").click().run()
    assert not app.exception and not app.warning and len(small.runs) == (1 if restored else 2)
    assert not {"send_to_mlflow", "send_anew"} & {button.key for button in app.button}, "nothing is left to send"
    assert recall(run, configured()).ended and not recall(run, configured()).anew


def test_a_run_that_was_deleted_there_keeps_no_other_from_being_sent(front, small, tmp_path):
    """One was sent in part and deleted, a second waits; a third is followed to its end."""
    runs = [make_run(tmp_path / "runs", began=1.7e9 - number) for number in range(3)]
    front.fault = lambda method, path: "500" if method == "PUT" else ""
    for run in runs[:2]:
        with pytest.raises(TrackerError):
            mirror.send(run, configured())
    front.fault = lambda method, path: ""
    first, second = (run for run in RunStore(tmp_path / "runs") if waits(run, configured()))
    small.runs[recall(first, configured()).run_id]["info"]["lifecycle_stage"] = "deleted"
    mirror.follow(runs[2], configured(), lambda _: None)
    assert recall(first, configured()).deleted
    assert [recall(run, configured()).ended for run in (first, second, runs[2])] == ["", "completed", "completed"]


def test_what_hinders_a_mirror_is_said_and_hinders_nothing_else(front, tmp_path, monkeypatch):
    run = make_run(tmp_path / "runs", epochs=0, state=State.QUEUED)
    for uri, words in (("/srv/mlruns", "Expected the address"), ("http://127.0.0.1:1", "")):
        monkeypatch.setenv("DFCORE_MLFLOW", uri)
        monkeypatch.setattr(launch, "_start", lambda run: (_ for _ in ()).throw(OSError(12, "Cannot allocate memory")))
        said: list[str] = []
        assert not start_mirror(run, said.append)
        assert said[0].startswith(f"not mirrored to MLflow: {words}")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert not start_mirror(run, said.append) and "pip install 'dfcore[mlflow]'" in said[-1]
    for off in ("off", ""):
        monkeypatch.setenv("DFCORE_MLFLOW", off)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert configured() is None
        assert not start_mirror(run, lambda _: pytest.fail("there is nothing to say"))


def test_credentials_are_nowhere(front, tmp_path, monkeypatch, capfd):
    """They are refused, so that errors are told; then accepted."""
    front.password = f"ada:{PASSWORD}"
    where = front.address.replace("http://", f"http://ada:wrong-{PASSWORD}@")
    run = make_run(tmp_path / "runs")
    for settings in (
        {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": f"wrong-{PASSWORD}"},
        {"MLFLOW_TRACKING_TOKEN": f"token-{PASSWORD}"},
        {"MLFLOW_TRACKING_URI": where},
        {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": PASSWORD},
    ):
        with monkeypatch.context() as these:
            for name, value in settings.items():
                these.setenv(name, value)
            refused = PASSWORD not in settings.values()
            assert main(["runs", "mirror", run.id, "--runs-dir", str(tmp_path / "runs")]) == int(refused)
            told = "".join(capfd.readouterr())
            assert ("Check MLFLOW_TRACKING_USERNAME" in told) == refused
            told += " ".join(str(finding) for finding in tracker_findings()) + repr(configured())
            files = b"".join(path.read_bytes() for path in run.folder.rglob("*") if path.is_file())
            for secret in (PASSWORD, base64.b64encode(f"ada:wrong-{PASSWORD}".encode()).decode()[:-4]):
                assert secret not in told and secret.encode() not in files
    with monkeypatch.context() as these:
        these.setenv("MLFLOW_TRACKING_PASSWORD", "s3cr3t-of-mine")
        assert "s3cr3t" not in address.redacted("got s3cr3t-of-mine at https://me:you@host/x?sig=abc&X-Amz=1 end")
        assert address.redacted("https://me:you@host/x?sig=abc end") == "https://***@host/x end"


@pytest.mark.slow
def test_a_mirror_of_its_own_follows_the_run_and_sends_what_others_left(front, small, tmp_path, monkeypatch):
    """In its process, as training starts it: the server hangs first, and nobody waits for it."""
    left = make_run(tmp_path / "runs", name="left behind")
    with pytest.raises(TrackerError):
        front.fault = lambda method, path: "500"
        mirror.send(left, configured())
    front.fault = lambda method, path: "hang"
    run = make_run(tmp_path / "runs", epochs=1, state=State.RUNNING, name="live")
    run.update(**identity(), place=place())
    assert start_mirror(run, lambda _: None)
    until(lambda: front.held)
    # The run goes on and ends while the server has not answered a single call.
    go_on(run, 3)
    assert front.held and not small.runs and at_work(run)
    front.fault = lambda method, path: ""

    def epochs():
        live = [name for name, each in small.runs.items() if each["tags"]["dfcore.run"] == run.id]
        return [len(small.steps(name, "loss")) for name in live]

    until(lambda: epochs() == [3])
    go_on(run, 4)
    until(lambda: epochs() == [4])
    run.update(state=State.STOPPED, pid=None)
    until(lambda: not at_work(run) and not waits(left, configured()))
    by_name = {each["tags"]["mlflow.runName"]: each for each in small.runs.values()}
    assert {name: each["info"]["status"] for name, each in by_name.items()} == {
        "live": "KILLED",
        "left behind": "FINISHED",
    }
    assert small.steps(by_name["live"]["info"]["run_id"], "val_auc") == [1, 2, 3, 4]
    log = (run.folder / "mlflow.log").read_text()
    assert "trying again" in log and "all of it is there" in log and f"{left.id}: epochs 1 to 3" in log


def test_only_one_process_mirrors_a_run(front, tmp_path):
    run = make_run(tmp_path / "runs")
    front.fault = lambda method, path: "hang"

    def send():
        with pytest.raises(TrackerError):
            mirror.send(run, configured())

    thread = threading.Thread(target=send)
    thread.start()
    until(lambda: front.held)
    with pytest.raises(InputError, match="being mirrored by another process"):
        mirror.send(run, configured())
    front.fault = lambda method, path: "drop"
    thread.join(30)


def test_runs_that_wait_for_another_server_are_named(front, small, tmp_path, monkeypatch, capsys):
    """The fault: after a wrong address was put right, nothing waited."""
    run, runs = make_run(tmp_path / "runs"), ["--runs-dir", str(tmp_path / "runs")]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setattr(launch, "_start", lambda run: None)
    assert start_mirror(run, lambda _: None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", front.address)
    assert main(["runs", "mirror", *runs]) == 0
    told = capsys.readouterr()
    assert f"No run waits to be sent to {front.address}." in told.out
    assert f"Waiting to be sent to http://127.0.0.1:1: {run.id}. To send them to {front.address} instead" in told.err
    assert not small.runs
    assert main(["runs", "mirror", "--all", *runs]) == 0
    assert small.only_run()["info"]["status"] == "FINISHED"
    assert main(["runs", "mirror", *runs]) == 0
    assert "Waiting" not in capsys.readouterr().err, "it is here now"


def test_a_run_that_is_being_mirrored_says_to_which_server_and_until_when(front, tmp_path):
    run = make_run(tmp_path / "runs")
    front.fault = lambda method, path: "500"
    with pytest.raises(TrackerError):
        mirror.send(run, configured())
    until = time.strftime("%H:%M:%S", time.localtime(run.status().heartbeat + mirror.PATIENCE_SECONDS))
    with make_lock(run.folder / LOCK), pytest.raises(InputError) as refused:
        mirror.send(run, configured())
    assert f"another process already, to {front.address}." in str(refused.value)
    assert f"gives up at about {until}" in str(refused.value)


def test_training_says_at_its_end_that_a_tracker_has_not_got_the_run(front, tmp_path, monkeypatch, capsys):
    run = make_run(tmp_path / "runs")
    _tell_tracker(run)
    assert capsys.readouterr().err == "", "it was never to be sent"
    front.fault = lambda method, path: "500"
    with pytest.raises(TrackerError):
        mirror.send(run, configured())
    _tell_tracker(run)
    told = capsys.readouterr().err
    assert f"MLflow has not got all of the run. {front.address}: it cannot be reached" in told
    assert f"'dfcore runs mirror {run.id}' sends the rest" in told
    front.fault = lambda method, path: ""
    mirror.send(run, configured())
    _tell_tracker(run)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "/srv/mlruns")
    _tell_tracker(run)
    assert "Not mirrored to MLflow. Expected the address" in capsys.readouterr().err


_COUNT = """
import sys
from pathlib import Path
from dfcore.runs import Run
from dfcore.trackers import configured, mirror
mirror.send(Run(Path(sys.argv[1])), configured())
"""


@pytest.mark.slow
def test_no_other_server_hears_of_it(front, small, tmp_path):
    """MLflow's client counts its users; every request that is not for the tracker would go through this proxy."""
    heard: list[str] = []

    def proxy(method, path, body):
        heard.append(path)
        return 200, b"{}"

    gossip = Front(proxy)
    run = make_run(tmp_path / "runs")
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_CURRENT_TEST")}
    env |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), gossip.address)
    env |= {"MLFLOW_DISABLE_TELEMETRY": "false"}
    env |= {"MLFLOW_TRACKING_URI": front.address, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    subprocess.run([sys.executable, "-c", _COUNT, str(run.folder)], env=env, cwd=ROOT, check=True, timeout=120)
    gossip.close()
    assert small.only_run()["info"]["status"] == "FINISHED" and heard == []


def test_doctor_says_where_runs_are_mirrored(front, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "portraits")
    found = next(tracker_findings())
    assert found.works and found.detail == f"{front.address}, experiment portraits (from MLFLOW_TRACKING_URI)"
    monkeypatch.setenv("DFCORE_MLFLOW", "http://127.0.0.1:1")
    found = next(tracker_findings())
    assert not found.works and "does not answer" in found.detail and "Runs go on" in found.advice
    monkeypatch.setenv("DFCORE_MLFLOW", "off")
    assert "not mirrored" in next(tracker_findings()).detail
