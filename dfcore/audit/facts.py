"""The table of file facts that the shortcut probe sees: everything about a file but its picture.

Columns are gathered in families (size, format, JPEG quality, …): facts of one family tell the same thing, so that the
probe is asked family by family which of them carries it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Distinct words of one family that become columns; rarer ones tell little.
_MOST_WORDS = 30
_EXIF_KINDS = {
    "camera": ("Make", "Model", "LensModel", "BodySerialNumber"),
    "exposure": ("ExposureTime", "FNumber", "ISOSpeedRatings", "PhotographicSensitivity", "FocalLength"),
    "software": ("Software", "ProcessingSoftware", "HostComputer"),
    "place": ("GPSLatitude", "GPSLongitude"),
    "time": ("DateTime", "DateTimeOriginal", "DateTimeDigitized"),
    "author": ("Artist", "Copyright", "ImageDescription", "UserComment", "XPComment", "XPAuthor"),
    "orientation": ("Orientation",),
    "resolution": ("XResolution", "YResolution"),
}


def exif_kinds(exif: Mapping[str, str]) -> frozenset[str]:
    """Which kinds of EXIF tags a file has, e.g. "EXIF camera"."""
    found = {f"EXIF {kind}" for kind, tags in _EXIF_KINDS.items() if any(tag in exif for tag in tags)}
    return frozenset(found | ({"EXIF"} if exif else set()))


@dataclass(frozen=True)
class Facts:
    """Facts of N files.

    Attributes:
        families: Columns of `values` by family.
        names: Name of each column, length F.
        values: float32 (N, F); -1 stands for a fact that a file does not have.
    """

    families: dict[str, list[int]]
    names: list[str]
    values: np.ndarray

    def constant(self) -> bool:
        """Whether no fact differs between any two files."""
        return bool((self.values == self.values[:1]).all())

    def of(self, family: str) -> np.ndarray:
        """The columns of one family."""
        return self.values[:, self.families[family]]


def table_of(files: pd.DataFrame, words: Sequence[frozenset[str]]) -> Facts:
    """Builds the table.

    Args:
        files: Columns width, height, bytes, format, mode, quality, subsampling, blockiness, N rows.
        words: Further properties of each file: container words and kinds of EXIF.
    """
    width, height = files.width.to_numpy(float), files.height.to_numpy(float)
    columns: dict[str, dict[str, np.ndarray]] = {
        "size": {
            "width": width,
            "height": height,
            "shorter side": np.minimum(width, height),
            "megapixels": width * height / 1e6,
        },
        "aspect": {"width / height": width / height},
        "multiples of 8 and 64": {
            f"{side} in {step}s": (values % step == 0).astype(float)
            for side, values in (("width", width), ("height", height))
            for step in (8, 64)
        },
        "format": _one_hot(files.format),
        "mode": _one_hot(files["mode"]),
        "bytes per pixel": {"bytes per pixel": files.bytes.to_numpy(float) / (width * height)},
        "JPEG quality": {"JPEG quality": files.quality.astype(float).fillna(-1).to_numpy(float)},
        "subsampling": _one_hot(files.subsampling),
        "blockiness": {"blockiness": files.blockiness.astype(float).fillna(-1).to_numpy(float)},
        "metadata and coding": _words(words),
    }
    names = [name for family in columns.values() for name in family]
    families, start = {}, 0
    for family, parts in columns.items():
        families[family] = list(range(start, start + len(parts)))
        start += len(parts)
    values = np.column_stack([values for family in columns.values() for values in family.values()])
    return Facts(families, names, np.nan_to_num(values, nan=-1).astype(np.float32))


def _one_hot(column: pd.Series) -> dict[str, np.ndarray]:
    text = column.fillna("").astype(str).str.replace("MPO", "JPEG")
    return {name or "none": (text == name).to_numpy(float) for name in text.value_counts().index[:_MOST_WORDS]}


def _words(words: Sequence[frozenset[str]]) -> dict[str, np.ndarray]:
    counts = pd.Series([word for item in words for word in item]).value_counts()
    common = [word for word in counts.index if counts[word] < len(words)][:_MOST_WORDS]
    return {word: np.array([word in item for item in words], float) for word in common}
