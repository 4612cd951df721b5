"""The layers of TAEF2 as OpenVINO graphs, from its weights; see `taef2`.

Encoder: convolution, block; three times: convolution of stride 2, three blocks (the last three with a pool branch);
convolution. Decoder: 3 tanh(x / 3), convolution, ReLU, three blocks with a pool branch, up-sampling, convolution;
twice: three blocks, up-sampling, convolution; block, convolution, clamp to [0, 1].
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

_STRIDED, _UP = ("encoder.2", "encoder.6", "encoder.10"), ("decoder.6", "decoder.11", "decoder.16")
_GROUPS, _EPSILON = 4, 1e-5
Weights = Mapping[str, np.ndarray]


def graph(ov: Any, weights: Weights, layers: list[str], channels: int) -> Any:
    """Some layers of the network, one after the other, as an OpenVINO model of any height and width.

    Args:
        ov: The package.
        weights: In PyTorch's layout, by name.
        layers: Their names, such as "encoder.0".
        channels: Channels of the input.
    """
    ops = ov.opset13
    image = ops.parameter([1, channels, -1, -1], ov.Type.f32)
    x: Any = image
    for name in layers:
        if name == "decoder.0":
            x = ops.multiply(ops.tanh(ops.divide(x, _scalar(3))), _scalar(3))
        elif name == "decoder.2":
            x = ops.relu(x)
        elif name in _UP:
            x = _doubled(ops, x)
        elif f"{name}.conv.0.weight" in weights:
            x = _block(ops, weights, name, x)
        else:
            x = _conv(ops, weights, name, x, stride=2 if name in _STRIDED else 1)
    if layers[-1] == "decoder.19":
        x = ops.clamp(x, 0.0, 1.0)
    return ov.Model([x], [image], layers[0])


def _block(ops: Any, weights: Weights, name: str, x: Any) -> Any:
    if f"{name}.pool.0.weight" in weights:
        inner = _conv(ops, weights, f"{name}.pool.0", x)
        scale, shift = weights[f"{name}.pool.1.weight"], weights[f"{name}.pool.1.bias"]
        inner = ops.group_normalization(inner, scale, shift, _GROUPS, _EPSILON)
        x = ops.add(x, _conv(ops, weights, f"{name}.pool.3", ops.relu(inner)))
    inner = x
    for number in (0, 2, 4):
        inner = _conv(ops, weights, f"{name}.conv.{number}", inner)
        inner = ops.relu(inner) if number < 4 else inner
    return ops.relu(ops.add(inner, x))


def _conv(ops: Any, weights: Weights, name: str, x: Any, stride: int = 1) -> Any:
    kernel = weights[f"{name}.weight"]
    pad = [kernel.shape[-1] // 2] * 2
    x = ops.convolution(x, np.ascontiguousarray(kernel), [stride] * 2, pad, pad, [1, 1])
    bias = weights.get(f"{name}.bias")
    return x if bias is None else ops.add(x, bias.reshape(1, -1, 1, 1))


def _doubled(ops: Any, x: Any) -> Any:
    return ops.interpolate(
        x, np.array([2, 2], np.float32), "nearest", "scales", axes=np.array([2, 3], np.int64),
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _scalar(value: float) -> np.ndarray:
    return np.array(value, np.float32)
