"""Parts of a long computation: kept, bounded, and worth nothing when damaged or foreign."""

import os
import shutil

import numpy as np

from dfcore.utils import work
from dfcore.utils.work import Work


def test_a_part_comes_back_as_it_was_kept_until_it_is_forgotten(tmp_path):
    kept = Work(tmp_path, ["a"])
    arrays = {"x": np.arange(3), "y": np.zeros((0, 2), np.float32)}
    kept.keep("from 0", **arrays)
    kept.keep("from 2", x=np.ones(1))
    again = Work(tmp_path, ["a"]).recall("from 0")
    assert again is not None
    assert again.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(again[name], values, strict=True)
    kept.forget(["from 0", "never kept"])
    assert kept.recall("from 0") is None
    assert kept.recall("from 2") is not None
    assert Work(tmp_path, ["a", ""]).recall("from 2") is None


def test_the_oldest_computation_makes_room_for_a_new_one(tmp_path):
    for number in range(work.MOST + 3):
        one = Work(tmp_path, [str(number)])
        one.keep("all", x=np.array(number))
        one.keep("more", x=np.array(number))
        for age, folder in enumerate(sorted(tmp_path.iterdir(), key=lambda folder: folder.stat().st_mtime)):
            os.utime(folder, (1000 + 10 * age,) * 2)
    left = [number for number in range(work.MOST + 3) if Work(tmp_path, [str(number)]).recall("all") is not None]
    assert left == list(range(3, work.MOST + 3))


def test_pickles_are_never_loaded(tmp_path):
    one = Work(tmp_path, ["a"])
    one.keep("all", x=np.array(1))
    (file,) = tmp_path.rglob("*.npz")
    np.savez(file, x=np.array([{"any": "object"}], dtype=object))
    assert one.recall("all") is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    one = Work(tmp_path / "file", ["a"])
    (tmp_path / "file").write_bytes(b"")
    one.keep("all", x=np.array(1))
    assert one.recall("all") is None
    one.forget(["all"])


def test_a_folder_that_vanishes_is_made_again(tmp_path):
    one = Work(tmp_path, ["a"])
    one.keep("from 0", x=np.array(1))
    shutil.rmtree(tmp_path)
    one.keep("from 2", x=np.array(2))
    assert one.recall("from 0") is None
    assert one.recall("from 2") is not None
