"""Inspect's memory and Cases in a real browser: judged, noted, decided and filed once, found again ever after."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dfcore.inspection.samples import samples
from tests.e2e.server import ROOT, dashboard, settle

pytestmark = pytest.mark.browser
NOTE = "<b>No</b> shadow under the **left** hand"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("small", "default.txt"):
        source = ROOT / "models" / name
        (folder / "models").mkdir(exist_ok=True)
        shutil.copytree(source, folder / "models" / name) if source.is_dir() else shutil.copy(source, folder / "models")
    return folder


@pytest.fixture(scope="module")
def address(workspace):
    with dashboard(workspace) as result:
        yield result


def picture(seed: int, side: int = 48) -> bytes:
    small = np.random.default_rng(seed).integers(0, 255, (side // 8, side // 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def drop(page, address: str, *files: tuple[str, bytes]) -> None:
    page.goto(f"{address}/inspect")
    settle(page)
    chosen = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(chosen)
    page.get_by_role("heading", level=2).first.wait_for()
    settle(page)


def press(page, name: str, **options) -> None:
    page.get_by_role("button", name=name, **options).first.click()
    settle(page)


def open_cell(page, row: int, column: int = 1) -> None:
    """Clicks a cell of the first table, which is drawn on a canvas."""
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(box["x"] + 120 * column, box["y"] + 36 + 35 * row + 17)
    settle(page)


def test_judged_noted_decided_and_filed_all_is_there_after_a_reload(page, address):
    drop(page, address, ("holiday.png", samples()[0].data))
    page.keyboard.press("f")
    settle(page)
    bar = page.get_by_role("group", name="Your decision")
    assert bar.get_by_role("button", name="Fake").get_attribute("aria-pressed") == "true"
    page.get_by_role("tab", name="Notes").click()
    settle(page)
    page.get_by_role("textbox", name="New note").fill(NOTE)
    press(page, "Add the note")
    page.get_by_role("combobox", name="Add to a case").fill("Harbour pictures")
    page.keyboard.press("Enter")
    settle(page)
    press(page, "Add", exact=True)
    page.get_by_text("1: Harbour pictures").first.wait_for()
    press(page, "Keep the picture")
    page.get_by_text("The picture itself is kept.").wait_for()
    # Nothing of it is lost by loading anew.
    page.goto(f"{address}/inspect")
    settle(page)
    page.get_by_text("Recently judged").wait_for()
    page.get_by_test_id("stMain").get_by_role("button", name="Inspect", exact=True).first.click()
    page.get_by_role("heading", level=2).first.wait_for()
    settle(page)
    page.get_by_text("Seen before").wait_for()
    # What is known of a picture may come while the page is drawn; the decision is then there in the next run.
    expect(bar.get_by_role("button", name="Fake")).to_have_attribute("aria-pressed", "true", timeout=60_000)
    press(page, "History")
    assert "/cases?picture=" in page.url
    page.get_by_text(NOTE).wait_for()
    assert page.get_by_alt_text("holiday.png").count() == 1


def test_a_case_is_searched_reviewed_side_by_side_and_deleted(page, address):
    drop(page, address, *((f"{seed}.png", picture(seed)) for seed in range(3)))
    page.goto(f"{address}/cases?view=pictures")
    settle(page)
    page.get_by_text(re.compile(r"^\d+ pictures$")).wait_for()
    page.get_by_role("textbox", name="Search").fill("1.png")
    page.keyboard.press("Enter")
    settle(page)
    page.get_by_text("1 picture", exact=True).wait_for()
    open_cell(page, 0)
    assert "picture=" in page.url
    page.get_by_role("heading", name="1.png").wait_for()
    page.go_back()
    page.goto(f"{address}/cases?view=pictures")
    settle(page)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    for row in range(2):
        page.mouse.click(box["x"] + 16, box["y"] + 36 + 54 * row + 26)
        settle(page)
    page.get_by_text("2 ticked").wait_for()
    press(page, "Side by side")
    page.get_by_text("perceptual hashes differ in").wait_for()
    page.goto(f"{address}/cases?case=1")
    settle(page)
    press(page, "Delete")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("A tombstone stays").wait_for()
    dialog.get_by_role("button", name="Delete for good").click()
    dialog.get_by_text("reason").first.wait_for()
    dialog.get_by_role("textbox", name="Why").fill("filed by mistake")
    dialog.get_by_role("button", name="Delete for good").click()
    settle(page)
    page.get_by_text("There is no case yet").wait_for()


def test_the_log_holds_until_somebody_changes_it(page, address, workspace):
    import sqlite3

    drop(page, address, ("logged.png", picture(77)))
    page.keyboard.press("f")
    settle(page)
    page.goto(f"{address}/cases?view=log")
    settle(page)
    press(page, "Check the log")
    page.get_by_text("entries that are there was altered").wait_for()
    with sqlite3.connect(workspace / "cases" / "cases.db") as database:
        database.execute("UPDATE log SET by = 'somebody else' WHERE sequence = 2")
    database.close()
    press(page, "Check the log")
    page.get_by_text("The log does not hold").wait_for()
    with sqlite3.connect(workspace / "cases" / "cases.db") as database:
        database.execute("UPDATE log SET by = 'local user' WHERE sequence = 2")
    database.close()


def test_fifty_pictures_are_reviewed_by_keyboard_alone(page, address, workspace):
    drop(page, address, *((f"{seed:02}.png", picture(1000 + seed)) for seed in range(50)))
    bar = page.get_by_role("group", name="Your decision")
    bar.get_by_text("1 of 50, 0 decided").wait_for()
    for number in range(50):
        page.keyboard.press("rfu"[number % 3])
        page.keyboard.press("n")
        following = (number + 1) % 50 + 1
        bar.get_by_text(f"{following} of 50, {number + 1} decided").wait_for()
    settle(page)
    from dfcore.cases import Store

    with Store(f"sqlite:///{workspace / 'cases' / 'cases.db'}", workspace / "cases" / "images") as store:
        said = {row.picture.name: row.decision.decided for row in store.search(limit=None).rows if row.decision}
    assert {name: said[name] for name in said if re.fullmatch(r"\d\d\.png", name)} == {
        f"{seed:02}.png": ("real", "fake", "undecided")[seed % 3] for seed in range(50)
    }
