"""The three networks of MTCNN as OpenVINO graphs, built from their weights; no other framework is needed.

Source: K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
The weights are those of `mtcnn` 1.0.0 (MIT licence, https://github.com/ipazc/mtcnn), in `models/parts`.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from dfcore.parts import part_file, read_part
from dfcore.utils import extras

FILE = "mtcnn_float32.npz"
_SHA256 = "c6a0bf1123e4e7419d46122d36937d66384b95238504f3fdf6d013aed62fa401"
# Sides of the patches that each network takes.
FIRST, SECOND, THIRD = 12, 24, 48
# Convolutions of each network by name, each with the side and step of the pooling after it, and whether the pooling
# also covers a last row and column that do not fill its window.
_CONVOLUTIONS: dict[str, list[tuple[str, tuple[int, int, bool] | None]]] = {
    "first": [("1", (2, 2, True)), ("2", None), ("3", None)],
    "second": [("1", (3, 2, True)), ("2", (3, 2, False)), ("3", None)],
    "third": [("1", (3, 2, True)), ("2", (3, 2, False)), ("3", (2, 2, True)), ("4", None)],
}
# Whatever the number of cores: rounding depends on how sums are split among threads.
# What is prepared for a size of input is not kept for the next of that size: pictures have thousands of sizes, each of
# which would take some megabytes for ever.
_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "NUM_STREAMS": 1,
             "INFERENCE_NUM_THREADS": 2, "CPU_RUNTIME_CACHE_CAPACITY": 0}  # fmt: skip
_BATCH = 256

Weights = Mapping[str, np.ndarray]


def read_weights(path: Path | None = None) -> dict[str, np.ndarray]:
    """The weights by name, float32: kernels (out, in, h, w), matrices (out, in).

    Raises:
        BundleError: If the file is missing or is not the one that was shipped.
    """
    return read_part(path or part_file(FILE), _SHA256, "the face finder")


class Networks:
    """The three networks. Thread-safe: each call has a request of its own."""

    def __init__(self, weights: Weights | None = None):
        """Builds the networks.

        Args:
            weights: See `read_weights`; the shipped ones by default.

        Raises:
            MissingExtraError: If OpenVINO is not installed.
            BundleError: If the weights are missing or altered.
        """
        ov = extras.openvino("The face finder")
        weights = read_weights() if weights is None else weights
        core = ov.Core()
        self._first, self._second, self._third = (
            core.compile_model(_graph(ov, weights, name, side), "CPU", _SETTINGS)
            for name, side in (("first", None), ("second", SECOND), ("third", THIRD))
        )

    def first(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of all 12-pixel squares of a picture, two pixels apart.

        Args:
            rgb: uint8 (H, W, 3), sides at least 12.

        Returns:
            Probability of a face (h, w), and offsets of its box (4, h, w).
        """
        scores, offsets = self._run(self._first, np.ascontiguousarray(rgb)[None])
        return scores[0, 1], offsets[0]

    def second(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N,) and offsets (N, 4) of patches, float32 (N, 24, 24, 3) in [0, 255]."""
        scores, offsets = self._batched(self._second, patches)
        return scores[:, 1], offsets

    def third(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probabilities (N,), offsets (N, 4) and landmarks of patches, float32 (N, 48, 48, 3) in [0, 255].

        Landmarks are (N, 5, 2), x and y from 0 to 1 across the patch: the eyes, the nose and the corners of the mouth,
        the left one of the picture first.
        """
        scores, offsets, landmarks = self._batched(self._third, patches)
        return scores[:, 1], offsets, landmarks.reshape(-1, 2, 5).swapaxes(1, 2)

    def _batched(self, network: Any, patches: np.ndarray) -> list[np.ndarray]:
        parts = [self._run(network, patches[start : start + _BATCH]) for start in range(0, len(patches), _BATCH)]
        if not parts:
            return [np.empty((0, output.partial_shape[1].get_length()), np.float32) for output in network.outputs]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    @staticmethod
    def _run(network: Any, values: np.ndarray) -> list[np.ndarray]:
        request = network.create_infer_request()
        request.infer({0: values})
        return [np.array(request.get_output_tensor(number).data) for number in range(len(network.outputs))]


@lru_cache(1)
def shipped_networks() -> Networks:
    """The shipped networks, built once; see `Networks`."""
    return Networks()


def _graph(ov: Any, weights: Weights, name: str, side: int | None) -> Any:
    """One network; of patches of one side, or, without, of one picture of any size."""
    ops = ov.opset13
    if side is None:
        given = ops.parameter([1, -1, -1, 3], ov.Type.u8)
    else:
        given = ops.parameter([-1, side, side, 3], ov.Type.f32)
    x: Any = ops.transpose(ops.convert(given, "f32"), np.array([0, 3, 1, 2], np.int64))
    x = ops.divide(ops.subtract(x, np.float32(127.5)), np.float32(128))
    for layer, pooling in _CONVOLUTIONS[name]:
        x = _convolved(ops, weights, f"{name}.{layer}", x)
        x = ops.prelu(x, weights[f"{name}.{layer}.slope"])
        if pooling:
            window, step, last = pooling
            x = ops.max_pool(
                x, [step] * 2, [1, 1], [0, 0], [0, 0], [window] * 2, "ceil" if last else "floor", "explicit"
            ).output(0)
    if side is None:
        scores, rest = (
            ops.softmax(_convolved(ops, weights, "first.score", x), 1),
            [_convolved(ops, weights, "first.offsets", x)],
        )
    else:
        x = ops.reshape(x, np.array([0, -1], np.int64), True)
        x = ops.prelu(_product(ops, weights, f"{name}.dense", x), weights[f"{name}.dense.slope"])
        scores = ops.softmax(_product(ops, weights, f"{name}.score", x), 1)
        heads = ["offsets", "landmarks"] if name == "third" else ["offsets"]
        rest = [_product(ops, weights, f"{name}.{head}", x) for head in heads]
    return ov.Model([scores, *rest], [given], name)


def _convolved(ops: Any, weights: Weights, name: str, x: Any) -> Any:
    x = ops.convolution(x, weights[f"{name}.kernel"], [1, 1], [0, 0], [0, 0], [1, 1])
    return ops.add(x, weights[f"{name}.bias"].reshape(1, -1, 1, 1))


def _product(ops: Any, weights: Weights, name: str, x: Any) -> Any:
    return ops.add(ops.matmul(x, weights[f"{name}.kernel"], False, True), weights[f"{name}.bias"])
