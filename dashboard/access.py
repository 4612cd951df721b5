"""What pages read, cached: runs, detectors, data sets, images. No model code.

TensorFlow, pandas and the like are imported by what needs them: Home is painted without.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import actions, decode_cache, inference_queue, runtime_tuning
from dfcore import workspace
from dfcore.confidence import Budget, Operating
from dfcore.detectors.bundle import Card, read_card
from dfcore.detectors.library import default_name, list_bundles
from dfcore.detectors.selection import choose
from dfcore.errors import BundleError, DfcoreError, ImageError, InputError, RunError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.decoder import ImageFacts
from dfcore.runs import Run, RunStore, State
from dfcore.utils.files import sha256_bytes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from dfcore.datasets import Dataset
    from dfcore.detectors.detector import Detector, Verdict
    from dfcore.explanation import Explainer, Heatmap


# Detectors that are held loaded.
_IN_MEMORY = 4


@dataclass(frozen=True)
class Entry:
    """A detector that can be chosen: one of the library, or a finished run's.

    Attributes:
        key: what stands in the address: "name" or "run:id".
        folder: the bundle.
        title: for people.
        card: its card.
        run: the run it came from, if it is not in the library.
    """

    key: str
    folder: Path
    title: str
    card: Card
    run: Run | None = None

    @property
    def version(self) -> str:
        """A hash of all that its card says: of model, calibration and thresholds."""
        return sha256_bytes(self.card.model_dump_json().encode())


def store() -> RunStore:
    """All runs of this workspace."""
    return RunStore(workspace.runs_dir())


def runs() -> list[Run]:
    """All runs, the latest first."""
    return list(store())


def library() -> tuple[list[Entry], list[str]]:
    """Detectors under the models folder, the default first; and what is wrong with those that are left out."""
    found, problems = [], []
    folder = workspace.models_dir()
    for path in list_bundles(folder):
        try:
            card = read_card(path)
        except BundleError as error:
            problems.append(str(error))
            continue
        mark = " (default)" if path.name == default_name(folder) else ""
        found.append(Entry(path.name, path, f"{path.name}: {card.title}{mark}", card))
    return found, problems


def detectors() -> list[Entry]:
    """All detectors at hand: the library's, then those of completed runs."""
    found = library()[0]
    for run in runs():
        try:
            if run.status().state is State.COMPLETED:
                title = f"Run {run.id}: {run.name}"
                found.append(Entry(f"run:{run.id}", run.bundle, title, read_card(run.bundle), run))
        except (BundleError, RunError):
            continue  # Monitor shows the run and what is wrong with it.
    return found


@st.cache_resource(max_entries=_IN_MEMORY, show_spinner="Loading the detector …")
def _load(folder: str, version: str) -> "Detector":
    from dfcore.detectors.detector import Detector

    found = Detector.load(folder)
    runtime_tuning.settle()
    return found


def detector(entry: Entry) -> "Detector":
    """The loaded detector; one in memory however many sessions look at it."""
    return _load(str(entry.folder), entry.version)


@st.cache_resource(max_entries=_IN_MEMORY, show_spinner=False)
def _explainer(_loaded: "Detector", version: str) -> "Explainer":
    found = _loaded.explainer()
    runtime_tuning.settle()
    return found


def explainer(entry: Entry) -> "Explainer":
    """What makes a detector's heat-maps; the first one takes seconds."""
    return _explainer(detector(entry), entry.version)


def warm(entries: list[Entry]) -> None:
    """Gets detectors ready, and in the background what they need for heat-maps, before the first image asks for it."""
    _warm([detector(entry) for entry in entries[:_IN_MEMORY]], tuple(entry.version for entry in entries[:_IN_MEMORY]))


@st.cache_resource(max_entries=16, show_spinner=False)
def _warm(_loaded: "list[Detector]", versions: tuple[str, ...]) -> threading.Thread:
    def work() -> None:
        for one in _loaded:
            # Whoever asks for a heat-map is told what is wrong.
            with suppress(DfcoreError):
                one.warm()
        runtime_tuning.settle()

    thread = threading.Thread(target=work, daemon=True, name="warm")
    thread.start()
    return thread


@st.cache_data(max_entries=256, show_spinner=False)
def _verdicts(versions: tuple[str, ...], image_sha256: str, _entries: list[Entry], _data: bytes) -> "list[Verdict]":
    from dfcore.detectors.detector import Seen

    loaded = [detector(entry) for entry in _entries]
    seen: Sequence[Seen | ImageError]
    try:
        squares = decode_cache.look(_data, [one.spec for one in loaded]).squares
        seen = [Seen.of(squares[one.spec]) for one in loaded]
    except ImageError as error:
        seen = [error] * len(loaded)
    # One turn for all: whoever has waited once need not wait again for the next detector.
    with inference_queue.inference.take():
        return [one.judge([item])[0] for one, item in zip(loaded, seen, strict=True)]


def verdict(entries: list[Entry], data: bytes) -> "tuple[Entry, str, Verdict]":
    """The detector that fits an image, why it, and its verdict, by the image's content.

    With one detector to choose from it is that one, and nothing need be said.

    Raises:
        AccessError: when whoever asks may not judge images.
        BusyError: when too many wait already.
    """
    actions.require_judging()
    found = _verdicts(tuple(entry.version for entry in entries), sha256_bytes(data), entries, data)
    if len(entries) == 1:
        return entries[0], "", found[0]
    known = {entry.key: verdict.familiarity for entry, verdict in zip(entries, found, strict=True)}
    chosen = choose(known, {entry.key: entry.card.record[1].get("roc_auc") for entry in entries})
    return next((entry, chosen.why, one) for entry, one in zip(entries, found, strict=True) if entry.key == chosen.name)


@st.cache_data(max_entries=64, show_spinner=False)
def _operating(version: str, false_alarms: float, misses: float, _entry: Entry) -> Operating:
    from dfcore.evaluation import operating_for

    return operating_for(_entry.folder, _entry.card, Budget(false_alarms=false_alarms, misses=misses))


def operating(entry: Entry, budget: Budget) -> Operating:
    """The thresholds that keep an error budget; the card's where the detector brought nothing to choose others on."""
    try:
        return _operating(entry.version, budget.false_alarms, budget.misses, entry)
    except InputError:
        return entry.card.decision


@st.cache_data(max_entries=128, show_spinner="Judging the image after small changes …")
def _stability(version: str, image_sha256: str, _entry: Entry, _data: bytes) -> list[dict]:
    from dfcore.evaluation import stability

    loaded = detector(_entry)
    with inference_queue.inference.take():
        return stability(loaded, _data)


def stability(entry: Entry, data: bytes) -> list[dict]:
    """The scores of an image after small changes, by its content; raises as `verdict` does."""
    actions.require_judging()
    return _stability(entry.version, sha256_bytes(data), entry, data)


# Each holds 3 MB, and takes some tens of milliseconds to be made anew.
@st.cache_data(max_entries=8, show_spinner="Computing the heat-map …")
def _heatmap(
    version: str, image_sha256: str, method: str, target: str, layer: str | None, _entry: Entry, _data: bytes
) -> "Heatmap":
    loaded = detector(_entry)
    seen = decode_cache.look(_data, [loaded.spec]).squares[loaded.spec]
    with inference_queue.inference.take():
        return loaded.explain(seen, most=decode_cache.SIDE, method=method, target=target, layer=layer)


def heatmap(entry: Entry, data: bytes, method: str, target: str, layer: str | None) -> "Heatmap":
    """The heat-map of an image as `picture` shows it, by content and choices; raises as `verdict` does."""
    actions.require_judging()
    return _heatmap(entry.version, sha256_bytes(data), method, target, layer, entry, data)


def picture(data: bytes) -> "np.ndarray":
    """Decoded pixels for showing, at most `decode_cache.SIDE` a side."""
    return decode_cache.look(data).picture


@st.cache_data(max_entries=4, show_spinner=False)
def _pixels(image_sha256: str, most: int, _data: bytes) -> "np.ndarray":
    return sandbox.pixels(_data, most)


def pixels(data: bytes, most: int) -> "np.ndarray":
    """Decoded pixels for magnifying, at most so many a side, by content."""
    return _pixels(sha256_bytes(data), most, data)


def facts(data: bytes) -> ImageFacts:
    """What a file says of itself."""
    return decode_cache.look(data).facts


def dataset(root: Path) -> "Dataset":
    """A data set as it is on the disk now; unchanged files are not read again. Shows progress.

    Raises:
        LayoutError: when it is none.
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
    """A small PNG of an image, or None where it cannot be read; `stamp` is the file's time."""
    import io

    from PIL import Image

    try:
        # More than is shown, since the last resizing is another for enlarging.
        picture = Image.fromarray(sandbox.pixels(decoder.read_bytes(path), most=4 * side))
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
    """Stored predictions; `stamp` is the file's time."""
    from dfcore.evaluation import read_predictions

    return read_predictions(Path(path))


@st.cache_data(max_entries=64, show_spinner="Comparing on the same images …")
def comparison(
    first: str, first_stamp: float, second: str, second_stamp: float, thresholds: tuple[float, float]
) -> dict | None:
    """How two detectors compare on the images that both stored predictions hold; None where there are none."""
    from dfcore.evaluation import paired

    a, b = predictions(first, first_stamp), predictions(second, second_stamp)
    if not set(a.sha256) & set(b.sha256):
        return None
    return paired.compare(paired.join(a, b), *thresholds)


def stamp(path: str | Path) -> float:
    """A file's time of modification, as the key of a cache; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0
