"""Data that pages read from disk: runs, data sets, thumbnails, predictions. Expensive reads are cached."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dfcore import workspace
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.runs import DAMAGED, Run, RunStore

if TYPE_CHECKING:
    import pandas as pd

    from dfcore.datasets import Dataset
    from dfcore.evaluation.paired import Comparison


def store() -> RunStore:
    """The run store of this workspace."""
    return RunStore(workspace.runs_dir())


def runs() -> list[Run]:
    """All runs, newest first."""
    return list(store())


def run_title(row: dict[str, Any]) -> str:
    """Title of a run in a select box, from its row in `dfcore.runs.summaries`."""
    mark = ", damaged" if row["state"] == DAMAGED else ""
    return row["id"] + mark if row["name"] == row["id"] else f"{row['name']}  ({row['id']}{mark})"


def dataset(root: Path) -> "Dataset":
    """Scans a data set, with a progress bar; unchanged files are not read again.

    Raises:
        LayoutError: If the folder is not a data set.
    """
    from dfcore.datasets import scan

    bar = st.empty()

    def progress(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), f"Reading images: {done:,} of {total:,}")

    try:
        return scan(root, progress=progress)
    finally:
        bar.empty()


@st.cache_data(max_entries=2000, show_spinner=False)
def thumbnail(path: str, stamp: float, side: int = 160) -> bytes | None:
    """Square PNG thumbnail of an image; None if it cannot be read.

    Args:
        path: Image file.
        stamp: The file's modification time, see `stamp`; part of the cache key.
        side: Width and height in pixels.
    """
    import io

    from PIL import Image

    try:
        # Decode larger than shown: the final resize below depends on whether it enlarges.
        picture = Image.fromarray(sandbox.decode(decoder.read_bytes(path), 4 * side))
    except ImageError:
        return None
    factor = side / max(picture.size)
    kind = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BILINEAR
    picture = picture.resize((max(1, round(factor * picture.width)), max(1, round(factor * picture.height))), kind)
    square = Image.new("RGB", (side, side), (128, 128, 128))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    buffer = io.BytesIO()
    square.save(buffer, "PNG")
    return buffer.getvalue()


@st.cache_data(max_entries=64, show_spinner=False)
def predictions(path: str, stamp: float) -> "pd.DataFrame":
    """Stored predictions; `stamp` is the file's modification time, part of the cache key."""
    from dfcore.evaluation import read_predictions

    return read_predictions(Path(path))


@st.cache_data(max_entries=256, show_spinner=False)
def metrics(path: str, stamp: float, threshold: float) -> dict[str, Any]:
    """All metrics of stored predictions at a threshold; for `stamp`, see `predictions`."""
    from dfcore.evaluation import evaluate_scores

    table = predictions(path, stamp)
    return evaluate_scores(table.label.to_numpy(int), table.score.to_numpy(float), threshold).to_dict()


@st.cache_data(max_entries=64, show_spinner="Adding up films …")
def film_metrics(path: str, stamp: float, threshold: float) -> dict[str, Any] | None:
    """The metrics of whole films in stored predictions; None if there are none. For `stamp`, see `predictions`."""
    from dfcore.evaluation import by_film

    return by_film(predictions(path, stamp), threshold)


@st.cache_data(max_entries=64, show_spinner="Comparing on the same images …")
def comparison(
    first: str, first_stamp: float, second: str, second_stamp: float, thresholds: tuple[float, float]
) -> "Comparison | None":
    """Compares two detectors on the images present in both stored predictions; None if there are none."""
    from dfcore.evaluation import paired

    a, b = predictions(first, first_stamp), predictions(second, second_stamp)
    if not set(a.sha256) & set(b.sha256):
        return None
    return paired.compare(paired.join(a, b), *thresholds)


def stamp(path: str | Path) -> float:
    """A file's modification time in seconds, used in cache keys; 0 if the file does not exist."""
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0
