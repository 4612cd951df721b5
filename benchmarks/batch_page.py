"""A folder judged on the page Batch in a real browser, and by `dfcore predict`: the same rows.

    python -m benchmarks.batch_page --data ../shared/data/cifake --images 5000 --out benchmarks/results/batch_page.txt

The page is closed while the batch runs, the server and the process that judges are killed, another server finds the
batch and goes on with it, and its rows are downloaded from the page.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.batches import make, memory
from dfcore.batch.store import BatchStore
from tests.e2e.server import ROOT, chromium, command, dashboard
from tests.e2e.test_batch import ended, open_batch, start_folder


def walked(browser: Any, workspace: Path, pictures: Path) -> Iterator[str]:
    """Judges a folder on the page; tells what is seen."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True).new_page()
    page.set_default_timeout(120_000)
    store, least, most = BatchStore(workspace / "batches"), float("inf"), 0.0
    with dashboard(workspace) as address:
        open_batch(page, address)
        start_folder(page, pictures)
        (batch,) = store
        line = page.get_by_text("images/s, about").first
        line.wait_for()
        yield f"while it runs: {line.inner_text().strip()!r}"
        page.goto("about:blank")
        while (done := batch.status().done) < batch.status().total / 3:
            time.sleep(0.2)
        open_batch(page, address)
        yield f"left and found again: {line.inner_text().strip()!r}"
        os.kill(int(batch.status().pid or 0), signal.SIGKILL)
    yield f"its process killed at {done:,}, the server ended"
    with dashboard(workspace) as address:
        open_batch(page, address)
        page.locator(".stMarkdownBadge").filter(has_text="interrupted").wait_for()
        page.get_by_role("button", name="Go on").click()
        while (status := batch.status()).done < status.total or status.state.active:
            if status.phase == "judging":
                taken = memory(int(status.pid or 0))
                least, most = min(least, taken), max(most, taken)
            time.sleep(0.5)
        ended(page)
        yield f"ended: {status.done:,} rows, {status.failed} without a verdict; memory {least:.0f} to {most:.0f} MB"
        with page.expect_download() as waiting:
            page.get_by_test_id("stDownloadButton").get_by_role("button", name="JSON Lines").click()
        shutil.copy(waiting.value.path(), workspace / "page.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        workspace, told = Path(folder), []
        os.environ["DFCORE_ROOTS"] = folder
        shutil.copytree(ROOT / "models" / "small", workspace / "models" / "small")
        make(options.data, workspace / "pictures", options.images)
        for line in walked(browser, workspace, workspace / "pictures"):
            told.append(line)
            print(line, flush=True)
        try:
            command(workspace, "predict", "auto", str(workspace / "pictures"), "--out", str(workspace / "rows.jsonl"))
        except RuntimeError as error:  # Pictures without a verdict: code 3.
            print(str(error)[:200], file=sys.stderr)
        mine, theirs = (Counter((workspace / name).read_text().splitlines()) for name in ("page.jsonl", "rows.jsonl"))
        told.append(f"{sum(mine.values()):,} rows here, {sum(theirs.values()):,} by the command, "
                    f"{sum((mine - theirs).values())} differ")  # fmt: skip
        print(told[-1])
    if options.out:
        options.out.write_text("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
