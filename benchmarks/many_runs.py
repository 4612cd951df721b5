"""Monitor and Evaluate over a thousand runs of ten thousand steps each, in a browser.

Run from the project's root: `python -m benchmarks.many_runs --out benchmarks/results/many_runs.txt`. The runs are
generated into an empty workspace: completed ones with a detector and its predictions, some stopped and failed, and one
that is running, so that Monitor draws itself anew all the time. Times are from the click to the page that holds still
with its figures, medians of several; beside them the same with ten runs, in the same server's way. Ends with 1 where a
limit is missed.
"""

import argparse
import csv
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from dfcore.runs.process import identity, place
from dfcore.training.config import make_config
from dfcore.utils.files import read_json
from tests.e2e.server import ROOT, chromium, dashboard

SHOW, CHOOSE, MEMORY = 2.0, 1.0, 1000  # seconds, seconds, MB
EPOCHS, ENDED = 50, ("completed",) * 18 + ("stopped", "failed")
_VARIANTS = 10
# Asked at each frame: waiting for a selector asks every half a second, and the figures were as coarse.
_DRAWN = """address => {
    const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart]")];
    return location.search.includes(address)
        && charts.length && charts.every(chart => chart.querySelector(".main-svg"))
        && document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
        && !document.querySelector("[data-stale=true], [data-testid=stSkeleton]");
}"""


def generate(folder: Path, runs: int, steps: int) -> None:
    """Makes that many runs; the large files are shared by some of them, since nobody writes them any more."""
    shared = folder / "shared"
    shared.mkdir(parents=True)
    for variant in range(_VARIANTS):
        random = np.random.default_rng(variant)
        _table(shared / f"steps{variant}.csv", _steps(random, steps))
        _table(shared / f"history{variant}.csv", _history(random))
    bundle = ROOT / "models" / "small"
    card = read_json(bundle / "card.json")
    for number in range(runs):
        run = folder / "runs" / f"{20250101 + number // 100}-{number % 100:06}-{number:03}-cnn"
        run.mkdir(parents=True)
        state = "running" if number == runs - 1 else ENDED[number % len(ENDED)]
        config = make_config({"data_root": str(folder / "data"), "epochs": EPOCHS, "name": f"run {number}", "lr": 1e-4})
        process = identity() if state == "running" else {"pid": 1, "started": 0.0}
        status = {"state": state, **process, "place": place(), "heartbeat": time.time(),
                  "epoch": EPOCHS - 10, "epochs": EPOCHS, "step": 10, "steps": steps // EPOCHS, "phase": "training",
                  "reason": "" if state in ("completed", "running") else "for the sake of the measurement"}  # fmt: skip
        for name, value in (("config", config.to_dict()), ("created", {"time": time.time()}), ("status", status)):
            (run / f"{name}.json").write_text(json.dumps(value))
        (run / "log.txt").write_text("epoch\n" * 1000)
        for name in ("steps", "history"):
            os.link(shared / f"{name}{number % _VARIANTS}.csv", run / f"{name}.csv")
        if state == "completed":
            (run / "bundle").mkdir()
            for path in bundle.iterdir():
                if path.name != "card.json":
                    (run / "bundle" / path.name).symlink_to(path)
            (run / "bundle" / "card.json").write_text(json.dumps(card | {"title": f"Detector {number}"}))


def _steps(random: np.random.Generator, steps: int) -> list[dict[str, Any]]:
    loss = 0.7 * np.exp(-np.arange(steps) / steps * 3) + random.normal(0, 0.02, steps)
    each = steps // EPOCHS
    return [
        {"time": 1e9 + i, "epoch": i // each + 1, "step": i % each + 1, "loss": f"{loss[i]:.5f}", "lr": 1e-4,
         "images_per_second": 200.0} for i in range(steps)
    ]  # fmt: skip


def _history(random: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"epoch": i + 1, "loss": 0.7 - 0.01 * i, "accuracy": 0.5 + 0.008 * i, "val_loss": 0.7 - 0.008 * i,
         "val_auc": 0.5 + 0.008 * i + random.normal(0, 0.01), "val_accuracy": 0.5 + 0.007 * i, "lr": 1e-4,
         "seconds": 30.0, "images_per_second": 200.0} for i in range(EPOCHS)
    ]  # fmt: skip


def _table(path: Path, rows: list[dict[str, Any]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class Looker:
    """Somebody with a browser and a watch."""

    def __init__(self, page: Any, address: str):
        self.page, self.address = page, address

    def seconds(self, act: Callable[[], Any], address: str = "") -> float:
        """From an action to the page that holds still with its figures, and `address` in its address."""
        began = time.perf_counter()
        act()
        with suppress(PlaywrightTimeout):  # It may be over before anybody looks.
            self.page.wait_for_function("() => document.querySelector('[data-test-script-state=running]')", timeout=150)
        self.page.wait_for_function(_DRAWN, arg=address, timeout=120_000)
        return time.perf_counter() - began

    def visit(self, place: str) -> float:
        """Opens a page."""
        return self.seconds(lambda: self.page.goto(f"{self.address}/{place}"))

    def turn(self, title: str) -> float:
        """Comes to a page from Home, by the navigation."""
        self.page.get_by_role("link", name="Home").first.click()
        self.page.wait_for_selector("h1:has-text('machine-made')", timeout=120_000)
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=120_000)
        return self.seconds(self.page.get_by_role("link", name=title).first.click)

    def pick(self, label: str, text: str, address: str) -> float:
        """Chooses in a box by its text; the watch starts at the choice."""
        self.page.get_by_role("combobox", name=label).first.click()
        self.page.keyboard.type(text, delay=20)
        option = self.page.get_by_role("option").filter(has_text=text).first
        option.wait_for()
        return self.seconds(option.click, address)


def measure(runs: int, steps: int, times: int) -> dict[str, Any]:
    """All figures for a workspace of that many runs."""
    with tempfile.TemporaryDirectory(prefix="many-runs-") as name:
        folder = Path(name)
        generate(folder, runs, steps)
        shutil.copytree(ROOT / "models" / "small", folder / "models" / "small")
        with dashboard(folder) as address, chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            looker = Looker(page, address)
            result: dict[str, Any] = {"Monitor, new server": looker.visit("monitor")}
            result["Monitor, new browser tab"] = [looker.visit("monitor") for _ in range(times)]
            result["Monitor, from Home"] = [looker.turn("Monitor") for _ in range(times)]
            some = [number for number in range(1, runs - 1) if ENDED[number % len(ENDED)] == "completed"][:times]
            result["Monitor, another run"] = [looker.pick("Run", f"-{one:03}-cnn", f"-{one:03}-") for one in some]
            switch = page.get_by_text("Logarithmic loss")
            result["Monitor, redrawn"] = [looker.seconds(switch.click) for _ in range(times)]
            result["Evaluate, new browser tab"] = [looker.visit("evaluate") for _ in range(times)]
            result["Evaluate, from Home"] = [looker.turn("Evaluate") for _ in range(times)]
            result["Evaluate, another run"] = [looker.pick("Detector", f"-{one:03}-cnn", f"-{one:03}-") for one in some]
            server = next(
                one for one in psutil.Process().children() if any("streamlit" in part for part in one.cmdline())
            )
            result["memory"] = server.memory_info().rss / 2**20
            return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    few, many = measure(10, options.steps, options.times), measure(options.runs, options.steps, options.times)
    message = (
        f"{options.runs} runs of {options.steps:,} steps, {os.cpu_count()} cores; medians of {options.times}, seconds"
    )
    lines = [message, "", f"{'':<28}{'10 runs':>10}{f'{options.runs} runs':>12}{'ratio':>8}{'limit':>8}"]
    missed = []
    for name, value in many.items():
        here, there, limit = _middle(value), _middle(few[name]), _limit(name)
        missed += [name] if here > (limit or here) else []
        lines.append(f"{name:<28}{there:>10.2f}{here:>12.2f}{here / there:>8.1f}{limit or '':>8}")
    lines.append("memory in MB, of the server" + (f"; MISSED: {', '.join(missed)}" if missed else ""))
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return bool(missed)


def _limit(name: str) -> float | None:
    """What a figure may be; a new server imports what has nothing to do with the runs."""
    if name == "memory":
        return MEMORY
    if "new server" in name:
        return None
    return CHOOSE if "another run" in name else SHOW


def _middle(value: Any) -> float:
    return statistics.median(value) if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
