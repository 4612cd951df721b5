"""Walks through the dashboard at random until something breaks, and says how it got there. `make monkey`.

It opens every page of a filled workspace, changes every control, presses every button, goes back, reloads and opens
links to things that are gone, in several tabs. `MONKEY_MINUTES` (10) and `MONKEY_SEED` (drawn, and printed) choose the
walk; `MONKEY_REPLAY=FILE` takes the steps of an earlier one again. Controls are chosen by their kind and label, those
least used first, so the same seed takes the same walk as long as the pages answer alike.
"""

import json
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dfcore.errors import DfcoreError
from dfcore.runs import Run, RunStore
from tests.e2e.monkey_actions import PAGES, Hand, draw, draw_move, make_files
from tests.e2e.monkey_elements import Element, Step, elements
from tests.e2e.monkey_faults import Fault, Watch
from tests.e2e.server import ROOT, chromium, dashboard
from tests.e2e.workspace import fill

_Used = Counter[tuple[str, str, str]]
OUT = ROOT / "tests" / "artifacts" / "monkey"
# How often a step is something else than a control of the page.
_MOVES = {"open": 10, "gone": 3, "bend": 3, "back": 4, "forward": 2, "reload": 4, "escape": 2, "close": 1}
_CONTROLS = 75
_TABS, _OTHER_TAB = 3, 0.06
# Links would win by their number, and lead away from what is on the page.
_RARE = {"link": 0.15, "other": 0.5, "grid": 0.3}
# Training at random settings would take hours; another person stops it.
_LONGEST_RUN = 40.0


@dataclass
class Walk:
    """A walk and how it ended.

    Attributes:
        steps: What was done, in order.
        fault: What ended it; None if nothing broke.
        used: How often each control of each page was used.
        screenshot: The page at its end, as PNG.
        skipped: Steps of a replay whose control was not there.
    """

    steps: list[Step] = field(default_factory=list)
    fault: Fault | None = None
    used: _Used = field(default_factory=Counter)
    screenshot: bytes = b""
    skipped: int = 0


def walk(
    browser: Any, address: str, workspace: Path, *, seed: int, seconds: float, pages: Sequence[str] = PAGES,
    tell: Callable[[str], object] = lambda _: None,
) -> Walk:  # fmt: skip
    """Walks at random until the time is over or something breaks.

    Args:
        browser: Playwright's browser.
        address: The dashboard's address.
        workspace: The workspace that it serves.
        seed: Seed of all choices.
        seconds: How long to walk.
        pages: Names of the pages to open; "" is Home.
        tell: Called with each step, in words.
    """
    random_ = random.Random(seed)
    until = time.monotonic() + seconds
    with _hand(browser, address, workspace) as (hand, watch, files):

        def steps(done: Walk) -> Iterator[Step]:
            tab = 0
            yield Step(0, "open", value=pages[0])
            while time.monotonic() < until:
                if random_.random() < _OTHER_TAB:
                    tab = random_.randrange(_TABS)
                yield _choose(hand, tab, random_, done.used, list(pages), files)

        return _take(steps, hand, watch, workspace, tell)


def replay(
    browser: Any, address: str, workspace: Path, steps: Sequence[Step], tell: Callable[[str], object] = lambda _: None
) -> Walk:
    """Takes the steps of an earlier walk until something breaks."""
    with _hand(browser, address, workspace) as (hand, watch, _):
        return _take(lambda _: iter(steps), hand, watch, workspace, tell)


@contextmanager
def served(workspace: Path, root: Path = ROOT) -> Iterator[str]:
    """Serves the dashboard as it is meant to be used, with the workspace as the only folder that may be read."""
    before = dict(os.environ)
    os.environ |= {"DFCORE_ROOTS": str(workspace), "DFCORE_TAKE_IN": "1"}
    os.environ.pop("DFCORE_DEBUG", None)
    try:
        with dashboard(workspace, root) as address:
            yield address
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _hand(browser: Any, address: str, workspace: Path) -> Iterator[tuple[Hand, Watch, list[str]]]:
    folder = workspace / "to-upload"
    files = make_files(folder)
    watch = Watch(address, workspace)
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    try:
        yield Hand(context, address, workspace, folder, watch.attach), watch, files
    finally:
        with suppress(Exception):
            context.close()
        stop_runs(workspace)


def _take(
    steps: Callable[[Walk], Iterator[Step]], hand: Hand, watch: Watch, workspace: Path, tell: Callable[[str], object]
) -> Walk:
    from playwright.sync_api import Error

    done = Walk()
    for step in steps(done):
        done.steps.append(step)
        tell(f"{len(done.steps):4} {step}")
        try:
            if not hand.take(step):
                done.skipped += 1
        except Error as error:
            # The page changed under the hand, as it does under a person's. What matters is whether it is sound now.
            tell(f"     not done: {str(error).splitlines()[0]}")
        page = hand.tab(step.tab)
        done.fault = watch.check(page)
        if done.fault:
            with suppress(Error):
                done.screenshot = page.screenshot()
            break
        _stop_long_runs(workspace)
    return done


def _choose(
    hand: Hand,
    tab: int,
    random_: random.Random,
    used: _Used,
    pages: list[str],
    files: list[str],
) -> Step:
    """The next step: mostly a control of the page that was used least."""
    # Where one page is walked alone, links would only lead away from it.
    there = [one for one in elements(hand.tab(tab), hand.workspace) if one.kind != "link" or len(pages) > 1]
    kind = random_.choices(["control", *_MOVES], [_CONTROLS, *_MOVES.values()])[0]
    if kind != "control" or not there:
        if kind in ("control", "open"):
            return Step(tab, "open", value=_draw_page(random_, used, pages))
        return Step(tab, kind, value=draw_move(kind, random_))
    page = urlsplit(hand.tab(tab).url).path
    weights = [_RARE.get(one.kind, 1) / (1 + used[page, one.kind, one.label]) ** 2 for one in there]
    chosen: Element = random_.choices(there, weights)[0]
    used[page, chosen.kind, chosen.label] += 1
    return Step(tab, chosen.kind, chosen.label, chosen.nth, draw(chosen, random_, files))


def _draw_page(random_: random.Random, used: _Used, pages: list[str]) -> str:
    weights = [1 / (1 + used["", "open", page]) for page in pages]
    page = random_.choices(pages, weights)[0]
    used["", "open", page] += 1
    return page


def _active(workspace: Path) -> Iterator[Run]:
    for run in RunStore(workspace / "runs"):
        with suppress(DfcoreError, OSError):
            if run.status().state.active:
                yield run


def _stop_long_runs(workspace: Path) -> None:
    for run in _active(workspace):
        if time.time() - run.created.timestamp() > _LONGEST_RUN:
            with suppress(DfcoreError, OSError):
                run.request_stop()


def stop_runs(workspace: Path, seconds: float = 60) -> None:
    """Stops all runs and waits for their processes, which are killed in the end: their folder is about to go."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and (active := list(_active(workspace))):
        for run in active:
            with suppress(DfcoreError, OSError):
                run.request_stop()
        time.sleep(1)
    for run in _active(workspace):
        if pid := run.status().pid:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def read_steps(file: Path) -> list[Step]:
    """The steps of a walk that was kept."""
    return [Step(**row) for row in json.loads(file.read_text(encoding="utf-8"))["steps"]]


def keep(done: Walk, seed: int, folder: Path = OUT) -> Path:
    """Writes a walk's steps, its fault and the screenshot; returns the file of the steps."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"seed-{seed}.json"
    fault = done.fault.__dict__ if done.fault else None
    content = {"seed": seed, "fault": fault, "steps": [step.to_dict() for step in done.steps]}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    if done.screenshot:
        file.with_suffix(".png").write_bytes(done.screenshot)
    return file


def report(done: Walk, seed: int, file: Path) -> str:
    """How a walk ended, and how to get there again."""
    pages = sorted({page for page, *_ in done.used if page})
    if done.fault is None:
        return f"Seed {seed}: {len(done.steps)} steps, {len(done.used)} controls on {len(pages)} pages, no fault."
    steps = "\n".join(f"{number:4} {step}" for number, step in enumerate(done.steps, 1))
    return (
        f"Steps:\n{steps}\n\nSeed {seed}: after {len(done.steps)} steps, {done.fault.kind}: {done.fault.what}\n"
        f"{done.fault.details}\nThe same steps again: MONKEY_REPLAY={file} make monkey"
    )


def main() -> int:
    """Walks, or takes an earlier walk again; 1 if something broke."""
    earlier = os.environ.get("MONKEY_REPLAY")
    seed = int(os.environ.get("MONKEY_SEED") or secrets.randbelow(10**6))
    seconds = 60 * float(os.environ.get("MONKEY_MINUTES") or 10)
    print(f"Seed {seed}" if not earlier else f"The steps of {earlier}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name).resolve()
        fill(workspace)
        with served(workspace) as address, chromium() as browser:
            if earlier:
                done = replay(browser, address, workspace, read_steps(Path(earlier)), tell=_say)
            else:
                done = walk(browser, address, workspace, seed=seed, seconds=seconds, tell=_say)
    print(report(done, seed, Path(earlier) if earlier else keep(done, seed)))
    return int(done.fault is not None)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
