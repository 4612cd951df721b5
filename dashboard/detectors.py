"""The detectors that pages offer, and those that are loaded; one in memory however many sessions look at it.

TensorFlow is imported by what needs it: Home is painted without.
"""

import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runtime_tuning
from dashboard.stored import runs
from dfcore.detectors.bundle import read_card
from dfcore.detectors.card import Card
from dfcore.detectors.library import default_name, is_shipped, list_bundles
from dfcore.errors import BundleError, DfcoreError
from dfcore.runs import Run, State, readable, summary
from dfcore.utils.files import sha256_bytes

if TYPE_CHECKING:
    from dfcore.detectors.detector import Detector
    from dfcore.explanation import Explainer

# Detectors that are held loaded.
_IN_MEMORY = 4
# Those that the memory was settled with.
_settled: "weakref.WeakSet[Detector | Explainer]" = weakref.WeakSet()


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

    @property
    def shipped(self) -> bool:
        """Whether it belongs to the installed package, so that it can be neither renamed nor deleted."""
        return is_shipped(self.folder)


def library() -> tuple[list[Entry], list[str]]:
    """Detectors of the workspace and those that ship, the default first; and what is wrong with those left out."""
    result, problems = [], []
    default = default_name()
    for path in list_bundles():
        try:
            card = read_card(path)
        except BundleError as error:
            problems.append(str(error))
            continue
        mark = " (default)" if path.name == default else ""
        result.append(Entry(path.name, path, f"{path.name}: {card.title}{mark}", card))
    return result, problems


def detectors() -> list[Entry]:
    """All detectors at hand: the library's, then those of completed runs."""
    result = library()[0]
    for run in runs():
        status = readable(run.status)
        if status is None or status.state is not State.COMPLETED:
            continue
        with suppress(BundleError):  # Monitor shows the run.
            title = f"Run {run.id}: {summary(run)['name']}"
            result.append(Entry(f"run:{run.id}", run.bundle, title, read_card(run.bundle), run))
    return result


@st.cache_resource(max_entries=_IN_MEMORY, show_spinner="Loading the detector …")
def _load(folder: str, version: str) -> "Detector":
    from dfcore.detectors.detector import Detector

    return Detector.load(folder)


def detector(entry: Entry) -> "Detector":
    """The loaded detector; one in memory however many sessions look at it."""
    result = _load(str(entry.folder), entry.version)
    _settle_with(result)
    return result


def explainer(entry: Entry) -> "Explainer":
    """What makes a detector's heat-maps, which the detector holds; the first one takes seconds."""
    result = detector(entry).explainer()
    _settle_with(result)
    return result


def _settle_with(new: "Detector | Explainer") -> None:
    """Settles the memory when something is there for the first time: by now the cache has let the oldest go."""
    if new not in _settled:
        _settled.add(new)
        runtime_tuning.settle()


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
