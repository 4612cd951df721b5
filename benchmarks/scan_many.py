"""Scans many images made for it: images/s, peak memory, and what a scan that was killed still has to do.

    python -m benchmarks.scan_many --images 100000

Prints the rate of the first scan, of a scan that goes on after a kill, and of one in which nothing has changed. Memory
is the peak of the process that scans with its decoding processes, looked at every 0.2 s.
"""

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

_SCAN = """
import sys, time
from pathlib import Path
from dfcore.datasets import assign_splits, scan

begun = time.perf_counter()
def progress(done, total):
    if done % 5000 == 0:
        print(f"    {done} of {total}", flush=True)
data = scan(sys.argv[1], cache=Path(sys.argv[2]), progress=progress, workers=4)
seconds = time.perf_counter() - begun
drawn = assign_splits(data)
split = time.perf_counter() - begun - seconds
rate = len(data.table) / seconds
print(f"  {len(data.table)} images, {rate:.0f} images/s, splits in {split:.1f} s")
"""


def make(job: tuple[Path, int, int]) -> None:
    """Writes JPEGs of 64 px; every hundredth is a copy of the one before."""
    folder, first, count = job
    random = np.random.default_rng(first)
    folder.mkdir(parents=True, exist_ok=True)
    content = None
    for number in range(first, first + count):
        small = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
        if content is None or number % 100:
            small.resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number:06d}.jpg", quality=85)
            content = (folder / f"{number:06d}.jpg").read_bytes()
        else:
            (folder / f"{number:06d}.jpg").write_bytes(content)


def scanned(root: Path, cache: Path, kill_after: int | None = None) -> None:
    """Scans in a process of its own; with `kill_after` kills it once so many images were read."""
    command = [sys.executable, "-c", _SCAN, str(root), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        watched = Memory(process.pid)
        watched.start()
        for line in process.stdout:
            if not line.startswith("    "):
                print(line, end="", flush=True)
            elif kill_after and int(line.split()[0]) >= kill_after:
                process.kill()
                print(f"  killed after {line.split()[0]} images")
                break
        process.wait()
    watched.join()
    print(f"  peak {watched.peak / 2**20:.0f} MB")


class Memory(threading.Thread):
    """Peak of the resident memory of a process and those that it started."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._process, self.peak = psutil.Process(pid), 0

    def run(self) -> None:
        while psutil.pid_exists(self._process.pid):
            with suppress(psutil.Error):
                all_of_them = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(one.memory_info().rss for one in all_of_them))
            time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "set"
        step = max(count // 20, 1)
        jobs = [(root / ("real", "fake")[n % 2], n * step, step) for n in range(count // step)]
        begun = time.perf_counter()
        with multiprocessing.Pool() as pool:
            pool.map(make, jobs)
        print(f"{count} images made in {time.perf_counter() - begun:.0f} s")
        print("first scan, killed half way")
        scanned(root, Path(name) / "cache", kill_after=count // 2)
        print("the scan that goes on")
        scanned(root, Path(name) / "cache")
        print("nothing changed")
        scanned(root, Path(name) / "cache")
        print("a first scan without a kill")
        scanned(root, Path(name) / "other")


if __name__ == "__main__":
    main()
