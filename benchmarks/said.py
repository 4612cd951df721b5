"""What Inspect says under Automatic of every folder of the development data: shown, judged by, said.

Run from the project's root: `python -m benchmarks.said --data ../shared/data`. Nothing is fitted or chosen here. Of
some of these images the detectors have learned ("known"): on them they do better than on others.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from dfcore.batch.predict import predict_files
from dfcore.confidence import FINDINGS
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import answering, list_bundles
from dfcore.detectors.trained_on import Seen
from dfcore.imaging import SUFFIXES

_MOST = 60
_HEAD = f"{'shown':42} {'n':>4} {'known':>5}  {'judged by':44} {'fake':>5} {'undec.':>6} {'no sign':>7} {'real':>5}"


def folders(data: Path) -> dict[str, list[Path]]:
    """Pictures of each folder that holds some, a seeded choice of at most 60."""
    result: dict[str, list[Path]] = {}
    for path in sorted(data.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            result.setdefault(str(path.parent.relative_to(data)), []).append(path)
    random = np.random.default_rng(0)
    return {name: [paths[i] for i in sorted(random.permutation(len(paths))[:_MOST])] for name, paths in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    detectors = {path.name: Detector.load(path) for path in answering(list_bundles())}
    print(_HEAD)
    wrong = Counter()
    for name, paths in folders(options.data).items():
        rows = [row for batch in predict_files(paths, detectors) for row in batch]
        known = sum(Seen(row["trained_on"] or Seen.UNKNOWN).found for row in rows)
        by = Counter(row["detector"] if not row["ood_reasons"] else "none fits" for row in rows)
        said = Counter(row["finding"] for row in rows)
        judged = ", ".join(f"{who} {count}" for who, count in by.most_common())
        counts = [said[finding] for finding in ("fake", "inconclusive", "no_sign", "real")]
        print(
            f"{name:42} {len(rows):4} {known:5}  {judged:44} {counts[0]:5} {counts[1]:6} {counts[2]:7} {counts[3]:5}",
            flush=True,
        )
        wrong["called likely real"] += said["real"]
    print(f"\n{wrong['called likely real']} pictures were called {FINDINGS['real']}, of any folder.")


if __name__ == "__main__":
    main()
