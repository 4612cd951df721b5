"""What scans remember: by stamp and content, across kills, and never an accident of the machine."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from dfcore.datasets import scan, scan_cache
from dfcore.errors import TransientImageError
from dfcore.imaging import decoder, sandbox
from dfcore.utils import files


def pictures(root, count: int, seed: int, size: int = 16) -> None:
    """BMP files of one size and one time stamp, which only their content tells apart."""
    random = np.random.default_rng(seed)
    for name in ("real", "fake"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            path = root / name / f"{number}.bmp"
            Image.fromarray(random.integers(0, 256, (size, size, 3), np.uint8)).save(path)
            os.utime(path, ns=(10**18, 10**18))


@pytest.mark.parametrize("settled", [True, False], ids=["stamps that are trusted", "files just written"])
def test_other_content_with_the_same_size_and_time_is_noticed(tmp_path, monkeypatch, settled):
    if settled:
        monkeypatch.setattr(files, "_SETTLED_SECONDS", -1.0)
    pictures(tmp_path / "set", 4, seed=0)
    first = scan(tmp_path / "set").table
    time.sleep(0.02)  # A tick of the file system's clock.
    pictures(tmp_path / "set", 4, seed=1)
    second = scan(tmp_path / "set").table
    assert not set(first.sha256) & set(second.sha256)
    assert not set(first.pixels_sha256) & set(second.pixels_sha256)


def test_a_moved_or_touched_file_is_hashed_and_not_decoded_again(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SETTLED_SECONDS", -1.0)
    pictures(tmp_path / "set", 3, seed=0)
    first = scan(tmp_path / "set").table
    (tmp_path / "set/real/0.bmp").rename(tmp_path / "set/real/moved.bmp")
    (tmp_path / "set/fake/1.bmp").touch()
    monkeypatch.setattr(sandbox, "look", lambda data: pytest.fail("it was decoded again"))
    second = scan(tmp_path / "set").table
    assert sorted(second.sha256) == sorted(first.sha256)


def test_an_accident_is_not_remembered_and_a_fault_of_the_file_is(tmp_path, monkeypatch):
    pictures(tmp_path / "set", 2, seed=0)
    (tmp_path / "set/real/broken.bmp").write_bytes(b"BM no picture")
    look = sandbox.look

    def killed(data):
        if len(data) > 100:
            raise TransientImageError("The decoding process was killed.")
        return look(data)

    with monkeypatch.context() as context:
        context.setattr(sandbox, "look", killed)
        assert len(scan(tmp_path / "set").unreadable) == 5
    asked = []
    monkeypatch.setattr(sandbox, "look", lambda data: asked.append(len(data)) or look(data))
    assert scan(tmp_path / "set").unreadable.path.tolist() == ["real/broken.bmp"]
    assert min(asked) > 100, "the broken file is known"


def test_a_decoding_process_that_is_killed_costs_one_try(tmp_path):
    pictures(tmp_path / "set", 8, seed=0, size=1500)
    killer = subprocess.Popen([sys.executable, "-c", _KILLER, str(os.getpid())], stdout=subprocess.PIPE, text=True)
    killer.stdout.readline()
    scan(tmp_path / "set")
    killer.communicate(timeout=60)
    assert len(scan(tmp_path / "set").usable) == 16


_KILLER = """
import psutil, sys, time
print("ready", flush=True)
for _ in range(10):
    for child in psutil.Process(int(sys.argv[1])).children(recursive=True):
        try:
            if "dfcore.imaging.sandbox.child" in child.cmdline():
                child.kill()
        except psutil.Error:
            pass
    time.sleep(0.05)
"""


def test_a_scan_that_was_killed_goes_on_where_it_was(tmp_path, monkeypatch):
    pictures(tmp_path / "set", 150, seed=0)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom dfcore.datasets import scan, scan_cache\n"
        "from dfcore.imaging import sandbox\nscan_cache._BATCH = 20\nlook, seen = sandbox.look, []\n"
        "def halting(data):\n    seen.append(1)\n"
        "    if len(seen) > 120:\n        print('far enough', flush=True)\n        time.sleep(600)\n"
        "    return look(data)\n"
        "sandbox.look = halting\nscan(sys.argv[1], cache=Path(sys.argv[2]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "set"), str(tmp_path / "cache")], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    for each in [*psutil.Process(process.pid).children(recursive=True), process]:
        each.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    decoded, look = [], sandbox.look
    monkeypatch.setattr(sandbox, "look", lambda data: decoded.append(1) or look(data))
    table = scan(tmp_path / "set", cache=tmp_path / "cache").table
    assert len(table) == 300
    assert table.error.isna().all()
    assert 180 <= len(decoded) <= 240


def test_two_scans_at_once_disturb_neither(tmp_path):
    pictures(tmp_path / "set", 60, seed=0)
    code = (
        "import sys\nfrom pathlib import Path\nfrom dfcore.datasets import scan\n"
        "print(len(scan(sys.argv[1], cache=Path(sys.argv[2])).usable))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "set"), str(tmp_path / "cache")],
            stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [process.communicate()[0].strip() for process in both] == ["120", "120"]


def test_another_version_of_the_decoder_reads_anew(tmp_path, monkeypatch):
    pictures(tmp_path / "set", 2, seed=0)
    first = scan(tmp_path / "set").table
    monkeypatch.setattr(decoder, "VERSION", decoder.VERSION + 1)
    decoded, look = [], sandbox.look
    monkeypatch.setattr(sandbox, "look", lambda data: decoded.append(1) or look(data))
    pd.testing.assert_frame_equal(scan(tmp_path / "set").table, first)
    assert len(decoded) == 4


def test_signatures_are_kept(tmp_path):
    pictures(tmp_path / "set", 2, seed=0)
    table = scan(tmp_path / "set", cache=tmp_path / "cache").table
    memory = scan_cache.ScanMemory(tmp_path / "cache", tmp_path / "set")
    kept = list(memory.signatures([*table.sha256, "unknown"]))
    for path, signature in zip(table.path, kept, strict=False):
        there = sandbox.look((tmp_path / "set" / path).read_bytes())[1]
        assert signature.to_bytes() == there.to_bytes()
    assert kept[-1] is None


@pytest.mark.parametrize("part", [0.0, 0.5, 0.97], ids=["head", "middle", "tail"])
def test_a_damaged_memory_is_begun_anew(tmp_path, monkeypatch, part):
    monkeypatch.setattr(files, "_SETTLED_SECONDS", -1.0)
    pictures(tmp_path / "set", 60, seed=0)
    first = scan(tmp_path / "set", cache=tmp_path / "cache").table
    (file,) = (tmp_path / "cache/scans").glob("*.sqlite")
    content = bytearray(file.read_bytes())
    start = int(part * len(content))
    content[start : start + 8192] = bytes(range(256)) * 32
    file.write_bytes(content)
    for _ in range(2):
        pd.testing.assert_frame_equal(scan(tmp_path / "set", cache=tmp_path / "cache").table, first)
    decoded = counted(monkeypatch)
    scan(tmp_path / "set", cache=tmp_path / "cache")
    assert not decoded, "the damage lasts"


def test_what_another_reader_may_read_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SETTLED_SECONDS", -1.0)
    pictures(tmp_path / "set", 2, seed=0)
    (tmp_path / "set/real/broken.bmp").write_bytes(b"BM no picture")
    monkeypatch.setattr(scan_cache, "installed", lambda name: False)
    for _ in range(2):
        scan(tmp_path / "set")
    decoded = counted(monkeypatch)
    scan(tmp_path / "set")
    assert not decoded
    monkeypatch.setattr(scan_cache, "installed", lambda name: True)
    scan(tmp_path / "set")
    assert decoded == [13], "only what failed is read again"


def counted(monkeypatch) -> list[int]:
    """Sizes of the files that are decoded from now on."""
    decoded, look = [], sandbox.look
    monkeypatch.setattr(sandbox, "look", lambda data: decoded.append(len(data)) or look(data))
    return decoded
