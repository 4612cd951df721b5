"""How stand-ins talk HTTP on 127.0.0.1: routes, ranges, a record of what was asked, and faults on demand."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit


class Asked(NamedTuple):
    """One request: method, path, status of the answer, range, and the token that came with it."""

    method: str
    path: str
    status: int
    range: str
    token: str
    host: str
    body: int


@dataclass
class _Fault:
    path: str
    times: int
    after: int | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0


class RefusedError(Exception):
    """An answer with an error, in the Hub's form."""

    def __init__(self, status: int, code: str = "", message: str = ""):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class CutError(Exception):
    """The connection ends here."""


class Standin:
    """A running stand-in: where it is, what it was asked, and which faults wait."""

    def __init__(self, server: ThreadingHTTPServer):
        self.address = f"http://127.0.0.1:{server.server_address[1]}"
        self.far_address = f"http://localhost:{server.server_address[1]}"
        self.requests: list[Asked] = []
        self.faults: list[_Fault] = []
        self.lock = threading.RLock()

    def cut(self, path: str, after: int, times: int = 1) -> None:
        """Ends the connection after so many bytes of a body, sent or received, where the path has this in it."""
        self.faults.append(_Fault(path, times, after=after))

    def fail(self, path: str, status: int, times: int = 1, headers: dict[str, str] | None = None) -> None:
        """Answers with a status where the path has this in it."""
        self.faults.append(_Fault(path, times, status=status, headers=headers or {}))

    def hang(self, path: str, seconds: float, times: int = 1) -> None:
        """Answers late where the path has this in it."""
        self.faults.append(_Fault(path, times, seconds=seconds))

    def asked(self, method: str, path: str) -> list[Asked]:
        """Requests of a method whose path has this in it."""
        return [one for one in self.requests if one.method == method and path in one.path]

    def fault(self, path: str, *, cut: bool) -> _Fault | None:
        """The next fault that befalls a path, counted off: one that cuts a body, or one of the others."""
        with self.lock:
            waiting = (one for one in self.faults if one.times > 0 and (one.after is not None) == cut)
            found = next((one for one in waiting if one.path in path), None)
            if found is not None:
                found.times -= 1
            return found


@contextmanager
def serving(handler: type["Handler"], kind: type[Standin]) -> Iterator:
    """Serves a stand-in on a free port until the block ends; gives it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.standin = standin = kind(server)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers by `routes`: (methods, pattern of the path, name of the method that gets the pattern's parts)."""

    protocol_version = "HTTP/1.1"
    routes: tuple[tuple[str, str, str], ...] = ()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _serve(self):
        self.standin = self.server.standin  # type: ignore[attr-defined]
        self.status, fault = 0, self.standin.fault(self.path, cut=False)
        url = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        self.route = unquote(url.path)
        try:
            if fault is not None and fault.seconds:
                time.sleep(fault.seconds)
            self.body = self._received()
            if fault is not None and fault.status:
                self.send(fault.status, b"{}", fault.headers)
            else:
                self._dispatch(url.path)
        except RefusedError as refused:
            told = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            self.answer({"error": refused.message}, refused.status, {k: v for k, v in told.items() if v})
        except (ConnectionError, CutError):
            self.close_connection = True
        finally:
            self._remember()

    def _remember(self):
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        host, body = self.headers.get("host") or "", len(getattr(self, "body", b""))
        asked = Asked(self.command, self.path, self.status, self.headers.get("range") or "", token, host, body)
        with self.standin.lock:
            self.standin.requests.append(asked)

    def _received(self) -> bytes:
        size = int(self.headers.get("content-length") or 0)
        if "chunked" in (self.headers.get("transfer-encoding") or ""):
            return b"".join(iter(self._chunk, b""))
        if size and (cut := self.standin.fault(self.path, cut=True)):
            self.rfile.read(min(cut.after, size))
            raise CutError
        data = self.rfile.read(size)
        if len(data) < size:
            raise CutError  # Who sent it is gone.
        return data

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().strip() or b"0", 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _dispatch(self, raw: str):
        for methods, pattern, name in self.routes:
            found = re.fullmatch(pattern, raw)
            if found and self.command in methods.split():
                parts = {key: unquote(value) for key, value in found.groupdict().items() if value}
                return getattr(self, name)(**parts)
        raise RefusedError(404, "", f"No such address: {self.route}")

    # Answers

    def answer(self, value, status: int = 200, headers: dict[str, str] | None = None):
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def send(self, status: int, data: bytes, headers: dict[str, str] | None = None):
        self.status = status
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.command == "GET" and data and (cut := self.standin.fault(self.path, cut=True)):
            self.wfile.write(data[: cut.after])
            raise CutError
        self.wfile.write(data)

    def file(self, data: bytes, headers: dict[str, str]):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or "")
        if asked is None:
            return self.send(200, data, headers)
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return self.send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers |= {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        return self.send(206, data[first : last + 1], headers)
