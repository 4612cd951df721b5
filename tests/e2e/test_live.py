"""A camera on the page Video, in a real browser whose camera is a file."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.server import ROOT, chromium, dashboard, settle
from tests.unit.drawn_face import scene

pytestmark = pytest.mark.browser


def camera(folder: Path) -> Path:
    """A film for the browser to take for its camera: a face that stands still."""
    path = folder / "camera.mjpeg"
    with open(path, "wb") as file:
        for _ in range(10):
            Image.fromarray(scene([(250, 100, 300)], 480, 640)).save(file, "JPEG", quality=95)
    return path


def test_a_camera_is_judged_until_it_is_stopped(tmp_path):
    for name in ("small", "faces"):
        shutil.copytree(ROOT / "models" / name, tmp_path / "models" / name)
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with (
        chromium(*fake, f"--use-file-for-fake-video-capture={camera(tmp_path)}") as browser,
        dashboard(tmp_path) as address,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/video")
        settle(page)
        page.get_by_text("Camera or screen", exact=True).click()
        settle(page)
        page.locator(".live .camera").click()
        # Every frame once, one after the other, the faces in it framed, at a pace that is told.
        page.get_by_text(re.compile(r"^Frame ([4-9]|\d\d), at ")).wait_for(timeout=240_000)
        assert re.fullmatch(
            r"The picture has \d+ frames/s\. [\d.]+ of them are judged a second\.",
            page.locator(".live .small").inner_text(),
        )
        assert page.locator(".live .box").count() == 1
        assert "face 1" in page.locator(".live canvas").get_attribute("aria-label")
        # Choices count from the next frame on, while the camera goes on.
        page.get_by_text("Judge faces too").click()
        page.get_by_text("since the choices changed").wait_for(timeout=240_000)
        page.get_by_text(re.compile(r"^Frame ([4-9]|\d\d), at ")).wait_for(timeout=240_000)
        assert page.locator(".live .box").count() == 0
        page.locator(".live .stop").click()
        settle(page)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Timeline (CSV)").click()
        rows = Path(waiting.value.path()).read_text().splitlines()
        assert (
            rows[0].startswith("sample,frame,seconds,track")
            and len(rows) >= 1 + 4
            and all(",small," in row for row in rows[1:])
        )
        said = page.get_by_test_id("stMain").inner_text()
        assert "Inconclusive" in said and "so far" not in said
        assert not page.locator(".live video").is_visible() and not errors
        # Another page and back: what was said is still there, the camera is off.
        page.get_by_role("link", name="Home").first.click()
        settle(page)
        page.get_by_role("link", name="Video").first.click()
        settle(page)
        assert page.get_by_text(re.compile(r"^Frame \d+, at ")).count() == 1
