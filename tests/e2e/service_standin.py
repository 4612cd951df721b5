"""A service that answers as the page needs to see: busy, gone, behind a proxy, with words that are code."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dfcore.service.app import WEB

_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def row(name: str, **more: Any) -> dict[str, Any]:
    """A record as of `/v1/predict`, likely fake."""
    said = {name: f"The {name}." for name in ("conclusion", "sure", "why", "next")}
    thresholds = {"real_below": 0.2, "fake_from": 0.8, "says_real": False}
    return {
        "path": name, "sha256": "0" * 64, "score": 0.9, "logit": 2.2, "finding": "fake",
        "words": "likely fake", "aside": "", "verdict": "fake", "label": "fake",
        "reason": None, "error": None, "is_used": True, "ood_distance": None,
        "ood_reasons": [], "trained_on": "unknown", "trained_on_words": "", "detector": "one", "title": "One",
        "model_sha256": "1" * 64, "card_sha256": "2" * 64, "threshold": 0.5, "thresholds": thresholds,
        "answers": said, "file": None, "provenance": None,
    } | more  # fmt: skip


def heatmap(**more: Any) -> dict[str, Any]:
    """A heat-map as of `/v1/explain`, with all evidence at the top left of its right half."""
    values: list[list[float | None]] = [[None] * 4 + [1.0, 1.0, 0.0, 0.0] for _ in range(2)]
    values += [[None] * 4 + [0.0] * 4 for _ in range(2)]
    return {
        "method": "gradcam", "evidence": "fake", "layer": None, "view": "whole", "peak": 1.0, "width": 8, "height": 4,
        "region": [4, 0, 8, 4], "values": values, "picture": [80, 40], "text": "Most evidence lies top left.",
    } | more  # fmt: skip


DETECTORS = {
    "version": "0", "default": "auto", "methods": {"gradcam": "Grad-CAM"},
    "detectors": [
        {"name": name, "title": name.title(), "views": views, "limits": [f"{name} errs."]}
        for name, views in (("one", ["whole"]), ("two", ["whole", "centre"]))
    ],
    "limits": {"file_bytes": 2 * 2**20, "files": 4, "body_bytes": 2**23, "pixels": 10**6, "formats": ["JPEG", "PNG"]},
}  # fmt: skip


@dataclass
class Asked:
    """A request that came.

    Attributes:
        path: Without the query.
        query: One value for each name.
        headers: By their names in lower case.
        body: What was sent.
        together: How many requests of this path were under way at once.
    """

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    together: int


@dataclass
class Answer:
    """What is answered."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    seconds: float = 0.0


class StandIn(ThreadingHTTPServer):
    """The service; `answers` says what comes at each path, by a value or a function of the request."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.asked: list[Asked] = []
        self.under_way: dict[str, int] = {}
        self.answers: dict[str, Callable[[Asked], Answer]] = {
            "/v1/detectors": lambda _: Answer(DETECTORS),
            "/v1/predict": lambda asked: Answer({"results": [row(name_of(asked))]}),
            "/v1/explain": lambda asked: Answer({"result": row(name_of(asked)), "heatmap": heatmap()}),
        }
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def of(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


def name_of(asked: Asked) -> str:
    """Name of the file that was sent."""
    return asked.body.partition(b'filename="')[2].partition(b'"')[0].decode()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        make = self.server.answers.get(split.path)
        if make is None:
            self._file(split.path)
            return
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        under_way = self.server.under_way
        under_way[split.path] = under_way.get(split.path, 0) + 1
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(split.path, query, headers, body, under_way[split.path])
        self.server.asked.append(asked)
        answer = make(asked)
        time.sleep(answer.seconds)
        under_way[split.path] -= 1
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self._send(answer.status, answer.kind, content, answer.headers)

    do_POST = do_GET  # noqa: N815

    def _file(self, path: str) -> None:
        file = WEB / (path.lstrip("/") or "index.html")
        if file.is_file():
            self._send(200, _KINDS[file.suffix], file.read_bytes(), {})
        else:
            self._send(404, "text/plain", b"", {})

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # Who asked has gone.
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Says nothing."""
