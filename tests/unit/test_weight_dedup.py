"""Weights of the fast form told by those of the model: to the last bit, or refused in words."""

import io
import json
import zipfile

import numpy as np
import pytest

from dfcore.engines.weight_dedup import pack, unpack
from dfcore.errors import BundleError

random = np.random.default_rng(0)
KERNEL = random.normal(size=(3, 3, 8, 16)).astype(np.float32)  # As Keras has it: height, width, in, out.
FILTERS = np.ascontiguousarray(KERNEL.transpose(3, 2, 0, 1))  # As OpenVINO has it.
DENSE = random.normal(size=(40, 20)).astype(np.float32)
SCALE = random.uniform(0.1, 3, 16).astype(np.float32)
TENSORS = {"layers/conv/vars/0": KERNEL, "layers/dense/vars/0": DENSE, "optimizer/steps": np.int64(3)}


def layer_of(array: np.ndarray, offset: int) -> str:
    shape = ",".join(map(str, array.shape))
    data = f'element_type="f32" shape="{shape}" offset="{offset}" size="{array.nbytes}"'
    return f'<layer type="Const"><data {data}/></layer>'


def graph(*arrays: np.ndarray, before: int = 12) -> tuple[bytes, bytes]:
    """A graph of constants as OpenVINO writes it, the first of them after some small ones."""
    weights, layers = b"\1" * before, []
    for array in arrays:
        layers.append(layer_of(array, len(weights)))
        weights += array.tobytes()
    return f"<net><layers>{''.join(layers)}</layers></net>".encode(), weights


CASES = {
    "as it is": [DENSE],
    "transposed": [FILTERS],
    "scaled": [FILTERS * SCALE[:, None, None, None]],
    "scaled with silent channels": [FILTERS * np.eye(16, 1, dtype=np.float32)[..., None, None]],
    "several": [DENSE, FILTERS, np.ascontiguousarray(DENSE.T)],
}


@pytest.mark.parametrize("case", CASES)
def test_what_follows_from_the_model_is_not_stored_again(case):
    written, weights = graph(*CASES[case])
    packed = pack(written, weights, TENSORS)
    assert len(packed) < 0.4 * len(weights)
    assert unpack(packed, TENSORS) == weights


@pytest.mark.parametrize("change", [lambda x: x + 1, lambda x: x * x, lambda x: np.nan * x, lambda x: np.inf * x])
def test_what_does_not_follow_is_kept(change):
    written, weights = graph(change(DENSE).astype(np.float32), DENSE)
    assert unpack(pack(written, weights, TENSORS), TENSORS) == weights


def test_a_single_other_bit_is_kept():
    other = DENSE.copy()
    other.view(np.int32)[7, 7] ^= 1
    written, weights = graph(other)
    assert unpack(pack(written, weights, TENSORS), TENSORS) == weights


def test_a_constant_of_two_layers_is_told_once():
    layer = layer_of(DENSE, 0)
    written = f"<net><layers>{layer}{layer}</layers></net>".encode()
    assert unpack(pack(written, DENSE.tobytes(), TENSORS), TENSORS) == DENSE.tobytes()


def altered(**changes) -> bytes:
    """The packed kernel with something else in its plan."""
    with np.load(io.BytesIO(pack(*graph(DENSE), TENSORS))) as file:
        arrays = dict(file)
    plan = json.loads(arrays["plan"].tobytes()) | changes
    arrays["plan"] = np.frombuffer(json.dumps(plan).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("rest.npy", b"\0" * 50_000_000)
        file.writestr("more.npy", b"")
    return buffer.getvalue()


REFUSED = {
    "nothing": lambda: b"",
    "no archive": lambda: b"PK\3\4 but no more",
    "foreign members": bomb,
    "cut": lambda: pack(*graph(DENSE), TENSORS)[:-40],
    "an array that the model lacks": lambda: altered(parts=[[12, "layers/gone", [0, 1], 40, False]]),
    "axes that it lacks": lambda: altered(parts=[[12, "layers/dense/vars/0", [0, 1, 2], 40, False]]),
    "factors that are missing": lambda: altered(parts=[[12, "layers/dense/vars/0", [0, 1], 40, True]]),
    "channels that do not fit": lambda: altered(parts=[[12, "layers/dense/vars/0", [0, 1], 7, False]]),
    "another size": lambda: altered(bytes=99),
    "too large": lambda: altered(bytes=2**50),
    "no size": lambda: altered(bytes=None),
    "an array many times over": lambda: altered(parts=[[12, "layers/dense/vars/0", [0, 1], 40, False]] * 3),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_not_made_for_this_model_is_refused(case):
    with pytest.raises(BundleError, match="The weights for OpenVINO"):
        unpack(REFUSED[case](), TENSORS)


def test_another_model_is_refused():
    with pytest.raises(BundleError, match="do not belong to the model"):
        unpack(pack(*graph(DENSE), TENSORS), {"layers/conv/vars/0": KERNEL})
