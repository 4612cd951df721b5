"""Starts the dashboard on a free port over a workspace of its own, and a browser to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def environment(workspace: Path) -> dict[str, str]:
    """Environment variables that point the workbench at a workspace; tracebacks in the server's log are plain text."""
    names = ("runs", "models", "data", "cases", "batches", "films", "cache", "logs")
    folders = {f"DFCORE_{name.upper()}": str(workspace / name) for name in names}
    # Whatever a test presses, nothing is loaded from the world.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return nowhere | os.environ | folders | {"STREAMLIT_LOGGER_ENABLE_RICH": "false"}


@contextmanager
def dashboard(workspace: Path, root: Path = ROOT) -> Iterator[str]:
    """Serves the dashboard of a checkout, by default this one, over a workspace; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = open(workspace / "server.log", "w")  # noqa: SIM115  (closed below)
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=root, env=environment(workspace), stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_healthy(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def _wait_until_healthy(address: str, server: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("The dashboard did not start; see server.log.")


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """The machine's Chromium, or Playwright's own where there is none; `more` are switches for it."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *more])
        try:
            yield browser
        finally:
            browser.close()


# The script has run, each element's code is loaded (a grey skeleton stands in for it until then), nothing moves.
_STILL = """quiet => {
    if (!window.lastChange) {
        window.lastChange = performance.now();
        const note = () => { window.lastChange = performance.now(); };
        new MutationObserver(note).observe(document, {subtree: true, childList: true, characterData: true});
    }
    return document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
        && !document.querySelector("[data-testid=stSkeleton], [data-testid=stAppSkeleton]")
        && performance.now() - window.lastChange > quiet;
}"""


def settle(page: Any, timeout: float = 120_000) -> None:
    """Waits until the page has run, is drawn whole and holds still."""
    page.wait_for_timeout(400)
    page.wait_for_function(_STILL, arg=700, timeout=timeout)


def command(workspace: Path, *arguments: str) -> str:
    """Runs `dfcore …` over the workspace; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "dfcore", *arguments],
        cwd=ROOT, env=environment(workspace), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout
