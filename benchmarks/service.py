"""The service under load, beside `dfcore predict` on the same files.

Run from the project's root, for example:
`python -m benchmarks.service ../shared/data/photos --minutes 10 --out benchmarks/results/service.txt`.

Starts `dfcore serve` on a port of this machine. Clients keep a connection each and send a file as soon as they have the
answer to the last one. Before and after, `predict_files`, which is what `dfcore predict` runs, judges the same files in
a process of its own; the speed is that after loading. Clients take processor time that a service on a machine of its
own would have, so processor time a picture is told as well. Ends with 1 if a request failed, a score differed, or
memory grew.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
TARGET = 0.85
# Share by which memory may grow between the first and the last fifth of the run, and MB that count as nothing.
GROWTH, NOISE_MB = 0.05, 50
EVERY, MB = 5.0, 2**20


@dataclass
class Record:
    """What happened.

    Attributes:
        warm: Verdicts before figures were taken.
        seconds: Time to each answer.
        statuses: Number of answers by status.
        scores: Scores by name of the file, as first answered.
        errors: What went wrong.
        memory: MB of the server with its decoding processes, by seconds since the clients began.
    """

    warm: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    scores: dict[str, float | None] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)


def predict(detector: str, files: Sequence[Path], seconds: float) -> dict[str, Any]:
    """Speed, processor time and scores of `predict_files` for some seconds; run in a process of its own."""
    from itertools import cycle

    from dfcore.batch.predict import predict_files
    from dfcore.batch.ready import make_ready

    ready = make_ready([detector], lambda _: None)
    scores = {row["path"]: row["score"] for batch in predict_files(files[:16], ready.detectors) for row in batch}
    began, used, done, end = time.monotonic(), _processor(psutil.Process()), 0, time.monotonic() + seconds

    for batch in predict_files(_until(cycle(files), end, len(files)), ready.detectors):
        scores |= {row["path"]: row["score"] for row in batch}
        done += len(batch)
    took, cpu = time.monotonic() - began, _processor(psutil.Process()) - used
    return {"speed": done / took, "cpu": cpu / done, "scores": scores}


def _until(files, end: float, least: int):
    for number, path in enumerate(files):
        if number >= least and time.monotonic() > end:
            return
        yield path


def _processor(process: psutil.Process) -> float:
    """Seconds of processor time of a process and its children."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def _memory(process: psutil.Process) -> float:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            total += one.memory_info().rss
    return total / MB


class Client:
    """One client with a connection of its own."""

    def __init__(self, port: int, detector: str, record: Record, key: int):
        self._port, self._detector, self._record = port, detector, record
        self._random = random.Random(key)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, files: Sequence[tuple[str, bytes]], end: float) -> None:
        """Sends files until the time has come."""
        while time.monotonic() < end:
            name, data = self._random.choice(files)
            began = time.monotonic()
            try:
                status, headers, body = await asyncio.wait_for(self._ask(name, data), 300)
            except (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError) as error:
                self._record.errors.append(f"{type(error).__name__} {error}"[:100])
                self._writer = None
                await asyncio.sleep(0.5)
                continue
            self._record.statuses[status] += 1
            if status == 429:
                # It may have to wait for longer than the service keeps a connection that nobody uses.
                if self._writer is not None:
                    self._writer.close()
                await asyncio.sleep(float(headers.get("retry-after", 1)))
            elif status == 200:
                self._record.seconds.append(time.monotonic() - began)
                score = json.loads(body)["results"][0]["score"]
                if self._record.scores.setdefault(name, score) != score:
                    self._record.errors.append(f"{name}: another score the second time")
            else:
                self._record.errors.append(f"{status} {body[:100]!r}")
        if self._writer is not None:
            self._writer.close()

    async def _ask(self, name: str, data: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        head = (
            f"POST /v1/predict?detector={self._detector} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self._writer.write(head.encode() + data)
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        body = await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self._writer.close()
        return int(lines[0].split()[1]), headers, body


async def load(options: argparse.Namespace, port: int, server: psutil.Process, files: Sequence[Path]) -> Record:
    """Lets the clients run."""
    contents = [(str(path), path.read_bytes()) for path in files]
    warm = Record()
    end = time.monotonic() + options.warm_up
    await asyncio.gather(*(Client(port, options.detector, warm, -n).run(contents, end) for n in range(options.clients)))
    record, began = Record(warm=len(warm.seconds)), time.monotonic()
    end = began + 60 * options.minutes
    clients = [Client(port, options.detector, record, n).run(contents, end) for n in range(options.clients)]
    working = asyncio.gather(*clients)
    while not working.done():
        record.memory.append((time.monotonic() - began, _memory(server)))
        await asyncio.wait({working}, timeout=EVERY)
    await working
    record.memory.append((time.monotonic() - began, _memory(server)))
    return record


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _ready(port: int, process: subprocess.Popen) -> None:
    import urllib.request

    for _ in range(600):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return
        if process.poll() is not None:
            sys.exit("The service ended before it was ready.")
        time.sleep(0.2)
    sys.exit("The service was not ready within two minutes.")


def _predicted(options: argparse.Namespace, files: Sequence[Path]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.service", "--predict", "--detector", options.detector,
               "--seconds", str(options.seconds), *map(str, files)]  # fmt: skip
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def measure(options: argparse.Namespace, files: Sequence[Path]) -> tuple[str, bool]:
    """The report, and whether all is well."""
    _tell(f"dfcore predict on {len(files)} files")
    runs = [_predicted(options, files)]
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "dfcore", "serve", "--port", str(port), "--detector", options.detector], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _tell("the service loads")
        _ready(port, process)
        _tell(f"{options.clients} clients for {options.minutes:g} minutes")
        server = psutil.Process(process.pid)
        used, own = _processor(server), psutil.Process().cpu_times().user
        record = asyncio.run(load(options, port, server, files))
        cpu, clients = _processor(server) - used, psutil.Process().cpu_times().user - own
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(120)
    _tell(f"{len(record.seconds)} verdicts; dfcore predict again")
    runs.append(_predicted(options, files))
    return _report(options, files, record, runs, cpu, clients, code)


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _report(
    options: argparse.Namespace, files: Sequence[Path], record: Record, runs: Sequence[dict[str, Any]], cpu: float,
    clients: float, code: int,
) -> tuple[str, bool]:  # fmt: skip
    speed = len(record.seconds) / (60 * options.minutes)
    before, after = (run["speed"] for run in runs)
    alone = (before + after) / 2
    pictures = record.warm + len(record.seconds)
    differing = sum(runs[0]["scores"].get(name) != score for name, score in record.scores.items())
    length = max(1, len(record.memory) // 5)
    fifths = [median(mb for _, mb in record.memory[n * length : (n + 1) * length] or record.memory) for n in range(5)]
    start, end = fifths[0], fifths[-1]
    flat = end - start <= max(GROWTH * start, NOISE_MB)
    p50, p95 = median(record.seconds), quantiles(record.seconds, n=20)[-1]
    share = speed / alone
    lines = [
        f"{options.clients} clients for {options.minutes:g} minutes, {len(files)} files, detector {options.detector}; "
        f"{os.cpu_count()} cores ({platform.machine()}), load at the end {os.getloadavg()[0]:.1f}",
        f"{'pictures a second, service':<44}{speed:>10.1f}",
        f"{'pictures a second, dfcore predict':<44}{alone:>10.1f}   ({before:.1f} before, {after:.1f} after)",
        f"{'share of dfcore predict':<44}{share:>10.2f}   wanted: {TARGET}: {'met' if share >= TARGET else 'NOT met'}",
        f"{'processor time a picture, service':<44}{1000 * cpu / pictures:>7.1f} ms",
        f"{'processor time a picture, clients':<44}{1000 * clients / pictures:>7.1f} ms",
        f"{'processor time a picture, dfcore predict':<44}{1000 * runs[0]['cpu']:>7.1f} ms",
        f"{'seconds to the answer, median':<44}{p50:>10.2f}",
        f"{'seconds to the answer, 95th percentile':<44}{p95:>10.2f}",
        f"{'answers by status':<44}{', '.join(f'{k}: {v:,}' for k, v in sorted(record.statuses.items())):>10}",
        f"{'scores that differ from dfcore predict':<44}{differing:>10} of {len(record.scores)} files",
        f"{'memory in MB, by fifths of the run':<44}{', '.join(f'{mb:.0f}' for mb in fifths):>10}: "
        f"{'flat' if flat else 'GREW'}",
        f"{'errors':<44}{len(record.errors):>10}",
        f"{'exit code after SIGTERM':<44}{code:>10}",
        *(f"  {text}: {number}" for text, number in Counter(record.errors).most_common(10)),
    ]
    return "\n".join(lines) + "\n", not (record.errors or differing or code) and flat


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, help="files and folders of pictures")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=120, help="seconds before figures are taken")
    parser.add_argument("--seconds", type=float, default=60, help="seconds of dfcore predict, before and after")
    parser.add_argument("--most", type=int, default=200, help="files at most")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--predict", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.predict:
        print(json.dumps(predict(options.detector, options.paths, options.seconds)))
        return 0
    from dfcore.datasets.listing import list_images

    files = [path.resolve() for path in list_images(options.paths)]
    random.Random(0).shuffle(files)
    text, well = measure(options, files[: options.most])
    print(text, end="")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
