"""Thresholds of the three-way verdict, from the errors that somebody is willing to make.

An image is called likely fake from one score on and likely real below another; between them nothing is said.
The thresholds are read off images that the network did not learn from, so that each error stays within its budget
on further images *like those* (split conformal prediction, Vovk et al., 2005): on others nothing is promised.
"""

import math
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dfcore.labels import FAKE, REAL

Call = Literal["real", "inconclusive", "fake"]
CALLS: tuple[Call, ...] = ("real", "inconclusive", "fake")


class Budget(BaseModel):
    """Errors that somebody is willing to make, as shares in [0, 0.5].

    Attributes:
        false_alarms: of real images, how many may be called likely fake.
        misses: of fakes, how many may be called likely real.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    false_alarms: float = Field(default=0.05, ge=0, le=0.5, description="Share of real images that may be called fake.")
    misses: float = Field(default=0.05, ge=0, le=0.5, description="Share of fakes that may be called real.")


class Operating(BaseModel):
    """The two thresholds of a verdict, and what they cost where they were chosen.

    Attributes:
        real_below: below this score an image is called likely real.
        fake_from: from this score on it is called likely fake; never less than `real_below`.
        budget: what they were chosen for.
        undecided: share of the images in between, on the images that they were chosen on.
        images: how many images those were.
        chosen_on: which, in words.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    real_below: float
    fake_from: float
    budget: Budget = Budget()
    undecided: float = 0.0
    images: int = 0
    chosen_on: str = ""

    def call(self, score: float) -> Call:
        """What is said of an image with this score."""
        if score >= self.fake_from:
            return "fake"
        return "real" if score < self.real_below else "inconclusive"

    @classmethod
    def single(cls, threshold: float) -> "Operating":
        """A two-way verdict at one threshold."""
        return cls(real_below=threshold, fake_from=threshold)


def operating_point(
    labels: np.ndarray, scores: np.ndarray, budget: Budget, *, between: float = 0.5, chosen_on: str = ""
) -> Operating:
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
    fake_from = _upper(scores[labels == REAL], budget.false_alarms)
    real_below = -_upper(-scores[labels == FAKE], budget.misses)
    if fake_from <= real_below:
        fake_from = real_below = float(np.clip(between, fake_from, real_below))
    undecided = float(((scores >= real_below) & (scores < fake_from)).mean()) if len(scores) else 0.0
    # Beyond the scale: a side that abstains. JSON has no infinity.
    fake_from, real_below = min(fake_from, 2.0), max(real_below, -1.0)
    return Operating(real_below=real_below, fake_from=fake_from, budget=budget, undecided=undecided,
                     images=len(scores), chosen_on=chosen_on)  # fmt: skip


def _upper(values: np.ndarray, share: float) -> float:
    """The least threshold that a further value reaches with a chance of at most `share`; infinite if none."""
    allowed = math.floor(share * (len(values) + 1) + 1e-9) - 1
    if allowed < 0:
        return math.inf
    ordered = np.sort(values)[::-1]
    # At most `allowed` values and the new one itself may stand above.
    highest_below = ordered[allowed] if allowed < len(ordered) else -math.inf
    return float(np.nextafter(highest_below, math.inf))
