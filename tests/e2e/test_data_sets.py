"""From a folder that names no class to a data set that is mapped, confirmed, audited and mended, in a real browser."""

import re

import pytest

from tests.conftest import make_image
from tests.e2e.server import dashboard, settle

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """An empty workspace, with a folder of JPEG and PNG images in folders that name no class."""
    folder = tmp_path_factory.mktemp("workspace")
    for number in range(24):
        make_image(folder / "odd" / "garden" / f"{number}.jpg", (48, 40), seed=number, quality=90)
        make_image(folder / "odd" / "kitchen" / f"{number}.png", (40, 40), seed=100 + number)
    make_image(folder / "odd" / "garden" / "again.png", (40, 40), seed=100)
    return folder


@pytest.fixture
def page(browser, workspace, monkeypatch):
    monkeypatch.setenv("DFCORE_ROOTS", str(workspace))
    with dashboard(workspace) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        result = context.new_page()
        result.set_default_timeout(60_000)
        result.goto(f"{address}/datasets")
        settle(result)
        yield result
        context.close()


def choose(page, label: str, option: str) -> None:
    """Picks an option of a list in which several can be picked."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option").filter(has_text=option).click()
    page.keyboard.press("Escape")
    settle(page)


def click(page, name: str) -> None:
    """Presses a button by its whole label; its icon's name stands before it."""
    page.get_by_role("button", name=re.compile(rf"(^|\s){name}$")).first.click()
    settle(page)


def tile(page, title: str) -> str:
    return page.get_by_test_id("stMetric").filter(has_text=title).get_by_test_id("stMetricValue").inner_text()


def test_an_unknown_folder_is_mapped_confirmed_audited_and_mended(page, workspace):
    page.get_by_role("textbox", name="Folder or manifest").fill(str(workspace / "odd"))
    click(page, "Register")
    page.get_by_text("Not understood").first.wait_for()
    choose(page, "Means real", "garden")
    choose(page, "Means fake", "kitchen")
    click(page, "Read it this way")
    page.get_by_role("button", name="This is right").wait_for()
    assert (tile(page, "Real"), tile(page, "Fake")) == ("25", "24")
    click(page, "Real and fake are the wrong way round")
    assert (tile(page, "Real"), tile(page, "Fake")) == ("24", "25")
    click(page, "Real and fake are the wrong way round")
    click(page, "This is right")
    page.get_by_text(re.compile("check_circle Confirmed")).first.wait_for()

    page.get_by_role("tab", name="Audit").click()
    settle(page)
    page.get_by_role("button", name="Audit this data set").click()
    page.get_by_role("button", name="Audit again").wait_for(timeout=240_000)
    settle(page)
    page.get_by_text(re.compile("can be told apart without looking at the pictures")).first.wait_for()
    click(page, "Take .* out of the index")
    page.get_by_role("button", name="Put back").wait_for()
    page.get_by_text("has changed since this audit").first.wait_for()
    click(page, "Put back")
    page.get_by_text("has changed since this audit").first.wait_for(state="detached")

    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Train").click()
    page.get_by_text("Before you train").first.wait_for()
    settle(page)
    page.get_by_text(re.compile("can be told apart without looking at the pictures")).first.wait_for()
    page.get_by_role("button", name="Start training").wait_for()
    assert page.get_by_test_id("stException").count() == 0
