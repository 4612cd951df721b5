"""Calibration: from a network's logit to a score that can be read as a probability.

It is fitted on images that the network did not learn from, and holds for images like those, with as many fakes
among them: where fakes are rarer, fewer of the images with a score of 0.9 are fake than nine in ten.
"""

import itertools
import math
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from dfcore.errors import InputError

Method = Literal["none", "temperature", "platt", "isotonic"]
# Isotonic regression follows any shape, and noise too: Niculescu-Mizil and Caruana (2005) found it
# better than Platt's two parameters only from about a thousand images on; a margin is kept.
ISOTONIC_FROM = 5000


class Calibration(BaseModel):
    """A fitted map from logits to scores, as plain data for a card.

    Attributes:
        method: "none" (the network's own sigmoid), "temperature" or "platt" (a sigmoid of slope x logit +
            offset), or "isotonic" (a rising line through `knots`).
        slope, offset: of the sigmoid; one over the temperature, and 0, for "temperature".
        knots: for "isotonic", pairs of logit and score, both rising.
        fitted_on: on what, in words.
        images: how many images those were.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    method: Method = "none"
    slope: float = 1.0
    offset: float = 0.0
    knots: list[tuple[float, float]] = []
    fitted_on: str = ""
    images: int = 0

    @model_validator(mode="after")
    def _has_knots(self) -> "Calibration":
        if self.method == "isotonic" and not self.knots:
            raise ValueError("isotonic calibration needs knots")
        rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(self.knots))
        if not rising or any(not (math.isfinite(x) and 0 <= y <= 1) for x, y in self.knots):
            raise ValueError("knots must rise, with scores from 0 to 1")
        return self

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Maps logits of any shape to scores, P(fake) in [0, 1], float64."""
        wide = np.asarray(logits, np.float64)
        if self.method == "isotonic":
            x, y = np.array(self.knots, float).T
            return np.interp(wide, x, y)
        return sigmoid(self.slope * wide + self.offset)

    @property
    def description(self) -> str:
        """What was done, in words."""
        if self.method == "none":
            return "none: the score is the network's own and no calibrated probability"
        return f"{self.method} scaling, fitted on {self.images:,} images: {self.fitted_on}"


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), float64, without overflow."""
    wide = np.asarray(logits, np.float64)
    small = np.exp(-np.abs(wide))
    return np.where(wide >= 0, 1 / (1 + small), 1 - 1 / (1 + small))


def fit_calibration(labels: np.ndarray, logits: np.ndarray, *, fitted_on: str, method: str = "auto") -> Calibration:
    """Fits a calibration.

    Args:
        labels: 0 real, 1 fake, (N,).
        logits: of images that the network did not learn from, (N,).
        fitted_on: in words, for the card.
        method: "temperature" (Guo et al., 2017), "platt" (Platt, 1999), "isotonic", or "auto" for the one that
            the number of images allows; with one class only nothing can be fitted and it is "none".

    Raises:
        InputError: when the method is none of these.
    """
    labels, logits = np.asarray(labels, int), np.asarray(logits, np.float64)
    if method not in ("auto", "temperature", "platt", "isotonic"):
        raise InputError(f"Expected auto, temperature, platt or isotonic. Received: {method!r}.")
    least = int(np.bincount(labels, minlength=2).min()) if len(labels) else 0
    if not least:
        return Calibration()
    if method == "auto":
        many = len(labels) >= ISOTONIC_FROM and least >= ISOTONIC_FROM // 5
        # A temperature leaves the threshold where the network put it, and a network that learned from few images may
        # put all of them on one side. An offset from n images a class is off by about the spread of a class over
        # the root of 2n, however few they are: less than what it mends. Platt's softened labels keep it modest.
        method = "isotonic" if many else "platt"
    if method == "isotonic":
        fitted = Calibration(method="isotonic", knots=_isotonic(labels, logits))
    else:
        slope, offset = _sigmoid_fit(labels, logits, with_offset=method == "platt")
        fitted = Calibration(method="platt" if method == "platt" else "temperature", slope=slope, offset=offset)
    return fitted.model_copy(update={"fitted_on": fitted_on, "images": len(labels)})


def _sigmoid_fit(labels: np.ndarray, logits: np.ndarray, *, with_offset: bool) -> tuple[float, float]:
    """Slope and offset with the least log loss against Platt's softened labels, which keep a separable set finite."""
    from scipy.optimize import minimize

    n_fake = labels.sum()
    targets = np.where(labels == 1, (n_fake + 1) / (n_fake + 2), 1 / (len(labels) - n_fake + 2))

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        z = np.exp(point[0]) * logits + (point[1] if with_offset else 0.0)
        rest = sigmoid(z) - targets
        slope = (rest * np.exp(point[0]) * logits).mean()
        return float((np.logaddexp(0, z) - targets * z).mean()), np.array([slope, rest.mean() * with_offset])

    # The slope's logarithm is searched: a negative slope would turn the detector round.
    result = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-7, 7), (None, None)])
    return float(np.exp(result.x[0])), float(result.x[1]) if with_offset else 0.0


def _isotonic(labels: np.ndarray, logits: np.ndarray) -> list[tuple[float, float]]:
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (len(labels) + 2)
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(logits, labels)
    return list(zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True))
