"""A detector is published from Models, fetched back under another name and its origin shown, in a real browser."""

import re

import pytest

from dfcore.detectors.bundle import write_bundle
from tests.conftest import make_card, untrained
from tests.e2e.server import dashboard, settle
from tests.standins import hugging_face

pytestmark = pytest.mark.browser


def test_a_detector_goes_to_the_hub_and_comes_back(page, tmp_path, monkeypatch):
    write_bundle(tmp_path / "models" / "small", untrained(seed=1), make_card(title="Small"))
    monkeypatch.setenv("DFCORE_TAKE_IN", "1")
    monkeypatch.setenv("HF_TOKEN", hugging_face.TOKEN)
    with hugging_face.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        with dashboard(tmp_path) as address:
            page.goto(f"{address}/models")
            settle(page)
            page.get_by_role("button", name="Publish").click()
            page.get_by_role("dialog").get_by_label("Address", exact=True).fill("tester/small")
            page.keyboard.press("Enter")
            page.get_by_text("seen by its owner alone").wait_for()
            page.get_by_role("button", name="Publish it").click()
            page.get_by_text("Published, only its owner sees it: 3 files sent.").wait_for()
            assert hub.store.repositories["model", "tester/small"].private
            page.get_by_text("Fetch from the Hugging Face Hub").click()
            page.get_by_role("textbox", name="Address").fill("tester/small")
            page.get_by_role("button", name="Look").click()
            page.get_by_role("textbox", name="Name in the library").last.fill("again")
            page.get_by_role("button", name="Fetch it").click()
            page.get_by_text("again was checked and is in the library").wait_for(timeout=300_000)
            page.get_by_text(re.compile(r"From hf:.?tester/small, commit .*; unchanged since")).wait_for()
        log = (tmp_path / "logs" / "dashboard.log").read_text()
        assert "Publishing a detector hf:tester/small" in log and "Fetching a detector again" in log
        assert hugging_face.TOKEN not in log + (tmp_path / "server.log").read_text()
