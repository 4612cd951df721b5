"""Checks which engines run here and on which devices; each is tried in a separate process."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from dfcore.diagnostics.finding import Finding
from dfcore.utils import extras
from dfcore.utils.processes import environment
from dfcore.utils.texts import printable

_PROBE = "dfcore.diagnostics.probe"
_PATIENCE_SECONDS = 180


def engine_findings() -> Iterator[Finding]:
    """Findings on Keras, GPUs, OpenVINO and bfloat16."""
    answer = probe("keras")
    advice = "Reinstall both: pip install --force-reinstall tensorflow keras" if "error" in answer else ""
    yield Finding("engines", "keras", not advice, answer.get("error") or answer["version"], advice, core=True)
    yield _gpus(answer.get("gpus", []))
    yield from _openvino()


def probe(engine: str) -> dict[str, Any]:
    """Output of `dfcore.diagnostics.probe` for an engine, or {"error": reason} if it fails."""
    command = [sys.executable, "-m", _PROBE, engine]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_SECONDS, check=False,
            env=environment(TF_CPP_MIN_LOG_LEVEL="3"),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"it gave no answer within {_PATIENCE_SECONDS} s"}
    except OSError as error:
        return {"error": f"its process could not be started: {error}"}
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        assert isinstance(answer, dict)
    except (AssertionError, IndexError, ValueError):
        last = printable((done.stderr.strip().splitlines() or ["it said nothing"])[-1])[:200]
        return {"error": f"its process ended with code {done.returncode}: {last}"}
    return answer if "error" not in answer else {"error": printable(answer["error"])[:300]}


def _gpus(names: list[str]) -> Finding:
    if names:
        return Finding("engines", "gpu", True, ", ".join(map(printable, names)))
    if shutil.which("nvidia-smi") is None:
        return Finding("engines", "gpu", True, "none; training and Keras run on the CPU")
    why = "this machine has an NVIDIA driver, but TensorFlow sees no GPU"
    advice = "On Linux, pip install 'tensorflow[and-cuda]' installs the libraries that it needs; Windows needs WSL 2."
    return Finding("engines", "gpu", False, why, advice)


def _openvino() -> Iterator[Finding]:
    if not extras.installed("openvino"):
        advice = f"{extras.install('openvino')} installs it; until then Keras judges, several times as slowly."
        yield Finding("engines", "openvino", False, "not installed", advice)
        return
    answer = probe("openvino")
    if "error" in answer:
        advice = "Use --engine keras, or install another release of openvino."
        yield Finding("engines", "openvino", False, answer["error"], advice)
        return
    yield Finding("engines", "openvino", True, answer["version"])
    if answer["bfloat16"]:
        yield Finding("engines", "openvino-bf16", True, "this processor computes in bfloat16")
    else:
        advice = "Use --engine openvino; there is nothing to install."
        yield Finding("engines", "openvino-bf16", False, "this processor does not compute in bfloat16", advice)
