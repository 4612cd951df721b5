"""Makes a copy of a data set in which the files of both classes are made alike.

Every image goes through the same three steps, whatever its class: a square is taken from it, brought to one size, and
saved as JPEG of one quality without metadata. What remains is in the pixels: traces of generators, subjects, and what
earlier processing left (focus, noise, sharpening, coarse JPEG coding before).

Two ways of bringing them to one size:

- "native" cuts a window at a random place without resizing, so traces stay whole. It is right if sizes do not tell the
  classes apart; otherwise the window of a large photograph shows less, and is smoother, than that of a small fake.
- "resize" shrinks the centre square. No image is enlarged, and each is shrunk a little at least, so that none keeps its
  pixels. It weakens traces of generators, as resizing always does.
"""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from PIL import Image

from dfcore.audit.probe import boosting, cross_validate, enough
from dfcore.datasets import Dataset
from dfcore.datasets.aside import Aside
from dfcore.errors import DatasetError, ImageError, InputError
from dfcore.imaging import decoder, sandbox
from dfcore.labels import NAMES
from dfcore.utils.files import sha256_bytes, write_atomic, write_bytes

How = Literal["native", "resize"]
QUALITY = 90
MANIFEST = "manifest.csv"
_MIN_SIDE, _MAX_SIDE = 16, 1024
# Share of a class whose images may be too small for the common size; they are left out.
_SMALLEST = 0.05
# From this AUC of sizes alone on, windows at native size are no longer comparable between the classes.
_SIZES_TELL = 0.6


@dataclass(frozen=True)
class Plan:
    """How a copy is made.

    Attributes:
        how: "native" or "resize".
        side: Side of the square images in pixels.
        quality: JPEG quality; chroma subsampling is 4:2:0.
        seed: Seed of the windows' places.
        content: Hash over paths and contents of the original images.
    """

    how: How
    side: int
    quality: int
    seed: int
    content: str


@dataclass(frozen=True)
class Neutralised:
    """A finished copy.

    Attributes:
        folder: The new data set: {split}/{class}/*.jpg or {class}/*.jpg, and a manifest.
        plan: How it was made.
        images: Number of images in it.
        left_out: Paths of the originals that are not in it, each with its reason.
    """

    folder: Path
    plan: Plan
    images: int
    left_out: tuple[tuple[str, str], ...]


def plan_for(dataset: Dataset, *, how: How | None = None, side: int | None = None, seed: int = 0) -> Plan:
    """Chooses how a copy is made.

    Args:
        dataset: The original data set.
        how: "native" or "resize"; by default "native" if sizes do not tell the classes apart.
        side: Side in pixels; by default as large as 95% of both classes allow, at most 1,024.
        seed: Seed of the windows' places.

    Raises:
        DatasetError: If a class is missing, or the images are too small.
        InputError: If the side is out of range.
    """
    rows = dataset.usable
    if rows.label.nunique() < 2:
        raise DatasetError(f"{dataset.name} cannot be neutralised. Expected both classes. Received: images of one.")
    if side is not None and not _MIN_SIDE <= side <= _MAX_SIDE:
        raise InputError(f"Expected a side of {_MIN_SIDE} to {_MAX_SIDE} pixels. Received: {side}.")
    how = how or ("resize" if _sizes_tell(rows, seed) else "native")
    side = side or _common_side(rows, how)
    return Plan(how, side, QUALITY, seed, _content(rows))


def _content(rows: pd.DataFrame) -> str:
    return sha256_bytes("\n".join(rows.path + " " + rows.sha256).encode())


def _sizes_tell(rows: pd.DataFrame, seed: int) -> bool:
    sizes = rows[["width", "height"]].to_numpy(np.float32)
    labels = rows.label.to_numpy(int)
    groups = np.arange(len(rows))
    if (sizes == sizes[0]).all():
        return False
    if not enough(labels, groups):
        return True
    chosen = np.random.default_rng(seed).permutation(len(rows))[:5000]
    auc = cross_validate(sizes[chosen], labels[chosen], groups[chosen], boosting(seed), seed=seed)
    return auc.value >= _SIZES_TELL


def _common_side(rows: pd.DataFrame, how: How) -> int:
    shorter = rows[["width", "height"]].min(axis=1).astype(float)
    limit = float(shorter.groupby(rows.label).quantile(_SMALLEST).min())
    # Windows begin anywhere in a block of 8 pixels, so that blocks of earlier coding lie alike in neither class.
    limit = 0.9 * limit if how == "resize" else limit - 8
    side = min(int(limit) // 8 * 8, _MAX_SIDE)
    if side >= 64:
        return side
    side = int(shorter.groupby(rows.label).quantile(_SMALLEST).min())
    if side < _MIN_SIDE:
        raise DatasetError(f"Expected images of at least {_MIN_SIDE} pixels. Received: 5% have {side} pixels or fewer.")
    return side


def neutralise(
    dataset: Dataset,
    out: str | Path,
    plan: Plan,
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Neutralised | None:
    """Writes the copy. The originals are not touched.

    It is made in a hidden folder beside `out`, and moved to `out` when complete. If it was stopped or killed, the next
    call with the same plan goes on where it was.

    Args:
        dataset: The original data set.
        out: A folder that does not exist yet, or is empty.
        plan: From `plan_for`.
        progress: Called with (images done, images in all).
        should_stop: Asked before each image.

    Returns:
        The copy; None if it was stopped.

    Raises:
        InputError: If `out` holds something already, or lies inside the original.
        DatasetError: If no image of a class is left.
        StorageError: If the disk is full.
    """
    aside = Aside.begin(
        dataset.root, out, asdict(plan), made="neutralised copy", of="data set itself", doing="neutralising"
    )
    rows = dataset.usable.reset_index(drop=True)
    targets = _targets(rows)
    reasons: list[str | None] = []

    def make(number: int) -> str | None:
        if should_stop():
            return ""
        row = rows.iloc[number]
        return _make(dataset.root / row.path, row, aside.folder / targets[number], plan)

    with ThreadPoolExecutor(sandbox.processes()) as pool:
        for number, reason in enumerate(pool.map(make, range(len(rows)))):
            reasons.append(reason)
            if progress and ((number + 1) % 20 == 0 or number + 1 == len(rows)):
                progress(number + 1, len(rows))
    if should_stop():
        return None
    made = np.array([reason is None for reason in reasons])
    if rows[made].label.nunique() < 2:
        raise DatasetError(f"No image of one class is left: {next(reason for reason in reasons if reason)}")
    _write_manifest(aside.folder, rows[made], [target for target, good in zip(targets, made, strict=True) if good])
    left_out = [(rows.path[k], reason) for k, reason in enumerate(reasons) if reason]
    left_out += [*_unused(dataset)]
    return Neutralised(aside.finish(), plan, int(made.sum()), tuple(left_out))


def _unused(dataset: Dataset) -> Iterator[tuple[str, str]]:
    table = dataset.table[~dataset.table.index.isin(dataset.usable.index)]
    for path, error in zip(table.path, table.error, strict=True):
        yield path, error if isinstance(error, str) else "It has no label."


def _targets(rows: pd.DataFrame) -> list[Path]:
    """{split}/{class}/number.jpg for each row; a row without a split has no folder for it."""
    digits = max(5, len(str(len(rows))))
    splits = rows.split.fillna("").to_numpy(str)
    return [
        Path(split, NAMES[label], f"{number:0{digits}d}.jpg")
        for number, (split, label) in enumerate(zip(splits, rows.label.to_numpy(int), strict=True))
    ]


def _make(source: Path, row: pd.Series, target: Path, plan: Plan) -> str | None:
    """Makes one image; returns the reason if it is left out."""
    if target.is_file():
        return None
    try:
        data = decoder.read_bytes(source)
        if sha256_bytes(data) != row.sha256:
            return "The file has changed since it was scanned."
        rgb = sandbox.decode(data)
    except ImageError as error:
        return str(error)
    if min(rgb.shape[:2]) < plan.side:
        return f"It is smaller than {plan.side} pixels."
    write_bytes(target, encode(square(rgb, plan, row.pixels_sha256), plan.quality))
    return None


def square(rgb: np.ndarray, plan: Plan, name: str) -> np.ndarray:
    """The square of an image, uint8 (H, W, 3) to (side, side, 3); `name` decides on the place of its window."""
    height, width = rgb.shape[:2]
    if plan.how == "native":
        random = np.random.default_rng([plan.seed, int(sha256_bytes(name.encode())[:8], 16)])
        top, left = (int(random.integers(length - plan.side + 1)) for length in (height, width))
        return rgb[top : top + plan.side, left : left + plan.side]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = Image.fromarray(rgb[top : top + side, left : left + side])
    return np.asarray(image.resize((plan.side, plan.side), Image.Resampling.LANCZOS, reducing_gap=None))


def encode(rgb: np.ndarray, quality: int) -> bytes:
    """JPEG with 4:2:0 subsampling and no metadata."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def _write_manifest(folder: Path, rows: pd.DataFrame, targets: list[Path]) -> None:
    table = pd.DataFrame(
        {
            "path": [target.as_posix() for target in targets],
            "label": [NAMES[label] for label in rows.label.to_numpy(int)],
            "split": rows.split.to_numpy(),
            "group": rows.group.to_numpy(),
            "source_id": rows.source_id.to_numpy(),
            "made_from": rows.path.to_numpy(),
        }
    )
    write_atomic(folder / MANIFEST, lambda temporary: table.to_csv(temporary, index=False))
