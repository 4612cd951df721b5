"""What a verdict and a heat-map on the tower cost with all its blocks, and with those that a head looks at.

Run from the project's root: `python -m benchmarks.tower_blocks`. Processor time, which other work on the machine hardly
changes: medians of so many runs, the two kinds in turn, of one picture with two views.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from dfcore.engines import TowerEngine
from dfcore.towers import clip
from dfcore.training.checks import LAST_BLOCK


def spent(work: Callable[[], object]) -> float:
    """Processor time of this process and all its threads, in seconds."""
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    kernel = random.normal(size=(clip.BLOCKS * clip.WIDTH, 2)).astype(np.float32)
    engines = {
        blocks: TowerEngine(kernel[: blocks * clip.WIDTH], np.zeros(2, np.float32), views=2)
        for blocks in (clip.BLOCKS, LAST_BLOCK)
    }
    verdicts: dict[int, list[float]] = {blocks: [] for blocks in engines}
    maps: dict[int, list[float]] = {blocks: [] for blocks in engines}
    for number in range(options.runs + 1):  # The first run sets up buffers.
        image = random.integers(0, 256, (1, 2, clip.SIDE, clip.SIDE, 3), dtype=np.uint8)
        for blocks, engine in engines.items():
            verdict = spent(partial(engine.outputs, image))
            heatmap = spent(partial(engine.gradcam, image[0, 0], 0))
            if number:
                verdicts[blocks].append(verdict)
                maps[blocks].append(heatmap)
    for blocks in engines:
        print(
            f"{blocks:2} blocks: verdict {statistics.median(verdicts[blocks]):.2f} s of processor time, its map "
            f"{statistics.median(maps[blocks]):.2f} s (tokens known)"
        )
    first, last = (statistics.median(map(sum, zip(verdicts[blocks], maps[blocks], strict=True))) for blocks in engines)
    print(f"both together: {first:.2f} s, then {last:.2f} s")


if __name__ == "__main__":
    main()
