"""Faces of a group picture in a real browser: clicked on the picture, chosen in the list, and back to the whole."""

import io
import shutil

import pytest
from PIL import Image

from tests.e2e.server import ROOT, dashboard, settle
from tests.unit.drawn_face import scene

pytestmark = pytest.mark.browser

PLACES = [(20, 30, 300), (420, 40, 240), (900, 380, 200), (830, 20, 60)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "models" / "small", workspace / "models" / "small")
    shutil.copytree(ROOT / "models" / "faces", workspace / "models" / "faces")
    with dashboard(workspace) as result:
        yield result


def test_a_face_is_clicked_another_chosen_and_the_whole_comes_back(page, address):
    buffer = io.BytesIO()
    Image.fromarray(scene(PLACES, 700, 1200)).save(buffer, "PNG")
    page.goto(f"{address}/inspect")
    settle(page)
    group = {"name": "group.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files([group])
    page.get_by_role("heading", level=2).first.wait_for()
    framed = page.locator(".frame button.face")
    settle(page)
    if (ask := page.get_by_role("button", name="Look for faces")).count():  # On a machine that reads it slowly.
        ask.click()
    framed.first.wait_for()
    settle(page)
    assert framed.count() == 3
    page.get_by_text("4 faces found, 3 judged by").wait_for()
    # Each frame lies on its face: the eyes of the drawn one, in the picture's own pixels.
    frame = page.locator(".frame").bounding_box()
    for number, (left, top, side) in enumerate(PLACES[:3]):
        box = framed.nth(number).bounding_box()
        x, y = (frame[edge] + (start + side / 2) * frame["width"] / 1200 for edge, start in (("x", left), ("y", top)))
        assert box["x"] < x < box["x"] + box["width"] and box["y"] < y < box["y"] + box["height"]
    # The scores of drawn faces are not used, unless one insists.
    page.get_by_test_id("stPopover").filter(has_text="false alarms").get_by_role("button").click()
    page.get_by_text("Also decide on out-of-distribution images").click()
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("button", name="Magnifier").click()
    framed.nth(0).click()
    settle(page)
    assert framed.count() == 3, "the magnifier looks at the face, and chooses none"
    page.get_by_role("button", name="Magnifier").click()
    framed.nth(1).click()
    page.get_by_text("The verdict is on this face alone").wait_for()
    page.get_by_text("group.png, face 2").wait_for()
    page.locator("img.map").wait_for()
    settle(page)
    assert framed.count() == 0
    listed = page.get_by_role("group", name="Faces of the picture; arrow keys choose").get_by_role("button")
    assert [listed.nth(n).get_attribute("aria-pressed") for n in range(4)] == ["false", "false", "true", "false"]
    listed.nth(1).click()
    page.get_by_text("group.png, face 1").wait_for()
    page.keyboard.press("ArrowLeft")
    framed.first.wait_for()
    settle(page)
    assert framed.count() == 3 and page.get_by_text("group.png, face").count() == 0
    framed.nth(2).focus()
    page.keyboard.press("Enter")
    page.get_by_text("group.png, face 3").wait_for()
    settle(page)
    # Keys count from what was chosen last, whether or not it is shown yet.
    listed.nth(3).evaluate(
        "face => { for (const _ of [1, 2]) face.dispatchEvent(new KeyboardEvent('keydown', "
        "{ key: 'ArrowLeft', bubbles: true, composed: true })) }"
    )
    page.get_by_text("group.png, face 1").wait_for()
