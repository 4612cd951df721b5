"""Intervals by resampling: how much a figure would differ on other images, or films, of the same kinds."""

from collections.abc import Callable, Iterator

import numpy as np

from dfcore.labels import FAKE, REAL

REPEATS = 2000
_QUANTILES = [0.025, 0.975]


def resampled(labels: np.ndarray, seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draws as many real ones, and as many fakes, as there are, with repetition; `REPEATS` times.

    Args:
        labels: 0 real, 1 fake, (N,), both at least once.
        seed: The same seed gives the same draws.

    Yields:
        Positions of the real ones and of the fakes that were drawn.
    """
    real, fake = np.flatnonzero(labels == REAL), np.flatnonzero(labels == FAKE)
    random = np.random.default_rng(seed)
    for _ in range(REPEATS):
        yield random.choice(real, len(real)), random.choice(fake, len(fake))


def middle(values: np.ndarray) -> tuple[float, float]:
    """The interval that holds 95% of the values."""
    low, high = np.quantile(values, _QUANTILES)
    return float(low), float(high)


def auc(real: np.ndarray, fake: np.ndarray) -> float:
    """ROC AUC by ranks (Mann-Whitney), ties counted half; much faster in a bootstrap than computing the curve.

    Args:
        real: Scores of real ones, at least one.
        fake: Scores of fakes, at least one.
    """
    ordered = np.sort(real)
    below = np.searchsorted(ordered, fake, "left")
    ties = np.searchsorted(ordered, fake, "right") - below
    return float((below + ties / 2).mean() / len(real))


def interval(
    labels: np.ndarray, values: np.ndarray, figure: Callable[[np.ndarray, np.ndarray], float], seed: int = 0
) -> tuple[float, float] | None:
    """The 95% interval of a figure, from a bootstrap stratified by class; None if a class is missing.

    Args:
        labels: 0 real, 1 fake, (N,).
        values: What the figure is computed of, (N,).
        figure: Computes it from the values of real ones and those of fakes.
        seed: Seed of the bootstrap.
    """
    if len({*labels.tolist()}) < 2:
        return None
    return middle(np.array([figure(values[real], values[fake]) for real, fake in resampled(labels, seed)]))
