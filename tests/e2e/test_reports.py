"""Reports in a real browser: made by a button of Inspect, opened from a file without a network."""

import shutil

import pytest

from dfcore.inspection.samples import samples
from tests.e2e.server import ROOT, dashboard, settle
from tests.e2e.test_inspect import drop, open_inspect

pytestmark = pytest.mark.browser
WIDTHS = (1440, 1024, 390)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "models", workspace / "models")
    with dashboard(workspace) as result:
        yield result


def test_a_report_is_made_on_request_and_opens_without_a_network(browser, address, tmp_path):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(240_000)
    open_inspect(page, address)
    drop(page, ("<b>名前.png", samples()[3].data))
    page.get_by_role("tab", name="Details").click()
    settle(page)
    files = {}
    for title, suffix in (("HTML", ".html"), ("PDF", ".pdf")):
        with page.expect_download() as coming:
            page.get_by_role("button", name=f"Report ({title})").click()
        files[suffix] = tmp_path / f"report{suffix}"
        coming.value.save_as(files[suffix])
    page.get_by_role("button", name="Report (PDF)").scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "details.png")
    context.close()
    assert files[".pdf"].read_bytes().startswith(b"%PDF-")
    asked: list[str] = []
    for width in WIDTHS:
        alone = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=True, offline=True)
        read = alone.new_page()
        read.on("request", lambda request: asked.append(request.url))
        read.goto(files[".html"].as_uri())
        assert read.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        assert read.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert "<b>名前.png" in read.locator("h2").first.inner_text()
        read.screenshot(path=tmp_path / f"report-{width}.png", full_page=True)
        alone.close()
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
