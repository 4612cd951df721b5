"""The weights of a network in OpenVINO's form, told by those of the Keras model, so that a bundle holds them once.

The converter transposes weights, and multiplies those of a convolution with the scale of the batch normalisation behind
it. So most of them follow from an array of the model, an order of its axes and a factor for each output channel.
Whatever does not follow to the last bit is kept as it is.
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
# Smaller ones are kept: telling them would take as much.
_LEAST_BYTES = 1024
# Factors are tried so many steps of the last bit around their estimate.
_STEPS = 4

Tensors = Mapping[str, np.ndarray]


def pack(graph: bytes, weights: bytes, tensors: Tensors) -> bytes:
    """What of the weights does not follow from the model's, and how the others do.

    Args:
        graph: as `convert` gives it, which tells where each constant lies.
        weights: as `convert` gives them.
        tensors: the weights of the Keras model by their paths.
    """
    donors = defaultdict(list)
    for path, tensor in tensors.items():
        if tensor.dtype == np.float32:
            donors[tensor.size].append((path, tensor))
    plan: list[Any] = []
    scales: list[np.ndarray] = []
    rest, end = [], 0
    for offset, size, channels in _constants(graph):
        if offset < end:  # Two layers may share one constant.
            continue
        constant = np.frombuffer(weights, np.float32, size // 4, offset).reshape(channels, -1)
        text = next(_ways(constant, donors[constant.size]), None)
        if text is None:
            continue
        path, order, factors = text
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
    """The weights, to the last bit.

    Raises:
        BundleError: when it is nothing that `pack` made for these tensors.
    """
    try:
        read_zip(packed, limit=lambda name: _MAX_BYTES if name in _MEMBERS else 0)
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            plan, scales, rest = json.loads(file["plan"].tobytes()), file["scales"], file["rest"]
        return _filled(plan, scales, rest, tensors)
    except ArchiveError as error:
        raise BundleError(f"The weights for OpenVINO cannot be read: {error}") from None
    except Exception as error:  # NumPy raises all sorts on what does not fit.
        raise BundleError(f"The weights for OpenVINO do not belong to the model ({type(error).__name__}).") from error


def _filled(plan: dict[str, Any], scales: np.ndarray, rest: np.ndarray, tensors: Tensors) -> bytes:
    if not 0 <= plan["bytes"] <= _MAX_BYTES:
        raise ValueError("a size that cannot be")
    parts, end, scale, saved = [], 0, 0, 0
    for offset, path, order, channels, scaled in plan["parts"]:
        if not end <= offset <= plan["bytes"] - 4 * tensors[path].size:
            raise ValueError("parts that do not lie one behind the other")
        parts.append(rest[saved : saved + offset - end].tobytes())
        saved += offset - end
        array = np.ascontiguousarray(tensors[path].transpose(order)).reshape(channels, -1)
        if scaled:
            array = array * scales[scale : scale + channels, None]
            scale += channels
        parts.append(array.astype(np.float32, copy=False).tobytes())
        end = offset + 4 * array.size
    weights = b"".join([*parts, rest[saved:].tobytes()])
    if len(weights) != plan["bytes"]:
        raise ValueError("too few or too many")
    return weights


def _constants(graph: bytes) -> Iterator[tuple[int, int, int]]:
    """Place, size in bytes and first axis of the larger float32 constants, by place."""
    result = []
    for layer in ET.fromstring(graph).iter("layer"):  # nosec B314
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.get("element_type") != "f32":
            continue
        offset, size = int(data.get("offset", 0)), int(data.get("size", 0))
        if size >= _LEAST_BYTES:
            result.append((offset, size, int(data.get("shape", "1").split(",")[0] or 1)))
    yield from sorted(set(result))


def _ways(
    constant: np.ndarray, donors: list[tuple[str, np.ndarray]]
) -> Iterator[tuple[str, list[int], np.ndarray | None]]:
    """Ways in which a constant (channels, N) follows from one of the arrays: its path, the order of axes, factors."""
    for path, tensor in donors:
        for order in itertools.permutations(range(tensor.ndim)):
            array = np.ascontiguousarray(tensor.transpose(order)).reshape(constant.shape)
            if np.array_equal(array, constant):
                yield path, list(order), None
            elif np.allclose(array[0] * _estimate(array[:1], constant[:1]), constant[0], rtol=1e-4, atol=0):
                factors = _factors(array, constant)
                if factors is not None:
                    yield path, list(order), factors


def _factors(array: np.ndarray, constant: np.ndarray) -> np.ndarray | None:
    """A factor for each channel with which the array becomes the constant to the last bit; None where there is none."""
    estimate = _estimate(array, constant)
    result, known = np.zeros_like(estimate), np.zeros(len(estimate), bool)
    for step in range(-_STEPS, _STEPS + 1):
        factors = (estimate.view(np.int32) + np.int32(step)).view(np.float32)
        right = (array * factors[:, None] == constant).all(1) & ~known
        result[right], known[right] = factors[right], True
    return result if known.all() else None


def _estimate(array: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """The factors, from the largest number of each channel."""
    rows, largest = np.arange(len(array)), np.abs(array).argmax(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(constant[rows, largest] / array[rows, largest], nan=0.0, posinf=0.0, neginf=0.0)
