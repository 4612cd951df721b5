"""Whether scores of crops, or a heat-map, tell where a picture was generated.

Run from the project's root: `python -m benchmarks.partly_where > benchmarks/results/partly_where.txt`. Partly generated
pictures as in `benchmarks.partly` are scored in crops at native pixels on a grid, each by the detector as a picture of
its own; a pixel gets the mean logit of the crops that hold it. Printed is, as a mean over pictures with a 95% bootstrap
interval, the ROC AUC of pixels inside against outside the generated region: of that map, of Grad-CAM of the whole
picture (where its first view sees), of both on the untouched picture with the same region (chance, as the places of
regions and subjects make it), and of a map that knows the share of each crop that is generated: the best that so coarse
a grid could do.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.partly import CASES, coded, pasted
from dfcore.detectors.detector import Detector
from dfcore.imaging import decoder

SHARES = (0.25, 0.1)
STEP = 0.5  # Of a crop's side, at most, from one crop to the next.


def windows(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Squares that cover a picture, evenly spread."""
    rows, columns = (
        np.linspace(0, length - side, 1 + int(np.ceil((length - side) / (STEP * side)))).round().astype(int)
        for length in (height, width)
    )
    return ((slice(top, top + side), slice(left, left + side)) for top in rows for left in columns)


def spread(values: np.ndarray, height: int, width: int, side: int) -> np.ndarray:
    """A map of the picture from a value for each window: the mean of those that hold a pixel."""
    total, count = np.zeros((2, height, width))
    for value, window in zip(values, windows(height, width, side), strict=True):
        total[window] += value
        count[window] += 1
    return total / count


def crops(detector: Detector, rgb: np.ndarray) -> np.ndarray:
    side = detector.spec.size
    verdicts = detector.predict([np.ascontiguousarray(rgb[window]) for window in windows(*rgb.shape[:2], side)])
    return spread(np.array([verdict.logit for verdict in verdicts]), *rgb.shape[:2], side)


def inside_outside(values: np.ndarray, region: np.ndarray) -> float:
    """ROC AUC of pixels; NaN where the region, or the rest, lies outside the map."""
    known = np.isfinite(values)
    y = region[known]
    return float(roc_auc_score(y, values[known])) if y.any() and not y.all() else np.nan


def aucs(detector: Detector, made: bytes, control: dict[str, np.ndarray], inside: np.ndarray) -> dict[str, float]:
    """Each map's AUC for one picture."""
    rgb, region, side = decoder.decode(made), inside > 0.5, detector.spec.size
    known = np.array([inside[window].mean() for window in windows(*inside.shape, side)])
    maps = {
        "crops": crops(detector, rgb),
        "crops, untouched picture": control["crops"],
        "Grad-CAM": detector.explain(made).values,
        "Grad-CAM, untouched picture": control["cam"],
        "crops that know their share": spread(known, *inside.shape, side),
    }
    return {name: inside_outside(values, region) for name, values in maps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=12, help="pictures of each case")
    parser.add_argument("--cases", type=int, nargs="+", default=[0, 1], help="numbers of cases of benchmarks.partly")
    parser.add_argument("--detector", default="photographs")
    parser.add_argument("--engine", default="auto", help="openvino-int8 takes half the time")
    options = parser.parse_args()
    detector = Detector.load(options.detector, options.engine)
    for title, (make, form) in [list(CASES.items())[number] for number in options.cases]:
        rows: dict[float, list[dict[str, float]]] = {share: [] for share in SHARES}
        for seed, pair in enumerate(make(options.data, options.most)):
            data = coded(pair[0], form)
            control = {"crops": crops(detector, decoder.decode(data)), "cam": detector.explain(data).values}
            for share in SHARES:
                rgb, inside = pasted(pair, share, seed)
                rows[share].append(aucs(detector, coded(rgb, form), control, inside))
        print(f"\n{title}, {options.detector} by engine {options.engine}: ROC AUC of pixels, mean of pictures")
        for share, found in rows.items():
            for name in found[0]:
                values = np.array([row[name] for row in found])
                values = values[np.isfinite(values)]
                random = np.random.default_rng(0)
                means = [random.choice(values, len(values)).mean() for _ in range(1000)]
                low, high = np.quantile(means, (0.025, 0.975))
                print(f"{share:>4.0%} of area  {name:<28}{values.mean():.2f} ({low:.2f} to {high:.2f}), {len(values)}")
            print(end="", flush=True)


if __name__ == "__main__":
    main()
