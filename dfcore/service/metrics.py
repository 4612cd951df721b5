"""Figures for Prometheus. Labels hold nothing that a caller chooses, so their number is bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from dfcore import __version__
from dfcore.service.queue import Queue

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The figures of one service."""

    def __init__(self, queue: Queue):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "dfcore_requests",
            "Requests by status; gone: the caller went away before the answer.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "dfcore_request_seconds", "Seconds to the answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self.verdicts = Counter(
            "dfcore_verdicts", "Pictures by what was found (error: no verdict) and who judged (none: none of several).",
            ("finding", "detector"), registry=registry,
        )  # fmt: skip
        self.refusals = Counter("dfcore_refusals", "Requests refused, by reason.", ("code",), registry=registry)
        for name, text, value in (
            ("dfcore_queue_taken", "Places taken in the queue.", lambda: queue.taken),
            ("dfcore_queue_places", "Places in the queue.", lambda: queue.places),
            ("dfcore_picture_seconds", "Seconds a picture takes, moving average.", lambda: queue.pace.seconds),
        ):
            Gauge(name, text, registry=registry).set_function(value)
        Gauge("dfcore_info", "Version of the service.", ("version",), registry=registry).labels(__version__).set(1)

    def text(self) -> bytes:
        """All of them, in the format of `MEDIA_TYPE`."""
        return generate_latest(self._registry)
