"""What a detector makes of images after handling: logits, features and file properties of each, for the gate's fit."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dfcore.confidence import ORIGINAL, Handled, flatness, saturation
from dfcore.datasets.cache import Progress
from dfcore.detectors.detector import Detector
from dfcore.errors import ImageError
from dfcore.imaging import decoder, handling, sandbox
from dfcore.imaging.preprocess import first_view
from dfcore.labels import REAL

# Images are not enlarged further than this when handling is measured: nobody does, and it would take long.
_MOST_ENLARGED = 8.0
_BATCH_PIXELS = 16 * 2**20
_AHEAD = 4


# Training images after handling, as references of the gate's distance: so many images, so many handlings of each.
_LEARNED, _EACH = 150, 4


@dataclass(frozen=True)
class Bank:
    """What a detector made of images and of their handled selves, row by row.

    Attributes:
        table: Columns image (position among the images given), label, handling ("original" or a name of
            `dfcore.imaging.handling`), logit, side (shorter, in pixels), quality (of the JPEG; NaN if none), colour and
            flat (see `dfcore.confidence.ood`).
        features: float32 (rows, D).
    """

    table: pd.DataFrame
    features: np.ndarray

    @property
    def handled(self) -> Handled:
        """Logits and properties by handling."""
        return by_handling(self.table)


def by_handling(table: pd.DataFrame) -> Handled:
    """Regroups a table with columns image, label, handling, logit and, if known, side, quality, colour, flat."""
    images = np.sort(table.image.unique())
    known = [key for key in ("side", "quality", "colour", "flat") if key in table]
    parts = {str(name): part.set_index("image").reindex(images) for name, part in table.groupby("handling", sort=False)}
    return Handled(
        table.drop_duplicates("image").set_index("image").label.reindex(images).to_numpy(int),
        {name: part.logit.to_numpy(float) for name, part in parts.items()},
        {name: {key: part[key].to_numpy(float) for key in known} for name, part in parts.items()},
    )


def measure_handled(
    detector: Detector,
    paths: Sequence[Path],
    labels: Sequence[int],
    plans: Sequence[Sequence[str]],
    *,
    progress: Progress | None = None,
) -> Bank:
    """Scores images after handling.

    Args:
        detector: The detector; its calibration and domain are not used.
        paths: Files, N of them; one that cannot be read any longer is left out, as is what would enlarge it too far.
        labels: 0 real, 1 fake, N of them.
        plans: For each image the names of the handlings to apply, "original" for none.
        progress: Called with (images done, total images).
    """
    tables, features = [], []
    for done, prepared in enumerate(_prepared(detector, paths, plans), 1):
        if prepared is not None:
            facts, pixels = prepared
            size = max(1, _BATCH_PIXELS // pixels[0].size)
            parts = [detector.engine.outputs(pixels[at : at + size]) for at in range(0, len(pixels), size)]
            facts["image"], facts["label"] = done - 1, int(labels[done - 1])
            facts["logit"] = np.concatenate([part.logits for part in parts])
            facts["colour"], facts["flat"] = saturation(first_view(pixels)), flatness(first_view(pixels))
            tables.append(facts)
            features.append(np.concatenate([part.features for part in parts]).astype(np.float32))
        if progress:
            progress(done, len(paths))
    if not tables:
        raise ImageError(f"None of the {len(paths)} images can be read any longer.")
    return Bank(pd.concat(tables, ignore_index=True), np.concatenate(features))


def learned_features(
    detector: Detector, paths: Sequence[Path], sound: Sequence[str], *, progress: Progress | None = None
) -> np.ndarray:
    """Features of training images after sound handlings, float32 (M, D): what else belongs to the detector's domain.

    Args:
        detector: The detector.
        paths: Its training images, of which some are drawn.
        sound: The handlings after which its score keeps the budget, of which some are drawn for each.
        progress: Called with (images done, total images).
    """
    random = np.random.default_rng(0)
    chosen = [paths[k] for k in np.sort(random.permutation(len(paths))[:_LEARNED])]
    names = [name for name in sound if name != ORIGINAL]
    if not names or not chosen:
        return np.empty((0, detector.engine.width), np.float32)
    plans = [random.permutation(names)[:_EACH].tolist() for _ in chosen]
    # Labels do not matter here.
    return measure_handled(detector, chosen, [REAL] * len(chosen), plans, progress=progress).features


def _prepared(
    detector: Detector, paths: Sequence[Path], plans: Sequence[Sequence[str]]
) -> Iterator[tuple[pd.DataFrame, np.ndarray] | None]:
    """For each image a table of its facts after each handling, and the network's inputs (handlings, S, S, 3)."""

    def prepare(path: Path, plan: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray] | None:
        try:
            facts, rgb = sandbox.opened(decoder.read_bytes(path))
        except ImageError:
            return None
        rows, inputs = [], []
        for name in plan:
            pixels, quality = (rgb, facts.jpeg_quality) if name == ORIGINAL else handling.get(name).handle(rgb)
            if min(pixels.shape[:2]) <= _MOST_ENLARGED * min(rgb.shape[:2]):
                rows.append((name, min(pixels.shape[:2]), np.nan if quality is None else quality))
                inputs.append(detector.spec.apply(pixels))
        if not inputs:
            return None
        return pd.DataFrame(rows, columns=["handling", "side", "quality"]), np.stack(inputs)

    with ThreadPoolExecutor(2) as pool:
        for at in range(0, len(paths), _AHEAD):
            yield from pool.map(prepare, paths[at : at + _AHEAD], plans[at : at + _AHEAD])
