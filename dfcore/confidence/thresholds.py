"""Thresholds of the three-way verdict, from the errors that somebody is willing to make.

An image is called likely fake from one score on and likely real below another; between them nothing is said.
The thresholds are read off images that the network did not learn from, so that each error stays within its budget
on further images *like those* (split conformal prediction, Vovk et al., 2005): on others nothing is promised.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dfcore.compat import renamed
from dfcore.labels import FAKE, REAL

Decision = Literal["real", "inconclusive", "fake"]
DECISIONS: tuple[Decision, ...] = ("real", "inconclusive", "fake")


class ErrorBudget(BaseModel):
    """Errors that somebody is willing to make, as shares in [0, 0.5].

    Attributes:
        max_fpr: of real images, how many may be called likely fake (false-positive rate).
        max_fnr: of fakes, how many may be called likely real (false-negative rate).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_fpr: float = Field(default=0.05, ge=0, le=0.5, description="Share of real images that may be called fake.")
    max_fnr: float = Field(default=0.05, ge=0, le=0.5, description="Share of fakes that may be called real.")

    _from_0_4 = model_validator(mode="before")(renamed(false_alarms="max_fpr", misses="max_fnr"))


class DecisionThresholds(BaseModel):
    """The two thresholds of a verdict, and what they cost where they were chosen.

    Attributes:
        real_below: below this score an image is called likely real.
        fake_from: from this score on it is called likely fake; never less than `real_below`.
        budget: what they were chosen for.
        abstention_rate: share of the images in between, on the images that they were chosen on.
        images: how many images those were.
        chosen_on: which, in words.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    real_below: float
    fake_from: float
    budget: ErrorBudget = ErrorBudget()
    abstention_rate: float = 0.0
    images: int = 0
    chosen_on: str = ""

    _from_0_4 = model_validator(mode="before")(renamed(undecided="abstention_rate"))

    @classmethod
    def single(cls, threshold: float) -> "DecisionThresholds":
        """A two-way verdict at one threshold."""
        return cls(real_below=threshold, fake_from=threshold)


def fit_thresholds(
    labels: np.ndarray, scores: np.ndarray, budget: ErrorBudget, *, between: float = 0.5, chosen_on: str = ""
) -> DecisionThresholds:
    """The thresholds with which as many images as possible are decided within the budget.

    Args:
        labels: 0 real, 1 fake, (N,).
        scores: P(fake), (N,), of images that the network did not learn from.
        budget: errors that are accepted. One that is too small for the number of images (one error in n+1 is
            the least that n images can show) makes that side abstain altogether.
        between: where both budgets can be kept without abstaining, the one threshold nearest to this is taken.
        chosen_on: which images these are, for the card.
    """
    labels, scores = np.asarray(labels, int), np.asarray(scores, np.float64)
    fake_from = _upper(scores[labels == REAL], budget.max_fpr)
    real_below = -_upper(-scores[labels == FAKE], budget.max_fnr)
    if fake_from <= real_below:
        fake_from = real_below = float(np.clip(between, fake_from, real_below))
    # Beyond the scale: a side that abstains. JSON has no infinity.
    fake_from, real_below = min(fake_from, 2.0), max(real_below, -1.0)
    thresholds = DecisionThresholds(
        real_below=real_below, fake_from=fake_from, budget=budget, images=len(scores), chosen_on=chosen_on
    )
    abstained = decide(scores, thresholds) == "inconclusive"
    return thresholds.model_copy(update={"abstention_rate": float(abstained.mean()) if len(scores) else 0.0})


@dataclass(frozen=True)
class Policy:
    """How scores become decisions, where somebody wants another way than the detector's card.

    Attributes:
        thresholds: None for the card's.
        ignore_ood: whether an out-of-distribution image gets a decision all the same.
    """

    thresholds: DecisionThresholds | None = None
    ignore_ood: bool = False


def decide(
    scores: ArrayLike, thresholds: DecisionThresholds, is_ood: ArrayLike | None = None, *, ignore_ood: bool = False
) -> np.ndarray:
    """The three-way decisions: the one place where a score becomes an answer.

    Args:
        scores: P(fake) in [0, 1], (N,).
        thresholds: between which nothing is said.
        is_ood: whether each image is out of distribution, bool (N,); those are inconclusive.
        ignore_ood: decide those by their scores too.

    Returns:
        One of `DECISIONS` an image, text (N,).
    """
    s = np.asarray(scores, np.float64)
    by_score = np.where(
        is_fake(s, thresholds.fake_from), "fake", np.where(is_fake(s, thresholds.real_below), "inconclusive", "real")
    )
    if is_ood is None or ignore_ood:
        return by_score
    return np.where(np.asarray(is_ood, bool), "inconclusive", by_score)


def is_fake(scores: ArrayLike, threshold: float) -> np.ndarray:
    """The two-way answer, bool (N,): an image is called fake from the threshold on."""
    return np.asarray(scores, np.float64) >= threshold


def _upper(values: np.ndarray, share: float) -> float:
    """The least threshold that a further value reaches with a chance of at most `share`; infinite if none."""
    allowed = math.floor(share * (len(values) + 1) + 1e-9) - 1
    if allowed < 0:
        return math.inf
    ordered = np.sort(values)[::-1]
    # At most `allowed` values and the new one itself may stand above.
    highest_below = ordered[allowed] if allowed < len(ordered) else -math.inf
    return float(np.nextafter(highest_below, math.inf))
