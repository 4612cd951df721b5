"""Batch in a real browser: judged, left, found again, killed and gone on with, uploaded, filtered, reviewed by keys."""

import io
import os
import re
import shutil
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfcore.batch.store import BatchStore
from tests.e2e.server import ROOT, dashboard, settle
from tests.made_batches import make_batch, rows_of

pytestmark = pytest.mark.browser
_DECISIONS = {"r": "real", "f": "fake", "u": "undecided"}
_FOCUSED = """() => {
    let one = document.activeElement;
    while (one && one.shadowRoot && one.shadowRoot.activeElement) one = one.shadowRoot.activeElement;
    return one ? one.getAttribute("aria-label") : null;
}"""


def picture(seed: int, side: int = 32) -> bytes:
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A workspace with the smallest of the shipped detectors."""
    shutil.copytree(ROOT / "models" / "small", tmp_path / "models" / "small")
    monkeypatch.setenv("DFCORE_ROOTS", str(tmp_path))
    monkeypatch.setenv("DFCORE_BATCHES", str(tmp_path / "batches"))
    return tmp_path


def open_batch(page, address: str, more: str = "") -> None:
    page.goto(f"{address}/batch{more}")
    settle(page)


def start_folder(page, folder: Path, title: str = "") -> None:
    page.get_by_text("On the server", exact=True).click()
    settle(page)
    page.get_by_role("textbox", name="Folder, ZIP or picture on the server").fill(str(folder))
    page.keyboard.press("Tab")
    settle(page)
    if title:
        page.get_by_role("textbox", name="Name of the batch").fill(title)
        page.keyboard.press("Tab")
        settle(page)
    page.get_by_role("button", name="Judge them").click()
    page.wait_for_url("**batch=**")


def ended(page) -> None:
    page.locator(".stMarkdownBadge").filter(has_text="ended").wait_for(timeout=120_000)
    settle(page)


def cards(page):
    return page.locator(".grid button")


def only_batch(workspace: Path):
    (result,) = BatchStore(workspace / "batches")
    return result


def test_a_folder_is_judged_left_and_found_again(page, workspace):
    for number in range(60):
        (workspace / "pictures").mkdir(exist_ok=True)
        (workspace / "pictures" / f"{number:02d}.png").write_bytes(picture(number))
    (workspace / "pictures" / "broken <b>x<b>.png").write_bytes(b"no picture")
    with dashboard(workspace) as address:
        open_batch(page, address)
        start_folder(page, workspace / "pictures", "From *the* archive")
        found = page.url
        page.goto("about:blank")
        page.goto(found)
        ended(page)
        assert "61 of 61 pictures, 1 without a verdict" in page.get_by_test_id("stMain").inner_text()
        assert "From *the* archive" in page.get_by_test_id("stSelectbox").first.locator("input").input_value()
        assert cards(page).count() == 48
        assert page.locator(".grid img").count() >= 47, "all but the broken one have a thumbnail"
        page.get_by_text("1 file has no verdict, with reasons").click()
        settle(page)
        downloads(page)
    # Another server knows it as well.
    with dashboard(workspace) as address:
        open_batch(page, address)
        ended(page)
        assert cards(page).count() == 48


def downloads(page) -> None:
    """Every format holds all rows."""
    import pandas as pd

    for label, count in (("CSV", 61), ("JSON Lines", 61), ("Parquet", 61)):
        with page.expect_download() as waiting:
            page.get_by_test_id("stDownloadButton").get_by_role("button", name=label).click()
        data = Path(waiting.value.path()).read_bytes()
        read = {"CSV": pd.read_csv, "JSON Lines": lambda file: rows_of(file.read().decode()),
                "Parquet": pd.read_parquet}[label]  # fmt: skip
        assert len(read(io.BytesIO(data))) == count, label
    assert page.get_by_role("button", name="Competition JSON").is_disabled()


def test_a_killed_batch_goes_on_and_the_server_may_be_killed_too(page, workspace):
    (workspace / "pictures").mkdir()
    for number in range(600):
        (workspace / "pictures" / f"{number:03d}.png").write_bytes(picture(number))
    with dashboard(workspace) as address:
        open_batch(page, address)
        start_folder(page, workspace / "pictures")
        batch = only_batch(workspace)
        until = time.monotonic() + 120
        while batch.status().done < 64 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(int(batch.status().pid), signal.SIGKILL)
    with dashboard(workspace) as address:
        open_batch(page, address)
        page.locator(".stMarkdownBadge").filter(has_text="interrupted").wait_for()
        assert cards(page).count() == 48, "what was judged can be looked at"
        before = batch.status().done
        assert 0 < before < 600
        page.get_by_role("button", name="Go on").click()
        ended(page)
    rows = list(batch.all_rows())
    assert sorted(row["name"] for row in rows) == [f"{number:03d}.png" for number in range(600)], "each once"


def test_a_running_batch_is_stopped_and_says_how_far_it_is(page, workspace):
    (workspace / "pictures").mkdir()
    for number in range(1500):
        (workspace / "pictures" / f"{number:04d}.png").write_bytes(picture(number))
    with dashboard(workspace) as address:
        open_batch(page, address)
        start_folder(page, workspace / "pictures")
        page.get_by_text(re.compile(r"of 1,500 pictures, [\d,]+ images/s, about .* left")).first.wait_for()
        page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
        page.locator(".stMarkdownBadge").filter(has_text="stopped").wait_for()
        settle(page)
        assert 0 < only_batch(workspace).status().done < 1500
        page.get_by_role("button", name="Go on").wait_for()


def traps() -> bytes:
    """A ZIP with sound pictures, and with entries that are none, lead elsewhere, or claim what is not so."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"good/{number}.png", picture(number))
        archive.writestr("../../outside.png", picture(7))
        archive.writestr("/etc/absolute.png", picture(8))
        archive.writestr("bomb.png", bytes(80 * 2**20))
        archive.writestr("text.png", b"no picture")
        archive.writestr("notes.txt", b"nothing")
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as nested:
            nested.writestr("inner.png", picture(9))
        archive.writestr("nested.zip", inner.getvalue())
    return buffer.getvalue()


def send(page, *files: tuple[str, bytes]) -> None:
    chosen = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    page.locator(".upload input.many").set_input_files(chosen)
    page.get_by_text("arrived.").wait_for()
    settle(page)


def test_a_zip_with_traps_and_pictures_are_uploaded_and_every_entry_is_answered(page, workspace):
    with dashboard(workspace) as address:
        open_batch(page, address)
        send(page, ("traps.zip", traps()), ("alone.png", picture(50)), ("notes.txt", b"x"))
        page.get_by_text("1 file is left out. notes.txt: neither a picture nor a ZIP.").wait_for()
        page.get_by_role("button", name="Judge them").click()
        page.wait_for_url("**batch=**")
        ended(page)
    batch = only_batch(workspace)
    told = {row["name"]: row["error"] for row in batch.all_rows()} | {
        Path(one.path).name: one.reason for one in batch.left_out()
    }
    for name in ("outside.png", "absolute.png", "bomb.png", "text.png", "link.png", "nested.zip", "alone.png"):
        assert name in told, name
    for name in ("bomb.png", "text.png", "link.png"):
        assert told[name], f"{name} has its reason"
    assert not any(told[f"{number}.png"] for number in range(5)) and not told["alone.png"]
    assert not list((workspace / "batches" / ".uploads").iterdir()), "the upload's own copy is gone"
    assert not list(workspace.parent.glob("outside.png")) + list(workspace.rglob("passwd"))


def test_an_upload_needs_the_token_and_a_session(page, workspace):
    with dashboard(workspace) as address:
        open_batch(page, address)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.method == "PUT" else None)
        send(page, ("alone.png", picture(50)))
        (used,) = asked
        status = """([address, token]) => fetch(address, {method: "PUT", headers: token ? {"X-Xsrftoken": token} : {},
            body: (() => { const form = new FormData(); form.append("file", new Blob(["x"]), "x"); return form; })(),
        }).then((answer) => answer.status)"""
        assert page.evaluate(status, [used, ""]) == 403
        assert page.evaluate(status, [used, "2|made|up|1"]) == 403
        token = page.evaluate("document.cookie.match(/_streamlit_xsrf=([^;]*)/)[1]")
        elsewhere = re.sub(r"upload_file/[^/]+/", "upload_file/0f0f0f0f-0000-0000-0000-000000000000/", used)
        assert page.evaluate(status, [elsewhere, token]) == 400


def test_an_interrupted_upload_goes_on(page, workspace, monkeypatch):
    monkeypatch.setenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "1")  # Slices are half as large.
    data = bytes(np.random.default_rng(1).integers(0, 255, 5 * 2**19, np.uint8))
    with dashboard(workspace) as address:
        open_batch(page, address)
        sent: list[int] = []

        def once(route) -> None:
            sent.append(1)
            route.abort() if len(sent) == 2 else route.continue_()

        page.route("**/upload_file/**", once)
        page.locator(".upload input.many").set_input_files(
            [{"name": "large.zip", "mimeType": "application/zip", "buffer": data}]
        )
        page.get_by_text("Sending was interrupted").wait_for()
        page.get_by_role("button", name="Send again").click()
        page.get_by_text("large.zip, 2.5 MB arrived.").wait_for()
        (spool,) = (workspace / "batches" / ".uploads").iterdir()
        assert (spool / "0").read_bytes() == data and len(sent) == 6
        page.get_by_role("button", name="Take away").click()
        settle(page)
        assert not spool.exists()


def test_filters_other_than_the_first_choice_and_the_way_to_inspect_and_back(page, workspace):
    make_batch(workspace / "batches", 150, by=("small", "faces"))
    with dashboard(workspace) as address:
        open_batch(page, address)
        page.get_by_test_id("stButtonGroup").get_by_role("button", name=re.compile("Inconclusive")).click()
        settle(page)
        page.get_by_test_id("stSelectbox").filter(has_text="Judged by").locator("input").click()
        page.get_by_role("option", name=re.compile("^small")).click()
        settle(page)
        page.get_by_test_id("stSelectbox").filter(has_text="Order").locator("input").click()
        page.get_by_role("option", name="Score, highest first").click()
        settle(page)
        page.get_by_text("List", exact=True).click()
        settle(page)
        assert set(cards(page).locator(".mark").all_inner_texts()) == {"? Inconclusive"}
        shown = cards(page).locator(".score").all_inner_texts()
        scores = [float(text.split(" ")[0]) for text in shown if text[0].isdigit()]
        assert scores == sorted(scores, reverse=True) and scores
        here = page.url
        assert "found=inconclusive" in here and "by=small" in here and "order=-score" in here and "layout=list" in here
        third = cards(page).nth(2).get_attribute("aria-label")
        cards(page).nth(2).click()
        page.wait_for_url("**/inspect**")
        page.get_by_role("heading", level=2).first.wait_for()
        settle(page)
        page.get_by_text(re.compile(r"picture 3 of \d+, filtered")).wait_for()
        page.reload()
        page.get_by_text(re.compile(r"picture 3 of \d+, filtered")).wait_for()
        settle(page)
        page.get_by_role("button", name="Back to the batch").click()
        page.wait_for_url("**/batch**")
        settle(page)
        assert page.url.split("?")[1].replace("&at=2", "") == here.split("?")[1].replace("&at=2", "")
        assert page.evaluate(_FOCUSED) == third


def test_fifty_pictures_are_reviewed_by_keyboard_alone(page, workspace):
    make_batch(workspace / "batches", 60, by=("small",), detectors=("small",), distinct=True)
    with dashboard(workspace) as address:
        open_batch(page, address)
        cards(page).first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        page.wait_for_url("**/inspect**")
        for number in range(50):
            page.locator(".review .count").filter(has_text=f"{number + 1} of 60, {number} decided").wait_for()
            key = "rfu"[number % 3]
            page.keyboard.press(key)
            page.locator(f".review [data-name={_DECISIONS[key]}][aria-pressed=true]").wait_for()
            page.keyboard.press("n")
        page.locator(".review .count").filter(has_text="51 of 60, 50 decided").wait_for()
        settle(page)
        page.keyboard.press("b")
        page.wait_for_url("**/batch**")
        settle(page)
        assert page.url.endswith("at=50")
        page.keyboard.press("PageUp")
        page.get_by_text("Decided: fake.").first.wait_for()
        settle(page)
        notes = cards(page).locator(".note").all_inner_texts()
        assert [re.match(r"Decided: (\w+)", note)[1][0] for note in notes] == ["rfu"[n % 3] for n in range(48)]


def test_the_page_of_many_rows_stays_quick(page, workspace):
    make_batch(workspace / "batches", 5_000, by=("small",))
    with dashboard(workspace) as address:
        open_batch(page, address)
        took = []
        for turned in range(1, 6):
            began = time.monotonic()
            page.get_by_role("button", name="Next page").click()
            page.locator(f".grid button[title*='picture {48 * turned:05d}']").wait_for()
            took.append(time.monotonic() - began)
        assert sorted(took)[2] < 5, took
