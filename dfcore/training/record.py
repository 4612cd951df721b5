"""The images that a run began with, as stored in its folder: by content, so that they are found where they moved."""

from pathlib import Path

import pandas as pd

from dfcore.errors import DatasetError
from dfcore.utils.files import write_atomic

NAME = "images.parquet"
_COLUMNS = ("path", "label", "split", "group", "source_id", "sha256", "pixels_sha256")


def write_record(rows: pd.DataFrame, folder: Path, *, begun: bool) -> None:
    """Writes path, label, split, group and hashes of the images of a run.

    Args:
        rows: Its images.
        folder: Its folder.
        begun: Whether it already has checkpoints, so that what is written stays.

    Raises:
        StorageError: If the disk is full.
    """
    path = folder / NAME
    if not (begun and path.is_file()):
        table = rows[[name for name in _COLUMNS if name in rows]]
        write_atomic(path, lambda temporary: table.to_parquet(temporary, index=False))


def read_record(folder: Path) -> pd.DataFrame | None:
    """The images that a run began with; None if it has not begun, or under a version that did not record them.

    Raises:
        DatasetError: If the file is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        table = pd.read_parquet(path)
        return table[["path", "label", identity(table)]]
    except Exception as error:  # pandas and pyarrow raise all sorts on damaged files.
        raise DatasetError(f"{path}, which names the images of the run, cannot be read: {error}.") from error


def identity(table: pd.DataFrame) -> str:
    """The column by which images are the same: that of pixels where there is one."""
    return "pixels_sha256" if "pixels_sha256" in table else "sha256"
