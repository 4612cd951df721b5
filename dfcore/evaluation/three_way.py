"""Quality of the three-way decision on labelled images."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dfcore.confidence import DECISIONS, DecisionThresholds, decide, find, is_fake
from dfcore.evaluation.inputs import check
from dfcore.labels import FAKE, NAMES, REAL

# Display names of the rates in `three_way`, by key.
SHARES = {
    "fpr": "false alarms on real",
    "fnr": "fakes called likely real",
    "passed": "fakes below the lower threshold",
    "abstention_rate": "inconclusive",
    "ood_rate": "unlike the training images",
}


def three_way(
    labels: ArrayLike, scores: ArrayLike, thresholds: DecisionThresholds, is_ood: ArrayLike | None = None
) -> dict[str, Any]:
    """Computes counts and rates of the three-way decisions.

    Args:
        labels: 0 real, 1 fake, shape (N,).
        scores: P(fake) in [0, 1], shape (N,).
        thresholds: Decision thresholds.
        is_ood: Whether each image is out of distribution, bool (N,).

    Returns:
        real_below, fake_from and says_real; counts, {label: {decision: images}}; no_sign, {label: inconclusive images
        of which no sign of a fake was found}; fpr (real images called likely fake), fnr (fakes called likely real),
        passed (fakes below the lower threshold, whatever they are called), abstention_rate and ood_rate (of all images)
        and selective_accuracy (of decided images), each in [0, 1] or None if there is no such image.
    """
    y, s = check(labels, scores)
    decisions, found = decide(s, thresholds, is_ood), find(s, thresholds, is_ood)
    counts = {
        name: {decision: int(((y == label) & (decisions == decision)).sum()) for decision in DECISIONS}
        for label, name in enumerate(NAMES)
    }
    decided = decisions != "inconclusive"
    right = np.where(y == FAKE, decisions == "fake", decisions == "real")
    ood = np.zeros(len(y), bool) if is_ood is None else np.asarray(is_ood, bool)
    return {
        "real_below": thresholds.real_below,
        "fake_from": thresholds.fake_from,
        "says_real": thresholds.says_real,
        "counts": counts,
        "no_sign": {name: int(((y == label) & (found == "no_sign")).sum()) for label, name in enumerate(NAMES)},
        "fpr": _share(decisions[y == REAL] == "fake"),
        "fnr": _share(decisions[y == FAKE] == "real"),
        "passed": _share(np.isin(found[y == FAKE], ("real", "no_sign"))),
        "abstention_rate": _share(~decided),
        "ood_rate": _share(ood),
        "selective_accuracy": _share(right[decided]),
    }


def error_rates(labels: np.ndarray, scores: np.ndarray, thresholds: DecisionThresholds) -> dict[str, float | None]:
    """Errors by the thresholds alone, whatever the words.

    Args:
        labels: 0 real, 1 fake, (N,).
        scores: P(fake), (N,).
        thresholds: The thresholds.

    Returns:
        fpr (of the real images, the share that is called likely fake), passed (of the fakes, the share below the lower
        threshold) and inconclusive (the share between the thresholds); None where there is no such image.
    """
    alarms, passed = is_fake(scores, thresholds.fake_from), scores < thresholds.real_below
    return {
        "fpr": _share(alarms[labels == REAL]),
        "passed": _share(passed[labels == FAKE]),
        "inconclusive": _share(~alarms & ~passed),
    }


def _share(chosen: np.ndarray) -> float | None:
    return float(chosen.mean()) if len(chosen) else None
