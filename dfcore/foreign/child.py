"""The process that reads a stranger's model file: `python -m dfcore.foreign.child FILE OUT_JSON OUT_WEIGHTS`.

Its libraries for ZIP and HDF5 may have weaknesses that a malicious file reaches. So it gets no secrets, little memory
and time, and opens the file and its two outputs first: from then on it can open nothing, neither files nor sockets.
What it writes is plain data, which is checked again by whoever reads it.
"""

import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from dfcore.detectors.untrusted import Refused, check_group, parse_object, require
from dfcore.errors import ArchiveError
from dfcore.foreign.formats import format_of, reason, require_file
from dfcore.foreign.graph import Flat, flatten
from dfcore.foreign.weights import LegacyStore, ModernStore
from dfcore.utils.archives import read_zip
from dfcore.utils.processes import forbid_opening, limit_memory, limit_time
from dfcore.utils.texts import printable

# Bytes of the whole file; of a `.keras` the parts have limits of their own. Training leaves its moments in the file.
MAX_FILE = 2 * 2**30
_MEMBERS = {"metadata.json": 2**16, "config.json": 16 * 2**20, "model.weights.h5": MAX_FILE}
_MAX_CONFIG = 16 * 2**20
MAX_WEIGHTS = 512 * 2**20
_MEMORY, _SECONDS = 8 * 2**30, 240


def main(source: Path, facts: IO[str], weights: IO[bytes]) -> str | None:
    """Reads a model file and writes what it holds; returns why it is refused, or None.

    Args:
        source: The file.
        facts: Gets the steps as JSON, or nothing.
        weights: Gets all weights, float32, one after the other.
    """
    try:
        require_file(source)
        size = source.stat().st_size
        require(size <= MAX_FILE, f"it has {size / 2**20:,.0f} MB. At most {MAX_FILE / 2**20:,.0f} MB are read")
        content = source.read_bytes()
        _warm_up()
        forbid_opening()
        flat, keras, form = _read(source.name, content)
        _write(flat, keras, form, facts, weights)
    except (Refused, ArchiveError) as error:
        return str(error)
    except MemoryError:
        return "it takes too much memory"
    except RecursionError:
        return "its configuration is nested too deep"
    except Exception as error:  # HDF5 and whatever a hostile file makes of these functions.
        return f"it cannot be read ({type(error).__name__}: {str(error)[:200]})"
    return None


def _warm_up() -> None:
    """Has libraries import what they import late, while files can be opened."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["names"] = np.asarray([b"x", b"y"])
        file.attrs["text"] = "x"
        file["group/array"] = np.zeros(2, np.float16)
        _ = [list(file.attrs["names"]), file.attrs["text"], file["group/array"][()], file["group"].name]
    with h5py.File(buffer, "r") as file:
        check_group(file, 2**20)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("é", b"x")
    read_zip(archive.getvalue(), limit=lambda _: 1)
    b"\x80".decode("cp437")  # How names are coded in archives that do not say.


def _read(name: str, content: bytes) -> tuple[Flat, str, str]:
    """The network, the version of Keras that saved it, and the format of its file."""
    form = format_of(name, content)
    if form == "keras":
        members = read_zip(content, limit=lambda member: _MEMBERS.get(member, 0))
        require(set(members) == set(_MEMBERS), f"expected the members {', '.join(sorted(_MEMBERS))}")
        version = _version(parse_object(members["metadata.json"], "metadata.json").get("keras_version"))
        config = parse_object(members["config.json"], "config.json")
        weights = members["model.weights.h5"]
        with h5py.File(io.BytesIO(weights), "r") as file:
            check_group(file, len(weights))
            return flatten(config, ModernStore(file), keras_2=version.startswith("2.")), version, form
    with h5py.File(io.BytesIO(content), "r") as file:
        attributes = file.attrs
        if "model_config" not in attributes:
            raise reason("weights")
        require("model_weights" in file, "it has no weights")
        check_group(file, len(content))
        version = _version(_text(attributes.get("keras_version", "2.0")))
        text = _text(attributes["model_config"])
        require(len(text) <= _MAX_CONFIG, "its configuration is too long")
        config = parse_object(text, "model_config")
        return flatten(config, LegacyStore(file["model_weights"]), keras_2=version.startswith("2.")), version, form


def _text(value: Any) -> str:
    require(isinstance(value, (bytes, str, np.bytes_)), "its configuration is no text")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _version(value: Any) -> str:
    sound = isinstance(value, str) and re.fullmatch(r"[23]\.\d{1,3}(\.[\w.+-]{1,20})?", value) is not None
    require(sound, f"it was saved by Keras {str(value)[:40]!r}. Expected version 2 or 3")
    return str(value)


def _write(flat: Flat, keras: str, form: str, facts: IO[str], weights: IO[bytes]) -> None:
    size = 4 * sum(array.size for step in flat.steps for array in step.weights)
    require(
        size <= MAX_WEIGHTS, f"its weights have {size / 2**20:,.0f} MB. At most {MAX_WEIGHTS / 2**20:,.0f} MB may be"
    )
    for step in flat.steps:
        for array in step.weights:
            weights.write(np.ascontiguousarray(array, "<f4").tobytes())
    steps = [
        {
            "kind": step.kind,
            "config": step.config,
            "inputs": step.inputs,
            "name": step.name,
            "shapes": [array.shape for array in step.weights],
        }
        for step in flat.steps
    ]
    about = {"shape": flat.shape, "output": flat.output, "end": flat.end, "idle": flat.idle, "notes": flat.notes}
    json.dump({"keras": keras, "form": form, "steps": steps, **about}, facts, allow_nan=False)


if __name__ == "__main__":
    given = [Path(text) for text in sys.argv[1:4]]
    with given[1].open("w", encoding="utf-8") as first, given[2].open("wb") as second:
        limit_memory(_MEMORY)
        limit_time(_SECONDS)
        problem = main(given[0], first, second)
    if problem is not None:
        print(printable(problem)[:1000])
        sys.exit(1)
