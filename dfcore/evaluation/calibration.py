"""Whether a score can be read as a probability: reliability, and the expected calibration error."""

import numpy as np
from numpy.typing import ArrayLike

from dfcore.evaluation.inputs import check

BINS = 15


def reliability(labels: ArrayLike, scores: ArrayLike, bins: int = BINS) -> dict[str, np.ndarray]:
    """How many of the images with a score are fake, over equal bins of the score.

    Returns:
        Arrays over the bins that hold an image: score (their mean), share (of fakes among them), images.
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
    """Expected calibration error (ECE; Naeini et al., 2015) of P(fake), or None without images.

    The mean distance between score and share of fakes over equal bins, weighted by their images. It is never
    below zero: few images give a positive value even where the calibration is perfect.
    """
    points = reliability(labels, scores, bins)
    if not len(points["images"]):
        return None
    weights = points["images"] / points["images"].sum()
    return float((weights * np.abs(points["score"] - points["share"])).sum())
