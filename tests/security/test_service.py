"""What a service keeps to itself: who is let in, what it believes, what it writes down, what a body can cost."""

import hmac
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request

from dfcore.cli import main
from dfcore.errors import InputError
from dfcore.service import keys
from dfcore.service.callers import Door
from dfcore.service.judging import PictureJob
from dfcore.service.log import _Lines
from dfcore.service.settings import AUDIENCE, ISSUER, JWKS, PEOPLE, Limits, Provider, Settings, provider
from dfcore.service.state import Service
from dfcore.service.tokens import ProviderError, Tokens
from tests.conftest import forget_peak, peak
from tests.unit.serving import bench, picture, served
from tests.unit.test_service import files, until

RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def made_keys(tmp_path, capsys):
    """A file with two keys, made by the command; and the keys."""
    path, made = tmp_path / "keys.json", []
    for name in ("ada", "ben"):
        rate = ["--rate", "1"] if name == "ben" else []
        assert main(["serve", "keys", "add", name, "--keys", str(path), *rate]) == 0
        made.append(capsys.readouterr().out.splitlines()[-1])
    return path, *made


@pytest.fixture
def log():
    """Lines of the log."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(_Lines().format(record))

    logger, handler = logging.getLogger("dfcore.service"), Kept()
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(before)


# === Keys ===


def test_a_key_is_told_once_and_only_its_hash_is_kept(made_keys, capsys):
    path, ada, ben = made_keys
    text = path.read_text()
    assert ada.startswith("dfs_") and len(ada) > 40 and ada != ben
    assert ada not in text and ben not in text
    assert main(["serve", "keys", "list", "--keys", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "ada" in shown and "ben" in shown
    assert not any(one["sha256"] in shown for one in json.loads(text)["keys"])
    assert main(["serve", "keys", "add", "ada", "--keys", str(path)]) == 2
    assert main(["serve", "keys", "remove", "eve", "--keys", str(path)]) == 2
    assert "(ada, ben)" in capsys.readouterr().err


def test_only_who_has_a_key_is_let_in_until_it_is_removed(made_keys, log):
    path, ada, ben = made_keys
    service = Service(Settings(keys=path), bench())
    with served(service) as address, httpx.Client(base_url=address, trust_env=False) as client:
        basic, odd = {"Authorization": f"Basic {ada}"}, {"Authorization": "Bearer é"}
        for headers in ({}, {"X-API-Key": "dfs_wrong"}, basic, odd):
            raw = {name: value.encode("utf-8") for name, value in headers.items()}
            for method, path_ in (("POST", "/v1/predict"), ("GET", "/v1/detectors"), ("GET", "/metrics")):
                answer = client.request(method, path_, headers=raw)
                assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        for open_ in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert client.get(open_).status_code == 200
        for headers in ({"X-API-Key": ada}, {"Authorization": f"Bearer {ada}"}):
            assert client.post("/v1/predict", headers=headers, files=files(picture())).status_code == 200
        mine = {"X-API-Key": ben}
        assert client.post("/v1/predict", headers=mine, files=files(picture())).status_code == 200
        assert client.post("/v1/predict", headers=mine, files=files(picture())).json()["error"]["code"] == "rate"
        assert main(["serve", "keys", "remove", "ada", "--keys", str(path)]) == 0
        assert client.get("/v1/detectors", headers={"X-API-Key": ada}).status_code == 401
        assert client.get("/v1/detectors", headers=mine).status_code == 200
        path.write_text("broken")
        assert client.get("/v1/detectors", headers=mine).json()["error"]["code"] == "keys"
    told = "\n".join(log)
    assert '"caller": "ada"' in told
    assert ada not in told and ben not in told and "dfs_" not in told


def test_all_keys_are_compared_each_time(made_keys, monkeypatch):
    path, ada, _ = made_keys
    compared = []
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda one, other: compared.append(one) or one == other)
    assert keys.find(keys.read(path), ada).name == "ada"
    assert len(compared) == 2, "the time tells nothing of where a key stands"


def test_without_keys_it_listens_on_this_machine_only(capsys, monkeypatch, made_keys):
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(InputError, match="listens on this machine only"):
            Settings(host=host)
        Settings(host=host, keys=made_keys[0])
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        Settings(host=host)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "DFCORE_SERVICE_KEYS" in capsys.readouterr().err


def test_a_file_of_keys_that_is_not_there_or_damaged_lets_nobody_in(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Service(Settings(keys=tmp_path / "none.json"), bench())
    for text in ("{}", '{"keys": [{"name": "a", "sha256": "", "created": ""}]}', '{"keys": [{"name": 1}]}', "[]"):
        (tmp_path / "keys.json").write_text(text)
        with pytest.raises(InputError, match="no file of keys"):
            Service(Settings(keys=tmp_path / "keys.json"), bench())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1234"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "service.example.org"}, 200),
        ({"Host": "rebound.example.org"}, 403),
        ({"Host": "127.0.0.1.example.org"}, 403),
        ({"Origin": "https://elsewhere.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost", "Origin": "http://localhost:8000"}, 200),
        ({"Origin": "https://page.example.org"}, 200),
    ],
)
def test_pages_of_other_sites_in_the_browser_cannot_use_a_service_without_keys(headers, status):
    settings = Settings(hosts=("service.example.org",), origins=("https://page.example.org",))
    with served(Service(settings, bench())) as address:
        answer = httpx.get(f"{address}/v1/detectors", headers=headers)
        assert answer.status_code == status
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed == (headers["Origin"] if headers.get("Origin", "").startswith("https://page") else None)


# === Tokens ===


@pytest.fixture(scope="module")
def signing():
    return {name: rsa.generate_private_key(65537, 2048) for name in ("own", "strange")} | {
        "curve": ec.generate_private_key(ec.SECP256R1())
    }


@pytest.fixture
def issuer(tmp_path, signing):
    """The provider, whose keys are in a file."""
    rsa_key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing["own"].public_key()))
    curve = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(signing["curve"].public_key()))
    secret = {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "secret"}
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [rsa_key | {"kid": "own"}, curve | {"kid": "curve", "alg": "ES256"}, secret]}))
    return Provider("https://issuer.example.org", "dfcore", str(path), ("*@news.example.org",))


def claims(**changes):
    now = int(time.time())
    return {
        "iss": "https://issuer.example.org", "aud": "dfcore", "sub": "1", "exp": now + 600, "iat": now,
        "email": "Ada@news.example.org", "email_verified": True,
    } | changes  # fmt: skip


def without(name):
    return {key: value for key, value in claims().items() if key != name}


def token(signing, payload=None, key="own", algorithm="RS256", kid="own"):
    return jwt.encode(payload or claims(), signing[key], algorithm, headers={"kid": kid} if kid else {})


def test_a_token_of_the_provider_is_accepted_and_told_by_its_address(issuer, signing):
    tokens = Tokens(issuer)
    assert tokens.subject(token(signing)) == "ada@news.example.org"
    assert tokens.subject(token(signing, key="curve", algorithm="ES256", kid="curve")) == "ada@news.example.org"
    assert tokens.subject(token(signing, claims(aud=["other", "dfcore"], exp=int(time.time()) - 5)))


WRONG = {
    "expired": ({"exp": 1}, "has expired"),
    "not valid yet": ({"nbf": 2**40}, "not valid yet"),
    "another audience": ({"aud": "other"}, "another audience"),
    "another issuer": ({"iss": "https://issuer.example.org.evil"}, "another issuer"),
    "nobody known": ({"email": "eve@elsewhere.example.org"}, "not let in"),
    "an unverified address": ({"email_verified": False}, "not let in"),
    "an address of which nothing is said": ({"email_verified": None}, "not let in"),
    "an address of which something else is said": ({"email_verified": "maybe"}, "not let in"),
    "no address": ({"email": ""}, "not let in"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_token_with_wrong_claims_is_not(issuer, signing, what):
    changes, why = WRONG[what]
    with pytest.raises(ValueError, match=why):
        Tokens(issuer).subject(token(signing, claims(**changes)))


def test_an_address_that_is_not_said_to_be_verified_lets_nobody_in_and_names_nobody(issuer, signing):
    silent = token(signing, without("email_verified"))
    with pytest.raises(ValueError, match=r"not let in here .*email_verified"):
        Tokens(issuer).subject(silent)
    assert Tokens(replace(issuer, people=())).subject(silent) == "1"
    assert Tokens(issuer).subject(token(signing, claims(email_verified="true"))) == "ada@news.example.org"


def test_a_token_that_says_too_little_or_is_signed_otherwise_is_not(issuer, signing):
    tokens, good = Tokens(issuer), token(signing)
    pem = signing["own"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = good.split(".")
    encoded = jwt.utils.base64url_encode
    forged = encoded(json.dumps({"alg": "HS256", "kid": "own"}).encode()) + b"." + body.encode()
    with_public_key = forged + b"." + encoded(hmac.digest(pem, forged, "sha256"))
    other = encoded(json.dumps(claims(email="eve@news.example.org")).encode()).decode()
    wrong = [
        *(token(signing, without(name)) for name in ("exp", "iss", "aud", "sub")),
        token(signing, key="strange"), token(signing, kid="unknown"), token(signing, kid=None),
        token(signing, kid="curve"), jwt.encode(claims(), None, "none"),
        jwt.encode(claims(), "secret" * 8, "HS256", headers={"kid": "secret"}), with_public_key.decode(),
        f"{head}.{other}.{good.split('.')[2]}", f"{head}.{body}.", "", "a.b.c", "x" * 20_000,
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(ValueError, match=r"^(it|expected|its) ") as told:
            tokens.subject(one)
        assert not one or one not in str(told.value)


def test_tokens_and_keys_work_side_by_side_and_are_never_told(issuer, signing, made_keys, log):
    path, ada, _ = made_keys
    good, bad = token(signing), token(signing, claims(exp=1))
    with served(Service(Settings(keys=path, provider=issuer), bench())) as address:

        def ask(value: str) -> httpx.Response:
            return httpx.get(f"{address}/v1/detectors", headers={"Authorization": f"Bearer {value}"})

        assert ask(good).status_code == ask(ada).status_code == 200
        assert ask(bad).json()["error"]["message"] == "This token is not accepted: it has expired. Sign in again."
        assert ask("dfs_unknown").status_code == 401
    assert '"caller": "ada@news.example.org"' in "\n".join(log)
    assert not any(value in line for line in log for value in (good, bad, ada))


@pytest.fixture
def published(issuer):
    """The provider's keys as text."""
    return Path(issuer.jwks).read_text(encoding="utf-8")


def at_address(issuer: Provider, fetch, clock) -> Tokens:
    return Tokens(replace(issuer, jwks="https://issuer.example.org/jwks"), fetch, clock)


def test_an_unknown_key_makes_the_provider_busy_once_a_minute_at_most(issuer, signing, published):
    now, asked = [0.0], []

    def fetch(address: str) -> str:
        asked.append(address)
        return published

    tokens = at_address(issuer, fetch, lambda: now[0])
    for _ in range(20):
        with pytest.raises(ValueError):
            tokens.subject(token(signing, kid="invented"))
    assert tokens.subject(token(signing))
    assert len(asked) == 1
    now[0] += 61
    with pytest.raises(ValueError):
        tokens.subject(token(signing, kid="invented"))
    assert len(asked) == 2


@pytest.mark.parametrize(
    "outage", [OSError("down"), IncompleteRead(b""), "no JSON", "[]", '{"keys": [1]}', '{"keys": []}']
)
def test_while_the_provider_is_down_tokens_are_not_called_wrong(issuer, signing, published, outage):
    now, answers = [0.0], [outage]

    def fetch(address: str) -> str:
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    tokens = at_address(issuer, fetch, lambda: now[0])
    for _ in range(3):  # The provider is asked once, and what came of it is told to all.
        with pytest.raises(ProviderError, match="cannot be fetched"):
            tokens.subject(token(signing))
    answers[0], now[0] = published, 61.0
    assert tokens.subject(token(signing)) == "ada@news.example.org"
    answers[0], now[0] = outage, 4000.0
    assert tokens.subject(token(signing)) == "ada@news.example.org", "old keys hold"
    with pytest.raises(ProviderError):  # It may be a new one.
        tokens.subject(token(signing, kid="new"))


def test_nobody_waits_while_another_fetches_the_keys(issuer, signing, published):
    now, gate, fetching = [0.0], threading.Event(), threading.Event()
    gate.set()

    def fetch(address: str) -> str:
        fetching.set()
        gate.wait(20)
        return published

    tokens = at_address(issuer, fetch, lambda: now[0])
    assert tokens.subject(token(signing))
    gate.clear()
    fetching.clear()
    now[0] = 61.0
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(tokens.subject, token(signing, kid="invented"))
        assert fetching.wait(5)
        try:
            assert pool.submit(tokens.subject, token(signing)).result(5) == "ada@news.example.org"
            with pytest.raises(ProviderError, match="being fetched") as told:
                pool.submit(tokens.subject, token(signing, kid="invented")).result(5)
            assert told.value.retry < 60
        finally:
            gate.set()
        with pytest.raises(ValueError, match="does not publish"):
            first.result()


def test_keys_need_no_thread_of_those_who_may_wait_for_the_provider(issuer, made_keys):
    door = Door(Settings(keys=made_keys[0], provider=issuer))

    def waits(**headers: str) -> bool:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return door.may_wait(Request({"type": "http", "headers": raw}))

    assert not waits() and not waits(x_api_key=made_keys[1]) and not waits(authorization=f"Bearer {made_keys[1]}")
    assert waits(authorization="Bearer a.b.c")


def test_half_a_provider_or_an_unprotected_one_is_refused():
    whole = {ISSUER: "i", AUDIENCE: "a", JWKS: "https://x/jwks", PEOPLE: "*@a.org, b@c.org"}
    assert provider(whole).people == ("*@a.org", "b@c.org")
    assert provider({}) is None
    for wrong in ({ISSUER: "i"}, {PEOPLE: "*"}, whole | {JWKS: "http://x/jwks"}):
        with pytest.raises(InputError):
            provider(wrong)


# === What is sent ===


def test_names_are_words_and_are_not_written_down(log, tmp_path):
    names = ["../../etc/passwd", "=HYPERLINK(1)", "a\r\nX-Evil: 1", "\u202egnp.exe", "x" * 3000]
    with served(Service(Settings(), bench())) as address:
        for name in names:
            rows = httpx.post(f"{address}/v1/predict", files=[("files", (name, picture()))]).json()["results"]
            assert len(rows[0]["path"]) <= 255 and rows[0]["score"] is not None
            httpx.post(f"{address}/v1/predict", params={"name": name[:255]}, content=b"secret", headers=RAW)
        httpx.get(f"{address}/v1/a%0D%0Aforged-line")
    assert not any(word in line for line in log for word in ("passwd", "HYPERLINK", "Evil", "gnp", "xxxx", "secret"))
    assert all(json.loads(line) for line in log)


def test_forwarded_headers_are_believed_from_named_proxies_only(log):
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for proxies, client in (("", "127.0.0.1"), ("192.0.2.1", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")):
        log.clear()
        with served(Service(Settings(proxies=proxies), bench())) as address:
            assert httpx.get(f"{address}/v1/detectors", headers=forged).status_code == 200
        (line,) = [json.loads(line) for line in log if "detectors" in line]
        assert line["client"] == client


@pytest.mark.parametrize(
    ("proxies", "headers", "shown"),
    [
        ("", {}, None),
        ("", {"Host": "judge.example.org", "X-Forwarded-Proto": "https"}, "https://SERVICE"),
        ("127.0.0.1", {"Host": "judge.example.org"}, "https://SERVICE"),
        ("127.0.0.1", {"Host": "judge.example.org", "X-Forwarded-Proto": "https"}, "https://judge.example.org"),
    ],
)
def test_examples_send_a_key_over_tls_or_to_this_machine(made_keys, proxies, headers, shown):
    settings = Settings(keys=made_keys[0], proxies=proxies)
    with served(Service(settings, bench())) as address:
        page = httpx.get(f"{address}/docs", headers=headers).text
        shown = shown or address
        assert f"{shown}/v1/detectors</pre>" in page
        assert "http://" not in page.replace(address, "")


def test_what_was_refused_leaves_no_open_files():
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    service = Service(Settings(limits=Limits(file_bytes=2**21)), bench())
    with served(service) as address, httpx.Client(base_url=address) as client:
        client.post("/v1/predict", files=files(picture()))
        before = opened()
        for _ in range(5):
            big = files(picture(), bytes(2**21), bytes(2**21 + 1))
            assert client.post("/v1/predict", files=big).status_code == 413
            assert client.post("/v1/predict", content=bytes(2**21 + 1), headers=RAW).status_code == 413
            assert client.post("/v1/predict", files=[*files(bytes(2**21)), ("other", b"1")]).status_code == 422
        until(lambda: opened() <= before + 1)


@pytest.mark.slow
def test_bodies_that_wait_are_not_in_memory(monkeypatch):
    most, size, gate, read = 12, 12 * 2**20, threading.Event(), PictureJob.read
    monkeypatch.setattr(PictureJob, "read", lambda job: gate.wait(60) and read(job))

    def body():
        for _ in range(size // 2**16):
            yield bytes(2**16)

    service = Service(Settings(), bench())
    with served(service) as address, ThreadPoolExecutor(most) as pool:
        before, url = forget_peak(), f"{address}/v1/predict"
        asked = [pool.submit(httpx.post, url, content=body(), headers=RAW, timeout=120) for _ in range(most)]
        until(lambda: service.queue.waiting == most, 60)
        assert service.spool.held == most * size
        assert peak() - before < most * size // 4
        gate.set()
        assert {one.result().json()["error"]["code"] for one in asked} == {"image"}
    assert service.spool.held == 0
