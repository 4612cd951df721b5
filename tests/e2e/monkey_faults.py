"""What counts as a fault of the dashboard while somebody walks through it, and where it shows."""

import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.server import settle

# What is not the dashboard's doing. A deep link makes Streamlit's own frontend ask for health and favicon below the
# page; a tab that is closed or reloaded leaves requests and sockets behind; text.png and its like are no pictures;
# there is no camera.
_HARMLESS = re.compile(
    r"_stcore/(health|host-config|stream)|favicon|404 \(Not Found\)|net::ERR_ABORTED|WebSocket connection to|"
    r"NotFoundError: Requested device not found|ResizeObserver loop|"
    r"The page that you have requested does not seem to exist"
)
_HARMLESS_LOG = re.compile(
    r"WebSocketClosedError|StreamClosedError|ClientDisconnect|ConnectionResetError|BrokenPipeError"
)
_TRACE = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
_SHOWN = """() => {
    const text = selector => [...document.querySelectorAll(selector)].map(e => e.innerText).join(" ");
    const main = document.querySelector("[data-testid=stMainBlockContainer]");
    return {
        exception: text("[data-testid=stException]"),
        title: document.title.trim(),
        heading: text("[data-testid=stMainBlockContainer] h1"),
        content: main ? main.innerText.trim().length : 0,
        errors: text("[data-testid=stAlert]"),
        stale: document.querySelectorAll("[data-testid=stMain] [data-stale=true]").length,
        spinner: text("[data-testid=stMain] [data-testid=stSpinner]"),
    };
}"""
_LEAST_CONTENT = 40
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Fault:
    """Something that should not have happened.

    Attributes:
        kind: "error", "console", "request", "log", "no content", "never still" or "server".
        what: What was seen, in a line.
        details: A traceback or the like.
    """

    kind: str
    what: str
    details: str = ""

    def like(self, other: "Fault | None") -> bool:
        """Whether both are the same fault, seen twice: reference numbers, ports and times may differ."""
        return other is not None and (self.kind, _bare(self.what)) == (other.kind, _bare(other.what))


def _bare(text: str) -> str:
    return re.sub(r"[0-9A-F]{8}|\d+|/\S+", "#", text)


class Watch:
    """Looks for faults, in the browser and in the server's logs.

    Args:
        address: The dashboard's address.
        workspace: Folder with `server.log` and `logs/dashboard.log`.
        seconds: How long a page may take until it holds still.
    """

    def __init__(self, address: str, workspace: Path, seconds: float = 180):
        self._address, self._seconds = address, seconds
        self._seen: list[Fault] = []
        self._logs = {path: _size(path) for path in (workspace / "logs" / "dashboard.log", workspace / "server.log")}

    def attach(self, page: Any) -> None:
        """Listens to a tab."""
        page.on("pageerror", lambda error: self._note("console", str(error)))
        page.on("console", lambda said: self._note("console", said.text) if said.type == "error" else None)
        page.on("response", lambda got: self._note("request", f"{got.status} {got.url}") if got.status >= 500 else None)
        page.on("requestfailed", lambda lost: self._note("request", f"{lost.failure} {lost.url}"))
        page.on("crash", lambda _: self._note("console", "The tab crashed."))

    def _note(self, kind: str, what: str) -> None:
        if not _HARMLESS.search(what):
            self._seen.append(Fault(kind, what.strip()[:500]))

    def check(self, page: Any) -> Fault | None:
        """Waits until the page holds still; returns the first fault since the last check."""
        from playwright.sync_api import Error, TimeoutError

        still = None
        try:
            settle(page, timeout=self._seconds * 1000)
        except TimeoutError:
            still = Fault("never still", f"The page did not come to rest within {self._seconds:g} s: {page.url}")
        except Error as error:
            still = Fault("console", str(error)[:500])
        # A traceback tells most, so it comes first.
        return self._in_logs() or self._server() or (self._seen.pop(0) if self._seen else None) or still or _shown(page)

    def _in_logs(self) -> Fault | None:
        for path, offset in self._logs.items():
            if _size(path) <= offset:
                continue
            with open(path, "rb") as file:
                file.seek(offset)
                content = file.read()
            self._logs[path] = offset + len(content)
            text = _COLOURS.sub("", content.decode(errors="replace"))
            for start in (match.start() for match in _TRACE.finditer(text)):
                trace = text[start:].split("\n\n")[0]
                last = _last_line(trace)
                if not _HARMLESS_LOG.search(last):
                    return Fault("log", last, trace[:6000])
        return None

    def _server(self) -> Fault | None:
        try:
            with urllib.request.urlopen(f"{self._address}/_stcore/health", timeout=60):
                return None
        except OSError as error:
            return Fault("server", f"The server does not answer: {error}")


def _last_line(trace: str) -> str:
    """The line of a traceback that names the error: the first after the frames that is not indented."""
    lines = trace.splitlines()[1:]
    ends = [line for line in lines if line and not line.startswith((" ", "Traceback", "During", "The above"))]
    named = [line for line in ends if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit|Warning|[A-Z]\w+)?(:|$)", line)]
    return (named or ends or [""])[0][:500]


def _shown(page: Any) -> Fault | None:
    seen = page.evaluate(_SHOWN)
    if seen["exception"] or "An unexpected error occurred" in seen["errors"]:
        return Fault("error", (seen["exception"] or seen["errors"])[:500])
    if seen["content"] < _LEAST_CONTENT or not seen["heading"].strip() or not seen["title"]:
        return Fault("no content", f"{page.url}: title {seen['title']!r}, heading {seen['heading']!r}")
    if seen["spinner"] or seen["stale"]:
        return Fault("never still", f"{page.url}: {seen['stale']} old elements, waiting for {seen['spinner']!r}")
    return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
