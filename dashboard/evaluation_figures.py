"""The four figures of Evaluate at a threshold: both curves, the scores, and the confusion matrix to click on."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard import prediction_sources, widgets
from dfcore import figures
from dfcore.evaluation import METRICS, precision_recall_points, roc_points
from dfcore.labels import FAKE, REAL


def show(labels: np.ndarray, scores: np.ndarray, metrics: dict[str, Any], source: prediction_sources.Source) -> None:
    """Draws them from the labels, int (N,), and the scores, (N,), of the images and their metrics at the threshold."""
    titles = widgets.titles(METRICS.values())
    roc, precision = roc_points(labels, scores), precision_recall_points(labels, scores)
    at = f"at threshold {metrics['threshold']:.3f}"
    left, right = st.columns(2)
    if roc is None or precision is None:
        st.warning("Curves need both classes; these images have only one.", icon=":material/report:")
    else:
        with left:
            st.caption("ROC curve: fakes caught against false alarms")
            widgets.chart(
                figures.roc(roc, metrics, titles, split=source.short), "roc",
                f"ROC curve: ROC AUC {metrics['roc_auc']:.3f}; {at} {metrics['recall']:.1%} of the fakes are caught at "
                f"{metrics['false_positive_rate']:.1%} false alarms.",
            )  # fmt: skip
        with right:
            st.caption("Precision-recall curve")
            precise = "not computed" if metrics["precision"] is None else f"{metrics['precision']:.1%}"
            widgets.chart(
                figures.precision_recall(precision, metrics, titles), "precision_recall",
                f"Precision-recall curve: average precision {metrics['average_precision']:.3f}; {at} precision is "
                f"{precise} at a recall of {metrics['recall']:.1%}.",
            )  # fmt: skip
    left, right = st.columns(2)
    with left:
        st.caption("Score distribution")
        widgets.chart(
            figures.score_histogram(labels, scores, metrics["threshold"]), "scores",
            f"Histogram of the scores: {_median('real', scores[labels == REAL])}, "
            f"{_median('fake', scores[labels == FAKE])}.",
        )  # fmt: skip
    with right:
        st.caption("Confusion matrix: click a cell to see its images")
        cells = "; ".join(f"{figures.CELL_TITLES[cell]}: {metrics['confusion'][cell]:,}" for cell in figures.CELLS)
        widgets.chart(
            figures.confusion_matrix(metrics["confusion"]), "cells", f"Confusion matrix. {cells}.",
            on_select="rerun", selection_mode="points", config={"displayModeBar": False},
        )  # fmt: skip


def _median(name: str, scores: np.ndarray) -> str:
    return f"half of the {name} images score below {np.median(scores):.2f}" if len(scores) else f"no {name} image"
