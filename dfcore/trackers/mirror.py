"""Mirrors runs to MLflow: reads what a run writes anyway, and sends what the server lacks.

`python -m dfcore.trackers.mirror RUN_FOLDER` follows one run to its end, in a process of its own: a server that is
down, slow or full is met there and not in the training. What cannot be sent waits beside the run, and goes out with
the next run in the same folder, on resuming, or by `dfcore runs mirror`. The server is asked what it has, so that no
step is sent twice, and a run that is resumed goes on in the same run of MLflow.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from dfcore.errors import DfcoreError, RunError, StorageError
from dfcore.runs.run import Run
from dfcore.runs.status import State, Status
from dfcore.runs.store import RunStore
from dfcore.trackers import content, pictures
from dfcore.trackers.address import Tracker, configured, redacted
from dfcore.trackers.content import Figure
from dfcore.trackers.sent import LOCK, Sent, keep, lacking, recall, waits
from dfcore.trackers.server import DeletedRun, Server, Stored, TrackerError
from dfcore.utils.files import lock as make_lock
from dfcore.utils.files import sha256_bytes, sha256_file, write_json
from dfcore.utils.texts import volume

# How often the process looks for news; how long it waits after a failure, twice as long after each, and at most.
_POLL_SECONDS, _FIRST_WAIT, _LONGEST_WAIT = 2.0, 2.0, 60.0
# How long it goes on trying after the run has ended.
PATIENCE_SECONDS = 300.0
# A server that sends a byte now and then holds a call for ever.
_LONGEST_PASS = 1800.0
_STATUS = {
    State.QUEUED: "RUNNING", State.RUNNING: "RUNNING", State.STOPPING: "RUNNING", State.COMPLETED: "FINISHED",
    State.FAILED: "FAILED", State.STOPPED: "KILLED", State.INTERRUPTED: "KILLED",
}  # fmt: skip
Say = Callable[[str], None]


class Mirror:
    """Sends a run to a server; one object per run and process.

    Args:
        run: The run.
        tracker: The server.
        say: Called with what is being sent.
        anew: Make a new run there, whatever is known of an earlier one.
    """

    def __init__(self, run: Run, tracker: Tracker, say: Say = lambda _: None, *, anew: bool = False):
        self.run, self.tracker, self.say = run, tracker, say
        self.server = Server(tracker)
        self.sent = Sent(anew=True) if anew else recall(run, tracker) or Sent()
        # What the server has; None until it was asked.
        self._stored: Stored | None = None
        # Epochs that it has, by metric; the state that it shows.
        self._steps: dict[str, set[int]] = {}
        self._shown = ""

    def send(self) -> bool:
        """Sends what the server lacks; returns whether the run has ended and all of it is there.

        Raises:
            TrackerError: If something could not be sent; it is noted beside the run.
            RunError: If the run was deleted or is damaged.
        """
        try:
            complete = self._send()
        except TrackerError as error:
            self._stored = None  # Something of what failed may have arrived.
            self._steps.clear()
            self._note(self.sent.hindered(str(error), deleted=isinstance(error, DeletedRun)))
            raise
        self._note(self.sent.hindered(""))
        return complete

    def _send(self) -> bool:
        status = self.run.status()
        if self._stored is None:
            self._stored = self._found()
        self._describe(self._stored, status)
        self._data(self._stored)
        self._epochs()
        if status.state.active:
            return False
        self._final(self._stored)
        for path, folder in self._artefacts():
            self._file(path, folder)
        self._figures()
        # Last, so that whoever sees the run finished sees all of it.
        self._end(status)
        return True

    @property
    def got(self) -> tuple[str, int, int]:
        """How far the server has it; changes as something arrives."""
        return self.sent.run_id, self.sent.epochs, len(self.sent.files)

    # === Steps ===

    def _found(self) -> Stored:
        """The run on the server; the one of before, or the one with its tags, or a new one."""
        if not self.sent.run_id:
            experiment = self.server.experiment()
            identity = content.identity(self.run)
            found = "" if self.sent.anew else self.server.find(experiment, identity)
            if not found:
                began = self.run.created.timestamp()
                found = self.server.create(experiment, self.run.name, began, identity)
                self.say(f"run {found} of experiment {self.tracker.experiment}")
            self._note(replace(self.sent, experiment_id=experiment, run_id=found, anew=False))
        try:
            stored = self.server.stored(self.sent.run_id)
        except DeletedRun as error:
            raise DeletedRun(f"{error}, or send it as a new one (dfcore runs mirror {self.run.id} --anew).") from None
        self._shown = stored.status
        return stored

    def _describe(self, stored: Stored, status: Status) -> None:
        """Parameters that are missing, since they cannot be changed; tags that differ; the state."""
        parameters = {n: v for n, v in content.parameters(self.run).items() if n not in stored.parameters}
        tags = {n: v for n, v in content.tags(self.run).items() if stored.tags.get(n) != v}
        if parameters or tags:
            self.server.describe(self.sent.run_id, parameters, tags)
            stored.parameters |= parameters
            stored.tags |= tags
        if status.state.active and self._shown != _STATUS[status.state]:
            self.server.set_status(self.sent.run_id, _STATUS[status.state])
            self._shown = _STATUS[status.state]
            self._note(replace(self.sent, ended=""))

    def _data(self, stored: Stored) -> None:
        if stored.has_data:
            return
        found = content.data(self.run)
        if found is None:
            return
        try:
            self.server.add_data(self.sent.run_id, found)
        except TrackerError as error:  # Servers before 2.4 know no data sets; the hash is a tag then.
            if "404" not in str(error) and "ENDPOINT_NOT_FOUND" not in str(error):
                raise
        self.server.describe(self.sent.run_id, {}, {"dfcore.data_sha256": found.sha256})
        stored.has_data = True

    def _epochs(self) -> None:
        history = self.run.history()
        if len(history) == self.sent.epochs and self._steps:
            return
        figures = self._missing(content.by_epoch(self.run))
        if figures:
            first, last = figures[0].step, figures[-1].step
            self.say(f"epochs {first} to {last}" if last > first else f"epoch {first}")
            self.server.log(self.sent.run_id, figures)
            for figure in figures:
                self._steps[figure.name].add(figure.step)
        if len(history) != self.sent.epochs:
            self._note(replace(self.sent, epochs=len(history)))

    def _missing(self, figures: list[Figure]) -> list[Figure]:
        """Those that the server lacks."""
        for name in {figure.name for figure in figures} - set(self._steps):
            self._steps[name] = self.server.steps(self.sent.run_id, name)
        return [figure for figure in figures if figure.step not in self._steps[figure.name]]

    def _final(self, stored: Stored) -> None:
        figures = [each for each in content.at_the_end(self.run) if stored.metrics.get(each.name) != each.value]
        if figures:
            self.say(f"{len(figures)} final figures")
            self.server.log(self.sent.run_id, figures)
            stored.metrics |= {each.name: each.value for each in figures}

    def _artefacts(self) -> Iterator[tuple[Path, str]]:
        for name in ("history.csv", "metrics.json"):
            if (self.run.folder / name).is_file():
                yield self.run.folder / name, ""
        if self.run.bundle.is_dir():
            for path in sorted(self.run.bundle.iterdir()):
                if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                    yield path, self.run.bundle.name

    def _file(self, path: Path, folder: str) -> None:
        """Sends a file unless that was done before; again it would be the same artefact."""
        name = f"{folder}/{path.name}" if folder else path.name
        content_hash = sha256_file(path)
        if self.sent.files.get(name) == content_hash:
            return
        self.say(f"{name}, {volume(path.stat().st_size)}")
        self.server.upload(self.sent.run_id, path, folder)
        self._note(replace(self.sent, files=self.sent.files | {name: content_hash}))

    def _figures(self) -> None:
        """The settings, and the figures as a page; both are made here, so what they are made of says what is sent."""
        made_of = [self.run.folder / name for name in ("history.csv", "metrics.json")]
        hashed = sha256_bytes(b"".join(path.read_bytes() for path in made_of if path.is_file()))
        with tempfile.TemporaryDirectory() as aside:
            write_json(Path(aside) / "config.json", content.settings(self.run))
            self._file(Path(aside) / "config.json", "")
            if self.sent.files.get("figures.html") == hashed or not self.run.history():
                return
            page = pictures.write(self.run, Path(aside))
            if page is None:
                self.say("figures are left out, since plotly is not installed")
                return
            self.say("figures.html")
            self.server.upload(self.sent.run_id, page, "")
        self._note(replace(self.sent, files=self.sent.files | {"figures.html": hashed}))

    def _end(self, status: Status) -> None:
        wanted = _STATUS[status.state]
        if self._shown != wanted:
            self.server.set_status(self.sent.run_id, wanted, max(status.heartbeat, self.run.created.timestamp()))
            self._shown = wanted
        self._note(replace(self.sent, ended=str(status.state)))

    def _note(self, sent: Sent) -> None:
        if sent != self.sent:
            self.sent = sent
            # On a full disk the server is asked again next time.
            with suppress(StorageError):
                keep(self.run, self.tracker, sent)


def send(run: Run, tracker: Tracker, say: Say = lambda _: None, *, anew: bool = False) -> bool:
    """Sends once what a server lacks of a run; see `Mirror.send`.

    Args:
        run: The run.
        tracker: The server.
        say: Called with what is being sent.
        anew: Make a new run there, whatever is known of an earlier one.

    Returns:
        Whether the run has ended and all of it is there.

    Raises:
        TrackerError: If something could not be sent.
        RunError: If another process is mirroring the run, or it is damaged.
    """
    with _alone(run):
        return Mirror(run, tracker, say, anew=anew).send()


def follow(run: Run, tracker: Tracker, say: Say, *, patience: float = PATIENCE_SECONDS) -> None:
    """Mirrors a run until it has ended and all is sent, then runs that wait; tries again after failures.

    Args:
        run: The run.
        tracker: The server.
        say: Called with lines for a log.
        patience: Seconds to go on trying after the run has ended.
    """
    mirror = Mirror(run, tracker, say)
    waiting: list[Run] | None = None
    wait, told, gave_up_at, got = _FIRST_WAIT, "", float("inf"), mirror.got
    while True:
        try:
            with _watched():
                complete = mirror.send()
            pause, wait, told = _POLL_SECONDS, _FIRST_WAIT, ""
            if waiting is None:
                others = RunStore(run.folder.parent)
                waiting = [other for other in others if other.id != run.id and waits(other, tracker)]
            if complete:
                say("all of it is there")
                while waiting:
                    waiting = _sent_one(waiting, tracker, say)
                return
            if waiting:
                waiting, pause = _sent_one(waiting, tracker, say), 0.0
        except DeletedRun as error:
            say(str(error))
            return
        except TrackerError as error:
            if str(error) != told:
                told = str(error)
                say(f"{told}; trying again")
            if mirror.got != got:  # It takes some of it, so it is not down.
                got, wait = mirror.got, _FIRST_WAIT
            pause, wait = wait, min(2 * wait, _LONGEST_WAIT)
        ended = not run.status().state.active
        gave_up_at = min(gave_up_at, time.monotonic() + patience) if ended else float("inf")
        if time.monotonic() >= gave_up_at:
            say(f"given up for now: 'dfcore runs mirror {run.id}' sends the rest, or the next run does")
            return
        time.sleep(min(pause, max(gave_up_at - time.monotonic(), 0.0)))


def _sent_one(waiting: list[Run], tracker: Tracker, say: Say) -> list[Run]:
    """Sends one of the runs that wait; returns those that are still to be tried."""
    other, *rest = waiting
    try:
        with _watched():
            send(other, tracker, lambda text: say(f"{other.id}: {text}"))
    except TrackerError as error:
        say(f"{other.id}: {error}")
        if not isinstance(error, DeletedRun):
            return []  # The server does not take the others either.
    except (DfcoreError, OSError) as error:
        say(f"{other.id}: {redacted(error)}")
    return rest


class _alone:  # noqa: N801  (reads as a word)
    """Context manager in which no other process mirrors a run.

    Raises:
        RunError: If one does.
    """

    def __init__(self, run: Run, wait: float = 0.0):
        self._run, self._wait = run, wait
        self._lock: FileLock | None = None

    def __enter__(self) -> None:
        try:
            self._lock = make_lock(self._run.folder / LOCK, timeout=self._wait)
            self._lock.acquire()
        except Timeout:
            raise RunError(_taken(self._run)) from None

    def __exit__(self, *_: object) -> None:
        assert self._lock is not None
        self._lock.release()


def _taken(run: Run) -> str:
    """That another process is mirroring a run: to which server, and until when."""
    servers, status = lacking(run), run.status()
    to = f", to {' or '.join(servers)}" if servers else ""
    text = f"Run {run.id} is being mirrored by another process already{to}."
    if status.state.active:
        return text
    until = time.strftime("%H:%M:%S", time.localtime(status.heartbeat + PATIENCE_SECONDS))
    return f"{text} If that server does not answer, it gives up at about {until}; try again then."


class _watched:  # noqa: N801  (reads as a word)
    """Context manager whose content may last `_LONGEST_PASS`; then the process ends, since no call can be stopped."""

    def __enter__(self) -> None:
        self._timer = threading.Timer(_LONGEST_PASS, self._end)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @staticmethod
    def _end() -> None:
        print(f"the server kept a call for {_LONGEST_PASS:.0f} s; given up for now", flush=True)
        os._exit(3)


def main(folder: str) -> int:
    """Follows the run in `folder`; returns the exit code of the process."""
    run = Run(Path(folder))

    def say(text: str) -> None:
        print(time.strftime("%Y-%m-%d %H:%M:%S "), redacted(text), flush=True)

    if hasattr(os, "nice"):
        os.nice(10)  # The training comes first.
    try:
        tracker = configured()
        if tracker is None:
            return 0
        while True:
            try:
                # Of a run that was stopped and resumed quickly, the first one may still be at work: it may go on, or
                # have seen the end already.
                with _alone(run, wait=10.0):
                    follow(run, tracker, say)
                    return 0
            except RunError:
                if not run.status().state.active:
                    return 0
    except (DfcoreError, OSError) as error:
        if run.folder.is_dir():
            say(f"ended: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
