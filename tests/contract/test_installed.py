"""The package as pip installs it: what its wheel holds, its detectors, its dashboard from an empty folder, no network.

A wheel is built and unpacked beside the installed dependencies, which is what pip does with it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.conftest import ROOT, make_image

pytestmark = pytest.mark.slow
_PATIENCE = 120
# Started by every Python whose path holds it: writes down, and refuses, whatever leaves this machine.
_GUARD = """
import sys

def guard(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"):
        with open({log!r}, "a") as file:
            file.write(f"{{event}} {{host}}\\n")
        raise PermissionError(f"{{event}} {{host}}")

sys.addaudithook(guard)
open({started!r}, "a").write("started\\n")
"""


def build(source: Path, target: str, folder: Path) -> Path:
    """Builds a wheel or an sdist."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder that stands for site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def empty(tmp_path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def environment(installed: Path, *before: Path, **more: str) -> dict[str, str]:
    """As of somebody who set nothing."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("DFCORE_", "STREAMLIT_"))}
    return own | {"PYTHONPATH": os.pathsep.join(map(str, (*before, installed)))} | more


def run(installed: Path, folder: Path, *arguments: str, **more: str) -> str:
    """Runs Python in a folder; gives what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(installed) | more,
        capture_output=True, text=True, check=False, timeout=_PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# === What the wheel holds ===


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_a_wheel_holds_the_library_its_detectors_and_the_dashboard_and_no_tests(wheel):
    files = names(wheel)
    assert {"dfcore/py.typed", "dfcore/cli.py", "dfcore/_app/streamlit_app.py"} <= files
    assert {
        "dfcore/_app/pages/home.py",
        "dfcore/_app/dashboard/roles.py",
        "dfcore/_app/.streamlit/config.toml",
    } <= files
    shipped = {name.split("/")[2] for name in files if name.startswith("dfcore/_models/")}
    assert shipped == {"default.txt", "faces", "parts", "photographs", "small"}
    tracked = subprocess.run(
        ["git", "ls-files", "dfcore", "dashboard", "pages", "models", "streamlit_app.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    inside = {"dashboard": "dfcore/_app/", "pages": "dfcore/_app/", "streamlit_app.py": "dfcore/_app/"}
    for name in tracked:  # None outside of a checkout.
        first = name.split("/")[0]
        path = name.replace("models/", "dfcore/_models/", 1) if first == "models" else inside.get(first, "") + name
        assert path in files or not (ROOT / name).exists(), f"{name} is missing from the wheel"
    tops = {name.split("/")[0] for name in files}
    assert len(tops) == 2 and "dfcore" in tops, f"the package and its metadata, nothing else: {tops}"
    assert not [name for name in files if "__pycache__" in name or "secrets" in name.rpartition("/")[2]]


def test_a_store_of_cases_is_made_from_an_installed_package(installed, empty):
    out = run(installed, empty, "-m", "dfcore", "cases", "create", "The first", "--json")
    assert json.loads(out)["id"] == 1 and (empty / "cases" / "cases.db").is_file()


def test_an_sdist_builds_the_same_wheel(wheel, tmp_path):
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    again = build(next((tmp_path / "source").iterdir()), "wheel", tmp_path / "again")
    assert names(again) == names(wheel)


def test_its_licence_travels_with_it(wheel):
    files = {name.rpartition("/")[2]: name for name in names(wheel) if "/licenses/" in name}
    assert set(files) == {"LICENSE", "NOTICE"}
    with zipfile.ZipFile(wheel) as archive:
        assert "Apache License" in archive.read(files["LICENSE"]).decode()
        notice = archive.read(files["NOTICE"]).decode()
    for name in ("faces", "photographs", "small"):
        card = json.loads((ROOT / "models" / name / "card.json").read_text())
        assert f"{name}: {card['licence']}" in " ".join(notice.split()), f"NOTICE tells another licence of {name}"


# === The installed library ===


def test_shipped_detectors_are_loaded_from_an_empty_folder(installed, empty):
    code = (
        "import dfcore; d = dfcore.Detector.load('faces'); print(d.folder); print(d.engine.name);"
        "print(*(info.name for info in dfcore.list_detectors()))"
    )
    folder, engine, detectors = run(installed, empty, "-c", code).splitlines()
    assert Path(folder) == installed / "dfcore" / "_models" / "faces"
    assert engine == "openvino", "trusted as in the checkout"
    assert detectors == "faces photographs small"
    assert list(empty.iterdir()) == [], "nothing is left behind"


def test_it_does_not_take_a_neighbour_for_its_checkout(installed, empty):
    """What another package left in site-packages is not ours."""
    (installed / "models" / "strange").mkdir(parents=True, exist_ok=True)
    (installed / "models" / "strange" / "card.json").write_text("{}")
    (installed / "streamlit_app.py").write_text("")
    code = "from dfcore import workspace; print(workspace.checkout(), workspace.app_script())"
    assert run(installed, empty, "-c", code).split() == ["None", str(installed / "dfcore/_app/streamlit_app.py")]
    (installed / "streamlit_app.py").unlink()


# === The installed dashboard ===


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def app(
    installed: Path, folder: Path, *before: Path, options: tuple[str, ...] = ()
) -> Iterator[tuple[str, psutil.Process]]:
    """Runs `dfcore app`; gives its address and its process."""
    port = free_port()
    command = [sys.executable, "-m", "dfcore", "app", "--port", str(port), *options]
    with open(folder.parent / "server.log", "w+") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment(installed, *before), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", server, folder.parent / "server.log")
            yield f"http://127.0.0.1:{port}", psutil.Process(server.pid)
        finally:
            server.kill()
            server.wait(_PATIENCE)


def wait_until_healthy(address: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                assert answer.read() == b"ok"
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def new_session(address: str):
    """What the server tells a browser that opens the first page (Streamlit's NewSession); waits until that has run."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    url = address.replace("http", "ws", 1) + "/_stcore/stream"
    result = None
    with connect(
        url, origin=Origin(address), subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None
    ) as browser:
        message = BackMsg()
        message.rerun_script.query_string = ""
        browser.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(bytes(browser.recv(timeout=_PATIENCE)))
            assert answer.WhichOneof("type") != "delta" or answer.delta.new_element.WhichOneof("type") != "exception"
            if answer.WhichOneof("type") == "new_session":
                result = answer.new_session
            if answer.WhichOneof("type") == "script_finished" and result is not None:
                return result


def test_the_dashboard_is_served_from_an_empty_folder_with_its_settings(installed, empty):
    with app(installed, empty) as (address, process):
        listening = {link.laddr.ip for link in process.net_connections("tcp") if link.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        session = new_session(address)
        assert session.custom_theme.base_font_size == 15 and session.custom_theme.light.primary_color == "#0f6f66"
        assert session.config.ToolbarMode.Name(session.config.toolbar_mode) == "VIEWER"
        assert session.config.show_error_links == session.config.SHOW_ERROR_LINKS_FALSE
        assert session.config.gather_usage_stats is False
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE) in (0, -signal.SIGINT)
    log = (empty.parent / "server.log").read_text()
    assert "Traceback" not in log, log


def test_errors_are_hidden_from_browsers_whatever_the_folder_says(installed, empty):
    """Settings of the package count before those of the folder, but secrets of the folder count."""
    (empty / ".streamlit").mkdir()
    (empty / ".streamlit" / "config.toml").write_text(
        '[client]\nshowErrorDetails = "full"\n[server]\naddress = "0.0.0.0"'
    )
    (empty / ".streamlit" / "secrets.toml").write_text('mine = "yes"')
    code = (
        "import json; from streamlit import config, secrets; from dfcore import workspace;"
        "config._main_script_path = str(workspace.app_script()); config.get_config_options(force_reparse=True);"
        "print(json.dumps([config.get_option('client.showErrorDetails'), config.get_option('server.address'),"
        "secrets['mine']]))"
    )
    assert json.loads(run(installed, empty, "-c", code)) == ["none", "127.0.0.1", "yes"]


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_a_port_that_is_none_is_refused(port, capsys):
    from dfcore.cli import main

    with pytest.raises(SystemExit) as caught:
        main(["app", f"--port={port}"])
    assert caught.value.code == 2
    assert "expected a number from 1 to 65535" in capsys.readouterr().err


# === The network ===


@pytest.fixture
def guard(tmp_path) -> Path:
    folder = tmp_path / "guard"
    folder.mkdir()
    files = {"log": str(folder / "outward.txt"), "started": str(folder / "started.txt")}
    (folder / "sitecustomize.py").write_text(_GUARD.format(**files))
    (folder / "outward.txt").write_text("")
    return folder


def test_the_guard_sees_what_leaves_the_machine(guard, installed, empty):
    code = (
        "import socket\n"
        "for host in ('198.51.100.1', 'example.invalid'):\n"
        "    try: socket.create_connection((host, 9), timeout=1)\n"
        "    except PermissionError: print('refused')\n"
    )
    assert run(guard, empty, "-c", code).split() == ["refused"] * 2
    assert "198.51.100.1" in (guard / "outward.txt").read_text()
    assert "example.invalid" in (guard / "outward.txt").read_text()


def test_nothing_connects_outward(guard, installed, empty):
    path = os.pathsep.join([str(guard), str(installed)])
    image = make_image(empty.parent / "image.png", (64, 64))
    run(installed, empty, "-c", "import dfcore; dfcore.Detector; dfcore.TrainConfig", PYTHONPATH=path)
    for engine in ("openvino", "keras"):
        out = run(installed, empty, "-m", "dfcore", "predict", "small", str(image), "--engine", engine, PYTHONPATH=path)
        assert "by small" in out
    with app(installed, empty, guard) as (address, process):
        new_session(address)
        others = [
            link.raddr
            for each in (process, *process.children(recursive=True))
            for link in each.net_connections("inet")
            if link.raddr and link.raddr.ip not in ("127.0.0.1", "::1")
        ]
    assert (guard / "started.txt").read_text().count("started") >= 6, "commands, decoding processes, the server"
    assert (guard / "outward.txt").read_text() == ""
    assert not others, "nor past Python's own sockets"
