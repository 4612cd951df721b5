"""Decoded pixels are kept by content: decoded once, the same from disk and memory, healed after a crash."""

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dfcore.datasets import cache as pixel_cache
from dfcore.datasets import scan
from dfcore.datasets.cache import load_pixels
from dfcore.errors import StorageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.utils.files import sha256_file
from tests.conftest import make_image

SPEC = PreprocessSpec(16)
ROW, DIGEST = 16 * 16 * 3, 32


@pytest.fixture
def files(tmp_path):
    """Six images of different sizes, and the folder of a cache."""
    return [make_image(tmp_path / "in" / f"{n}.png", (20 + n, 30), seed=n) for n in range(6)]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def load(paths, cache, **options):
    return load_pixels(paths, [sha256_file(path) for path in paths], SPEC, folder=cache, **options)


def all_of(pixels) -> np.ndarray:
    return pixels.gather(np.arange(len(pixels.rows)))


def expected(paths) -> np.ndarray:
    return np.stack([SPEC.apply(decoder.decode(path)) for path in paths])


def no_decoding(monkeypatch):
    def decode(_):
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(decoder, "decode", decode)


@pytest.mark.parametrize("mode", ["disk", "memory"])
def test_pixels_are_those_of_the_decoder_and_the_preprocessing(files, cache, mode):
    pixels = load(files, cache, mode=mode)
    np.testing.assert_array_equal(all_of(pixels), expected(files))
    assert not pixels.errors


def test_memory_writes_nothing(files, cache):
    load(files, cache, mode="memory")
    assert not cache.exists()


def test_pixels_are_gathered_in_any_order(files, cache):
    order = np.array([4, 0, 0, 5])
    np.testing.assert_array_equal(load(files, cache).gather(order), expected(files)[order])


def test_the_second_load_decodes_nothing(files, cache, monkeypatch):
    load(files, cache)
    want = expected(files)
    no_decoding(monkeypatch)
    np.testing.assert_array_equal(all_of(load(files, cache)), want)
    np.testing.assert_array_equal(all_of(load(files[::-1], cache)), want[::-1])


def test_only_new_images_are_decoded(files, cache):
    load(files[:4], cache)
    text = []
    pixels = load(files, cache, progress=lambda done, total: text.append((done, total)))
    assert text == [(1, 2), (2, 2)]
    np.testing.assert_array_equal(all_of(pixels), expected(files))


def test_a_moved_image_is_still_known(files, cache, tmp_path, monkeypatch):
    load(files, cache)
    want = expected(files)
    moved = [shutil.move(path, tmp_path / f"moved {path.name}") for path in files]
    no_decoding(monkeypatch)
    np.testing.assert_array_equal(all_of(load(moved, cache)), want)


def test_copies_share_a_row(files, cache, tmp_path):
    copy = shutil.copy(files[0], tmp_path / "copy.png")
    for mode in ("disk", "memory"):
        pixels = load([*files, copy], cache, mode=mode)
        assert pixels.rows[0] == pixels.rows[-1]
        assert len(pixels.store) == len(files)


def test_another_preprocessing_has_another_cache(files, cache):
    load(files, cache)
    pixels = load_pixels(files, [sha256_file(p) for p in files], PreprocessSpec(16, "native_crop"), folder=cache)
    assert not np.array_equal(all_of(pixels), expected(files))
    np.testing.assert_array_equal(all_of(load(files, cache)), expected(files))


@pytest.mark.parametrize("mode", ["disk", "memory"])
def test_all_views_of_an_image_are_kept(files, cache, mode):
    spec = PreprocessSpec(16, "stretch", ("native", "native_tl"))
    for _ in range(2):
        pixels = load_pixels(files, [sha256_file(p) for p in files], spec, folder=cache, mode=mode)
        rows = pixels.gather(np.arange(len(files)))
        assert rows.shape == (len(files), 3, 16, 16, 3)
        for row, path in zip(rows, files, strict=True):
            np.testing.assert_array_equal(row, spec.apply(decoder.decode(path)))


def test_no_images_are_no_pixels(cache):
    for mode in ("disk", "memory"):
        assert load([], cache, mode=mode).store.shape == (0, 16, 16, 3)


def test_the_map_is_read_only(files, cache):
    with pytest.raises(ValueError, match="read-only"):
        load(files, cache).store[0] = 0


# === After a crash ===


def cut(path, by: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-by])


def lengthen(path, by: int) -> None:
    path.write_bytes(path.read_bytes() + bytes(range(1, by + 1)))


CRASHES = [
    pytest.param("pixels.bin", cut, ROW // 2, id="last-pixels-half-written"),
    pytest.param("pixels.bin", cut, 3 * ROW, id="pixels-lost"),
    pytest.param("pixels.bin", lengthen, 100, id="half-an-image-behind-the-index"),
    pytest.param("index.bin", cut, DIGEST // 2, id="last-digest-half-written"),
    pytest.param("index.bin", cut, 2 * DIGEST, id="pixels-without-index"),
    pytest.param("index.bin", lengthen, 7, id="half-a-digest-too-many"),
    pytest.param("index.bin", lengthen, DIGEST, id="a-digest-without-pixels"),
]


@pytest.mark.parametrize(("name", "damage", "by"), CRASHES)
def test_leftovers_of_a_crash_are_healed(files, cache, tmp_path, name, damage, by):
    load(files[:4], cache)
    damage(cache / SPEC.key / name, by)
    np.testing.assert_array_equal(all_of(load(files[:4], cache)), expected(files[:4]))
    np.testing.assert_array_equal(all_of(load(files, cache)), expected(files))
    assert (cache / SPEC.key / "pixels.bin").stat().st_size == 6 * ROW
    assert (cache / SPEC.key / "index.bin").stat().st_size == 6 * DIGEST


def test_a_load_that_was_broken_off_is_taken_up_again(files, cache):
    def stop(done, _):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(files, cache, progress=stop)
    np.testing.assert_array_equal(all_of(load(files, cache)), expected(files))


def test_a_deleted_cache_is_made_anew(files, cache):
    load(files, cache)
    shutil.rmtree(cache)
    np.testing.assert_array_equal(all_of(load(files, cache)), expected(files))


# === What cannot be read ===


@pytest.mark.parametrize("mode", ["disk", "memory"])
def test_changed_missing_and_damaged_files_are_told_and_the_others_serve(files, cache, mode):
    digests = [sha256_file(path) for path in files]
    make_image(files[1], (20, 20), seed=77)
    files[2].unlink()
    files[3].write_bytes(files[3].read_bytes()[:200])
    digests[3] = sha256_file(files[3])
    pixels = load_pixels(files, digests, SPEC, folder=cache, mode=mode)
    assert set(pixels.errors) == {1, 2, 3}
    assert "changed since" in pixels.errors[1]
    assert "There is no file" in pixels.errors[2]
    assert "damaged" in pixels.errors[3]
    assert (pixels.rows[[1, 2, 3]] == -1).all()
    good = np.array([0, 4, 5])
    np.testing.assert_array_equal(pixels.gather(good), expected([files[i] for i in good]))


def test_a_file_that_was_mended_is_read_the_next_time(files, cache):
    digests = [sha256_file(path) for path in files]
    saved = files[0].read_bytes()
    files[0].write_bytes(b"something else")
    assert load_pixels(files, digests, SPEC, folder=cache).errors
    files[0].write_bytes(saved)
    pixels = load_pixels(files, digests, SPEC, folder=cache)
    assert not pixels.errors
    np.testing.assert_array_equal(all_of(pixels), expected(files))


def test_a_cache_that_cannot_be_written_is_told(files, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cache folder .* cannot be made"):
        load(files, tmp_path / "file")


def test_a_whole_data_set(small_dataset, cache):
    result = scan(small_dataset).usable
    paths = [small_dataset / path for path in result.path]
    on_disk, in_memory = (
        load_pixels(paths, list(result.sha256), SPEC, folder=cache, mode=mode) for mode in ("disk", "memory")
    )
    np.testing.assert_array_equal(all_of(on_disk), all_of(in_memory))


# === Several at once ===

LONG = 60  # Seconds after which something that never comes is given up.


@pytest.fixture
def small_slices(monkeypatch):
    """Two images are decoded and written at a time."""
    monkeypatch.setattr(pixel_cache, "_SLICE_IMAGES", 2)


def test_a_load_that_decodes_keeps_nobody_waiting(files, cache, monkeypatch):
    prepare, decoding, go_on = sandbox.prepare, threading.Event(), threading.Event()

    def halting(data, specs):
        if data == files[0].read_bytes():
            decoding.set()
            assert go_on.wait(LONG)
        return prepare(data, specs)

    monkeypatch.setattr(sandbox, "prepare", halting)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(load, files[:3], cache)
        assert decoding.wait(LONG)
        second = threads.submit(load, files[3:], cache).result(LONG)
        assert not first.done()
        go_on.set()
        np.testing.assert_array_equal(all_of(first.result(LONG)), expected(files[:3]))
    np.testing.assert_array_equal(all_of(second), expected(files[3:]))


def test_what_others_added_meanwhile_is_left_out_and_counted(files, cache, small_slices, monkeypatch):
    monkeypatch.setattr(pixel_cache.random, "shuffle", lambda _: None)
    calls = []

    def other_load(done, total):
        calls.append((done, total))
        if done == 1:
            load(files, cache)

    np.testing.assert_array_equal(all_of(load(files, cache, progress=other_load)), expected(files))
    assert calls == [(1, 6), (2, 6), (4, 6), (6, 6)], "the last two slices are passed over"
    assert (cache / SPEC.key / "pixels.bin").stat().st_size == 6 * ROW, "nothing stands there twice"
    assert (cache / SPEC.key / "index.bin").stat().st_size == 6 * DIGEST


def test_many_threads_that_load_the_same_images_share_them(files, cache, small_slices):
    together = threading.Barrier(6)

    def work(_) -> np.ndarray:
        together.wait(LONG)
        return all_of(load(files, cache))

    with ThreadPoolExecutor(6) as threads:
        for result in threads.map(work, range(6)):
            np.testing.assert_array_equal(result, expected(files))
    assert (cache / SPEC.key / "pixels.bin").stat().st_size == 6 * ROW


def test_processes_that_load_the_same_images_share_them(files, cache):
    code = """
import sys
from pathlib import Path
from dfcore.datasets.cache import load_pixels
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.utils.files import sha256_file
paths = [Path(name) for name in sys.argv[2:]]
pixels = load_pixels(paths, [sha256_file(path) for path in paths], PreprocessSpec(16), folder=Path(sys.argv[1]))
print(int(pixels.gather(pixels.rows.argsort()).sum(dtype="int64")))
"""
    command = [sys.executable, "-c", code, cache, *files]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    sums = {int(process.communicate(timeout=LONG)[0]) for process in started}
    assert sums == {int(expected(files).sum(dtype="int64"))}
    assert (cache / SPEC.key / "pixels.bin").stat().st_size == 6 * ROW


@pytest.mark.parametrize("mode", ["disk", "memory"])
def test_a_load_that_is_stopped_ends_at_once_and_holds_nothing(mode, files, cache, small_slices, monkeypatch):
    """The exception of whoever counts is the wish to stop."""
    decoded, prepare = [], sandbox.prepare

    def counted(*given):
        decoded.append(given)
        return prepare(*given)

    def stop(done, _):
        if done == 3:
            raise TimeoutError("stopped")

    monkeypatch.setattr(sandbox, "prepare", counted)
    with pytest.raises(TimeoutError, match="stopped"):
        load(files, cache, mode=mode, progress=stop)
    assert len(decoded) <= 4, "the slice that was at work, at most"
    if mode == "disk":
        assert (cache / SPEC.key / "index.bin").stat().st_size == 2 * DIGEST, "what was written stays"
        assert not list((cache / SPEC.key / "users").iterdir())
    np.testing.assert_array_equal(all_of(load(files, cache, mode=mode)), expected(files))
