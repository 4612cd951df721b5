"""First and further verdicts of a fresh process, and the memory that it takes.

Run from the project's root: `python -m benchmarks.first_verdict`.

Each detector is loaded in a process of its own, which judges one image five times and explains it twice. Bulk scoring
is measured on squares that are decoded already, in every precision that the card knows.
"""

import argparse
import json
import subprocess
import sys

from dfcore.detectors.bundle import read_card
from dfcore.detectors.library import find_bundle

CODE = """
import json, sys, time
began = time.perf_counter()
import numpy as np, psutil
from dfcore.detectors.detector import Detector
me = psutil.Process()
name, engine = sys.argv[1:3]
picture = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
before = me.memory_info().rss
detector = Detector.load(name, engine)
detector.predict([picture])
first = time.perf_counter() - began
def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
warm = sorted(timed(lambda: detector.predict([picture])) for _ in range(5))[2]
judged = me.memory_info().rss - before
first_map = timed(lambda: detector.explain(picture))
warm_map = timed(lambda: detector.explain(picture))
explained = me.memory_info().rss - before
batch = np.random.default_rng(0).integers(0, 256, (24, *detector.spec.input_shape), dtype=np.uint8)
rate = 24 / timed(lambda: detector.engine.logits(batch))
print(json.dumps([first, warm, first_map, warm_map, judged / 1e6, explained / 1e6, rate]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detectors", nargs="*", default=["small", "faces", "photographs"])
    parser.add_argument("--engines", nargs="+", default=["openvino", "openvino-bf16", "openvino-int8"])
    options = parser.parse_args()
    print(
        "detector, engine: first verdict of a process, warm; first heat-map, warm (s); memory (MB), with maps; images/s"
    )
    for name in options.detectors:
        for engine in options.engines:
            if engine == "openvino-int8" and read_card(find_bundle(name)).tower is None:
                continue  # Only detectors on a tower compute in 8 bits.
            command = [sys.executable, "-c", CODE, name, engine]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            first, warm, first_map, warm_map, judged, explained, rate = json.loads(done.stdout)
            print(
                f"{name}, {engine}: {first:.2f}, {warm:.3f}; {first_map:.2f}, {warm_map:.2f}; {judged:.0f}, "
                f"{explained:.0f}; {rate:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
