"""How long Inspect takes on a warm server, in a real browser: from the drop to the verdict, and on to the heat-map.

Run from the project's root: `python -m benchmarks.inspect_latency`. The heaviest detector that ships is chosen, then
the automatic choice, and ten photographs that were never seen before are dropped, one after another; the first three
are not counted. The other detectors refuse photographs, and a score that is not used has no heat-map.
"""

import io
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dfcore.inspection.samples import samples
from tests.e2e.server import ROOT, chromium, dashboard, settle

_PICTURES, _WARM = 10, 3


def pictures() -> list[bytes]:
    """Photographs that differ from each other, 640 by 427, as JPEGs."""
    temple = np.asarray(Image.open(io.BytesIO(samples()[0].data)))
    result = []
    for number in range(_PICTURES):
        buffer = io.BytesIO()
        Image.fromarray(np.roll(temple, 31 * (number + 1), axis=1)).save(buffer, "JPEG", quality=90)
        result.append(buffer.getvalue())
    return result


def timed(page: Any, name: str, data: bytes) -> tuple[float, float]:
    """Seconds from the drop to the verdict, and from there to the map."""
    start = time.monotonic()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        {"name": name, "mimeType": "image/jpeg", "buffer": data}
    )
    page.get_by_role("heading", level=2).first.wait_for()
    verdict = time.monotonic()
    page.locator("img.map").wait_for()
    return verdict - start, time.monotonic() - verdict


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        shutil.copytree(ROOT / "models", workspace / "models")
        with dashboard(workspace) as address, chromium() as browser:
            for detector in ("photographs", "auto"):
                rows = []
                for number, data in enumerate(pictures()):
                    page = browser.new_page(viewport={"width": 1440, "height": 900})
                    page.set_default_timeout(120_000)
                    page.goto(f"{address}/inspect?detector={detector}")
                    settle(page)
                    rows.append(timed(page, f"{detector}-{number}.jpg", data))
                    page.close()
                verdicts, maps = zip(*rows[_WARM:], strict=True)
                print(
                    f"{detector:12} verdict after {statistics.median(verdicts):.2f} s (at most {max(verdicts):.2f}), "
                    f"map {statistics.median(maps):.2f} s after it (at most {max(maps):.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
