"""Video in a real browser: a film is uploaded, judged, stopped, gone on with, looked at by its timeline, taken away."""

import io
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from dfcore.films.job import FilmJob
from dfcore.films.store import FilmStore
from tests.e2e.server import ROOT, dashboard, settle
from tests.made_film_jobs import make_film
from tests.made_films import film, write

pytestmark = pytest.mark.browser


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A workspace with the smallest of the shipped detectors."""
    shutil.copytree(ROOT / "models" / "small", tmp_path / "models" / "small")
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path))
    monkeypatch.setenv("DFCORE_FILMS", str(tmp_path / "films"))
    return tmp_path


def open_page(page, address: str, more: str = "") -> None:
    page.goto(f"{address}/video{more}")
    settle(page)


def badge(page, text: str) -> None:
    page.locator(".stMarkdownBadge").filter(has_text=text).wait_for(timeout=240_000)
    settle(page)


def only_film(workspace: Path) -> FilmJob:
    (result,) = FilmStore(workspace / "films")
    return result


def upload(page, data: bytes) -> None:
    page.locator(".upload input.many").set_input_files([{"name": "shot.mp4", "mimeType": "video/mp4", "buffer": data}])
    page.get_by_text("arrived.").wait_for()
    settle(page)


def test_a_film_is_uploaded_stopped_gone_on_with_and_looked_at(page, workspace):
    frames = 2_000
    with dashboard(workspace) as address:
        open_page(page, address)
        assert page.get_by_role("button", name="Choose a folder").count() == 0
        upload(page, film((np.full((64, 96, 3), 40 + n % 160, np.uint8) for n in range(frames)), rate=25))
        page.get_by_text("By count", exact=True).click()
        settle(page)
        number = page.get_by_role("spinbutton", name="One frame in …")
        number.fill("1")
        number.press("Enter")
        settle(page)
        page.get_by_text("Judge faces too").click()
        settle(page)
        page.get_by_role("button", name="Judge it").click()
        page.wait_for_url("**film=**")
        page.get_by_text(re.compile(r"of about 2,000 frames, [\d.]+ frames/s, about .* left")).first.wait_for()
        page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
        badge(page, "stopped")
        job = only_film(workspace)
        before = job.status().done
        assert 0 < before < frames
        page.get_by_text("sampled frames").first.wait_for()
        page.get_by_role("button", name="Go on").click()
        badge(page, "ended")
    assert [one.position.frame for one in job.samples()] == list(range(frames)), "each frame once"


def test_the_timeline_leads_to_moments_and_is_taken_away(page, workspace):
    import pandas as pd

    job = make_film(workspace / "films", write(workspace, film(20)), 20, copied=True)
    with dashboard(workspace) as address:
        open_page(page, address, "?at=0")
        page.get_by_text("frame 0", exact=False).first.wait_for()
        page.get_by_role("img", name=re.compile("^Frame at 0:00.0")).wait_for()
        points = page.locator(".js-plotly-plot .scatterlayer .trace").first.locator(".points path")
        # One point after the other, in the order of time; those that are not used are another trace.
        points.nth(3).click(force=True)
        page.wait_for_url(re.compile(r"at=3\b"))
        page.get_by_role("img", name=re.compile("^Frame at 0:00.3. whole frame: likely fake")).wait_for()
        settle(page)
        page.keyboard.press("n")
        page.wait_for_url(re.compile(r"at=4\b"))
        settle(page)
        page.get_by_text("Face 1", exact=True).first.click()
        page.get_by_text(re.compile("Face 1:")).first.wait_for()
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Timeline (CSV)").click()
        table = pd.read_csv(io.BytesIO(Path(waiting.value.path()).read_bytes()))
        assert table["track"].isna().sum() == 20 and set(table["track"].dropna()) == {1, 2}
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Frame (PNG)").click()
        assert Path(waiting.value.path()).read_bytes().startswith(b"\x89PNG")
        assert waiting.value.suggested_filename == "film.mp4, 0m00.4s, frame 4.png"
        page.reload()
        settle(page)
        assert "at=4" in page.url, "the view can be shared"
        page.get_by_role("button", name="Delete this film").click()
        page.get_by_role("button", name="Delete for good").click()
        until = time.monotonic() + 60
        while job.folder.exists() and time.monotonic() < until:
            time.sleep(0.1)
        page.get_by_text("No film yet").wait_for()
    assert not job.folder.exists()
