"""Available detectors, and the cache of loaded ones, shared by all sessions.

TensorFlow is imported lazily: Home renders without it.
"""

import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.stored import runs
from dfcore.detectors.bundle import read_card
from dfcore.detectors.card import Card
from dfcore.detectors.library import default_name, is_shipped, list_bundles
from dfcore.errors import BundleError, DfcoreError
from dfcore.runs import Run, State, readable, summary
from dfcore.utils import memory
from dfcore.utils.files import sha256_bytes

if TYPE_CHECKING:
    from dfcore.detectors.detector import Detector
    from dfcore.explanation import Explainer

# Maximum number of loaded detectors.
_IN_MEMORY = 4
# Loaded objects already covered by `memory.settle`.
_settled: "weakref.WeakSet[Detector | Explainer]" = weakref.WeakSet()
_loaded: "weakref.WeakValueDictionary[str, Detector]" = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Entry:
    """A selectable detector, from the library or from a completed run.

    Attributes:
        key: Identifier in the URL: "name" or "run:id".
        folder: Bundle folder.
        title: Name shown to users.
        card: Model card.
        run: Run that produced it; None for a library detector.
    """

    key: str
    folder: Path
    title: str
    card: Card
    run: Run | None = None

    @property
    def version(self) -> str:
        """Hash of its card, which covers model, calibration and thresholds."""
        return sha256_bytes(self.card.model_dump_json().encode())

    @property
    def shipped(self) -> bool:
        """Whether it ships with the package and so cannot be renamed or deleted."""
        return is_shipped(self.folder)


def library() -> tuple[list[Entry], list[str]]:
    """Detectors of the workspace and of the package, the default first, and error messages for unreadable ones."""
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
    """All available detectors: the library's, then those of completed runs."""
    result = library()[0]
    for run in runs():
        status = readable(run.status)
        if status is None or status.state is not State.COMPLETED:
            continue
        with suppress(BundleError):  # Monitor reports the damage.
            title = f"Run {run.id}: {summary(run)['name']}"
            result.append(Entry(f"run:{run.id}", run.bundle, title, read_card(run.bundle), run))
    return result


@st.cache_resource(max_entries=_IN_MEMORY, show_spinner="Loading the detector …")
def _load(folder: str, version: str) -> "Detector":
    from dfcore.detectors.detector import Detector

    return Detector.load(folder)


def detector(entry: Entry) -> "Detector":
    """The loaded detector, shared by all sessions."""
    result = _loaded[entry.version] = _load(str(entry.folder), entry.version)
    _settle_with(result)
    return result


def is_loaded(entry: Entry) -> bool:
    """Whether `detector` gives it at once."""
    return entry.version in _loaded


def explainer(entry: Entry) -> "Explainer":
    """The explainer that computes a detector's heat-maps; building it takes seconds the first time."""
    result = detector(entry).explainer()
    _settle_with(result)
    return result


def _settle_with(new: "Detector | Explainer") -> None:
    """Calls `memory.settle` once per loaded object, after the cache has evicted the oldest."""
    if new not in _settled:
        _settled.add(new)
        memory.settle()


def warm(entries: list[Entry]) -> None:
    """Loads detectors before the first image arrives, and prepares their heat-maps in the background."""
    _warm([detector(entry) for entry in entries[:_IN_MEMORY]], tuple(entry.version for entry in entries[:_IN_MEMORY]))


@st.cache_resource(max_entries=16, show_spinner=False)
def _warm(_loaded: "list[Detector]", versions: tuple[str, ...]) -> threading.Thread:
    def work() -> None:
        for one in _loaded:
            # The error is shown when a heat-map is requested.
            with suppress(DfcoreError):
                one.warm()
        memory.settle()

    thread = threading.Thread(target=work, daemon=True, name="warm")
    thread.start()
    return thread
