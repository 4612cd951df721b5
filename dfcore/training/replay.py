"""Features of what a detector learns from, for its bundle, and of new pictures that it is to learn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.datasets import TRAIN, VALIDATION, Dataset
from dfcore.datasets.cache import Progress
from dfcore.detectors.detector import Detector
from dfcore.detectors.replay import MOST_IMAGES, Replay
from dfcore.detectors.trained_on import Seen
from dfcore.errors import DatasetError, ImageError, InputError
from dfcore.imaging import decoder, sandbox
from dfcore.towers.graph import blocks_of
from dfcore.training.data import TrainingData
from dfcore.training.frozen import AS_IT_IS, Variant, forms, load_features
from dfcore.training.last_layer import LastLayer

_BATCH = 32


def of_run(detector: Detector, data: TrainingData) -> Replay:
    """What a run's detector learned from, and its validation split: at most `MOST_IMAGES` of them, drawn at random."""
    positions = np.concatenate([data.positions(split) for split in (TRAIN, VALIDATION)])
    chosen = np.sort(np.random.default_rng(0).permutation(positions)[:MOST_IMAGES])
    layer = LastLayer.of(detector)

    def features(some: np.ndarray) -> np.ndarray:
        if data.features is not None and not detector.card.tta_flip:
            return layer.taken(data.features.gather(AS_IT_IS, some))
        return layer.taken(by_view(detector, data.pixels.gather(some)))

    parts = [features(chosen[at : at + _BATCH]) for at in range(0, len(chosen), _BATCH)]
    rows = data.rows.iloc[chosen]
    return _taken(rows, (rows.split == VALIDATION).to_numpy(), np.concatenate(parts), layer)


def of_datasets(detector: Detector, datasets: Sequence[Dataset], progress: Progress | None = None) -> Replay:
    """The same for a bundle that keeps none, from the data sets that hold the images which it lists.

    Raises:
        InputError: If it lists none, or none of them is there.
    """
    title = detector.card.title
    if detector.trained_on is None:
        raise InputError(
            f"{title} has no list of its training images. Expected a detector that was trained by version 0.6 or later."
        )
    found = []
    for dataset in datasets:
        rows = dataset.usable
        seen = detector.trained_on.find(
            rows.pixels_sha256.tolist(), rows.sha256.tolist(), lambda rest: (None for _ in rest)
        )
        held = np.array([each is Seen.VALIDATION for each in seen], bool)
        rows = rows.assign(path=[dataset.root / path for path in rows.path], held=held)
        found.append(rows[held | np.array([each is Seen.TRAIN for each in seen], bool)])
    rows = pd.concat(found, ignore_index=True).drop_duplicates("sha256")
    if rows.label.nunique() < 2:
        names = ", ".join(dataset.name for dataset in datasets)
        raise InputError(
            f"Expected the data sets that {title} was trained on. Received: {names}, with {len(rows)} of its images."
        )
    rows = rows.sample(min(len(rows), MOST_IMAGES), random_state=0).sort_index()
    layer = LastLayer.of(detector)
    features, readable = of_files(detector, rows, [AS_IT_IS], progress)
    rows = rows[readable]
    return _taken(rows, rows.held.to_numpy(bool), layer.taken(features[AS_IT_IS]), layer)


def of_files(
    detector: Detector, rows: pd.DataFrame, variants: Sequence[Variant], progress: Progress | None = None
) -> tuple[dict[Variant, np.ndarray], np.ndarray]:
    """Features of files in several forms; a tower's are kept, and read again the next time.

    Args:
        detector: The detector.
        rows: Columns path (of the file) and sha256, N rows.
        variants: The forms.
        progress: Called with (images done, total images).

    Returns:
        {form: float32 (n, V, all features)} of the n files that can be read, and which these are, bool (N,).

    Raises:
        DatasetError: If none can be read.
    """
    progress = progress or (lambda *_: None)
    paths, digests = [Path(path) for path in rows.path], rows.sha256.tolist()
    if detector.card.tower is not None and not detector.card.tta_flip and detector.engine.name in ("auto", "openvino"):
        wanted = {variant: np.ones(len(paths), bool) for variant in variants}
        kept, errors = load_features(
            paths, digests, detector.spec, wanted=wanted, folder=workspace.cache_dir(),
            blocks=blocks_of(detector.engine.width), progress=progress,
        )  # fmt: skip
        readable = np.array([number not in errors for number in range(len(paths))])
        _require(bool(readable.any()), paths)
        positions = np.flatnonzero(readable)
        return {each: kept.gather(each, positions).astype(np.float32) for each in variants}, readable
    found, readable = [], np.zeros(len(paths), bool)
    for number, (path, digest) in enumerate(zip(paths, digests, strict=True)):
        try:
            rgb = sandbox.decode(decoder.read_bytes(path))
            inputs = np.stack([detector.spec.apply(forms(rgb, digest, variant)[variant]) for variant in variants])
            found.append(by_view(detector, inputs))
            readable[number] = True
        except ImageError:
            pass
        progress(number + 1, len(paths))
    _require(bool(readable.any()), paths)
    values = np.stack(found, 1)
    return dict(zip(variants, values, strict=True)), readable


def by_view(detector: Detector, pixels: np.ndarray) -> np.ndarray:
    """Features of every view of preprocessed images, (N, *spec.input_shape): float32 (N, V, all features)."""
    return detector.engine.by_view(pixels).features.reshape(len(pixels), len(detector.spec.view_titles), -1)


def _taken(rows: pd.DataFrame, held: np.ndarray, features: np.ndarray, layer: LastLayer) -> Replay:
    groups = rows.group.fillna("").astype(str).tolist()
    labels = rows.label.astype(int).tolist()
    return Replay.of(rows.sha256.tolist(), labels, groups, held.tolist(), features, layer.columns)


def _require(readable: bool, paths: Sequence[Path]) -> None:
    if not readable:
        raise DatasetError(f"None of the {len(paths):,} images can be read any longer, e.g. {paths[0]}.")
