"""Makes a data set of aligned pairs from real pictures: `real/` and `fake/`, file by file with the same content.

Every pair depends on the seed and the bytes of its picture alone, so the same seed gives the same files, whatever else
lies in the folder. It is made in a hidden folder beside its place and moved there when complete; files already made are
kept when it is started again.
"""

import io
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from dfcore.datasets.aside import Aside
from dfcore.datasets.self_made import MASKS, NOTICE
from dfcore.errors import DatasetError, ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.labels import NAMES
from dfcore.synthesis.decoders import KINDS
from dfcore.synthesis.pairs import SMALLEST, make_pair
from dfcore.synthesis.plan import Aligned, Plan
from dfcore.synthesis.sources import Picture, Pictures
from dfcore.utils.files import (
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
_ROWS = ".rows"
_TEXT = """SELF-MADE FAKES

Made by dfcore from real pictures. Each image in fake/ is the picture of the same name in real/ after it went through a
decoder (column "group" of manifest.csv); both were then cropped, resized and coded alike. A detector that is
trained on them learns the traces of these decoders. Figures on them say nothing about images of generators.
"""


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
    chosen = pictures.pictures[: plan.limit]
    names = sha256_bytes("\n".join(picture.path for picture in chosen).encode())
    how = asdict(plan) | {"kinds": list(plan.kinds), "pictures": names}
    aside = Aside.begin(pictures.root, out, how, made="self-made fakes", of="real pictures", doing="aligning")
    tasks = [(picture, number) for picture in chosen for number in range(plan.pairs)]
    rows: list[dict[str, Any]] = []
    left_out = list(pictures.left_out)

    def make(place: int) -> dict[str, Any] | str:
        return "" if should_stop() else _make(pictures.root, *tasks[place], aside.folder, f"{place:0{digits}d}", plan)

    digits = max(5, len(str(len(tasks))))
    with ThreadPoolExecutor(cores()) as pool:
        for place, result in enumerate(pool.map(make, range(len(tasks)))):
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
    _finish(aside.folder, rows)
    kinds = dict(sorted(Counter(row["kind"] for row in rows).items()))
    return Aligned(aside.finish(), len(rows), kinds, pictures.told, tuple(left_out))


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
