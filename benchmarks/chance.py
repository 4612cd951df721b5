"""How large a calibration error chance alone gives: `python -m benchmarks.chance PREDICTIONS.parquet …`.

Few images give an ECE above 0 even to a detector whose score is exactly the chance of a fake. For stored predictions
this draws labels by the scores, many times, and prints the ECE that such a perfect detector would show beside its own.
"""

import argparse
from pathlib import Path

import numpy as np

from dfcore.evaluation import calibration_error, read_predictions

DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", nargs="+", type=Path)
    for path in parser.parse_args().predictions:
        table, random = read_predictions(path), np.random.default_rng(0)
        scores = table.score.to_numpy(float)
        drawn = [calibration_error((random.random(len(scores)) < scores).astype(int), scores) for _ in range(DRAWS)]
        own = calibration_error(table.label.to_numpy(int), scores)
        print(f"{path}: {len(table)} images, ECE {own:.3f}; a perfectly calibrated detector with these scores: "
              f"{np.mean(drawn):.3f} on average, at most {np.quantile(drawn, 0.95):.3f} in 95 of 100")  # fmt: skip


if __name__ == "__main__":
    main()
