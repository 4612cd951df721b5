"""From the start of the server to the first paint of Home in a browser, beside Streamlit's own empty app.

Run from the project's root: `python -m benchmarks.first_paint --out benchmarks/results/first_paint.txt`. The two take
turns, each time with a new server and a new page. Ends with 1 where the ratio of the medians is above the limit.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.e2e.server import ROOT, chromium, environment

LIMIT = 1.5
_EMPTY = "import streamlit as st\n\nst.title('Empty')\n"


def seconds(browser: Any, script: Path, workspace: Path) -> float:
    """One start, until the page's title is painted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), "--server.headless=1",
               "--browser.gatherUsageStats=0", "--server.address=127.0.0.1"]  # fmt: skip
    page = browser.new_page()
    began = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=script.parent, env=environment(workspace), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_selector("h1", timeout=60_000)
        return time.perf_counter() - began
    finally:
        page.close()
        server.terminate()
        server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    ours: list[float] = []
    empty: list[float] = []
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        (folder / "app").mkdir()
        (folder / "app" / "app.py").write_text(_EMPTY)
        shutil.copytree(ROOT / "models", folder / "models")
        for number in range(options.times + 1):
            result = [
                seconds(browser, ROOT / "streamlit_app.py", folder),
                seconds(browser, folder / "app" / "app.py", folder),
            ]
            if number:  # The first ones read everything from the disk.
                ours.append(result[0])
                empty.append(result[1])
    a, b = statistics.median(ours), statistics.median(empty)
    text = (
        f"first paint after the start, {os.cpu_count()} cores, medians of {options.times}\n"
        f"Home {a:.2f} s, Streamlit's empty app {b:.2f} s, ratio {a / b:.2f} (limit {LIMIT})\n"
    )
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return a / b > LIMIT


if __name__ == "__main__":
    sys.exit(main())
