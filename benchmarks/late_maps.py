"""Whether heat-maps lose anything by stopping at the blocks that all views look at.

Run from the project's root: `python -m benchmarks.late_maps ROOT`, with the data set that `benchmarks.sources` makes.
On as many images of each source and class, Grad-CAM of the first view of a detector with late blocks is computed
through all blocks and, as it ships, through those that all views look at. Both are tested by deletion and insertion of
the whole score, against the same random orders.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dfcore.datasets import scan
from dfcore.detectors.detector import Detector
from dfcore.engines import TowerEngine, tower_engine
from dfcore.evaluation.maps import faithfulness_of
from dfcore.explanation import Explainer
from dfcore.explanation.explainer import Evidence, Shortcut
from dfcore.imaging import sandbox
from dfcore.towers import clip


def explainer(detector: Detector, blocks: int, seconds: list[float]) -> Explainer:
    """Explains by Grad-CAM through so many blocks; how long each map took is added to `seconds`."""
    engine, record = detector.engine, detector.card.openvino
    assert isinstance(engine, TowerEngine) and record is not None
    maps = tower_engine._shared_maps(blocks)

    def gradcam(square: np.ndarray, view: int) -> np.ndarray:
        tokens = engine._tower.tokens(square)
        began = time.perf_counter()
        evidence = maps.evidence(tokens, engine._kernel[: blocks * clip.WIDTH, view])
        seconds.append(time.perf_counter() - began)
        return evidence

    shortcut = Shortcut(gradcam, record.layers)
    return Explainer(lambda: detector.model, detector.spec, detector.card.cam_layer, shortcut, engine.heads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--detector", default="photographs")
    parser.add_argument("--each", type=int, default=3, help="images of each source and class")
    options = parser.parse_args()
    detector, dataset = Detector.load(options.detector), scan(options.root)
    engine, rows = detector.engine, dataset.usable
    assert isinstance(engine, TowerEngine)
    both = rows.group.isin([name for name, labels in rows.groupby("group").label if labels.nunique() == 2])
    chosen = rows[both].groupby(["group", "label"]).sample(options.each, random_state=0)
    seconds: dict[int, list[float]] = {engine._blocks: [], engine._least: []}
    explainers: dict[int, Callable[..., Evidence]] = {}
    for blocks, taken in seconds.items():
        explainers[blocks] = explainer(detector, blocks, taken).evidence
    won: dict[int, list[float]] = {blocks: [] for blocks in seconds}
    for path in chosen.path:
        image = sandbox.prepare((dataset.root / path).read_bytes(), [detector.spec])
        target = "fake" if (detector.judge([image])[0].score or 0.0) >= detector.threshold else "real"
        for blocks, evidence in explainers.items():
            found = evidence(image.inputs[detector.spec], target=target)
            if found.peak > 0:
                heatmap = found.over(detector.spec, (image.height, image.width))
                won[blocks].append(faithfulness_of(detector, image, heatmap, orders=10, seed=0).beats_random)
            else:
                won[blocks].append(0.5)
    print(f"{options.detector}: first view of {len(chosen)} images; comparisons with random orders that its map wins")
    for blocks, shares in won.items():
        took = statistics.median(seconds[blocks])
        print(f"through {blocks} blocks: {statistics.mean(shares):.3f}, {took:.3f} s a map", flush=True)


if __name__ == "__main__":
    main()
