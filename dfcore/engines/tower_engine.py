"""The engine of detectors whose network is a shared tower and a head of their own: one tower in memory for them all.

The head is one dense layer, kilobytes of weights, and runs in NumPy.
"""

import threading
from functools import lru_cache
from typing import Any

import numpy as np

from dfcore.engines.base import EngineName, Outputs, as_squares, count_heads, fake_logit, over_views
from dfcore.towers import tower
from dfcore.towers.graph import FEATURES, Precision, compiled
from dfcore.utils.processes import cores

_NAMES: dict[Precision, EngineName] = {
    "float32": "openvino", "bfloat16": "openvino-bf16", "int8": "openvino-int8",
}  # fmt: skip


class _SharedTower:
    """A compiled tower. Thread-safe."""

    def __init__(self, precision: Precision):
        import openvino

        # One request running on each core and one waiting.
        self._queue = openvino.AsyncInferQueue(compiled(tower(), precision), 2 * cores())
        self._lock = threading.Lock()

    def features(self, squares: np.ndarray) -> np.ndarray:
        """Features of images, uint8 (N, 224, 224, 3): float32 (N, 9216), bit-identical in any batch."""
        result = np.empty((len(squares), FEATURES), np.float32)

        def keep(request: Any, number: int) -> None:
            result[number] = request.get_output_tensor().data[0]

        with self._lock:
            self._queue.set_callback(keep)
            for number, square in enumerate(squares):
                self._queue.start_async({0: square[None]}, number)
            self._queue.wait_all()
        return result


@lru_cache(3)
def shared_tower(precision: Precision = "float32") -> _SharedTower:
    """The compiled tower, one for all detectors of this process."""
    return _SharedTower(precision)


class TowerEngine:
    """Runs the shared tower and a head. Thread-safe."""

    width = FEATURES

    def __init__(
        self,
        kernel: np.ndarray,
        bias: np.ndarray,
        *,
        views: int = 1,
        loss: str = "binary",
        tta_flip: bool = False,
        precision: Precision = "float32",
    ):
        """Loads the tower, if no other detector has.

        Args:
            kernel: Weights of the head, float32 (9216, units).
            bias: Its biases, float32 (units,).
            views: Number of views of an image.
            loss: "binary" or "categorical"; tells with several views what the units mean.
            tta_flip: Whether outputs are averaged over an image and its mirror image.
            precision: What the tower computes in; other than "float32" scores change.

        Raises:
            ValueError: If the units do not fit the views.
            BundleError: If the tower is missing or damaged.
            MissingExtraError: If OpenVINO is not installed.
        """
        self.name = _NAMES[precision]
        self.views, self.heads, self.tta_flip = views, count_heads(len(bias), views, loss), tta_flip
        self._kernel, self._bias = np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
        self._tower = shared_tower(precision)

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.outputs`."""
        squares = as_squares(pixels, self.views)
        features = self._tower.features(squares)
        logits = self._logits(features)
        if self.tta_flip:
            mirrored = self._tower.features(np.ascontiguousarray(squares[:, :, ::-1]))
            features, logits = (features + mirrored) / 2, (logits + self._logits(mirrored)) / 2
        return over_views(logits, features, self.views)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """See `Engine.logits`."""
        return self.outputs(pixels).logits

    def _logits(self, features: np.ndarray) -> np.ndarray:
        # One at a time: the bits of a product of matrices depend on the number of rows.
        rows = np.stack([row @ self._kernel + self._bias for row in features])
        return rows[np.arange(len(rows)), np.arange(len(rows)) % self.views] if self.heads > 1 else fake_logit(rows)
