"""What once crashed, showed stale things or said nothing: clicked in a browser, with choices other than defaults."""

import re
import shutil

import pytest

from dfcore.detectors import library
from dfcore.runs import RunStore
from tests.e2e.server import ROOT, command, dashboard, settle

pytestmark = pytest.mark.browser
# WCAG 2.2, 1.4.3: the least contrast of text.
_LEAST_CONTRAST = 4.5


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Three runs, of which two are copies of the first; the shipped detectors, and a default of one's own."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "models", folder / "models")
    shutil.copytree(ROOT / "models" / "small", folder / "models" / "mine")
    library.set_default(folder / "models", "mine")
    demo = folder / "data" / "demo"
    command(folder, "data", "demo", str(demo))
    command(folder, "train", "--data-root", str(demo), "--arch", "spectral_cnn", "--image-size", "32", "--epochs", "2",
            "--name", "First")  # fmt: skip
    (first,) = RunStore(folder / "runs")
    for number in (1, 2):
        shutil.copytree(first.folder, first.folder.with_name(f"29990101-000000-00{number}-cnn"))
    return folder


@pytest.fixture(scope="module")
def address(workspace):
    with dashboard(workspace) as result:
        yield result


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    result = context.new_page()
    result.set_default_timeout(30_000)
    yield result
    context.close()


def opened(page, address: str):
    page.goto(address)
    settle(page)
    return page.get_by_test_id("stMain")


def no_error(page) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").count() == 0


def runs(workspace) -> list[str]:
    return sorted(run.id for run in RunStore(workspace / "runs"))


@pytest.mark.parametrize("choice", ["threshold=0.4", "split=validation", "threshold=0.4&split=validation"])
def test_the_gallery_opens_inspect_with_the_detector_under_evaluation(page, address, workspace, choice):
    key = f"run:{runs(workspace)[0]}"
    main = opened(page, f"{address}/evaluate?detector={key}&{choice}")
    main.get_by_text("Fake, called fake (caught)").click()
    settle(page)
    main.get_by_role("button", name="Inspect").first.click()
    page.get_by_role("heading", name="Inspect", exact=True).wait_for()
    settle(page)
    no_error(page)
    assert f"detector={key}".replace(":", "%3A") in page.url and "threshold" not in page.url
    assert key.removeprefix("run:") in main.get_by_role("combobox", name="Detector").input_value()


def test_a_deleted_run_leaves_dialog_list_and_address(page, address, workspace):
    latest = runs(workspace)[-1]
    main = opened(page, f"{address}/monitor?run={latest}")
    dialog = page.get_by_role("dialog")
    main.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    assert latest in runs(workspace)
    main.get_by_role("button", name="Delete").click()
    assert dialog.get_by_role("button", name="Delete for good").get_attribute("kind") == "secondary"
    dialog.get_by_role("button", name="Delete for good").click()
    dialog.wait_for(state="hidden")
    settle(page)
    no_error(page)
    left = runs(workspace)
    assert latest not in left and latest not in page.url and f"run={left[-1]}" in page.url
    assert latest not in main.inner_text()


def test_the_default_detector_is_deleted_with_a_successor(page, address, workspace):
    main = opened(page, f"{address}/models?detector=mine")
    card = main.get_by_test_id("stVerticalBlock").filter(has_text="mine: ").last
    dialog = page.get_by_role("dialog")
    main.get_by_role("button", name="Delete").first.click()
    dialog.get_by_text("It is the default. New default").wait_for()
    dialog.get_by_role("combobox").click()
    page.get_by_role("option", name=re.compile("^photographs")).click()
    settle(page)
    dialog.get_by_role("button", name="Delete for good").click()
    dialog.wait_for(state="hidden")
    settle(page)
    no_error(page)
    assert not (workspace / "models" / "mine").exists()
    assert library.default_name(workspace / "models") == "photographs"
    assert main.get_by_role("heading", name="photographs").inner_text().endswith("(default)")
    assert card.count() == 0


def test_a_click_on_a_row_shows_its_run_and_the_select_box_follows(page, address, workspace):
    first, *_, latest = runs(workspace)
    main = opened(page, f"{address}/monitor")
    box = main.get_by_test_id("stDataFrame").bounding_box()
    page.mouse.click(box["x"] + 14, box["y"] + 36 + 35 * len(runs(workspace)) - 17)
    page.wait_for_url(f"**run={first}*")
    settle(page)
    no_error(page)
    assert first in main.get_by_role("combobox", name="Run").input_value()
    main.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name=re.compile(latest)).click()
    page.wait_for_url(f"**run={latest}*")
    settle(page)
    assert latest in main.get_by_role("combobox", name="Run").input_value()


def test_cards_on_home_lead_to_what_they_show(page, address, workspace):
    main = opened(page, address)
    main.get_by_role("link", name="Show").last.click()
    page.get_by_role("heading", name="Monitor").wait_for()
    settle(page)
    assert f"run={runs(workspace)[0]}" in page.url
    main = opened(page, address)
    main.get_by_role("link", name="Its card").last.click()
    page.get_by_role("heading", name="Models").wait_for()
    settle(page)
    asked = page.url.partition("detector=")[2]
    assert main.get_by_role("heading").nth(1).inner_text().startswith(f"{asked}: ")


def test_each_tab_of_the_browser_says_which_page_it_shows(page, address):
    names = ("Home", "Inspect", "Batch", "Cases", "Data sets", "Train", "Monitor", "Evaluate", "Models")
    titles = []
    for name in names:
        opened(page, f"{address}/{'' if name == 'Home' else name.lower().replace(' ', '')}")
        titles.append(page.title())
    assert titles == [f"{name} – Deepfake workbench" for name in names]


# Contrast of each piece of text with the background that it lies on, by the formula of WCAG; the worst first.
_CONTRASTS = """() => {
    const parse = text => {
        const parts = (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
        return [...parts.slice(0, 3), parts.length > 3 ? parts[3] : 1];
    };
    const over = (top, under) => top.slice(0, 3).map((value, i) => value * top[3] + under[i] * (1 - top[3]));
    const light = rgb => {
        const [r, g, b] = rgb.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = node => {
        if (!node) return [255, 255, 255];
        const own = parse(getComputedStyle(node).backgroundColor);
        return own[3] === 1 ? own.slice(0, 3) : over(own, behind(node.parentElement));
    };
    const faded = node => node ? Number(getComputedStyle(node).opacity) * faded(node.parentElement) : 1;
    const ignored = "[data-testid=stSliderTickBar], [data-testid=stSliderThumbValue], "
        + "[aria-hidden=true], [aria-disabled=true], [disabled], svg, script, style, noscript";
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim(), node = walker.currentNode.parentElement;
        const style = getComputedStyle(node);
        if (!text || !faded(node) || !node.checkVisibility() || !node.getClientRects().length
            || /Material/.test(style.fontFamily) || node.closest(ignored)) continue;
        const under = behind(node), colour = parse(style.color);
        const [a, b] = [light(over([...colour.slice(0, 3), colour[3] * faded(node)], under)), light(under)];
        found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.slice(0, 60), style.color, style.fontSize]);
    }
    return found.sort((a, b) => a[0] - b[0]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(browser, address, scheme):
    page = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme).new_page()
    weak = {}
    for name in ("", "datasets", "train", "monitor", "evaluate", "models"):
        opened(page, f"{address}/{name}")
        contrasts = page.evaluate(_CONTRASTS)
        assert len(contrasts) > 10
        weak |= {f"{name}: {text}": (round(ratio, 2), *rest) for ratio, text, *rest in contrasts
                 if ratio < _LEAST_CONTRAST}  # fmt: skip
    page.context.close()
    assert not weak
