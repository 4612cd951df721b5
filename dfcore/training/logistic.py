"""Logistic regression on features that need not fit into memory, with weights for images and an L2 penalty."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Rows that are converted to float32 at a time: 0.15 GB of 9,216 features.
_ROWS = 4096
_MOST_STEPS = 300
# Bytes of features that are kept in memory while it solves; more are read anew in every step.
_MOST_KEPT = 2**29


@dataclass(frozen=True)
class Part:
    """Examples to learn from, read in slices.

    Attributes:
        gather: Maps row numbers to features, (n, D).
        rows: The row numbers, (N,).
        labels: 0 or 1, or a probability between, (N,).
        weights: What each counts, (N,).
        offsets: What is added to the logit of each, (N,); None for nothing.
    """

    gather: Callable[[np.ndarray], np.ndarray]
    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray | None = None

    def slices(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Yields features, float32 (n, D), labels, weights and offsets."""
        offsets = np.zeros(len(self.rows)) if self.offsets is None else self.offsets
        for start in range(0, len(self.rows), _ROWS):
            some = slice(start, start + _ROWS)
            features = np.asarray(self.gather(self.rows[some]), np.float32)
            yield features, self.labels[some], self.weights[some], offsets[some]


_Slices = Callable[[], Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]]


def fit(
    parts: Sequence[Part], strength: float, tell: Callable[[int, float], None] = lambda *_: None
) -> tuple[np.ndarray, float, float]:
    """Fits weights and bias on standardised features and returns them for the features as they are.

    Minimises strength x (sum of weight x log loss) + (sum of squared weights) / 2, by L-BFGS, as scikit-learn's
    `LogisticRegression(C=strength)` does after a `StandardScaler`.

    Args:
        parts: What to learn from.
        strength: Inverse of the penalty, > 0.
        tell: Called with (steps done, mean log loss) after each step; what it raises ends the fit.

    Returns:
        The weights, float32 (D,), the bias, and the mean log loss.
    """
    from scipy.optimize import minimize

    def slices() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        for part in parts:
            yield from part.slices()

    mean, spread = _scale(slices)
    # Read once if they fit into memory.
    kept = list(slices()) if 4 * sum(len(part.rows) for part in parts) * len(mean) <= _MOST_KEPT else None
    total = sum(float(part.weights.sum()) for part in parts)
    seen: list[float] = []

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = (values[:-1] / spread).astype(np.float32), values[-1]
        offset = bias - float(mean @ (values[:-1] / spread))
        sum_of_losses, slope, slope_of_bias = 0.0, np.zeros(len(mean)), 0.0
        for features, labels, weights, offsets in kept or slices():
            logits = features @ kernel + offset + offsets
            sum_of_losses += float(weights @ (np.logaddexp(0.0, logits) - labels * logits))
            pull = weights * (1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60))) - labels)
            slope += pull.astype(np.float32) @ features
            slope_of_bias += float(pull.sum())
        seen.append(sum_of_losses / total)
        slope = (slope - mean * slope_of_bias) / spread
        gradient = np.append(strength * slope + values[:-1], strength * slope_of_bias)
        return strength * sum_of_losses + float(values[:-1] @ values[:-1]) / 2, gradient

    steps = iter(range(1, _MOST_STEPS + 1))
    result = minimize(
        loss,
        np.zeros(len(mean) + 1),
        jac=True,
        method="L-BFGS-B",
        callback=lambda _: tell(next(steps, _MOST_STEPS), seen[-1]),
        options={"maxiter": _MOST_STEPS, "gtol": 1e-4 * max(1.0, strength * total) / 10},
    )
    loss(result.x)
    kernel = result.x[:-1] / spread
    return kernel.astype(np.float32), float(result.x[-1] - mean @ kernel), seen[-1]


def _scale(slices: _Slices) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature over all examples; 1 where it is constant."""
    count, total, squares = 0, 0.0, 0.0
    for features, *_ in slices():
        values = features.astype(np.float64)
        count, total, squares = count + len(values), total + values.sum(0), squares + (values**2).sum(0)
    mean = np.asarray(total / count)
    variance = np.asarray(squares / count) - mean**2
    return mean, np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 1e-12)), 1.0)
