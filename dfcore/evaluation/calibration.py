"""Reliability curve and expected calibration error: whether scores can be read as probabilities."""

import numpy as np
from numpy.typing import ArrayLike

from dfcore.evaluation.inputs import check

BINS = 15


def reliability(labels: ArrayLike, scores: ArrayLike, bins: int = BINS) -> dict[str, np.ndarray]:
    """Computes the share of fakes in equal-width bins of the score.

    Args:
        labels: 0 real, 1 fake, shape (N,).
        scores: P(fake) in [0, 1], shape (N,).
        bins: Number of bins.

    Returns:
        Arrays over the non-empty bins: score (mean score), share (share of fakes), images (count).
    """
    y, s = check(labels, scores)
    number = np.minimum((s * bins).astype(int), bins - 1)
    images = np.bincount(number, minlength=bins)
    filled = images > 0
    safe = np.maximum(images, 1)
    score = np.bincount(number, s, minlength=bins) / safe
    share = np.bincount(number, y, minlength=bins) / safe
    return {"score": score[filled], "share": share[filled], "images": images[filled]}


def calibration_error(labels: ArrayLike, scores: ArrayLike, bins: int = BINS) -> float | None:
    """Expected calibration error (ECE; Naeini et al., 2015) of P(fake), in [0, 1]; None without images.

    The mean absolute difference between score and share of fakes over equal-width bins, weighted by bin counts. It is
    biased upwards: with few images it is positive even if the calibration is perfect.
    """
    points = reliability(labels, scores, bins)
    if not len(points["images"]):
        return None
    weights = points["images"] / points["images"].sum()
    return float((weights * np.abs(points["score"] - points["share"])).sum())
