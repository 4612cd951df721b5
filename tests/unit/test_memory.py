"""What a long-running server does with its memory."""

import subprocess
import sys

import pytest

_GROWN = """
import threading, time
import psutil
from dfcore.utils import memory
memory._TRIM_SECONDS = 0.2
memory.return_memory()
memory.return_memory()
assert [one.name for one in threading.enumerate()].count("return-memory") == 1
held = [bytearray(200_000) for _ in range(1_000)]
held = held[::40]  # Free, but between what is still in use.
before = psutil.Process().memory_info().rss
until = time.monotonic() + 20
while psutil.Process().memory_info().rss > before - 100e6 and time.monotonic() < until:
    time.sleep(0.1)
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_free_memory_between_blocks_in_use_is_returned_by_itself():
    done = subprocess.run([sys.executable, "-c", _GROWN], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100e6
