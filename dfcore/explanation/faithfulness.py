"""Whether a heat-map shows what the score hangs on: deletion and insertion, against random orders.

Cells of the judged square are blotted out, those that the map calls strongest first (deletion), or brought back into
the blotted square in the same order (insertion), and the score is followed (Petsiuk et al., RISE, 2018). The same is
done in random orders: a map that is no better than they are says nothing.

Cells are blotted out with a strong blur, rather than with the mean colour: squares of one colour are all fakes to the
detector of thumbnails, and all real to that of photographs. Blotted squares are unlike any training image, so the test
says how much the score depends on a place, not what was done there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from dfcore.errors import InputError
from dfcore.explanation.explainer import Heatmap, Target

# Shares of the cells that are blotted out. An order and its reverse are equally random, so that with shares that are
# symmetric about a half, one run of an order gives its deletion and the insertion of its reverse.
SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)
ORDERS = 8
_MOST_CELLS, _LEAST_PIXELS = 14, 4
# The blur's standard deviation as a share of the square's side: most of a cell.
_BLUR = 1 / 18
# Share of comparisons won from which a map is faithful, or somewhat better than chance: of random maps, 4% and 19% win
# as many with eight orders, if the ranks of a map in both tests are independent.
_FAITHFUL, _PARTLY = 0.9, 0.7
# Scores that move less than this under everything that was blotted out decide nothing.
_INERT = 0.05

Score = Callable[[np.ndarray], np.ndarray]
Outcome = Literal["faithful", "partly", "random", "inert"]


@dataclass(frozen=True)
class Faithfulness:
    """How one map fared. Scores are P(fake), calibrated, of the whole image; its other views stay as they are.

    Attributes:
        target: What the map is evidence for.
        deletion: Scores after the strongest cells, so many as `SHARES` says, were blotted out: (5,).
        insertion: Scores after so many of the strongest were brought back into the blotted square: (5,).
        random: As `deletion`, in random orders: (orders, 5).
    """

    target: Target
    deletion: np.ndarray
    insertion: np.ndarray
    random: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve of the target's score, in [0, 1]; the lower, the better the map."""
        return float(self._areas(self.deletion))

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve of the target's score, in [0, 1]; the higher, the better the map."""
        return float(self._areas(self.insertion))

    @property
    def random_areas(self) -> np.ndarray:
        """Areas under the curves of the random orders, (orders,); for deletion and insertion, see `SHARES`."""
        return self._areas(self.random)

    @property
    def beats_random(self) -> float:
        """Share of comparisons with a random order, in deletion and in insertion, that the map wins; 0.5 by chance."""
        areas = self.random_areas
        gains = np.concatenate([areas - self.deletion_area, self.insertion_area - areas])
        return float(np.where(np.abs(gains) < 1e-9, 0.5, gains > 0).mean())

    @property
    def outcome(self) -> Outcome:
        """What is to be concluded; "inert" where nothing that was blotted out moved the score."""
        everything = np.concatenate([self.deletion, self.insertion, self.random.ravel()])
        if np.ptp(everything) < _INERT:
            return "inert"
        if self.beats_random >= _FAITHFUL:
            return "faithful"
        return "partly" if self.beats_random >= _PARTLY else "random"

    def in_words(self) -> str:
        """What was done, what came of it, and what to make of it."""
        outcome = self.outcome
        if outcome == "inert":
            return (
                f"Whatever was blotted out, the score stayed within {_INERT:g} of where it was: what this map shows "
                "cannot be tested on this picture."
            )
        won = round(self.beats_random * 2 * len(self.random), 1)
        conclusion = {
            "faithful": "the map shows what the score hangs on.",
            "partly": "somewhat better than random, which chance gives too: read the map with care.",
            "random": "no better than random: do not read this map.",
        }[outcome]
        return (
            f"{self._example()} The map did better than random orders in {won:g} of {2 * len(self.random)} "
            f"comparisons: {conclusion}"
        )

    def _example(self) -> str:
        """One step in words: the first at which the map clearly does better than random orders, else where it does
        best; a map that is no better is shown by its first."""
        sign, chance = (1 if self.target == "fake" else -1), self.random.mean(0)
        steps = [
            (doing, share, curve, mean[share], sign * gain * (mean[share] - curve[share]))
            for doing, gain, curve, mean in (
                ("Blotting out the brightest {}{}", 1, self.deletion, chance),
                ("Bringing the brightest {}{} back into the blotted image", -1, self.insertion, chance[::-1]),
            )
            for share in (1, 2)
        ]
        clear = [step for step in steps if step[-1] >= _INERT]
        moved = [step for step in steps if abs(step[2][step[1]] - step[2][0]) >= 0.02]
        better = clear[0] if clear else max(steps, key=lambda step: step[-1])
        doing, share, curve, mean, _ = (moved or steps)[0] if self.outcome == "random" else better
        part, parts = {1: ("tenth", "tenths"), 2: ("half", "halves")}[share]
        return (
            f"{doing.format(part, ' of the map')} {_moved(curve[0], curve[share])}; random {parts} "
            f"{_moved(curve[0], mean, again=True)}."
        )

    def _areas(self, scores: np.ndarray) -> np.ndarray:
        return np.trapezoid(scores if self.target == "fake" else 1 - scores, SHARES, axis=-1)


def random_orders(score: Score, square: np.ndarray, *, orders: int = ORDERS, seed: int = 0) -> np.ndarray:
    """Scores of a square that is blotted out in random orders, as `Faithfulness.random`; the same for every map of it.

    Args:
        score: Maps squares, uint8 (N, size, size, 3), to scores, P(fake) in [0, 1], (N,).
        square: Preprocessed pixels of one view, uint8 (size, size, 3).
        orders: Number of random orders; each costs three forward passes.
        seed: Seed of the orders.
    """
    if orders < 1:
        raise InputError(f"Expected at least one random order. Received: {orders}.")
    cells, random = _cells(square) ** 2, np.random.default_rng(seed)
    return _curves(score, square, [random.permutation(cells) for _ in range(orders)])


def faithfulness(
    score: Score,
    square: np.ndarray,
    heatmap: Heatmap,
    *,
    random: np.ndarray | None = None,
    orders: int = ORDERS,
    seed: int = 0,
) -> Faithfulness:
    """Tests a heat-map by deletion and insertion, with 10 + 3 * orders forward passes of one view.

    Args:
        score: As for `random_orders`.
        square: Preprocessed pixels of the explained view, uint8 (size, size, 3).
        heatmap: The map of this view.
        random: Result of `random_orders` for this square, if it is known; then 8 forward passes are enough.
        orders: Number of random orders.
        seed: Seed of the random orders, and of the order among cells that the map holds equal.

    Raises:
        InputError: If the map is empty.
    """
    if not heatmap.peak > 0:
        raise InputError("The map is empty: there is no evidence of its target, and so nothing to test.")
    if random is None:
        random = random_orders(score, square, orders=orders, seed=seed)
    strength = strengths(heatmap, _cells(square)).ravel()
    order = np.lexsort((np.random.default_rng(seed).permutation(strength.size), -strength))
    falling, rising = _curves(score, square, [order, order[::-1]])
    return Faithfulness(heatmap.target, falling, rising[::-1], random)


def strengths(heatmap: Heatmap, cells: int = _MOST_CELLS) -> np.ndarray:
    """The map's mean in each cell of the view that it explains, float32 (cells, cells)."""
    left, top, right, bottom = heatmap.judged
    inside = Image.fromarray(np.ascontiguousarray(heatmap.values[top:bottom, left:right], np.float32))
    return np.asarray(inside.resize((cells, cells), Image.Resampling.BOX))


def _cells(square: np.ndarray) -> int:
    """Cells a side: as many as the coarsest maps have, but each of some pixels."""
    return max(2, min(_MOST_CELLS, square.shape[0] // _LEAST_PIXELS))


def _curves(score: Score, square: np.ndarray, orders: list[np.ndarray]) -> np.ndarray:
    """Scores as more and more cells are blotted out in each order, (orders, 5)."""
    side, cells = square.shape[0], _cells(square)
    blurred = np.asarray(Image.fromarray(square).filter(ImageFilter.GaussianBlur(_BLUR * side)))
    # Pixels to cells, also where the side is no multiple.
    cell = np.arange(side) * cells // side
    inner = SHARES[1:-1]
    squares = [square, blurred]
    for order in orders:
        for share in inner:
            blotted = np.zeros(cells * cells, bool)
            blotted[order[: round(share * len(order))]] = True
            squares.append(np.where(blotted.reshape(cells, cells)[cell][:, cell, None], blurred, square))
    scores = np.asarray(score(np.stack(squares)), float)
    whole, nothing = (np.full((len(orders), 1), end) for end in scores[:2])
    return np.concatenate([whole, scores[2:].reshape(len(orders), -1), nothing], axis=1)


def _moved(before: float, after: float, *, again: bool = False) -> str:
    """How the score moved, as the end of a sentence."""
    if abs(after - before) < 0.005:
        return f"leave it at {before:.2f}" if again else f"leaves the score at {before:.2f}"
    verb = "lower" if after < before else "raise"
    return f"{verb} it to {after:.2f}" if again else f"{verb}s the score from {before:.2f} to {after:.2f}"
