"""All that the requests of one service share."""

import asyncio

from dfcore.service import log
from dfcore.service.callers import Door, Rates
from dfcore.service.judging import Bench, Choice
from dfcore.service.metrics import Metrics
from dfcore.service.problems import closing
from dfcore.service.queue import Queue
from dfcore.service.settings import Settings
from dfcore.service.uploads import Spool
from dfcore.utils import memory


class Service:
    """What the requests of a service share.

    Attributes:
        closing: Whether it was told to stop.
        over: Set when the seconds of grace are over: what has no answer yet is refused.
        failure: Why the detectors could not be loaded.
    """

    def __init__(self, settings: Settings, bench: Bench | None = None):
        """Starts the queue; nothing is loaded yet.

        Args:
            settings: The operator's.
            bench: Loaded detectors; by default those of the settings, loaded by `load`.

        Raises:
            InputError: If keys cannot be read.
        """
        self.settings, self.limits = settings, settings.limits
        self.door, self.rates = Door(settings), Rates()
        self.bench = bench or Bench()
        self.queue = Queue(settings.limits.queue)
        self.spool = Spool(settings.limits.spool_bytes)
        self.metrics = Metrics(self.queue)
        self.closing = False
        self.over = asyncio.Event()
        self.failure: BaseException | None = None

    @property
    def status(self) -> str:
        """Ready, or why not: loading, closing, or full."""
        if self.closing:
            return "closing"
        if self.bench.ready is None:
            return "loading"
        return "full" if self.queue.full else "ready"

    def open(self, choice: Choice) -> None:
        """Raises a Problem if pictures cannot be taken now, or there is no such detector."""
        if self.over.is_set():
            raise closing()
        self.bench.check(choice)

    async def load(self) -> None:
        """Loads the detectors in a thread; `failure` tells if that failed."""
        if self.bench.ready is not None:
            return
        try:
            await asyncio.to_thread(self.bench.load, self.settings)
        except Exception as error:
            self.failure = error
            return
        memory.settle()
        log.event("ready", detectors=list(self.bench.detectors))
