"""Makes a data set of aligned pairs from real pictures: `real/` and `fake/`, file by file with the same content.

Every pair depends on the seed and the bytes of its picture alone, so the same seed gives the same files, whatever else
lies in the folder. It is made in a hidden folder beside its place and moved there when complete; files already made are
kept when it is started again.
"""

import io
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from dfcore.datasets.self_made import MASKS, NOTICE
from dfcore.errors import DatasetError, ImageError, InputError
from dfcore.imaging import decoder, sandbox
from dfcore.labels import NAMES
from dfcore.synthesis.decoders import KINDS, WHOLE, kind_of
from dfcore.synthesis.pairs import SMALLEST, make_pair
from dfcore.synthesis.sources import Picture, Pictures
from dfcore.synthesis.taef2 import Precision
from dfcore.utils import extras
from dfcore.utils.files import (
    make_folder,
    read_json,
    sha256_bytes,
    sweep,
    write_atomic,
    write_bytes,
    write_json,
    write_text,
)
from dfcore.utils.processes import cores

MANIFEST = "manifest.csv"
_PLAN, _ROWS = "plan.json", ".rows"
_TEXT = """SELF-MADE FAKES

Made by dfcore from real pictures. Each image in fake/ is the picture of the same name in real/ after it went through a
decoder (column "group" of manifest.csv); both were then cropped, resized and coded alike. A detector that is
trained on them learns the traces of these decoders. Figures on them say nothing about images of generators.
"""


@dataclass(frozen=True)
class Plan:
    """How pairs are made.

    Attributes:
        kinds: Names of kinds, see `dfcore.synthesis.KINDS`; which of them makes a pair depends on its picture.
        seed: Of everything that is drawn.
        pairs: Pairs of each picture.
        limit: Largest number of pictures; None for all.
        precision: Of TAEF2.
    """

    kinds: tuple[str, ...] = WHOLE
    seed: int = 0
    pairs: int = 1
    limit: int | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            InputError: If a value is out of range.
            MissingExtraError: If a kind takes OpenVINO and it is not installed.
        """
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise InputError(f"Expected kinds of self-made fakes, each once. Received: {', '.join(self.kinds)}.")
        for name in self.kinds:
            if kind_of(name).needs_openvino:
                extras.require("openvino", "openvino", f"The kind {name!r}")
        for what, number in (("pairs of each picture", self.pairs), ("pictures", self.limit)):
            if number is not None and number < 1:
                raise InputError(f"Expected a number of {what} of at least 1. Received: {number}.")


@dataclass(frozen=True)
class Aligned:
    """A data set of pairs.

    Attributes:
        folder: Where it is.
        pairs: Number of its pairs.
        kinds: Number of pairs of each kind.
        told: Which pictures were taken as real, as a sentence.
        left_out: (path, reason) of each picture of which no pair was made.
    """

    folder: Path
    pairs: int
    kinds: dict[str, int]
    told: str
    left_out: tuple[tuple[str, str], ...]


def align(
    pictures: Pictures,
    out: str | Path,
    plan: Plan,
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Aligned | None:
    """Makes the data set. The originals are not touched.

    Args:
        pictures: From `real_pictures`.
        out: A folder that does not exist yet or is empty.
        plan: How.
        progress: Called with (pairs done, pairs in all).
        should_stop: Asked before each pair.

    Returns:
        The data set; None if it was stopped. Started again with the same plan it goes on where it was.

    Raises:
        InputError: If `out` holds something, or lies inside the originals.
        DatasetError: If no pair could be made.
        StorageError: If the disk is full.
    """
    out = Path(out).expanduser().absolute()
    _check_out(pictures.root, out)
    chosen = pictures.pictures[: plan.limit]
    aside = out.parent / f".{out.name}.aligning"
    _begin(aside, plan, chosen)
    tasks = [(picture, number) for picture in chosen for number in range(plan.pairs)]
    rows: list[dict[str, Any]] = []
    left_out = list(pictures.left_out)

    def make(place: int) -> dict[str, Any] | str:
        return "" if should_stop() else _make(pictures.root, *tasks[place], aside, f"{place:0{digits}d}", plan)

    digits = max(5, len(str(len(tasks))))
    # Closed when the caller is interrupted: what has not begun is then given up.
    with ThreadPoolExecutor(cores()) as pool, closing(pool.map(make, range(len(tasks)))) as results:  # type: ignore[type-var]
        for place, result in enumerate(results):
            if isinstance(result, dict):
                rows.append(result)
            elif result and tasks[place][1] == 0:
                left_out.append((tasks[place][0].path, result))
            if progress:
                progress(place + 1, len(tasks))
    if should_stop():
        return None
    if not rows:
        raise DatasetError(f"No pair could be made: {left_out[-1][1]}")
    _finish(aside, rows)
    if out.exists():
        out.rmdir()
    aside.rename(out)
    kinds = pd.Series([row["kind"] for row in rows]).value_counts(sort=False).sort_index()
    return Aligned(out, len(rows), {str(k): int(v) for k, v in kinds.items()}, pictures.told, tuple(left_out))


def _check_out(root: Path, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"Expected a new or empty folder for the self-made fakes. Received: {out}.")
    if out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"Expected a folder outside of the real pictures. Received: {out}, inside {root}.")


def _begin(aside: Path, plan: Plan, chosen: Sequence[Picture]) -> None:
    """Prepares the hidden folder; what was made by another plan, or of other pictures, is discarded."""
    names = sha256_bytes("\n".join(picture.path for picture in chosen).encode())
    now = asdict(plan) | {"kinds": list(plan.kinds), "pictures": names}
    try:
        known = read_json(aside / _PLAN) == now
    except (OSError, ValueError):
        known = False
    if not known:
        shutil.rmtree(aside, ignore_errors=True)
        make_folder(aside)
        write_json(aside / _PLAN, now)


def pair_seed(seed: int, content: bytes, number: int) -> int:
    """The seed of a pair: from the data set's, the bytes of its picture's file, and its number among that picture's."""
    return int(sha256_bytes(f"{seed} {sha256_bytes(content)} {number}".encode())[:15], 16)


def _make(root: Path, picture: Picture, number: int, aside: Path, name: str, plan: Plan) -> dict[str, Any] | str:
    """Makes one pair; returns its row, or the reason why there is none."""
    done = aside / _ROWS / f"{name}.json"  # Written last.
    try:
        data = decoder.read_bytes(root / picture.path)
        content = sha256_bytes(data)
        if (row := _known(done)) and row["content"] == content:
            return row
        rgb = sandbox.decode(data)
    except ImageError as error:
        return str(error)
    if min(rgb.shape[:2]) < SMALLEST:
        return f"It is smaller than {SMALLEST} pixels."
    seed = pair_seed(plan.seed, data, number)
    kind = plan.kinds[(pair_seed(plan.seed, data, -1) + number) % len(plan.kinds)]
    made = make_pair(rgb, kind, seed, precision=plan.precision)
    for label, coded in zip(NAMES, (made.real, made.fake), strict=True):
        write_bytes(aside / label / f"{name}.jpg", coded)
    row = {
        "name": name, "kind": kind, "split": picture.split, "source_id": picture.source, "made_from": picture.path,
        "content": content, "seed": seed, "treatment": str(made.treatment), "share": "",
    }  # fmt: skip
    if made.mask is not None:
        write_bytes(aside / MASKS / f"{name}.png", _png(made.mask))
        row["share"] = round(float(made.mask.mean()) / 255, 4)
    write_json(done, row)
    return row


def _known(done: Path) -> dict[str, Any] | None:
    try:
        return read_json(done)
    except (OSError, ValueError):
        return None


def _png(mask: np.ndarray) -> bytes:
    coded = io.BytesIO()
    Image.fromarray(mask).save(coded, "PNG")
    return coded.getvalue()


def _finish(aside: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes manifest and notice, and removes what a resumed making needs."""
    table = pd.DataFrame([
        {
            "path": f"{label}/{row['name']}.jpg",
            "label": label,
            "split": row["split"],
            "group": row["kind"],
            "source_id": row["source_id"],
            "made_from": row["made_from"],
            "self_made": "yes" if label == NAMES[1] else "no",
            "seed": row["seed"],
            "treatment": row["treatment"],
            "generated_share": (row["share"] or 1) if label == NAMES[1] else 0,
        }
        for row in rows for label in NAMES
    ])  # fmt: skip
    if not (table.split != "").any():
        table = table.drop(columns="split")
    write_atomic(aside / MANIFEST, lambda temporary: table.to_csv(temporary, index=False))
    kinds = "\n".join(f"{name}: {KINDS[name].help}" for name in dict.fromkeys(row["kind"] for row in rows))
    write_text(aside / NOTICE, f"{_TEXT}\n{kinds}\n")
    shutil.rmtree(aside / _ROWS)
    for folder in (*NAMES, MASKS):
        sweep(aside / folder)
    (aside / _PLAN).unlink()
