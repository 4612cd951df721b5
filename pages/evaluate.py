"""Evaluate: metrics, curves and errors of a detector, at any threshold and image by image."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import detectors, error_reporting, panels, prediction_sources, stored, widgets
from dashboard.navigation import require_front_door
from dfcore import figures
from dfcore.evaluation import METRICS, evaluate_scores, precision_recall_points, roc_points
from dfcore.evaluation.metrics import headline

require_front_door()

_EXPORT = {"toImageButtonOptions": {"format": "png", "scale": 2}, "displaylogo": False}


def move_threshold(entry: detectors.Entry) -> float:
    """Slider for the threshold, stored in the URL; starts at the detector's own."""
    if st.session_state.setdefault("threshold_of", entry.key) != entry.key:
        st.session_state["threshold_of"] = entry.key
        st.session_state.pop("threshold", None)
    own = round(entry.card.threshold.value, 3)
    text = f"The card's is {own:.3f}: {entry.card.threshold.criterion}. Moving it affects this page only."
    return st.slider("Threshold: scores from here on are called fake", 0.0, 1.0, own, 0.001, format="%.3f",
                     key="threshold", bind="query-params", help=text)  # fmt: skip


def show_curves(
    labels: np.ndarray, scores: np.ndarray, metrics: dict[str, Any], source: prediction_sources.Source
) -> None:
    titles = widgets.titles(METRICS.values())
    roc, precision = roc_points(labels, scores), precision_recall_points(labels, scores)
    left, right = st.columns(2)
    if roc is None or precision is None:
        st.warning("Curves need both classes; these images have only one.", icon=":material/report:")
    else:
        with left:
            st.caption("ROC curve: fakes caught against false alarms")
            st.plotly_chart(figures.roc(roc, metrics, titles, split=source.key), key="roc", config=_EXPORT)
        with right:
            st.caption("Precision-recall curve")
            st.plotly_chart(
                figures.precision_recall(precision, metrics, titles), key="precision_recall", config=_EXPORT
            )
    left, right = st.columns(2)
    with left:
        st.caption("Score distribution")
        st.plotly_chart(figures.score_histogram(labels, scores, metrics["threshold"]), key="scores", config=_EXPORT)
    with right:
        st.caption("Confusion matrix: click a cell to see its images")
        st.plotly_chart(
            figures.confusion_matrix(metrics["confusion"]), key="cells", on_select="rerun", selection_mode="points",
            config={"displayModeBar": False},
        )  # fmt: skip


def chosen_cell() -> str | None:
    """The cell of the confusion matrix that was clicked or selected below it."""
    points = st.session_state.get("cells", {}).get("selection", {}).get("points", [])
    clicked = points[0]["customdata"][0] if points else None
    return st.pills(
        "Images of", figures.CELLS, default=clicked, format_func=figures.CELL_TITLES.__getitem__, key=f"cell_{clicked}",
        help="Same as clicking a cell: worst errors first.",
    )  # fmt: skip


def show_images(
    entry: detectors.Entry, source: prediction_sources.Source, predictions: pd.DataFrame, cell: str, threshold: float
) -> None:
    rows = prediction_sources.cell_rows(predictions, cell, threshold)
    if rows.empty:
        st.caption("There are no images in this cell.")
        return
    if source.root is None:
        st.info(prediction_sources.unknown_root(entry, source))
        st.dataframe(rows[["path", "score"]], hide_index=True)
        return
    items = []
    for row in rows.itertuples():
        file = prediction_sources.image_path(source, str(row.path))
        picture = stored.thumbnail(str(file), stored.stamp(file)) if file else None
        items.append((str(file or row.path), f"score {row.score:.3f}", picture))
    picked = widgets.gallery(items, f"cell_{cell}")
    if picked:
        widgets.inspect(Path(picked).name, Path(picked).read_bytes())


@error_reporting.fragment()
def show(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    with widgets.errors():
        show_at_threshold(entry, source)


def show_at_threshold(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    predictions = prediction_sources.table(source)
    labels, scores = predictions.label.to_numpy(int), predictions.score.to_numpy(float)
    threshold = move_threshold(entry)
    metrics = evaluate_scores(labels, scores, threshold).to_dict()
    st.caption(
        f"{metrics['images']:,} images ({metrics['real']:,} real, {metrics['fake']:,} fake) of the "
        f"{widgets.plain(source.title)}"
    )
    if made := source.self_made(entry.card):
        st.warning(widgets.plain(made), icon=":material/science:")
    if source.key == "validation":
        st.caption(widgets.plain(prediction_sources.used_for(entry)))
    elif source.measured:
        panels.show_overlap(source, predictions, threshold)
    widgets.show_metrics(metrics, headline())
    if more := widgets.folded("More metrics", "evaluate_more"):
        with more:
            widgets.show_metrics(metrics, [metric for metric in METRICS.values() if not metric.headline])
            st.code(metrics["report"], language=None)
            st.download_button("Predictions (CSV)", predictions.to_csv(index=False), "predictions.csv",
                               on_click="ignore", icon=":material/download:")  # fmt: skip
    show_curves(labels, scores, metrics, source)
    cell = chosen_cell()
    if cell:
        show_images(entry, source, predictions, cell, threshold)


_TABS = ("At a threshold", "Confidence", "Robustness", "Comparison")


def show_all(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    shown = (show, panels.show_confidence, panels.show_robustness, panels.show_comparison)
    for tab, draw in zip(st.tabs(_TABS, key="evaluate_tab", on_change="rerun"), shown, strict=True):
        if tab.open:
            with tab:
                draw(entry, source)


st.title("Evaluate")
chosen = widgets.choose_detector()
if chosen:
    with widgets.errors():
        known = {source.key: source for source in prediction_sources.sources(chosen)}
        if known:
            picked = st.segmented_control(
                "Measured on", list(known), format_func=lambda key: known[key].title, default=next(iter(known)),
                required=True, key="split", bind="query-params", help="The images behind the figures below.",
            )  # fmt: skip
            show_all(chosen, known[picked])
        else:
            st.info("This detector has no stored predictions. Measure it on a data set below.", icon=":material/info:")
        with st.expander("Evaluate on another data set", expanded=not known, icon=":material/add_chart:"):
            panels.measure_elsewhere(chosen)
        title = "Cross-evaluation: all detectors on all data sets"
        if matrix := widgets.folded(title, "evaluate_matrix", icon=":material/grid_on:"):
            with matrix:
                panels.show_matrix()
