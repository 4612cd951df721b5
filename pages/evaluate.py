"""Evaluate: metrics, curves and errors of a detector, at any threshold and image by image."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import (
    cross_evaluation,
    detectors,
    error_reporting,
    evaluation_figures,
    film_evaluation,
    panels,
    prediction_sources,
    stored,
    widgets,
)
from dashboard.navigation import require_front_door
from dfcore import figures
from dfcore.evaluation import METRICS
from dfcore.evaluation.metrics import headline

require_front_door()


def move_threshold(entry: detectors.Entry) -> float:
    """Slider for the threshold, stored in the URL; starts at the detector's own."""
    if st.session_state.setdefault("threshold_of", entry.key) != entry.key:
        st.session_state["threshold_of"] = entry.key
        st.session_state.pop("threshold", None)
    own = round(entry.card.threshold.value, 3)
    text = f"The card's is {own:.3f}: {entry.card.threshold.criterion}. Moving it affects this page only."
    asked = widgets.unfit("threshold", is_score)
    picked = st.slider("Threshold: scores from here on are called fake", 0.0, 1.0, own, 0.001, format="%.3f",
                       key="threshold", bind="query-params", help=text)  # fmt: skip
    if (gone := widgets.still_gone("threshold", picked, asked)) is not None:
        told = f"The link asks for a threshold of {gone}; it must be a number from 0 to 1. Shown is {picked:.3f}."
        st.warning(widgets.plain(told), icon=":material/link_off:")
    return picked


def is_score(text: str) -> bool:
    """Whether a text is a number from 0 to 1."""
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def choose_source(entry: detectors.Entry, known: dict[str, prediction_sources.Source]) -> prediction_sources.Source:
    """The images that the figures are of, stored in the URL; those measured just now are chosen."""
    if st.session_state.get("split_of", entry.key) != entry.key:
        # What was chosen for the detector before need not be there for this one.
        widgets.forget_address("split", st.session_state.get("split"))
    st.session_state["split_of"] = entry.key
    if (new := cross_evaluation.just_measured(entry)) in known:
        st.session_state["split"] = new
    picked = widgets.addressed(
        "Measured on", {key: source.title for key, source in known.items()}, "split", buttons=True,
        what="Split", help="The images behind the figures below.",
    )  # fmt: skip
    return known[picked]


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
        widgets.table(rows[["path", "score"]], f"Scores of the images: {figures.CELL_TITLES[cell]}")
        return
    items, films = [], {}
    for row in rows.itertuples():
        file = prediction_sources.image_path(source, str(row.path))
        picture = stored.thumbnail(str(file), stored.stamp(file)) if file else None
        films[str(file or row.path)] = getattr(row, "film", None)
        items.append((str(file or row.path), f"score {row.score:.3f}", picture))
    picked = widgets.gallery(items, f"cell_{cell}")
    if picked:
        widgets.inspect_file(Path(picked), films[picked], entry.key)


@error_reporting.fragment()
def show(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    with widgets.errors():
        show_at_threshold(entry, source)


def show_at_threshold(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    predictions = prediction_sources.table(source)
    labels, scores = predictions.label.to_numpy(int), predictions.score.to_numpy(float)
    threshold = move_threshold(entry)
    metrics = prediction_sources.metrics(source, threshold)
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
    evaluation_figures.show(labels, scores, metrics, source)
    film_evaluation.show(predictions, source, threshold)
    cell = chosen_cell()
    if cell:
        show_images(entry, source, predictions, cell, threshold)


_TABS = ("At a threshold", "Confidence", "Robustness", "Comparison")


def show_all(entry: detectors.Entry, source: prediction_sources.Source) -> None:
    panels.show_refused(prediction_sources.table(source))
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
            show_all(chosen, choose_source(chosen, known))
        else:
            st.info("This detector has no stored predictions. Measure it on a data set below.", icon=":material/info:")
        with st.expander("Evaluate on another data set", expanded=not known, icon=":material/add_chart:"):
            cross_evaluation.offer(chosen)
        title = "Cross-evaluation: all detectors on all data sets"
        if matrix := widgets.folded(title, "evaluate_matrix", icon=":material/grid_on:"):
            with matrix:
                cross_evaluation.show_matrix()
