"""Run folders and their states, without training anything: no TensorFlow is loaded here."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dfcore import workspace
from dfcore.errors import DfcoreError, RunError, StorageError
from dfcore.runs import Run, RunStore, State, detached, launch, readable, resume, summaries, summary
from dfcore.runs.process import alive, identity, place
from dfcore.runs.run import LostRun
from dfcore.utils.files import write_json

CONFIG = {"arch": "cnn", "data_root": "some/where/faces"}
ROOT = Path(__file__).parents[2]
# Seconds after which something that never comes is given up.
LONG = 120


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """On a busy machine a test may take longer than a launch."""
    monkeypatch.setattr("dfcore.runs.job._LAUNCH_SECONDS", LONG)


@pytest.fixture
def store() -> RunStore:
    return RunStore(workspace.runs_dir())


@pytest.fixture
def run(store) -> Run:
    return store.create(CONFIG, epochs=10)


@pytest.fixture
def sleeper():
    """A process that is alive, and {"pid", "started"} of it."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process, identity(process.pid)
    process.kill()
    process.wait()


def me() -> tuple[int, float]:
    who = identity()
    return int(who["pid"]), who["started"]


def somebody_else() -> tuple[int, float]:
    """Another living process."""
    who = identity(os.getppid())
    return int(who["pid"]), who["started"]


def working(run: Run, who: tuple[int, float] | None = None) -> Run:
    """Brings a run into the state running, in the name of this process unless told otherwise."""
    run.claim(*(who or me()), epochs=10)
    assert run.begin()
    return run


def dead_process() -> tuple[int, float]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    who = identity(process.pid)
    process.kill()
    process.wait()
    return int(who["pid"]), who["started"]


def elsewhere(run: Run, state: State = State.RUNNING, *, silent: float = 0.0) -> Run:
    """Brings a run into a state in the name of a process in another place, last heard of so many seconds ago."""
    last = time.time() - silent
    working(run).update(state=state, place="another place", epoch=4)
    values = json.loads((run.folder / "status.json").read_text())
    write_json(run.folder / "status.json", values | {"heartbeat": last})
    run.beat()
    os.utime(run.folder / "heartbeat", (last, last))
    return run


def at_once(*calls) -> list:
    """What calls give that are made at the same time; an error is what it gives, too."""
    barrier = threading.Barrier(len(calls))
    outcomes = []

    def make(call):
        barrier.wait(timeout=LONG)
        try:
            outcomes.append(call())
        except DfcoreError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=make, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


# === The store ===


def test_a_new_run_is_queued_and_knows_its_config(store, run):
    status = run.status()
    assert status.state is State.QUEUED
    assert (status.epochs, status.fraction) == (10, 0)
    assert run.config() == CONFIG
    assert run.name == "cnn on faces"
    assert run.id.endswith("-cnn")
    assert run.folder.parent == store.folder
    assert (run.history(), run.steps(), run.metrics(), run.notes(), run.log_tail()) == ([], [], None, "", "")
    assert abs(run.created.timestamp() - time.time()) < 60


def test_a_name_that_was_given_counts(store):
    assert store.create(CONFIG | {"name": "My run"}, epochs=1).name == "My run"


def test_runs_are_listed_the_latest_first_and_found_by_id(store):
    assert list(store) == []
    made = [store.create(CONFIG, epochs=1).id for _ in range(4)]
    assert len(set(made)) == 4
    assert [run.id for run in store] == made[::-1]
    assert store.get(made[1]).id == made[1]


def test_other_folders_are_no_runs(store, run):
    (store.folder / "something").mkdir()
    (store.folder / "file.txt").touch()
    assert [result.id for result in store] == [run.id]


@pytest.mark.parametrize("name", ["gone", "..", ".", "", "../runs", "a/b", "a b"])
def test_a_run_that_does_not_exist_is_told_with_those_that_do(store, run, name):
    with pytest.raises(RunError, match=f"There is no run.*{run.id}"):
        store.get(name)


def test_a_finished_run_can_be_deleted(store, run):
    run.update(state=State.COMPLETED)
    store.delete(run.id)
    assert list(store) == []
    assert list(store.folder.glob("*cnn*")) == []


def test_a_run_at_work_cannot_be_deleted(store, run):
    working(run)
    with pytest.raises(RunError, match="stop it before"):
        store.delete(run.id)
    assert run.status().state is State.RUNNING


def test_what_is_left_of_a_deleted_run_is_not_listed(store, run):
    """A deletion that was broken off, or is under way, leaves a folder that is moved out of sight."""
    aside = store.folder / f".deleted-{run.id}-1"
    run.folder.rename(aside)
    assert list(store) == []
    with pytest.raises(RunError, match="There is no run"):
        store.get(aside.name)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="No run can be made"):
        RunStore(tmp_path / "file").create(CONFIG, epochs=1)


DAMAGED = ["", "{", "{}", "[]", '{"state": "asleep"}']


@pytest.mark.parametrize("text", DAMAGED, ids=["empty", "half", "no-state", "a-list", "unknown-state"])
def test_a_damaged_status_is_told_by_its_name(run, text):
    (run.folder / "status.json").write_text(text)
    with pytest.raises(RunError, match=rf"{run.id}: status\.json is missing or damaged"):
        run.status()


def test_fields_of_later_versions_are_passed_over(run):
    values = json.loads((run.folder / "status.json").read_text())
    (run.folder / "status.json").write_text(json.dumps(values | {"mood": "good"}))
    assert run.status().state is State.QUEUED


def test_a_summary_is_plain_data(run):
    working(run).update(epoch=3, step=5, steps=10)
    row = summary(run)
    assert json.loads(json.dumps(row)) == row
    assert row | {"id": run.id, "state": "running", "arch": "cnn", "data": "faces", "epoch": 3, "epochs": 10} == row
    assert row["progress"] == pytest.approx(0.25)


# What happens to a file of a run, by the file: another hand, a full disk, a power cut.
DAMAGE = {
    f"{name}: {what}": (name, content)
    for name, contents in {
        "config.json": {"empty": b"", "half": b'{"arch": "cnn", "data', "a list": b"[]", "nothing in it": b"{}",
                        "no text": b"\xff\xfe\x00", "another kind": b'{"arch": ["cnn"], "data_root": "a"}',
                        "no epochs": b'{"arch": "cnn", "data_root": "a", "epochs": "ten"}', "gone": None},
        "status.json": {"empty": b"", "half": b'{"state": "comp', "a list": b"[]", "nothing in it": b"{}",
                        "no text": b"\xff\xfe\x00", "another kind": b'{"state": "completed", "epoch": "two"}',
                        "deep": b"[" * 100_000, "gone": None},
        "created.json": {"empty": b"", "half": b'{"ti', "a list": b"[]", "nothing in it": b"{}",
                         "no text": b"\xff\xfe\x00", "no time": b'{"time": 1e40}', "gone": None},
    }.items()
    for what, content in contents.items()
}  # fmt: skip


def damage(run: Run, name: str, content: bytes | None) -> None:
    if content is None:
        (run.folder / name).unlink()
    else:
        (run.folder / name).write_bytes(content)


@pytest.mark.parametrize(("name", "content"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_is_a_row_with_its_reason_beside_the_others_and_can_be_deleted(store, run, name, content):
    sound = store.create(CONFIG, epochs=3)
    run.update(state=State.COMPLETED)
    damage(run, name, content)
    rows = {row["id"]: row for row in summaries(store)}
    assert json.loads(json.dumps(rows)) == rows
    assert (rows[sound.id]["state"], rows[sound.id]["reason"]) == ("queued", "")
    assert rows[run.id]["state"] == "damaged"
    assert name in rows[run.id]["reason"]
    assert rows[run.id]["name"] == (run.id if name == "config.json" else "cnn on faces"), "what can be read is shown"
    store.delete(run.id)
    assert [other.id for other in store] == [sound.id]


@pytest.mark.parametrize("name", ["config.json", "status.json", "created.json"])
def test_a_damaged_run_that_gives_signs_of_life_cannot_be_deleted(store, run, name):
    working(run).beat()
    (run.folder / name).write_text("{")
    with pytest.raises(RunError, match="is at work"):
        store.delete(run.id)
    assert summary(run)["state"] == ("damaged" if name == "status.json" else "running")


@pytest.mark.parametrize("text", ["[]", "{", '{"test": 3}'])
def test_damaged_metrics_are_none_for_whoever_lists_them(run, text):
    (run.folder / "metrics.json").write_text(text)
    assert readable(run.metrics) is None
    with pytest.raises(RunError, match=r"metrics\.json is (missing or )?damaged"):
        run.metrics()


@pytest.mark.parametrize("name", ["history.csv", "steps.csv"])
def test_rows_without_the_columns_that_curves_need_are_left_out(run, name):
    (run.folder / name).write_text("speed\n3\n")
    assert run.history() == run.steps() == []


def test_a_run_is_out_of_sight_until_it_is_whole(store, monkeypatch):
    seen = []

    def watching(path, value):
        seen.append(list(store))
        write_json(path, value)

    monkeypatch.setattr("dfcore.runs.store.write_json", watching)
    store.create(CONFIG, epochs=1)
    assert seen == [[], [], []]


def test_names_and_reasons_from_files_can_be_encoded(store):
    run = store.create(CONFIG | {"name": "a\ud800b\x1b"}, epochs=1)
    run.update(state=State.FAILED, reason="first\nsecond \ud800")
    row = summary(run)
    assert (row["name"], row["reason"]) == ("a\ufffdb\ufffd", "first second \ufffd")


# === States ===


def test_from_queued_to_completed(run):
    run.claim(*me(), epochs=10)
    assert run.status().state is State.QUEUED
    assert run.begin()
    assert run.status().state is State.RUNNING
    assert not run.begin(), "it has begun already"
    run.update(epoch=10, step=7, steps=7, phase="measuring")
    status = run.update(state=State.COMPLETED)
    assert (status.state, status.fraction, status.phase) == (State.COMPLETED, 1.0, "measuring")
    assert not status.state.active
    assert not status.state.resumable


def test_which_states_are_at_work_and_which_can_be_resumed():
    assert {state for state in State if state.active} == {State.QUEUED, State.RUNNING, State.STOPPING}
    assert {state for state in State if state.resumable} == {State.STOPPED, State.FAILED, State.INTERRUPTED}


def test_stopping_is_asked_for_once_or_twice_with_the_same_effect(run):
    working(run)
    assert run.request_stop().state is State.STOPPING
    assert run.request_stop().state is State.STOPPING
    run.update(step=3)
    assert run.status().state is State.STOPPING, "progress does not overwrite the wish to stop"


def test_a_stop_that_is_asked_for_many_times_at_once_loses_no_progress(run):
    working(run)
    steps = [lambda step=step: Run(run.folder, me()).update(**step) for step in ({"epoch": 2}, {"step": 3})]
    outcomes = at_once(*[Run(run.folder).request_stop] * 3, *steps)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    status = run.status()
    assert (status.state, status.epoch, status.step) == (State.STOPPING, 2, 3)


def test_a_run_that_was_stopped_in_the_queue_does_not_begin(run):
    run.claim(*me(), epochs=10)
    run.request_stop()
    assert not run.begin()


@pytest.mark.parametrize("state", [State.COMPLETED, State.STOPPED, State.FAILED, State.INTERRUPTED])
def test_what_is_not_at_work_cannot_be_stopped(run, state):
    run.update(state=state)
    with pytest.raises(RunError, match=f"is {state}; only a queued or running one"):
        run.request_stop()


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.STOPPING, State.COMPLETED])
def test_what_is_at_work_or_done_cannot_be_resumed(run, state):
    working(run).update(state=state)
    with pytest.raises(RunError, match=f"is {state}"):
        resume(run)
    assert run.status().pid == os.getpid()


def test_progress_is_told_as_a_share_of_the_planned_steps(run):
    working(run)
    assert run.update(epoch=1, step=0, steps=4).fraction == 0
    assert run.update(epoch=5, step=2, steps=4).fraction == pytest.approx(0.45)
    assert run.update(epoch=10, step=4, steps=4).fraction == 1
    assert run.update(epoch=0, epochs=0).fraction == 0


# === Processes ===


def test_a_process_is_known_by_pid_and_start_time(sleeper):
    process, who = sleeper
    assert alive(process.pid, who["started"])
    assert not alive(process.pid, who["started"] - 100), "another process that got the same number"
    assert not alive(None, None)
    assert not alive(*dead_process())


def test_a_zombie_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    who = identity(process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(process.pid, who["started"])
    process.wait()


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.STOPPING])
def test_a_run_whose_process_is_gone_is_interrupted(run, state):
    write_json(run.folder / "config.json", run.config() | {"batch_size": 84, "image_size": 768})
    run.claim(*dead_process(), epochs=10)
    run.update(state=state, epoch=4, seconds_left=60.0)
    status = run.status()
    assert (status.state, status.epoch, status.seconds_left) == (State.INTERRUPTED, 4, None)
    assert "process is gone" in status.reason
    advice = " If it was memory, lower batch_size (now 84) or image_size (now 768)."
    assert status.reason.endswith(advice) == (state is not State.QUEUED)
    assert json.loads((run.folder / "status.json").read_text())["state"] == "interrupted", "it is noted, not only told"
    assert status.state.resumable


def test_a_run_whose_process_lives_stays_what_it_is(run, sleeper):
    process, who = sleeper
    working(run, (process.pid, who["started"]))
    assert run.status().state is State.RUNNING
    process.kill()
    process.wait()
    assert run.status().state is State.INTERRUPTED


def test_a_number_that_another_process_has_got_meanwhile_is_no_sign_of_life(run):
    """However lately the one before was heard of."""
    pid, started = me()
    run.claim(pid, started - 100, epochs=10)
    run.update(state=State.RUNNING)
    run.beat()
    assert run.status().state is State.INTERRUPTED


def test_a_process_here_that_was_not_heard_of_for_long_still_lives(run):
    elsewhere(run, silent=3600)
    values = json.loads((run.folder / "status.json").read_text())
    write_json(run.folder / "status.json", values | {"place": place()})
    assert run.silence() > 3000
    assert run.status().state is State.RUNNING


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.STOPPING])
def test_a_process_in_another_place_is_known_by_its_beats(run, state, monkeypatch):
    monkeypatch.setattr("dfcore.runs.job.SILENT_SECONDS", LONG)
    elsewhere(run, state, silent=1)
    assert run.status().state is state
    elsewhere(run, state, silent=LONG + 1)
    status = run.status()
    assert (status.state, status.epoch) == (State.INTERRUPTED, 4)
    assert "process is gone" in status.reason


def test_either_sign_of_life_will_do(run, monkeypatch):
    monkeypatch.setattr("dfcore.runs.job.SILENT_SECONDS", LONG)
    elsewhere(run, silent=2 * LONG)
    run.beat()
    assert run.silence() < LONG
    assert run.status().state is State.RUNNING, "it beats, though its status is old"
    elsewhere(run, silent=2 * LONG).update(step=1)
    assert run.silence() < LONG
    assert run.status().state is State.RUNNING, "it writes, though its beat is old"
    (run.folder / "heartbeat").unlink()
    assert run.status().state is State.RUNNING


def test_a_beat_of_the_future_is_no_silence(run):
    """Clocks of two machines differ."""
    assert elsewhere(run, silent=-60).silence() == 0


def test_what_another_version_wrote_without_a_place_is_known_by_its_beats(run):
    elsewhere(run, silent=60)
    values = json.loads((run.folder / "status.json").read_text())
    del values["place"]
    write_json(run.folder / "status.json", values)
    assert run.status().state is State.INTERRUPTED


def test_a_process_of_another_place_can_be_relieved_when_it_is_silent_only(run):
    elsewhere(run)
    with pytest.raises(RunError, match="running already"):
        run.claim(*somebody_else(), epochs=10)
    elsewhere(run, silent=60)
    run.claim(*somebody_else(), epochs=10)
    status = run.status()
    assert (status.pid, status.place) == (os.getppid(), place())


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.STOPPING])
def test_a_living_process_takes_back_that_it_is_gone(run, state):
    """Another place heard nothing of it for a while, as when the machine slept."""
    elsewhere(run, state, silent=60)
    assert run.status().state is State.INTERRUPTED
    status = Run(run.folder, me()).update(step=5)
    assert (status.state, status.reason, status.step) == (state, "", 5)
    assert run.status().state is state


@pytest.mark.parametrize("state", [State.COMPLETED, State.STOPPED, State.FAILED])
def test_a_process_that_was_taken_for_gone_can_still_end_its_run(run, state):
    elsewhere(run, silent=60)
    assert run.status().state is State.INTERRUPTED
    Run(run.folder, me()).update(state=state, reason="It is over.")
    assert (run.status().state, run.status().reason) == (state, "It is over.")


def test_whoever_looks_on_takes_nothing_back(run):
    elsewhere(run, silent=60)
    assert run.status().state is State.INTERRUPTED
    assert run.update(phase="looked at").state is State.INTERRUPTED


def test_a_run_whose_process_was_never_started_does_not_wait_for_ever(run, monkeypatch):
    assert run.status().state is State.QUEUED
    later = time.time() + 2 * LONG
    monkeypatch.setattr("dfcore.runs.job.time.time", lambda: later)
    assert run.status().state is State.INTERRUPTED


def test_a_run_belongs_to_one_living_process(run, sleeper):
    process, who = sleeper
    run.claim(process.pid, who["started"], epochs=10)
    with pytest.raises(RunError, match=f"as process {process.pid}"):
        run.claim(*me(), epochs=10)
    process.kill()
    process.wait()
    run.claim(*me(), epochs=10)
    assert run.status().pid == os.getpid()


def test_of_two_that_claim_at_once_one_gets_it(run, sleeper):
    process, who = sleeper
    candidates = [me(), (process.pid, who["started"])]
    outcomes = at_once(*[lambda who=who: Run(run.folder).claim(*who, epochs=10) for who in candidates])
    assert sorted(type(outcome) for outcome in outcomes if outcome) == [RunError]
    assert (run.status().pid, run.status().started) in candidates


WRITES = {
    "progress": lambda run: run.update(step=9),
    "its end": lambda run: run.update(state=State.COMPLETED),
    "its beginning": lambda run: run.begin(),
    "a wish to stop": lambda run: run.request_stop(),
    "the history": lambda run: run.write_history([{"epoch": 9}]),
    "a step": lambda run: run.append_step({"epoch": 9, "step": 9}),
    "a cut of the steps": lambda run: run.cut_steps(0, 0),
    "metrics": lambda run: run.write_metrics({"test": {"accuracy": 0.9}}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_process_whose_run_was_given_to_another_writes_nothing_more(run, sleeper, write):
    process, who = sleeper
    mine = Run(run.folder, me())
    working(mine).write_history([{"epoch": 1}])
    mine.append_step({"epoch": 1, "step": 1})
    elsewhere(run, silent=60)
    run.claim(process.pid, who["started"], epochs=10)
    before = contents(run)
    with pytest.raises(LostRun, match=f"given to another process .{process.pid}"):
        write(mine)
    assert contents(run) == before


def contents(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != "heartbeat"}


@pytest.mark.parametrize("later", [0, 100], ids=["the-same-pid-and-start", "the-same-pid-alone"])
def test_a_process_is_the_owner_by_pid_and_start(run, later):
    pid, started = me()
    working(run)
    owner = Run(run.folder, (pid, started + later))
    if later:
        with pytest.raises(LostRun):
            owner.update(step=9)
    else:
        assert owner.update(step=9).step == 9


def test_a_completed_run_cannot_be_claimed(run):
    run.update(state=State.COMPLETED)
    with pytest.raises(RunError, match="is completed"):
        run.claim(*me(), epochs=10)


def test_claiming_again_wipes_the_old_reason(run):
    run.update(state=State.FAILED, reason="The disk is full.", seconds_left=5.0)
    run.claim(*me(), epochs=20)
    status = run.status()
    assert (status.state, status.reason, status.seconds_left, status.epochs) == (State.QUEUED, "", None, 20)


def test_runs_take_their_turns_in_the_order_of_their_making(store):
    first, second, third = (store.create(CONFIG, epochs=1) for _ in range(3))
    assert [store.turn_of(run) for run in (first, second, third)] == [True, False, False]
    working(first)
    assert [store.turn_of(run) for run in (second, third)] == [True, False]
    second.request_stop()
    assert store.turn_of(third)


@pytest.fixture
def launched(run, tmp_path, monkeypatch):
    """Processes that were launched for the run in the state stopped: each sleeps instead of training."""
    script = tmp_path / "sleeps"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    processes, reap = [], detached._reap
    monkeypatch.setattr(detached, "_reap", lambda process: (processes.append(process), reap(process)))
    run.update(state=State.STOPPED)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_a_second_press_of_resume_is_refused_and_changes_nothing(run, launched):
    resume(run)
    before = run.status()
    assert before.state is State.QUEUED
    with pytest.raises(RunError, match="is queued already"):
        resume(run)
    assert run.status() == before
    assert [process.pid for process in launched] == [before.pid]


def test_of_two_that_resume_at_once_one_wins_and_the_process_of_the_other_ends(run, launched, monkeypatch):
    both_have_started = threading.Barrier(2)

    def identified(pid):
        both_have_started.wait(timeout=LONG)
        return identity(pid)

    monkeypatch.setattr(detached, "identity", identified)
    outcomes = at_once(*[lambda: resume(Run(run.folder))] * 2)
    assert [type(outcome) for outcome in outcomes if outcome] == [RunError]
    status = run.status()
    assert status.state is State.QUEUED
    (winner,) = [process for process in launched if process.pid == status.pid]
    (loser,) = [process for process in launched if process.pid != status.pid]
    assert loser.wait(timeout=LONG) == -signal.SIGTERM
    assert winner.poll() is None


def test_a_process_that_cannot_be_started_leaves_a_failed_run(run, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(run.folder / "gone"))
    with pytest.raises(DfcoreError, match="could not be started"):
        launch.launch(run)
    status = run.status()
    assert status.state is State.FAILED
    assert "could not be started" in status.reason


def test_many_writers_lose_no_change(run):
    """Each thread writes a field of its own; all of them must be there in the end."""
    working(run)
    fields = ("epoch", "step", "steps", "images_per_second")

    def write(field):
        for value in range(1, 11):
            Run(run.folder).update(**{field: value})

    threads = [threading.Thread(target=write, args=(field,)) for field in fields]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [getattr(run.status(), field) for field in fields] == [10] * 4


# === Records ===


def test_history_comes_back_as_numbers(run):
    rows = [{"epoch": 1, "loss": 0.5, "val_auc": 0.75}, {"epoch": 2, "loss": 0.25, "val_auc": 0.875}]
    run.write_history([])
    assert run.history() == []
    run.write_history(rows[:1])
    run.write_history(rows)
    assert run.history() == rows


def test_a_step_that_is_being_written_is_not_shown_yet(run):
    rows = [{"time": 1.5, "step": 10.0, "loss": 0.5}, {"time": 2.5, "step": 20.0, "loss": 0.25}]
    for row in rows:
        run.append_step(row)
    assert run.steps() == rows
    with open(run.folder / "steps.csv", "a") as file:
        file.write("3.5,30,0.1")
    assert run.steps() == rows


@pytest.mark.parametrize("half", ["3", "3.5,3", "3.5,30,", "3.5,30,0.1"])
def test_half_a_step_of_a_process_that_died_does_not_spoil_those_after_it(run, half):
    first, last = {"time": 1.5, "step": 10.0, "loss": 0.5}, {"time": 9.5, "step": 40.0, "loss": 0.125}
    run.append_step(first)
    with open(run.folder / "steps.csv", "a") as file:
        file.write(half)
    for row in (last, last):
        run.append_step(row)
    assert run.steps()[0] == first
    assert run.steps()[-1] == last


def live(*steps: tuple[int, int]) -> list[dict[str, float]]:
    return [{"time": 1.5, "epoch": float(epoch), "step": float(step), "loss": 0.5} for epoch, step in steps]


CUTS = {
    "nothing was learned": (0, 0, []),
    "within the first epoch": (0, 2, [(1, 2)]),
    "after the first epoch": (1, 0, [(1, 2), (1, 4)]),
    "within the second": (1, 3, [(1, 2), (1, 4), (2, 2)]),
    "all of it": (2, 0, [(1, 2), (1, 4), (2, 2), (2, 4)]),
}


@pytest.mark.parametrize(("epochs", "step", "remaining"), CUTS.values(), ids=CUTS)
def test_steps_that_will_be_made_again_are_dropped(run, epochs, step, remaining):
    for row in live((1, 2), (1, 4), (2, 2), (2, 4)):
        run.append_step(row)
    run.cut_steps(epochs, step)
    assert run.steps() == live(*remaining)
    run.append_step(*live((3, 1)))
    assert run.steps() == live(*remaining, (3, 1))


def test_without_steps_there_is_nothing_to_drop(run):
    run.cut_steps(0, 0)
    assert run.steps() == []


def test_some_room_is_kept_for_the_last_words(run):
    run.keep_reserve()
    assert (run.folder / ".reserve").stat().st_blocks * 512 >= 100_000, "really taken, not only promised"
    run.keep_reserve()
    for _ in range(2):
        run.free_reserve()
        assert not (run.folder / ".reserve").exists()


def test_a_process_that_died_keeps_no_room(run):
    run.claim(*dead_process(), epochs=10)
    run.keep_reserve()
    assert run.status().state is State.INTERRUPTED
    assert not (run.folder / ".reserve").exists()


WRITES_TO_WHAT_IS_GONE = {name: write for name, write in WRITES.items() if name != "a cut of the steps"} | {
    "a beat": lambda run: run.beat(),
    "a reserve": lambda run: run.keep_reserve(),
    "a claim": lambda run: run.claim(*me(), epochs=10),
}


@pytest.mark.parametrize("write", WRITES_TO_WHAT_IS_GONE.values(), ids=WRITES_TO_WHAT_IS_GONE)
def test_a_run_that_was_deleted_is_not_made_anew_by_who_still_writes(store, run, write):
    mine = Run(run.folder, me())
    working(mine)
    shutil.rmtree(run.folder)
    with pytest.raises((DfcoreError, OSError)):
        write(mine)
    assert not run.folder.exists()
    assert list(store) == []


def test_a_history_that_is_just_a_head_is_empty(run):
    (run.folder / "history.csv").write_text("epoch,loss\n")
    assert run.history() == []
    (run.folder / "history.csv").write_text("epoch,lo")
    assert run.history() == []


def test_notes_metrics_and_the_end_of_the_log(run):
    run.write_notes("Größer als gedacht.")
    run.write_metrics({"test": {"accuracy": 0.5}})
    run.log.write_bytes("ä".encode() * 100 + b"the end\n")
    assert run.notes() == "Größer als gedacht."
    assert run.metrics() == {"test": {"accuracy": 0.5}}
    assert run.log_tail(15).endswith("the end\n")
    assert len(run.log_tail(15)) <= 15
    assert run.log_tail().startswith("ä")


# === What is not imported ===

MODULES = [
    "dfcore", "dfcore.cli", "dfcore.runs", "dfcore.architectures", "dfcore.figures", "dfcore.detectors.bundle",
    "dfcore.training.config", "dfcore.datasets", "dfcore.evaluation", "dfcore.detectors.detector",
    "dfcore.training.worker",
]  # fmt: skip


def test_importing_the_library_loads_neither_tensorflow_nor_streamlit():
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {MODULES}];"
        "print([name for name in ('tensorflow', 'keras', 'streamlit') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
