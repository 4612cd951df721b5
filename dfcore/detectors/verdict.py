"""What a detector says of images: scores of a batch, and the verdict on one."""

from dataclasses import dataclass, replace

import numpy as np

from dfcore.confidence import NOT_CHECKED, Decision, DecisionThresholds, OODResult, Policy, decide, is_fake
from dfcore.labels import FAKE, REAL, name_of


@dataclass(frozen=True)
class Verdict:
    """What a detector says of one image.

    Attributes:
        score: P(fake) in [0, 1], calibrated where the card says so; None where the image cannot be judged.
        threshold: from this score on the image is called fake where only two answers are allowed.
        logit: the network's output before calibration and sigmoid.
        error: why the image cannot be judged, or None.
        thresholds: of the three-way decision; None for the one threshold.
        ood: whether the image is out of distribution, where that is known.
        ignore_ood: whether an out-of-distribution image gets a decision all the same.

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

    @property
    def label(self) -> str | None:
        """The two-way answer: "real", "fake", or None where the image cannot be judged."""
        if self.score is None:
            return None
        return name_of(FAKE if is_fake(self.score, self.threshold) else REAL)

    @property
    def decision(self) -> Decision | None:
        """The three-way answer: "real", "inconclusive", "fake", or None where the image cannot be judged."""
        if self.score is None:
            return None
        thresholds = self.thresholds or DecisionThresholds.single(self.threshold)
        return decide(self.score, thresholds, self.ood.is_ood, ignore_ood=self.ignore_ood).item()

    @property
    def reason(self) -> str | None:
        """Why the answer is inconclusive, or None where it is not."""
        if self.decision != "inconclusive":
            return None
        if self.ood.is_ood and not self.ignore_ood:
            return "The image is unlike those that the detector was trained on: " + "; ".join(self.ood.reasons)
        return "The score lies between the two thresholds"

    def under(self, policy: Policy) -> "Verdict":
        """The same judgement under another policy: its score stays, its decision may change."""
        return replace(self, thresholds=policy.thresholds or self.thresholds, ignore_ood=policy.ignore_ood)


@dataclass(frozen=True)
class Scores:
    """What a detector makes of a batch of N images, before anything is decided.

    Attributes:
        logits: float32 (N,).
        scores: calibrated P(fake), float64 (N,).
        ood: of each image.
    """

    logits: np.ndarray
    scores: np.ndarray
    ood: tuple[OODResult, ...]

    @property
    def is_ood(self) -> np.ndarray:
        """Whether each image is out of distribution, bool (N,)."""
        return np.array([result.is_ood for result in self.ood], bool)
