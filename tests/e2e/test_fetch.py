"""A public data set is looked at, fetched, stopped, gone on with and opened, in a real browser against a stand-in."""

import re

import pytest

from tests.e2e.server import dashboard, settle
from tests.standins import kaggle
from tests.unit.fetching import no_credentials, set_of

pytestmark = pytest.mark.browser
ADDRESS = "kaggle:owner/faces"


@pytest.fixture
def service(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path / "home")
    with kaggle.running() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        running.add(
            "owner/faces", set_of(["train/real", "train/fake", "test/real", "test/fake"], each=40), licence="CC0"
        )
        yield running


@pytest.fixture
def opened(page, service, tmp_path):
    with dashboard(tmp_path) as address:
        page.goto(f"{address}/datasets")
        settle(page)
        yield page


def press(page, name: str) -> None:
    page.get_by_role("button", name=re.compile(rf"(^|\s){name}$")).first.click()
    settle(page)


def test_a_set_is_fetched_stopped_gone_on_with_and_opened(opened, service):
    page = opened
    page.get_by_text("Fetch a public set", exact=True).click()
    page.get_by_text("120,000 images of 32 x 32 pixels").wait_for()
    page.get_by_role("combobox", name=re.compile("Public data set")).click()
    page.get_by_role("option", name="FaceForensics++").click()
    page.get_by_text("signed request").wait_for()
    page.get_by_role("combobox", name=re.compile("Public data set")).click()
    page.get_by_role("option", name=re.compile("by its address")).click()
    page.get_by_role("textbox", name=re.compile("^Address")).fill(ADDRESS)
    page.keyboard.press("Enter")
    settle(page)
    press(page, "Ask the service")
    page.get_by_text("Licence: CC0").wait_for()
    service.cut("/archive/", after=100_000)
    service.cut("/archive/", after=0, times=99)
    press(page, "Fetch")
    page.get_by_text(re.compile(r"Loading: [\d.]+ kB of")).wait_for()
    press(page, "Stop")
    page.get_by_text("It was stopped.").wait_for()
    service.faults.clear()
    press(page, "Go on")
    page.get_by_text("80 real and 80 fake images").wait_for()
    assert service.asked("GET", "/archive/")[-1].range
    press(page, "Open")
    tile = page.get_by_test_id("stMetric").filter(has_text="Usable images")
    assert tile.get_by_test_id("stMetricValue").inner_text() == "160"
