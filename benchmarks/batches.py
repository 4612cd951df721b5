"""Judges a folder by a batch and by `dfcore predict`: the same rows, kills, memory, and how fast rows are found.

    python -m benchmarks.batches --data ../shared/data/cifake --images 5000 --out benchmarks/results/batches.txt

The pictures are those of a folder, each as it is, mirrored, and so on until there are enough; every thousandth is cut
off. The batch is started by a process that is killed at once, as a dashboard may be; the process that judges is killed
at a third and at two thirds. Memory is that of the process that judges and of its decoding processes.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import psutil
from PIL import Image, ImageOps

from dfcore.batch.job import Batch
from dfcore.batch.query import Query
from dfcore.batch.resume_log import ResumeLog
from dfcore.batch.store import BatchStore
from dfcore.datasets.listing import iter_images

_START = """
import os, sys
from dfcore.batch.sources import FromPath
from dfcore.batch.store import BatchStore
print(BatchStore().start([FromPath(sys.argv[1])], [sys.argv[2]]).id, flush=True)
os.kill(os.getpid(), 9)
"""
_TURNS: tuple[Callable[[Image.Image], Image.Image], ...] = (
    lambda image: image, ImageOps.mirror, ImageOps.flip, lambda image: image.rotate(180),
    lambda image: image.rotate(90), lambda image: image.rotate(270),
)  # fmt: skip


def make(source: Path, folder: Path, count: int) -> None:
    """Writes so many pictures, no two of them alike."""
    paths = list(iter_images([source]))
    number = 0
    for turn in cycle(_TURNS):
        for path in paths:
            if number == count:
                return
            number += 1
            target = folder / f"{number // 1000}" / f"{number:06d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                turn(image.convert("RGB")).save(target)
            if number % 1000 == 0:
                target.write_bytes(target.read_bytes()[:200])


def memory(pid: int) -> float:
    """MB of a process and those that it started."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total / 2**20


def predicted(detector: str, folder: Path, out: Path) -> tuple[float, float]:
    """Seconds of `dfcore predict` and its peak memory in MB."""
    begun, peak = time.monotonic(), 0.0
    command = [sys.executable, "-m", "dfcore", "predict", detector, str(folder), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.2)
    return time.monotonic() - begun, peak


def batched(detector: str, folder: Path, kills: int) -> Iterator[str]:
    """Judges a folder by a batch whose process is killed so many times; tells what happens."""
    answer = subprocess.run([sys.executable, "-c", _START, str(folder), detector], stdout=subprocess.PIPE, check=False)
    assert answer.returncode == -signal.SIGKILL, answer
    store = BatchStore()
    batch = store.get(answer.stdout.decode().strip())
    yield f"the process that started it was killed; the batch is {batch.status().state}"
    begun, at, killed = time.monotonic(), 0, 0
    while True:
        status = batch.status()
        if not status.state.active:
            break
        if status.phase == "judging" and status.total:
            tenth = 10 * status.done // status.total
            if tenth > at:
                at = tenth
                speed, left = status.images_per_second or 0, status.seconds_left or 0
                taken = memory(int(status.pid or 0))
                yield f"{status.done:,} of {status.total:,}: {taken:.0f} MB, {speed:.1f} images/s, {left:.0f} s left"
            if killed < kills and status.done > status.total * (killed + 1) / (kills + 1):
                os.kill(int(status.pid or 0), signal.SIGKILL)
                killed += 1
                while batch.status().state.active:
                    time.sleep(0.05)
                yield f"killed at {status.done:,}; the batch is {batch.status().state}"
                store.resume(batch.id)
        time.sleep(0.1)
    yield f"{status.state}, {status.done:,} rows, {status.failed} without a verdict, {time.monotonic() - begun:.0f} s"


def compared(batch: Batch, rows: Path) -> str:
    """Whether a batch has the rows of a file, and each once."""
    out = batch.folder / "rows.jsonl"
    batch.write(out)
    mine, theirs = (Counter(path.read_text().splitlines()) for path in (out, rows))
    lines = sum(1 for _ in batch.journal.open()) - 1
    other = [json.loads(line) for line in (mine - theirs)]
    same = "the same rows to the last digit" if mine == theirs else f"{len(other)} rows differ, such as {other[0]}"
    most = max(Counter(json.loads(line)["path"] for line in mine.elements()).values())
    return f"{same}; {lines:,} were judged, no file more than {most} time"


@contextmanager
def timed(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Tells how long something took."""
    begun = time.perf_counter()
    yield
    say(f"  {what}: {1000 * (time.perf_counter() - begun):.0f} ms")


def searched(row: dict, folder: Path, count: int, say: Callable[[str], None]) -> None:
    """Pages through many rows made of one."""
    batch = Batch(folder)
    findings = ("fake", "inconclusive", "no_sign", None)
    with ResumeLog(batch.out, {}) as log:
        for first in range(0, count, 1000):
            log.add([row | {"path": f"/folder/{n:06d}.png", "score": n * 7919 % count / count, "is_used": True,
                            "finding": findings[n % 4]} for n in range(first, first + 1000)])  # fmt: skip
        with timed(f"index of {count:,} rows", say):
            batch.index.make(log.placed())
    say(f"  rows {batch.journal.stat().st_size / 2**20:.0f} MB, index {batch.index.path.stat().st_size / 2**20:.0f} MB")
    with timed("first page", say):
        batch.rows()
    with timed("last page by score", say):
        batch.rows(order="score", descending=True, offset=count - 50)
    with timed("a verdict, scores and part of a name, by path", say):
        assert batch.rows(Query("99", ("fake", "no_sign"), None, 0.2, 0.8), "path").total
    with timed("histogram and counts", say):
        assert sum(number for *_, number in batch.histogram()) == sum(batch.counts().values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--auto", type=Path, help="folder of a few pictures for all detectors")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines: list[str] = []

    def say(text: str) -> None:
        print(text, flush=True)
        lines.append(text)

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in ("batches", "cases", "runs", "data", "cache"):
            os.environ[f"DFCORE_{name.upper()}"] = str(folder / name)
        make(options.data, folder / "pictures", options.images)
        for detector, pictures, kills in (("small", folder / "pictures", 2), ("auto", options.auto, 1)):
            if pictures is None:
                continue
            out = folder / f"{detector}.jsonl"
            seconds, peak = predicted(detector, pictures, out)
            say(
                f"dfcore predict {detector}: {sum(1 for _ in out.open()):,} rows in {seconds:.0f} s, peak {peak:.0f} MB"
            )
            say(f"batch, {detector}:")
            for line in batched(detector, pictures, kills):
                say(f"  {line}")
            batch = next(iter(BatchStore()))
            say(f"  {compared(batch, out)}")
            thumbnails = batch.thumbnails.stat().st_size / 2**20
            say(f"  thumbnails {thumbnails:.1f} MB, {sum(1 for _ in batch.folder.rglob('*'))} files in its folder")
        say("finding rows:")
        searched(batch.row(0), folder / "many", options.rows, say)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
