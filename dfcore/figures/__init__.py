"""Plotly figures from plain data, in one colour language; no Streamlit."""

from dfcore.figures.base import FAKE_COLOUR, FINDING_COLOURS, NEUTRAL_COLOUR, REAL_COLOUR, SERIES_COLOURS
from dfcore.figures.confidence import answers, cross_evaluation, reliability, robustness, scores_so_far, stability
from dfcore.figures.curves import (
    CELL_TITLES,
    CELLS,
    confusion_matrix,
    curve_styles,
    precision_recall,
    roc,
    score_histogram,
    smooth,
    thinned,
    training_curves,
    zoomable,
)
from dfcore.figures.explanations import faithfulness
from dfcore.figures.films import Line, Moment, Panel, clock, timeline
from dfcore.figures.forensics import MOST_SHOWN, banded, linked, reduced

__all__ = [
    "CELLS",
    "CELL_TITLES",
    "FAKE_COLOUR",
    "FINDING_COLOURS",
    "Line",
    "MOST_SHOWN",
    "Moment",
    "NEUTRAL_COLOUR",
    "Panel",
    "REAL_COLOUR",
    "SERIES_COLOURS",
    "answers",
    "banded",
    "clock",
    "confusion_matrix",
    "cross_evaluation",
    "linked",
    "faithfulness",
    "curve_styles",
    "precision_recall",
    "reduced",
    "reliability",
    "robustness",
    "roc",
    "score_histogram",
    "scores_so_far",
    "smooth",
    "stability",
    "thinned",
    "timeline",
    "training_curves",
    "zoomable",
]
