"""Evaluate's figures for whole films, where the images are frames of films."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import prediction_sources, stored, widgets
from dfcore import figures
from dfcore.evaluation import METRICS, film_scores, roc_points
from dfcore.evaluation.by_film import INTERVALS, in_words, why_none

_HELP = (
    "The score of a film is the mean of the scores of its frames. The thresholds were chosen on single images; ROC AUC "
    "needs none. Intervals are those of 95%, over films."
)


def show(predictions: pd.DataFrame, source: prediction_sources.Source, threshold: float) -> None:
    """Shows them; nothing where no image is a frame of a film.

    Args:
        predictions: The table of the source.
        source: The images.
        threshold: Scores from here on are called fake.
    """
    if "film" not in predictions:
        return
    result = stored.film_metrics(str(source.predictions), stored.stamp(source.predictions), threshold)
    if result is None:
        if why := why_none(predictions):
            st.caption(why)
        return
    st.subheader("By film", help=_HELP)
    st.caption(widgets.plain(" ".join(in_words(result))))
    left, right = st.columns(2)
    with left:
        _roc(predictions, source, result)
    with right:
        widgets.table(pd.DataFrame([_row(key, result) for key in _shown()]), "Figures for whole films")


def _roc(predictions: pd.DataFrame, source: prediction_sources.Source, result: dict[str, Any]) -> None:
    films = film_scores(predictions)
    points = roc_points(films.label.to_numpy(int), films.score.to_numpy(float))
    if points is None:
        st.warning("The curve needs both classes; these films have only one.", icon=":material/report:")
        return
    st.caption("ROC curve of films: fakes caught against false alarms")
    widgets.chart(
        figures.roc(points, result, widgets.titles(METRICS.values()), split=source.short, what="films"), "roc_films",
        f"ROC curve of films: ROC AUC {result['roc_auc']:.3f}; at threshold {result['threshold']:.3f} "
        f"{result['recall']:.1%} of the fake films are caught at {result['false_positive_rate']:.1%} false alarms.",
    )  # fmt: skip


def _shown() -> list[str]:
    return [key for key, metric in METRICS.items() if metric.summary or key in INTERVALS]


def _row(key: str, result: dict[str, Any]) -> dict[str, str]:
    metric, ends = METRICS[key], result["intervals"].get(key)
    between = f"{metric.shown(ends[0])} to {metric.shown(ends[1])}" if ends else ""
    return {"figure": metric.title, "value": metric.shown(result[key]), "95% interval": between}
