"""Decision thresholds of the three-way verdict, chosen for an error budget.

The thresholds are chosen on images the network was not trained on, so that each error rate stays within its budget on
further images *from the same distribution* (split conformal prediction, Vovk et al., 2005). Nothing is guaranteed on
others. Where the images come from several sources, whose scores lie at different heights, the budget is kept for the
worst of them (group-conditional conformal prediction, Vovk, 2012, with the maximum taken, since nobody knows the source
of a new image).

Where each image comes with its handled selves, what is kept is the share of all of them that are wrong, averaged over
images: by conformal risk control (Angelopoulos et al., 2024), for which an image counts once, however many selves of it
are there. Of images as they are the budget holds by itself too, and after each handling `TOLERANCE` times the budget.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dfcore import compat
from dfcore.labels import FAKE

# Images as they are, among those after handling.
ORIGINAL = "original"
# Times the budget that a handling may cost by itself, where all together, and images as they are, keep it.
TOLERANCE = 1.5


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
        real_below: Below this score an image shows no sign of a fake, and is called likely real where `says_real`.
        fake_from: An image with this score or a higher one is called likely fake; never less than `real_below`.
        budget: The error budget they were chosen for.
        abstention_rate: Share of inconclusive images among those they were chosen on, in [0, 1].
        images: Number of those images.
        chosen_on: Description of those images.
        groups: Number of groups (sources) of which each keeps the budget by itself; 0 if chosen on all together.
        pooled_groups: Number of groups too small for that, which keep it together only.
        says_real: Whether images below `real_below` may be called likely real. Never read from a card:
            `Card.thresholds` sets it by the card's evidence.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    real_below: float
    fake_from: float
    budget: ErrorBudget = ErrorBudget()
    abstention_rate: float = 0.0
    images: int = 0
    chosen_on: str = ""
    groups: int = Field(default=0, ge=0)
    pooled_groups: int = Field(default=0, ge=0)
    says_real: bool = Field(default=False, exclude=True)

    _from_0_4 = model_validator(mode="before")(compat.renamed(**compat.THRESHOLDS))

    def told(self) -> dict[str, Any]:
        """As JSON for whoever reads it, with `says_real`, which cards never hold."""
        return self.model_dump(mode="json") | {"says_real": self.says_real}

    @classmethod
    def single(cls, threshold: float) -> "DecisionThresholds":
        """A two-way decision at one threshold."""
        return cls(real_below=threshold, fake_from=threshold)


def fit_thresholds(
    labels: np.ndarray,
    scores: np.ndarray,
    budget: ErrorBudget,
    *,
    between: float = 0.5,
    chosen_on: str = "",
    groups: ArrayLike | None = None,
    handlings: ArrayLike | None = None,
) -> DecisionThresholds:
    """Chooses the thresholds that decide as many images as possible within the budget.

    Args:
        labels: 0 real, 1 fake, shape (N,).
        scores: P(fake), shape (N,), of images the network was not trained on.
        budget: Acceptable error rates. If one is below 1 / (n + 1), where n is the number of images of that class, it
            cannot be verified, and that side abstains altogether.
        between: If a single threshold keeps both budgets, the one nearest to this value is used.
        chosen_on: Description of these images, for the card.
        groups: Source of each image, (N,). The budget then holds for further images of each source by itself: each
            threshold is the strictest that a source asks for. A source with n < 1 / budget - 1 images of the class
            cannot verify the budget; such sources are taken together, and with all the others if still too few.
        handlings: What was done to the image of each row, (N,), with `ORIGINAL`: all images after one handling, then
            the same images in the same order after the next. None if they are as they are.
    """
    labels, scores = np.asarray(labels, int), np.asarray(scores, np.float64)
    names = np.zeros(len(scores), int) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    done = np.full(len(scores), ORIGINAL) if handlings is None else np.asarray(handlings)
    fakes = labels == FAKE
    fake_from, alone, pooled = _strictest(scores[~fakes], names[~fakes], done[~fakes], budget.max_fpr)
    below, alone_fake, pooled_fake = _strictest(-scores[fakes], names[fakes], done[fakes], budget.max_fnr)
    real_below = -below
    if fake_from <= real_below:
        fake_from = real_below = float(np.clip(between, fake_from, real_below))
    # JSON has no infinity: a threshold outside [0, 1] means that this side always abstains.
    fake_from, real_below = min(fake_from, 2.0), max(real_below, -1.0)
    abstained = (scores >= real_below) & (scores < fake_from)
    return DecisionThresholds(
        real_below=real_below,
        fake_from=fake_from,
        budget=budget,
        images=int((done == ORIGINAL).sum()),
        chosen_on=chosen_on,
        abstention_rate=float(abstained.mean()) if len(scores) else 0.0,
        groups=0 if groups is None else len(alone & alone_fake),
        pooled_groups=0 if groups is None else len(pooled | pooled_fake),
    )


def _strictest(
    values: np.ndarray, groups: np.ndarray, handlings: np.ndarray, share: float
) -> tuple[float, set[int], set[int]]:
    """The threshold that suits every group and handling; the groups that verify it alone, and those that cannot."""
    of_original = handlings == ORIGINAL
    numbers, counts = np.unique(groups[of_original], return_counts=True)
    sizes = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    alone = {group for group, size in sizes.items() if share * (size + 1) + 1e-9 >= 1}
    rest = ~np.isin(groups, list(alone))
    parts = [np.ones(len(values), bool), *(groups == group for group in alone)]
    if share * ((rest & of_original).sum() + 1) + 1e-9 >= 1:
        parts.append(rest)
    candidates = [
        upper_threshold(values[part & some], share, int((part & of_original).sum()))
        for part in parts
        for some in (of_original, np.ones(len(values), bool))
    ]
    # Thresholds for each handling by itself would be the strictest of many: those of small groups are left to chance.
    each = min(share * TOLERANCE, 0.5)
    candidates += [upper_threshold(values[handlings == name], each) for name in set(handlings.tolist()) - {ORIGINAL}]
    return max(candidates), alone, set(sizes) - alone


def upper_threshold(values: np.ndarray, share: float, images: int | None = None) -> float:
    """The lowest threshold that a further value reaches with probability at most `share`; infinite if there is none.

    Args:
        values: Values, (N,).
        share: In [0, 1].
        images: Number of images that they come from, each with as many values; N if None.
    """
    n = len(values) if images is None else images
    allowed = math.floor(len(values) / max(n, 1) * (share * (n + 1) - 1) + 1e-9)
    if allowed < 0 or not n:
        return math.inf
    ordered = np.sort(values)[::-1]
    # At most `allowed` values, besides the new one, may be above it.
    highest_below = ordered[allowed] if allowed < len(ordered) else -math.inf
    return float(np.nextafter(highest_below, math.inf))
