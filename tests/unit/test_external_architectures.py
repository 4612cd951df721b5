"""Architectures from outside: of an installed package and of a file; trained by the worker, loaded through the gate."""

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from dfcore import architectures
from dfcore.architectures import registry
from dfcore.errors import BundleError, ConfigError, InputError
from dfcore.runs import RunStore

ROOT = Path(__file__).parents[2]

NETWORK = """
import dfcore


@dfcore.register_architecture(
    "NAME", title="Tiny", summary="For a test.", cam_layer="conv", image_size=48, layers=["MODULE:Doubled"]
)
def features(inputs, weights):
    from keras import layers

    from LAYERS import Doubled

    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(x)
    return Doubled(name="doubled")(layers.GlobalAveragePooling2D(name="head_pool")(x))
"""
LAYER = """
import keras


@keras.saving.register_keras_serializable(package="outside")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x
"""
FILE = (
    LAYER
    + """
import dfcore
from keras import layers


@dfcore.register_architecture("from_file", title="Tiny", summary="For a test.", cam_layer="conv", layers=[Doubled])
def features(inputs, weights):
    x = layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(layers.Rescaling(1 / 255)(inputs))
    return Doubled(name="doubled")(layers.GlobalAveragePooling2D(name="head_pool")(x))
"""
)


def run_python(code: str, *path: Path, **more: str) -> subprocess.CompletedProcess:
    """In a process of its own, since a registry is for the life of a process."""
    first = os.pathsep.join(str(folder) for folder in (*path, ROOT))
    environment = os.environ | {"PYTHONPATH": first} | more
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=environment, check=False
    )


def dfcore_command(*arguments: str, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess:
    return run_python(f"import sys; from dfcore.cli import main; sys.exit(main({list(arguments)!r}))", *path)


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A folder with an installed package that registers one architecture, and one whose module is broken."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "outside").mkdir()
    (folder / "outside" / "__init__.py").touch()
    network = (
        NETWORK.replace("NAME", "packaged").replace("MODULE", "outside.layers").replace("LAYERS", "outside.layers")
    )
    (folder / "outside" / "network.py").write_text(network)
    (folder / "outside" / "layers.py").write_text(LAYER)
    info = folder / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    entries = "[dfcore.architectures]\npackaged = outside.network\nbroken = outside.gone\nempty = outside.layers\n"
    (info / "entry_points.txt").write_text(entries)
    return folder


@pytest.fixture
def arch_file(tmp_path) -> Path:
    path = tmp_path / "tiny-net.py"
    path.write_text(FILE)
    return path


# === An installed package ===


@pytest.mark.slow
def test_an_installed_package_brings_its_architecture_and_a_broken_one_is_left_out(package):
    done = run_python(
        """
        import sys, dfcore
        entry = dfcore.list_architectures()[-1]
        print(entry.name, entry.image_size, "tensorflow" in sys.modules)
        """,
        package,
    )
    assert done.returncode == 0, done.stderr
    name, size, *_ = done.stdout.split()
    assert (name, size) == ("packaged", "48")
    assert "'broken' of the package outside is left out: ModuleNotFoundError" in done.stderr
    assert "'empty' of the package outside is left out: it registers no architecture" in done.stderr


@pytest.mark.slow
def test_the_worker_trains_it_and_its_detector_passes_the_gate(package, small_dataset, tmp_path):
    settings = ("--epochs", "1", "--precision", "float32", "--json")
    done = dfcore_command("train", "--data-root", str(small_dataset), "--arch", "packaged", *settings, path=(package,))
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = RunStore(tmp_path / "runs")
    assert run.config()["image_size"] == 48
    picture = str(next((small_dataset / "test" / "real").iterdir()))
    predict = ("predict", str(run.bundle), picture, "--engine", "keras", "--json")
    done = dfcore_command(*predict, path=(package,))
    assert done.returncode == 0, done.stderr[-2000:]
    # Where the package is missing it says so, and nothing of it is built.
    done = dfcore_command(*predict)
    assert done.returncode == 2
    assert "'packaged' is not registered here. Install the package" in done.stderr
    assert "--arch-file" in done.stderr


# === A file ===


@pytest.mark.slow
def test_a_file_is_trained_by_the_worker_and_named_again_for_the_detector(arch_file, small_dataset, tmp_path):
    done = dfcore_command("train", "--data-root", str(small_dataset), "--arch-file", str(arch_file), "--arch",
                          "from_file", "--image-size", "32", "--epochs", "1", "--precision", "float32")  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = RunStore(tmp_path / "runs")
    assert run.config()["arch_file"] == str(arch_file)
    card = (run.bundle / "card.json").read_text()
    assert "arch_file" not in card
    assert str(arch_file) not in card
    picture = str(next((small_dataset / "test" / "real").iterdir()))
    predict = ("predict", str(run.bundle), picture, "--engine", "keras", "--json")
    done = dfcore_command(*predict, "--arch-file", str(arch_file))
    assert done.returncode == 0, done.stderr[-2000:]
    # Wherever the file lies: its layers are known by their registered names.
    moved = arch_file.rename(tmp_path / "runs" / arch_file.name)
    assert dfcore_command(*predict, "--arch-file", str(moved)).returncode == 0
    done = dfcore_command(*predict)
    assert done.returncode == 2
    assert "'from_file' is not registered here" in done.stderr


BAD_FILES = [
    pytest.param("gone.py", None, "Expected a Python file", id="missing"),
    pytest.param("net.txt", "", "Expected a Python file", id="no-python"),
    pytest.param("wrong.py", "1 / 0", "ZeroDivisionError", id="fails"),
    pytest.param("syntax.py", "def", "SyntaxError", id="no-syntax"),
    pytest.param("nothing.py", "x = 1", "registers no architecture", id="registers-nothing"),
]


@pytest.mark.parametrize(("name", "text", "message"), BAD_FILES)
def test_a_file_that_cannot_be_used_is_refused(name, text, message, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        architectures.load_file(tmp_path / name)


def test_a_run_whose_file_is_gone_fails_with_its_name(small_dataset, tmp_path, monkeypatch):
    from dfcore.training.request import recorded_config

    with pytest.raises(InputError, match=r"gone\.py"):
        recorded_config({"data_root": "x", "arch": "from_file", "arch_file": str(tmp_path / "gone.py")})


def test_the_dashboard_neither_offers_a_file_nor_starts_one(tmp_path):
    from dashboard import actions
    from dfcore.errors import AccessError
    from dfcore.training.config import TrainConfig, form_fields

    assert form_fields()["arch_file"].hidden
    config = TrainConfig(data_root=str(tmp_path), arch_file=str(tmp_path / "code.py"))
    for act in (actions.start, lambda config: actions.estimate(config, training_images=1, validation_images=1)):
        with pytest.raises(AccessError, match="command line only"):
            act(config)
    assert not list(RunStore(tmp_path / "runs"))


# === The registry and the gate ===


@pytest.fixture
def restored_registry(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))


def test_a_name_is_registered_once(restored_registry):
    def features(inputs, weights): ...

    with pytest.raises(InputError, match="There is an architecture 'cnn' already"):
        architectures.register_architecture("cnn", title="", summary="", cam_layer="x")(features)
    for name in ("", "Tiny", "../x", "1st", "a" * 65):
        with pytest.raises(InputError, match="small letters"):
            architectures.register_architecture(name, title="", summary="", cam_layer="x")
    architectures.register_architecture("again", title="1", summary="", cam_layer="x")(features)
    architectures.register_architecture("again", title="2", summary="", cam_layer="x")(features)
    assert architectures.get("again").title == "2", "a module may be imported anew"


def test_an_unknown_name_is_told_how_others_come_in():
    from dfcore.training.config import make_config

    with pytest.raises(ConfigError, match="installed package or by the file that --arch-file names"):
        make_config({"data_root": "x", "arch": "alexnet"})


def test_only_layers_that_are_registered_with_keras_are_let_through(restored_registry, arch_file):
    import keras

    module = "dfcore_architecture_tiny_net"
    architectures.load_file(arch_file)
    wanted = (module, "Doubled", "outside>Doubled")
    assert wanted in architectures.own_layers()
    layers = [":Unregistered", keras.layers.Lambda, "os:system", f"{module}:Gone", "gone:Gone"]
    for number, layer in enumerate(layers):
        enter = architectures.register_architecture(
            f"bad_{number}", title="", summary="", cam_layer="x", layers=[layer]
        )
        features = sys.modules[module].features
        enter(features)
    with pytest.warns(UserWarning, match="left out") as warned:
        assert {entry for entry in architectures.own_layers() if entry[0] != module} == set()
    assert len(warned) == len(layers)


def test_the_gate_lets_them_through_by_their_own_names_alone(restored_registry, arch_file, tmp_path):
    from dfcore.architectures import build_model
    from dfcore.detectors.model_validation import check_model

    architectures.load_file(arch_file)
    path = tmp_path / "model.keras"
    build_model("from_file", size=32).save(path)
    check_model(path)
    for key, value in (("registered_name", "other>Doubled"), ("module", "os"), ("class_name", "system")):
        altered = tmp_path / f"{key}.keras"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(altered, "w") as target:
            for member in source.namelist():
                content = source.read(member)
                if member == "config.json":
                    config = json.loads(content)
                    (layer,) = [each for each in config["config"]["layers"] if each["class_name"] == "Doubled"]
                    layer[key] = value
                    content = json.dumps(config).encode()
                target.writestr(member, content)
        with pytest.raises(BundleError, match="an object that no detector is made of"):
            check_model(altered)
    registry._REGISTRY.pop("from_file")
    with pytest.raises(BundleError, match="outside>Doubled"):
        check_model(path)
