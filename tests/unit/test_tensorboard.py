"""TensorBoard: what it reads beside runs, its server on the runs, and Monitor's buttons."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from dfcore.cli import main
from dfcore.errors import DfcoreError
from dfcore.runs import RunStore, State
from dfcore.runs.process import identity, place
from dfcore.trackers import configured
from dfcore.trackers.board import BoardServer
from dfcore.trackers.mirror import send
from dfcore.trackers.tensorboard import Board, write_missing
from tests.made_runs import go_on, make_run
from tests.standins.mlflow_server import ROOT


def figures(run):
    """(tag, step, value, time) of all scalars, in the order of the files."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    result = []
    for path in sorted((run.folder / "tensorboard").iterdir()):
        reader = PyRecordReader_New(str(path))
        while True:
            try:
                reader.GetNext()
            except Exception:  # The end of the file, by an exception that is no public name.
                break
            event = Event.FromString(reader.record())
            result += [(v.tag, event.step, v.tensor.float_val[0], event.wall_time) for v in event.summary.value
                       if v.tensor.float_val]  # fmt: skip
    return result


def test_runs_without_event_files_get_them_from_their_history(tmp_path):
    runs = tmp_path / "runs"
    done, bare = make_run(runs), make_run(runs, epochs=0, state=State.FAILED)
    active = make_run(runs, epochs=2, state=State.RUNNING)
    active.update(**identity(), place=place())
    assert write_missing(runs) == [done.id]
    assert not (bare.folder / "tensorboard").exists() and not (active.folder / "tensorboard").exists()
    loss = [(step, value, at) for tag, step, value, at in figures(done) if tag == "loss"]
    assert loss == [(n, 0.75 / n, 1.7e9 + 10 * n) for n in (1, 2, 3)]
    assert {tag for tag, *_ in figures(done)} == {"loss", "accuracy", "lr", "val_auc"}
    assert write_missing(runs) == []


def test_who_goes_on_with_a_run_doubles_nothing(tmp_path):
    run = make_run(tmp_path / "runs", epochs=2, state=State.STOPPED)
    first, second = Board(pytest.fail), Board(pytest.fail)
    first.write(run)
    go_on(run, 3)
    first.write(run)
    first.close()
    # A checkpoint earlier: the third epoch is done again.
    go_on(run, 2)
    second.write(run)
    go_on(run, 4)
    second.write(run)
    second.close()
    assert [step for tag, step, *_ in figures(run) if tag == "val_auc"] == [1, 2, 3, 4]


def test_a_full_disk_is_said_once_and_costs_the_run_nothing(tmp_path, monkeypatch):
    run = make_run(tmp_path / "runs", epochs=1, state=State.STOPPED)
    (run.folder / "tensorboard").write_text("in the way")
    said: list[str] = []
    board = Board(said.append)
    board.write(run)
    go_on(run, 2)
    board.write(run)
    assert len(said) == 1 and said[0].startswith("The figures for TensorBoard could not be written: ")
    (run.folder / "tensorboard").unlink()
    go_on(run, 3)
    board.write(run)
    board.close()
    assert [step for tag, step, *_ in figures(run) if tag == "loss"] == [1, 2, 3]


@pytest.mark.slow
def test_a_taken_port_is_told(tmp_path, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "dfcore", "tensorboard", "--runs-dir", str(tmp_path), "--port", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"dfcore: TensorBoard could not start on port {port}: "), done.stderr
    assert done.stderr.endswith(". --port N takes another one.\n"), done.stderr
    with pytest.raises(SystemExit):
        main(["tensorboard", "--port", "many"])
    assert "expected a number from 1 to 65535" in capsys.readouterr().err


def answer(address, path):
    with urllib.request.urlopen(f"{address}{path}", timeout=30) as said:
        return json.load(said)


def until(true, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)
    return found


_PARENT = """
import sys, time
from pathlib import Path
from dfcore.trackers import configured
from dfcore.trackers.board import BoardServer
from dfcore.trackers.mirror import send
board = BoardServer(Path(sys.argv[1]))
print(board.address, board._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_the_server_shows_the_runs_here_alone_and_ends_with_its_parent(tmp_path):
    run = make_run(tmp_path / "runs")
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "runs")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    address, pid = parent.stdout.readline().split()
    board = psutil.Process(int(pid))
    family = [board, *board.children(recursive=True)]
    name = f"{run.id}/tensorboard"
    assert set(until(lambda: answer(address, "/data/plugin/scalars/tags"))) == {name}
    shown = until(lambda: answer(address, f"/data/plugin/scalars/scalars?run={name}&tag=loss"))
    assert [(step, value) for _, step, value in shown] == [(1, 0.75), (2, 0.375), (3, 0.25)]
    listening = [c.laddr.ip for each in family for c in each.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening and set(listening) <= {"127.0.0.1", "::1"}
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family))


def test_a_server_that_does_not_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DfcoreError, match="ended before it had begun"):
        BoardServer(tmp_path)
    assert not list(RunStore(tmp_path))


# === Monitor ===


def monitor():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("pages/monitor.py").run()
    assert not app.exception, app.exception[0].message
    return app


def press(app, label):
    next(each for each in app.button if each.label == label).click().run()
    assert not app.exception, app.exception[0].message


def words(app):
    told = " ".join(str(each.value) for each in (*app.caption, *app.warning))
    return told.replace("\N{WORD JOINER}", "").replace("\\", "")


def test_monitor_opens_one_tensorboard_for_all(tmp_path, monkeypatch):
    from dashboard import tensorboard_server

    class Fake:
        opened, address = 0, "http://127.0.0.1:7007"

        def __init__(self, folder):
            self.folder, self.running = folder, True
            Fake.opened += 1

        def stop(self):
            self.running = False

    monkeypatch.setattr(tensorboard_server, "BoardServer", Fake)
    make_run(tmp_path / "runs")
    press(app := monitor(), "Open TensorBoard")
    assert Fake.address in words(app)
    other = monitor()
    assert Fake.address in words(other) and Fake.opened == 1
    press(other, "Close TensorBoard")
    assert Fake.address not in words(other) and Fake.address not in words(app.run())


def test_monitor_says_what_mlflow_has_of_a_run(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="MLflow's client is not installed")
    run = make_run(tmp_path / "runs")
    app = monitor()
    assert "MLflow" not in words(app)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:a-secret@127.0.0.1:1")
    app.run()
    assert "This run is not in MLflow at http://127.0.0.1:1, experiment dfcore." in words(app)
    started: list[str] = []
    monkeypatch.setattr("dfcore.trackers.launch._start", lambda run: started.append(run.id))
    press(app, "Send to MLflow")
    assert started == [run.id]
    with pytest.raises(DfcoreError):
        send(run, configured())
    told = words(app.run())
    assert "What is missing in MLflow at http://127.0.0.1:1" in told and "it cannot be reached" in told
    assert "a-secret" not in told
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
    assert "Expected the address of an MLflow server in MLFLOW_TRACKING_URI" in words(app.run())
