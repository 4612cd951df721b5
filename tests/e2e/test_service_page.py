"""The plain page of the service, in a real browser: with the real service, and with one that answers badly."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dfcore.confidence import FINDINGS, Policy
from dfcore.datasets.demo import sample_images
from dfcore.detectors.detector import Detector
from dfcore.explanation import layer
from dfcore.imaging import sandbox
from dfcore.inspection import aside
from tests.e2e.accessibility import findings
from tests.e2e.server import ROOT, environment
from tests.e2e.service_standin import DETECTORS, Answer, StandIn, heatmap, name_of, row

pytestmark = pytest.mark.browser
GOING, DONE = "#cards>li[data-finding=going]", "#cards>li:not([data-finding=going])"
# Browsers say it where a page does what its policy forbids, and where a request is refused; the latter is meant here.
_REFUSED = re.compile("Failed to load resource")


def jpeg(colour=(90, 120, 150), size=(80, 40), kind="JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def files(*names: str, data: bytes | None = None) -> list[dict]:
    return [{"name": name, "mimeType": "image/jpeg", "buffer": data or jpeg()} for name in names]


@pytest.fixture(scope="module", autouse=True)
def patience():
    expect.set_options(timeout=90_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The real service with the smallest detector that ships, and a key: (address, key)."""
    workspace = tmp_path_factory.mktemp("service")
    variables = environment(workspace) | {"DFCORE_MODELS": "", "DFCORE_SERVICE_KEYS": str(workspace / "keys.json")}
    dfcore = [sys.executable, "-m", "dfcore"]
    made = subprocess.run(
        [*dfcore, "serve", "keys", "add", "phone", "--json"], cwd=ROOT, env=variables, capture_output=True, check=True
    )
    log = open(workspace / "log", "w")  # noqa: SIM115  (closed below)
    process = subprocess.Popen(
        [*dfcore, "serve", "--port", "0", "--detector", "small"], cwd=ROOT, env=variables, stdout=log, stderr=log
    )
    try:
        yield _address(process, Path(log.name)), json.loads(made.stdout)["key"]
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _address(process: subprocess.Popen, log: Path) -> str:
    """Where it listens, once it says so; the page waits by itself for the detectors."""
    while process.poll() is None:
        if found := re.search(r'"listening".*"port": (\d+)', log.read_text()):
            return f"http://127.0.0.1:{found[1]}/"
    raise RuntimeError(log.read_text())


@pytest.fixture
def standin():
    with StandIn() as server:
        yield server


@pytest.fixture
def visited(page):
    """Origins that the page asked; and nothing is said in the console that was not meant."""
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(re.match(r"\w+:(//[^/]+/)?", request.url)[0]))
    page.on("console", lambda message: _REFUSED.search(message.text) or complaints.append(message.text))
    yield asked
    assert not complaints


def enter_key(page, key: str) -> None:
    page.get_by_label("Key, or token of your provider").fill(key)
    page.get_by_role("button", name="Use it").click()


@contextmanager
def file_chooser(page) -> Iterator[Any]:
    """What the block opens. Playwright asks the page to hand its choosers over but does not wait until it does; until
    then each is cancelled, and nobody hears of it."""
    with page.expect_file_chooser() as chosen:
        page.evaluate("0")  # The page answers in turn, so it has heard of the choosers by then.
        yield chosen


def settled(page, pictures: int = 1) -> None:
    expect(page.locator(DONE)).to_have_count(pictures)
    expect(page.locator(".stage.coming")).to_have_count(0)


def test_verdict_words_and_heat_map_are_those_of_the_detector(page, visited, service, tmp_path):
    address, key = service
    photograph = sample_images()["photograph-flower.png"]
    thumbnail = tmp_path / "thumb.png"
    Image.open(io.BytesIO(photograph)).convert("RGB").resize((32, 32)).save(thumbnail)
    page.goto(address)
    enter_key(page, key)
    page.locator("#settings>summary").click()
    page.locator("#ignore-ood").check()  # So that its score is used whatever the detector takes it for.
    page.locator("#files").set_input_files(thumbnail)
    settled(page)

    detector = Detector.load(ROOT / "models" / "small")
    verdict = detector.predict([thumbnail], policy=Policy(detector.card.thresholds, ignore_ood=True))[0]
    card = page.locator("#cards>li")
    expect(card.locator(".words")).to_have_text(FINDINGS[verdict.finding] + aside(verdict), ignore_case=True)
    expect(card).to_have_attribute("data-finding", verdict.finding)
    expect(card.locator(".ends")).to_contain_text(f"score {verdict.score:.3f}")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save results").click()
    (told,) = json.loads(Path(saved.value.path()).read_text())
    assert told["score"] == verdict.score
    for name, words in told["answers"].items():
        expect(card.locator(f".{name}")).to_have_text(words)

    prepared = sandbox.prepare(thumbnail.read_bytes(), [detector.spec])
    expected = layer(detector.explain(prepared))[..., :3].astype(float)
    drawn = page.evaluate(
        "() => { const map = document.querySelector('.map'); const {width, height} = map;"
        " return [width, height, ...map.getContext('2d').getImageData(0, 0, width, height).data]; }"
    )
    width, height = drawn[:2]
    seen = np.array(drawn[2:], float).reshape(height, width, 4)[..., :3]
    assert seen.shape == expected.shape
    assert np.abs(seen - expected).mean() < 3
    expect(card.locator(".picture")).to_have_attribute("alt", re.compile("evidence of fake"))

    page.locator("#ignore-ood").uncheck()
    page.locator("#files").set_input_files(thumbnail)
    settled(page, 2)
    plain = detector.predict([thumbnail])[0]
    expect(card.locator(".words").last).to_have_text(FINDINGS[plain.finding] + aside(plain), ignore_case=True)
    expect(card.last).to_have_attribute("data-finding", plain.finding)
    assert {one for one in visited if not one.startswith("blob:")} == {address}


def test_a_key_is_asked_for_and_lives_in_its_tab_alone(browser, service):
    address, key = service
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("dialog")).to_contain_text("This service needs a key.")
    expect(page.locator("body")).not_to_contain_text("Authorization")
    expect(page.get_by_role("alert")).to_be_hidden()
    enter_key(page, "dfs_wrong")
    expect(page.get_by_role("dialog")).to_contain_text("not known here")
    expect(page.get_by_role("status")).not_to_contain_text("is used from now on")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_have_text("This service needs a key: press Key, above.")
    page.locator("#files").set_input_files(files("first.jpg"))
    expect(page.get_by_role("dialog")).to_contain_text("not known here")
    expect(page.get_by_role("alert")).to_be_hidden()
    enter_key(page, key)
    settled(page)  # The picture that waited for the key goes on by itself.
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator(".words")).not_to_have_text("A key is needed")
    assert key not in page.url + page.content()
    assert key not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
    page.reload()
    expect(page.locator("#detector option")).to_have_count(1)
    expect(page.get_by_role("dialog")).to_be_hidden()
    other = context.new_page()
    other.goto(address)
    expect(other.get_by_role("dialog")).to_contain_text("This service needs a key.")
    page.get_by_role("button", name="Key").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_role("dialog")).to_contain_text("This service needs a key.")
    assert page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 390), ("dark", 1024), ("light", 1440)])
def test_no_state_of_the_page_keeps_anybody_out(browser, standin, scheme, width):
    findings_of = {"real": "likely real", "no_sign": "no sign of a fake found", "inconclusive": "inconclusive"}
    said = iter([{}, *({"finding": name, "words": words} for name, words in findings_of.items())])
    standin.answers["/v1/predict"] = lambda asked: (
        Answer({"results": [row(name_of(asked), trained_on_words="Seen before.", **next(said))]})
        if b"broken" not in asked.body
        else Answer({"error": {"code": "image", "message": "Broken."}}, 422)
    )
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
    page = context.new_page()
    page.goto(standin.address)
    expect(page.locator("#detector option")).to_have_count(3)
    page.locator("#settings>summary").click()
    found = {"empty": findings(page)}
    page.locator("#files").set_input_files(files("a" * 120 + ".jpg", "b.jpg", "c.jpg", "d.jpg", "broken.jpg"))
    settled(page, 5)
    for number in range(1, 5):
        page.locator(".card>summary").nth(number).click()
        settled(page, 5)
    found["judged"] = findings(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    standin.answers["/v1/predict"] = lambda _: Answer({"error": {"code": "key", "message": "A key is needed."}}, 401)
    page.locator("#files").set_input_files(files("locked.jpg"))
    expect(page.get_by_role("dialog")).to_be_visible()
    found["key"] = findings(page)
    assert not any(found.values()), found
    context.close()


def test_a_busy_service_is_asked_again_when_it_says(page, visited, standin):
    busy = Answer({"error": {"code": "busy", "message": "The queue is full."}}, 429, {"Retry-After": "2"})
    answers = iter([busy, busy])
    judged = standin.answers["/v1/predict"]
    standin.answers["/v1/predict"] = lambda asked: next(answers, None) or judged(asked)
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.locator(".doing")).to_contain_text("The queue is full. Trying again in 2 s.")
    expect(page.get_by_role("status")).to_contain_text("tried again by itself")
    settled(page)
    expect(page.locator(".words")).to_have_text("Likely fake")
    expect(page.get_by_role("status")).to_have_text("a.jpg: likely fake. The conclusion.")
    assert len(standin.of("/v1/predict")) == 3


def test_who_waits_can_stop_and_try_again(page, standin):
    judged = standin.answers["/v1/predict"]
    standin.answers["/v1/predict"] = lambda _: Answer(b"<h1>Busy</h1>", 503, {"Retry-After": "60"}, "text/html")
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg", "b.jpg"))
    expect(page.locator(".words").first).to_contain_text("The service is not ready. Trying again in")
    page.get_by_role("button", name="Stop all").click()
    expect(page.locator(".words")).to_have_text(["Stopped", "Stopped"])
    standin.answers["/v1/predict"] = judged
    page.get_by_role("button", name="Try again: a.jpg").click()
    expect(page.locator(".words")).to_have_text(["Likely fake", "Stopped"])
    page.get_by_role("button", name="Remove: a.jpg").click()
    expect(page.locator(".name")).to_have_text("b.jpg")
    expect(page.locator(".card>summary")).to_be_focused()


def test_a_score_that_is_not_used_has_no_heat_map(page, standin):
    unused = {"is_used": False, "finding": "inconclusive", "words": "inconclusive"}
    standin.answers["/v1/predict"] = lambda asked: Answer({"results": [row(name_of(asked), **unused)]})
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.locator(".map-text")).to_contain_text("so there is no heat-map of what it hangs on")
    expect(page.locator(".picture")).to_be_visible()
    for name in (".map", ".tools", ".legend", ".halt", ".again"):
        expect(page.locator(name)).to_be_hidden()
    assert not [one for one in standin.asked if one.path == "/v1/explain"]


def test_a_heat_map_that_waits_can_be_stopped_and_holds_up_no_other(page, standin):
    explained = standin.answers["/v1/explain"]
    busy = Answer({"error": {"code": "busy", "message": "The queue is full."}}, 429, {"Retry-After": "60"})
    standin.answers["/v1/explain"] = lambda asked: busy if name_of(asked) == "a.jpg" else explained(asked)
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg", "b.jpg"))
    expect(page.locator(".words")).to_have_text(["Likely fake", "Likely fake"])
    page.locator(".card>summary").nth(1).click()
    expect(page.locator(".map-text").first).to_contain_text("asked for again in")
    page.get_by_role("button", name="Stop: a.jpg").click()
    expect(page.locator(".map-text")).to_have_text(
        ["There is no heat-map: You stopped it.", "Most evidence lies top left."]
    )
    expect(page.get_by_role("button", name="Stop: a.jpg")).to_be_hidden()
    standin.answers["/v1/explain"] = explained
    page.get_by_role("button", name="Try again: a.jpg").click()
    expect(page.locator(".map-text").first).to_have_text("Most evidence lies top left.")
    assert len(standin.of("/v1/predict")) == 2, "a verdict that is there is not asked for again"


def test_a_busy_service_is_given_up_by_the_clock(page, standin):
    standin.answers["/v1/predict"] = lambda _: Answer(
        {"error": {"code": "busy", "message": "The queue is full."}}, 429, {"Retry-After": "60"}
    )
    page.clock.install()
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.locator(".doing")).to_contain_text("Trying again in")
    page.clock.fast_forward(16 * 60 * 1000)  # Timers are late, as on a page that nobody looks at.
    expect(page.locator(".error")).to_have_text("The queue is full.")


def test_what_the_machine_failed_at_is_tried_again_on_request(page, standin):
    judged = standin.answers["/v1/predict"]
    failed = row("a.jpg", score=None, finding=None, words="no verdict", error="Killed.", accident=True, is_used=False)
    body = {"error": {"code": "machine", "message": "a.jpg: Killed."}, "results": [failed]}
    standin.answers["/v1/predict"] = lambda _: Answer(body, 503, {"Retry-After": "1"})
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.locator(".words")).to_have_text("No verdict")
    assert len(standin.of("/v1/predict")) == 1
    standin.answers["/v1/predict"] = judged
    page.get_by_role("button", name="Try again: a.jpg").click()
    expect(page.locator(".words")).to_have_text("Likely fake")
    expect(page.get_by_role("button", name="Try again: a.jpg")).to_be_hidden()


def test_a_service_that_is_gone_is_told_in_words(page, standin):
    page.goto(standin.address)
    expect(page.locator("#detector option")).to_have_count(3)
    standin.shutdown()
    standin.server_close()
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.locator(".error")).to_contain_text("The service cannot be reached")
    with StandIn(standin.server_port):
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".words")).to_have_text("Likely fake")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html>nginx</html>", 413, kind="text/html"), "too large for the service, or for the proxy"),
        (Answer(b"<html>ok</html>", 200, kind="text/html"), "The answer could not be read"),
        (Answer({"error": {"code": "form", "message": "Expected a file."}}, 422), "Expected a file."),
    ],
)
def test_what_is_wrong_is_told_in_words(page, standin, answer, words):
    standin.answers["/v1/predict"] = lambda _: answer
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.locator(".error")).to_contain_text(words)
    expect(page.locator(".words")).to_have_text("No verdict")


def test_a_file_that_is_too_large_is_not_sent(page, standin):
    page.goto(standin.address)
    expect(page.locator("#limits")).to_contain_text("up to 2 MB")
    page.locator("#files").set_input_files(files("large.jpg", data=bytes(3 * 2**20)))
    expect(page.locator(".error")).to_contain_text("Expected a file of at most 2 MB. Received: 3 MB.")
    assert not standin.of("/v1/predict")


def test_pictures_are_judged_one_after_the_other_as_was_chosen(page, standin):
    judged = standin.answers["/v1/predict"]
    standin.answers["/v1/predict"] = lambda asked: Answer(judged(asked).body, seconds=0.2)
    page.goto(standin.address)
    page.locator("#settings>summary").click()
    page.get_by_label("Detector", exact=True).select_option("two")
    expect(page.locator("#detector-limits")).to_have_text("two errs.")
    page.get_by_label("False alarms").fill("1")
    page.get_by_label("Also decide on pictures").check()
    page.locator("#files").set_input_files(files("a.jpg", "b.jpg", "c.jpg"))
    settled(page, 3)
    asked = standin.of("/v1/predict")
    assert [name_of(one) for one in asked] == ["a.jpg", "b.jpg", "c.jpg"]
    assert {one.together for one in asked} == {1}
    wanted = {"detector": "two", "max_fpr": "0.01", "ignore_ood": "true", "provenance": "true"}
    assert all(one.query == wanted for one in asked)
    assert len(standin.of("/v1/explain")) == 1  # Only of the picture that is open.


@pytest.mark.parametrize(("name", "value"), [("False alarms", "80"), ("Missed fakes", "0")])
def test_an_error_budget_that_cannot_be_is_told_and_not_passed_over(page, standin, name, value):
    page.goto(standin.address)
    page.locator("#settings>summary").click()
    page.get_by_label(name).fill(value)
    expect(page.locator("#settings-told")).to_have_text(
        f"{name}: expected 0.1 to 50%. Until then no pictures are added."
    )
    page.locator("#settings>summary").click()
    page.locator("#files").set_input_files(files("a.jpg"))
    expect(page.get_by_label(name)).to_be_focused()
    expect(page.locator("#cards>li")).to_have_count(0)
    page.get_by_label(name).fill("10")
    page.locator("#files").set_input_files(files("a.jpg"))
    settled(page)
    assert [one.query.get("max_fpr") or one.query.get("max_fnr") for one in standin.of("/v1/predict")] == ["0.1"]


@pytest.mark.parametrize("says_real", [False, True])
@pytest.mark.parametrize(("fake_from", "said"), [(0.8, "Score 0.031; likely fake from 0.800"), (2.0, "Score 0.031")])
def test_figures_promise_no_more_than_the_detector_may_say(page, standin, fake_from, said, says_real):
    silent = {"real_below": -1.0, "fake_from": fake_from, "says_real": says_real}
    standin.answers["/v1/predict"] = lambda _: Answer({"results": [row("a.jpg", score=0.0312, thresholds=silent)]})
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg"))
    settled(page)
    page.locator(".more>summary").click()
    expect(page.locator(".figures")).to_contain_text("0.0312 on a scale from 0 to 1 (higher: more like fakes)")
    expect(page.locator(".scale")).to_have_attribute("aria-label", said)


def test_thumbnails_are_made_one_after_the_other(page, standin):
    page.add_init_script(
        """window.together = window.most = 0;
        const make = createImageBitmap;
        window.createImageBitmap = async (...given) => {
            window.most = Math.max(window.most, ++window.together);
            return make(...given).finally(() => { window.together -= 1; });
        };"""
    )
    page.goto(standin.address)
    page.locator("#files").set_input_files(files(*(f"{number}.jpg" for number in range(20))))
    expect(page.locator("img.thumb:not([hidden])")).to_have_count(20)
    assert page.evaluate("window.most") == 1


def test_words_of_strangers_are_text(page, visited, standin):
    code = "<img src=x onerror=alert(1)>"
    standin.answers["/v1/predict"] = lambda _: Answer(
        {
            "results": [
                row("a", title=code, words=code, answers=dict.fromkeys(("conclusion", "sure", "why", "next"), code))
            ]
        }
    )
    standin.answers["/v1/explain"] = lambda _: Answer({"heatmap": heatmap(text=code, view=code)})
    page.goto(standin.address)
    page.locator("#files").set_input_files(files(f"{code}.jpg"))
    settled(page)
    expect(page.locator(".conclusion")).to_have_text(code)
    expect(page.locator(".name")).to_have_text(f"{code}.jpg")
    expect(page.locator(".map-text")).to_have_text(code)
    assert page.locator("img[src=x]").count() == 0


def test_the_map_lies_on_the_part_that_it_explains(page, standin):
    standin.answers["/v1/detectors"] = lambda _: Answer(
        {**DETECTORS, "detectors": [{**DETECTORS["detectors"][1], "name": "one"}]}
    )
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg", data=jpeg(size=(400, 200))))
    settled(page)
    picture, drawn = (page.locator(name).bounding_box() for name in (".picture", ".map"))
    assert drawn["x"] == pytest.approx(picture["x"] + picture["width"] / 2, abs=1)
    assert drawn["width"] == pytest.approx(picture["width"] / 2, abs=1)
    assert drawn["height"] == pytest.approx(picture["height"], abs=1)
    page.get_by_label("Opacity").fill("80")
    expect(page.locator(".map")).to_have_css("opacity", "0.8")
    page.get_by_label("Opacity").fill("0")
    shown = Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("L")
    left, right = (shown.getpixel((int(share * shown.width), shown.height // 2)) for share in (0.25, 0.75))
    assert left == pytest.approx(0.4 * right, abs=3)  # What the network does not see is darkened.
    page.get_by_label("Heat-map").uncheck()
    expect(page.locator(".map")).to_be_hidden()
    expect(page.locator(".unseen-part")).to_be_hidden()
    page.get_by_label("Evidence of").select_option("real")
    page.get_by_label("Part").select_option("centre")
    settled(page)
    expect(page.locator(".map-text")).to_contain_text("Most evidence lies top left.")
    assert standin.of("/v1/explain")[-1].query == {"detector": "one", "evidence": "real", "view": "1"}
    standin.answers["/v1/explain"] = lambda _: Answer({"heatmap": heatmap(peak=0, text="There is no evidence.")})
    page.get_by_label("Heat-map").check()
    page.get_by_label("Evidence of").select_option("fake")
    expect(page.locator(".map-text")).to_contain_text("There is no evidence.")
    expect(page.locator(".map")).to_be_hidden()


@pytest.mark.parametrize("size", [(32, 32), (16, 320), (60, 20)])
def test_a_small_picture_is_shown_larger_with_its_map(page, standin, size):
    """The fault: one of 32 pixels was shown at 32, on which nobody sees anything."""
    page.set_viewport_size({"width": 1280, "height": 600})
    standin.answers["/v1/explain"] = lambda _: Answer({"heatmap": heatmap(picture=list(size))})
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg", data=jpeg(size=size)))
    settled(page)
    expect(page.locator(".map")).to_be_visible()
    shown, drawn = (page.locator(name).bounding_box() for name in (".picture", ".map"))
    assert max(shown["width"], shown["height"]) >= 200
    assert shown["height"] <= 0.7 * 600 + 1
    assert shown["width"] / shown["height"] == pytest.approx(size[0] / size[1], rel=0.02)
    assert (drawn["width"], drawn["height"]) == pytest.approx((shown["width"] / 2, shown["height"]), abs=1)
    enlarged = max(size) < 200
    expect(page.locator(".picture")).to_have_css("image-rendering", "pixelated" if enlarged else "auto")


def test_a_closed_row_says_what_keeps_its_finding_from_being_the_answer(page, standin):
    aside = ", by a detector that learned from this very picture"
    standin.answers["/v1/predict"] = lambda asked: Answer({"results": [row(name_of(asked), aside=aside)]})
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg", "b.jpg"))
    settled(page, 2)
    closed = page.locator(".card:not([open])>summary")
    expect(closed).to_have_count(1)
    expect(closed.locator(".words")).to_have_text(f"Likely fake{aside}")
    expect(closed.locator(".words")).to_be_visible()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_an_earlier_heat_map_goes_when_another_is_asked_for(page, standin, kind):
    explained = standin.answers["/v1/explain"]
    drawn = Answer(jpeg(kind="PNG"), kind="image/png")
    standin.answers["/v1/explain"] = lambda asked: drawn if asked.headers["accept"] == "image/png" else explained(asked)
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("a.jpg", data=jpeg(kind=kind)))
    settled(page)
    picture = page.locator(".picture")
    expect(picture).to_have_attribute("alt", re.compile("Most evidence"))
    busy = Answer({"error": {"code": "busy", "message": "The queue is full."}}, 429, {"Retry-After": "60"})
    standin.answers["/v1/explain"] = lambda _: busy

    def is_without_map() -> bool:
        expect(page.locator(".map")).to_be_hidden()
        expect(picture).to_have_attribute("alt", "The picture a.jpg")
        # Where the browser cannot show the picture, the service draws the map into it.
        return bool(picture.get_attribute("src")) == (kind == "JPEG")

    page.get_by_label("Evidence of").select_option("real")
    expect(page.locator(".map-text")).to_contain_text("asked for again")
    assert is_without_map()
    page.get_by_role("button", name="Stop: a.jpg").click()
    expect(page.locator(".map-text")).to_have_text("There is no heat-map: You stopped it.")
    assert is_without_map()


def test_a_picture_that_the_browser_cannot_show_is_drawn_by_the_service(page, standin):
    explained = standin.answers["/v1/explain"]
    standin.answers["/v1/explain"] = lambda asked: (
        Answer(jpeg(kind="PNG"), kind="image/png") if asked.headers["accept"] == "image/png" else explained(asked)
    )
    page.goto(standin.address)
    page.locator("#files").set_input_files(files("scan.tif", data=jpeg(kind="TIFF")))
    settled(page)
    expect(page.locator(".picture")).to_have_js_property("naturalWidth", 80)
    expect(page.get_by_label("Opacity")).to_be_hidden()


def test_pictures_are_dropped_pasted_and_photographed(browser, standin):
    context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(standin.address)
    with file_chooser(page) as chosen:
        page.get_by_text("Take a photograph").tap()
    assert page.locator("#photograph").get_attribute("capture") == "environment"
    chosen.value.set_files(files("photo.jpg"))
    send = """([kind, name, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/jpeg"}));
        document.dispatchEvent(kind === "paste" ? new ClipboardEvent("paste", {clipboardData: data})
            : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    }"""
    for kind in ("drop", "paste"):
        page.evaluate(send, [kind, f"{kind}.jpg", list(jpeg())])
    settled(page, 3)
    expect(page.locator(".name")).to_have_text(["photo.jpg", "drop.jpg", "paste.jpg"])
    context.close()


def test_all_can_be_done_by_keyboard(page, standin):
    page.goto(standin.address)
    page.keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    with file_chooser(page) as chosen:
        page.keyboard.press("Space")
    chosen.value.set_files(files("a.jpg", "b.jpg"))
    settled(page, 2)
    closed = page.locator(".card>summary").nth(1)
    closed.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".map-text").nth(1)).to_contain_text("Most evidence")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className || document.activeElement.id"))
    assert {"shown", "opacity", "evidence", "remove quiet", "save"} <= reached


def test_the_page_says_that_detectors_are_still_loading(page, standin):
    loading = Answer({"error": {"code": "loading", "message": "Still loading."}}, 503, {"Retry-After": "3"})
    answers, ready = iter([loading]), standin.answers["/v1/detectors"]
    standin.answers["/v1/detectors"] = lambda asked: next(answers, None) or ready(asked)
    page.add_init_script(
        """window.told = 0;
        addEventListener("DOMContentLoaded", () => new MutationObserver((all) => { window.told += all.length; })
            .observe(document.getElementById("trouble"), { childList: true }));"""
    )
    page.goto(standin.address)
    expect(page.locator("#trouble")).to_have_text("Still loading.")
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator("#detector option")).to_have_count(3)
    assert page.evaluate("window.told") == 2, "an alert is read out each time that it is written"
