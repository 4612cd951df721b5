"""The service: the verdicts of `dfcore predict`, limits, the queue, and its end."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from dfcore.batch.ready import make_ready
from dfcore.cli import main
from dfcore.errors import BundleError, InputError, TransientImageError
from dfcore.imaging import sandbox
from dfcore.imaging.decoder import MAX_BYTES
from dfcore.service import server
from dfcore.service.app import WEB
from dfcore.service.judging import Bench
from dfcore.service.pace import Pace
from dfcore.service.server import Server, configured
from dfcore.service.settings import Limits, Settings
from dfcore.service.state import Service
from tests.unit.serving import StandIn, bench, picture, served

ROOT = Path(__file__).parents[2]
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def detector():
    return StandIn()


@pytest.fixture
def client(detector):
    with serving(detector) as (client, _):
        yield client


class serving:  # noqa: N801  (read as a verb)
    """A client of a service with this detector, and the service."""

    def __init__(self, detector: StandIn, **limits):
        self.service = Service(Settings(limits=Limits(**limits)), bench(**{"stand-in": detector}))
        self._served = served(self.service)

    def __enter__(self):
        self.client = httpx.Client(base_url=self._served.__enter__(), timeout=30, trust_env=False)
        return self.client, self.service

    def __exit__(self, *_):
        self.client.close()
        self._served.__exit__(None, None, None)


def files(*contents: bytes):
    return [("files", (f"{number}.png", content)) for number, content in enumerate(contents)]


def until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


# === Verdicts ===


@pytest.mark.slow
def test_answers_are_those_of_predict_to_the_last_bit_however_many_ask(knowing, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DFCORE_MODELS", str(knowing["thumbnails"].parent))
    names = [str(folder) for folder in knowing.values()]
    for number in range(12):
        content = picture(number, 32 if number % 2 else 300, "PNG" if number % 3 else "JPEG")
        (tmp_path / f"{number:02}.img").write_bytes(content)
    (tmp_path / "12.img").write_bytes(b"no picture")
    paths = sorted(tmp_path.glob("*.img"))
    capsys.readouterr()
    expected, options = {}, ["--max-fpr", "0.5", "--max-fnr", "0.5", "--ignore-ood"]
    for choice in ("auto", "photographs"):
        given = names if choice == "auto" else [str(knowing["photographs"])]
        if choice == "auto":
            rows = _predicted(paths, given)
        else:
            assert main(["predict", given[0], *map(str, paths), "--json", *options]) == 3
            rows = json.loads(capsys.readouterr().out)
        expected[choice] = {Path(row["path"]).name: row | {"path": Path(row["path"]).name} for row in rows}
    service = Service(Settings(), Bench(make_ready(names, lambda _: None)))
    with served(service) as address, ThreadPoolExecutor(6) as pool:

        def ask(path: Path, choice: str) -> dict:
            more = {"max_fpr": 0.5, "max_fnr": 0.5, "ignore_ood": True} if choice != "auto" else {}
            answer = httpx.post(f"{address}/v1/predict", params={"detector": choice} | more, timeout=60,
                                files=[("files", (path.name, path.read_bytes()))])  # fmt: skip
            (row,) = answer.json()["results"]
            assert answer.status_code == (422 if row["error"] else 200)
            return row

        for choice, wanted in expected.items():
            for path, row in zip(paths, pool.map(ask, paths, [choice] * len(paths)), strict=True):
                assert {name: row[name] for name in wanted[path.name]} == wanted[path.name]
                assert row["answers"]["conclusion"]


def _predicted(paths, names) -> list[dict]:
    from dfcore.batch.predict import predict_files

    ready = make_ready(names, lambda _: None)
    return json.loads(json.dumps([row for batch in predict_files(paths, ready.detectors) for row in batch]))


def test_one_or_several_files_or_the_bytes_alone_have_a_record_each(client):
    contents = [picture(1), b"text", picture(2)]
    rows = client.post("/v1/predict", files=files(*contents)).json()["results"]
    assert [row["path"] for row in rows] == ["0.png", "1.png", "2.png"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    png = {"Content-Type": "image/png"}
    (alone,) = client.post("/v1/predict", params={"name": "mine"}, content=contents[0], headers=png).json()["results"]
    assert alone == rows[0] | {"path": "mine"}
    assert alone["words"] in ("likely fake", "inconclusive", "likely real", "no sign of a fake found")
    assert alone["provenance"] is None


@pytest.mark.slow
def test_what_a_file_says_of_itself_is_read_where_that_is_asked_for(client):
    told = client.post("/v1/predict", params={"provenance": True}, files=files(picture())).json()["results"][0]
    assert told["provenance"]["summary"] == "The file says nothing of how it was made."
    assert "says nothing of its origin" in told["answers"]["next"]


def test_if_no_file_can_be_judged_it_is_an_error_with_their_records(client):
    answer = client.post("/v1/predict", files=files(b"one", b"two"))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "image"
    assert answer.json()["error"]["message"].startswith("0.png: Not an image")
    assert len(answer.json()["results"]) == 2


def test_what_the_machine_failed_at_may_be_tried_again(client, monkeypatch):
    prepare = sandbox.prepare

    def killed(content, *arguments, **more):
        if content == b"unlucky":
            raise TransientImageError("The decoding process was killed.")
        return prepare(content, *arguments, **more)

    monkeypatch.setattr(sandbox, "prepare", killed)
    for path, contents in (("/v1/predict", (b"unlucky", b"unlucky")), ("/v1/explain", (b"unlucky",))):
        answer = client.post(path, files=files(*contents))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "machine"), path
        assert answer.headers["Retry-After"] == "30"
        assert "was killed" in answer.json()["error"]["message"]
        rows = answer.json().get("results", [])
        assert [row["accident"] for row in rows] == ([True, True] if path == "/v1/predict" else [])
    mixed = client.post("/v1/predict", files=files(b"unlucky", b"text"))
    assert (mixed.status_code, mixed.json()["error"]["code"]) == (422, "image")
    assert [row.get("accident", False) for row in mixed.json()["results"]] == [True, False]
    assert client.post("/v1/predict", files=files(b"unlucky", picture())).status_code == 200


def test_a_heat_map_is_values_or_a_picture(client):
    content = picture(side=80)
    answer = client.post("/v1/explain", params={"side": 16, "evidence": "real"}, files=files(content)).json()
    heatmap = answer["heatmap"]
    assert (heatmap["width"], heatmap["height"], heatmap["picture"]) == (16, 16, [80, 80])
    assert np.shape(heatmap["values"]) == (16, 16)
    assert heatmap["evidence"] == "real" and "bottom" in heatmap["text"]
    assert answer["result"]["path"] == "0.png"
    for how, mode in (("overlay", "RGB"), ("map", "RGBA")):
        drawn = client.post("/v1/explain", params={"picture": how}, content=content,
                            headers=RAW | {"Accept": "image/png"})  # fmt: skip
        shown = Image.open(io.BytesIO(drawn.content))
        assert (shown.size, shown.mode) == ((80, 80), mode)
        assert drawn.headers["X-Detector"] == "stand-in"
    assert client.post("/v1/explain", params={"view": "99"}, files=files(content)).status_code == 422
    wrong = client.post("/v1/explain", files=files(b"text")).json()["error"]
    assert wrong["code"] == "image" and "Not an image" in wrong["message"]
    assert client.post("/v1/explain", files=files(content), headers={"Accept": "text/html"}).status_code == 406


def test_an_empty_map_proves_nothing_either(detector, monkeypatch):
    full = detector.explain
    monkeypatch.setattr(detector, "explain", lambda image, **how: replace(full(image, **how), peak=0.0))
    with serving(detector) as (client, _):
        heatmap = client.post("/v1/explain", files=files(picture())).json()["heatmap"]
    assert heatmap["peak"] == 0
    assert heatmap["text"].endswith("the map is empty. That proves nothing.")


def test_detectors_tell_what_they_may_find_and_what_is_taken(client):
    told = client.get("/v1/detectors").json()
    assert told["detectors"][0]["name"] == "stand-in"
    assert told["detectors"][0]["words"] == ["likely fake", "inconclusive", "no sign of a fake found"]
    assert told["limits"]["file_bytes"] == MAX_BYTES and "gradcam" in told["methods"]


# === Limits ===


def endless(chunk: bytes = bytes(2**18)):
    while True:
        yield chunk


@pytest.mark.parametrize(
    ("options", "request_", "status", "code"),
    [
        ({"file_bytes": 1000}, {"content": bytes(1001), "headers": RAW}, 413, "too_large"),
        ({"file_bytes": 2**20}, {"content": endless, "headers": RAW}, 413, "too_large"),
        ({"file_bytes": 1000}, {"files": files(bytes(1001))}, 413, "too_large"),
        ({"body_bytes": 3000}, {"files": files(bytes(1000), bytes(2000))}, 413, "too_large"),
        ({"files": 2}, {"files": files(b"1", b"2", b"3")}, 413, "files"),
        ({"spool_bytes": 1000}, {"content": bytes(2000), "headers": RAW}, 429, "busy"),
        ({}, {"content": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "content_type"),
        ({}, {"content": b"x"}, 415, "content_type"),
        ({}, {"content": b"", "headers": RAW}, 422, "empty"),
        ({}, {"files": [("other", ("a.png", b"1"))]}, 422, "form"),
        ({}, {"content": b"wrong", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422, "form"),
        ({}, {"content": b"--x--", "headers": {"Content-Type": "multipart/form-data"}}, 422, "form"),
        ({}, {"params": {"detector": "none"}, "files": files(b"1")}, 422, "detector"),
        ({}, {"params": {"max_fpr": "nan"}, "files": files(b"1")}, 422, "query"),
        ({}, {"params": {"ignore_odd": "true"}, "files": files(b"1")}, 422, "query"),
        ({}, {"params": {"max_fpr": "0.1"}, "files": files(picture())}, 422, "input"),
        ({"upload_seconds": 0.2}, {"content": "slow", "headers": RAW}, 408, "slow"),
    ],
)
def test_what_is_too_much_or_wrong_is_refused_with_its_reason(options, request_, status, code):
    def slowly():
        yield b"begun"
        time.sleep(1)
        yield b"ended"

    given = dict(request_)
    if given.get("content") is endless:
        given["content"] = endless()
    if given.get("content") == "slow":
        given["content"] = slowly()
    with serving(StandIn(), **options) as (client, service):
        answer = client.post("/v1/predict", **given)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.json()["error"]["message"].endswith((".", "…"))
        assert (status == 429) == ("Retry-After" in answer.headers) or status == 408
        until(lambda: service.queue.taken == service.spool.held == 0)
        assert client.post("/v1/predict", files=files(b"x")).json()["error"]["code"] == "image", (
            "the next one is served"
        )


def test_limits_that_cannot_be_are_refused():
    for wrong in ({"files": 0}, {"file_bytes": MAX_BYTES + 1}, {"files": 9, "queue": 8}, {"rate": -1}):
        with pytest.raises(InputError, match=r"Expected .* Received"):
            Limits(**wrong)


def test_a_rate_is_kept_and_told(detector):
    with serving(detector, rate=2) as (client, _):
        assert client.post("/v1/predict", files=files(picture(), picture(1))).status_code == 200
        refused = client.post("/v1/predict", files=files(picture()))
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate")
        assert 1 <= int(refused.headers["Retry-After"]) <= 30


def connected(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=20)


def is_ended(connection: socket.socket) -> bool:
    connection.settimeout(5)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_connection_whose_next_request_does_not_come_is_ended(monkeypatch, asked):
    monkeypatch.setattr(server, "_HEAD_SECONDS", 1.0)
    monkeypatch.setattr(server, "_KEPT_SECONDS", 1)
    with served(Service(Settings(), bench())) as address, connected(address) as connection:
        for _ in range(asked):
            time.sleep(0.7)  # Longer together than one may be silent: the clock starts anew with each request.
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while b"alive" not in answer:
                part = connection.recv(4096)
                assert part
                answer += part
        connection.sendall(b"G")
        assert is_ended(connection)


# === The queue ===


def test_a_full_queue_refuses_at_once_and_tells_when_to_come_back(detector):
    detector.open.clear()
    with serving(detector, queue=3, files=3) as (client, service), ThreadPoolExecutor(4) as pool:
        service.queue.pace.seconds = 7.0
        first = pool.submit(client.post, "/v1/predict", files=files(picture(1), picture(2)))
        until(lambda: service.queue.taken == 2)
        assert client.get("/readyz").json() == {"status": "ready"}
        refused = client.post("/v1/predict", files=files(picture(3), picture(4)))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
        second = pool.submit(client.post, "/v1/predict", files=files(picture(5)))
        until(lambda: service.queue.full)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "full"})
        assert client.get("/healthz").status_code == 200
        # Not a byte of a body is taken when there is no room.
        refused = client.post("/v1/predict", content=endless(), headers=RAW)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "busy")
        detector.open.set()
        assert first.result().status_code == second.result().status_code == 200
        until(lambda: service.queue.taken == 0)
        assert "dfcore_queue_taken 0.0" in client.get("/metrics").text


def test_what_waits_is_judged_in_one_call_of_the_network(detector):
    detector.open.clear()
    with serving(detector) as (client, service), ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(client.post, "/v1/predict", files=files(picture(0)))]
        until(lambda: service.queue.waiting == 1 and service.queue._ready.empty())
        asked += [pool.submit(client.post, "/v1/predict", files=files(picture(seed))) for seed in range(1, 9)]
        until(lambda: service.queue._ready.qsize() == 8)
        detector.open.set()
        assert {one.result().status_code for one in asked} == {200}
        assert detector.batches == [1, 8]


def test_who_goes_away_frees_the_place_and_is_not_judged(detector):
    detector.open.clear()
    with serving(detector, queue=2, files=1) as (client, service), ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.post, "/v1/predict", files=files(picture(1)))
        until(lambda: service.queue._ready.empty() and service.queue.waiting == 1)
        body = picture(2)
        head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {len(body)}"
        gone = socket.create_connection((client.base_url.host, client.base_url.port))
        gone.sendall(head.encode() + b"\r\n\r\n" + body)
        until(lambda: service.queue.full)
        gone.close()
        until(lambda: service.queue.taken == 1)
        detector.open.set()
        assert first.result().status_code == 200
        assert client.post("/v1/predict", files=files(picture(3))).status_code == 200
        assert sum(detector.batches) == 2, "what nobody waits for is not judged"
        assert (
            'dfcore_requests_total{method="POST",route="/v1/predict",status="gone"} 1.0' in client.get("/metrics").text
        )


def test_what_takes_too_long_is_given_up(detector):
    detector.open.clear()
    with serving(detector, seconds=0.3) as (client, service):
        late = client.post("/v1/predict", files=files(picture()))
        assert (late.status_code, late.json()["error"]["code"]) == (429, "late")
        assert "Retry-After" in late.headers
        detector.open.set()
        until(lambda: service.queue.taken == 0)


def test_a_network_that_fails_on_one_picture_spoils_no_other(detector, monkeypatch):
    bad, judge = picture(1), StandIn.judge

    def fails(self, images, policy):
        if any(image.facts.bytes == len(bad) for image in images):
            raise RuntimeError("secret of the machine")
        return judge(self, images, policy)

    monkeypatch.setattr(StandIn, "judge", fails)
    good = picture(2, side=30)
    detector.open.clear()
    with serving(detector) as (client, service), ThreadPoolExecutor(3) as pool:
        first = pool.submit(client.post, "/v1/predict", files=files(picture(4, side=30)))
        until(lambda: service.queue.waiting == 1 and service.queue._ready.empty())
        asked = [pool.submit(client.post, "/v1/predict", files=files(content)) for content in (bad, good)]
        until(lambda: service.queue._ready.qsize() == 2)
        detector.open.set()
        assert first.result().status_code == asked[1].result().status_code == 200
        failed = asked[0].result()
        assert (failed.status_code, failed.json()["error"]["code"]) == (500, "unexpected")
        assert "secret" not in failed.text and failed.headers["X-Request-Id"] in failed.text


def test_the_pace_is_measured_over_busy_time_alone():
    now = [0.0]
    pace = Pace(lambda: now[0])
    for _ in range(100):
        now[0] += 60  # Nobody waited.
        began, now[0] = now[0], now[0] + 2
        pace.done(4, began)
    assert pace.seconds == pytest.approx(0.5, rel=0.01)
    assert pace.wait(10) == pytest.approx(5, rel=0.01)
    assert (pace.wait(0), pace.wait(10**6)) == (1.0, 300.0)


# === Its beginning and end ===


def test_while_detectors_load_it_lives_but_is_not_ready():
    service = Service(Settings(), Bench())
    gate = threading.Event()

    def load(settings):
        gate.wait(20)
        service.bench.ready = bench().ready

    service.bench.load = load
    with served(service) as address:
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert httpx.get(f"{address}/readyz").json() == {"status": "loading"}
        early = httpx.post(f"{address}/v1/predict", files=files(picture()))
        assert (early.status_code, early.json()["error"]["code"]) == (503, "loading")
        gate.set()
        until(lambda: httpx.get(f"{address}/readyz").status_code == 200)


def test_a_detector_that_is_not_there_ends_it_with_the_reason(capsys):
    assert main(["serve", "--detector", "nowhere", "--port", "0"]) == 2
    assert "There is no detector 'nowhere'" in capsys.readouterr().err


def test_a_detector_that_cannot_be_loaded_ends_it_with_the_reason(monkeypatch, capsys):
    def load(settings):
        raise BundleError("small: its network is damaged.")

    broken = Bench()
    broken.load = load
    monkeypatch.setattr(server.log, "set_up", lambda: None)
    monkeypatch.setattr(server, "Service", lambda settings: Service(settings, broken))
    assert main(["serve", "--detector", str(ROOT / "models" / "small"), "--port", "0"]) == 2
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "dfcore: small: its network is damaged."
    assert "http://127.0.0.1:" in told.out


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(pause: float, grace: float) -> tuple[subprocess.Popen, str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.serving", str(pause), str(port), str(grace)], cwd=ROOT,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=dict(os.environ),
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            assert process.poll() is None, process.stderr.read()
            return False

    until(ready, 60)
    return process, address


@pytest.mark.slow
def test_when_told_to_stop_it_answers_all_that_it_has_accepted():
    process, address = started(pause=0.05, grace=60)
    content, stop = picture(), threading.Event()

    async def client(outcomes: list[str]) -> None:
        while not stop.is_set():
            try:
                _, writer = pair = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            except OSError:
                outcomes.append("not accepted")
                return
            head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nConnection: close\r\n"
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            try:
                answer = await asyncio.wait_for(pair[0].read(), 60)
                outcomes.append(answer[9:12].decode() or "lost")
            except OSError as error:
                outcomes.append(f"lost: {error}")
            writer.close()

    async def load() -> list[str]:
        outcomes: list[str] = []
        tasks = [asyncio.create_task(client(outcomes)) for _ in range(20)]
        while len(outcomes) < 20:
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait(tasks, timeout=60)
        stop.set()
        return outcomes

    outcomes = asyncio.run(load())
    log = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert outcomes.count("200") > 20
    assert set(outcomes) <= {"200", "not accepted"}, outcomes
    assert outcomes.count("not accepted") == 20, "it accepts no more in the end"
    assert '"event": "closed", "waiting": 0' in log


def posted(pool: ThreadPoolExecutor, address: str, pictures: int) -> list:
    """Sends pictures at once, half a second ago by now; their answers are to come."""
    asked = [
        pool.submit(httpx.post, f"{address}/v1/predict", files=files(picture(n)), timeout=60) for n in range(pictures)
    ]
    time.sleep(0.5)
    return asked


@pytest.mark.slow
def test_what_cannot_be_judged_in_time_is_told_that_it_ends():
    process, address = started(pause=2.0, grace=0.5)
    with ThreadPoolExecutor(4) as pool:
        asked = posted(pool, address, 4)
        process.send_signal(signal.SIGTERM)
        answers = [one.result() for one in asked]
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert any(answer.status_code == 503 and answer.json()["error"]["code"] == "closing" for answer in answers)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x"])
def test_what_has_not_arrived_in_time_is_told_that_it_ends(kind):
    process, address = started(pause=0, grace=0.5)
    with connected(address) as connection:
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n--x"
        )
        connection.sendall(head.encode())
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        answer = b""
        while part := connection.recv(4096):
            answer += part
    log = process.communicate(timeout=30)[1]
    assert process.returncode == 0
    assert answer.startswith(b"HTTP/1.1 503") and b'"closing"' in answer and b"retry-after" in answer.lower()
    assert "Traceback" not in log


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once():
    process, address = started(pause=1.0, grace=60)
    with ThreadPoolExecutor(8) as pool:
        asked = posted(pool, address, 8)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert time.monotonic() - began < 5
        assert all(one.exception() or one.result().status_code in (200, 503) for one in asked)


def test_a_signal_waits_for_no_lock_that_it_may_have_interrupted():
    service = Service(Settings(), bench())
    one = Server(service, configured(service))

    def interrupted() -> None:
        with service.queue._lock:
            one._stop(signal.SIGTERM, None)
            one._stop(signal.SIGTERM, None)

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive() and one.force_exit


# === Its own description ===


def test_every_address_takes_its_own_methods_and_no_other_is_known(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path, own in paths.items():
        other = "POST" if "get" in own else "GET"
        answer = client.request(other, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method"), path
        assert {name.lower() for name in answer.headers["Allow"].split(", ")} - {"head"} == set(own), path
    for path in ("/v1/nothing", "/nothing.html", "/../app.py", "/%2e%2e/app.py"):
        assert client.get(path).json()["error"]["code"] == "not_found", path
    for file in ("", *(file.name for file in WEB.iterdir())):
        assert client.get(f"/{file}").status_code == 200
    assert client.post("/").status_code == 405


def test_the_page_of_the_description_loads_nothing(client):
    page = client.get("/docs")
    assert page.status_code == 200 and "/v1/predict" in page.text and "max_fpr" in page.text
    assert not any(sign in page.text for sign in ("<script", "src=", "@import", "url(", "cdn"))
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert client.get("/openapi.json").json()["info"]["title"] == "Deepfake workbench"


def test_a_proxy_may_show_it_under_a_path(detector):
    own = Service(Settings(root_path="/dfcore"), bench(**{"stand-in": detector}))
    with served(own) as address, httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/dfcore"}]
        assert "/dfcore/v1/predict" in client.get("/docs").text
        assert client.get("/").status_code == client.get("/app.js").status_code == 200
        assert client.post("/v1/predict", files=files(picture())).status_code == 200
        assert 'route="/v1/predict"' in client.get("/metrics").text
        assert client.get("/v1/predict").status_code == 405


def test_figures_tell_verdicts_and_refusals(client):
    client.post("/v1/predict", files=files(picture(), b"text"))
    client.post("/v1/predict", files=files(b"text"))
    text = client.get("/metrics").text
    assert 'dfcore_verdicts_total{detector="stand-in",finding="error"} 2.0' in text
    assert 'dfcore_refusals_total{code="image"} 1.0' in text
    assert 'dfcore_requests_total{method="POST",route="/v1/predict",status="200"} 1.0' in text


@pytest.mark.slow
def test_no_request_that_its_description_allows_or_forbids_breaks_it(tmp_path):
    checks = (
        "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
        "response_headers_conformance", "unsupported_method",
    )  # fmt: skip
    program = Path(sys.executable).with_name("schemathesis")
    with serving(StandIn()) as (client, _):
        command = [
            program, "run", f"{client.base_url}/openapi.json", "--checks", ",".join(checks), "--max-examples", "15",
            "--generation-deterministic", "--no-color", "--request-timeout", "60",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "Tested: 6" in done.stdout
        text = client.get("/metrics").text
    answered = {line.split('status="')[1][:3] for line in text.splitlines() if line.startswith("dfcore_requests_total")}
    assert {"200", "422", "415"} <= answered, "it went past the first gate"
