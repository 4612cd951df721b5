"""Addresses: only hosts that the operator allows are asked, and nothing that they answer does harm."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dfcore.batch import addresses
from dfcore.batch.addresses import allowed_hosts, fetch, require_allowed
from dfcore.errors import AccessError, ImageError, MissingExtraError, TransientImageError
from tests.security.hostile_zips import picture

asked: list[tuple[str, str]] = []


class Host(BaseHTTPRequestHandler):
    """Answers by the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked.append((self.headers["Host"], self.path))
        what = self.path.strip("/").partition("?")[0]
        if what.startswith("to/"):
            self._answer(302, b"", ("Location", self.path.removeprefix("/to/")))
        elif what == "packed":
            self._answer(200, gzip.compress(bytes(2**20)), ("Content-Encoding", "gzip"))
        elif what == "slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        elif what.isdecimal():
            self._answer(int(what), b"no")
        else:
            self._answer(200, picture(1))

    def _answer(self, code: int, data: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(code)
        for name, value in (*headers, ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _names(monkeypatch):
    """All hosts of example.org lie on this machine; those of example.com have a public number."""
    asked.clear()
    resolve = socket.getaddrinfo

    def resolved(host, *rest, **more):
        if str(host).endswith("example.com"):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 80))]
        return resolve("127.0.0.1" if str(host).endswith("example.org") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def test_nothing_is_fetched_unless_the_operator_says_so(port, tmp_path, monkeypatch):
    monkeypatch.delenv("DFCORE_ADDRESSES", raising=False)
    assert allowed_hosts() == ()
    with pytest.raises(AccessError, match="The operator of the server allows hosts with DFCORE_ADDRESSES"):
        require_allowed(f"http://127.0.0.1:{port}/1.png")
    with pytest.raises(ImageError, match="DFCORE_ADDRESSES"):
        fetch(f"http://127.0.0.1:{port}/1.png", tmp_path / "1")
    assert not asked


def test_an_allowed_picture_is_fetched_once(port, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", f"other.example.com, pictures.example.org:{port}")
    address = f"http://pictures.example.org:{port}/a/1.png?size=full"
    require_allowed(address)
    for _ in range(2):
        assert fetch(address, tmp_path / "1") == picture(1)
    assert asked == [(f"pictures.example.org:{port}", "/a/1.png?size=full")]


@pytest.mark.parametrize(
    "pattern, address, allowed",
    [
        ("example.org", "https://example.org/1", True),
        ("example.org", "http://EXAMPLE.org/1", True),
        ("example.org", "https://a.example.org/1", False),
        ("*.example.org", "https://a.example.org/1", True),
        ("*.example.org", "https://a.b.example.org./1", True),
        ("*.example.org", "https://example.org/1", False),
        ("*.example.org", "https://anexample.org/1", False),
        ("*.example.org", "https://example.org.evil.com/1", False),
        ("example.org", "https://example.org:8080/1", False),
        ("example.org:8080", "https://example.org:8080/1", True),
        ("example.org:8080", "https://example.org/1", False),
        ("example.org", "ftp://example.org/1", False),
        ("example.org", "file:///etc/passwd", False),
        ("example.org", "https://example.org@evil.com/1", False),
        ("example.org", "https://evil.com\\@example.org/1", False),
        ("example.org", "https://me:secret@example.org/1", False),
        ("example.org", "https://example.org/\r\nHost: evil.com", False),
        ("example.org", "https://example.org/ä", False),
        ("example.org", "https://example.org:99999/1", False),
        ("example.org", "https://[::1/1", False),
        ("example.org", "https://example.org/" + "x" * 3000, False),
        ("example.org", "example.org/1", False),
    ],
)
def test_hosts_are_compared_as_a_whole(pattern, address, allowed, monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", pattern)
    if allowed:
        require_allowed(address)
        return
    with pytest.raises(AccessError):
        require_allowed(address)


def test_a_private_network_is_asked_only_where_the_very_host_is_named(port, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", f"*.example.org:{port}")
    with pytest.raises(ImageError, match="private network"):
        fetch(f"http://a.example.org:{port}/1.png", tmp_path / "1")
    assert not asked
    monkeypatch.setenv("DFCORE_ADDRESSES", f"*.example.org:{port} a.example.org:{port}")
    assert fetch(f"http://a.example.org:{port}/1.png", tmp_path / "1")


def test_numbers_that_are_not_public_are_known():
    private = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "100.64.0.1",
               "0.0.0.0", "224.0.0.1", "fd00::1")  # fmt: skip
    assert not any(map(addresses._is_public, private))
    assert addresses._is_public("93.184.215.14") and addresses._is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")


@pytest.mark.parametrize(
    "path, says, transient",
    [
        ("to//1.png", "", False),
        ("to/http://b.example.org:{port}/1.png", "leads to another host", False),
        ("to/http://169.254.169.254/latest", "leads to another host", False),
        ("to/file:///etc/passwd", "Expected an address", False),
        ("to//to//to//to//to/1.png", "sent on more than 3 times", False),
        ("404", "answered 404", False),
        ("503", "answered 503", True),
        ("large", "larger than the limit", False),
        ("slow", "did not arrive within", True),
    ],
)
def test_what_a_host_answers_does_no_harm(path, says, transient, port, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", f"a.example.org:{port} b.example.org:{port}")
    monkeypatch.setattr(addresses, "_SECONDS", 0.5 if path == "slow" else 60)
    if path == "large":
        monkeypatch.setattr("dfcore.imaging.decoder.MAX_BYTES", 100)
    address = f"http://a.example.org:{port}/{path.format(port=port)}"
    if not says:
        assert fetch(address, tmp_path / "1") == picture(1)
        return
    with pytest.raises(ImageError, match=says) as caught:
        fetch(address, tmp_path / "1")
    assert isinstance(caught.value, TransientImageError) == transient
    assert not (tmp_path / "1").exists()
    assert {host for host, _ in asked} == {f"a.example.org:{port}"}


def test_what_was_packed_on_the_way_stays_packed(port, tmp_path, monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", f"a.example.org:{port}")
    assert len(fetch(f"http://a.example.org:{port}/packed", tmp_path / "1")) < 10_000


def test_a_host_that_is_not_there_may_be_another_time(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("DFCORE_ADDRESSES", f"a.example.org:{port}")
    with pytest.raises(TransientImageError, match="could not be fetched"):
        fetch(f"http://a.example.org:{port}/1", tmp_path / "1")


def test_without_httpx_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("DFCORE_ADDRESSES", "example.org")
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(MissingExtraError, match="app"):
        require_allowed("https://example.org/1.png")


def test_a_batch_judges_what_it_fetches_and_goes_on_without_fetching_again(port, tmp_path, monkeypatch):
    from dfcore.batch.sources import Address, iter_sources, take

    monkeypatch.setenv("DFCORE_ADDRESSES", f"a.example.org:{port}")
    records = take([Address(f"http://a.example.org:{port}/{n}.png") for n in range(2)], tmp_path)
    for _ in range(2):
        assert [found.read() for found in iter_sources(tmp_path, records)] == [picture(1)] * 2
    assert len(asked) == 2
