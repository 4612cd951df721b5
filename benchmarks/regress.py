"""Whether anything has become slower, by ratios to what plain Keras does in the same minutes, not by times.

Run from the project's root: `make regress`, or `python -m benchmarks.regress --write` to keep the ratios of now, in
`ratios.json`. A shortened `benchmarks.speed`; what falls below 0.6 of the kept ratio is measured
once more, since a busy machine hits one side sometimes, and ends this with 1 when it stays there.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import speed
from dfcore.utils.files import read_json, write_json

KEPT = Path(__file__).with_name("ratios.json")
LEAST = 0.6
ARCH, IMAGES = "mobilenetv2", 300


def measure() -> dict[str, float]:
    """How many times faster than plain Keras each thing is."""
    report = speed.Report()
    with tempfile.TemporaryDirectory(prefix="regress-") as name:
        os.environ["DFCORE_MODELS"] = name
        bundles = {ARCH: speed.make_bundle(ARCH, Path(name) / ARCH)}
        speed.single(bundles, report)
        speed.cold(bundles, report)
        speed.folder(bundles, report, IMAGES)
        speed.heatmap(bundles, report)
    return report.ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the ratios of now")
    options = parser.parse_args()
    result = measure()
    if options.write:
        write_json(KEPT, {name: round(ratio, 2) for name, ratio in result.items()})
        return 0
    saved = read_json(KEPT)
    if any(result[name] < LEAST * ratio for name, ratio in saved.items()):
        again = measure()
        result = {name: max(ratio, again[name]) for name, ratio in result.items()}
    slower = [name for name, ratio in saved.items() if result[name] < LEAST * ratio]
    for name, ratio in saved.items():
        print(f"{name}: {result[name]:.1f} times, kept {ratio:.1f}{'  SLOWER' if name in slower else ''}")
    return bool(slower)


if __name__ == "__main__":
    sys.exit(main())
