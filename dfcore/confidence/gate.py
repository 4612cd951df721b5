"""The gate: which images a detector judges, fitted on what handling was measured to do to its score.

Held-out images are put through the handlings of `dfcore.imaging.handling`. Those after which the score keeps the error
budget, at thresholds that decide most, belong to the detector's domain; the others do not. The limits of size, JPEG
quality, colour and flatness lie between the two, so that an image is refused for what was measured to break the score
and not for being unlike the training images as such. What no property tells apart passes; its error is on the card.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dfcore.confidence.thresholds import ORIGINAL, TOLERANCE, ErrorBudget, upper_threshold
from dfcore.labels import FAKE, REAL

# Properties that a family of handlings moves: its grades say where the limit lies.
SMALLER, LARGER, QUALITY, COLOUR, NOISE = "smaller", ("larger", "enlarged"), "jpeg", "colour", "noise"
_NEIGHBOURS = 5
# A handling after which less is decided is not worth being let pass.
_LEAST_DECIDED = 0.5
# Share of images after sound handling that may look like one after handling that breaks the score, of those held out.
_MISTAKEN, _FOLDS, _INVERSE_PENALTY = 0.02, 5, 0.001
_FLATNESS_MARGIN = 0.15


class MeasuredHandling(BaseModel):
    """What a handling does to a detector's decisions on held-out images that its gate lets pass.

    Attributes:
        handling: Name in `dfcore.imaging.handling`, or "original".
        images: Number of held-out images.
        refused: Share that the gate refuses, in [0, 1].
        fpr: Share of the real images let pass that are called likely fake; None if none passes.
        passed: Share of the fakes let pass below the lower threshold; None if none passes.
        inconclusive: Share of the images let pass between the thresholds; None if none passes.
        sound: Whether the score keeps the budget after it, so that thresholds and calibration count it in.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    handling: str
    images: int = Field(ge=0)
    refused: float = 0.0
    fpr: float | None = None
    passed: float | None = None
    inconclusive: float | None = None
    sound: bool = False


class Gate(BaseModel):
    """Limits of the images that a detector judges; one that is None refuses nothing.

    Attributes:
        sides: Smallest and largest shorter side in pixels.
        quality_from: Lowest JPEG quality.
        colour_from: Lowest mean saturation, see `dfcore.confidence.ood.saturation`.
        flat: Lowest and highest share of flat pixels, see `dfcore.confidence.ood.flatness`.
        measured: What each handling was measured to do.
        fitted_on: Description of the held-out images.
        learned: Number of handled training images, the last ones among `OODDetector.references`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    sides: tuple[float | None, float | None] = (None, None)
    quality_from: float | None = None
    colour_from: float | None = None
    flat: tuple[float | None, float | None] = (None, None)
    measured: tuple[MeasuredHandling, ...] = ()
    fitted_on: str = ""
    learned: int = Field(default=0, ge=0)

    def misfits(self, side: int | None, quality: float | None, colour: float, flat: float) -> Iterator[tuple[str, str]]:
        """Yields (rule, phrase) for each property beyond its limit; unknown properties are skipped."""
        low, high = self.sides
        if side is not None and low is not None and side < low:
            yield (
                "small",
                f"its shorter side has {side} pixels; below {low:.0f} the score was measured to err too often",
            )
        if side is not None and high is not None and side > high:
            yield (
                "large",
                f"its shorter side has {side} pixels; above {high:.0f} the score was not measured, or errs too often",
            )
        if quality is not None and self.quality_from is not None and quality < self.quality_from:
            yield (
                "compressed",
                f"it is strongly compressed (JPEG quality about {quality:.0f}); below {self.quality_from:.0f} the "
                "score was not measured, or errs too often",
            )
        if self.colour_from is not None and colour < self.colour_from:
            yield "colourless", "it has hardly any colour; without, the score was measured to err too often"
        low, high = self.flat
        if low is not None and flat < low:
            yield (
                "noisy",
                "hardly any of its pixels are like their neighbours; on noisy images the score was measured to err too "
                "often",
            )
        if high is not None and flat > high:
            yield (
                "flat",
                f"{flat:.0%} of it is perfectly flat, as in drawings and screenshots, unlike the training images",
            )


@dataclass(frozen=True)
class Handled:
    """Held-out images after handling.

    Attributes:
        labels: 0 real, 1 fake, (N,).
        logits: {handling: logits (N,)}, NaN where an image has none; with "original".
        facts: {handling: {side, quality, colour, flat: (N,)}}.
    """

    labels: np.ndarray
    logits: Mapping[str, np.ndarray]
    facts: Mapping[str, Mapping[str, np.ndarray]]

    def carried(self, labels: np.ndarray, logits: np.ndarray) -> dict[str, np.ndarray]:
        """Logits that further images would have after each handling, {handling: (M,)}.

        Each gets the change that one of the images of its class with the nearest logits was measured to undergo: of
        many images whose logits are known only as they are (from cross-validation), few need be handled.

        Args:
            labels: 0 real, 1 fake, (M,).
            logits: Their logits as they are, (M,).
        """
        result = {}
        for name, handled in self.logits.items():
            result[name] = np.array(logits, float)
            for label in (REAL, FAKE):
                known = np.flatnonzero((self.labels == label) & np.isfinite(handled))
                wanted = np.flatnonzero(labels == label)
                if name == ORIGINAL or not len(wanted):
                    continue
                if not len(known):
                    result[name][wanted] = np.nan
                    continue
                before = self.logits[ORIGINAL][known]
                nearest = np.argsort(np.abs(before - logits[wanted, None]), axis=1, kind="stable")
                # One after the other, by rank of the logit: every neighbour serves equally often.
                turn = np.argsort(np.argsort(logits[wanted], kind="stable")) % min(_NEIGHBOURS, len(known))
                chosen = known[nearest[np.arange(len(wanted)), turn]]
                result[name][wanted] += handled[chosen] - self.logits[ORIGINAL][chosen]
        return {name: values for name, values in result.items() if np.isfinite(values).all()}


def sound_handlings(
    labels: np.ndarray, logits: Mapping[str, np.ndarray], families: Mapping[str, Sequence[str]], budget: ErrorBudget
) -> list[str]:
    """The handlings after which the budget can be kept at a price worth paying.

    Thresholds are those of `fit_thresholds` for images of all sound handlings. One more handling widens the range
    between them: more of its images are decided, fewer of others. Grades are added, each with all weaker ones of its
    family, as long as more is decided in all, images of handlings that are not sound counting as undecided, and each
    family as much as images as they are.

    Args:
        labels: 0 real, 1 fake, (N,).
        logits: {handling: (N,)}, with "original".
        families: Handlings from weak to strong.
        budget: Error budget.

    Returns:
        Names, "original" first.
    """
    kept = {name: [each for each in grades if each in logits] for name, grades in families.items()}
    weight = {ORIGINAL: 1.0} | {each: 1 / len(grades) for grades in kept.values() for each in grades}
    real, fake = ({name: values[labels == label] for name, values in logits.items()} for label in (REAL, FAKE))

    def alone(name: str) -> tuple[float, float]:
        times = 1 if name == ORIGINAL else TOLERANCE
        most_missed, most_alarms = (min(times * each, 0.5) for each in (budget.max_fnr, budget.max_fpr))
        return -upper_threshold(-fake[name], most_missed), upper_threshold(real[name], most_alarms)

    ends = {name: alone(name) for name in weight}

    def decided(chosen: set[str]) -> float:
        all_real, all_fake = (np.concatenate([part[name] for name in sorted(chosen)]) for part in (real, fake))
        together = upper_threshold(all_real, budget.max_fpr, len(real[ORIGINAL]))
        together_fake = -upper_threshold(-all_fake, budget.max_fnr, len(fake[ORIGINAL]))
        high = max(together, *(ends[name][1] for name in chosen))
        low = min(together_fake, *(ends[name][0] for name in chosen))
        if high <= low:  # One threshold keeps both budgets.
            high = low = float(np.clip(0.0, high, low))
        shares = {name: float(((logits[name] < low) | (logits[name] >= high)).mean()) for name in chosen}
        return sum(
            weight[name] * share for name, share in shares.items() if share >= _LEAST_DECIDED or name == ORIGINAL
        )

    chosen, best = {ORIGINAL}, decided({ORIGINAL})
    while True:
        steps = [chosen | set(grades[: k + 1]) for grades in kept.values() for k in range(len(grades))]
        values = [(decided(step), -number) for number, step in enumerate(steps) if step != chosen]
        value, number = max(values, default=(-math.inf, 0))
        if value <= best + 1e-9:
            return [name for name in weight if name in chosen]
        chosen, best = steps[-number], value


def fit_limits(handled: Handled, sound: Sequence[str], families: Mapping[str, Sequence[str]]) -> Gate:
    """Limits that lie between what sound handlings make of the images and what the others make of them."""

    def values(names: Sequence[str], key: str) -> np.ndarray:
        some = np.concatenate([np.empty(0), *(handled.facts[name][key] for name in names if name in handled.facts)])
        return some[np.isfinite(some)]

    def broken(family: str) -> list[str]:
        return [name for name in families[family] if name in handled.facts and name not in sound][:1]

    def good(*of: str) -> list[str]:
        return [ORIGINAL, *(name for family in of for name in families[family] if name in sound)]

    low_side = _below(values(good(SMALLER), "side"), values(broken(SMALLER), "side"), ratio=True)
    known_sides = values(good(*LARGER), "side")
    larger = [name for family in LARGER for name in broken(family)]
    high_side = _above(known_sides, values(larger, "side")) if larger else float(known_sides.max())
    # Files that state no quality are lossless.
    qualities = np.append(values(good(QUALITY), "quality"), [100.0] * (not len(values([ORIGINAL], "quality"))))
    jpeg_known = broken(QUALITY) or len(good(QUALITY)) > 1
    return Gate(
        sides=(low_side, high_side),
        quality_from=_below(qualities, values(broken(QUALITY), "quality")) if jpeg_known else None,
        colour_from=_below(values(good(COLOUR), "colour"), values(broken(COLOUR), "colour"))
        if broken(COLOUR)
        else None,
        flat=(
            _below(values(sound, "flat"), values(broken(NOISE), "flat")) if broken(NOISE) else None,
            min(float(np.percentile(values(sound, "flat"), 99)) + _FLATNESS_MARGIN, 1.0),
        ),
    )


def _below(sound: np.ndarray, broken: np.ndarray, *, ratio: bool = False) -> float:
    """A lower limit: midway from what is sound to what is broken; the sound ones' end where they overlap."""
    low = float(np.percentile(sound, 1))
    if not len(broken):
        return float(sound.min())
    high = float(np.percentile(broken, 99) if not ratio else np.median(broken))
    if high >= low:
        return low
    return math.sqrt(low * high) if ratio else (low + high) / 2


def _above(sound: np.ndarray, broken: np.ndarray) -> float:
    high, low = float(np.percentile(sound, 99)), float(np.median(broken))
    return math.sqrt(low * high) if low > high else high


def fit_handled(points: np.ndarray, broken: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line beyond which images look like those after handling that breaks the score, by logistic regression.

    Args:
        points: Whitened features of handled images, (N, K), see `OODDetector.points`.
        broken: Whether the handling of each breaks the score, bool (N,).
        images: Which image each is made from, (N,).

    Returns:
        Weights and bias, float32 (K + 1,), empty if there is nothing to tell apart; and for each row whether it is
        beyond the line, by a fit without its image, bool (N,).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    nothing = np.empty(0, np.float32), np.zeros(len(points), bool)
    if len(set(images[broken])) < _FOLDS or len(set(images[~broken])) < _FOLDS:
        return nothing

    def fit(rows: np.ndarray) -> LogisticRegression:
        return LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=1000).fit(
            points[rows], broken[rows]
        )

    held_out = np.empty(len(points))
    for learned, held in GroupKFold(_FOLDS).split(points, broken, images):
        held_out[held] = fit(learned).decision_function(points[held])
    limit = np.quantile(held_out[~broken], 1 - _MISTAKEN)
    line = fit(np.arange(len(points)))
    return np.append(line.coef_[0], line.intercept_[0] - limit).astype(np.float32), held_out > limit
