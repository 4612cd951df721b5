"""Inspect in a real browser: controls of the picture, the filmstrip, what stays and what goes."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from dfcore.inspection.samples import samples
from tests.e2e.server import ROOT, dashboard, settle

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "models", workspace / "models")
    with dashboard(workspace) as result:
        yield result


def picture(seed: int, side: int = 320) -> bytes:
    small = np.random.default_rng(seed).integers(0, 255, (side // 16, side // 16, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def drop(page, *files: tuple[str, bytes]) -> None:
    chosen = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(chosen)
    page.get_by_role("heading", level=2).first.wait_for()
    settle(page)


def open_inspect(page, address: str) -> None:
    page.goto(f"{address}/inspect")
    settle(page)


def test_picture_verdict_and_answers_share_a_screen(page, address):
    open_inspect(page, address)
    drop(page, ("one.png", samples()[0].data))
    for shown in (page.locator(".frame"), page.get_by_role("heading", level=2), page.get_by_text("Conclusion.")):
        box = shown.first.bounding_box()
        assert box and box["y"] >= 0 and box["y"] + box["height"] <= 900
    left, right = page.locator(".frame").bounding_box(), page.get_by_role("heading", level=2).bounding_box()
    assert left["x"] + left["width"] <= right["x"], "beside each other"
    page.set_viewport_size({"width": 1024, "height": 768})
    settle(page)
    left, right = page.locator(".frame").bounding_box(), page.get_by_role("heading", level=2).bounding_box()
    assert left["y"] + left["height"] <= right["y"], "below each other"
    assert right["y"] + right["height"] <= 768, "and still on one screen"


def test_the_map_is_a_layer_that_fades_swipes_and_hides(page, address):
    open_inspect(page, address)
    drop(page, ("one.png", samples()[0].data))
    layer = page.locator("img.map")
    layer.wait_for()
    opacity = page.get_by_label("Opacity of the heat-map")
    opacity.fill("20")
    assert layer.evaluate("e => e.style.opacity") == "0.2"
    page.get_by_role("button", name="Swipe").click()
    assert page.get_by_role("button", name="Swipe").get_attribute("aria-pressed") == "true"
    frame = page.locator(".frame").bounding_box()
    page.mouse.move(frame["x"] + 0.25 * frame["width"], frame["y"] + 40)
    page.wait_for_function("e => e.style.clipPath.includes('25')", arg=layer.element_handle())
    page.get_by_role("button", name="Hold to compare").focus()
    page.keyboard.down(" ")
    assert layer.is_hidden()
    page.keyboard.up(" ")
    assert layer.is_visible()
    # Nothing of it is undone by a run of the page.
    page.get_by_role("tab", name="Details").click()
    settle(page)
    assert layer.evaluate("e => e.style.opacity") == "0.2" and page.get_by_role("tab", name="Details").is_visible()
    assert page.get_by_role("button", name="Swipe").get_attribute("aria-pressed") == "true"


def test_the_magnifier_shows_the_originals_pixels_and_zooms(page, address):
    open_inspect(page, address)
    drop(page, ("one.png", samples()[0].data))
    page.get_by_role("button", name="Magnifier").click()
    frame = page.locator(".frame").bounding_box()
    page.mouse.move(frame["x"] + 90, frame["y"] + 60)
    loupe = page.locator(".loupe")
    loupe.wait_for()
    assert "2x" in loupe.inner_text()
    page.mouse.wheel(0, -200)
    page.get_by_text("pixels of the original, 4x").wait_for()
    page.locator(".frame").press("-")
    page.get_by_text("pixels of the original, 2x").wait_for()
    page.get_by_role("button", name="Magnifier").click()
    assert loupe.is_hidden()


def test_arrow_keys_go_through_the_filmstrip(page, address):
    open_inspect(page, address)
    drop(page, ("a.png", picture(1)), ("b.png", picture(2)), ("c.png", b"no image"))
    strip = page.get_by_role("group", name="Pictures; arrow keys choose").get_by_role("button")
    assert strip.count() == 3
    pressed = lambda: [strip.nth(n).get_attribute("aria-pressed") for n in range(3)]  # noqa: E731  (short)
    assert pressed() == ["true", "false", "false"]
    page.keyboard.press("ArrowRight")
    settle(page)
    assert pressed() == ["false", "true", "false"]
    page.keyboard.press("ArrowRight")
    settle(page)
    page.get_by_role("heading", level=2).get_by_text("No verdict").wait_for()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert pressed() == ["true", "false", "false"], "after the last comes the first"
    strip.nth(1).click()
    settle(page)
    page.get_by_text("b.png").first.wait_for()


def test_the_filmstrip_keeps_the_focus_and_the_page_its_place(page, address):
    page.set_viewport_size({"width": 1440, "height": 500})
    open_inspect(page, address)
    drop(page, ("a.png", samples()[0].data), ("b.png", picture(2)))
    toggle = page.get_by_text("Show how stable the score is")
    place = page.get_by_test_id("stMain")
    toggle.evaluate("e => e.scrollIntoView({ block: 'center' })")
    before = place.evaluate("e => e.scrollTop")
    assert before > 300
    toggle.click()
    page.get_by_text("small changes the score lies between").wait_for()
    settle(page)
    assert place.evaluate("e => e.scrollTop") >= before
    strip = page.get_by_role("group", name="Pictures; arrow keys choose").get_by_role("button")
    strip.first.click()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert strip.nth(1).evaluate("e => e.getRootNode().activeElement === e"), "the keys go on from the chosen one"


def open_pictures(page):
    """Opens the popover; gives what it holds."""
    page.get_by_test_id("stPopover").get_by_role("button", name="Pictures").click()
    settle(page)
    return page.get_by_test_id("stPopoverBody")


def test_a_sample_joins_an_upload_and_tells_its_truth(page, address):
    open_inspect(page, address)
    drop(page, ("mine.png", picture(3)))
    shown = open_pictures(page).get_by_alt_text("Sample: Flower 2")
    shown.wait_for()
    assert shown.evaluate("e => e.decode().then(() => e.naturalWidth)") > 100
    page.get_by_role("button", name="Flower 2").click()
    page.get_by_text("The truth about this sample: fake.").wait_for()
    settle(page)
    assert page.get_by_text("declares itself AI-generated").count() >= 1
    strip = page.get_by_role("group", name="Pictures; arrow keys choose").get_by_role("button")
    assert [name.split("\n")[1] for name in strip.all_inner_texts()] == ["mine.png", "flower-2.png"]
    page.get_by_test_id("stPopover").get_by_role("button", name="Take all away").click()
    page.get_by_role("button", name="Take all 2 pictures away").click()
    page.get_by_test_id("stFileUploaderDropzone").wait_for()
    settle(page)
    assert page.get_by_role("heading", level=2).count() == 0


def test_removing_one_picture_leaves_another_in_sight_and_the_list_open(page, address):
    open_inspect(page, address)
    drop(page, *((f"{number}.png", picture(number)) for number in range(1, 4)))
    page.keyboard.press("ArrowRight")
    settle(page)
    card = page.locator(".st-key-inspect_screen").get_by_text("2.png")
    card.wait_for()
    body = open_pictures(page)
    body.get_by_test_id("stFileChipDeleteBtn").first.click()
    page.get_by_text("1 of 2").wait_for()
    settle(page)
    assert card.is_visible() and body.get_by_text("3.png").is_visible(), "the list is still open"
    assert page.locator(".review .of").inner_text() == "2.png"


def wide(page, selector: str) -> list[str]:
    """The texts of elements that are wider than their place."""
    found = page.locator(selector)
    return found.evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText || e.value)"
    )


@pytest.mark.parametrize("width", [1440, 390])
def test_no_words_are_cut(page, address, width):
    page.set_viewport_size({"width": width, "height": 900})
    open_inspect(page, address)
    drop(page, *((f"picture {number:02}.png", picture(number)) for number in range(9)), ("ai.png", samples()[3].data))
    page.keyboard.press("u")
    page.get_by_text("decided: undecided").wait_for()
    settle(page)
    assert page.locator(".strip .words").count() == 10
    assert not wide(page, ".strip .words > :not(.name)")
    assert "picture 00.png" in page.locator(".strip button").first.get_attribute("title")
    assert not wide(page, "[data-testid=stSelectbox] input")
    if width < 500:  # There the files are one long column, which shows by its end that it can be scrolled.
        return
    body = open_pictures(page)
    halved = """e => [...e.querySelectorAll("[data-testid=stFileChip]")].filter(one => {
        let list = one.parentElement;
        while (getComputedStyle(list).overflowY === "visible") list = list.parentElement;
        const box = one.getBoundingClientRect(), bottom = list.getBoundingClientRect().bottom;
        return e.contains(list) && list !== e && box.top < bottom - 1 && box.bottom > bottom + 1;
    }).length"""
    assert body.evaluate(halved) == 0


def test_the_name_of_a_judged_part_stays_inside_its_frame(page, address):
    page.set_viewport_size({"width": 1024, "height": 768})
    open_inspect(page, address)
    drop(page, ("large.png", picture(1, side=960)))
    label = page.locator(".part span").last
    label.wait_for()
    inside = """e => ["right", "bottom"].every(
        side => e.getBoundingClientRect()[side] <= e.parentElement.getBoundingClientRect()[side])"""
    assert label.evaluate(inside) and label.evaluate("e => e.scrollWidth <= e.clientWidth")
    open_inspect(page, address)
    drop(page, ("huge.png", picture(2, side=1920)))
    assert label.is_hidden() and "centre at native pixels" in page.locator(".notes").inner_text()
