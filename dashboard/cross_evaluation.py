"""Detectors on other data sets than their own: measuring one, and the matrix of all detectors and data sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import actions, detectors, inference_queue, stored, widgets
from dfcore import figures, workspace
from dfcore.datasets import SPLITS
from dfcore.datasets.registry import registered
from dfcore.evaluation import mostly_refused, results, splits_as_trained
from dfcore.evaluation.metrics import summary
from dfcore.evaluation.overlap import cell
from dfcore.evaluation.results import Measurement

_ALL = "all"
_NEW = "just_measured"
# Cells told in the text alternative of the matrix.
_MOST_TOLD = 20
# Root and split of a data set.
_Column = tuple[str, str]


def offer(entry: detectors.Entry) -> None:
    """Offers to measure a detector on another registered data set; Evaluate then shows the result."""
    folders = [str(path) for path in registered()]
    if not folders:
        widgets.empty("Register another data set first.", "datasets", "Data sets", "photo_library")
        return
    a, b, c = st.columns([5, 4, 3], vertical_alignment="bottom")
    root = a.selectbox("Other data set", folders, format_func=lambda name: Path(name).name, key="other_data",
                       help="Registered under Data sets.")  # fmt: skip
    split = b.selectbox("Split", [_ALL, *SPLITS], key="other_split", help="all: every labelled image.")
    if c.button("Measure", icon=":material/play_arrow:", help="Scores its images; takes seconds to minutes."):
        st.session_state[_NEW] = entry.key, _measure(entry, Path(root), split).stem
        st.rerun()


def just_measured(entry: detectors.Entry) -> str | None:
    """Key of the source that was measured in the run before, if it was with this detector; told once."""
    key, source = st.session_state.pop(_NEW, (None, None))
    return source if key == entry.key else None


def _measure(entry: detectors.Entry, root: Path, split: str) -> Path:
    """Measures a detector on a data set and stores the result; returns the file of its predictions."""
    from dfcore.evaluation import measure

    actions.require_measuring()
    progress = widgets.progress("Loading the detector …")
    dataset = splits_as_trained(entry.card, stored.dataset(root), detectors.detector(entry).trained_on)
    with inference_queue.measuring.take():
        metrics, result = measure(
            detectors.detector(entry), dataset, None if split == _ALL else split, cache_dir=workspace.cache_dir(),
            progress=progress,
        )  # fmt: skip
    metrics["root"] = str(dataset.root)
    return results.store(workspace.measurements_dir(), entry.card.model_sha256, metrics, result)


def show_matrix() -> None:
    """Shows one metric of the detectors on each data set, and measures what is still empty.

    Runs that were never measured on another data set have no row, but can be chosen below.
    """
    entries = detectors.detectors()
    by_detector = {entry.key: {_column(one): one for one in _measured(entry)} for entry in entries}
    if any(by_detector.values()):
        _draw([entry for entry in entries if entry.run is None or by_detector[entry.key]], by_detector)
    else:
        st.info("No detector was measured on another data set yet. Measure one here.", icon=":material/grid_on:")
    _fill(entries, by_detector)


def _draw(entries: list[detectors.Entry], by_detector: Mapping[str, Mapping[_Column, Measurement]]) -> None:
    titles = widgets.titles(summary())
    key = st.segmented_control("Metric", list(titles), format_func=titles.__getitem__, default="roc_auc",
                               required=True, key="matrix_figure", help="The metric shown in the cells.")  # fmt: skip
    columns = _columns(by_detector)
    rows = [
        {"detector": _name(entry), "data set": title} | _cell(by_detector[entry.key].get(column), key)
        for entry in entries
        for column, title in columns.items()
    ]
    told = [f"{row['detector']} on {row['data set']}: {row['value']:.3f}" for row in rows if row["value"] is not None]
    widgets.chart(
        figures.cross_evaluation(rows), "matrix",
        f"{titles[key]} of each detector on each data set. {'; '.join(told[:_MOST_TOLD])}.",
    )  # fmt: skip
    st.caption(
        "Figures that include images which the detector was trained on are far too optimistic; the cells say how many."
    )


def _fill(entries: list[detectors.Entry], by_detector: Mapping[str, Mapping[_Column, Measurement]]) -> None:
    """Measures one of the empty cells, on all images of its data set."""
    folders = [str(path) for path in registered()]
    empty = {
        entry.key: left
        for entry in entries
        if (left := [folder for folder in folders if (folder, _ALL) not in by_detector[entry.key]])
    }
    if not empty:
        text = "Every detector was measured on every registered data set."
        st.caption(text if folders else "Register data sets under Data sets to measure detectors on them.")
        return
    known = {entry.key: entry for entry in entries}
    a, b, c = st.columns([5, 4, 3], vertical_alignment="bottom")
    name = a.selectbox("Empty cell: detector", list(empty), format_func=lambda key: known[key].title,
                       key="matrix_detector", help="Detectors that were not measured on every data set.")  # fmt: skip
    root = b.selectbox("Data set", empty[name], format_func=lambda folder: Path(folder).name, key="matrix_data",
                       help="Those that this detector was not measured on as a whole.")  # fmt: skip
    if c.button("Fill this cell", icon=":material/play_arrow:", key="matrix_go",
                help="Scores every labelled image of the data set; takes seconds to minutes."):  # fmt: skip
        _measure(known[name], Path(root), _ALL)
        st.rerun()


def _columns(by_detector: Mapping[str, Mapping[_Column, Measurement]]) -> dict[_Column, str]:
    """Titles of the columns: what was measured, then the other registered data sets; unique."""
    result = {column: one.title for measured in by_detector.values() for column, one in measured.items()}
    for folder in registered():
        result.setdefault((str(folder), _ALL), f"{folder.name}, {_ALL}")
    names = list(result.values())
    return {
        (root, split): f"{title} ({Path(root).parent})" if names.count(title) > 1 else title
        for (root, split), title in result.items()
    }


def _cell(one: Measurement | None, key: str) -> dict[str, Any]:
    """Value and text of a cell."""
    if one is None:
        return {"value": None, "text": "not measured"}
    value = one.metrics.get(key)
    text = "one class only" if value is None else f"{value:.3f}<br>{one.metrics['images']:,} images"
    return {"value": value, "text": text + _refused(one.metrics) + _trained_on(one.metrics)}


def _refused(metrics: Mapping[str, Any]) -> str:
    """Line of a cell that tells that the detector refused most of its images; "" if it did not."""
    rate = metrics.get("three_way", {}).get("ood_rate")
    return f"<br>({rate:.0%} refused)" if mostly_refused(metrics["images"], rate) else ""


def _trained_on(metrics: Mapping[str, Any]) -> str:
    """Line of a cell that tells how many of its images the detector was trained on; "" if none was found."""
    text = cell(metrics.get("trained_on"), same_data=bool(metrics.get("same_data_as_training")))
    return {"none found": "", "unknown": "<br>trained on: unknown", "yes": "<br>(trained on it)"}.get(
        text, f"<br>trained on: {text}"
    )


def _column(one: Measurement) -> _Column:
    return str(one.metrics["root"]), str(one.metrics["split"])


def _name(entry: detectors.Entry) -> str:
    return f"Run {entry.run.id}" if entry.run else entry.key


def _measured(entry: detectors.Entry) -> list[Measurement]:
    """Stored measurements of a detector on other data sets."""
    return results.stored(workspace.measurements_dir(), entry.card.model_sha256)
