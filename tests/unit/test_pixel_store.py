"""The pixel cache is bounded: what nobody uses goes, least recently used first, and never under anybody's hands."""

import gc
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from dfcore.cli import main
from dfcore.datasets import pixel_store
from dfcore.datasets.cache import load_pixels
from dfcore.datasets.pixel_store import clear, entries, limit_bytes, make_room
from dfcore.errors import InputError
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.utils.files import sha256_file
from tests.conftest import make_image

SPECS = [PreprocessSpec(size) for size in (16, 24, 32)]


@pytest.fixture
def files(tmp_path):
    return [make_image(tmp_path / "in" / f"{n}.png", seed=n) for n in range(3)]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def load(files, cache, spec):
    return load_pixels(files, [sha256_file(path) for path in files], spec, folder=cache)


@pytest.fixture
def filled(files, cache):
    """A cache of three preprocessings that nobody has open; the smallest was used first."""
    for age, spec in enumerate(SPECS):
        load(files, cache, spec)
        os.utime(cache / spec.key / "last_use", (1000 + age, 1000 + age))
    gc.collect()
    return cache


def held(cache) -> list[str]:
    return [entry.name for entry in entries(cache) if entry.images]


def test_entries_tell_what_there_is(filled):
    listed = entries(filled)
    assert [entry.name for entry in listed] == [spec.key for spec in SPECS]
    assert [entry.images for entry in listed] == [3, 3, 3]
    assert [entry.bytes for entry in listed] == [3 * (3 * spec.size**2 + 32) for spec in SPECS]
    assert [entry.last_use for entry in listed] == [1000, 1001, 1002]
    assert not any(entry.in_use for entry in listed)


def test_a_load_is_a_use(filled, files):
    load(files, filled, SPECS[0])
    assert [entry.name for entry in entries(filled)][-1] == SPECS[0].key


@pytest.mark.parametrize("part", ["as it is", "a slice of its map", "the map alone"])
def test_what_is_open_is_in_use_until_it_is_forgotten(part, filled, files):
    pixels = load(files, filled, SPECS[1])
    pixels = {"as it is": pixels, "a slice of its map": pixels.store[1:2], "the map alone": pixels.store}[part]
    assert [entry.in_use for entry in entries(filled) if entry.name == SPECS[1].key] == [True]
    removed, left = clear(filled)
    assert [entry.name for entry in removed] == [SPECS[0].key, SPECS[2].key]
    assert [entry.name for entry in left] == [SPECS[1].key]
    del pixels
    gc.collect()
    assert not any(entry.in_use for entry in entries(filled))
    clear(filled)
    assert held(filled) == []


def test_what_another_process_has_open_is_in_use_until_it_dies(filled, files):
    code = f"""
import sys, time
from pathlib import Path
from dfcore.datasets.cache import load_pixels
from dfcore.imaging.preprocess import PreprocessSpec
path, digest = sys.argv[2:]
pixels = load_pixels([Path(path)], [digest], PreprocessSpec({SPECS[0].size}), folder=Path(sys.argv[1]))
print("open", flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", code, filled, files[0], sha256_file(files[0])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        make_room(filled, limit_bytes())
        assert held(filled) == [SPECS[0].key], "a run under way keeps its images"
        process.send_signal(signal.SIGKILL)
    make_room(filled, limit_bytes())
    assert held(filled) == []
    assert not list((filled / SPECS[0].key / "users").iterdir()), "the dead leave no mark"


def test_no_more_goes_than_must_and_the_least_recently_used_first(filled, monkeypatch):
    sizes = [entry.bytes for entry in entries(filled)]
    monkeypatch.setenv("DFCORE_CACHE_GB", repr(sum(sizes) / 2**30))
    make_room(filled, 0)
    assert held(filled) == [spec.key for spec in SPECS]
    make_room(filled, 1)
    assert held(filled) == [spec.key for spec in SPECS[1:]]
    make_room(filled, sizes[0] + sizes[1] + 1)
    assert held(filled) == []


def test_a_load_makes_the_room_that_it_takes(filled, files, monkeypatch):
    monkeypatch.setenv("DFCORE_CACHE_GB", repr((entries(filled)[2].bytes + 3 * 3 * 20**2) / 2**30))
    pixels = load(files, filled, PreprocessSpec(20))
    assert len(pixels.store) == 3
    assert held(filled) == [SPECS[2].key, PreprocessSpec(20).key]


def test_what_was_removed_is_decoded_again(filled, files):
    want = load(files, filled, SPECS[0]).gather(np.arange(3))
    gc.collect()
    clear(filled)
    np.testing.assert_array_equal(load(files, filled, SPECS[0]).gather(np.arange(3)), want)


def test_a_removal_and_a_load_that_wait_for_each_other_both_end_well(filled, files):
    """Whoever holds the lock writes: nothing is removed then."""
    with pixel_store.lock(filled / SPECS[0].key / "lock"):
        removed, left = clear(filled)
    assert [entry.name for entry in left] == [SPECS[0].key]
    assert len(removed) == 2


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf", "1e999"])
def test_a_limit_that_is_none_is_told(text, files, cache, monkeypatch):
    monkeypatch.setenv("DFCORE_CACHE_GB", text)
    with pytest.raises(InputError, match="DFCORE_CACHE_GB to be gigabytes, 0 or more"):
        load(files, cache, SPECS[0])


def test_the_limit_is_20_gigabytes_unless_told(monkeypatch):
    monkeypatch.delenv("DFCORE_CACHE_GB", raising=False)
    assert limit_bytes() == 20 * 2**30
    monkeypatch.setenv("DFCORE_CACHE_GB", "0.5")
    assert limit_bytes() == 2**29


# === On the command line ===


def test_cache_info_tells_sizes_and_use(filled, files, capsys):
    pixels = load(files, filled, SPECS[2])
    assert main(["cache", "info", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["bytes"] == sum(entry["bytes"] for entry in answer["entries"])
    assert [entry["in_use"] for entry in answer["entries"]] == [False, False, True]
    assert answer["entries"][0]["last_use"] == "1970-01-01T00:16:40+00:00"
    assert main(["cache", "info"]) == 0
    text = capsys.readouterr().out
    assert all(spec.key in text for spec in SPECS)
    del pixels


def test_cache_clear_leaves_what_is_in_use_and_says_so(filled, files, capsys):
    pixels = load(files, filled, SPECS[2])
    assert main(["cache", "clear"]) == 0
    assert f"{SPECS[2].key} is in use and stays" in capsys.readouterr().out
    assert main(["cache", "clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"freed_bytes": 0, "removed": [], "in_use": [SPECS[2].key]}
    del pixels


def test_a_cache_that_is_not_there_is_an_empty_one(cache, capsys):
    assert main(["cache", "info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == []
    assert main(["cache", "clear"]) == 0
