"""Whether heat-maps point at what a detector's score rests on: deletion and insertion, beside random order.

Run from the project's root: `python -m benchmarks.maps DETECTOR… --data FOLDER`. Squares of the first view are replaced
by their blurred selves in the order of the map, strongest first, and the logit is followed (deletion); or the other way
round, from the blurred image (insertion). Printed is the mean distance of the curve from that of random order, as a
share of the distance between the image and its blurred self: above 0 the map is better than chance (Petsiuk et al.,
2018).
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from dfcore.datasets.listing import list_images
from dfcore.detectors.detector import Detector
from dfcore.imaging import decoder

GRID, STEPS, BLUR = 14, 8, 12


def curve(detector: Detector, pixels: np.ndarray, blurred: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Logits as more and more cells of the first view are blurred, in this order: (STEPS + 1,)."""
    square = pixels[0] if pixels.ndim == 4 else pixels
    side = square.shape[0] // GRID
    images = []
    for step in range(STEPS + 1):
        mask = np.zeros(GRID * GRID, bool)
        mask[order[: round(step * len(order) / STEPS)]] = True
        cells = mask.reshape(GRID, GRID).repeat(side, 0).repeat(side, 1)[..., None]
        images.append(np.where(cells, blurred, square))
    if pixels.ndim == 4:
        images = [np.concatenate([image[None], pixels[1:]]) for image in images]
    return detector.engine.logits(np.stack(images))


def faithfulness(detector: Detector, path: Path, random: np.random.Generator) -> tuple[float, float] | None:
    """Gain of the map over random order in deletion and insertion; None if blurring changes nothing."""
    side = GRID * max(1, detector.spec.size // GRID)
    rgb = decoder.decode(path)
    pixels = detector.spec.apply(rgb)
    square = pixels[0] if pixels.ndim == 4 else pixels
    if square.shape[0] != side:
        raise SystemExit(f"{detector.spec.size} pixels cannot be cut into {GRID} cells a side.")
    blurred = np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(BLUR)))
    logit = float(detector.engine.logits(pixels[None])[0])
    target = "fake" if logit > 0 else "real"
    values = detector.explainer().raw(square, "gradcam", target, detector.card.cam_layer)
    values = np.asarray(Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))
    cells = values.reshape(GRID, side // GRID, GRID, side // GRID).mean((1, 3)).ravel()
    order, chance = np.argsort(-cells, kind="stable"), random.permutation(GRID * GRID)
    by_map, by_chance, backwards = (curve(detector, pixels, blurred, some) for some in (order, chance, order[::-1]))
    span = by_map[0] - by_map[-1]
    if abs(span) < 0.2:
        return None
    # Inserting the strongest first is deleting the weakest first, read from its end.
    return float((by_chance - by_map).mean() / span), float((backwards - by_chance).mean() / span)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detectors", nargs="+")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--images", type=int, default=24)
    options = parser.parse_args()
    paths = list_images(options.data)
    paths = [Path(path) for path in paths[:: max(1, len(paths) // options.images)]][: options.images]
    for name in options.detectors:
        detector, random = Detector.load(name), np.random.default_rng(0)
        rows = [row for path in paths if (row := faithfulness(detector, path, random))]
        gains = np.array(rows)
        again = [gains[random.integers(0, len(gains), len(gains))].mean(0) for _ in range(1000)]
        low, mean, high = np.quantile(again, (0.025, 0.5, 0.975), axis=0)
        print(f"{Path(name).name}, {detector.card.arch}: {len(rows)} of {len(paths)} images that blurring changes")
        for kind, number in (("deletion", 0), ("insertion", 1)):
            print(f"  {kind:10} {mean[number]:+.3f} ({low[number]:+.3f} to {high[number]:+.3f}) over random order")


if __name__ == "__main__":
    main()
