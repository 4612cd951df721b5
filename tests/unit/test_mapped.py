"""Arrays that lie in a file rather than in memory."""

import sys

import numpy as np
import psutil
import pytest

from dfcore.engines.tower_engine import _shared_weights, shared_tower
from dfcore.utils.mapped import Mapped

ARRAYS = {"odd": np.arange(7, dtype=np.int8), "wide": np.arange(12, dtype=np.float32).reshape(3, 4)}
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is given back on Linux only")


def held() -> int:
    return psutil.Process().memory_info().rss


def same(mapped: Mapped) -> bool:
    return all(
        (mapped.arrays[name] == array).all() and mapped.arrays[name].flags.c_contiguous
        for name, array in ARRAYS.items()
    )


def test_arrays_are_the_same_before_and_after_their_memory_is_given_back(tmp_path):
    mapped = Mapped(ARRAYS, tmp_path / "new")
    assert same(mapped) and mapped.arrays["wide"].flags.writeable
    mapped.let_go()
    assert same(mapped)
    assert not list((tmp_path / "new").iterdir())


@ON_LINUX
def test_their_memory_is_given_back(tmp_path):
    large = np.ones(64 * 2**20, np.int8)
    mapped = Mapped({"large": large}, tmp_path)
    del large
    assert mapped.arrays["large"].sum(dtype=int) == 64 * 2**20
    before = held()
    mapped.let_go()
    assert before - held() > 60 * 2**20


def test_without_room_for_a_file_they_lie_in_memory(tmp_path):
    (tmp_path / "file").touch()
    mapped = Mapped(ARRAYS, tmp_path / "file")
    mapped.let_go()
    assert same(mapped)
    assert not Mapped({}, tmp_path).arrays


@ON_LINUX
def test_a_compiled_tower_leaves_the_kernels_to_their_file():
    tower, square = shared_tower("float32", 8), np.zeros((1, 224, 224, 3), np.uint8)
    before = tower.features(square)
    kernels = _shared_weights(8)._kernels
    before_reading = held()
    total = sum(array.sum(dtype=int) for array in kernels.arrays.values())
    assert held() - before_reading > 40 * 2**20  # They were not in memory.
    for array in kernels.arrays.values():
        array[:] = 0  # Nobody reads them again.
    np.testing.assert_array_equal(tower.features(square), before)
    kernels.let_go()
    assert sum(array.sum(dtype=int) for array in kernels.arrays.values()) == total
