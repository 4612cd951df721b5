"""Calibration: maps a network's logit to a score that can be read as a probability.

A calibration is fitted on images the network was not trained on. It holds for similar images with a similar share of
fakes: where fakes are rarer, fewer than nine in ten images with a score of 0.9 are fake.
"""

import itertools
import math
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from dfcore.errors import InputError

Method = Literal["none", "temperature", "platt", "isotonic"]
# Isotonic regression fits any monotonic shape, including noise. Niculescu-Mizil and Caruana (2005) found it better
# than Platt scaling only above about 1,000 images; the limit here leaves a margin.
ISOTONIC_FROM = 5000


class Calibration(BaseModel):
    """A fitted map from logits to scores, stored as plain data on the card.

    Attributes:
        method: "none" (plain sigmoid of the logit), "temperature" or "platt" (sigmoid of slope * logit + offset), or
            "isotonic" (piecewise linear through `knots`).
        slope, offset: Parameters of the sigmoid. For "temperature", 1 / temperature and 0.
        knots: For "isotonic", (logit, score) pairs; logits strictly increasing, scores non-decreasing in [0, 1].
        fitted_on: Description of the images it was fitted on.
        images: Number of those images.
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
        increasing = all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(self.knots))
        if not increasing or any(not (math.isfinite(x) and 0 <= y <= 1) for x, y in self.knots):
            raise ValueError("knots must be finite and increasing, with scores in [0, 1]")
        return self

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Maps logits of any shape to scores, P(fake) in [0, 1], float64."""
        z = np.asarray(logits, np.float64)
        if self.method == "isotonic":
            x, y = np.array(self.knots, float).T
            return np.interp(z, x, y)
        return sigmoid(self.slope * z + self.offset)

    @property
    def description(self) -> str:
        """One-sentence description of the method and the images it was fitted on."""
        if self.method == "none":
            return "none: the score is the network's raw output, not a calibrated probability"
        return f"{self.method} scaling, fitted on {self.images:,} images: {self.fitted_on}"


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Numerically stable 1 / (1 + exp(-x)), float64."""
    z = np.asarray(logits, np.float64)
    decay = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + decay), 1 - 1 / (1 + decay))


def fit_calibration(labels: np.ndarray, logits: np.ndarray, *, fitted_on: str, method: str = "auto") -> Calibration:
    """Fits a calibration.

    Args:
        labels: 0 real, 1 fake, shape (N,).
        logits: Logits of images the network was not trained on, shape (N,).
        fitted_on: Description of these images, for the card.
        method: "temperature" (Guo et al., 2017), "platt" (Platt, 1999), "isotonic", or "auto" to choose by the number
            of images.

    Returns:
        The fitted calibration; with a single class nothing can be fitted and its method is "none".

    Raises:
        InputError: If the method is unknown.
    """
    labels, logits = np.asarray(labels, int), np.asarray(logits, np.float64)
    if method not in ("auto", "temperature", "platt", "isotonic"):
        raise InputError(f"Expected auto, temperature, platt or isotonic. Received: {method!r}.")
    smaller_class = int(np.bincount(labels, minlength=2).min()) if len(labels) else 0
    if not smaller_class:
        return Calibration()
    if method == "auto":
        many = len(labels) >= ISOTONIC_FROM and smaller_class >= ISOTONIC_FROM // 5
        # A temperature leaves the threshold where the network put it, and a network trained on few images may put all
        # of them on one side. An offset estimated from n images a class errs by about the spread of a class over the
        # root of 2n, however few they are: less than what it corrects. Platt's softened labels keep it moderate.
        method = "isotonic" if many else "platt"
    if method == "isotonic":
        fitted = Calibration(method="isotonic", knots=_isotonic(labels, logits))
    else:
        slope, offset = _sigmoid_fit(labels, logits, with_offset=method == "platt")
        fitted = Calibration(method="platt" if method == "platt" else "temperature", slope=slope, offset=offset)
    return fitted.model_copy(update={"fitted_on": fitted_on, "images": len(labels)})


def _sigmoid_fit(labels: np.ndarray, logits: np.ndarray, *, with_offset: bool) -> tuple[float, float]:
    """Slope and offset that minimise the log loss against Platt's smoothed labels, finite even on separable data."""
    from scipy.optimize import minimize

    n_fake = labels.sum()
    targets = np.where(labels == 1, (n_fake + 1) / (n_fake + 2), 1 / (len(labels) - n_fake + 2))

    def loss(params: np.ndarray) -> tuple[float, np.ndarray]:
        z = np.exp(params[0]) * logits + (params[1] if with_offset else 0.0)
        residual = sigmoid(z) - targets
        d_log_slope = (residual * np.exp(params[0]) * logits).mean()
        d_offset = residual.mean() * with_offset
        return float((np.logaddexp(0, z) - targets * z).mean()), np.array([d_log_slope, d_offset])

    # Optimises the log of the slope: a negative slope would invert the detector.
    result = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-7, 7), (None, None)])
    return float(np.exp(result.x[0])), float(result.x[1]) if with_offset else 0.0


def _isotonic(labels: np.ndarray, logits: np.ndarray) -> list[tuple[float, float]]:
    from sklearn.isotonic import IsotonicRegression

    margin = 1 / (len(labels) + 2)
    fitted = IsotonicRegression(y_min=margin, y_max=1 - margin).fit(logits, labels)
    return list(zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True))
