"""The queue: a bounded number of places, threads that decode, one thread that runs networks.

A network uses all cores for one picture, so one thread runs them, as elsewhere in the workbench. It takes what has been
decoded by then in one call; engines compute each picture by itself, so that no score hangs on who else asks.
"""

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import Any

from dfcore.imaging import sandbox
from dfcore.service.pace import Pace
from dfcore.service.problems import Problem, closing

# Pictures in one call of the networks: more are not judged faster on a CPU, and the first ones would wait.
_AT_ONCE = 16


class Job(ABC):
    """Work on one picture.

    Attributes:
        future: Gets the answer. Who cancels it gives the work up.
        key: Jobs with the same key are run in one call.
        pictures: For the measure of the pace.
    """

    def __init__(self, key: Hashable):
        self.future: Future[Any] = Future()
        self.key = key
        self.since = time.monotonic()

    @abstractmethod
    def read(self) -> None:
        """Reads and decodes; several at once, each in a thread."""

    @abstractmethod
    def run(self, jobs: "Sequence[Any]") -> list[Any]:
        """Runs the networks on jobs of this key, itself the first; returns their answers."""


class Places:
    """Places in the queue that a request holds."""

    def __init__(self, owner: "Queue"):
        self._owner = owner
        self.held = 0

    def take(self, pictures: int) -> None:
        """Takes further places.

        Raises:
            Problem: If there is not enough room; tells when to try again.
        """
        self._owner.take(pictures)
        self.held += pictures


class Queue:
    """Runs jobs in the order in which they come.

    Args:
        places: Number of places.
    """

    def __init__(self, places: int):
        self.places, self.taken = places, 0
        self.pace = Pace()
        self._lock = threading.Lock()
        self._live: set[Job] = set()
        self._abandoned = False
        self._ready: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(sandbox.processes() + 1, "read")
        self._engine = threading.Thread(target=self._work, name="engine", daemon=True)
        self._engine.start()

    @property
    def full(self) -> bool:
        """Whether no place is left."""
        return self.taken >= self.places

    @property
    def waiting(self) -> int:
        """Jobs that have no answer yet."""
        return len(self._live)

    @contextmanager
    def place(self) -> Iterator[Places]:
        """Holds one place, and those that are taken beside it, inside the `with` block; see `Places.take`."""
        places = Places(self)
        places.take(1)
        try:
            yield places
        finally:
            with self._lock:
                self.taken -= places.held

    def take(self, pictures: int) -> None:
        """See `Places.take`."""
        with self._lock:
            if self.taken + pictures > self.places:
                raise Problem(
                    429, "busy", f"The queue is full: {self.taken} pictures are waiting. Try again later.",
                    self.pace.wait(self.taken + pictures - self.places),
                )  # fmt: skip
            self.taken += pictures

    def submit(self, job: Job) -> None:
        """Puts a job at the end; its future gets the answer."""
        with self._lock:
            if self._abandoned:
                raise closing()
            self._live.add(job)
        job.future.add_done_callback(lambda _: self._forget(job))
        self._readers.submit(self._read, job)

    def abandon(self) -> None:
        """Gives up what has no answer yet, telling that the service ends."""
        with self._lock:
            self._abandoned = True
            left = list(self._live)
        for job in left:
            _fail(job, closing())

    def close(self) -> None:
        """Ends the threads."""
        self.abandon()
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._ready.put(None)

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._live.discard(job)

    def _read(self, job: Job) -> None:
        if job.future.done():
            return
        try:
            job.read()
        except BaseException as error:
            _fail(job, error)
        else:
            self._ready.put(job)

    def _work(self) -> None:
        while (first := self._ready.get()) is not None:
            together = [first]
            with suppress(queue.Empty):
                while len(together) < _AT_ONCE:
                    one = self._ready.get_nowait()
                    if one is None:
                        self._ready.put(None)
                        break
                    together.append(one)
            for _, some in groupby(together, lambda job: job.key):
                self._run([job for job in some if not job.future.done()])

    def _run(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        try:
            answers = jobs[0].run(jobs)
        except BaseException as error:
            if len(jobs) == 1:
                _fail(jobs[0], error)
            for job in jobs if len(jobs) > 1 else ():  # Whatever it was, it is not the fault of the others.
                self._run([job])
            return
        self.pace.done(len(jobs), min(job.since for job in jobs))
        for job, answer in zip(jobs, answers, strict=True):
            with suppress(InvalidStateError):  # Given up meanwhile.
                job.future.set_result(answer)


def _fail(job: Job, error: BaseException) -> None:
    with suppress(InvalidStateError):
        job.future.set_exception(error)
