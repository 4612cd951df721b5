"""A service whose detectors are stand-ins, for tests; run as a program, it serves until it is told to stop."""

import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from PIL import Image

from dfcore.batch.ready import Ready
from dfcore.confidence import NOT_CHECKED, DecisionThresholds, OODResult, Policy
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError
from dfcore.explanation import Heatmap
from dfcore.service.judging import Bench
from dfcore.service.server import Server, configured
from dfcore.service.settings import Settings
from dfcore.service.state import Service
from tests.conftest import make_card

CARD = make_card(created="2026-01-01T00:00:00+00:00", model_sha256="0" * 64)
LEARNED = OODResult(0.5, ())


class StandIn:
    """In the place of a detector: a score by a picture's content, after a pause."""

    folder = None
    engine = SimpleNamespace(name="none")

    def __init__(self, card=CARD, pause: float = 0.0):
        self.card, self.spec, self.pause = card, card.spec, pause
        self.threshold = card.threshold.value
        self.open = threading.Event()
        self.open.set()
        self.batches: list[int] = []

    def judge(self, images, policy=Policy()):
        self.open.wait(30)
        self.batches.append(len(images))
        time.sleep(self.pause * len(images))
        return [self._verdict(image, policy) for image in images]

    def _verdict(self, image, policy):
        if isinstance(image, ImageError):
            return Verdict(None, 0.5, error=str(image))
        thresholds = policy.thresholds or DecisionThresholds(
            real_below=0.3, fake_from=0.7, images=10, chosen_on="nothing", abstention_rate=0.4
        )
        score = int(image.facts.sha256[:8], 16) / 2**32
        return Verdict(score, 0.5, 0.25, None, thresholds, LEARNED, policy.ignore_ood)

    def foreseen(self, image):
        return NOT_CHECKED

    def explainer(self):
        return SimpleNamespace(layers=["first", "last"])

    has_spare_network = False

    def explain(self, image, *, max_side, method, target, layer, view):
        self.spec.view_number(view)
        factor = min(1.0, max_side / max(image.height, image.width))
        shape = max(1, round(factor * image.height)), max(1, round(factor * image.width))
        values = np.linspace(0, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape)
        return Heatmap(values, 2.0, method, target, layer or "last", 0, (0, 0, shape[1], shape[0]))


def picture(seed: int = 0, side: int = 24, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)).save(buffer, form)
    return buffer.getvalue()


def bench(**detectors) -> Bench:
    detectors = detectors or {"stand-in": StandIn()}
    return Bench(Ready(detectors, {}))


@contextmanager
def served(service: Service) -> Iterator[str]:
    """Serves in a thread; gives the address."""
    server = Server(service, configured(service))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(30)


if __name__ == "__main__":
    from dfcore.service import server as module

    slow = bench(**{"stand-in": StandIn(pause=float(sys.argv[1]))})
    module.Service = lambda settings: Service(settings, slow)  # type: ignore[misc,assignment]
    module.run(Settings(port=int(sys.argv[2]), grace=float(sys.argv[3])))
