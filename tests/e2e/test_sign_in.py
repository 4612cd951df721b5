"""Sign-in and roles, in a real browser, against a small OpenID Connect provider of our own."""

import base64
import io
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from PIL import Image, ImageOps

from dfcore.datasets.demo import make_demo, sample_images
from tests.e2e.server import ROOT, dashboard, settle

pytestmark = pytest.mark.browser
CLIENT, CLIENT_SECRET = "workbench", "client-s3cr3t-0123456789"
COOKIE_SECRET = "cookie-s3cr3t-0123456789-0123456789"
ROLES = {"trainer": ["ada@example.org"], "analyst": ["*@news.example.org"], "viewer": ["*@example.org"]}
PAGES = ("", "inspect", "batch", "video", "cases", "datasets", "train", "monitor", "evaluate", "models")
TRAINER, ANALYST, VIEWER = "ada@example.org", "eve@news.example.org", "bob@example.org"


class Provider(ThreadingHTTPServer):
    """Signs in at once whoever `user` says; its tokens are signed with a key of its own."""

    daemon_threads = True

    def __init__(self) -> None:
        from joserfc.jwk import RSAKey

        super().__init__(("127.0.0.1", 0), _Answers)
        self.key = self.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
        self.user: dict = {}
        self.codes: dict[str, tuple[str, dict]] = {}

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def metadata(self) -> dict:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def id_token(self, nonce: str, user: dict) -> str:
        from joserfc import jwt

        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": nonce, "sub": "1"}
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims | user, self.signing_key)


class _Answers(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/.well-known/openid-configuration":
            self._answer(self.server.metadata())
        elif asked.path == "/jwks":
            self._answer({"keys": [self.server.key.as_dict(private=False)]})
        elif asked.path == "/authorize" and query.get("client_id") == CLIENT:
            code = f"code-{len(self.server.codes)}"
            self.server.codes[code] = query["nonce"], dict(self.server.user)
            self.send_response(302)
            back = urlencode({"code": code, "state": query["state"]})
            self.send_header("Location", f"{query['redirect_uri']}?{back}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        expected = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        known = self.server.codes.pop(form.get("code", [""])[0], None)
        if self.path != "/token" or known is None or self.headers["Authorization"] != f"Basic {expected}":
            self.send_error(400)
            return
        token = self.server.id_token(*known)
        self._answer({"access_token": "access", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def _answer(self, value: dict) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as result:
        threading.Thread(target=result.serve_forever, daemon=True).start()
        yield result
        result.shutdown()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, provider):
    """A detector, the demonstration set, and secrets; all of it away from the checkout."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "models" / "small", folder / "models" / "small")
    make_demo(folder / "data" / "demo")
    lists = "\n".join(f"{role} = {json.dumps(patterns)}" for role, patterns in ROLES.items())
    (folder / "secrets.toml").write_text(f"""
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{COOKIE_SECRET}"
client_id = "{CLIENT}"
client_secret = "{CLIENT_SECRET}"
server_metadata_url = "{provider.issuer}/.well-known/openid-configuration"

[roles]
{lists}
""")
    return folder


@pytest.fixture(scope="module")
def start(workspace):
    """Starts a dashboard with sign-in."""

    def started():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STREAMLIT_SECRETS_FILES", str(workspace / "secrets.toml"))
            patch.setenv("DFCORE_LOGS", str(workspace / "logs"))
            patch.delenv("DFCORE_DEBUG", raising=False)
            server = dashboard(workspace)
            return server, server.__enter__()

    return started


@pytest.fixture(scope="module")
def address(start) -> Iterator[str]:
    server, result = start()
    yield result
    server.__exit__(None, None, None)


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(60_000)
    result = context.new_page()
    result.goto(address)
    settle(result)
    yield result
    context.close()


def main(page) -> str:
    """All that the page itself shows."""
    return page.get_by_test_id("stMain").inner_text().replace("\N{WORD JOINER}", "")


def heading(page) -> list[str]:
    return page.get_by_test_id("stMain").get_by_role("heading").all_inner_texts()


def sign_in(page, provider, email: str, **claims) -> None:
    provider.user = {"email": email, "email_verified": True, "name": "Somebody"} | claims
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"^http://127\.0\.0\.1:\d+/$"))
    page.get_by_role("button", name="Sign out").wait_for()
    settle(page)


def go(page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    page.get_by_role("heading", name=re.compile(name.split()[0])).first.wait_for()
    settle(page)


def shows_nothing_but_the_button(page) -> None:
    assert heading(page) == ["Deepfake workbench"]
    assert page.get_by_role("button", name="Sign in").count() == 1
    assert re.sub(r"\s+", " ", re.sub(r"\blogin\b", "", main(page))).strip() == (
        "Deepfake workbench Sign in to continue. Sign in"
    )
    assert page.get_by_test_id("stFileUploader").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_before_sign_in_no_address_shows_anything_but_the_button(page, address, name):
    page.goto(f"{address}/{name}")
    page.get_by_role("button", name="Sign in").wait_for()
    settle(page)
    shows_nothing_but_the_button(page)


@pytest.mark.parametrize("name", ["models", "inspect"])
def test_the_very_first_address_that_a_server_is_asked_for_shows_nothing_either(start, browser, name):
    """Open tabs come back all at once when a server is restarted."""
    server, fresh = start()
    try:
        context = browser.new_context()
        tabs = [context.new_page() for _ in range(8)]
        for tab in tabs:
            tab.evaluate(f"setTimeout(() => location.assign('{fresh}/{name}'), 300)")
        for tab in tabs:
            tab.wait_for_url(f"{fresh}/{name}")
            tab.get_by_test_id("stMain").get_by_role("heading").first.wait_for(timeout=120_000)
            settle(tab)
            shows_nothing_but_the_button(tab)
        context.close()
    finally:
        server.__exit__(None, None, None)


def test_a_viewer_sees_pages_but_is_offered_no_upload_and_no_training(page, provider):
    sign_in(page, provider, VIEWER)
    assert f"{VIEWER}, viewer" in page.get_by_test_id("stSidebar").inner_text().replace("\N{WORD JOINER}", "")
    assert "Available detectors" in main(page)
    assert page.get_by_test_id("stFileUploader").count() == 0
    go(page, "Inspect")
    assert "Judging images requires the role of analyst; yours is viewer." in main(page)
    assert page.get_by_test_id("stFileUploader").count() == 0
    assert page.get_by_role("button", name="Use the camera").count() == 0
    go(page, "Train")
    assert "Training requires the role of trainer; yours is viewer." in main(page)
    assert page.get_by_role("button", name="Start training").count() == 0
    go(page, "Models")
    assert "small" in main(page)


def test_what_a_viewer_clicks_all_the_same_is_refused(page, provider, workspace):
    sign_in(page, provider, VIEWER)
    go(page, "Models")
    page.get_by_role("button", name="Make default").first.click()
    page.get_by_text("Making a detector the default requires the role of trainer").wait_for()
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("button", name="Delete for good").click()
    page.get_by_text("Deleting a detector requires the role of trainer").wait_for()
    assert (workspace / "models" / "small" / "card.json").is_file()
    assert not (workspace / "models" / "default.txt").exists()
    assert f"Refused to {VIEWER} (viewer): Deleting a detector" in (workspace / "logs" / "dashboard.log").read_text()


def test_an_analyst_judges_but_does_not_train(page, provider, tmp_path):
    sign_in(page, provider, ANALYST)
    assert f"{ANALYST}, analyst" in page.get_by_test_id("stSidebar").inner_text().replace("\N{WORD JOINER}", "")
    go(page, "Inspect")
    name, data = next(iter(sample_images().items()))
    # As small as the pictures that this detector knows: a score that is not used has no heat-map.
    ImageOps.fit(Image.open(io.BytesIO(data)).convert("RGB"), (36, 36)).save(tmp_path / name)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(str(tmp_path / name))
    page.get_by_text(re.compile("Likely (fake|real)|Inconclusive|No sign of a fake found")).first.wait_for(
        timeout=180_000
    )
    page.locator("img.map").wait_for(timeout=180_000)
    settle(page)
    assert page.get_by_test_id("stAlertContentError").count() == 0
    go(page, "Train")
    assert "Training requires the role of trainer; yours is analyst." in main(page)
    assert page.get_by_role("button", name="Start training").count() == 0


def test_an_analyst_downloads_a_detector(page, provider):
    sign_in(page, provider, ANALYST)
    go(page, "Models")
    with page.expect_download(timeout=60_000) as waiting:
        page.get_by_test_id("stDownloadButton").get_by_role("button").click()
    assert waiting.value.suggested_filename == "small.zip"
    assert Path(waiting.value.path()).read_bytes()[:2] == b"PK"


def test_a_trainer_is_offered_training(page, provider):
    sign_in(page, provider, TRAINER)
    assert f"{TRAINER}, trainer" in page.get_by_test_id("stSidebar").inner_text().replace("\N{WORD JOINER}", "")
    go(page, "Train")
    page.get_by_role("button", name="Start training").wait_for(timeout=120_000)
    assert "requires the role of" not in main(page)
    go(page, "Inspect")
    assert page.get_by_test_id("stFileUploader").count() >= 1


KEPT_OUT = [
    pytest.param("mallory@evil.org", {}, id="no-role"),
    pytest.param("ada@example.org.evil.org", {}, id="a-domain-that-begins-alike"),
    pytest.param(TRAINER, {"email_verified": False}, id="address-not-verified"),
]


@pytest.mark.parametrize(("email", "claims"), KEPT_OUT)
def test_somebody_without_a_role_is_kept_out_of_every_page(page, provider, address, email, claims):
    sign_in(page, provider, email, **claims)
    for name in ("", "models", "inspect"):
        page.goto(f"{address}/{name}")
        page.get_by_role("button", name="Sign out").wait_for()
        settle(page)
        assert (
            main(page)
            .strip()
            .endswith("You are signed in, but have no role here. The server's administrator can assign one.")
        )
        assert heading(page) == []


def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(page, provider):
    from joserfc.jwk import RSAKey

    provider.user = {"email": TRAINER, "email_verified": True}
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    try:
        with page.expect_response(re.compile("/oauth2callback")):
            page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state("networkidle")
        page.get_by_role("button", name="Sign in").wait_for()
        settle(page)
        shows_nothing_but_the_button(page)
    finally:
        provider.signing_key = provider.key


def test_a_cookie_that_was_made_up_signs_nobody_in(browser, address):
    context = browser.new_context()
    forged = base64.b64encode(json.dumps({"email": TRAINER, "is_logged_in": True, "origin": address}).encode()).decode()
    context.add_cookies([{"name": "_streamlit_user", "value": forged, "url": address}])
    page = context.new_page()
    page.goto(f"{address}/models")
    page.get_by_role("button", name="Sign in").wait_for()
    settle(page)
    shows_nothing_but_the_button(page)
    context.close()


def test_who_signs_out_sees_nothing_any_more(page, provider, address):
    sign_in(page, provider, TRAINER)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    page.goto(f"{address}/models")
    page.get_by_role("button", name="Sign in").wait_for()
    settle(page)
    shows_nothing_but_the_button(page)


def test_several_people_keep_their_own_roles(browser, provider, address):
    result = {}
    for email in (TRAINER, VIEWER):
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        settle(page)
        sign_in(page, provider, email)
        result[email] = page
    for email, page in result.items():
        go(page, "Train")
        assert ("Training requires the role of trainer" in main(page)) == (email == VIEWER)
        page.context.close()


def test_no_secret_reaches_a_log(workspace, provider):
    for file in (*(workspace / "logs").iterdir(), workspace / "server.log"):
        text = file.read_text()
        assert CLIENT_SECRET not in text
        assert COOKIE_SECRET not in text
