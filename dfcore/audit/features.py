"""Features of images from the networks of the shipped detectors, for the check of labels."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.audit.probe import Fit, cross_validate
from dfcore.detectors.detector import Detector
from dfcore.detectors.library import find_bundle
from dfcore.engines import installed
from dfcore.errors import DfcoreError, ImageError
from dfcore.imaging import decoder, sandbox

NETWORKS = ("photographs", "faces", "small")
# Images on which the network is chosen that tells this data set's classes best.
_TRIED = 400
_BATCH = 32
_COMPONENTS = 200


@dataclass(frozen=True)
class Features:
    """Features of images.

    Attributes:
        network: The detector that they come from.
        kept: Which rows could be read, numbers, (N,).
        values: float32 (N, D).
    """

    network: str
    kept: np.ndarray
    values: np.ndarray


def best_features(
    folder: Path, rows: pd.DataFrame, groups: np.ndarray, seed: int, progress: Callable[[int], None]
) -> Features | None:
    """Features from the network that tells the classes best in a trial; None without a network that runs here.

    Args:
        folder: Folder of the data set.
        rows: Columns path and label, N rows.
        groups: Numbers of groups of images that belong together, (N,).
        seed: Seed of the trial's images and folds.
        progress: Called with the number of images done.
    """
    detectors = _detectors()
    if not detectors:
        return None
    labels = rows.label.to_numpy(int)
    tried = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_TRIED])
    done = lambda _: None  # noqa: E731
    trials = {name: _run(detector, folder, rows.iloc[tried], done) for name, detector in detectors.items()}

    def worth(name: str) -> float:
        kept, values = trials[name]
        part = tried[kept]
        return cross_validate(values, labels[part], groups[part], classifier(seed), seed=seed, repeats=1).value

    best = max(trials, key=worth) if len(trials) > 1 else next(iter(trials))
    kept, values = _run(detectors[best], folder, rows, progress) if len(tried) < len(rows) else trials[best]
    progress(len(rows))
    return Features(best, kept, values)


def classifier(seed: int) -> Fit:
    """Logistic regression on principal components."""

    def fit(learned: np.ndarray, labels: np.ndarray, held: np.ndarray) -> np.ndarray:
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        count = min(_COMPONENTS, len(labels) // 3, learned.shape[1])
        model = make_pipeline(
            StandardScaler(),
            PCA(count, svd_solver="randomized", random_state=seed),
            LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced"),
        )
        return model.fit(learned, labels).decision_function(held)

    return fit


def _detectors() -> dict[str, Detector]:
    """The shipped detectors that run without TensorFlow."""
    result: dict[str, Detector] = {}
    for name in NETWORKS if installed() else ():
        try:
            result[name] = Detector.load(find_bundle(name), "openvino")
        except DfcoreError:  # Another installation may not ship it.
            continue
    return result


def _run(
    detector: Detector, folder: Path, rows: pd.DataFrame, progress: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that could be read, and their features."""

    def read(path: str) -> np.ndarray | None:
        try:
            return sandbox.prepare(decoder.read_bytes(folder / path), [detector.spec]).inputs[detector.spec]
        except ImageError:
            return None

    kept: list[int] = []
    parts: list[np.ndarray] = [np.zeros((0, detector.engine.width), np.float32)]
    with ThreadPoolExecutor(sandbox.processes()) as pool:
        for start, batch in _batches(pool.map(read, rows.path)):
            good = [number for number, pixels in enumerate(batch) if pixels is not None]
            if good:
                pixels = np.stack([item for item in batch if item is not None])
                parts.append(detector.engine.outputs(pixels).features.astype(np.float32))
                kept += [start + number for number in good]
            progress(start + len(batch))
    return np.array(kept, int), np.concatenate(parts)


def _batches(items: Iterator[np.ndarray | None]) -> Iterator[tuple[int, list[np.ndarray | None]]]:
    start = 0
    while batch := list(islice(items, _BATCH)):
        yield start, batch
        start += len(batch)
