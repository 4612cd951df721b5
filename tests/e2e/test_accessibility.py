"""No page keeps anybody out: no serious finding of axe-core, with nothing and with much to show."""

import pytest

from dfcore.datasets.demo import sample_images
from tests.e2e.accessibility import findings
from tests.e2e.monkey_actions import PAGES
from tests.e2e.server import dashboard, settle

pytestmark = pytest.mark.browser
_WIDTHS = {1440: 900, 390: 844}
_CASES = ("cases?view=pictures", "cases?view=changed", "cases?view=log", "cases?case=1")


@pytest.fixture(scope="module")
def addresses(tmp_path_factory, filled):
    with dashboard(tmp_path_factory.mktemp("empty")) as empty, dashboard(filled) as full:
        yield {"empty": empty, "filled": full}


def looked_at(page, place: str) -> dict:
    """Serious findings on the page and on each of its tabs, {where: findings}."""
    found = {place: findings(page)}
    tabs = page.get_by_test_id("stMain").get_by_role("tab")
    for number in range(1, tabs.count()):
        tabs.nth(number).click()
        settle(page)
        found[f"{place}, {tabs.nth(number).inner_text()}"] = findings(page)
    return found


def all_findings(browser, address: str, scheme: str, width: int, upload) -> dict:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": _WIDTHS[width]})
    page = context.new_page()
    page.set_default_timeout(60_000)
    found = {}
    for name in (*PAGES, *_CASES):
        page.goto(f"{address}/{name}")
        settle(page)
        found |= looked_at(page, name or "home")
        if name == "cases?view=pictures" and page.get_by_test_id("stDataFrame").count():
            box = page.get_by_test_id("stDataFrame").first.bounding_box()
            page.mouse.click(box["x"] + 150, box["y"] + 60)
            settle(page)
            found |= looked_at(page, "cases, a picture")
        if name == "inspect" and page.get_by_test_id("stFileUploaderDropzoneInput").count():
            page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(str(upload))
            settle(page)
            found |= looked_at(page, "inspect, judged")
    context.close()
    return {place: each for place, each in found.items() if each}


# Each pair of two choices once.
@pytest.mark.parametrize(
    ("objects", "scheme", "width"),
    [("empty", "light", 1440), ("empty", "dark", 390), ("filled", "light", 390), ("filled", "dark", 1440)],
)
def test_no_page_has_a_serious_finding(browser, addresses, objects, scheme, width, tmp_path):
    name, data = next(iter(sample_images().items()))
    (tmp_path / name).write_bytes(data)
    found = all_findings(browser, addresses[objects], scheme, width, tmp_path / name)
    assert not found, "\n".join(f"{place}:\n" + "\n".join(f"  {one}" for one in each) for place, each in found.items())


def test_a_serious_finding_is_seen(browser):
    page = browser.new_page()
    page.set_content("<html lang=en><title>t</title><main><h1>h</h1><button></button><img src=x></main></html>")
    assert {one.rule for one in findings(page)} == {"button-name", "image-alt"}
    page.close()
