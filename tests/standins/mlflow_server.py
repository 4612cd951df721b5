"""MLflow for tests: a small server of the calls that a mirror makes, MLflow's own, and faults before either.

`Front` listens on 127.0.0.1 and passes requests on to what stands behind it, `Small` or the server that `own` starts.
`Front.fault` decides for each request what goes wrong.
"""

import base64
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv-mlflow" / "bin" / "mlflow"
# Tags by which a run is found again.
_NAMING = ("dfcore.run", "dfcore.created")
Answer = tuple[int, bytes]
Backend = Callable[[str, str, bytes], Answer]


class Small:
    """The calls of MLflow's REST interface that a mirror makes, in memory; figures are appended, never merged.

    Attributes:
        runs: {run id: {"info", "params", "tags", "metrics" (a list), "inputs"}}.
        files: {path: content} of artefacts, "EXPERIMENT/RUN/artifacts/NAME".
        requests: (method, path, body) of all that came.
    """

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str, body: bytes) -> Answer:
        with self._lock:
            self.requests.append((method, path, body))
            address = urlsplit(path)
            if method == "PUT":
                self.files[address.path.partition("/mlflow-artifacts/artifacts/")[2]] = body
                return 200, b"{}"
            values = dict(parse_qsl(address.query)) | (json.loads(body) if body else {})
            name = address.path.partition("/mlflow/")[2].replace("/", "_").replace("-", "_")
            call = getattr(self, f"_{name}", None)
            return call(values) if call else (404, b'{"error_code": "ENDPOINT_NOT_FOUND"}')

    def steps(self, run_id: str, name: str) -> list[int]:
        """The steps of a metric, in the order in which they came."""
        return [each["step"] for each in self.runs[run_id]["metrics"] if each["key"] == name]

    def only_run(self) -> dict[str, Any]:
        """The run, of which there must be one."""
        (run,) = self.runs.values()
        return run

    def _experiments_get_by_name(self, values: dict[str, Any]) -> Answer:
        name = values["experiment_name"]
        if name not in self.experiments:
            return 404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}'
        known = {"experiment_id": self.experiments[name], "name": name, "lifecycle_stage": "active"}
        return self._said({"experiment": known})

    def _experiments_create(self, values: dict[str, Any]) -> Answer:
        self.experiments[values["name"]] = str(len(self.experiments) + 1)
        return self._said({"experiment_id": self.experiments[values["name"]]})

    def _runs_create(self, values: dict[str, Any]) -> Answer:
        name, experiment = uuid.uuid4().hex, values["experiment_id"]
        place = f"mlflow-artifacts:/{experiment}/{name}/artifacts"
        info = {
            "run_id": name,
            "run_uuid": name,
            "experiment_id": experiment,
            "status": "RUNNING",
            "artifact_uri": place,
        }
        info |= {"start_time": values["start_time"], "lifecycle_stage": "active", "user_id": values.get("user_id", "")}
        tags = {each["key"]: each["value"] for each in values["tags"]}
        self.runs[name] = {"info": info, "params": {}, "tags": tags, "metrics": [], "inputs": []}
        return self._said({"run": self._shown(name)})

    def _runs_get(self, values: dict[str, Any]) -> Answer:
        return self._said({"run": self._shown(values["run_id"])})

    def _runs_search(self, values: dict[str, Any]) -> Answer:
        asked = {key: [f"tags.`{key}` = '{run['tags'].get(key)}'" for run in self.runs.values()] for key in _NAMING}
        found = [
            self._shown(name)
            for number, name in enumerate(self.runs)
            if all(of_each[number] in values["filter"] for of_each in asked.values())
        ]
        return self._said({"runs": found})

    def _runs_update(self, values: dict[str, Any]) -> Answer:
        info = self.runs[values["run_id"]]["info"]
        info |= {name: values[name] for name in ("status", "end_time") if name in values}
        return self._said({"run_info": info})

    def _runs_log_batch(self, values: dict[str, Any]) -> Answer:
        run = self.runs[values["run_id"]]
        for each in values.get("params", ()):
            if run["params"].setdefault(each["key"], each["value"]) != each["value"]:
                return 400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "parameters cannot be changed"}'
        run["tags"] |= {each["key"]: each["value"] for each in values.get("tags", ())}
        run["metrics"] += values.get("metrics", ())
        return self._said({})

    def _runs_log_inputs(self, values: dict[str, Any]) -> Answer:
        self.runs[values["run_id"]]["inputs"] += values["datasets"]
        return self._said({})

    def _metrics_get_history(self, values: dict[str, Any]) -> Answer:
        run = self.runs[values["run_id"]]
        return self._said({"metrics": [each for each in run["metrics"] if each["key"] == values["metric_key"]]})

    def _shown(self, name: str) -> dict[str, Any]:
        run = self.runs[name]
        pairs = {kind: [{"key": k, "value": v} for k, v in run[kind].items()] for kind in ("params", "tags")}
        latest = {each["key"]: each for each in run["metrics"]}
        return {
            "info": run["info"],
            "data": pairs | {"metrics": list(latest.values())},
            "inputs": {"dataset_inputs": run["inputs"]},
        }

    @staticmethod
    def _said(value: Any) -> Answer:
        return 200, json.dumps(value).encode()


def forwarding(address: str) -> Backend:
    """A backend that passes requests on to another server."""

    def forward(method: str, path: str, body: bytes) -> Answer:
        request = urllib.request.Request(f"{address}{path}", body or None, method=method)
        request.add_header("Content-Type", "application/octet-stream" if method == "PUT" else "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    return forward


class Front:
    """A server on a free port of 127.0.0.1, before a backend.

    Attributes:
        fault: Called with method and path of each request; what goes wrong: "" nothing; "hang" no answer until the
            fault is another; "drop" the connection ends; "lost" the request is done and its answer lost; a number, that
            status.
        password: If set, requests without these credentials ("user:password") are refused with 401.
        held: Number of requests that hang now.
    """

    def __init__(self, backend: Backend):
        self.backend = backend
        self.fault: Callable[[str, str], str] = lambda method, path: ""
        self.password = ""
        self.held = 0
        front = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                front._answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = _any  # noqa: N815  (names of the standard library)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._open = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Ends it."""
        self._open = False
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        wrong = self.fault(handler.command, handler.path)
        if wrong == "hang":
            self.held += 1
            while self._open and self.fault(handler.command, handler.path) == "hang":
                time.sleep(0.05)
            self.held -= 1
            wrong = "drop"
        if self.password and not self._known(handler):
            status, said = 401, b'{"error_code": "UNAUTHENTICATED"}'
        elif wrong in ("drop", "lost"):
            if wrong == "lost":
                self.backend(handler.command, handler.path, body)
            handler.close_connection = True
            with suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)
            return
        elif wrong:
            status, said = int(wrong), b'{"error_code": "INTERNAL_ERROR", "message": "No space left on device"}'
        else:
            status, said = self.backend(handler.command, handler.path, body)
        with suppress(OSError):
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said)

    def _known(self, handler: BaseHTTPRequestHandler) -> bool:
        wanted = base64.b64encode(self.password.encode()).decode()
        return handler.headers.get("Authorization") == f"Basic {wanted}"


@contextmanager
def own(folder: Path) -> Iterator[str]:
    """MLflow's own server over a database and artefacts in a folder; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(PROGRAM), "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1",
    ]  # fmt: skip
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHON"))} | quiet
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address, server, folder / "server.log")
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()


def _wait(address: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"MLflow's server did not start: {log.read_text(errors='replace')[-2000:]}")
