"""What was understood of a data set, for a person to look at: its folders, and what tells the classes too easily."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from dfcore.datasets.dataset import FolderReading
from dfcore.datasets.layouts import Place
from dfcore.labels import FAKE, NAMES, REAL

_MOST_FOLDERS = 400
_SAMPLES = 3
_LEAST = 4
_SEPARATED = 0.95


def folder_tree(paths: Sequence[str], places: Sequence[Place]) -> tuple[FolderReading, ...]:
    """One entry for each folder that tells something, and for each class, split and group in it.

    Folders below, such as those of a video's frames, are counted with it. Of very many, only the upper ones are named.
    """
    for most in (99, 3, 2, 1, 0):
        found: dict[tuple[str, int | None, str | None, str | None], list[str]] = defaultdict(list)
        for path, place in zip(paths, places, strict=True):
            parts = PurePosixPath(path).parent.parts[: min(place.depth, most)]
            found["/".join(parts) or ".", place.label, place.split, place.group].append(path)
        if len(found) <= _MOST_FOLDERS or most == 0:
            break
    items = sorted(found.items(), key=lambda item: tuple(str(part) for part in item[0]))
    return tuple(FolderReading(*key, images=len(paths), samples=_spread(paths)) for key, paths in items)


def _spread(paths: list[str]) -> tuple[str, ...]:
    at = np.unique(np.linspace(0, len(paths) - 1, min(_SAMPLES, len(paths))).round().astype(int))
    return tuple(paths[i] for i in at)


def separated_classes(usable: pd.DataFrame) -> list[str]:
    """Doubts about facts of files that tell the classes apart without a look at the picture.

    Args:
        usable: The rows of images that have a label and were read.
    """
    labels = usable.label.to_numpy(int)
    if min((labels == REAL).sum(), (labels == FAKE).sum()) < _LEAST:
        return []
    result = []
    by_format = _told_by_kind(labels, usable.format, "formats")
    if by_format:
        result.append(f"The file format tells the classes apart ({by_format}): a detector can learn that instead of "
                      "traces in the picture.")  # fmt: skip
    by_size = _told_by_kind(labels, usable.width.astype(str) + " x " + usable.height.astype(str), "sizes")
    pixels = usable.width.to_numpy(float) * usable.height.to_numpy(float)
    if by_size:
        result.append(f"The size in pixels tells the classes apart ({by_size}).")
    elif said := _told_by_number(labels, pixels / 1e6, "megapixels"):
        result.append(f"The size tells the classes apart ({said}).")
    quality = usable.quality.to_numpy(float, na_value=np.nan)
    if said := _told_by_number(labels, quality, "median"):
        result.append(f"The JPEG quality tells the classes apart ({said}).")
    return result


def _told_by_kind(labels: np.ndarray, kinds: pd.Series, what: str) -> str:
    """Whether nearly all images could be placed by their kind alone; in words, or empty."""
    shares = pd.crosstab(kinds, labels, normalize="columns").reindex(columns=[REAL, FAKE], fill_value=0.0)
    if len(shares) > 50 or shares.max(axis=1).sum() / 2 < _SEPARATED:
        return ""
    return ", ".join(_kinds(NAMES[label], shares[label], what) for label in (REAL, FAKE))


def _kinds(name: str, shares: pd.Series, what: str) -> str:
    """E.g. "94% of the fake images are 559 x 559"; of many kinds the commonest tells nothing."""
    if shares.max() < 0.5:
        return f"the {name} images come in {(shares > 0).sum()} {what}"
    return f"{shares.max():.0%} of the {name} images are {shares.idxmax()}"


def _told_by_number(labels: np.ndarray, values: np.ndarray, unit: str) -> str:
    """Whether a threshold on a number parts nearly all images; in words, or empty."""
    known = ~np.isnan(values)
    real, fake = values[known & (labels == REAL)], values[known & (labels == FAKE)]
    if min(len(real), len(fake)) < 2 * _LEAST or known.mean() < 0.5:
        return ""
    # The largest balanced accuracy over all thresholds, either way round.
    cuts = np.unique(values[known])
    above = np.searchsorted(np.sort(fake), cuts) / len(fake) - np.searchsorted(np.sort(real), cuts) / len(real)
    if (1 + np.abs(above).max()) / 2 < _SEPARATED:
        return ""
    return f"{unit}: real {np.median(real):.3g}, fake {np.median(fake):.3g}"
