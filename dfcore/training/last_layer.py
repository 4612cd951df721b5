"""The last layer of a detector's network: one linear map from the features of all views to the logit."""

from dataclasses import dataclass, replace

import numpy as np

from dfcore.detectors import on_tower
from dfcore.detectors.detector import Detector


@dataclass(frozen=True)
class LastLayer:
    """A dense layer of one or more units.

    Attributes:
        kernel: Weights, float32 (all features, units).
        bias: float32 (units,).
        views: Number of views V of an image.
        own: Whether each view has its own unit; else all share one, or two (real, fake).
    """

    kernel: np.ndarray
    bias: np.ndarray
    views: int
    own: bool

    @classmethod
    def of(cls, detector: Detector) -> "LastLayer":
        """The last layer of a detector that was loaded from a folder.

        Raises:
            BundleError: If its model cannot be loaded.
        """
        assert detector.folder is not None
        if detector.card.tower is not None:
            kernel, bias = on_tower.head(detector.folder)
        else:
            kernel, bias = detector.model.layers[-1].get_weights()
        return cls(kernel, bias, len(detector.spec.view_titles), detector.engine.heads > 1)

    @property
    def columns(self) -> np.ndarray:
        """Numbers of the features that it looks at, (D,)."""
        return np.flatnonzero((self.kernel != 0).any(1))

    def taken(self, features: np.ndarray) -> np.ndarray:
        """Those of `columns`, float32 (N, V, D), of all features, (N, V, all); 0 where a view does not look at them."""
        some = np.asarray(features[:, :, self.columns], np.float32)
        return some * self._seen.reshape(self.views, -1) if self.own else some

    @property
    def _seen(self) -> np.ndarray:
        """Which of `columns` each view looks at, one view after the other, bool (V * D,)."""
        return (self.kernel[self.columns] != 0).T.ravel()

    def design(self, features: np.ndarray) -> np.ndarray:
        """What the logit is linear in: from features of `columns`, (N, V, D), to float32 (N, P).

        Where each view has its own unit, those that a view does not look at are left out.
        """
        values = np.asarray(features, np.float32)
        if not self.own:
            return values.mean(1)
        return values.reshape(len(values), -1)[:, self._seen] / np.float32(self.views)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits of images, float32 (N,), from features of `columns`, (N, V, D)."""
        used, units = self.kernel[self.columns], len(self.bias)
        if self.own:
            weights, bias = used.T.ravel()[self._seen], self.bias.mean()
        else:
            weights, bias = used[:, -1] - used[:, 0] * (units > 1), self.bias[-1] - self.bias[0] * (units > 1)
        return np.asarray(self.design(features) @ weights + bias, np.float32)

    def plus(self, weights: np.ndarray, bias: float) -> "LastLayer":
        """The layer whose logits are those of this one and `design` @ weights + bias, with weights (P,)."""
        kernel, biases, units = self.kernel.copy(), self.bias.copy(), len(self.bias)
        if self.own:
            change = np.zeros(self._seen.shape, np.float32)
            change[self._seen] = weights
            kernel[self.columns] += change.reshape(self.views, -1).T
            biases += bias
        else:
            shares = np.array([1.0] if units == 1 else [-0.5, 0.5], np.float32)
            kernel[self.columns] += weights[:, None] * shares
            biases += bias * shares
        return replace(self, kernel=kernel, bias=biases)
