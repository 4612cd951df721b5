"""Results of a detector: scores of a batch, and the verdict on one image."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dfcore.confidence import (
    FINDINGS,
    NOT_CHECKED,
    Decision,
    DecisionThresholds,
    Finding,
    OODResult,
    Policy,
    decide,
    find,
    is_fake,
)
from dfcore.detectors.trained_on import Seen


@dataclass(frozen=True)
class Verdict:
    """A detector's verdict on one image.

    Attributes:
        score: P(fake) in [0, 1], calibrated if the card has a calibration; None if the image cannot be judged.
        threshold: Score from which an image is called fake where there are no `thresholds`; see `side`.
        logit: The network's output before calibration and sigmoid.
        error: Why the image cannot be judged, or None.
        thresholds: Thresholds of the three-way decision; None uses `threshold` alone.
        ood: Out-of-distribution result, or `NOT_CHECKED`.
        ignore_ood: Whether an out-of-distribution image is decided by its score too.
        seen: Whether the detector was trained on this image.

    Example:
        >>> import dfcore
        >>> dfcore.Verdict(score=0.8, threshold=0.5).label
        'fake'
        >>> print(dfcore.Verdict(score=None, threshold=0.5, error="No image.").decision)
        None
    """

    score: float | None
    threshold: float
    logit: float | None = None
    error: str | None = None
    thresholds: DecisionThresholds | None = None
    ood: OODResult = NOT_CHECKED
    ignore_ood: bool = False
    seen: Seen = Seen.UNKNOWN

    @property
    def label(self) -> str | None:
        """The decision, "real" or "fake"; None where it is inconclusive, and if the image cannot be judged."""
        return None if self.decision == "inconclusive" else self.decision

    @property
    def side(self) -> Literal["real", "fake"] | None:
        """On which side of `threshold` the score lies, whatever that is worth; None if the image cannot be judged.

        It is no verdict: it says "real" of images that nothing is known of, too.
        """
        if self.score is None:
            return None
        return "fake" if is_fake(self.score, self.threshold) else "real"

    @property
    def decision(self) -> Decision | None:
        """The three-way decision: "real", "inconclusive", "fake", or None if the image cannot be judged."""
        if self.score is None:
            return None
        return decide(self.score, self._thresholds, self.ood.is_ood, ignore_ood=self.ignore_ood).item()

    @property
    def finding(self) -> Finding | None:
        """What is said of the image, a key of `dfcore.confidence.FINDINGS`; None if the image cannot be judged.

        As the decision, except that an image below the lower threshold, which a detector without the right to the words
        "likely real" leaves inconclusive, is "no_sign": no sign of a fake found.
        """
        if self.score is None:
            return None
        return find(self.score, self._thresholds, self.ood.is_ood, ignore_ood=self.ignore_ood).item()

    @property
    def is_used(self) -> bool:
        """Whether the score decides: not that of an image that cannot be judged, or that is out of distribution."""
        return self.score is not None and (self.ignore_ood or not self.ood.is_ood)

    @property
    def says(self) -> str:
        """What the detector says of the image beside others, in words: "does not apply" where its score is not used."""
        if self.finding is None:
            return "no verdict"
        return FINDINGS[self.finding] if self.is_used else "does not apply"

    @property
    def _thresholds(self) -> DecisionThresholds:
        return self.thresholds or DecisionThresholds.single(self.threshold)

    @property
    def reason(self) -> str | None:
        """Why the decision is inconclusive, or None if it is not."""
        if self.decision != "inconclusive":
            return None
        if self.finding == "no_sign":
            return (
                "The score is low, but fakes of sources that the detector does not know may have such a score too: it "
                "has no measured right to call an image likely real"
            )
        if self.ood.is_ood and not self.ignore_ood:
            return "The image is unlike those that the detector was trained on: " + "; ".join(self.ood.reasons)
        return "The score is between the two thresholds"

    def under(self, policy: Policy) -> "Verdict":
        """Returns the verdict under another policy: the score stays, the decision may change."""
        return replace(self, thresholds=policy.thresholds or self.thresholds, ignore_ood=policy.ignore_ood)


@dataclass(frozen=True)
class Scores:
    """Scores of a batch of N images, before any decision.

    Attributes:
        logits: float32 (N,).
        scores: Calibrated P(fake) in [0, 1], float64 (N,).
        ood: Out-of-distribution result of each image.
    """

    logits: np.ndarray
    scores: np.ndarray
    ood: tuple[OODResult, ...]

    @property
    def is_ood(self) -> np.ndarray:
        """Whether each image is out of distribution, bool (N,)."""
        return np.array([result.is_ood for result in self.ood], bool)
