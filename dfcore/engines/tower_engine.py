"""The engine of detectors whose network is a shared tower and a head of their own: one tower in memory for them all.

The head is one dense layer, kilobytes of weights, and runs in NumPy.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dfcore.engines.base import GRADCAM, EngineName, Outputs, as_squares, count_heads, fake_logit, over_views
from dfcore.towers import clip, tower
from dfcore.towers.graph import FEATURES, LAST, TOKENS, Precision, compiled, continued, explained, looked_at

_NAMES: dict[Precision, EngineName] = {
    "float32": "openvino", "bfloat16": "openvino-bf16", "int8": "openvino-int8",
}  # fmt: skip


# Squares whose tokens are kept for their heat-maps, 605 KB each: of the pictures that were judged last.
_KEPT = 32


class _KeptTokens:
    """Tokens of the last images that were computed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def get(self, square: np.ndarray) -> np.ndarray | None:
        """Those of an image, (224, 224, 3), float32 (1, 197, 768); None if they are not kept."""
        with self._lock:
            return self._found.get(self._key(square))

    def put(self, square: np.ndarray, tokens: np.ndarray) -> None:
        """Keeps a copy of those of an image, and forgets the oldest."""
        with self._lock:
            self._found[self._key(square)] = np.array(tokens)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)

    @staticmethod
    def _key(square: np.ndarray) -> bytes:
        return hashlib.sha256(square.tobytes()).digest()


class _SharedTower:
    """A compiled tower of so many blocks, of which some squares ask for the first `least` alone. Thread-safe."""

    def __init__(self, precision: Precision, blocks: int, least: int):
        self._width, self._least = blocks * clip.WIDTH, least * clip.WIDTH
        weights, goes_on = _shared_weights(blocks), least < blocks
        self._queue = self._queued(compiled(weights, precision, least, goes_on=goes_on))
        self._later = self._queued(continued(weights, precision, least, blocks)) if goes_on else None
        weights.let_go()
        self._lock = threading.Lock()
        self._kept = _KeptTokens()

    @staticmethod
    def _queued(network: Any) -> Any:
        import openvino

        # For each that runs at once one that waits.
        return openvino.AsyncInferQueue(network, 2 * network.get_property("NUM_STREAMS"))

    def features(self, squares: np.ndarray, all_blocks: np.ndarray | None = None) -> np.ndarray:
        """Features of images, bit-identical in any batch.

        Args:
            squares: uint8 (N, 224, 224, 3).
            all_blocks: Whether each asks for all blocks, bool (N,); those of later ones are 0 in the others. All by
                default.

        Returns:
            float32 (N, 768 * blocks).
        """
        result = np.zeros((len(squares), self._width), np.float32)
        first, last = len(squares) - _KEPT, dict[int, np.ndarray]()

        def keep(request: Any, number: int) -> None:
            result[number, : self._least] = request.get_tensor(FEATURES).data[0]
            if number >= first:
                self._kept.put(squares[number], request.get_tensor(TOKENS).data)
            if self._later is not None and (all_blocks is None or all_blocks[number]):
                last[number] = np.array(request.get_tensor(LAST).data)

        def keep_later(request: Any, number: int) -> None:
            result[number, self._least :] = request.get_tensor(FEATURES).data[0]

        self._run(self._queue, ((number, square[None]) for number, square in enumerate(_checked(squares))), keep)
        if self._later is not None:
            self._run(self._later, sorted(last.items()), keep_later)
        return result

    def tokens(self, square: np.ndarray) -> np.ndarray:
        """Tokens of one image, (224, 224, 3), after the block of the map: float32 (1, 197, 768).

        Of an image that was judged a moment ago they are known, and nothing is computed.
        """
        kept = self._kept.get(square)
        if kept is not None:
            return kept
        found: list[np.ndarray] = []
        inputs = [(0, _checked(square[None]))]
        self._run(self._queue, inputs, lambda request, _: found.append(np.array(request.get_tensor(TOKENS).data)))
        return found[0]

    def _run(self, queue: Any, inputs: Iterable[tuple[int, np.ndarray]], keep: Callable[[Any, int], None]) -> None:
        with self._lock:
            queue.set_callback(keep)
            try:
                for number, values in inputs:
                    queue.start_async({0: values}, number)
            finally:
                queue.wait_all()


def _checked(squares: np.ndarray) -> np.ndarray:
    return as_squares(squares, 1, clip.SIDE)


class _SharedMaps:
    """Grad-CAM of the upper part of the tower, up to so many blocks, for any head. Thread-safe."""

    def __init__(self, blocks: int) -> None:
        import openvino

        from dfcore.engines.gradcam import add_gradcam

        weights = _shared_weights(blocks)
        model, settings = explained(weights, blocks)
        self._compiled = openvino.Core().compile_model(add_gradcam(model), "CPU", settings)
        weights.let_go()
        self._request = self._compiled.create_infer_request()
        self._lock = threading.Lock()

    def evidence(self, tokens: np.ndarray, head: np.ndarray) -> np.ndarray:
        """Grad-CAM before its ReLU, float32 (14, 14).

        Args:
            tokens: Those of an image, see `_SharedTower.tokens`.
            head: Weights of a head, (768 * blocks,).
        """
        with self._lock:
            upper = np.ascontiguousarray(head[clip.MAP_BLOCK * clip.WIDTH :, None])
            self._request.infer({0: tokens, 1: upper})
            result = np.array(self._request.get_tensor(GRADCAM).data[0])
            # 54 MB of intermediate results: setting them up anew takes a twentieth of a second.
            self._compiled.release_memory()
            return result


# What is compiled serves all detectors of this process; threads that ask at once wait for one.
_compiling = threading.RLock()
_weights: dict[int, clip.Tower] = {}
_towers: dict[tuple[Precision, int, int], _SharedTower] = {}
_maps: dict[int, _SharedMaps] = {}


def _shared_weights(blocks: int) -> clip.Tower:
    """The weights of so many blocks, or of more if they are there, which compiled graphs of this process share."""
    with _compiling:
        if not (there := [number for number in _weights if number >= blocks]):
            _weights[blocks] = tower(blocks)
            there = [blocks]
        return _weights[min(there)]


def shared_tower(precision: Precision, blocks: int = clip.BLOCKS, least: int = 0) -> _SharedTower:
    """The compiled tower of so many blocks, one for all detectors of this process that look at so many.

    Args:
        precision: What it computes in.
        blocks: Number of blocks.
        least: Blocks that are enough for some squares; all by default.
    """
    key = precision, blocks, least or blocks
    with _compiling:
        if key not in _towers:
            _towers[key] = _SharedTower(*key)
        return _towers[key]


def _shared_maps(blocks: int) -> _SharedMaps:
    with _compiling:
        if blocks not in _maps:
            _maps[blocks] = _SharedMaps(blocks)
        return _maps[blocks]


class TowerEngine:
    """Runs the shared tower, up to the last block that the head looks at, and the head. Thread-safe."""

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
            kernel: Weights of the head, float32 (768 * blocks, units), for the class tokens of the first blocks.
            bias: Its biases, float32 (units,).
            views: Number of views of an image.
            loss: "binary" or "categorical"; tells with several views what the units mean.
            tta_flip: Whether outputs are averaged over an image and its mirror image.
            precision: What the tower computes in; other than "float32" scores change.
            gradcam: Whether its heat-maps may be used.

        Raises:
            ValueError: If the units do not fit the views, or the kernel not the tower.
            BundleError: If the tower is missing or damaged.
            MissingExtraError: If OpenVINO is not installed.
        """
        self.name = _NAMES[precision]
        self.views, self.heads, self.tta_flip = views, count_heads(len(bias), views, loss), tta_flip
        self._kernel, self._bias = np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
        self._loss, self._precision = loss, precision
        self.has_gradcam, self.width = gradcam, len(self._kernel)
        by_view = looked_at(self._kernel, self.views, self.heads)
        self._blocks, self._least = max(by_view), min(by_view)
        self._all_blocks = np.array([blocks > self._least for blocks in by_view])
        self._tower = shared_tower(precision, self._blocks, self._least)

    def with_head(self, kernel: np.ndarray, bias: np.ndarray) -> "TowerEngine":
        """The same with another head, see `__init__`."""
        return TowerEngine(
            kernel,
            bias,
            views=self.views,
            loss=self._loss,
            tta_flip=self.tta_flip,
            precision=self._precision,
            gradcam=self.has_gradcam,
        )

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
        wanted = self._all_blocks[views] if self._all_blocks.any() else None
        features = self._tower.features(squares, wanted)
        logits = self._logits(features, views)
        if self.tta_flip:
            mirrored = self._tower.features(np.ascontiguousarray(squares[:, :, ::-1]), wanted)
            features, logits = (features + mirrored) / 2, (logits + self._logits(mirrored, views)) / 2
        return Outputs(logits, features)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """See `Engine.logits`."""
        return self.outputs(pixels).logits

    def gradcam(self, pixels: np.ndarray, view: int = 0) -> np.ndarray:
        """See `OpenVinoEngine.gradcam`; the layer is the one of `clip.MAP_BLOCK`, always in float32.

        Through the blocks that all views look at: what later ones add is a constant to it, as in `architectures.clip`.
        """
        units = self._kernel.shape[1]
        if self.heads > 1:
            head = self._kernel[:, view]
        else:
            head = self._kernel[:, 0] if units == 1 else self._kernel[:, 1] - self._kernel[:, 0]
        tokens = shared_tower("float32", self._blocks, self._least).tokens(pixels)
        return _shared_maps(self._least).evidence(tokens, head[: self._least * clip.WIDTH])

    def _logits(self, features: np.ndarray, views: np.ndarray) -> np.ndarray:
        # One at a time: the bits of a product of matrices depend on the number of rows.
        rows = np.stack([row @ self._kernel + self._bias for row in features])
        return rows[np.arange(len(rows)), views] if self.heads > 1 else fake_logit(rows)
