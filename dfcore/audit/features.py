"""Features of images from the networks of the shipped detectors, for the check of labels."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
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
from dfcore.utils.files import sha256_bytes
from dfcore.utils.work import Work

NETWORKS = ("photographs", "faces", "small")
# Images on which the network is chosen that tells this data set's classes best.
_TRIED = 400
_BATCH = 32
# Images whose features are written together.
_KEPT_AT_ONCE = 256
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
    folder: Path, rows: pd.DataFrame, groups: np.ndarray, seed: int, cache: Path, progress: Callable[[int], None]
) -> Features | None:
    """Features from the network that tells the classes best in a trial; None without a network that runs here.

    Args:
        folder: Folder of the data set.
        rows: Columns path, sha256 and label, N rows.
        groups: Numbers of groups of images that belong together, (N,).
        seed: Seed of the trial's images and folds.
        cache: Folder in which features are kept as they are computed.
        progress: Called with the number of images done.
    """
    detectors = _detectors()
    if not detectors:
        return None
    labels = rows.label.to_numpy(int)
    tried = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_TRIED])

    def run(name: str, rows: pd.DataFrame, progress: Callable[[int], None]) -> tuple[np.ndarray, np.ndarray]:
        return _run(detectors[name], folder, rows, cache, progress)

    trials = {name: run(name, rows.iloc[tried], lambda _: None) for name in detectors}

    def worth(name: str) -> float:
        kept, values = trials[name]
        part = tried[kept]
        return cross_validate(values, labels[part], groups[part], classifier(seed), seed=seed, repeats=1).value

    best = max(trials, key=worth) if len(trials) > 1 else next(iter(trials))
    kept, values = run(best, rows, progress) if len(tried) < len(rows) else trials[best]
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
    detector: Detector, folder: Path, rows: pd.DataFrame, cache: Path, progress: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that could be read and have not changed, and their features."""
    network = f"{detector.card.model_sha256} {detector.engine.name} {detector.spec} {decoder.VERSION}"
    work = Work(cache / "features" / sha256_bytes(str(folder).encode())[:24], [network, *rows.sha256])
    kept: list[np.ndarray] = [np.zeros(0, int)]
    parts: list[np.ndarray] = [np.zeros((0, detector.engine.width), np.float32)]
    with ThreadPoolExecutor(sandbox.processes()) as pool:
        for start in range(0, len(rows), _KEPT_AT_ONCE):
            part = rows.iloc[start : start + _KEPT_AT_ONCE]
            known = work.recall(f"from {start}")
            if known is None or known.keys() != {"kept", "values"}:
                known = _computed(detector, pool.map(partial(_pixels, detector, folder), part.path, part.sha256))
                # An image that could be read while scanning is missing by accident: the next audit tries again.
                if len(known["kept"]) == len(part):
                    work.keep(f"from {start}", **known)
            kept.append(start + known["kept"])
            parts.append(known["values"])
            progress(start + len(part))
    return np.concatenate(kept), np.concatenate(parts)


def _computed(detector: Detector, images: Iterator[np.ndarray | None]) -> dict[str, np.ndarray]:
    kept: list[int] = []
    parts: list[np.ndarray] = [np.zeros((0, detector.engine.width), np.float32)]
    numbered = enumerate(images)
    while batch := list(islice(numbered, _BATCH)):
        good = [(number, pixels) for number, pixels in batch if pixels is not None]
        if good:
            kept += [number for number, _ in good]
            pixels = np.stack([pixels for _, pixels in good])
            parts.append(detector.engine.outputs(pixels).features.astype(np.float32))
    return {"kept": np.array(kept, int), "values": np.concatenate(parts)}


def _pixels(detector: Detector, folder: Path, path: str, expected: str) -> np.ndarray | None:
    try:
        data = decoder.read_bytes(folder / path)
        if sha256_bytes(data) != expected:
            return None
        return sandbox.prepare(data, [detector.spec]).inputs[detector.spec]
    except ImageError:
        return None
