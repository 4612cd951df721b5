"""What calibration and the three-way verdict are worth on labelled images."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dfcore.confidence import CALLS, Operating
from dfcore.evaluation.metrics import check
from dfcore.labels import FAKE, NAMES, REAL

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
    found = reliability(labels, scores, bins)
    if not len(found["images"]):
        return None
    weights = found["images"] / found["images"].sum()
    return float((weights * np.abs(found["score"] - found["share"])).sum())


def calls(scores: ArrayLike, operating: Operating, unlike: ArrayLike | None = None) -> np.ndarray:
    """The three-way answers, text (N,): see `dfcore.confidence.CALLS`; images unlike the known are inconclusive."""
    s = np.asarray(scores, float)
    said = np.where(s >= operating.fake_from, "fake", np.where(s < operating.real_below, "real", "inconclusive"))
    return said if unlike is None else np.where(np.asarray(unlike, bool), "inconclusive", said)


def three_way(
    labels: ArrayLike, scores: ArrayLike, operating: Operating, unlike: ArrayLike | None = None
) -> dict[str, Any]:
    """Counts and shares of the three-way answers.

    Returns:
        real_below and fake_from; counts, {actual: {answer: images}}; false_alarms (of real images called likely
        fake), misses (of fakes called likely real), undecided and unlike (of all), each a share or None where
        there is no such image; accuracy_decided of those that got an answer.
    """
    y, s = check(labels, scores)
    said = calls(s, operating, unlike)
    counts = {name: {call: int(((y == label) & (said == call)).sum()) for call in CALLS}
              for label, name in enumerate(NAMES)}  # fmt: skip
    decided = said != "inconclusive"
    right = np.where(y == FAKE, said == "fake", said == "real")
    strange = np.zeros(len(y), bool) if unlike is None else np.asarray(unlike, bool)
    return {
        "real_below": operating.real_below,
        "fake_from": operating.fake_from,
        "counts": counts,
        "false_alarms": _share(said[y == REAL] == "fake"),
        "misses": _share(said[y == FAKE] == "real"),
        "undecided": _share(~decided),
        "unlike": _share(strange),
        "accuracy_decided": _share(right[decided]),
    }


def _share(found: np.ndarray) -> float | None:
    return float(found.mean()) if len(found) else None
