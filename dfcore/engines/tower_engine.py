"""The engine of detectors whose network is a shared tower and a head of their own: one tower in memory for them all.

The head is one dense layer, kilobytes of weights, and runs in NumPy.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from dfcore.engines.base import GRADCAM, EngineName, Outputs, as_squares, count_heads, fake_logit, over_views
from dfcore.towers import clip, tower
from dfcore.towers.graph import FEATURES, TOKENS, WIDTH, Precision, compiled, explained
from dfcore.utils.processes import cores

_NAMES: dict[Precision, EngineName] = {
    "float32": "openvino", "bfloat16": "openvino-bf16", "int8": "openvino-int8",
}  # fmt: skip


class _SharedTower:
    """A compiled tower. Thread-safe."""

    def __init__(self, precision: Precision):
        import openvino

        # One request running on each core and one waiting.
        self._queue = openvino.AsyncInferQueue(compiled(_shared_weights(), precision), 2 * cores())
        self._lock = threading.Lock()

    def features(self, squares: np.ndarray) -> np.ndarray:
        """Features of images, uint8 (N, 224, 224, 3): float32 (N, 9216), bit-identical in any batch."""
        result = np.empty((len(squares), WIDTH), np.float32)

        def keep(request: Any, number: int) -> None:
            result[number] = request.get_tensor(FEATURES).data[0]

        self._run(squares, keep)
        return result

    def tokens(self, square: np.ndarray) -> np.ndarray:
        """Tokens of one image, (224, 224, 3), after the block of the map: float32 (1, 197, 768)."""
        found: list[np.ndarray] = []
        self._run(square[None], lambda request, _: found.append(np.array(request.get_tensor(TOKENS).data)))
        return found[0]

    def _run(self, squares: np.ndarray, keep: Callable[[Any, int], None]) -> None:
        squares = as_squares(squares, 1, clip.SIDE)
        with self._lock:
            self._queue.set_callback(keep)
            try:
                for number, square in enumerate(squares):
                    self._queue.start_async({0: square[None]}, number)
            finally:
                self._queue.wait_all()


class _SharedMaps:
    """Grad-CAM of the upper part of the tower, for any head. Thread-safe."""

    def __init__(self) -> None:
        import openvino

        from dfcore.engines.gradcam import add_gradcam

        model, settings = explained(_shared_weights())
        self._compiled = openvino.Core().compile_model(add_gradcam(model), "CPU", settings)
        self._request = self._compiled.create_infer_request()
        self._lock = threading.Lock()

    def evidence(self, tokens: np.ndarray, head: np.ndarray) -> np.ndarray:
        """Grad-CAM before its ReLU, float32 (14, 14), from an image's tokens and the weights of a head, (9216,)."""
        with self._lock:
            upper = np.ascontiguousarray(head[clip.MAP_BLOCK * clip.WIDTH :, None])
            self._request.infer({0: tokens, 1: upper})
            result = np.array(self._request.get_tensor(GRADCAM).data[0])
            # 54 MB of intermediate results: setting them up anew takes a twentieth of a second.
            self._compiled.release_memory()
            return result


# What is compiled serves all detectors of this process; threads that ask at once wait for one.
_compiling = threading.RLock()
_weights: list[clip.Tower] = []
_towers: dict[Precision, _SharedTower] = {}
_maps: list[_SharedMaps] = []


def _shared_weights() -> clip.Tower:
    """The weights that all compiled graphs of this process share."""
    with _compiling:
        if not _weights:
            _weights.append(tower())
        return _weights[0]


def shared_tower(precision: Precision) -> _SharedTower:
    """The compiled tower, one for all detectors of this process."""
    with _compiling:
        if precision not in _towers:
            _towers[precision] = _SharedTower(precision)
        return _towers[precision]


def _shared_maps() -> _SharedMaps:
    with _compiling:
        if not _maps:
            _maps.append(_SharedMaps())
        return _maps[0]


class TowerEngine:
    """Runs the shared tower and a head. Thread-safe."""

    width = WIDTH

    def __init__(
        self,
        kernel: np.ndarray,
        bias: np.ndarray,
        *,
        views: int = 1,
        loss: str = "binary",
        tta_flip: bool = False,
        precision: Precision = "float32",
        gradcam: bool = True,
    ):
        """Loads the tower, if no other detector has.

        Args:
            kernel: Weights of the head, float32 (9216, units).
            bias: Its biases, float32 (units,).
            views: Number of views of an image.
            loss: "binary" or "categorical"; tells with several views what the units mean.
            tta_flip: Whether outputs are averaged over an image and its mirror image.
            precision: What the tower computes in; other than "float32" scores change.
            gradcam: Whether its heat-maps may be used.

        Raises:
            ValueError: If the units do not fit the views.
            BundleError: If the tower is missing or damaged.
            MissingExtraError: If OpenVINO is not installed.
        """
        self.name = _NAMES[precision]
        self.views, self.heads, self.tta_flip = views, count_heads(len(bias), views, loss), tta_flip
        self._kernel, self._bias = np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
        self.has_gradcam = gradcam
        self._tower = shared_tower(precision)

    def outputs(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.outputs`."""
        return over_views(self.by_view(pixels), self.views)

    def by_view(self, pixels: np.ndarray) -> Outputs:
        """See `Engine.by_view`."""
        squares = as_squares(pixels, self.views, clip.SIDE)
        return self._outputs(squares, np.arange(len(squares)) % self.views)

    def of_view(self, squares: np.ndarray, view: int) -> np.ndarray:
        """See `Engine.of_view`."""
        return self._outputs(as_squares(squares, 1, clip.SIDE), np.full(len(squares), view)).logits

    def _outputs(self, squares: np.ndarray, views: np.ndarray) -> Outputs:
        """Outputs of squares, each seen as the view of this number."""
        features = self._tower.features(squares)
        logits = self._logits(features, views)
        if self.tta_flip:
            mirrored = self._tower.features(np.ascontiguousarray(squares[:, :, ::-1]))
            features, logits = (features + mirrored) / 2, (logits + self._logits(mirrored, views)) / 2
        return Outputs(logits, features)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """See `Engine.logits`."""
        return self.outputs(pixels).logits

    def gradcam(self, pixels: np.ndarray, view: int = 0) -> np.ndarray:
        """See `OpenVinoEngine.gradcam`; the layer is the one of `clip.MAP_BLOCK`, always in float32."""
        units = self._kernel.shape[1]
        if self.heads > 1:
            head = self._kernel[:, view]
        else:
            head = self._kernel[:, 0] if units == 1 else self._kernel[:, 1] - self._kernel[:, 0]
        return _shared_maps().evidence(shared_tower("float32").tokens(pixels), head)

    def _logits(self, features: np.ndarray, views: np.ndarray) -> np.ndarray:
        # One at a time: the bits of a product of matrices depend on the number of rows.
        rows = np.stack([row @ self._kernel + self._bias for row in features])
        return rows[np.arange(len(rows)), views] if self.heads > 1 else fake_logit(rows)
