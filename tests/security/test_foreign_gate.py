"""Models made elsewhere, by strangers: whatever their files hold, nothing of it is run, and Keras never sees it."""

import codecs
import io
import json
import marshal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from dfcore.detectors.untrusted import Refused
from dfcore.errors import ArchiveError, InputError
from dfcore.foreign import child, layers
from dfcore.foreign.read import read_network
from dfcore.utils.processes import environment
from tests.conftest import untrained
from tests.security.hostile_bundles import NAMES, hostile_model, payload_for_trusting_keras

# What nobody does who only looks at a file.
_DEEDS = ("subprocess.", "socket.", "shutil.", "urllib.", "ctypes.", "pickle.", "marshal.loads", "os.system", "os.exec",
          "os.posix_spawn", "os.remove", "os.rename", "os.mkdir", "compile", "exec")  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "model.keras"
    untrained(0).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def deeds() -> list[str]:
    """What is done in this thread while it is watched."""
    result: list[str] = []
    own = threading.get_ident()

    def note(event: str, values: tuple) -> None:
        if result and result[0] == "watching" and threading.get_ident() == own:
            writes = event == "open" and isinstance(values[1], str) and set(values[1]) & set("wax+")
            if writes or event.startswith(_DEEDS):
                result.append(f"{event} {values!r:.200}")

    sys.addaudithook(note)
    return result


@pytest.fixture
def marker(tmp_path) -> Path:
    (tmp_path / "marked").mkdir()
    return tmp_path / "marked" / "marker"


# Those that hold code always run; the whole corpus is left to `make test-all`.
_ALL = [pytest.param(name, marks=[] if name.startswith("code/") else pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize("name", _ALL)
def test_nothing_of_a_hostile_file_is_run_or_copied(name, sound, marker, deeds, safety_net, monkeypatch):
    """What no network is made of is refused; what only acts when Keras loads it (training, say) is not even read."""
    monkeypatch.setitem(child._MEMBERS, "model.weights.h5", 64 * 2**20)
    data = hostile_model(name, sound, marker)
    child._warm_up()
    deeds[:] = ["watching"]
    try:
        flat, *_ = child._read("model.keras", data)
    except (Refused, ArchiveError) as error:
        assert str(error)
    except Exception as error:  # Of h5py, on damaged files: `main` makes a refusal of it.
        assert type(error).__module__ in ("builtins", "zlib", "h5py"), repr(error)
    else:
        assert {step.kind for step in flat.steps} <= set(layers.KINDS)
        for step in flat.steps:
            assert set(step.config) <= set(layers.KINDS[step.kind].keys)
            assert layers.checked(step.kind, step.config) == step.config
            json.dumps(step.config, allow_nan=False)
    finally:
        done = deeds[1:]
        deeds.clear()
    assert done == []
    assert list(marker.parent.iterdir()) == []


def _lambda(marker: Path) -> list:
    source = f"lambda x: (__import__('pathlib').Path({str(marker)!r}).touch(), x)[1]"
    function = next(part for part in compile(source, "<hostile>", "eval").co_consts if hasattr(part, "co_code"))
    return [codecs.encode(marshal.dumps(function), "base64").decode("ascii"), None, None]


def _old_file(path: Path, inner: list[dict]) -> Path:
    """An `.h5` of Keras 2, whose Lambda layers Keras runs whatever its safe mode says (CVE-2025-9905)."""
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": inner}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["model_config"] = "2.15.0", json.dumps(config)
        file.create_group("model_weights")
    return path


def test_code_in_an_old_file_is_refused_and_not_run(tmp_path, marker):
    layer = {"class_name": "Lambda", "config": {"name": "inner", "function": _lambda(marker), "function_type": "lambda",
             "batch_input_shape": [None, 32, 32, 3]}}  # fmt: skip
    path = _old_file(tmp_path / "model.h5", [layer])
    with pytest.raises(InputError, match="'inner', of the kind Lambda, is code of its author's, which is never run"):
        read_network(path)
    assert not marker.exists()


def test_code_in_a_new_file_is_refused_and_not_run(sound, tmp_path, marker):
    path = tmp_path / "model.keras"
    path.write_bytes(payload_for_trusting_keras(sound, marker))
    with pytest.raises(InputError, match="of the kind Lambda, is code of its author's"):
        read_network(path)
    assert not marker.exists()


OWN = {
    "registered": {"class_name": "Dense", "module": None, "registered_name": "mine>Dense"},
    "of-a-module": {"class_name": "Dense", "module": "mine.layers", "registered_name": "Dense"},
    "that-looks-like-keras": {"class_name": "Dense", "module": "keras_mine.layers", "registered_name": None},
    "unknown": {"class_name": "Attention2", "module": "keras.layers", "registered_name": None},
    "a-wrapper": {"class_name": "TFSMLayer", "module": "keras.layers", "registered_name": None},
    "an-operation": {"class_name": "Custom", "module": "keras.src.ops.core", "registered_name": "Custom"},
    "of-tensorflow": {"class_name": "TFOpLambda", "config": {"name": "x", "function": "io.write_file"}},
}


@pytest.mark.parametrize("kind", OWN)
def test_layers_of_an_authors_own_are_refused_by_name(tmp_path, kind):
    shaped = {"name": "x", "units": 1, "batch_input_shape": [None, 32, 32, 3]}
    layer = {"config": shaped} | OWN[kind]
    layer["config"] = shaped | layer["config"]
    with pytest.raises(Refused, match=r"its layer 'x'"):
        child._read("m.h5", _old_file(tmp_path / "m.h5", [layer]).read_bytes())


def test_links_out_of_the_file_are_refused(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.ones(3)
    path = _old_file(tmp_path / "m.h5", [])
    with h5py.File(path, "r+") as file:
        file["model_weights/dense"] = h5py.ExternalLink(str(secret), "kernel")
    with pytest.raises(InputError, match="its weights hold a link, 'dense'"):
        read_network(path)


def test_sizes_that_would_fill_the_memory_are_refused_before_anything_is_allocated(tmp_path):
    from dfcore.foreign.build import build
    from dfcore.foreign.graph import Step
    from dfcore.foreign.read import Network

    wide = Step("Conv2D", {"filters": 65536, "kernel_size": 255}, (0,))
    pooled = Step("GlobalAveragePooling2D", {}, (1,))
    last = Step("Dense", {"units": 1}, (2,), weights=(np.zeros((65536, 1), np.float32), np.zeros(1, np.float32)))
    network = Network("m.keras", "", "3.15.1", 300, (wide, pooled, last), 3, "sigmoid")
    with pytest.raises(InputError, match=r"weights\. At most"):
        build(network, 300, fake_first=False)


_ESCAPE = """
import io, socket, sys
from pathlib import Path
from dfcore.foreign import child
def escape(name, content):
    for way in (lambda: open(sys.argv[2], "w"), lambda: open("/etc/hostname"), lambda: socket.socket()):
        try:
            way()
        except OSError:
            continue
        print("escaped")
    raise child.Refused("done")
child._read = escape
print(child.main(Path(sys.argv[1]), io.StringIO(), io.BytesIO()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_process_that_reads_a_file_can_open_nothing_else(sound, tmp_path, marker):
    """Even code that runs there, by a fault in a library, reaches neither files nor the network."""
    path = tmp_path / "model.keras"
    path.write_bytes(sound)
    command = [sys.executable, "-c", _ESCAPE, str(path), str(marker)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(bare=True), timeout=120, check=False)
    assert done.stdout.strip() == "done", done.stdout + done.stderr
    assert not marker.exists()


def test_the_process_that_reads_a_file_knows_no_secret(sound, tmp_path, monkeypatch):
    from dfcore.foreign import read

    monkeypatch.setenv("HF_TOKEN", "s3cr3t")
    given = []

    def run(*_arguments, **options):
        given.append(options)
        raise subprocess.TimeoutExpired("", 1)

    monkeypatch.setattr(read.subprocess, "run", run)
    path = tmp_path / "model.keras"
    path.write_bytes(sound)
    with pytest.raises(InputError, match="could not be read within"):
        read_network(path)
    assert "s3cr3t" not in str(given[0]["env"])


def test_what_the_process_says_is_trusted_no_more_than_the_file(tmp_path):
    """Were it taken over, it could still give nothing but known layers with plain values."""
    from dfcore.foreign import read

    def told(**changes) -> None:
        step = {"kind": "Dense", "config": {"units": 1}, "inputs": [0], "name": "x", "shapes": []} | changes
        facts = {"keras": "3", "form": "keras", "shape": [8, 8, 3], "output": 1, "end": "linear", "idle": [],
                 "notes": [], "steps": [step]}  # fmt: skip
        (tmp_path / "facts").write_text(json.dumps(facts))
        (tmp_path / "weights").write_bytes(b"")
        read._checked(tmp_path / "facts", tmp_path / "weights", "m", "")

    told()
    for changes in (
        {"kind": "Lambda"},
        {"config": {"units": 1, "activation": {"module": "os", "class_name": "function", "config": "system"}}},
        {"inputs": [1]},
        {"shapes": [[2**40, 2**40]]},
        {"shapes": [[4]]},
        {"config": {"units": {"class_name": "__lambda__"}}},
    ):
        with pytest.raises(Refused):
            told(**changes)


def test_archives_that_unpack_to_more_than_they_say_are_refused(sound, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (17 * 2**20))
    path = tmp_path / "model.keras"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="would unpack to 17 MB"):
        read_network(path)
