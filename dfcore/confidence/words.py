"""The right to words: whether a detector may call an image likely real.

"Likely real" comforts, and only what was measured on sources that a detector has not learned from tells whether it may.
A source is a collection with photographs and fakes of its own, put together independently of the training data; it is
held out if none of its images, and none that looks like one, was used to train, calibrate or choose the detector (the
few of another collection that do are left out). There are two ways to show it: another data set, measured by `dfcore
cross-eval --record`, or cross-validation that holds out each source of the training data (`cross_validation: source`),
with thresholds chosen on the other sources. Another split of the training data, or one generator of it held out, is no
held-out source: within one collection class and origin go together, and who knows the origin looks good.

The right is given where, of the fakes of held-out sources that the detector judges (does not refuse as unlike its
training images), so few lie below the lower threshold that the budget of missed fakes holds: in each source by itself
as measured, and in all together with 95% confidence (Clopper and Pearson, 1934). Else its words are "no sign of a fake
found", and the image stays undecided.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dfcore.confidence.thresholds import DecisionThresholds

CONFIDENCE = 0.95
# Share of the fakes, lowest scores first, that is kept, so that the right can be told for other thresholds as well.
_KEPT_SHARE, _KEPT_LEAST, _KEPT_MOST = 0.2, 50, 1000


class HeldOutSource(BaseModel):
    """What a detector made of the fakes of a source that it was not trained on.

    Attributes:
        name: Name of the source.
        held_out_by: How it is known to be held out.
        fakes: Number of its fakes that the detector judged.
        refused: Number of further fakes that it found unlike its training images.
        lowest: The lowest scores of the judged fakes, ascending, at most `fakes` of them.
        fingerprint: Fingerprint of the data set; empty if it was part of the training data set.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    name: str
    held_out_by: str
    fakes: int = Field(ge=0)
    refused: int = Field(default=0, ge=0)
    lowest: tuple[float, ...] = ()
    fingerprint: str = ""

    @field_validator("lowest")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(value):
            raise ValueError("the lowest scores must be ascending")
        return value

    @classmethod
    def of(
        cls, name: str, held_out_by: str, scores: ArrayLike, is_ood: ArrayLike | None = None, fingerprint: str = ""
    ) -> "HeldOutSource":
        """The record of a source's fakes, from their scores, (N,), and whether each was refused, bool (N,)."""
        s = np.asarray(scores, np.float64)
        refused = np.zeros(len(s), bool) if is_ood is None else np.asarray(is_ood, bool)
        judged = np.sort(s[~refused])
        kept = min(max(_KEPT_LEAST, math.ceil(_KEPT_SHARE * len(judged))), _KEPT_MOST)
        return cls(
            name=name,
            held_out_by=held_out_by,
            fakes=len(judged),
            refused=int(refused.sum()),
            lowest=tuple(judged[:kept].tolist()),
            fingerprint=fingerprint,
        )

    def below(self, score: float) -> int:
        """Number of judged fakes with a score below this one; all, if that is further than is known."""
        count, is_all = self.known_below(score)
        return count if is_all else self.fakes

    def known_below(self, score: float) -> tuple[int, bool]:
        """Number of judged fakes that are known to have a score below this one, and whether there are no more."""
        count = int(np.searchsorted(self.lowest, score))
        return count, count < len(self.lowest) or count == self.fakes


class Words(BaseModel):
    """The evidence for a detector's words, on its card; without a source there is none.

    Attributes:
        sources: Held-out sources whose fakes were judged.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    sources: tuple[HeldOutSource, ...] = ()

    @classmethod
    def of_measured(cls, rows: Sequence[Mapping[str, Any]], real_below: float) -> "Words":
        """What a card of version 0.6 or earlier says of its words: by its figures on other data sets.

        Args:
            rows: Rows of `Card.measured` with "data set", fake (images), ood_rate and three_way_fnr (of all fakes, the
                share called likely real). How many of the fakes were refused is not among them; that share is taken to
                be as in the whole data set.
            real_below: The lower threshold of those figures; of a higher one they say nothing.
        """
        sources = []
        for row in rows:
            total, refused, missed = (row.get(key) for key in ("fake", "ood_rate", "three_way_fnr"))
            if not (_is_rate(refused) and _is_rate(missed) and isinstance(total, int)):
                continue
            below = round(missed * total)
            judged = max(round(total * (1 - refused)), below)
            # Where these fakes lie below the threshold is not known, nor where the others lie above it.
            lowest = (min(real_below, 0.0),) * below + (real_below,) * (judged > below)
            sources.append(
                HeldOutSource(
                    name=str(row.get("data set", "")),
                    held_out_by="another data set",
                    fakes=judged,
                    refused=total - judged,
                    lowest=lowest,
                )
            )
        return cls(sources=tuple(each for each in sources if each.fakes or each.refused))

    def plus(self, source: HeldOutSource) -> "Words":
        """With one more source, which replaces an earlier record of the same name or data set."""
        others = [
            each
            for each in self.sources
            if each.name != source.name and not (source.fingerprint and each.fingerprint == source.fingerprint)
        ]
        return Words(sources=(*others, source))

    def share(self, thresholds: DecisionThresholds) -> tuple[int, int, float]:
        """Of the judged fakes of all sources: how many lie below the lower threshold, their number, and the upper bound
        of the share with 95% confidence, in [0, 1]."""
        below = sum(source.below(thresholds.real_below) for source in self.sources)
        fakes = sum(source.fakes for source in self.sources)
        return below, fakes, upper_bound(below, fakes)

    def allow_real(self, thresholds: DecisionThresholds) -> bool:
        """Whether an image below the lower threshold may be called likely real."""
        most = thresholds.budget.max_fnr
        if not self.sources or self.share(thresholds)[2] > most:
            return False
        return all(self._within(each, thresholds) for each in self.sources)

    def _within(self, source: HeldOutSource, thresholds: DecisionThresholds) -> bool:
        """Whether a source by itself keeps the budget; of few fakes, one is no share that could be told from it."""
        return source.below(thresholds.real_below) <= max(1, thresholds.budget.max_fnr * source.fakes)

    def rows(self, thresholds: DecisionThresholds) -> list[dict[str, str | int | float | None]]:
        """A table of the evidence, a row a source, the last of all together if there are several."""
        score = thresholds.real_below
        rows = [
            _row(each.name, each.held_out_by, *each.known_below(score), each.fakes, each.refused)
            for each in self.sources
        ]
        if len(rows) > 1:
            refused = sum(each.refused for each in self.sources)
            rows.append(_row("all together", "", *self._known_below(score), self.share(thresholds)[1], refused))
        return rows

    def are_known(self, thresholds: DecisionThresholds) -> bool:
        """Whether all fakes below the lower threshold were kept; otherwise numbers below it are the least there are."""
        return self._known_below(thresholds.real_below)[1]

    def told(self, thresholds: DecisionThresholds) -> str:
        """How many fakes lie below the lower threshold, such as "12 of 468 fakes"."""
        below, is_all = self._known_below(thresholds.real_below)
        return f"{'' if is_all else 'at least '}{below:,} of {self.share(thresholds)[1]:,} fakes"

    def share_told(self, thresholds: DecisionThresholds) -> str:
        """The share of them, such as "2.6%, at most 4.1% with 95% confidence"."""
        below, is_all = self._known_below(thresholds.real_below)
        _, fakes, upper = self.share(thresholds)
        if not is_all:
            return f"{below / fakes:.1%} or more"
        return f"{below / fakes:.1%}, at most {upper:.1%} with {CONFIDENCE:.0%} confidence"

    def _known_below(self, score: float) -> tuple[int, bool]:
        counts, are_all = zip(*(each.known_below(score) for each in self.sources), strict=True)
        return sum(counts), all(are_all)

    def in_words(self, thresholds: DecisionThresholds) -> str:
        """Why the detector may, or may not, call an image likely real: a sentence."""
        if not self.sources:
            return "Measured on no source that it had not learned from, it has no right to call an image likely real."
        _, fakes, upper = self.share(thresholds)
        names = _listed([each.name for each in self.sources])
        text = (
            f"On sources that it had not learned from ({names}), {self.told(thresholds)} lay below the lower threshold "
            f"that was chosen without their source ({self.share_told(thresholds)}; budget "
            f"{thresholds.budget.max_fnr:.1%})"
            if fakes
            else f"On sources that it had not learned from ({names}) it judged no fake"
        )
        if self.allow_real(thresholds):
            return f"{text}: it may call an image likely real."
        beyond = [each for each in self.sources if not self._within(each, thresholds)]
        if beyond and upper <= thresholds.budget.max_fnr:
            worst = ", ".join(f"{Words(sources=(each,)).told(thresholds)} in {each.name}" for each in beyond)
            text = f"{text}, but {worst}, more than the budget"
        return f"{text}: it has no right to call an image likely real."


def _row(
    name: str, how: str, below: int, is_all: bool, fakes: int, refused: int
) -> dict[str, str | int | float | None]:
    return {
        "source": name,
        "held out by": how,
        "fakes": fakes,
        "refused": refused,
        "below": below,
        "share": below / fakes if fakes else None,
        "upper": upper_bound(below if is_all else fakes, fakes) if fakes else None,
    }


def _is_rate(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and 0 <= value <= 1


def upper_bound(count: int, total: int) -> float:
    """Upper confidence bound of a share by Clopper and Pearson, one-sided at 95%; 1 where nothing was counted."""
    if count >= total:
        return 1.0
    from scipy.special import bdtri

    return float(bdtri(count, total, 1 - CONFIDENCE))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
