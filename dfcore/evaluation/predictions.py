"""Per-image predictions, stored as tables from which every metric can be recomputed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from dfcore import compat
from dfcore.datasets.cache import CacheMode, Pixels, Progress, load_pixels
from dfcore.datasets.dataset import Dataset
from dfcore.detectors.detector import Detector
from dfcore.detectors.trained_on import Seen
from dfcore.errors import BundleError, DatasetError, InputError
from dfcore.utils.files import write_atomic
from dfcore.utils.texts import printable

COLUMNS = ("path", "sha256", "label", "group", "logit", "score", "is_ood", "pixels_sha256")
CROSS_VALIDATION = "cross-validation"
# Held-out images after each handling, which is their group; no split.
HANDLED = "handled"


_BATCH = 32
_MAX_ROWS, _MAX_TABLE = 5_000_000, 2**31


def predict_split(
    detector: Detector,
    dataset: Dataset,
    split: str | None,
    *,
    cache_dir: Path,
    cache: CacheMode = "disk",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scores the usable images of a split, or of all splits if None.

    Returns:
        A table with `COLUMNS`, and film where any is a frame of one that is named. Images that can no longer be read
        are left out and listed in `attrs["excluded"]`, {path: reason}.

    Raises:
        DatasetError: If the split has no usable image.
    """
    rows = dataset.usable if split is None else dataset.usable[dataset.usable.split == split]
    if rows.empty:
        available = ", ".join(dataset.counts().index) or "none"
        raise DatasetError(f"{dataset.name} has no usable image in the split {split!r}. Received splits: {available}.")
    paths = [dataset.root / path for path in rows.path]
    # Nothing is scored yet, but whoever looks can stop it.
    decoding = None if progress is None else lambda _, __: progress(0, len(rows))
    pixels = load_pixels(paths, list(rows.sha256), detector.spec, folder=cache_dir, mode=cache, progress=decoding)
    return score_rows(detector, rows, pixels, np.arange(len(rows)), progress)


def score_rows(
    detector: Detector,
    rows: pd.DataFrame,
    pixels: Pixels,
    positions: np.ndarray,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scores rows of a data set whose cached pixels are at `positions`."""
    readable = pixels.rows[positions] >= 0
    cached = positions[readable]
    readable_rows = rows[readable]
    sides = [int(side) for side in readable_rows[["width", "height"]].min(axis=1)]
    qualities = [None if pd.isna(quality) else int(quality) for quality in readable_rows.quality]
    results = []
    for start in range(0, len(cached), _BATCH):
        batch = slice(start, start + _BATCH)
        results.append(detector.score(pixels.gather(cached[batch]), sides[batch], qualities[batch]))
        if progress:
            progress(min(start + _BATCH, len(cached)), len(cached))
    table = readable_rows[["path", "sha256", "label", "group"]].reset_index(drop=True)
    table["logit"] = np.concatenate([np.empty(0, np.float32), *(result.logits for result in results)])
    table["score"] = np.concatenate([np.empty(0), *(result.scores for result in results)])
    table["is_ood"] = np.concatenate([np.empty(0, bool), *(result.is_ood for result in results)])
    if "pixels_sha256" in readable_rows:
        table["pixels_sha256"] = readable_rows.pixels_sha256.to_numpy(object)
    if "film" in readable_rows and readable_rows.film.notna().any():
        table["film"] = readable_rows.film.astype(object).where(readable_rows.film.notna(), None).to_numpy(object)
    unreadable = zip(rows.path[~readable], positions[~readable], strict=True)
    table.attrs["excluded"] = {path: pixels.errors[int(position)] for path, position in unreadable}
    return table


def predictions_path(folder: Path, split: str) -> Path:
    """Path of a split's predictions in a run's folder or a bundle."""
    return folder / f"predictions_{split}.parquet"


def stored_splits(folder: Path) -> list[str]:
    """Lists the splits with stored predictions in a run's folder or a bundle, test first."""
    result = [path.stem.removeprefix("predictions_") for path in folder.glob("predictions_*.parquet")]
    order = ("test", "validation", CROSS_VALIDATION)
    return sorted(
        set(result) - {HANDLED}, key=lambda split: (order.index(split) if split in order else len(order), split)
    )


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Writes predictions as Parquet, atomically."""
    write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))


def export_predictions(path: Path, table: pd.DataFrame) -> None:
    """Writes predictions for other programs, in the format that the ending tells, atomically and as UTF-8.

    Args:
        path: ending in one of `EXPORT_FORMATS`.
        table: with `COLUMNS`.

    Raises:
        InputError: when the ending is another one.
        StorageError: when it cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _EXPORTS:
        raise InputError(f"Expected a file ending in {', '.join(EXPORT_FORMATS)}. Received: {path}.")
    write_atomic(path, lambda temporary: _EXPORTS[suffix](table, temporary))


def _write_lines(table: pd.DataFrame, path: Path) -> None:
    # pandas' own JSON rounds numbers to ten digits.
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


_EXPORTS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False, encoding="utf-8"),
    ".jsonl": _write_lines,
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}
EXPORT_FORMATS = tuple(_EXPORTS)


def read_predictions(path: Path, *, scored: bool = True) -> pd.DataFrame:
    """Reads predictions written by `write_predictions`.

    Args:
        path: Path of the file.
        scored: Whether scores are required; single folds hold only logits until they are calibrated together.

    Raises:
        BundleError: If the file is damaged, too large, or does not contain predictions.
    """
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(path)
        size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        if metadata.num_rows > _MAX_ROWS or size > _MAX_TABLE:
            raise BundleError(
                f"{path} is too large. Expected at most {_MAX_ROWS:,} rows and {_MAX_TABLE / 2**20:,.0f} MB. Received: "
                f"{metadata.num_rows:,} rows and {size / 2**20:,.0f} MB."
            )
        # Drop pandas' metadata, which would change how columns are converted.
        stored = parquet.read_table(path).replace_schema_metadata(None)
        stored.validate(full=True)  # Catches invalid UTF-8, among others.
        table = stored.to_pandas().rename(columns=compat.PREDICTIONS)
    except BundleError:
        raise
    except Exception as error:  # Arrow and pandas raise many exception types on damaged files.
        raise BundleError(f"{path} cannot be read: {printable(error)[:300]}.") from error
    required = ("path", "sha256", "label", "logit", *(("score",) if scored else ()))
    missing = [name for name in required if name not in table]
    if missing:
        raise BundleError(f"{path} has no predictions: missing column {', '.join(missing)}.")
    _check_columns(path, table)
    return table


def _check_columns(path: Path, table: pd.DataFrame) -> None:
    """Validates the values of the columns.

    Raises:
        BundleError: Names the invalid columns.
    """
    numbers = [name for name in ("label", "logit", "score") if name in table]
    valid = {name: is_numeric_dtype(table[name]) and np.isfinite(table[name].to_numpy(float)).all() for name in numbers}
    valid["label"] = valid["label"] and bool(table.label.isin([0, 1]).all())
    if "score" in valid:
        valid["score"] = valid["score"] and bool(table.score.between(0, 1).all())
    if "trained_on" in table:
        valid["trained_on"] = bool(table.trained_on.isin(list(Seen)).all())
    for name in ("path", "sha256"):
        valid[name] = all(isinstance(value, str) for value in table[name])
    if "film" in table:
        valid["film"] = all(isinstance(value, str) for value in table.film.dropna())
    wrong = [name for name, ok in valid.items() if not ok]
    if wrong:
        raise BundleError(f"{path} has no valid predictions: invalid values in column {', '.join(wrong)}.")
