"""Long work in the background of the server: goes on while its user visits other pages, and can be stopped.

All see work that is under way. How it ended is told to whoever began it, and to nobody else.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dashboard import error_reporting, inference_queue, roles
from dfcore.errors import BusyError, DfcoreError, detached

_KEPT = 32
# Keys of the work that fetches a detector from elsewhere, and that makes one of a model from elsewhere.
FETCH_DETECTOR, ADOPT_KEY = "fetch detector", "adopt"


class StoppedError(Exception):
    """Raised inside the work at its next report of progress, after `Task.stop`."""


@dataclass
class Task:
    """One piece of work.

    Attributes:
        what: What is done, in words.
        by: Who began it, see `roles.person`.
        began: When it began, in seconds of the monotonic clock.
        title: The step at work, in words.
        done: Units done of this step.
        total: Units of this step; 0 while unknown.
        error: Why it failed; None if it did not.
        result: What the work returned; None until then.
    """

    what: str
    by: str
    began: float = field(default_factory=time.monotonic)
    title: str = ""
    done: int = 0
    total: int = 0
    error: Exception | None = None
    result: Any = None

    def __post_init__(self) -> None:
        self._asked_to_stop = threading.Event()
        self._ended = threading.Event()
        self._step_began = self.began

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return not self._ended.is_set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not done so yet."""
        return self.running and self._asked_to_stop.is_set()

    @property
    def was_stopped(self) -> bool:
        """Whether it ended because it was asked to."""
        return isinstance(self.error, StoppedError)

    def stop(self) -> None:
        """Asks it to end at its next report of progress."""
        self._asked_to_stop.set()

    def wait(self, seconds: float) -> bool:
        """Waits for its end; returns whether it came."""
        return self._ended.wait(seconds)

    def step(self, title: str) -> Callable[[int, int], None]:
        """Begins a step; the work calls the result with (units done, units in all).

        Raises:
            StoppedError: From the result, if it was asked to stop.
        """
        self.title, self.done, self.total, self._step_began = title, 0, 0, time.monotonic()

        def report(done: int, total: int) -> None:
            if self._asked_to_stop.is_set():
                raise StoppedError
            self.done, self.total = done, total

        return report

    def seconds(self) -> float:
        """Seconds since this step began."""
        return time.monotonic() - self._step_began

    def per_second(self) -> float | None:
        """Units done in a second of this step; None while nothing is known."""
        return self.done / self.seconds() if self.done and self.total and self.seconds() > 1 else None

    def run(self, work: Callable[["Task"], Any]) -> None:
        """Does the work in the calling thread; keeps its result or its error."""
        try:
            self.result = work(self)
        except (StoppedError, DfcoreError) as error:
            self.error = detached(error)
        except Exception as error:
            error_reporting.log().error("%s failed", self.what, exc_info=error)
            self.error = DfcoreError(f"{self.what} failed: {type(error).__name__}. The server's log has the details.")
        finally:
            self._ended.set()


_lock = threading.Lock()
# By key and by who began it: one person's work does not make forgotten how another's ended.
_tasks: dict[tuple[str, str], Task] = {}


def start(key: str, what: str, work: Callable[[Task], Any]) -> Task:
    """Starts work in a thread, unless the very same is under way.

    Args:
        key: What tells this work from other work.
        what: What is done, in words. Under one key, other words mean other work.
        work: Called with the task; should report its progress, see `Task.step`, often.

    Raises:
        BusyError: If other long work is running on this server.
    """
    by = roles.person()
    with _lock:
        at_work = next((task for task in _of(key) if task.running and task.what == what), None)
        if at_work is not None:
            return at_work
        turn = ExitStack()
        try:
            turn.enter_context(inference_queue.measuring.take())
        except BusyError:
            running = next((task.what for task in _tasks.values() if task.running), "a measurement")
            raise BusyError(
                f"The server is busy with other long work: {running}. Try again when it has ended."
            ) from None
        task = _tasks[key, by] = Task(what, by)
        for old in [name for name, other in _tasks.items() if not other.running][: max(len(_tasks) - _KEPT, 0)]:
            del _tasks[old]

    def work_and_leave() -> None:
        with turn:
            task.run(work)

    threading.Thread(target=work_and_leave, daemon=True, name=what).start()
    return task


def find(key: str) -> Task | None:
    """The work with this key that is under way, or else the latest that the current user began; None without either."""
    with _lock:
        tasks = _of(key)
    running = next((task for task in tasks if task.running), None)
    return running or max((task for task in tasks if roles.is_me(task.by)), key=lambda task: task.began, default=None)


def drop(key: str) -> None:
    """Forgets work that has ended, if the current user began it."""
    with _lock:
        for task in _of(key):
            if not task.running and roles.is_me(task.by):
                del _tasks[key, task.by]


def _of(key: str) -> list[Task]:
    return [task for (name, _), task in _tasks.items() if name == key]


def audit_key(root: Path) -> str:
    """Key of the background work that audits a data set."""
    return f"audit {root}"


def align_key(root: Path) -> str:
    """Key of the background work that makes aligned fakes of a data set's real pictures."""
    return f"align {root}"


def publish_key(name: str) -> str:
    """Key of the background work that publishes a detector."""
    return f"publish {name}"


def neutralise_key(root: Path) -> str:
    """Key of the background work that makes a neutralised copy of a data set."""
    return f"neutralise {root}"


def export_key(folder: Path) -> str:
    """Key of the background work that exports a detector for another runtime."""
    return f"export {folder}"


def again_key(case: int | None, who: str) -> str:
    """Key of the background work that judges pictures of a case, or all, again for somebody."""
    return f"again {case} {who}"
