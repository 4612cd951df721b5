"""Figures for whole films: the score of a film is the plain mean of the calibrated scores of its frames.

The mean of scores, not of logits: a logit has no bound, so that one frame could outweigh all others, and the thresholds
of a detector lie on the scale of scores. All frames count, also those that the detector would refuse: which these are
depends on the detector, and a film without any other would be missing from the figures. The thresholds were chosen on
single images; the mean of many frames lies closer to the middle than these do, so ROC AUC, which needs no threshold, is
the first figure to look at. It measures how films are ranked and gives no verdict for a film.
"""

from typing import Any

import numpy as np
import pandas as pd

from dfcore.confidence import DecisionThresholds, is_fake
from dfcore.evaluation.bootstrap import auc, interval
from dfcore.evaluation.metrics import evaluate_scores
from dfcore.evaluation.three_way import three_way
from dfcore.utils.texts import counted

# Figures with an interval over films.
INTERVALS = ("roc_auc", "balanced_accuracy")


def film_scores(table: pd.DataFrame) -> pd.DataFrame:
    """The films of a table of predictions.

    Args:
        table: Predictions with columns film (missing for what is no frame), label, score and, if known, is_ood.

    Returns:
        A row for each film: film, label, score, frames, and refused, the share of its frames that the detector would
        refuse. Films whose frames have both labels are left out, and counted in `attrs["mixed"]`. Without a column film
        there are none.
    """
    columns = ["film", "label", "score", "frames", "refused"]
    known = table[table.film.notna() & (table.film != "")] if "film" in table else table.iloc[:0]
    if known.empty:
        result = pd.DataFrame(columns=columns)
        result.attrs["mixed"] = 0
        return result
    is_ood = known.is_ood.fillna(False).astype(bool) if "is_ood" in known else pd.Series(False, known.index)
    grouped = known.assign(refused=is_ood).groupby("film", sort=True)
    films = grouped.agg(
        label=("label", "first"), labels=("label", "nunique"), score=("score", "mean"), frames=("score", "size"),
        refused=("refused", "mean"),
    )  # fmt: skip
    whole = films[films.labels == 1].reset_index()[columns]
    whole["label"] = whole.label.astype(int)
    # A mean of scores of 1 may exceed it by rounding.
    whole["score"] = whole.score.astype(float).clip(0, 1)
    whole.attrs["mixed"] = int((films.labels > 1).sum())
    return whole


def by_film(
    table: pd.DataFrame, threshold: float, thresholds: DecisionThresholds | None = None
) -> dict[str, Any] | None:
    """All metrics of the films in a table of predictions; None if there are no films.

    Args:
        table: See `film_scores`.
        threshold: Threshold of the two-way decision.
        thresholds: Thresholds of the three-way decision; None leaves its rates out.

    Returns:
        The entries of `MetricsResult.to_dict`, of films in place of images; films, frames (their number in all),
        fewest and most (frames of a film), mixed (films with frames of both classes, which are left out), refused
        (films of which the detector would refuse more than half of the frames), three_way, and intervals: for each of
        `INTERVALS` the lower and upper end of the 95% interval over films, or None.
    """
    films = film_scores(table)
    if films.empty:
        return None
    labels, scores = films.label.to_numpy(int), films.score.to_numpy(float)
    result = evaluate_scores(labels, scores, threshold).to_dict()
    called = is_fake(scores, threshold)
    intervals = {
        "roc_auc": interval(labels, scores, auc),
        "balanced_accuracy": interval(labels, called.astype(float), _balanced),
    }
    result |= {
        "films": len(films),
        "frames": int(films.frames.sum()),
        "fewest": int(films.frames.min()),
        "most": int(films.frames.max()),
        "mixed": int(films.attrs["mixed"]),
        "refused": int((films.refused > 0.5).sum()),
        "intervals": {key: list(ends) if ends else None for key, ends in intervals.items()},
    }
    if thresholds is not None:
        result["three_way"] = three_way(films.label, films.score, thresholds)
    return result


def _balanced(real: np.ndarray, fake: np.ndarray) -> float:
    """Balanced accuracy by which real ones and which fakes are called fake, as 0 and 1."""
    return float(1 - real.mean() + fake.mean()) / 2


def why_none(table: pd.DataFrame) -> str:
    """Why there are no figures for films although images have one, a sentence; "" if none has.

    Args:
        table: See `film_scores`.
    """
    mixed = film_scores(table).attrs["mixed"]
    both = counted(mixed, "film has", "films have")
    return f"{both} real and fake frames, so there are no figures by film." if mixed else ""


def in_words(result: dict[str, Any]) -> list[str]:
    """What the figures are of, and what limits them, in sentences.

    Args:
        result: From `by_film`.
    """
    few, many = result["fewest"], result["most"]
    frames = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    told = [
        f"{counted(result['films'], 'film', 'films')} ({result['real']:,} real, {result['fake']:,} fake) with {frames} "
        f"{'frame' if many == 1 else 'frames'} each: the "
        "score of a film is the mean of the scores of its frames."
    ]
    if result["refused"]:
        told.append(f"Of {result['refused']:,} of them the detector would refuse more than half of the frames.")
    if result["mixed"]:
        told.append(f"{result['mixed']:,} more have real and fake frames and are left out.")
    return told
