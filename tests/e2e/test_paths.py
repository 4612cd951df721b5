"""The main paths through the dashboard, in a real browser."""

import re
import shutil

import pytest

from dfcore.datasets.demo import sample_images
from dfcore.runs import RunStore
from tests.e2e.server import ROOT, command, dashboard, settle

pytestmark = pytest.mark.browser
# A deep link makes Streamlit's own frontend ask for these below the page; they are harmless.
_HARMLESS = re.compile(r"_stcore/(health|host-config)|favicon|404 \(Not Found\)")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """An empty workspace but for the detectors that ship."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "models", folder / "models")
    return folder


@pytest.fixture(scope="module")
def address(workspace):
    with dashboard(workspace) as result:
        yield result


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    result = context.new_page()
    complaints = []
    result.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    result.set_default_timeout(60_000)
    result.goto(address)
    settle(result)
    yield result
    assert not [text for text in complaints if not _HARMLESS.search(text)]
    context.close()


def go(page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    settle(page)


def no_error(page) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").count() == 0


def wait_for_state(page, run, state: str, seconds: int = 180) -> None:
    for _ in range(seconds * 2):
        if run.status().state == state:
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"The run is {run.status()}, expected {state}.\n{run.log_tail(2000)}")


def test_upload_to_heat_map(page, tmp_path):
    name, data = next(iter(sample_images().items()))
    file = tmp_path / name
    file.write_bytes(data)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(str(file))
    page.get_by_role("heading", name="Inspect").wait_for()
    settle(page)
    page.get_by_text(re.compile("Likely (fake|real)|Inconclusive|No sign of a fake found")).first.wait_for()
    page.locator("img.map").wait_for(timeout=120_000)
    settle(page)
    no_error(page)
    page.get_by_role("tab", name="Details").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the full result").click()
    result = waiting.value.path().read_text()
    assert '"heatmap"' in result
    assert '"sha256"' in result


def test_demonstration_data_to_training_to_curves_to_roc(page, workspace):
    go(page, "Data sets")
    page.get_by_role("button", name="Make the demonstration set").click()
    page.get_by_text("This is a demonstration").wait_for(timeout=60_000)
    settle(page)
    go(page, "Train")
    epochs = page.get_by_role("spinbutton", name="Epochs, at most")
    epochs.fill("3")
    epochs.press("Enter")
    settle(page)
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("heading", name="Monitor").wait_for()
    run = next(iter(RunStore(workspace / "runs")))
    assert f"run={run.id}" in page.url
    page.get_by_text(re.compile("Epoch [123] of 3")).first.wait_for(timeout=90_000)
    wait_for_state(page, run, "completed")
    page.get_by_role("button", name="Evaluate", exact=False).first.wait_for(timeout=30_000)
    assert page.locator(".js-plotly-plot").count() == 4
    no_error(page)
    page.get_by_test_id("stMain").get_by_role("button", name="Evaluate").click()
    page.get_by_role("heading", name="Evaluate").wait_for()
    page.get_by_text("Fakes caught (TPR)").first.wait_for()
    page.get_by_text(re.compile(r"AUC 0\.\d+")).first.wait_for()
    assert f"detector=run%3A{run.id}" in page.url.replace(":", "%3A")
    no_error(page)


def test_click_a_cell_of_the_confusion_matrix(page, address, workspace):
    run = next(run for run in RunStore(workspace / "runs") if run.bundle.is_dir())
    page.goto(f"{address}/evaluate?detector=run:{run.id}")
    settle(page)
    matrix = page.locator(".js-plotly-plot").nth(3).locator(".nsewdrag").first
    matrix.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = matrix.bounding_box()
    x, y = box["x"] + 0.75 * box["width"], box["y"] + 0.75 * box["height"]
    page.mouse.move(x - 5, y - 5)
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.up()
    page.get_by_text(re.compile(r"score \d\.\d{3}")).first.wait_for()
    no_error(page)


def test_stop_and_resume(page, workspace):
    run_id = command(workspace, "train", "--data-root", str(workspace / "data" / "demo"), "--epochs", "60",
                     "--early-stopping", "off", "--detach").strip()  # fmt: skip
    run = RunStore(workspace / "runs").get(run_id)
    for _ in range(240):
        if run.status().step:
            break
        page.wait_for_timeout(500)
    go(page, "Monitor")
    page.get_by_role("button", name="Stop").click()
    wait_for_state(page, run, "stopped")
    before = run.status()
    page.get_by_role("button", name="Resume").click()
    for _ in range(240):
        now = run.status()
        if (now.epoch, now.step) > (before.epoch, before.step) and now.state == "running":
            break
        page.wait_for_timeout(500)
    else:
        raise AssertionError(f"It did not go on from {before}: {run.status()}\n{run.log_tail(2000)}")
    run.request_stop()
    wait_for_state(page, run, "stopped")
    no_error(page)


def test_a_view_can_be_shared_by_its_address(page, address):
    go(page, "Evaluate")
    slider = page.get_by_test_id("stSlider").locator("input[type=range]")
    slider.focus()
    slider.press("ArrowLeft")
    page.wait_for_url(re.compile("threshold="))
    settle(page)
    shown = page.get_by_test_id("stMetricValue").all_inner_texts()
    page.goto(page.url)
    settle(page)
    assert page.get_by_test_id("stMetricValue").all_inner_texts() == shown


def test_an_address_opened_first_of_all_shows_the_page_with_its_navigation(workspace, browser):
    with dashboard(workspace) as fresh:
        page = browser.new_context().new_page()
        page.goto(f"{fresh}/evaluate")
        settle(page)
        assert page.get_by_test_id("stSidebarNav").get_by_text("Investigate").count() == 1
        assert page.get_by_role("heading", name="Evaluate").count() == 1
        page.context.close()
