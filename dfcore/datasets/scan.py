"""Reads a folder or a table into one table with a row for every image, good or bad."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.datasets import grouping, of_films, self_made
from dfcore.datasets.competition import label_files
from dfcore.datasets.dataset import COLUMNS, Dataset
from dfcore.datasets.layouts import TRAIN, UNLABELLED, Place
from dfcore.datasets.reading import Reading, apply_reading, reading_notes, recall, turned
from dfcore.datasets.scan_cache import READ, ScanMemory
from dfcore.datasets.scan_copies import with_copies
from dfcore.datasets.scan_listing import list_files
from dfcore.datasets.understand import Understood, require_table, understand_folder, understand_table
from dfcore.datasets.understood import folder_tree, separated_classes
from dfcore.datasets.units import joined
from dfcore.errors import ImageError, LayoutError, TransientImageError
from dfcore.imaging import decoder, sandbox
from dfcore.utils.files import sha256_bytes
from dfcore.utils.texts import counted

Progress = Callable[[int, int], None]


def scan(
    root: str | Path,
    *,
    reading: Reading | None = None,
    progress: Progress | None = None,
    workers: int = 4,
    cache: Path | None = None,
) -> Dataset:
    """Reads a data set's layout or tables, and every image in it.

    Every image is decoded once, so that a damaged file is found here and not in the middle of a
    training run.

    Args:
        root: a folder in one of `KNOWN_LAYOUTS`, or a table of images.
        reading: what a user says of how to read it; by default what is remembered for this root.
        progress: called with (images done, images in all) from time to time.
        workers: threads that read and decode.
        cache: folder in which is remembered what was read, by default the workspace's; files that
            have not changed since are not read again.

    Returns:
        The data set; images that cannot be read or placed are rows with their reason in `error`.

    Raises:
        AccessError: when it lies outside of the folders that may be read.
        LayoutError: when there is no such folder, no image in it, no folder or table tells a class, or what they tell
            contradicts itself.
        ConventionUnknown: when nothing tells which values of a table are real and which are fake.

    Example:
        >>> import dfcore
        >>> from dfcore.datasets.demo import make_demo
        >>> demo = make_demo("demo", crops_per_block=3)
        >>> data = dfcore.scan(demo)
        >>> len(data.usable), data.layout
        (120, 'class folders, split into folders')
    """
    root = Path(root).expanduser()
    workspace.require_readable(root)
    if not root.exists():
        raise LayoutError(f"There is no folder or manifest {root}.")
    root = root.resolve()
    reading = recall(root) if reading is None else reading
    if root.is_dir():
        folder, understood = root, understand_folder(root, list_files(root), reading)
    else:
        require_table(root)
        folder, understood = root.parent, understand_table(root, lambda: list(list_files(root.parent).images), reading)
    cache = cache or workspace.cache_dir()
    with ScanMemory(cache, folder) as memory:
        table = _read_table(folder, memory, understood, progress, workers)
        memory.store()
        table, told = _with_named_sources(apply_reading(table, reading), reading)
        table, near = with_copies(table, memory.signatures, cache, folder)
    notes = (*understood.notes, *reading_notes(reading, table), *told, *_notes(folder, table), *near)
    tree = folder_tree(understood.paths, [turned(place, reading) for place in understood.places])
    demonstration = (folder / "DEMONSTRATION.txt").is_file()
    usable = table[table.label.notna() & table.error.isna()]
    made = self_made.told(usable, self_made.marked(folder, usable))
    notes = (made, *notes) if made else notes
    left_out = tuple(self_made.settled(folder, one) for one in understood.left_out
                     if one.path not in understood.tables)  # fmt: skip
    data = Dataset(folder, understood.layout, table, notes, demonstration, made, left_out, tree=tree, reading=reading)
    told_of_films, doubted = of_films.told(folder)
    doubts = (*understood.doubts, *doubted, *separated_classes(data.usable))
    return _still_confirmed(replace(data, notes=(*data.notes, *told_of_films), doubts=doubts))


def _still_confirmed(data: Dataset) -> Dataset:
    """The data set; what a person confirmed no longer is where images, labels or splits have changed since."""
    reading = data.reading
    if not (reading.confirmed and reading.confirmed_of) or reading.confirmed_of == data.labelled_fingerprint:
        return data
    doubt = "Images, labels or splits have changed since this was confirmed: look at it again."
    return replace(data, doubts=(*data.doubts, doubt), reading=reading.model_copy(update={"confirmed": False}))


def _read_table(
    root: Path, memory: ScanMemory, understood: Understood, progress: Progress | None, workers: int
) -> pd.DataFrame:
    def read(item: tuple[str, Place, str | None]) -> dict[str, Any]:
        return _row(root, memory, *item)

    rows: list[dict[str, Any]] = []
    paths, places, reasons = understood.paths, understood.places, understood.reasons
    with ThreadPoolExecutor(workers) as pool:
        for row in pool.map(read, zip(paths, places, reasons, strict=True)):
            rows.append(row)
            if progress and (len(rows) % 50 == 0 or len(rows) == len(paths)):
                progress(len(rows), len(paths))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    texts = ("path", "split", "group", "source_id", "format", "sha256", "pixels_sha256", "film", "error")
    text = dict.fromkeys(texts, "str")
    numbers = {"label": "Int8", "width": "Int32", "height": "Int32", "quality": "Int32", "bytes": "Int64"}
    return table.astype(text | numbers)


def _row(root: Path, memory: ScanMemory, path: str, place: Place, refused: str | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"path": path, "label": place.label, "split": place.split, "group": place.group}
    row |= {"source_id": place.source, "film": place.film}
    if refused:
        return row | {"error": refused}
    if not workspace.readable(root / path):
        return row | {"error": "It lies, or links to a file, outside of the folders that may be read here."}
    row |= _read_image(root, memory, path)
    if row["error"] is None and place.label is None and place.split != UNLABELLED:
        row["error"] = "No folder on its path names a class."
    return row


def _read_image(root: Path, memory: ScanMemory, path: str) -> dict[str, Any]:
    """What a file holds (the keys `READ`), decoded unless that is remembered."""
    stamp = memory.stamp(path)  # Before the content: whatever is written after this is noticed.
    known = memory.recall(path, stamp)
    if known is not None:
        return known
    read: dict[str, Any] = dict.fromkeys(READ)
    try:
        data = decoder.read_bytes(root / path)
        read |= {"bytes": len(data), "sha256": sha256_bytes(data)}
        known = memory.recall_content(read["sha256"])
        if known is not None:
            memory.note(path, stamp, read["sha256"])
            return known
        facts, signature = sandbox.look(data)
        read |= {"width": facts.width, "height": facts.height, "format": facts.format, "quality": facts.jpeg_quality}
        read["pixels_sha256"] = facts.pixels_sha256
        memory.keep(path, stamp, read, signature)
    except ImageError as error:
        read["error"] = str(error)
        # What could not even be opened may be there the next time; an accident may not happen again.
        if read["sha256"] is not None and not isinstance(error, TransientImageError):
            memory.keep(path, stamp, read)
    return read


def _with_named_sources(table: pd.DataFrame, reading: Reading) -> tuple[pd.DataFrame, list[str]]:
    """The table with the source of each image: as its row says, as its path tells, and as the audit found."""
    given = table.source_id.where(table.source_id != "")
    if given.notna().all() and not reading.groups:
        return table.assign(source_id=joined(table, reading.together)), []
    found, told = grouping.sources(table.path.tolist(), reading.groups)
    table = table.assign(source_id=given.fillna(pd.Series(found, index=table.index, dtype="str")).astype("str"))
    return table.assign(source_id=joined(table, reading.together)), told


def _notes(root: Path, table: pd.DataFrame) -> list[str]:
    notes = [note for file in label_files(root, table) for note in file.notes()]
    labelled = table[table.label.notna()]
    if len(labelled) and (labelled.split == TRAIN).all():
        notes.append(
            "All labelled images are in the training split: validation is drawn from it, and there is no test."
        )
    read = labelled[labelled.pixels_sha256.notna()]
    content = read.groupby("pixels_sha256")
    both = int((content.label.nunique() > 1).sum())
    if both:
        notes.append(f"{counted(both, 'image stands', 'images stand')} under both classes with the same content.")
    copies = int(content.size().sub(1).sum())
    if copies:
        notes.append(f"{counted(copies, 'image is an exact copy', 'images are exact copies')} of another one.")
    leaks = int((content.split.nunique() > 1).sum())
    if leaks:
        stand = counted(leaks, "image stands", "images stand")
        notes.append(f"{stand} in more than one split: results on those splits are too good.")
    sources = read.groupby("source_id").split.nunique()
    parted = sources.index[sources > 1]
    if len(parted):
        notes.append(
            f"{counted(len(parted), 'source', 'sources')}, e.g. '{parted[0]}', "
            f"{'has' if len(parted) == 1 else 'have'} images in more than one split: results on those splits are too "
            "good."
        )
    return notes


def image_side(dataset: Dataset) -> int:
    """The median of the shorter side of the usable images, in pixels."""
    usable = dataset.usable
    return int(np.median(np.minimum(usable.width.to_numpy(int), usable.height.to_numpy(int))))
