"""Robustness: how common image edits change a detector's scores.

Each change is applied to the decoded image before the detector's own preprocessing, to simulate platforms that
recompress or resize images, and screenshots.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from dfcore.confidence import decide, find
from dfcore.datasets.cache import Progress
from dfcore.datasets.dataset import Dataset
from dfcore.detectors.detector import Detector
from dfcore.errors import DatasetError, ImageError
from dfcore.evaluation.metrics import evaluate_scores
from dfcore.evaluation.three_way import three_way
from dfcore.imaging import decoder, handling, sandbox

_BATCH = 16
ORIGINAL = "original"


# Those that a table shows, in its order.
CHANGES = tuple(
    handling.get(name)
    for name in (
        *("jpeg_90", "jpeg_70", "jpeg_50", "jpeg_30", "resize_half", "half", "enlarged_1024", "blur", "noise"),
        *("darker", "brighter", "crop", "screenshot", "phone"),
    )
)


def robustness(
    detector: Detector,
    dataset: Dataset,
    split: str | None = None,
    *,
    max_images: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Evaluates a detector on unchanged images and after each of `CHANGES`.

    Args:
        detector: The detector, used with its threshold and calibration.
        dataset: A scanned data set.
        split: Split to use; None for all usable images.
        max_images: Maximum number of images; if there are more, a seeded sample stratified by class is used.
        seed: Seed of the sample.
        progress: Called with (images done, total images).

    Returns:
        One row per change, the unchanged images first: change, title, images, every metric, and abstention_rate
        (without out-of-distribution detection).

    Raises:
        DatasetError: If there is no usable image.
    """
    rows = dataset.usable if split is None else dataset.usable[dataset.usable.split == split]
    if rows.empty:
        raise DatasetError(f"{dataset.name} has no usable image in the split {split or 'all'!r}.")
    rows = _sample(rows, max_images, seed)
    scored = []
    for done, part in _score_batches(detector, dataset, rows):
        scored.append(part)
        if progress:
            progress(done, len(rows))
    if not scored:
        raise DatasetError(f"None of the {len(rows)} images of {dataset.name} can be read any longer.")
    table = pd.concat(scored)
    titles = {ORIGINAL: "Unchanged"} | {change.name: change.title for change in CHANGES}
    return [_row(detector, name, title, table[["label", name]]) for name, title in titles.items()]


def stability(detector: Detector, source: decoder.Source) -> list[dict[str, Any]]:
    """Scores one image unchanged and after each of `CHANGES`: rows of change, title, score, decision, finding."""
    if isinstance(source, (np.ndarray, Image.Image)):
        rgb = decoder.decode(source)
    else:
        rgb = sandbox.decode(decoder.read_bytes(source))
    titles = [(ORIGINAL, "Unchanged"), *((change.name, change.title) for change in CHANGES)]
    scores = _scores(detector, [_variants(detector, rgb)])[0]
    decisions, findings = (way(scores, detector.card.thresholds).tolist() for way in (decide, find))
    return [
        {"change": name, "title": title, "score": score, "decision": decision, "finding": finding}
        for (name, title), score, decision, finding in zip(titles, scores.tolist(), decisions, findings, strict=True)
    ]


def _variants(detector: Detector, rgb: np.ndarray) -> np.ndarray:
    """The preprocessed image and its changes, uint8 (1 + changes, size, size, 3)."""
    return np.stack([detector.spec.apply(variant) for variant in (rgb, *(change.apply(rgb) for change in CHANGES))])


def _scores(detector: Detector, variants: list[np.ndarray]) -> np.ndarray:
    """Scores, float64 (images, 1 + changes)."""
    return detector.score(np.concatenate(variants)).scores.reshape(len(variants), -1)


def _score_batches(detector: Detector, dataset: Dataset, rows: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    def read(path: str) -> np.ndarray | None:
        try:
            return _variants(detector, sandbox.decode(decoder.read_bytes(dataset.root / path)))
        except ImageError:
            return None  # It was readable when scanned and has been damaged or removed since.

    names = [ORIGINAL, *(change.name for change in CHANGES)]
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(rows), _BATCH):
            batch = rows.iloc[start : start + _BATCH]
            result = list(pool.map(read, batch.path))
            good = [variants for variants in result if variants is not None]
            if good:
                labels = batch.label[[variants is not None for variants in result]].to_numpy(int)
                yield start + len(batch), pd.DataFrame(_scores(detector, good), columns=names).assign(label=labels)


def _sample(rows: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    if len(rows) <= most:
        return rows
    parts = [of_class for _, of_class in rows.groupby("label")]
    counts = [max(1, most * len(part) // len(rows)) for part in parts]
    drawn = [part.sample(count, random_state=seed) for part, count in zip(parts, counts, strict=True)]
    return pd.concat(drawn).sort_index()


def _row(detector: Detector, name: str, title: str, table: pd.DataFrame) -> dict[str, Any]:
    labels, scores = table.label.to_numpy(int), table[name].to_numpy(float)
    result = evaluate_scores(labels, scores, detector.threshold)
    abstention_rate = three_way(labels, scores, detector.card.thresholds)["abstention_rate"]
    return {
        "change": name,
        "title": title,
        "images": result.images,
        **result.values,
        "abstention_rate": abstention_rate,
    }
