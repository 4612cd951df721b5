"""Derives an OpenVINO network's weights from those of the Keras model, so that a bundle stores them only once.

The converter transposes weights and multiplies those of a convolution by the scale of the batch normalisation that
follows. Most can be derived from an array of the model, an axis order and a factor per output channel. Weights that
cannot be reproduced bit for bit are stored unchanged.
"""

import io
import itertools
import json
import xml.etree.ElementTree as ET  # nosec B405
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dfcore.errors import ArchiveError, BundleError
from dfcore.utils.archives import read_zip

_MEMBERS, _MAX_BYTES = ("plan.npy", "scales.npy", "rest.npy"), 1024 * 2**20
# Smaller constants are stored unchanged: describing them would take as much space.
_MIN_BYTES = 1024
# Factors are searched within this many units in the last place of their estimate.
_STEPS = 4

Tensors = Mapping[str, np.ndarray]


def pack(graph: bytes, weights: bytes, tensors: Tensors) -> bytes:
    """Packs the weights that cannot be derived from the model, and instructions to derive the others.

    Args:
        graph: Graph from `convert`, which gives the offset of each constant.
        weights: Weights from `convert`.
        tensors: Weights of the Keras model by path.
    """
    candidates = defaultdict(list)
    for path, tensor in tensors.items():
        if tensor.dtype == np.float32:
            candidates[tensor.size].append((path, tensor))
    plan: list[Any] = []
    scales: list[np.ndarray] = []
    rest, end = [], 0
    for offset, size, channels in _constants(graph):
        if offset < end:  # Layers may share a constant.
            continue
        constant = np.frombuffer(weights, np.float32, size // 4, offset).reshape(channels, -1)
        derivation = next(_derivations(constant, candidates[constant.size]), None)
        if derivation is None:
            continue
        path, order, factors = derivation
        plan.append([offset, path, order, channels, factors is not None])
        scales += [] if factors is None else [factors]
        rest.append(weights[end:offset])
        end = offset + size
    rest.append(weights[end:])
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        plan=np.frombuffer(json.dumps({"bytes": len(weights), "parts": plan}).encode(), np.uint8),
        scales=np.concatenate([np.empty(0, np.float32), *scales]),
        rest=np.frombuffer(b"".join(rest), np.uint8),
    )
    return buffer.getvalue()


def unpack(packed: bytes, tensors: Tensors) -> bytes:
    """Restores the weights, bit for bit.

    Raises:
        BundleError: If the data was not written by `pack` for these tensors.
    """
    try:
        read_zip(packed, limit=lambda name: _MAX_BYTES if name in _MEMBERS else 0)
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            plan, scales, rest = json.loads(file["plan"].tobytes()), file["scales"], file["rest"]
        return _filled(plan, scales, rest, tensors)
    except ArchiveError as error:
        raise BundleError(f"The weights for OpenVINO cannot be read: {error}") from None
    except Exception as error:  # NumPy raises many exception types on invalid data.
        raise BundleError(f"The weights for OpenVINO do not belong to the model ({type(error).__name__}).") from error


def _filled(plan: dict[str, Any], scales: np.ndarray, rest: np.ndarray, tensors: Tensors) -> bytes:
    if not 0 <= plan["bytes"] <= _MAX_BYTES:
        raise ValueError("an impossible size")
    parts, end, scale, rest_end = [], 0, 0, 0
    for offset, path, order, channels, scaled in plan["parts"]:
        if not end <= offset <= plan["bytes"] - 4 * tensors[path].size:
            raise ValueError("parts that overlap or are out of order")
        parts.append(rest[rest_end : rest_end + offset - end].tobytes())
        rest_end += offset - end
        array = np.ascontiguousarray(tensors[path].transpose(order)).reshape(channels, -1)
        if scaled:
            array = array * scales[scale : scale + channels, None]
            scale += channels
        parts.append(array.astype(np.float32, copy=False).tobytes())
        end = offset + 4 * array.size
    weights = b"".join([*parts, rest[rest_end:].tobytes()])
    if len(weights) != plan["bytes"]:
        raise ValueError("too few or too many bytes")
    return weights


def _constants(graph: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields (offset, size in bytes, length of the first axis) of the larger float32 constants, by offset."""
    result = []
    for layer in ET.fromstring(graph).iter("layer"):  # nosec B314
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.get("element_type") != "f32":
            continue
        offset, size = int(data.get("offset", 0)), int(data.get("size", 0))
        if size >= _MIN_BYTES:
            result.append((offset, size, int(data.get("shape", "1").split(",")[0] or 1)))
    yield from sorted(set(result))


def _derivations(
    constant: np.ndarray, candidates: list[tuple[str, np.ndarray]]
) -> Iterator[tuple[str, list[int], np.ndarray | None]]:
    """Yields derivations of a constant (channels, N) from the arrays: path, axis order and factors or None."""
    for path, tensor in candidates:
        for order in itertools.permutations(range(tensor.ndim)):
            array = np.ascontiguousarray(tensor.transpose(order)).reshape(constant.shape)
            if np.array_equal(array, constant):
                yield path, list(order), None
            elif np.allclose(array[0] * _estimate(array[:1], constant[:1]), constant[0], rtol=1e-4, atol=0):
                factors = _factors(array, constant)
                if factors is not None:
                    yield path, list(order), factors


def _factors(array: np.ndarray, constant: np.ndarray) -> np.ndarray | None:
    """Factors per channel that turn the array into the constant bit for bit, or None if there are none."""
    estimate = _estimate(array, constant)
    result, solved = np.zeros_like(estimate), np.zeros(len(estimate), bool)
    for step in range(-_STEPS, _STEPS + 1):
        factors = (estimate.view(np.int32) + np.int32(step)).view(np.float32)
        exact = (array * factors[:, None] == constant).all(1) & ~solved
        result[exact], solved[exact] = factors[exact], True
    return result if solved.all() else None


def _estimate(array: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Estimates the factor of each channel from its element of largest magnitude."""
    rows, largest = np.arange(len(array)), np.abs(array).argmax(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(constant[rows, largest] / array[rows, largest], nan=0.0, posinf=0.0, neginf=0.0)
