"""Fits the gate: which handlings keep the error budget, and what tells their images from those of the others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dfcore.confidence.calibration import sigmoid
from dfcore.confidence.file_range import FLATNESS_MARGIN, SIZE_MARGIN
from dfcore.confidence.gate import Gate
from dfcore.confidence.thresholds import ORIGINAL, ErrorBudget, fit_thresholds
from dfcore.labels import FAKE, REAL

# Properties that a family of handlings moves: its grades say where the limit lies.
SMALLER, LARGER, QUALITY, COLOUR, NOISE = "smaller", ("larger", "enlarged"), "jpeg", "colour", "noise"
_NEIGHBOURS = 5
# A handling after which less than this share of the decisions is left is not worth being let pass.
_LEAST_DECIDED = 0.5
# Share of images after sound handling that may look like one after handling that breaks the score, of those held out.
_MISTAKEN, _FOLDS, _INVERSE_PENALTY = 0.02, 5, 0.001


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
    labels: np.ndarray,
    logits: Mapping[str, np.ndarray],
    families: Mapping[str, Sequence[str]],
    budget: ErrorBudget,
    groups: np.ndarray | None = None,
) -> list[str]:
    """The handlings after which the budget can be kept at a price worth paying.

    Thresholds are those of `fit_thresholds` for images of all sound handlings. The choice is made on the images that
    the thresholds are then fitted on, so the guarantee of conformal risk control holds for given handlings, not for
    their choice.

    One more handling widens the range between the thresholds: more of its images are decided, fewer of others. Grades
    are added, each with all weaker ones of its family, as long as more is decided in all, images of handlings that are
    not sound counting as undecided, and each family as much as images as they are.

    Args:
        labels: 0 real, 1 fake, (N,).
        logits: {handling: (N,)}, with "original".
        families: Handlings from weak to strong.
        budget: Error budget.
        groups: Source of each image, (N,), if each is to keep the budget.

    Returns:
        Names, "original" first.
    """
    kept = {name: [each for each in grades if each in logits] for name, grades in families.items()}
    weight = {ORIGINAL: 1.0} | {each: 1 / len(grades) for grades in kept.values() for each in grades}
    scores = {name: sigmoid(logits[name]) for name in weight}

    def decided(chosen: set[str]) -> float:
        names = [name for name in weight if name in chosen]
        fitted = fit_thresholds(
            np.tile(labels, len(names)),
            np.concatenate([scores[name] for name in names]),
            budget,
            groups=None if groups is None else np.tile(groups, len(names)),
            handlings=np.repeat(names, len(labels)),
        )
        shares = {
            name: float(((scores[name] < fitted.real_below) | (scores[name] >= fitted.fake_from)).mean())
            for name in names
        }
        # One that is hardly decided would only dilute the errors of the others.
        if min(shares.values()) < _LEAST_DECIDED * shares[ORIGINAL]:
            return -math.inf
        return sum(weight[name] * share for name, share in shares.items())

    chosen, best = {ORIGINAL}, decided({ORIGINAL})
    while True:
        steps = [chosen | set(grades[: k + 1]) for grades in kept.values() for k in range(len(grades))]
        values = [(decided(step), -number) for number, step in enumerate(steps) if step != chosen]
        value, number = max(values, default=(-math.inf, 0))
        if value <= best + 1e-9:
            return [name for name in weight if name in chosen]
        chosen, best = steps[-number], value


def fit_limits(
    handled: Handled,
    sound: Sequence[str],
    families: Mapping[str, Sequence[str]],
    sources: Sequence[Mapping[str, np.ndarray]] = (),
) -> Gate:
    """Limits that lie between what sound handlings make of the images and what the others make of them.

    Args:
        handled: Held-out images after handling.
        sound: Handlings whose images are to pass.
        families: Handlings from weak to strong.
        sources: Properties of the training images of each source as they are, as in `Handled.facts`. A limit refuses no
            more than a percent of any.
    """
    facts = handled.facts

    def values(names: Sequence[str], key: str) -> np.ndarray:
        return _finite(np.concatenate([np.empty(0), *(facts[name][key] for name in names if name in facts)]))

    def broken(family: str) -> list[str]:
        return [name for name in families[family] if name in facts and name not in sound][:1]

    def good(*of: str) -> list[str]:
        return [ORIGINAL, *(name for family in of for name in families[family] if name in sound)]

    def taught(key: str, share: int) -> list[float]:
        known = (_finite(source[key]) for source in sources)
        return [
            float(np.percentile(some, share, method="lower" if share < 50 else "higher")) for some in known if len(some)
        ]

    low_side = _below(values(good(SMALLER), "side"), values(broken(SMALLER), "side"), ratio=True)
    known_sides = values(good(*LARGER), "side")
    larger = [name for family in LARGER for name in broken(family)]
    high_side = _above(known_sides, values(larger, "side")) if larger else float(known_sides.max())
    # Files that state no quality are lossless.
    qualities = np.append(values(good(QUALITY), "quality"), [100.0] * (not len(values([ORIGINAL], "quality"))))
    quality = _below(qualities, values(broken(QUALITY), "quality"))
    colour = _below(values(good(COLOUR), "colour"), values(broken(COLOUR), "colour"))
    noisy = _below(values(sound, "flat"), values(broken(NOISE), "flat"))
    flattest = min(float(np.percentile(values(sound, "flat"), 99)) + FLATNESS_MARGIN, 1.0)
    return Gate(
        sides=(min([low_side, *taught("side", 1)]), max([high_side, *taught("side", 99)])),
        quality_from=min([quality, *taught("quality", 1)]) if broken(QUALITY) or len(good(QUALITY)) > 1 else None,
        colour_from=min([colour, *taught("colour", 1)]) if broken(COLOUR) else None,
        flat=(min([noisy, *taught("flat", 1)]) if broken(NOISE) else None, max([flattest, *taught("flat", 99)])),
    )


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


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
    """An upper limit: between what is sound and what is broken; where size tells nothing, somewhat above the former."""
    high, low = float(np.percentile(sound, 99)), float(np.median(broken))
    return math.sqrt(low * high) if low > high else high * SIZE_MARGIN


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
