"""Judges a film made for it, real pictures with a stretch of generated ones: time, memory, what the timeline shows.

Run from the project's root: `python -m benchmarks.films --real ../shared/data/photos --fake
../shared/data/generators/fake`, with `--seconds` and `--every` for another length and sampling. The bound is the
processor time of all that works, divided by the number of cores; on a machine that does something else as well, only
processor time and memory tell something.
"""

import argparse
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
from PIL import Image, ImageOps

from dfcore.films import Sampling, open_film
from dfcore.films.conduct import ready_judges
from dfcore.films.judging import Judging
from dfcore.films.rows import all_rows
from dfcore.films.timeline import stretches
from dfcore.films.verdict import film_verdict, rates_of
from dfcore.utils.processes import cores

RATE, SIZE = 30, (1920, 1080)
# Each picture is shown so long, while a window moves over it.
SHOT_SECONDS = 3.0


def pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    return [found[n] for n in np.random.default_rng(0).permutation(len(found))]


def shots(paths: list[Path]) -> Iterator[np.ndarray]:
    """Frames without end: a window that moves over one picture after the other."""
    for path in itertools.cycle(paths):
        large = ImageOps.fit(Image.open(path).convert("RGB"), (SIZE[0] + 96, SIZE[1] + 54))
        for n in range(int(SHOT_SECONDS * RATE)):
            yield np.asarray(large.crop((n, n // 2, n + SIZE[0], n // 2 + SIZE[1])))


def make(path: Path, real: Path, fake: Path, seconds: float) -> tuple[float, float]:
    """Writes the film; returns where the generated stretch begins and ends, in seconds."""
    begin, end = seconds / 2, seconds / 2 + seconds / 6
    a, b = shots(pictures(real)), shots(pictures(fake))
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "20"}
        for n in range(int(seconds * RATE)):
            rgb = next(b if begin <= n / RATE < end else a)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb))))
        file.mux(stream.encode())
    return begin, end


class Watch:
    """Peaks of memory of this process and of that which reads, and the latter's processor time."""

    def __init__(self) -> None:
        self.own = self.reader = self.reader_seconds = 0.0
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def end(self) -> None:
        self._over.set()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.1):
            self.own = max(self.own, me.memory_info().rss / 2**20)
            for child in me.children():
                try:
                    if "dfcore.films.child" in child.cmdline():
                        self.reader = max(self.reader, child.memory_info().rss / 2**20)
                        used = child.cpu_times()
                        self.reader_seconds = used.user + used.system
                except psutil.Error:
                    pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--fake", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--every", default="0.5s")
    parser.add_argument("--film", type=Path, help="keep the film here, and take it from here the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = options.film or Path(temporary) / "film.mp4"
        if path.exists():
            begin, end = options.seconds / 2, options.seconds / 2 + options.seconds / 6
        else:
            begin, end = make(path, options.real, options.fake, options.seconds)
        measure(path, Sampling.parse(options.every), begin, end)


def measure(path: Path, sampling: Sampling, begin: float, end: float) -> None:
    judges = ready_judges(("auto",), lambda _: None)
    watch = Watch()
    wall, cpu = time.monotonic(), time.process_time()
    with open_film(path) as film:
        facts = film.facts
        print(
            f"{facts.width} x {facts.height}, {facts.seconds:.0f} s, {facts.frames} frames, {facts.bytes / 1e6:.0f} MB"
        )
        judging = Judging(film, sampling, judges=judges)
        samples = [sample for sample, _ in judging]
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        time.sleep(0.3)
        watch.end()
    bound = (cpu + watch.reader_seconds) / cores()
    print(f"{len(samples)} samples, {sampling.in_words()}, on {cores()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"processor time: reading {watch.reader_seconds:.1f} s, finding faces and judging {cpu:.1f} s")
    print(f"time {wall:.1f} s; bound {bound:.1f} s, of which {bound / wall:.0%} are reached")
    print(f"peak memory: {watch.own:.0f} MB here with detectors, {watch.reader:.0f} MB reading")
    rows = list(all_rows(samples))
    frames = [row for row in rows if row.track is None and row.score is not None]
    inside = [row for row in frames if begin <= row.seconds < end]
    outside = [row for row in frames if not begin <= row.seconds < end]
    print(f"generated from {begin:.1f} to {end:.1f} s; whole frames by {judging.chosen and judging.chosen.name}:")
    for name, some in (("within", inside), ("without", outside)):
        used = [row.score for row in some if row.is_used]
        called = sum(row.finding == "fake" for row in some if row.is_used)
        mean = f"{np.mean(used):.2f}" if used else "-"
        print(f"  {name}: {len(some)} samples, {len(used)} used, mean score {mean}, {called} called likely fake")
    if len(frames) > 2:
        print(f"  the largest step up of the mean is at {_step(frames):.1f} s")
    for one in stretches(rows)[:10]:
        print(f"  stretch of {one.samples} from {one.start:.1f} to {one.end:.1f} s, track {one.track}")
    print("\n".join(film_verdict(rows, rates_of(judges)).sentences()))


def _step(frames: list) -> float:
    """Time from which scores are higher than before by the largest difference of means, within five seconds each."""
    best, where = -1.0, 0.0
    for place in range(1, len(frames)):
        now = frames[place].seconds
        before = [row.score for row in frames[:place] if now - row.seconds <= 5]
        after = [row.score for row in frames[place:] if row.seconds - now < 5]
        if before and after and (step := float(np.mean(after) - np.mean(before))) > best:
            best, where = step, now
    return where


if __name__ == "__main__":
    main()
