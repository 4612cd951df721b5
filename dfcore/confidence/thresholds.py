"""Decision thresholds of the three-way verdict, chosen for an error budget.

An image is called likely fake from one score on and likely real below another; in between the verdict is inconclusive.
The thresholds are chosen on images the network was not trained on, so that each error rate stays within its budget on
further images *from the same distribution* (split conformal prediction, Vovk et al., 2005). Nothing is guaranteed on
others.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dfcore import compat
from dfcore.labels import FAKE, REAL

Decision = Literal["real", "inconclusive", "fake"]
DECISIONS: tuple[Decision, ...] = ("real", "inconclusive", "fake")


class ErrorBudget(BaseModel):
    """Acceptable error rates, each in [0, 0.5].

    Attributes:
        max_fpr: Highest share of real images that may be called likely fake (false-positive rate).
        max_fnr: Highest share of fakes that may be called likely real (false-negative rate).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_fpr: float = Field(default=0.05, ge=0, le=0.5, description="Share of real images that may be called fake.")
    max_fnr: float = Field(default=0.05, ge=0, le=0.5, description="Share of fakes that may be called real.")

    _from_0_4 = model_validator(mode="before")(compat.renamed(**compat.BUDGET))


class DecisionThresholds(BaseModel):
    """The two thresholds of the three-way decision.

    Attributes:
        real_below: An image with a score below this is called likely real.
        fake_from: An image with this score or a higher one is called likely fake; never less than `real_below`.
        budget: The error budget they were chosen for.
        abstention_rate: Share of inconclusive images among those they were chosen on, in [0, 1].
        images: Number of those images.
        chosen_on: Description of those images.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    real_below: float
    fake_from: float
    budget: ErrorBudget = ErrorBudget()
    abstention_rate: float = 0.0
    images: int = 0
    chosen_on: str = ""

    _from_0_4 = model_validator(mode="before")(compat.renamed(**compat.THRESHOLDS))

    @classmethod
    def single(cls, threshold: float) -> "DecisionThresholds":
        """A two-way decision at one threshold."""
        return cls(real_below=threshold, fake_from=threshold)


def fit_thresholds(
    labels: np.ndarray, scores: np.ndarray, budget: ErrorBudget, *, between: float = 0.5, chosen_on: str = ""
) -> DecisionThresholds:
    """Chooses the thresholds that decide as many images as possible within the budget.

    Args:
        labels: 0 real, 1 fake, shape (N,).
        scores: P(fake), shape (N,), of images the network was not trained on.
        budget: Acceptable error rates. If one is below 1 / (n + 1), where n is the number of images of that class, it
            cannot be verified, and that side abstains altogether.
        between: If a single threshold keeps both budgets, the one nearest to this value is used.
        chosen_on: Description of these images, for the card.
    """
    labels, scores = np.asarray(labels, int), np.asarray(scores, np.float64)
    fake_from = _upper(scores[labels == REAL], budget.max_fpr)
    real_below = -_upper(-scores[labels == FAKE], budget.max_fnr)
    if fake_from <= real_below:
        fake_from = real_below = float(np.clip(between, fake_from, real_below))
    # JSON has no infinity: a threshold outside [0, 1] means that this side always abstains.
    fake_from, real_below = min(fake_from, 2.0), max(real_below, -1.0)
    thresholds = DecisionThresholds(
        real_below=real_below, fake_from=fake_from, budget=budget, images=len(scores), chosen_on=chosen_on
    )
    abstained = decide(scores, thresholds) == "inconclusive"
    return thresholds.model_copy(update={"abstention_rate": float(abstained.mean()) if len(scores) else 0.0})


@dataclass(frozen=True)
class Policy:
    """How scores become decisions when the card's defaults are overridden.

    Attributes:
        thresholds: Replaces the card's thresholds; None keeps them.
        ignore_ood: Whether out-of-distribution images are decided by their score too.
    """

    thresholds: DecisionThresholds | None = None
    ignore_ood: bool = False


def decide(
    scores: ArrayLike, thresholds: DecisionThresholds, is_ood: ArrayLike | None = None, *, ignore_ood: bool = False
) -> np.ndarray:
    """Makes the three-way decisions. The only place where scores become decisions.

    Args:
        scores: P(fake) in [0, 1], shape (N,).
        thresholds: Scores between them are inconclusive.
        is_ood: Whether each image is out of distribution, bool (N,); such images are inconclusive.
        ignore_ood: Decide those by their scores too.

    Returns:
        One of `DECISIONS` for each image, str (N,).
    """
    s = np.asarray(scores, np.float64)
    by_score = np.where(
        is_fake(s, thresholds.fake_from), "fake", np.where(is_fake(s, thresholds.real_below), "inconclusive", "real")
    )
    if is_ood is None or ignore_ood:
        return by_score
    return np.where(np.asarray(is_ood, bool), "inconclusive", by_score)


def is_fake(scores: ArrayLike, threshold: float) -> np.ndarray:
    """The two-way decisions, bool (N,): fake where the score reaches the threshold."""
    return np.asarray(scores, np.float64) >= threshold


def _upper(values: np.ndarray, share: float) -> float:
    """The lowest threshold that a new value reaches with probability at most `share`; infinite if there is none."""
    allowed = math.floor(share * (len(values) + 1) + 1e-9) - 1
    if allowed < 0:
        return math.inf
    ordered = np.sort(values)[::-1]
    # At most `allowed` values, besides the new one, may be above it.
    highest_below = ordered[allowed] if allowed < len(ordered) else -math.inf
    return float(np.nextafter(highest_below, math.inf))
