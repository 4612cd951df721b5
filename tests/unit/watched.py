"""A watcher whose detector is a stand-in, for tests; `watch` is what a process of its own runs until it is killed."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import dfcore.watch.watcher as module
from dfcore.batch.memory import Memory
from dfcore.batch.predict import File, Judged
from dfcore.batch.ready import Ready
from dfcore.confidence import Policy
from dfcore.detectors.verdict import Verdict
from dfcore.errors import ImageError
from dfcore.imaging import decoder
from dfcore.imaging.prepared import PreparedImage
from dfcore.utils.files import sha256_bytes
from dfcore.watch import Pace, Stream, Watcher
from tests.conftest import make_card

# The same each time that it is started.
CARD = make_card(created="2026-01-01T00:00:00+00:00")


def judge(paths, detectors, options, pause=0.0):
    """In the place of `judge_files`: decodes, and gives each picture a score by its content."""
    for path in paths:
        digest = None
        try:
            data = decoder.read_bytes(path)
            digest = sha256_bytes(data)
            image = PreparedImage.from_pixels(decoder.decode(data), [])
            verdict = Verdict(int(digest[:8], 16) / 2**32, 0.5, 0.1)
        except ImageError as error:
            image, verdict = error, Verdict(None, 0.5, error=str(error))
        time.sleep(pause)
        yield [Judged(File(path, digest, image), "stand-in", verdict)]


def ready() -> Ready:
    detector = SimpleNamespace(card=CARD, engine=SimpleNamespace(name="none"))
    return Ready({"stand-in": detector}, {"stand-in": Policy()})


def watcher(folder: Path, stream: Stream, memory: bool = False, **options) -> Watcher:
    """Over one folder; `module.judge_files` must be `judge`."""
    kept = Memory(ready(), "ada", "watch") if memory else None
    return Watcher([folder], ready(), stream, kept, **options)


def watch(folder: Path, out: Path, environment: dict[str, str]) -> None:
    """Watches for ever, in a process whose variables are given."""
    os.environ.update(environment)
    module.judge_files = lambda *given: judge(*given, pause=0.01)
    with Stream(out) as opened:
        watcher(folder, opened, True, pace=Pace(0.2, 0.05)).run(lambda seconds: bool(time.sleep(seconds)))
