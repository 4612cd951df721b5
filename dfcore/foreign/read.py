"""Reads a stranger's model file through a process of its own, and checks what that process says."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dfcore.detectors.untrusted import Refused, require
from dfcore.errors import InputError
from dfcore.foreign import layers
from dfcore.foreign.formats import require_file
from dfcore.foreign.graph import MAX_STEPS, Step
from dfcore.utils.files import sha256_file
from dfcore.utils.processes import environment
from dfcore.utils.texts import printable

_SECONDS = 600  # On a busy machine; the process has a limit of its own of processor time.
_MAX_FACTS = 64 * 2**20
_Short = Annotated[str, Field(max_length=200)]


class _StepFacts(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: _Short
    config: dict[str, Any]
    inputs: list[Annotated[int, Field(ge=0)]] = Field(max_length=200)
    name: _Short
    shapes: list[Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=8)]] = Field(max_length=8)


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    keras: Annotated[str, Field(max_length=40)]
    form: Literal["keras", "h5"]
    shape: list[Annotated[int, Field(gt=0, le=4096)] | None] = Field(min_length=3, max_length=3)
    output: Annotated[int, Field(gt=0)]
    end: Literal["sigmoid", "softmax", "linear"]
    idle: list[_Short] = Field(max_length=20_000)
    notes: list[_Short] = Field(max_length=100)
    steps: list[_StepFacts] = Field(min_length=1, max_length=MAX_STEPS)


@dataclass(frozen=True)
class Network:
    """A network made elsewhere, as plain data.

    Attributes:
        file: Name of its file.
        sha256: Hash of its file.
        keras: Version of Keras that saved it.
        side: Side in pixels of the square that it takes; None if it takes any.
        steps: Its layers; each takes only earlier ones, or the image (0).
        output: Number of the step that gives its logits, from 1.
        end: What its last layer made of them: "sigmoid", "softmax", or "linear" for nothing.
        idle: Layers that act in training alone, which were left out.
    """

    file: str
    sha256: str
    keras: str
    side: int | None
    steps: tuple[Step, ...]
    output: int
    end: Literal["sigmoid", "softmax", "linear"]
    idle: tuple[str, ...] = ()


def read_network(path: Path, name: str = "") -> Network:
    """Reads a `.keras` or `.h5` file that anybody made; nothing that it holds is run.

    Args:
        path: The file.
        name: What it is called, if that is not the name of the file.

    Raises:
        InputError: If it is no network that can be adopted; the message says why, and what to do.
    """
    path, name = Path(path), name or Path(path).name
    try:
        require_file(path)
        with tempfile.TemporaryDirectory(prefix="dfcore-adopt-") as aside:
            facts, weights = Path(aside) / "facts.json", Path(aside) / "weights.bin"
            _run(path, facts, weights)
            return _checked(facts, weights, name, sha256_file(path))
    except Refused as error:
        raise InputError(f"{printable(name)} cannot be adopted: {printable(error)}.") from None


def _run(path: Path, facts: Path, weights: Path) -> None:
    command = [sys.executable, "-m", "dfcore.foreign.child", str(path.absolute()), str(facts), str(weights)]
    alone = environment(bare=True)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=alone, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"it could not be read within {_SECONDS} s") from None
    if done.returncode:
        told = done.stdout.strip().splitlines()[-1:]
        raise Refused(told[0][:1000] if told else f"reading it crashed the process (code {done.returncode})")


def _checked(facts: Path, weights: Path, name: str, sha256: str) -> Network:
    """What the process wrote, trusted no more than the file."""
    require(facts.stat().st_size <= _MAX_FACTS, "its description is too long")
    try:
        told = _Facts.model_validate_json(facts.read_bytes())
    except ValidationError as error:
        raise Refused(f"its description is invalid ({error.errors()[0]['msg'][:100]})") from None
    values = np.fromfile(weights, "<f4")
    steps, at = [], 0
    for number, each in enumerate(told.steps, 1):
        require(each.kind in layers.KINDS, layers.refusal(each.name, each.kind))
        require(all(other < number for other in each.inputs), "its layers are not in order")
        config = layers.checked(each.kind, each.config, each.name)
        arrays = []
        for shape in each.shapes:
            size = int(np.prod(shape, dtype=np.float64))
            require(at + size <= len(values), "its weights are missing")
            arrays.append(values[at : at + size].reshape(shape))
            at += size
        steps.append(Step(each.kind, config, tuple(each.inputs), each.name, tuple(arrays)))
    require(at == len(values) and told.output <= len(steps), "its description does not fit its weights")
    return Network(name, sha256, told.keras, told.shape[0], tuple(steps), told.output, told.end, tuple(told.idle))
