"""Makes docs/screenshots anew: every page, light and dark, with real content. `make screenshots`."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from dfcore.datasets.demo import sample_images
from tests.e2e.server import ROOT, chromium, command, dashboard, settle
from tests.made_batches import make_batch

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
        make_batch(workspace / "batches", 60, title="From the archive")
        with dashboard(workspace) as address, chromium() as browser:
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
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        height = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
        page.set_viewport_size({"width": _WIDTH, "height": min(max(height, _HEIGHT), _TALLEST)})
        page.wait_for_timeout(1500)
        page.screenshot(path=str(FOLDER / f"{name}-{scheme}.png"))
        page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
        print(f"{name}-{scheme}.png")


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
