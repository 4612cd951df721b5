"""Detector results for the pages, cached by image content: verdicts, thresholds, stability, heat-maps, pixels."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import actions, decode_cache, file_evidence, inference_queue
from dashboard.detectors import Entry, detector
from dfcore.confidence import NOT_CHECKED, DecisionThresholds, ErrorBudget
from dfcore.detectors import spare_networks
from dfcore.detectors.selection import needed, select_detector
from dfcore.errors import DfcoreError, ImageError, InputError, TransientImageError
from dfcore.imaging import ImageFacts, PreparedImage
from dfcore.utils.files import sha256_bytes

if TYPE_CHECKING:
    import numpy as np

    from dfcore.detectors.verdict import Verdict
    from dfcore.evaluation import MeasuredRates
    from dfcore.explanation import Evidence, Faithfulness, Heatmap, Target


# As many as forty sessions may have pictures: with fewer, some sessions would judge all of theirs again at every run.
# Each takes 2 KB.
_MOST = 4_096


@st.cache_data(max_entries=3 * _MOST, show_spinner=False)
def _verdict(version: str, image_sha256: str, _entry: Entry, _image: PreparedImage | ImageError) -> "Verdict":
    """The verdict of one detector; whoever asks has a turn."""
    return detector(_entry).judge([_image])[0]


@st.cache_data(max_entries=_MOST, show_spinner=False)
def _verdicts(versions: tuple[str, ...], image_sha256: str, _entries: list[Entry], _data: bytes) -> "list[Verdict]":
    image = _prepared(image_sha256, _entries, _data)
    # One turn for all detectors, so that a request queues only once.
    with inference_queue.inference.take():
        return [_verdict(entry.version, image_sha256, entry, image) for entry in _entries]


@st.cache_data(max_entries=_MOST, show_spinner=False)
def _chosen(
    versions: tuple[str, ...], image_sha256: str, _entries: list[Entry], _data: bytes
) -> "tuple[str, str, Verdict]":
    """Key of the detector that fits an image, why, and its verdict; networks that cannot be chosen do not run."""
    by_key = {entry.key: entry for entry in _entries}
    known: dict[str, Verdict] = {}
    records = {entry.key: entry.card.record[1].get("roc_auc") for entry in _entries}
    image = _prepared(image_sha256, _entries, _data)
    foreseen = {
        entry.key: NOT_CHECKED if isinstance(image, ImageError) else detector(entry).foreseen(image)
        for entry in _entries
    }
    with inference_queue.inference.take():
        while (key := needed(foreseen, {key: one.ood for key, one in known.items()}, records)) is not None:
            known[key] = _verdict(by_key[key].version, image_sha256, by_key[key], image)
    choice = select_detector(foreseen | {key: one.ood for key, one in known.items()}, records)
    return choice.name, choice.why, known[choice.name]


def _prepared(image_sha256: str, entries: list[Entry], data: bytes) -> PreparedImage | ImageError:
    """The image as these detectors see it, or why it cannot be read; an error that may pass is raised."""
    try:
        result: PreparedImage | ImageError = decode_cache.prepare(data, [detector(entry).spec for entry in entries])
    except TransientImageError:
        raise
    except ImageError as error:
        result = error
    # Shown beside the verdict; read by another process while the picture is judged, and not while it is decoded: each
    # takes up to half a gigabyte for a large one.
    file_evidence.read_ahead(image_sha256, data)
    return result


def verdict(entries: list[Entry], data: bytes) -> "tuple[Entry, str, Verdict]":
    """Selects the detector that fits an image, see `dfcore.detectors.selection`.

    Returns:
        The detector, the reason for choosing it ("" if there is only one), and its verdict.

    Raises:
        AccessError: If the user may not judge images.
        BusyError: If too many requests are waiting.
    """
    if len(entries) == 1:
        return entries[0], "", verdicts(entries, data)[0]
    actions.require_judging()
    try:
        versions = tuple(entry.version for entry in entries)
        name, why, result = _chosen(versions, sha256_bytes(data), entries, data)
    except TransientImageError:  # See `verdicts`; of no detector anything is known.
        why = select_detector(dict.fromkeys(versions, NOT_CHECKED), {}).why
        return entries[0], why, verdicts(entries[:1], data)[0]
    return next(entry for entry in entries if entry.key == name), why, result


def verdicts(entries: list[Entry], data: bytes) -> "list[Verdict]":
    """The verdict of each detector on an image, in their order; raises like `verdict`."""
    actions.require_judging()
    try:
        return _verdicts(tuple(entry.version for entry in entries), sha256_bytes(data), entries, data)
    except TransientImageError as error:  # Told, but not kept: it may be read when tried again.
        return [detector(entry).judge([error])[0] for entry in entries]


@st.cache_data(max_entries=128, show_spinner=False)
def _rates(version: str, thresholds: str, _entry: Entry, _at: DecisionThresholds) -> Any:
    from dfcore.evaluation import measured_rates

    return measured_rates(_entry.folder, _entry.card, _at)


def rates(entry: Entry, at: DecisionThresholds) -> "MeasuredRates | None":
    """What a detector was measured to do at thresholds; None if its bundle does not tell, or holds damaged figures."""
    try:
        # By all of them: the worst source depends on the error budget, which may give the same two thresholds.
        return _rates(entry.version, at.model_dump_json(), entry, at)
    except DfcoreError:
        return None


@st.cache_data(max_entries=64, show_spinner=False)
def _thresholds(version: str, max_fpr: float, max_fnr: float, _entry: Entry) -> DecisionThresholds:
    from dfcore.evaluation import thresholds_for

    return thresholds_for(_entry.folder, _entry.card, ErrorBudget(max_fpr=max_fpr, max_fnr=max_fnr))


def thresholds(entry: Entry, budget: ErrorBudget) -> DecisionThresholds:
    """Thresholds that meet an error budget; the card's if the detector has no stored predictions to choose them on."""
    try:
        return _thresholds(entry.version, budget.max_fpr, budget.max_fnr, entry)
    except InputError:
        return entry.card.thresholds


@st.cache_data(max_entries=128, show_spinner="Rescoring the image after small changes …")
def _stability(version: str, image_sha256: str, _entry: Entry, _data: bytes) -> list[dict]:
    from dfcore.evaluation import stability

    loaded = detector(_entry)
    with inference_queue.inference.take():
        return stability(loaded, _data)


def stability(entry: Entry, data: bytes) -> list[dict]:
    """Scores of an image after small changes; raises like `verdict`."""
    actions.require_judging()
    return _stability(entry.version, sha256_bytes(data), entry, data)


# At most 0.2 MB each, and mostly 1 KB: enough that no session computes again what another one pushed out.
@st.cache_data(max_entries=512, show_spinner="Computing the heat-map …")
def _evidence(
    version: str,
    image_sha256: str,
    method: str,
    target: "Target",
    layer: str | None,
    view: int,
    _entry: Entry,
    _data: bytes,
) -> "Evidence":
    loaded = detector(_entry)
    image = decode_cache.prepare(_data, [loaded.spec])
    with inference_queue.inference.take():
        result = loaded.explainer().evidence(
            image.inputs[loaded.spec], method=method, target=target, layer=layer, view=view
        )
    spare_networks.used(loaded)
    return result


def heatmap(entry: Entry, data: bytes, method: str, target: "Target", layer: str | None, view: int = 0) -> "Heatmap":
    """The heat-map of one view of an image, at the size of `picture`; raises like `verdict`."""
    actions.require_judging()
    found = _evidence(entry.version, sha256_bytes(data), method, target, layer, view, entry, data)
    size = (seen := facts(data)).height, seen.width
    return found.over(entry.card.spec, size, min(1.0, decode_cache.SIDE / max(size)))


@st.cache_data(max_entries=128, show_spinner="Blotting out parts of the image, and scoring it each time …")
def _faithfulness(
    version: str, image_sha256: str, shown: tuple[str, str, str | None, int], _entry: Entry, _data: bytes,
    _heatmap: "Heatmap",
) -> "Faithfulness":  # fmt: skip
    from dfcore.evaluation.maps import faithfulness_of

    loaded = detector(_entry)
    image = decode_cache.prepare(_data, [loaded.spec])
    with inference_queue.inference.take():
        return faithfulness_of(loaded, image, _heatmap)


def faithfulness(entry: Entry, data: bytes, heatmap: "Heatmap") -> "Faithfulness":
    """Deletion and insertion by a heat-map of the image, against random orders; raises like `verdict`."""
    actions.require_judging()
    shown = (heatmap.method, heatmap.target, heatmap.layer, heatmap.view)
    return _faithfulness(entry.version, sha256_bytes(data), shown, entry, data, heatmap)


def picture(data: bytes) -> "np.ndarray":
    """Decoded pixels for display, (H, W, 3) RGB uint8, at most `decode_cache.SIDE` per side."""
    return decode_cache.preview(data)


def facts(data: bytes) -> ImageFacts:
    """Format, size and metadata of an image file."""
    return decode_cache.described(data)[0]
