"""What is said of an image: the only place where scores become words.

An image is called likely fake from one score on; in between two thresholds the verdict is inconclusive. Below the lower
one it is called likely real only where the detector has the right to these words (see `dfcore.confidence.words`);
elsewhere no sign of a fake was found, which leaves it undecided.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dfcore.confidence.thresholds import DecisionThresholds

Decision = Literal["real", "inconclusive", "fake"]
DECISIONS: tuple[Decision, ...] = ("real", "inconclusive", "fake")
Finding = Literal["real", "no_sign", "inconclusive", "fake"]
# What a detector says of an image, in words.
FINDINGS: dict[Finding, str] = {
    "real": "likely real",
    "no_sign": "no sign of a fake found",
    "inconclusive": "inconclusive",
    "fake": "likely fake",
}


@dataclass(frozen=True)
class Policy:
    """How scores become decisions when the card's defaults are overridden.

    Attributes:
        thresholds: Replaces the card's thresholds; None keeps them.
        ignore_ood: Whether out-of-distribution images are decided by their score too.
    """

    thresholds: DecisionThresholds | None = None
    ignore_ood: bool = False


def find(
    scores: ArrayLike, thresholds: DecisionThresholds, is_ood: ArrayLike | None = None, *, ignore_ood: bool = False
) -> np.ndarray:
    """What is said of each image. The only place where scores become words.

    Args:
        scores: P(fake) in [0, 1], shape (N,).
        thresholds: Scores between them are inconclusive.
        is_ood: Whether each image is out of distribution, bool (N,); such images are inconclusive.
        ignore_ood: Decide those by their scores too.

    Returns:
        One of `FINDINGS` for each image, str (N,).
    """
    s = np.asarray(scores, np.float64)
    low = "real" if thresholds.says_real else "no_sign"
    by_score = np.where(
        is_fake(s, thresholds.fake_from), "fake", np.where(is_fake(s, thresholds.real_below), "inconclusive", low)
    )
    if is_ood is None or ignore_ood:
        return by_score
    return np.where(np.asarray(is_ood, bool), "inconclusive", by_score)


def decide(
    scores: ArrayLike, thresholds: DecisionThresholds, is_ood: ArrayLike | None = None, *, ignore_ood: bool = False
) -> np.ndarray:
    """Makes the three-way decisions, by `find` and with its arguments.

    Returns:
        One of `DECISIONS` for each image, str (N,). No sign of a fake is no decision: inconclusive.
    """
    found = find(scores, thresholds, is_ood, ignore_ood=ignore_ood)
    return np.where(found == "no_sign", "inconclusive", found)


def is_fake(scores: ArrayLike, threshold: float) -> np.ndarray:
    """The two-way decisions, bool (N,): fake where the score reaches the threshold."""
    return np.asarray(scores, np.float64) >= threshold


def sides_in_words(real_below: float, fake_from: float, *, says_real: bool) -> str:
    """What scores on either side of the thresholds are called; a side that no score can reach is left out.

    Args:
        real_below: Lower threshold; 0 or less where no score is below it.
        fake_from: Upper threshold; more than 1 where no score reaches it.
        says_real: See `DecisionThresholds.says_real`.
    """
    low = f"{FINDINGS['real' if says_real else 'no_sign']} below {real_below:.3f}" if real_below > 0 else ""
    high = f"likely fake from {fake_from:.3f}" if fake_from <= 1 else ""
    return ", ".join(side for side in (low, high) if side) or "undecided throughout"
