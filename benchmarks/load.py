"""Load test: many browser-like sessions at once against the dashboard, and what it made of them.

Run from the project's root, for example:
`python -m benchmarks.load --sessions 50 --minutes 10 --out benchmarks/results/load.txt --figure docs/load.png`.

Starts the dashboard over an empty workspace with the detectors of `models/`, and speaks to it as the browser does:
WebSocket, upload over HTTP, reruns with widget states, the pictures of the page. Each session uploads an image that was
never uploaded before, waits for its verdict and its heat-map, reads other pages, and comes back with the next image.
Ends with 1 where there was an error, also in the server's log, or an upload got no verdict.
"""

import argparse
import asyncio
import base64
import functools
import io
import json
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import psutil
import requests
import websockets
from PIL import Image
from plotly.subplots import make_subplots
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

from dfcore.datasets.demo import sample_images
from dfcore.imaging import decoder
from tests.e2e.server import ROOT, chromium, environment

READING = ("home", "models", "evaluate", "monitor")
VERDICTS = ("Likely fake", "Likely real", "Inconclusive", "No sign of a fake found")
FIRST, BACK = "first page", "inspect"
TRANSFER, VERDICT, WAIT, PICTURES = "upload", "verdict", "asked to wait", "pictures"
JUDGED, WHOLE = "judged", "whole page"
TOLD = {
    FIRST: "connection and first page",
    TRANSFER: "upload itself (HTTP)",
    VERDICT: "verdict and heat-map",
    WAIT: "asked to wait",
    PICTURES: "pictures of the page (HTTP)",
    BACK: "inspect, come back to",
    JUDGED: "verdict and map, with all waiting",
    WHOLE: "the same, and faces looked for",
}
THINK = (5.0, 20.0)  # seconds
RETRY = (2.0, 5.0)
SIDES = (320, 1600)  # pixels, the longer ones
EVERY = 2.0  # seconds between two looks at the memory
WINDOW = 15.0  # seconds of a point in the figure
WARM_UP = 120.0
_XSRF = "_streamlit_xsrf"
_BUSY = re.compile(r"\b(busy|waiting)\b", re.IGNORECASE)
_MB = 2**20


class Failure(Exception):  # noqa: N818  (an outcome to be counted, not a mistake of this program)
    """The dashboard did not do what it should; the text says what."""


class Unusable(Failure):
    """As above, and the session cannot go on: it has to connect anew."""


@dataclass(frozen=True)
class Interaction:
    """Something a session did, and how long it took.

    Attributes:
        kind: what it was; one of `TOLD` or a page's name.
        at: seconds since the sessions began.
        seconds: until the answer was complete.
    """

    kind: str
    at: float
    seconds: float


@dataclass(frozen=True)
class Memory:
    """Resident memory of the server, in MB, at a time since the sessions began."""

    at: float
    server: float
    children: float

    @property
    def total(self) -> float:
        """Server and children together."""
        return self.server + self.children


@dataclass
class Record:
    """All that happened."""

    start: float = field(default_factory=time.monotonic)
    interactions: list[Interaction] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    sent: int = 0
    sent_bytes: int = 0
    judged: int = 0
    lost: int = 0
    waits: int = 0
    delayed: int = 0
    server_cpu: float = 0.0

    @property
    def now(self) -> float:
        """Seconds since the sessions began."""
        return time.monotonic() - self.start

    def done(self, kind: str, at: float, ended: float | None = None) -> None:
        """Notes an interaction that began at `at` and has ended now, or at a time of the monotonic clock."""
        end = self.now if ended is None else ended - self.start
        self.interactions.append(Interaction(kind, at, end - at))

    def of(self, kinds: Sequence[str]) -> list[Interaction]:
        """The interactions of some kinds."""
        return [interaction for interaction in self.interactions if interaction.kind in kinds]

    def error(self, kind: str, problem: object) -> None:
        """Notes what went wrong in which interaction."""
        self.errors.append(f"{kind}: {problem}")


@dataclass(frozen=True)
class Upload:
    """An image file to be judged."""

    name: str
    media_type: str
    data: bytes


@functools.cache
def _photographs() -> list[np.ndarray]:
    return [decoder.decode(data) for name, data in sample_images().items() if name.startswith("photograph")]


def make_image(name: str, seed: Sequence[int]) -> Upload:
    """An image that no other seed makes: a part of a photograph, resized, as JPEG or PNG; the detectors judge it."""
    rng = np.random.default_rng(seed)
    photographs = _photographs()
    whole = photographs[rng.integers(len(photographs))]
    height, width = (np.array(whole.shape[:2]) * rng.uniform(0.6, 1.0)).astype(int)
    top, left = (rng.integers(whole.shape[axis] - side + 1) for axis, side in enumerate((height, width)))
    picture = Image.fromarray(whole[top : top + height, left : left + width])
    share = np.exp(rng.uniform(*np.log(SIDES))) / max(height, width)
    picture = picture.resize((int(width * share), int(height * share)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if rng.random() < 0.7:
        picture.save(file, "JPEG", quality=int(rng.integers(75, 96)))
        return Upload(f"{name}.jpg", "image/jpeg", file.getvalue())
    picture.save(file, "PNG", compress_level=1)
    return Upload(f"{name}.png", "image/png", file.getvalue())


class Page:
    """What the last run of the script left on the screen."""

    def __init__(self) -> None:
        self.elements: dict[tuple[int, ...], Element] = {}

    def take(self, message: ForwardMsg) -> None:
        """Puts a delta where it belongs; later ones replace earlier ones."""
        place = tuple(message.metadata.delta_path)
        kind = message.delta.WhichOneof("type")
        if kind == "new_element":
            self.elements[place] = message.delta.new_element
        elif kind == "add_block":
            self.elements.pop(place, None)

    def uploader(self) -> str:
        """Id of the first file uploader."""
        for element in self.elements.values():
            if element.WhichOneof("type") == "file_uploader":
                return element.file_uploader.id
        raise Failure("the page has no file uploader")

    def alerts(self, *formats: int) -> list[str]:
        """Texts of the messages in boxes of these formats."""
        every = (element.alert for element in self.elements.values() if element.WhichOneof("type") == "alert")
        return [_unescaped(alert.body) for alert in every if alert.format in formats]

    def texts(self) -> list[str]:
        """All Markdown, captions included."""
        every = (element for element in self.elements.values() if element.WhichOneof("type") == "markdown")
        return [_unescaped(element.markdown.body) for element in every]

    def pictures(self) -> list[str]:
        """Addresses of the pictures that the server holds."""
        lists = [element.imgs.imgs for element in self.elements.values() if element.WhichOneof("type") == "imgs"]
        return [image.url for images in lists for image in images if image.url.startswith("/media/")]

    def busy(self) -> bool:
        """Whether the server asks to wait."""
        return any(_BUSY.search(text) for text in self.alerts(Alert.ERROR, Alert.WARNING))

    def problem(self) -> str:
        """The first exception or error on the page; empty where there is none."""
        for element in self.elements.values():
            if element.WhichOneof("type") == "exception":
                shown = element.exception
                return f"an exception on the page: {' '.join(f'{shown.type} {shown.message}'.split())[:80]}"
        errors = self.alerts(Alert.ERROR)
        return f"an error on the page: {errors[0]}" if errors else ""

    def has_map(self) -> bool:
        """Whether the picture is drawn and no heat-map is waited for: it is there, or none is wanted."""
        viewers = (
            json.loads(element.bidi_component.json)
            for element in self.elements.values()
            if element.WhichOneof("type") == "bidi_component" and element.bidi_component.WhichOneof("data") == "json"
        )
        return any(shown.get("waiting") == "" for shown in viewers if "crop" in shown)

    def verdict_on(self, name: str) -> bool:
        """Whether the page shows a verdict, and for this file."""
        texts = self.texts()
        judged = any(text.startswith("## ") and any(words in text for words in VERDICTS) for text in texts)
        return judged and any(name in text for text in texts)


def _unescaped(text: str) -> str:
    return text.replace("\\", "")


class MessageCache:
    """Large messages that the browser keeps, so that the server sends a reference only."""

    def __init__(self) -> None:
        self._messages: dict[str, tuple[ForwardMsg, int]] = {}
        self._runs = 0

    def hashes(self) -> list[str]:
        """What the server may refer to."""
        return list(self._messages)

    def resolve(self, message: ForwardMsg) -> ForwardMsg:
        """The message itself, or the one it refers to with its new place."""
        if message.WhichOneof("type") != "ref_hash":
            if message.metadata.cacheable and message.hash:
                self._messages[message.hash] = message, self._runs
            return message
        if message.ref_hash not in self._messages:
            raise Unusable("the server referred to a message that it had not sent")
        saved = self._messages[message.ref_hash][0]
        self._messages[message.ref_hash] = saved, self._runs
        result = ForwardMsg()
        result.CopyFrom(saved)
        result.metadata.CopyFrom(message.metadata)
        return result

    def ran(self, oldest: int) -> None:
        """Counts a run and forgets what was not used in the last ones."""
        self._runs += 1
        self._messages = {key: saved for key, saved in self._messages.items() if self._runs - saved[1] <= oldest}


class Browser:
    """One session with the dashboard, in the protocol of Streamlit's own front end."""

    def __init__(self, address: str, pool: Executor, patience: float):
        self.address = address
        self.page = Page()
        self.page_name = ""
        self._pool = pool
        self._patience = patience
        self._http = requests.Session()
        self._http.trust_env = False
        self._socket: ClientConnection | None = None
        self._session_id = ""
        self._query = ""
        self._hashes: dict[str, str] = {}
        self._shown_hash = ""
        self._cache = MessageCache()
        self._oldest = 2
        self._fetched: set[str] = set()
        self._held = ""
        self._wanted = ""
        self.mapped: float | None = None

    async def open(self, page_name: str) -> None:
        """Opens an address of the dashboard: fetches its document, connects, and waits for the first page."""
        await self._request("GET", f"/{page_name}")
        await self._request("GET", "/_stcore/health")
        await self._request("GET", "/_stcore/host-config")
        token = self._http.cookies.get(_XSRF)
        if not token:
            raise Unusable("the server set no XSRF cookie")
        try:
            self._socket = await connect(
                self.address.replace("http", "ws", 1) + "/_stcore/stream",
                origin=websockets.Origin(self.address),
                subprotocols=[websockets.Subprotocol("streamlit"), websockets.Subprotocol(token)],
                additional_headers={"Cookie": f"{_XSRF}={token}"},
                max_size=None,
                max_queue=None,
                ping_interval=None,
                open_timeout=self._patience,
                proxy=None,
            )
        except (OSError, websockets.WebSocketException) as error:
            raise Unusable(f"no connection: {type(error).__name__} {error}") from error
        self.page_name = page_name
        await self._rerun(name=page_name)

    async def visit(self, page_name: str) -> None:
        """Goes to another page by the navigation."""
        if page_name not in self._hashes:
            raise Failure("the navigation has no such page")
        self._query, self.page_name = "", page_name
        await self._rerun(page_hash=self._hashes[page_name])

    async def put(self, upload: Upload) -> WidgetState:
        """Sends a file as the uploader does; gives the uploader's state that holds it."""
        state = WidgetState(id=self.page.uploader())
        urls = await self._upload_urls(upload.name)
        headers = {"X-Xsrftoken": self._http.cookies.get(_XSRF) or "", "Origin": self.address}
        files = {upload.name: (upload.name, upload.data, upload.media_type)}
        await self._request("PUT", urls.upload_url, headers=headers, files=files)
        info = state.file_uploader_state_value.uploaded_file_info.add(
            name=upload.name, size=len(upload.data), file_id=urls.file_id
        )
        info.file_urls.CopyFrom(urls)
        before, self._held = self._held, urls.delete_url
        if before:
            # As the uploader does with a file that is taken out of its list.
            await self._request("DELETE", before, headers=headers)
        return state

    async def submit(self, state: WidgetState, name: str) -> None:
        """Runs the page with a widget's new state; `mapped` then tells when verdict and map of this file were there."""
        self._wanted, self.mapped = name, None
        await self._rerun(page_hash=self._shown_hash, states=[state])

    async def fetch_pictures(self) -> int:
        """Fetches the page's pictures that were not fetched before; gives their number."""
        new = [url for url in dict.fromkeys(self.page.pictures()) if url not in self._fetched]
        await asyncio.gather(*(self._request("GET", url) for url in new))
        self._fetched.update(new)
        return len(new)

    async def close(self) -> None:
        """Leaves, as when the tab is closed."""
        if self._socket is not None:
            with suppress(OSError, websockets.WebSocketException):
                await self._socket.close()
        self._http.close()

    async def _rerun(self, page_hash: str = "", name: str = "", states: Sequence[WidgetState] = ()) -> None:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_script_hash, rerun.page_name = self._query, page_hash, name
        rerun.widget_states.widgets.extend(states)
        rerun.cached_message_hashes.extend(self._cache.hashes())
        rerun.context_info.timezone, rerun.context_info.locale = "UTC", "en-GB"
        rerun.context_info.url = f"{self.address}/{self.page_name}"
        await self._send(message)
        await self._until(self._finished, "the script did not finish")
        if self._shown_hash != self._hashes.get(self.page_name):
            raise Failure(f"another page than {self.page_name} was shown")

    async def _upload_urls(self, file_name: str) -> FileURLs:
        message = BackMsg()
        request = message.file_urls_request
        request.request_id, request.session_id = str(uuid.uuid4()), self._session_id
        request.file_names.append(file_name)
        await self._send(message)
        answer = await self._until(
            lambda result: (
                result.WhichOneof("type") == "file_urls_response"
                and result.file_urls_response.response_id == request.request_id
            ),
            "no address to upload to",
        )
        result = answer.file_urls_response
        if result.error_msg or not result.file_urls:
            raise Failure(f"no address to upload to: {result.error_msg}")
        return result.file_urls[0]

    async def _send(self, message: BackMsg) -> None:
        assert self._socket is not None
        try:
            await self._socket.send(message.SerializeToString())
        except websockets.ConnectionClosed as error:
            raise Unusable(f"the connection was closed: {error}") from error

    async def _until(self, wanted: Callable[[ForwardMsg], bool], otherwise: str) -> ForwardMsg:
        """Takes messages up to and with the wanted one."""
        assert self._socket is not None
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    message = self._cache.resolve(ForwardMsg.FromString(await self._socket.recv(decode=False)))
                    self._take(message)
                    if wanted(message):
                        return message
        except TimeoutError as error:
            raise Unusable(f"{otherwise} within {self._patience:g} s") from error
        except websockets.ConnectionClosed as error:
            raise Unusable(f"the connection was closed: {error}") from error

    def _finished(self, message: ForwardMsg) -> bool:
        """Whether a run has ended for good; after a run that ended early, the next one follows by itself."""
        if message.WhichOneof("type") != "script_finished":
            return False
        if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            raise Failure("the script does not compile")
        return message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.page = Page()
            self._session_id = message.new_session.initialize.session_id or self._session_id
            self._oldest = message.new_session.config.max_cached_message_age
        elif kind == "delta":
            self.page.take(message)
            drawn = message.delta.new_element.WhichOneof("type") == "bidi_component"
            if self.mapped is None and drawn and self.page.has_map() and self.page.verdict_on(self._wanted):
                self.mapped = time.monotonic()
        elif kind == "navigation":
            self._shown_hash = message.navigation.page_script_hash
            for page in message.navigation.app_pages:
                self._hashes["home" if page.is_default else page.url_pathname] = page.page_script_hash
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "page_not_found":
            raise Unusable(f"page not found: {message.page_not_found.page_name}")
        elif kind == "script_finished":
            self._cache.ran(self._oldest)

    async def _request(self, method: str, path: str, **rest: Any) -> None:
        """One HTTP request, in a thread."""
        target = urllib.parse.urljoin(self.address, path)

        def ask() -> int:
            return self._http.request(method, target, timeout=self._patience, **rest).status_code

        try:
            status = await asyncio.get_running_loop().run_in_executor(self._pool, ask)
        except requests.RequestException as error:
            raise Unusable(f"{method} failed: {type(error).__name__}") from error
        if status >= 400:
            place = re.sub(r"/[^/]*[0-9][^/]*", "/…", path)
            raise Failure(f"{method} {place} was answered with {status}")


class Visitor:
    """A person with a browser: an image judged, the other pages read, and again until the time is over."""

    def __init__(self, number: int, options: argparse.Namespace, record: Record, address: str, pool: Executor):
        self._number = number
        self._options = options
        self._record = record
        self._address = address
        self._pool = pool
        self._until = 60 * options.minutes
        self._random = random.Random(f"{options.seed}/{number}")
        self._uploads = 0
        self._browser: Browser | None = None

    async def stay(self) -> None:
        """Comes at some moment of the first half minute, and stays."""
        await self._pause((0, min(30.0, self._until / 6)))
        while self._is_time:
            kind = FIRST
            try:
                if self._browser is None:
                    await self._arrive()
                else:
                    kind = BACK
                    await self._read(BACK)
                kind = VERDICT
                await self._have_judged()
                for kind in READING:
                    await self._pause(THINK)
                    if self._is_time:
                        await self._read(kind)
                await self._pause(THINK)
            except Failure as problem:
                self._record.error(TOLD.get(kind, kind), problem)
                if isinstance(problem, Unusable):
                    await self.leave()
                await self._pause(RETRY)

    async def leave(self) -> None:
        """Closes the browser."""
        browser, self._browser = self._browser, None
        if browser is not None:
            await browser.close()

    @property
    def _is_time(self) -> bool:
        return self._record.now < self._until

    async def _pause(self, between: tuple[float, float]) -> None:
        """Waits some seconds, and not beyond the end."""
        await asyncio.sleep(max(0.0, min(self._random.uniform(*between), self._until - self._record.now)))

    async def _arrive(self) -> None:
        began = self._record.now
        browser = Browser(self._address, self._pool, self._options.patience)
        try:
            await browser.open("inspect")
        except BaseException:
            await browser.close()
            raise
        self._browser = browser
        self._record.done(FIRST, began)
        await self._look(browser)

    async def _read(self, page: str) -> None:
        """Reads a page; tries again where the server asks to wait."""
        browser = self._connected
        until = self._record.now + self._options.patience
        while True:
            began = self._record.now
            await browser.visit(page)
            if not browser.page.busy():
                break
            self._asked_to_wait(began)
            if self._record.now > until:
                raise Failure(f"asked to wait for {self._options.patience:g} s")
            await asyncio.sleep(self._random.uniform(*RETRY))
        self._record.done(page, began)
        await self._look(browser)

    async def _have_judged(self) -> None:
        """Uploads an image and waits for its verdict."""
        browser = self._connected
        self._uploads += 1
        name = f"s{self._number:03}u{self._uploads:04}"
        seed = (self._options.seed, self._number, self._uploads)
        upload = await asyncio.to_thread(make_image, name, seed)
        if not self._is_time:
            return
        self._record.sent += 1
        self._record.sent_bytes += len(upload.data)
        try:
            began = self._record.now
            state = await browser.put(upload)
            self._record.done(TRANSFER, began)
            sent = self._record.now
            await self._wait_for_verdict(browser, state, upload.name)
            self._record.done(JUDGED, sent, browser.mapped)
            self._record.done(WHOLE, sent)
            self._record.judged += 1
        except BaseException:
            self._record.lost += 1
            raise
        await self._look(browser)

    async def _wait_for_verdict(self, browser: Browser, state: WidgetState, name: str) -> None:
        """Runs the page until the verdict is there; again and again where the server asks to wait."""
        until = self._record.now + self._options.patience
        waited = False
        while True:
            began = self._record.now
            await browser.submit(state, name)
            if not browser.page.busy():
                break
            self._asked_to_wait(began)
            self._record.delayed += not waited
            waited = True
            if self._record.now > until:
                raise Failure(f"asked to wait for {self._options.patience:g} s and more")
            await asyncio.sleep(self._random.uniform(*RETRY))
        if problem := browser.page.problem():
            raise Failure(problem)
        if browser.mapped is None:
            raise Failure("the run ended without a verdict on the file, or still waits for its heat-map")
        self._record.done(VERDICT, began, browser.mapped)

    def _asked_to_wait(self, began: float) -> None:
        self._record.done(WAIT, began)
        self._record.waits += 1

    async def _look(self, browser: Browser) -> None:
        """Checks the page for errors and fetches its pictures."""
        if problem := browser.page.problem():
            raise Failure(problem)
        began = self._record.now
        if await browser.fetch_pictures():
            self._record.done(PICTURES, began)

    @property
    def _connected(self) -> Browser:
        assert self._browser is not None
        return self._browser


@dataclass(frozen=True)
class Server:
    """The dashboard that was started for the test."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def memory(self, at: float) -> Memory:
        """Resident memory of the process and of its children, now."""
        main = psutil.Process(self.process.pid)
        children = 0
        for child in main.children(recursive=True):
            with suppress(psutil.Error):
                children += child.memory_info().rss
        return Memory(at, main.memory_info().rss / _MB, children / _MB)

    def cpu(self) -> float:
        """Seconds of processor time so far, with those of children."""
        times = [psutil.Process(self.process.pid).cpu_times()]
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                times.append(child.cpu_times())
        return sum(one.user + one.system for one in times)

    def tracebacks(self) -> list[str]:
        """Last lines of the tracebacks in the log."""
        result, inside = [], False
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("Traceback (most recent call last)"):
                inside = True
            elif inside and line and not line[0].isspace():
                result.append(line)
                inside = False
        return result


@contextmanager
def serve() -> Iterator[Server]:
    """Starts the dashboard over an empty workspace, with the project's detectors; ends it with all its children."""
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        workspace = Path(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = workspace / "server.log"
        variables = environment(workspace) | {
            "DFCORE_MODELS": str(ROOT / "models"),
            "STREAMLIT_LOGGER_ENABLE_RICH": "false",  # So that tracebacks can be read.
        }
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
        with path.open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
            server = Server(f"http://127.0.0.1:{port}", process, path)
            try:
                _wait_until_healthy(server)
                yield server
            finally:
                _end(process)


def _wait_until_healthy(server: Server, patience: float = 120.0) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    log = server.log.read_text(errors="replace")[-3000:]
    raise SystemExit(f"The dashboard did not start. The end of its log:\n{log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all its children."""
    tree = []
    with suppress(psutil.Error):
        tree = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in tree:
        with suppress(psutil.Error):
            child.terminate()
    for child in psutil.wait_procs(tree, timeout=10)[1]:
        with suppress(psutil.Error):
            child.kill()


async def watch_memory(server: Server, record: Record) -> None:
    """Looks at the server's memory until it is cancelled or the server has gone."""
    while True:
        await asyncio.sleep(EVERY)
        if (code := server.process.poll()) is not None:
            record.error("server", f"it has ended, with code {code}")
            return
        with suppress(psutil.Error):
            record.memory.append(server.memory(record.now))


async def run(options: argparse.Namespace, server: Server) -> Record:
    """All sessions at once, with the memory watched meanwhile."""
    record = Record()
    record.memory.append(server.memory(0.0))
    cpu = server.cpu()
    with ThreadPoolExecutor(options.sessions + 8) as pool:
        visitors = [Visitor(number, options, record, server.address, pool) for number in range(options.sessions)]
        watcher = asyncio.create_task(watch_memory(server, record))
        outcomes = await asyncio.gather(*(visitor.stay() for visitor in visitors), return_exceptions=True)
        watcher.cancel()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                record.error("session", f"{type(outcome).__name__} {outcome}")
        with suppress(psutil.Error):
            record.server_cpu = (server.cpu() - cpu) / record.now
        record.tracebacks = server.tracebacks()
        await asyncio.gather(*(visitor.leave() for visitor in visitors))
    return record


@dataclass(frozen=True)
class Growth:
    """How the server's memory went, in MB.

    Attributes:
        start: before the first session.
        warm: median of the second half of the warm-up.
        end: the last look before the time was over.
        peak: the most.
        slope: MB a minute after the warm-up, by least squares; NaN where there were too few looks.
        line: (minutes, MB) of both ends of that line.
        warm_up: seconds.
    """

    start: float
    warm: float
    end: float
    peak: float
    slope: float
    line: tuple[tuple[float, float], tuple[float, float]]
    warm_up: float


def growth(memory: Sequence[Memory], minutes: float) -> Growth:
    """What the looks at the memory say; the warm-up is two minutes, or half of a short test."""
    warm_up = min(WARM_UP, 30 * minutes)
    within = [look for look in memory if look.at <= 60 * minutes + EVERY]
    at, total = np.array([look.at for look in within]) / 60, np.array([look.total for look in within])
    warming = total[(at >= warm_up / 120) & (at <= warm_up / 60)]
    after = at >= warm_up / 60
    slope, level = np.polyfit(at[after], total[after], 1) if after.sum() > 4 else (math.nan, math.nan)
    line = tuple((float(x), float(level + slope * x)) for x in (warm_up / 60, minutes))
    warm = float(np.median(warming)) if warming.size else math.nan
    return Growth(total[0], warm, total[-1], total.max(), float(slope), (line[0], line[1]), warm_up)


def _row(title: str, seconds: Sequence[float]) -> str:
    """A line of the table: number, median, 95th percentile, maximum."""
    if not seconds:
        return f"  {title:<32}{0:>6}"
    figures = (np.median(seconds), np.percentile(seconds, 95), max(seconds))
    return f"  {title:<32}{len(seconds):>6}" + "".join(f"{figure:>10.2f}" for figure in figures)


def _counted(texts: Sequence[str], most: int = 8) -> list[str]:
    """The most frequent texts, a line each."""
    counted = Counter(texts).most_common()
    lines = [f"  {number} x {text[:300]}" for text, number in counted[:most]]
    return lines + ([f"  and {len(counted) - most} other texts"] if len(counted) > most else [])


def report(options: argparse.Namespace, record: Record, generator: float) -> str:
    """What is printed at the end.

    Args:
        options: of the test.
        record: what happened.
        generator: processor time that the sessions themselves took, as a share of one core.
    """
    rest = psutil.virtual_memory().total / 2**30
    lines = [
        f"Load test of the dashboard: {options.sessions} sessions, {options.minutes:g} minutes, seed {options.seed}",
        f"{os.cpu_count()} cores, {rest:.0f} GB of memory; the sessions took {generator:.2f} and the server "
        f"{record.server_cpu:.2f} of a core",
        "",
        f"{'Interactions, in seconds':<34}{'number':>6}{'median':>10}{'p95':>10}{'max':>10}",
    ]
    result = growth(record.memory, options.minutes)
    for kind in (FIRST, TRANSFER, VERDICT, PICTURES, BACK, *READING, WAIT, JUDGED, WHOLE):
        found = [one.seconds for one in record.of([kind]) if kind == FIRST or one.at >= result.warm_up]
        lines.append(_row(TOLD.get(kind, kind), found))
    lines += [
        f"Those of the first {result.warm_up:.0f} s, while the server warms up and all come at once, are left out "
        "above, but for the first page;",
        _row("their verdicts", [one.seconds for one in record.of([JUDGED]) if one.at < result.warm_up]),
        "",
        f"Uploads: {record.sent} sent ({record.sent_bytes / _MB:.1f} MB), {record.judged} judged, {record.lost} lost; "
        f"asked to wait {record.waits} times, {record.delayed} uploads among that",
        f"Errors: {len(record.errors)}",
    ]
    lines += _counted(record.errors)
    if record.tracebacks:
        lines += [f"Tracebacks in the log of the server: {len(record.tracebacks)}", *_counted(record.tracebacks)]
    slope = "too short a test for a slope" if math.isnan(result.slope) else f"{result.slope:+.2f} MB/min from there on"
    children = max(look.children for look in record.memory)
    lines += [
        f"Resident memory of the server with its children: {result.start:.0f} MB at the start, {result.warm:.0f} MB "
        f"after {result.warm_up:.0f} s of warm-up, {result.end:.0f} MB at the end, "
        f"{result.peak:.0f} MB at most; {slope}",
        f"Of it, children had {children:.0f} MB at most. Streamlit keeps what an open session uploaded: "
        f"{record.sent_bytes / _MB:.0f} MB at the end.",
    ]
    return "\n".join(lines) + "\n"


def windows(result: Sequence[Interaction]) -> tuple[list[float], list[float]]:
    """Minutes and 95th percentile of the latency, a point a window."""
    by_window: dict[int, list[float]] = {}
    for interaction in result:
        by_window.setdefault(int(interaction.at // WINDOW), []).append(interaction.seconds)
    keys = sorted(by_window)
    return [(key + 0.5) * WINDOW / 60 for key in keys], [float(np.percentile(by_window[key], 95)) for key in keys]


def draw(options: argparse.Namespace, record: Record) -> go.Figure:
    """Two panels: latency and memory over time."""
    titles = (f"95th percentile of the latency, per {WINDOW:g} s", "Resident memory of the server")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.12)
    series = (("Verdict and heat-map", [VERDICT], "#d55e00"), ("Pages that are read", [BACK, *READING], "#0072b2"))
    for name, kinds, colour in series:
        x, y = windows(record.of(kinds))
        figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line_color=colour, row=1, col=1)
    at = [look.at / 60 for look in record.memory]
    below: dict[str, Any] = {"row": 2, "col": 1, "legend": "legend2", "mode": "lines"}
    figure.add_scatter(
        x=at, y=[look.total for look in record.memory], name="With children", line_color="#009e73", **below
    )
    if any(look.children for look in record.memory):
        own = [look.server for look in record.memory]
        figure.add_scatter(x=at, y=own, name="The server alone", line_color="#6b7780", **below)
    result = growth(record.memory, options.minutes)
    if not math.isnan(result.slope):
        ends = {"x": [x for x, _ in result.line], "y": [y for _, y in result.line]}
        style = {"color": "#1c2730", "dash": "dash", "width": 1.5}
        figure.add_scatter(**ends, name=f"{result.slope:+.2f} MB/min", line=style, **below)
    figure.update_yaxes(title_text="seconds", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="MB", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(rangemode="tozero", title_text="minutes", row=2, col=1)
    title = f"{options.sessions} sessions, {options.minutes:g} minutes: {record.judged} images judged"
    return figure.update_layout(
        title=title, template="plotly_white", font_size=14, margin={"t": 90, "r": 30}, legend2={"y": 0.44}
    )


def save_figure(figure: go.Figure, path: Path) -> str:
    """Draws a figure in a browser without a network, as SVG or PNG by the name; says what came of it."""
    try:
        from playwright.sync_api import Error
    except ImportError:
        return "No figure: Playwright is not installed."
    kind = "svg" if path.suffix.lower() == ".svg" else "png"
    size = {"format": kind, "width": 1100, "height": 760, "scale": 1 if kind == "svg" else 2}
    script = "size => Plotly.toImage(document.getElementById('figure'), size)"
    try:
        with tempfile.TemporaryDirectory() as folder, chromium() as browser:
            document = Path(folder) / "figure.html"
            document.write_text(figure.to_html(include_plotlyjs=True, div_id="figure"), encoding="utf-8")
            page = browser.new_page(viewport={"width": 1100, "height": 760})
            page.goto(document.as_uri())
            content = page.evaluate(script, size).partition(",")[2]
    except Error as error:
        reason = str(error).partition("\n")[0]
        return f"No figure: Chromium is missing or did not start ({reason})."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(urllib.parse.unquote(content).encode() if kind == "svg" else base64.b64decode(content))
    return f"Figure: {path}"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="Load test of the dashboard.")
    parser.add_argument("--sessions", type=int, default=50, help="at the same time")
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long uploads and visits are begun")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds after which an answer counts as missing")
    parser.add_argument("--seed", type=int, default=0, help="of images, pauses and arrivals")
    parser.add_argument("--out", type=Path, help="file for the text that is printed")
    parser.add_argument("--figure", type=Path, help="file for the figure, .png or .svg")
    options = parser.parse_args(given)
    if options.sessions < 1 or options.minutes <= 0 or options.patience <= 0 or options.seed < 0:
        parser.error("sessions, minutes and patience must be above 0, and the seed must not be negative")
    return options


def main() -> int:
    """Runs the test; 0 where all went well."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the server is ended, too.
    with serve() as server:
        spent = time.process_time()
        record = asyncio.run(run(options, server))
        text = report(options, record, (time.process_time() - spent) / record.now)
    print(text, end="", flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    if options.figure:
        print(save_figure(draw(options, record), options.figure))
    return int(bool(record.errors or record.tracebacks or record.lost))


if __name__ == "__main__":
    sys.exit(main())
