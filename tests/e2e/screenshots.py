"""Makes docs/screenshots anew: every page, light and dark, with real content. `make screenshots`."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dfcore.datasets.demo import sample_images
from dfcore.imaging import decoder
from tests.e2e.server import ROOT, chromium, command, dashboard, settle
from tests.made_films import film

FOLDER = ROOT / "docs" / "screenshots"
_WIDTH, _HEIGHT = 1440, 900
_TALLEST = 1900


def main() -> None:
    """Fills a workspace, opens every page and keeps what it looks like."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        shutil.copytree(ROOT / "models", workspace / "models")
        demo = workspace / "data" / "demo"
        command(workspace, "data", "demo", str(demo))
        for options in (("--arch", "spectral_cnn", "--image-size", "64", "--epochs", "8", "--name", "Spectral, short"),
                        ("--name", "Demonstration")):  # fmt: skip
            command(workspace, "train", "--data-root", str(demo), *options)
        with dashboard(workspace) as address, chromium() as browser:
            _judge(browser.new_page(), f"{address}/batch", "Judge them", _parts(24))
            shot = film(_pan(), rate=10)
            _judge(browser.new_page(), f"{address}/video", "Judge it", [("holiday.mp4", shot)])
            for scheme in ("light", "dark"):
                context = browser.new_context(color_scheme=scheme, viewport={"width": _WIDTH, "height": _HEIGHT})
                _all_pages(context.new_page(), address, scheme, workspace)
                context.close()


def _all_pages(page: Any, address: str, scheme: str, workspace: Path) -> None:
    page.set_default_timeout(120_000)
    for name in ("home", "batch", "video", "datasets", "train", "monitor", "evaluate", "models", "inspect", "cases"):
        page.goto(address if name == "home" else f"{address}/{name}")
        settle(page)
        if name == "inspect":
            _show_an_image(page, workspace)
        if name == "cases":
            page.get_by_text("All judged pictures", exact=True).click()
            settle(page)
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        height = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
        page.set_viewport_size({"width": _WIDTH, "height": min(max(height, _HEIGHT), _TALLEST)})
        page.wait_for_timeout(1500)
        page.screenshot(path=str(FOLDER / f"{name}-{scheme}.png"))
        page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
        print(f"{name}-{scheme}.png")


def _judge(page: Any, address: str, button: str, files: list[tuple[str, bytes]]) -> None:
    """Hands files over on a page of jobs, and waits until they are judged."""
    page.set_default_timeout(240_000)
    page.goto(address)
    settle(page)
    page.locator(".upload input.many").set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    )
    page.get_by_text("arrived.").wait_for()
    settle(page)
    page.get_by_role("button", name=button).click()
    page.locator(".stMarkdownBadge").filter(has_text="ended").wait_for()
    page.close()


def _photographs() -> list[np.ndarray]:
    return [decoder.decode(data) for data in sample_images().values()]


def _parts(count: int) -> list[tuple[str, bytes]]:
    """Parts of the photographs that ship, as files."""
    random, made = np.random.default_rng(0), []
    for number in range(count):
        whole = _photographs()[number % 3]
        height, width = (int(side * random.uniform(0.6, 0.95)) for side in whole.shape[:2])
        top, left = (int(random.integers(0, side)) for side in (whole.shape[0] - height, whole.shape[1] - width))
        file = io.BytesIO()
        Image.fromarray(whole[top : top + height, left : left + width]).save(file, "PNG")
        made.append((f"part {number + 1}.png", file.getvalue()))
    return made


def _pan() -> Iterator[np.ndarray]:
    """A camera that goes over each of the photographs for four seconds."""
    for whole in _photographs():
        height, width = (2 * (side * 2 // 5) for side in whole.shape[:2])
        for step in range(40):
            top, left = (side * step // 40 for side in (whole.shape[0] - height, whole.shape[1] - width))
            yield whole[top : top + height, left : left + width]


def _show_an_image(page: Any, workspace: Path) -> None:
    name, data = next(iter(sample_images().items()))
    (workspace / name).write_bytes(data)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(str(workspace / name))
    page.locator("img.map").wait_for()
    page.get_by_text("Show how stable the score is").click()
    page.get_by_text("small changes the score lies").wait_for()
    settle(page)


if __name__ == "__main__":
    main()
