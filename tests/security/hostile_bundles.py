"""Hostile `.keras` files, each made from a sound one: what `model_validation` must refuse before Keras sees it.

A name is "family/what". Where a payload would run code, it would create the file `marker`, or nothing at all.
`NAMES` is known without Keras; a file is made only when it is asked for, and each in about a second at most.
"""

import codecs
import functools
import io
import json
import marshal
import os
import pickle
import shlex
import stat
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Json = Any
_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_BIG, _HUGE = 10**6, 10**9
_KERNEL = "layers/dense/vars"
_MIB = 1 << 20


@dataclass(frozen=True)
class Sound:
    """A sound `.keras` file, taken apart.

    Attributes:
        data: the file.
        marker: the file that a payload would create.
    """

    data: bytes
    marker: Path

    @property
    def members(self) -> dict[str, bytes]:
        """What the archive holds."""
        return _members(self.data)

    @property
    def config(self) -> Json:
        """A copy of the configuration, to be edited."""
        return json.loads(self.members[_CONFIG])

    @property
    def touch(self) -> str:
        """A command of the shell that creates the marker."""
        return f"touch {shlex.quote(str(self.marker))}"


@functools.lru_cache(maxsize=2)
def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


Maker = Callable[[Sound], bytes]
_MAKERS: dict[str, Maker] = {}


def hostile_models(sound: bytes, marker: Path) -> Iterator[tuple[str, bytes]]:
    """All hostile files, made from the bytes of a sound one."""
    taken_apart = Sound(sound, marker)
    for name, maker in _MAKERS.items():
        yield name, maker(taken_apart)


def hostile_model(name: str, sound: bytes, marker: Path) -> bytes:
    """One hostile file."""
    return _MAKERS[name](Sound(sound, marker))


def repacked(sound: bytes) -> bytes:
    """The sound file through the same machinery: still sound."""
    return _packed(Sound(sound, Path()))


def _hostile(name: str) -> Callable[[Maker], Maker]:
    def add(maker: Maker) -> Maker:
        assert name not in _MAKERS, name
        _MAKERS[name] = maker
        return maker

    return add


# Archives, from members.


def _zip(members: list[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", compression) as archive:
        warnings.simplefilter("ignore")  # Two members of the same name are meant.
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def _packed(sound: Sound, changed: dict[str, bytes | None] | None = None, **options: Any) -> bytes:
    """The archive with some members replaced or added; None leaves one out."""
    members = {**sound.members, **(changed or {})}
    return _zip([(name, content) for name, content in members.items() if content is not None], **options)


def _with_config(sound: Sound, config: Json) -> bytes:
    return _packed(sound, {_CONFIG: json.dumps(config).encode()})


def _with_added(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Maker:
    return lambda sound: _zip([*sound.members.items(), *members])


# Configurations.


def _object(module: str | None, class_name: str, config: Json = None, **more: Json) -> Json:
    config = {} if config is None else config
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None, **more}


def _function(module: str | None, name: str, registered: str | None = None) -> Json:
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered or name}


def _layer(config: Json, name: str) -> Json:
    return next(layer for layer in config["config"]["layers"] if layer["name"] == name)


def _replaced(sound: Sound, thing: Json, at: str = "head_flat_dropout") -> bytes:
    """Puts an object in the place of a layer; its connections stay."""
    config = sound.config
    layer = _layer(config, at)
    saved = {key: layer[key] for key in ("name", "inbound_nodes")}
    layer.clear()
    layer.update({**deepcopy(thing), **saved})
    if isinstance(layer.get("config"), dict):
        layer["config"].setdefault("name", at)
    return _with_config(sound, config)


def _called(sound: Sound, thing: Json, args: Json, kwargs: Json = None) -> bytes:
    """Adds something among the layers, which Keras would call with these arguments."""
    config = sound.config
    config["config"]["layers"].append(
        {**thing, "name": "extra", "inbound_nodes": [{"args": args, "kwargs": kwargs or {}}]}
    )
    return _with_config(sound, config)


def _edited(edit: Callable[[Json, Sound], Any]) -> Maker:
    """Lets a function edit the configuration in place."""

    def make(sound: Sound) -> bytes:
        config = sound.config
        edit(config, sound)
        return _with_config(sound, config)

    return make


def _field(layer: str, key: str, value: Json | Callable[[Sound], Json]) -> Maker:
    """Sets one value in the configuration of a layer."""

    def edit(config: Json, sound: Sound) -> None:
        _layer(config, layer)["config"][key] = value(sound) if callable(value) else deepcopy(value)

    return _edited(edit)


def _code(sound: Sound) -> str:
    """A marshalled function that creates the marker, as Keras writes it."""
    source = f"lambda x: (__import__('pathlib').Path({str(sound.marker)!r}).touch(), x)[1]"
    function = next(part for part in compile(source, "<hostile>", "eval").co_consts if hasattr(part, "co_code"))
    return codecs.encode(marshal.dumps(function), "base64").decode("ascii")


def _lambda(sound: Sound) -> Json:
    """A marshalled function, as a layer holds it."""
    return {"class_name": "__lambda__", "config": {"code": _code(sound), "defaults": None, "closure": None}}


def _lambda_value(sound: Sound) -> Json:
    """A marshalled function, as Keras holds it anywhere else."""
    return {"class_name": "__lambda__", "config": {"value": [_code(sound), None, None]}}


def _lambda_layer(sound: Sound, module: str | None = "keras.layers", name: str = "Lambda") -> Json:
    return _object(module, name, {"name": "inner", "function": _lambda(sound), "arguments": {}})


def payload_for_trusting_keras(sound: bytes, marker: Path) -> bytes:
    """A Lambda that creates the marker where Keras is told to trust the file, to show that payloads are real."""
    taken_apart = Sound(sound, marker)
    return _replaced(taken_apart, _lambda_layer(taken_apart))


# Code: marshalled functions and layers that hold or load code.


@_hostile("code/lambda-marshalled")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _lambda_layer(sound))


@_hostile("code/lambda-marshalled-as-output-shape")
def _(sound: Sound) -> bytes:
    function = _function("keras.activations", "relu")
    return _replaced(sound, _object("keras.layers", "Lambda", {"function": function, "output_shape": _lambda(sound)}))


@_hostile("code/lambda-marshalled-as-mask")
def _(sound: Sound) -> bytes:
    function = _function("keras.activations", "relu")
    return _replaced(sound, _object("keras.layers", "Lambda", {"function": function, "mask": _lambda_value(sound)}))


@_hostile("code/lambda-by-private-module")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _lambda_layer(sound, "keras.src.layers.core.lambda_layer"))


@_hostile("code/lambda-by-module-of-the-parent")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _lambda_layer(sound, "keras", "layers.Lambda"))


@_hostile("code/lambda-of-os.system")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _object("keras.layers", "Lambda", {"function": _function("os", "system")}))


@_hostile("code/lambda-of-exec-with-arguments")
def _(sound: Sound) -> bytes:
    arguments = {"globals": {}, "source": f"open({str(sound.marker)!r}, 'w')"}
    inner = {"function": _function("builtins", "exec"), "arguments": arguments}
    return _replaced(sound, _object("keras.layers", "Lambda", inner))


@_hostile("code/lambda-of-get_file")
def _(sound: Sound) -> bytes:
    arguments = {"origin": "file:///etc/hostname", "cache_dir": str(sound.marker.parent), "cache_subdir": "."}
    inner = {"function": _function("keras.utils", "get_file"), "arguments": arguments}
    return _replaced(sound, _object("keras.layers", "Lambda", inner))


@_hostile("code/lambda-of-a-harmless-function")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _object("keras.layers", "Lambda", {"function": _function("keras.activations", "relu")}))


@_hostile("code/lambda-without-module")
def _(sound: Sound) -> bytes:
    # Without "module", Keras takes another way, the one of its old formats, and looks at the name only.
    layer = _lambda_layer(sound)
    del layer["module"], layer["registered_name"]
    return _replaced(sound, layer)


@_hostile("code/lambda-without-module-as-list")
def _(sound: Sound) -> bytes:
    inner = {"function": [_code(sound), None, None], "function_type": "lambda", "module": "os"}
    return _replaced(sound, {"class_name": "Lambda", "config": inner})


@_hostile("code/lambda-with-module-null")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _lambda_layer(sound, None))


@_hostile("code/tfsm-layer")
def _(sound: Sound) -> bytes:
    saved = str(sound.marker.parent / "saved")
    return _replaced(sound, _object("keras.layers", "TFSMLayer", {"filepath": saved, "call_endpoint": "serve"}))


@_hostile("code/tfsm-layer-by-private-module")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _object("keras.src.export.tfsm_layer", "TFSMLayer", {"filepath": "gs://bucket/saved"}))


@_hostile("code/torch-module-wrapper")
def _(sound: Sound) -> bytes:
    pickled = codecs.encode(_pickle(sound), "base64").decode("ascii")
    return _replaced(sound, _object("keras.layers", "TorchModuleWrapper", {"module": pickled}))


@_hostile("code/jax-layer")
def _(sound: Sound) -> bytes:
    functions = {"call_fn": _function("os", "system"), "init_fn": _lambda_value(sound)}
    return _replaced(sound, _object("keras.layers", "JaxLayer", functions))


@_hostile("code/flax-layer")
def _(sound: Sound) -> bytes:
    inner = {"module": _object("subprocess", "Popen", {"args": ["touch", str(sound.marker)]}), "method": None}
    return _replaced(sound, _object("keras.layers", "FlaxLayer", inner))


class _Pickled:
    """An object whose pickle runs a command."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def _pickle(sound: Sound) -> bytes:
    return pickle.dumps(_Pickled(sound.touch))


# Gadgets: functions by the name of a module, in the place of a layer, called with arguments of the file's choice.

_Arguments = Callable[[Sound], tuple[list[Json], dict[str, Json]]]


def _nothing(_: Sound) -> tuple[list[Json], dict[str, Json]]:
    return [], {}


def _on_marker(*more: Json) -> _Arguments:
    return lambda sound: ([str(sound.marker), *more], {})


def _shell(sound: Sound) -> tuple[list[Json], dict[str, Json]]:
    return [sound.touch], {}


def _command(sound: Sound) -> tuple[list[Json], dict[str, Json]]:
    return [["touch", str(sound.marker)]], {"bufsize": -1}


def _download(sound: Sound) -> tuple[list[Json], dict[str, Json]]:
    target = {"cache_dir": str(sound.marker.parent), "cache_subdir": ".", "fname": sound.marker.name}
    return [], {"origin": "file:///etc/hostname", **target}


def _python(sound: Sound) -> tuple[list[Json], dict[str, Json]]:
    return [f"open({str(sound.marker)!r}, 'w')"], {}


def _pickled(sound: Sound) -> tuple[list[Json], dict[str, Json]]:
    return [{"class_name": "__bytes__", "config": {"value": _pickle(sound).decode("latin-1")}}], {}


_FUNCTIONS: list[tuple[str, str, _Arguments]] = [
    ("os", "system", _shell),
    ("posix", "system", _shell),
    ("os", "remove", _on_marker()),
    ("subprocess", "Popen", _command),
    ("subprocess", "run", _command),
    ("builtins", "open", _on_marker("w")),
    ("builtins", "exec", _python),
    ("builtins", "eval", _python),
    ("builtins", "__import__", lambda sound: (["antigravity"], {})),
    ("importlib", "import_module", lambda sound: (["antigravity"], {})),
    ("runpy", "run_path", _on_marker()),
    ("pathlib", "Path.touch", _on_marker()),
    ("shutil", "copyfile", lambda sound: (["/etc/hostname", str(sound.marker)], {})),
    ("shutil", "rmtree", _on_marker()),
    ("pickle", "loads", _pickled),
    ("marshal", "loads", _pickled),
    ("ctypes", "CDLL", _on_marker()),
    ("socket", "create_connection", lambda sound: ([["127.0.0.1", 9]], {})),
    ("urllib.request", "urlretrieve", lambda sound: (["file:///etc/hostname", str(sound.marker)], {})),
    ("numpy", "save", _on_marker([1])),
    ("numpy", "load", lambda sound: ([str(sound.marker)], {"allow_pickle": True})),
    ("pandas", "read_pickle", _on_marker()),
    ("joblib", "load", _on_marker()),
    ("h5py", "File", _on_marker("w")),
    ("keras.src.utils.file_utils", "get_file", _download),
    ("keras.utils", "get_file", _download),
    ("keras", "utils.get_file", _download),
    ("keras.src.utils.python_utils", "func_load", lambda sound: ([_code(sound)], {})),
    ("keras.models", "load_model", lambda sound: ([str(sound.marker)], {"safe_mode": False})),
    ("keras.saving", "load_model", lambda sound: ([str(sound.marker)], {"safe_mode": False})),
    ("keras.src.saving.saving_lib", "load_model", lambda sound: ([str(sound.marker)], {"safe_mode": False})),
    ("keras.models", "model_from_json", lambda sound: (["{}"], {})),
    ("keras.config", "enable_unsafe_deserialization", _nothing),
    ("keras.src.saving.serialization_lib", "enable_unsafe_deserialization", _nothing),
    ("keras.config", "set_backend", lambda sound: (["torch"], {})),
    ("keras.config", "set_floatx", lambda sound: (["float64"], {})),
    ("keras.utils", "save_img", _on_marker([[[1]]])),
    ("keras.datasets.mnist", "load_data", lambda sound: ([sound.marker.name], {})),
    ("keras.applications.mobilenet", "MobileNet", lambda sound: ([], {"weights": "imagenet"})),
    ("keras.layers", "deserialize", lambda sound: ([_lambda_layer(sound)], {})),
    ("keras.layers", "TFSMLayer", _on_marker()),
    ("keras.callbacks", "CSVLogger", _on_marker()),
    ("keras.saving", "KerasFileEditor", _on_marker()),
    ("tensorflow.io", "write_file", _on_marker("x")),
    ("tensorflow", "io.write_file", _on_marker("x")),
    ("tensorflow.raw_ops", "WriteFile", lambda sound: ([], {"filename": str(sound.marker), "contents": "x"})),
    ("tensorflow.io.gfile", "GFile", _on_marker("w")),
    ("tensorflow", "load_library", _on_marker()),
    ("tensorflow.saved_model", "load", _on_marker()),
    ("dfcore.utils.files", "write_text", _on_marker("x")),
    ("dfcore.detectors.bundle", "delete", lambda sound: ([str(sound.marker.parent), sound.marker.name], {})),
]


def _gadget(module: str, name: str, arguments: _Arguments) -> Maker:
    return lambda sound: _called(sound, _function(module, name), *arguments(sound))


for _module, _name, _arguments in _FUNCTIONS:
    _hostile(f"gadget/{_module}:{_name}")(_gadget(_module, _name, _arguments))


def _class(module: str | None, name: str, config: Json | Callable[[Sound], Json]) -> Maker:
    return lambda sound: _called(sound, _object(module, name, config(sound) if callable(config) else config), [])


_CLASSES: list[tuple[str, str, Json | Callable[[Sound], Json]]] = [
    ("subprocess", "Popen", lambda sound: {"args": ["touch", str(sound.marker)]}),
    ("builtins", "object", {}),
    ("collections", "OrderedDict", {}),
    ("importlib.util", "LazyLoader", {}),
    ("keras.src.backend.torch", "Anything", {}),  # Keras imports any module below "keras" that is named.
    ("keras.src.saving.saving_lib_test", "CustomModelX", {}),
    ("keras_hub.models", "Backbone", {}),
    ("keras.layers", "Hashing", {"num_bins": 3, "salt": 1}),
    ("keras.layers", "FeatureSpace", {"features": {}}),
    ("keras.layers", "Pipeline", lambda sound: {"layers": [_lambda_layer(sound)]}),
    ("keras.callbacks", "CSVLogger", lambda sound: {"filename": str(sound.marker)}),
    ("keras.callbacks", "LambdaCallback", {}),
    ("keras.export", "ExportArchive", {}),
    ("dfcore.architectures.layers", "ops", {}),
    ("dfcore.detectors.detector", "Detector", {}),
]
for _module, _name, _inner in _CLASSES:
    _hostile(f"class/{_module}:{_name}")(_class(_module, _name, _inner))


def _operation(name: str, arguments: _Arguments, **config: Json) -> Maker:
    """An operation of Keras that calls functions: in Keras 3.15.1 this runs in safe mode too."""
    return lambda sound: _called(
        sound, _object("keras.src.ops.core", name, {"name": "extra", **config}), *arguments(sound)
    )


# Any exported name will do as function, a class too, and then the check in its `from_config` is passed by.
_TFSM = _function("keras.layers", "TFSMLayer")
_hostile("operation/switch-to-tfsm-layer")(_operation("Switch", lambda s: ([0, [_TFSM], str(s.marker)], {})))
_hostile("operation/switch-to-set_floatx")(
    _operation("Switch", lambda s: ([0, [_function("keras.config", "set_floatx")], "float64"], {}))
)
_hostile("operation/cond-to-load_data")(
    _operation("Cond", lambda s: ([True, *[_function("keras.datasets.cifar10", "load_data")] * 2], {}))
)
_hostile("operation/scan-to-tfsm-layer")(_operation("Scan", lambda s: ([_TFSM, str(s.marker), None], {}), length=1))
_hostile("operation/map-of-a-lambda")(_operation("Map", lambda s: ([_lambda_value(s), [1]], {})))
_hostile("operation/vectorized-map")(_operation("VectorizedMap", lambda s: ([[1.0]], {}), function=_TFSM))


# Names: what Keras takes for an object is not always what module and class_name say.


@_hostile("name/registered-name-of-another-class")
def _(sound: Sound) -> bytes:
    # A registered name comes first in Keras: this is no Dropout, whatever module and class_name say.
    layer = _object("keras.layers", "Dropout")
    layer["registered_name"] = "dfcore>CaffeInput"
    return _replaced(sound, layer)


@_hostile("name/registered-name-foreign")
def _(sound: Sound) -> bytes:
    layer = deepcopy(_layer(sound.config, "head_flat_dropout"))
    layer["registered_name"] = "os>system"
    return _replaced(sound, layer)


@_hostile("name/registered-name-no-text")
def _(sound: Sound) -> bytes:
    layer = deepcopy(_layer(sound.config, "head_flat_dropout"))
    layer["registered_name"] = ["Dropout"]
    return _replaced(sound, layer)


@_hostile("name/registered-name-as-class-name")
def _(sound: Sound) -> bytes:
    return _replaced(sound, {"module": "os", "class_name": "dfcore>CaffeInput", "config": {}})


@_hostile("name/function-by-registered-name")
def _(sound: Sound) -> bytes:
    # Where Keras looks a function up in a table of its own, it goes by the registered name, not by "config".
    activation = _function("keras.activations", "relu", registered="exec")
    return _field("head_dense", "activation", activation)(sound)


@_hostile("name/class-name-is-a-list")
def _(sound: Sound) -> bytes:
    return _replaced(sound, {**_lambda_layer(sound), "class_name": ["Lambda"]})


@_hostile("name/module-is-a-dictionary")
def _(sound: Sound) -> bytes:
    return _replaced(sound, {**_lambda_layer(sound), "module": {"keras.layers": 1}})


@_hostile("name/module-with-space")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _object("keras.layers ", "Dropout", {"rate": 0.1}))


@_hostile("name/class-without-module")
def _(sound: Sound) -> bytes:
    return _replaced(sound, {"class_name": "Dropout", "config": {"rate": 0.1}})


@_hostile("name/legacy-function-as-class")
def _(sound: Sound) -> bytes:
    # On its old way, Keras calls whatever has that name in `keras.src.layers`.
    return _replaced(sound, {"class_name": "deserialize", "config": {"config": _lambda_layer(sound)}})


@_hostile("name/legacy-builtins")
def _(sound: Sound) -> bytes:
    return _replaced(sound, {"class_name": "__builtins__", "config": {}})


@_hostile("name/control-characters")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _object("os", "\x1b[2J\x1b]0;x\x07\r\n<script>alert(1)</script>\u202e"))


@_hostile("name/a-million-characters")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _object("os", "x" * _BIG))


@_hostile("name/duplicate-key")
def _(sound: Sound) -> bytes:
    # The last one counts in Python.
    text = sound.members[_CONFIG].decode()
    inner = json.dumps({"name": "head_flat_dropout", "function": _lambda(sound)})
    start = text.index('"class_name": "Dropout", "config": {"name": "head_flat_dropout"')
    end = text.index('"registered_name"', text.index('"noise_shape"', start))
    changed = f'{text[start:end]}"class_name": "Lambda", "config": {inner}, {text[end:]}'
    return _packed(sound, {_CONFIG: (text[:start] + changed).encode()})


@_hostile("name/escaped")
def _(sound: Sound) -> bytes:
    config = _replaced(sound, _lambda_layer(sound))
    text = Sound(config, sound.marker).members[_CONFIG]
    escaped = text.replace(b'"Lambda"', b'"\\u004cambda"').replace(b'"__lambda__"', b'"\\u005f_lambda__"')
    return _packed(sound, {_CONFIG: escaped})


@_hostile("name/utf-16")
def _(sound: Sound) -> bytes:
    text = Sound(_replaced(sound, _lambda_layer(sound)), sound.marker).members[_CONFIG].decode()
    return _packed(sound, {_CONFIG: text.encode("utf-16")})


# Files: layers that read what lies on this machine.

for _layer_name in ("StringLookup", "IntegerLookup", "TextVectorization"):
    _hostile(f"file/{_layer_name}-of-etc-passwd")(
        functools.partial(_replaced, thing=_object("keras.layers", _layer_name, {"vocabulary": "/etc/passwd"}))
    )
_hostile("file/StringLookup-of-a-device")(
    functools.partial(_replaced, thing=_object("keras.layers", "StringLookup", {"vocabulary": "/dev/zero"}))
)
_hostile("file/TextVectorization-of-a-function")(
    functools.partial(
        _replaced, thing=_object("keras.layers", "TextVectorization", {"split": _function("os", "system")})
    )
)


# Hiding places: inside layers, models, fields and arguments.


def _holding(module: str, name: str, key: str, **more: Json) -> Maker:
    return lambda sound: _replaced(sound, _object(module, name, {key: _lambda_layer(sound), **more}))


for _layer_name, _key in (
    ("TimeDistributed", "layer"),
    ("Bidirectional", "layer"),
    ("Wrapper", "layer"),
    ("SpectralNormalization", "layer"),
    ("RNN", "cell"),
):
    _hostile(f"hidden/in-{_layer_name}")(_holding("keras.layers", _layer_name, _key))


def _sequential(sound: Sound, inner: Json) -> Json:
    return _object("keras", "Sequential", {"name": "inside", "layers": [inner]})


@_hostile("hidden/in-sequential")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _sequential(sound, _lambda_layer(sound)))


@_hostile("hidden/in-sequential-in-time-distributed")
def _(sound: Sound) -> bytes:
    inner = _sequential(sound, _sequential(sound, _lambda_layer(sound)))
    return _replaced(sound, _object("keras.layers", "TimeDistributed", {"layer": inner}))


@_hostile("hidden/in-sequential-without-module")
def _(sound: Sound) -> bytes:
    return _replaced(sound, _sequential(sound, {"class_name": "Lambda", "config": {"function": _lambda(sound)}}))


@_hostile("hidden/in-a-nested-functional-model")
def _(sound: Sound) -> bytes:
    changed = Sound(_replaced(sound, _lambda_layer(sound)), sound.marker)
    return _called(sound, changed.config, [])


@_hostile("hidden/in-compile_config")
@_edited
def _(config: Json, sound: Sound) -> None:
    config["compile_config"] = {"optimizer": "adam", "loss": _function("os", "system"), "metrics": [_lambda(sound)]}


@_hostile("hidden/in-compile_config-of-a-nested-model")
def _(sound: Sound) -> bytes:
    # `compile=False` reaches the outermost model only.
    inner = sound.config
    inner["compile_config"] = {"optimizer": "adam", "loss": _lambda_value(sound)}
    return _called(sound, inner, [])


@_hostile("hidden/in-compile_config-of-a-layer")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "head_dense")["compile_config"] = {"loss": _lambda_value(sound)}


@_hostile("hidden/in-build_config")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "head_dense")["build_config"] = {"shapes_dict": {"input_shape": _lambda_layer(sound)}}


@_hostile("hidden/in-build_config-of-the-model")
@_edited
def _(config: Json, sound: Sound) -> None:
    config["build_config"] = {"input_shape": _lambda_value(sound)}


@_hostile("hidden/in-keyword-arguments")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "head_dense")["inbound_nodes"][0]["kwargs"] = {"training": _lambda_value(sound)}


@_hostile("hidden/in-positional-arguments")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "head_dense")["inbound_nodes"][0]["args"].append(_function("os", "system"))


@_hostile("hidden/in-arguments-of-the-old-form")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "head_dense")["inbound_nodes"] = [[["head_flat_dropout", 0, 0, {"mask": _lambda_value(sound)}]]]


@_hostile("hidden/in-a-key-that-nobody-knows")
@_edited
def _(config: Json, sound: Sound) -> None:
    config["config"]["extra"] = [[{"deep": _lambda_layer(sound)}]]


@_hostile("hidden/beside-the-model")
@_edited
def _(config: Json, sound: Sound) -> None:
    config["surplus"] = _function("os", "system")


@_hostile("hidden/in-a-shared-object")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "head_dense")["config"]["kernel_initializer"] = {**_lambda_layer(sound), "shared_object_id": 7}
    _layer(config, "head_logit")["config"]["kernel_initializer"] = {**_object("x", "y"), "shared_object_id": 7}


def _popen(sound: Sound) -> Json:
    return _object("subprocess", "Popen", {"args": ["touch", str(sound.marker)]})


_FIELDS: list[tuple[str, str, str, Json | Callable[[Sound], Json]]] = [
    ("activation-function", "head_dense", "activation", _function("os", "system")),
    ("activation-of-builtins", "head_dense", "activation", _function("builtins", "exec")),
    ("activation-of-keras", "head_dense", "activation", _function("keras.datasets.mnist", "load_data")),
    ("activation-lambda", "head_dense", "activation", _lambda_value),
    ("activation-layer", "head_dense", "activation", _lambda_layer),
    ("activation-unknown-word", "head_dense", "activation", "os.system"),
    ("initializer-class", "head_dense", "kernel_initializer", _popen),
    ("initializer-function", "head_dense", "bias_initializer", _function("os", "system")),
    # In an initializer's place Keras does not look at the module at all.
    ("initializer-module", "head_dense", "kernel_initializer", _object("os", "GlorotUniform")),
    ("initializer-seed", "head_dense", "kernel_initializer", lambda sound: _seeded(_popen(sound))),
    ("regularizer-class", "conv_1", "kernel_regularizer", _popen),
    ("activity-regularizer", "conv_1", "activity_regularizer", _lambda_value),
    ("constraint-function", "conv_1", "kernel_constraint", _function("builtins", "eval")),
    ("dtype-class", "conv_1", "dtype", _popen),
    ("dtype-quantized", "head_dense", "dtype", _object("keras", "DTypePolicy", {"name": "int8_from_float32"})),
    ("dtype-map", "conv_1", "dtype", lambda sound: _mapped(_lambda_layer(sound))),
    ("quantization", "head_dense", "quantization_config", _popen),
    ("scale", "scale", "scale", _lambda_value),
    ("offset-layer", "scale", "offset", _lambda_layer),
    ("seed", "head_dropout", "seed", _popen),
    ("input-dtype", "image", "dtype", _function("os", "system")),
    ("name", "head_dense", "name", _lambda_value),
    ("numpy", "scale", "scale", {"class_name": "__numpy__", "config": {"value": [1], "dtype": "S4000000000"}}),
    ("numpy-object", "scale", "scale", {"class_name": "__numpy__", "config": {"value": [{}], "dtype": "O"}}),
    ("numpy-plain", "scale", "scale", {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}}),
    ("tensor", "scale", "scale", {"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}}),
    ("bytes", "scale", "scale", {"class_name": "__bytes__", "config": {"value": "x"}}),
    ("slice", "scale", "scale", {"class_name": "__slice__", "config": {"start": 0, "stop": 1, "step": None}}),
    ("ellipsis", "scale", "scale", {"class_name": "__ellipsis__", "config": {}}),
    ("class", "scale", "scale", {"class_name": "__class__", "config": {"module": "subprocess", "name": "Popen"}}),
    ("tuple", "scale", "scale", {"class_name": "__tuple__", "items": [1]}),
    (
        "typespec",
        "scale",
        "scale",
        {
            "class_name": "__typespec__",
            "spec_name": "Popen",
            "module": "subprocess",
            "config": [],
            "registered_name": None,
        },
    ),
    (
        "typespec-of-tensorflow",
        "scale",
        "scale",
        {
            "class_name": "__typespec__",
            "spec_name": "TensorSpec",
            "module": "tensorflow.python.framework.tensor",
            "config": [[1], "float32"],
            "registered_name": None,
        },
    ),
]


def _seeded(seed: Json) -> Json:
    return _object("keras.initializers", "GlorotUniform", {"seed": seed, "input_axes": None, "output_axes": None})


def _mapped(inner: Json) -> Json:
    return _object("keras.dtype_policies", "DTypePolicyMap", {"default_policy": None, "policy_map": {"x": inner}})


for _name, _at, _key, _value in _FIELDS:
    _hostile(f"field/{_name}")(_field(_at, _key, _value))


# Roots: other things in the place of the model.


def _root(value: Json | Callable[[Sound], Json]) -> Maker:
    return lambda sound: _with_config(sound, value(sound) if callable(value) else value)


_ROOTS: list[tuple[str, Json | Callable[[Sound], Json]]] = [
    ("list", lambda sound: [sound.config]),
    ("text", "dfcore>CaffeInput"),
    ("number", 1),
    ("null", None),
    ("empty", {}),
    ("lambda", _lambda_value),
    ("layer", _lambda_layer),
    ("function", _function("keras.models", "load_model")),
    ("popen", _popen),
    ("without-layers", lambda sound: {**sound.config, "config": {"name": "cnn", "inputs": [], "outputs": []}}),
    ("config-is-a-list", lambda sound: {**sound.config, "config": [1, 2]}),
    ("layers-is-a-dictionary", lambda sound: {**sound.config, "config": {**sound.config["config"], "layers": {}}}),
    ("other-class", lambda sound: {**sound.config, "module": "keras.src.export.tfsm_layer", "class_name": "TFSMLayer"}),
]
for _name, _value in _ROOTS:
    _hostile(f"root/{_name}")(_root(_value))


# Shapes and numbers: what would take all memory, or all time.

_SHAPES: list[tuple[str, Json]] = [
    ("Dense-units", _object("keras.layers", "Dense", {"units": _HUGE})),
    ("Embedding", _object("keras.layers", "Embedding", {"input_dim": 10**10, "output_dim": 8})),
    ("Reshape", _object("keras.layers", "Reshape", {"target_shape": [_BIG, _BIG]})),
    ("RepeatVector", _object("keras.layers", "RepeatVector", {"n": _HUGE})),
    ("LSTM-units", _object("keras.layers", "LSTM", {"units": _BIG})),
    ("EinsumDense", _object("keras.layers", "EinsumDense", {"equation": "ab,bc->ac", "output_shape": _HUGE})),
    ("MultiHeadAttention", _object("keras.layers", "MultiHeadAttention", {"num_heads": _BIG, "key_dim": _BIG})),
    ("CategoryEncoding", _object("keras.layers", "CategoryEncoding", {"num_tokens": _HUGE})),
]
for _name, _thing in _SHAPES:
    _hostile(f"shape/{_name}")(functools.partial(_replaced, thing=_thing))

_MAPS: list[tuple[str, Json]] = [
    ("Conv2D-filters", _object("keras.layers", "Conv2D", {"filters": _HUGE, "kernel_size": [3, 3], "padding": "same"})),
    (
        "Conv2D-kernel",
        _object("keras.layers", "Conv2D", {"filters": 8, "kernel_size": [_BIG, _BIG], "padding": "same"}),
    ),
    ("Conv2DTranspose", _object("keras.layers", "Conv2DTranspose", {"filters": 8, "kernel_size": 3, "strides": _BIG})),
    ("UpSampling2D", _object("keras.layers", "UpSampling2D", {"size": [_BIG, _BIG]})),
    ("ZeroPadding2D", _object("keras.layers", "ZeroPadding2D", {"padding": _BIG})),
    ("ZeroPadding2D-pairs", _object("keras.layers", "ZeroPadding2D", {"padding": [[0, _BIG], [_BIG, 0]]})),
    ("Resizing", _object("keras.layers", "Resizing", {"height": _BIG, "width": _BIG})),
]
for _name, _thing in _MAPS:
    _hostile(f"shape/{_name}")(functools.partial(_replaced, thing=_thing, at="conv_pool_1"))

for _name, _value in (
    ("batch", [_HUGE, 32, 32, 3]),
    ("sides", [None, _BIG, _BIG, 3]),
    ("sides-unknown", [None, None, None, 3]),
    ("negative", [None, -32, 32, 3]),
    ("rank", [None] + [32] * 10_000 + [3]),
    ("text", "None, 32, 32, 3"),
    ("nested", [None, [32], 32, 3]),
):
    _hostile(f"shape/input-{_name}")(_field("image", "batch_shape", _value))


@_hostile("shape/build_config")
@_edited
def _(config: Json, sound: Sound) -> None:
    # Layers are built from this before they are ever called.
    _layer(config, "head_dense")["build_config"] = {"input_shape": [None, _HUGE]}


@_hostile("shape/build_config-by-name")
@_edited
def _(config: Json, sound: Sound) -> None:
    _layer(config, "conv_last")["build_config"] = {"shapes_dict": {"input_shape": [None, 8, 8, _HUGE]}}


@_hostile("shape/initializer")
@_edited
def _(config: Json, sound: Sound) -> None:
    constant = {"value": {"class_name": "__numpy__", "config": {"value": [0], "dtype": "S4000000000"}}}
    _layer(config, "head_dense")["config"]["kernel_initializer"] = _object("keras.initializers", "Constant", constant)


@_hostile("shape/tensor-in-arguments")
@_edited
def _(config: Json, sound: Sound) -> None:
    bomb = {"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "U1000000000"}}
    _layer(config, "head_dense")["inbound_nodes"][0]["kwargs"] = {"training": bomb}


@_hostile("shape/normalization-built-large")
def _(sound: Sound) -> bytes:
    # Built from its `build_config`, it makes true tensors of that shape, even where weights get no memory.
    inner = {"axis": [1, 2], "mean": 0.0, "variance": 1.0}
    layer = _object("keras.layers", "Normalization", inner, build_config={"input_shape": [None, 12_000, 12_000]})
    return _replaced(sound, layer)


@_hostile("shape/sum-of-plain-lists")
def _(sound: Sound) -> bytes:
    # Without a tensor of the network among its arguments, an operation is computed while the network is built.
    column, row = [[0]] * 12_000, [[0] * 12_000]
    return _called(sound, {**_object("keras.src.ops.numpy", "Add"), "registered_name": "Add"}, [column, row])


@_hostile("shape/doubled-thirty-times")
@_edited
def _(config: Json, sound: Sound) -> None:
    # Each step is small; the shapes that the arguments give are not the true ones, and Keras does not read them.
    layers, before = config["config"]["layers"], "conv_pool_1"
    tensor = _layer(config, "conv_last")["inbound_nodes"][0]["args"][0]
    at = layers.index(_layer(config, "conv_last"))
    for step in range(30):
        source = deepcopy(tensor)
        source["config"]["keras_history"] = [before, 0, 0]
        before = f"double_{step}"
        nodes = [{"args": [[source, source]], "kwargs": {}}]
        inner = {"name": before, "trainable": True, "axis": -1}
        layers.insert(at + step, _object("keras.layers", "Concatenate", inner, name=before, inbound_nodes=nodes))
    tensor["config"]["keras_history"] = [before, 0, 0]


@_hostile("shape/100000-layers")
def _(sound: Sound) -> bytes:
    text = sound.members[_CONFIG].decode()
    one = json.dumps(_layer(sound.config, "head_dropout")).replace("head_dropout", "NAME")
    layers = ", ".join(one.replace('"NAME"', f'"more_{number}"') for number in range(100_000))
    start = text.index('"layers": [') + len('"layers": [')
    return _packed(
        sound, {_CONFIG: (text[:start] + layers + ", " + text[start:]).encode()}, compression=zipfile.ZIP_DEFLATED
    )


@_hostile("shape/100000-calls-of-one-layer")
@_edited
def _(config: Json, sound: Sound) -> None:
    nodes = _layer(config, "head_dense")["inbound_nodes"]
    nodes.extend(deepcopy(nodes[0]) for _ in range(100_000))


_NUMBERS: list[tuple[str, str, str, Json]] = [
    ("text", "head_dense", "units", "128"),
    ("boolean", "head_dense", "units", True),
    ("fraction", "head_dense", "units", 128.5),
    ("negative", "head_dense", "units", -128),
    ("zero", "head_dense", "units", 0),
    ("null", "head_dense", "units", None),
    ("list", "head_dense", "units", [128] * 5),
    ("googol", "head_dense", "units", 10**100),
    ("units", "head_dense", "units", _HUGE),
    ("filters", "conv_1", "filters", _HUGE),
    ("kernel", "conv_1", "kernel_size", [_BIG, _BIG]),
    ("strides-zero", "conv_1", "strides", [0, 0]),
    ("dilation", "conv_1", "dilation_rate", [_BIG, _BIG]),
    ("groups-zero", "conv_1", "groups", 0),
    ("pool", "conv_pool_1", "pool_size", [_HUGE, _HUGE]),
    ("rate-nan", "head_dropout", "rate", float("nan")),
    ("rate-infinite", "head_dropout", "rate", float("inf")),
    ("scale-nan", "scale", "scale", float("nan")),
    ("lora", "head_dense", "lora_rank", _HUGE),
    ("dtype-text", "head_dense", "dtype", "string"),
]
for _name, _at, _key, _value in _NUMBERS:
    _hostile(f"number/{_name}")(_field(_at, _key, _value))


def _in_text(old: str, new: str) -> Maker:
    """Replaces something in the text of the configuration, once."""

    def make(sound: Sound) -> bytes:
        text = sound.members[_CONFIG].decode()
        assert old in text, old
        return _packed(sound, {_CONFIG: text.replace(old, new, 1).encode()})

    return make


_hostile("number/1e400")(_in_text('"rate": 0.2', '"rate": 1e400'))
_hostile("number/minus-infinity")(_in_text('"offset": 0.0', '"offset": -Infinity'))
_hostile("number/10000-digits")(_in_text('"units": 128', '"units": ' + "9" * 10_000))
_hostile("number/shared-object-id-of-10000-digits")(_in_text('"units": 128', '"shared_object_id": ' + "9" * 10_000))


# Networks that are sound in every way, weights too, and would take all memory at the first image.


def _built(build: Callable[[Any, Any], Any]) -> Maker:
    """A network whose features are made by a function of (keras, inputs)."""

    def make(_: Sound) -> bytes:
        import keras

        inputs = keras.Input((32, 32, 3), name="image")
        x = keras.layers.GlobalAveragePooling2D()(build(keras, inputs))
        plain = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv_last")(inputs))
        outputs = keras.layers.Dense(1, name="head_logit")(keras.layers.Concatenate()([x, plain]))
        with tempfile.TemporaryDirectory() as folder:
            keras.Model(inputs, outputs, name="cnn").save(Path(folder) / "model.keras")
            return (Path(folder) / "model.keras").read_bytes()

    return make


@_hostile("built/padding")
@_built
def _(keras: Any, x: Any) -> Any:
    return keras.layers.ZeroPadding2D(30_000)(x)


@_hostile("built/padding-in-a-nested-network")
@_built
def _(keras: Any, x: Any) -> Any:
    inside = keras.Input((32, 32, 3))
    cut = keras.layers.MaxPooling2D(60_000)(keras.layers.ZeroPadding2D(30_000)(inside))
    return keras.Model(inside, cut, name="inside")(x)


@_hostile("built/attention-over-a-million-tokens")
@_built
def _(keras: Any, x: Any) -> Any:
    # What each layer gives is small; what this one compares with one another is not.
    tokens = keras.layers.Reshape((1024 * 1024, 3))(keras.layers.ZeroPadding2D(496)(x))
    tokens = keras.layers.MultiHeadAttention(1, 1)(tokens, tokens)
    return keras.layers.Reshape((1024, 1024, 3))(tokens)


@_hostile("built/sum-by-an-operation")
@_built
def _(keras: Any, x: Any) -> Any:
    # Operations are not among `model.layers`.
    padded = keras.layers.ZeroPadding2D(496)(x)
    column = keras.layers.Reshape((1024 * 1024, 1, 3))(padded)
    row = keras.layers.Reshape((1, 1024 * 1024, 3))(padded)
    return keras.ops.add(column, row)


@_hostile("built/layer-called-400-times")
@_built
def _(keras: Any, x: Any) -> Any:
    # Few weights and no large map, but the better part of an hour for each image.
    x = keras.layers.Conv2D(64, 1)(keras.layers.ZeroPadding2D(496)(x))
    again = keras.layers.Conv2D(64, 7, padding="same")
    for _step in range(400):
        x = again(x)
    return x


# JSON.

_hostile("json/nested-100000-deep")(_in_text('"noise_shape": null', '"noise_shape": ' + "[" * 100_000 + "]" * 100_000))
_hostile("json/dictionaries-100000-deep")(
    _in_text('"noise_shape": null', '"noise_shape": ' + '{"a":' * 100_000 + "1" + "}" * 100_000)
)
_hostile("json/nested-700-deep")(_in_text('"noise_shape": null', '"noise_shape": ' + "[" * 700 + "]" * 700))
_hostile("json/no-json")(lambda sound: _packed(sound, {_CONFIG: b"{'module': 'keras'}"}))
_hostile("json/cut")(lambda sound: _packed(sound, {_CONFIG: sound.members[_CONFIG][:-100]}))
_hostile("json/empty")(lambda sound: _packed(sound, {_CONFIG: b""}))
_hostile("json/no-text")(lambda sound: _packed(sound, {_CONFIG: b"\xff\xfe\x00\xd8" * 100}))
_hostile("json/two-values")(lambda sound: _packed(sound, {_CONFIG: sound.members[_CONFIG] * 2}))
_hostile("json/a-million-keys")(
    lambda sound: _packed(
        sound,
        {_CONFIG: b"{" + b",".join(b'"%d":0' % n for n in range(_BIG)) + b"," + sound.members[_CONFIG][1:]},
        compression=zipfile.ZIP_DEFLATED,
    )
)


@_hostile("json/200-mb")
def _(sound: Sound) -> bytes:
    content = sound.members[_CONFIG]
    return _bomb(sound, _CONFIG, b" " * _MIB, 200, after=content)


# Metadata.


def _metadata(value: Json) -> Maker:
    return lambda sound: _packed(sound, {_METADATA: json.dumps(value).encode()})


def _version(version: Json) -> Maker:
    return _metadata({"keras_version": version, "date_saved": "2024-01-01@00:00:00"})


for _name, _value in (
    ("2.15", "2.15.0"),
    ("3.3", "3.3.3"),
    ("3.14", "3.14.9"),
    ("3.9-after-text-order", "3.9.2"),
    ("3.2-candidate", "3.2.0rc1"),
    ("null", None),
    ("empty", ""),
    ("number", 3.15),
    ("list", [3, 15, 1]),
    ("nonsense", "three"),
    ("long", "3." + "9" * 100_000),
):
    _hostile(f"metadata/version-{_name}")(_version(_value))
_hostile("metadata/version-missing")(_metadata({"date_saved": "2024-01-01@00:00:00"}))
_hostile("metadata/a-list")(_metadata(["3.15.1"]))
_hostile("metadata/no-json")(lambda sound: _packed(sound, {_METADATA: b"keras 3.15.1"}))
_hostile("metadata/nested-100000-deep")(lambda sound: _packed(sound, {_METADATA: b"[" * 100_000}))
_hostile("metadata/200-mb")(lambda sound: _bomb(sound, _METADATA, b" " * _MIB, 200, after=sound.members[_METADATA]))


# Weights.


def _edited_weights(edit: Callable[[h5py.File, Sound], Any]) -> Maker:
    """Lets a function edit the HDF5 file in place."""
    return lambda sound: _packed(sound, {_WEIGHTS: _weights(sound, edit)})


def _weights(sound: Sound, edit: Callable[[h5py.File, Sound], Any]) -> bytes:
    target = io.BytesIO(sound.members[_WEIGHTS])
    with h5py.File(target, "r+", libver="latest") as file:
        edit(file, sound)
    return target.getvalue()


def _instead(**options: Any) -> Maker:
    """Puts another dataset in the place of a kernel."""

    def edit(file: h5py.File, _: Sound) -> None:
        shape, dtype = file[_KERNEL]["0"].shape, file[_KERNEL]["0"].dtype
        del file[_KERNEL]["0"]
        values = {"shape": shape, "dtype": dtype, **options}
        if "data" in options:
            values.pop("dtype")
            values.pop("shape")
        file[_KERNEL].create_dataset("0", **values)

    return _edited_weights(edit)


def _link(link: Any, at: str = f"{_KERNEL}/0") -> Maker:
    def edit(file: h5py.File, _: Sound) -> None:
        if at in file:
            del file[at]
        file[at] = link

    return _edited_weights(edit)


_hostile("weights/external-link")(_link(h5py.ExternalLink("/etc/passwd", "/0")))
_hostile("weights/external-link-to-a-group")(_link(h5py.ExternalLink("other.h5", "/vars"), "layers/dense/vars"))
_hostile("weights/external-link-at-the-root")(_link(h5py.ExternalLink("/dev/zero", "/"), "unused"))
_hostile("weights/soft-link")(_link(h5py.SoftLink("/layers/dense_1/vars/0")))
_hostile("weights/soft-link-to-nothing")(_link(h5py.SoftLink("/nowhere")))
_hostile("weights/soft-link-to-itself")(_link(h5py.SoftLink("/layers/round"), "layers/round"))
_hostile("weights/external-dataset")(_instead(external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]))
_hostile("weights/gzip-8-gb")(_instead(shape=(1 << 31,), chunks=(1 << 20,), compression="gzip"))
# Below 4 GiB, Keras itself asks no questions.
_hostile("weights/gzip-under-the-limit-of-keras")(_instead(shape=(1 << 29,), chunks=(1 << 20,), compression="gzip"))
_hostile("weights/chunks-never-written")(_instead(shape=(1 << 29,), chunks=(1 << 20,)))
_hostile("weights/never-written")(_instead(shape=(1 << 29,)))
_hostile("weights/petabytes")(_instead(shape=(1 << 48,), chunks=(1 << 20,)))
_hostile("weights/gzip")(_instead(compression="gzip"))
_hostile("weights/lzf")(_instead(compression="lzf"))
_hostile("weights/shuffle")(_instead(shuffle=True))
_hostile("weights/checksum")(_instead(fletcher32=True))
_hostile("weights/text")(_instead(dtype=h5py.string_dtype()))
_hostile("weights/fixed-text")(_instead(dtype="S100"))
_hostile("weights/ragged")(_instead(dtype=h5py.vlen_dtype(np.float32), shape=(4096,)))
_hostile("weights/references")(_instead(dtype=h5py.ref_dtype, shape=(4096, 128)))
_hostile("weights/compound")(_instead(dtype=[("a", "f4"), ("b", "i8")]))
_hostile("weights/opaque")(_instead(dtype=h5py.opaque_dtype(np.dtype("M8[s]"))))
_hostile("weights/shape-differs")(_instead(shape=(4096, 127)))
_hostile("weights/rank-differs")(_instead(shape=(4096, 128, 1)))
_hostile("weights/scalar")(_instead(shape=()))
_hostile("weights/null-space")(_instead(data=h5py.Empty("f4")))
_hostile("weights/rank-32")(_instead(shape=(2,) * 32, chunks=(1,) * 31 + (2,)))


@_hostile("weights/unknown-filter")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    # HDF5 would look for a plug-in of this number, and load it.
    del file[_KERNEL]["0"]
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_chunk((4096, 128))
    options.set_filter(32_767, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    space = h5py.h5s.create_simple((4096, 128))
    h5py.h5d.create(file[_KERNEL].id, b"0", h5py.h5t.IEEE_F32LE, space, options)


@_hostile("weights/virtual-dataset")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    del file[_KERNEL]["0"]
    layout = h5py.VirtualLayout((4096, 128), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4096, 128))
    file[_KERNEL].create_virtual_dataset("0", layout)


@_hostile("weights/virtual-dataset-of-this-file")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    # Eight gigabytes out of two megabytes that are there.
    layout = h5py.VirtualLayout((4096, 4096, 128), "f4")
    for row in range(4096):
        layout[row] = h5py.VirtualSource(".", f"{_KERNEL}/0", (4096, 128))
    file[_KERNEL].create_virtual_dataset("2", layout)


@_hostile("weights/25000-groups")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    group = h5py.h5g.create(file.id, b"more")
    for number in range(25_000):
        h5py.h5g.create(group, b"%d" % number)


@_hostile("weights/groups-5000-deep")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    group = file
    for _depth in range(5000):
        group = group.create_group("a")


@_hostile("weights/group-in-itself")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    file["layers/dense/round"] = file["layers"]


@_hostile("weights/one-dataset-under-5000-names")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    for number in range(5000):
        file[f"more/{number}"] = file[_KERNEL]["0"]


@_hostile("weights/named-type")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    file["type"] = np.dtype("f4")


@_hostile("weights/dataset-missing")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    del file[_KERNEL]["0"]


@_hostile("weights/all-missing")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    del file["layers"]


@_hostile("weights/dataset-for-a-group")
@_edited_weights
def _(file: h5py.File, _: Sound) -> None:
    del file["layers/dense"]
    file["layers/dense"] = np.zeros(3, np.float32)


_hostile("weights/cut")(lambda sound: _packed(sound, {_WEIGHTS: sound.members[_WEIGHTS][: len(sound.data) // 2]}))
_hostile("weights/cut-to-its-signature")(lambda sound: _packed(sound, {_WEIGHTS: sound.members[_WEIGHTS][:8]}))
_hostile("weights/no-hdf5")(lambda sound: _packed(sound, {_WEIGHTS: b"these are no weights " * 1000}))
_hostile("weights/empty")(lambda sound: _packed(sound, {_WEIGHTS: b""}))
_hostile("weights/pickle")(lambda sound: _packed(sound, {_WEIGHTS: _pickle(sound)}))
_hostile("weights/damaged")(
    lambda sound: _packed(
        sound, {_WEIGHTS: sound.members[_WEIGHTS][:96] + b"\xff" * 2000 + sound.members[_WEIGHTS][2096:]}
    )
)


@_hostile("weights/npz-with-pickle")
def _(sound: Sound) -> bytes:
    return _packed(sound, {_WEIGHTS: None, "model.weights.npz": _npz(sound)})


@_hostile("weights/npz-beside")
def _(sound: Sound) -> bytes:
    return _packed(sound, {"model.weights.npz": _npz(sound)})


def _npz(sound: Sound) -> bytes:
    array = np.empty(1, object)
    array[0] = _Pickled(sound.touch)
    target = io.BytesIO()
    np.savez(target, __root__=array)
    return target.getvalue()


# Archives.


def _info(name: str, **values: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return info


_SYMLINK = {"create_system": 3, "external_attr": (stat.S_IFLNK | 0o777) << 16}

_hostile("archive/parent-name")(_with_added(("../escaped", b"x")))
_hostile("archive/deep-parent-name")(_with_added(("assets/../../../../escaped", b"x")))
_hostile("archive/backslash-name")(_with_added(("..\\escaped", b"x")))
_hostile("archive/absolute-name")(lambda sound: _with_added((str(sound.marker), b"x"))(sound))
_hostile("archive/drive-name")(_with_added(("C:/escaped", b"x")))
_hostile("archive/empty-name")(_with_added((_info(""), b"x")))
_hostile("archive/control-characters")(_with_added(("\x1b[2J\nassets", b"x")))
_hostile("archive/long-name")(_with_added(("x" * 65_000, b"")))
_hostile("archive/symlink")(_with_added((_info("assets", **_SYMLINK), b"/etc")))
_hostile("archive/folder")(_with_added(("assets/", b"")))
_hostile("archive/assets")(_with_added(("assets/layers/string_lookup/vocabulary.txt", b"a\nb\n")))
_hostile("archive/nested")(lambda sound: _with_added(("inner.keras", sound.data))(sound))
_hostile("archive/extra-member")(_with_added(("README.md", b"# A model")))
_hostile("archive/python-member")(_with_added(("model.py", b"import os")))
_hostile("archive/case-of-names")(_with_added(("Config.json", b"{}")))
_hostile("archive/dot-name")(_with_added(("./config.json", b"{}")))
_hostile("archive/20000-members")(_with_added(*((f"{number}", b"") for number in range(20_000))))


@_hostile("archive/symlink-for-the-weights")
def _(sound: Sound) -> bytes:
    members = [(name, content) for name, content in sound.members.items() if name != _WEIGHTS]
    return _zip([*members, (_info(_WEIGHTS, **_SYMLINK), b"/etc/passwd")])


@_hostile("archive/config-twice-sound-first")
def _(sound: Sound) -> bytes:
    other = Sound(_replaced(sound, _lambda_layer(sound)), sound.marker).members[_CONFIG]
    return _with_added((_CONFIG, other))(sound)


@_hostile("archive/config-twice-sound-last")
def _(sound: Sound) -> bytes:
    other = Sound(_replaced(sound, _lambda_layer(sound)), sound.marker).members[_CONFIG]
    return _zip([(_CONFIG, other), *sound.members.items()])


@_hostile("archive/config-twice-by-a-zero-byte")
def _(sound: Sound) -> bytes:
    # Python cuts names at a zero byte.
    made = _with_added(("config.json#", b"{}"))(sound)
    return made.replace(b"config.json#", b"config.json\0")


@_hostile("archive/weights-twice")
def _(sound: Sound) -> bytes:
    return _with_added((_WEIGHTS, b"other"))(sound)


for _member in (_METADATA, _CONFIG, _WEIGHTS):
    _hostile(f"archive/without-{_member}")(functools.partial(_packed, changed={_member: None}))
_hostile("archive/no-members")(lambda sound: _zip([]))


# Archives whose own headers lie.


def _headers(data: bytes, name: str) -> tuple[int, int]:
    """Where a member's two headers begin: its own, and the one in the directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        local, central = archive.getinfo(name).header_offset, archive.start_dir
    while True:
        lengths = struct.unpack_from("<HHH", data, central + 28)
        if data[central + 46 : central + 46 + lengths[0]] == name.encode():
            return local, central
        central += 46 + sum(lengths)


# A field's place in the two headers, and its form.
_FLAGS, _METHOD, _CRC, _STORED, _LENGTH = (6, 8, "<H"), (8, 10, "<H"), (14, 16, "<I"), (18, 20, "<I"), (22, 24, "<I")


def _patched(data: bytes, name: str, **fields: tuple[tuple[int, int, str], int]) -> bytes:
    """Writes fields into both headers of a member."""
    changed = bytearray(data)
    local, central = _headers(data, name)
    for (in_local, in_central, form), value in fields.values():
        struct.pack_into(form, changed, local + in_local, value)
        struct.pack_into(form, changed, central + in_central, value)
    return bytes(changed)


def _bomb(sound: Sound, name: str, block: bytes, times: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """A member of `before`, a block many times over, and `after`: compressed, sound, and small."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(after) + packer.flush()
    checksum = zlib.crc32(before)
    for _ in range(times):
        checksum = zlib.crc32(block, checksum)
    checksum = zlib.crc32(after, checksum)
    length = len(before) + times * len(block) + len(after)
    stored = _packed(sound, {name: start + middle * times + end})
    return _patched(stored, name, method=(_METHOD, 8), crc=(_CRC, checksum), length=(_LENGTH, length))


_ZEROS = bytes(_MIB)
_hostile("archive/bomb-beside")(lambda sound: _bomb(sound, "assets.bin", _ZEROS, 1024))
_hostile("archive/bomb-for-weights")(lambda sound: _bomb(sound, _WEIGHTS, _ZEROS, 1024, before=sound.members[_WEIGHTS]))
_hostile("archive/bomb-for-metadata")(
    lambda sound: _bomb(sound, _METADATA, b" " * _MIB, 1024, before=sound.members[_METADATA])
)
_hostile("archive/encrypted")(lambda sound: _patched(sound.data, _CONFIG, flags=(_FLAGS, 1)))
_hostile("archive/encrypted-weights")(lambda sound: _patched(sound.data, _WEIGHTS, flags=(_FLAGS, 0x41)))
_hostile("archive/unknown-method")(lambda sound: _patched(sound.data, _CONFIG, method=(_METHOD, 99)))
_hostile("archive/not-the-method-it-says")(lambda sound: _patched(sound.data, _CONFIG, method=(_METHOD, 12)))
_hostile("archive/longer-than-it-says")(lambda sound: _patched(sound.data, _CONFIG, length=(_LENGTH, 100)))
_hostile("archive/shorter-than-it-says")(
    lambda sound: _patched(sound.data, _WEIGHTS, length=(_LENGTH, 1 << 31), stored=(_STORED, 1 << 31))
)
_hostile("archive/wrong-checksum")(lambda sound: _patched(sound.data, _CONFIG, crc=(_CRC, 1)))
_hostile("archive/wrong-checksum-of-weights")(lambda sound: _patched(sound.data, _WEIGHTS, crc=(_CRC, 1)))
_hostile("archive/cut")(lambda sound: sound.data[: len(sound.data) // 2])
_hostile("archive/cut-at-the-directory")(lambda sound: sound.data[:-100])


@_hostile("archive/two-names-for-one-member")
def _(sound: Sound) -> bytes:
    changed = bytearray(_with_added((_CONFIG.upper(), b"{}"))(sound))
    first, _own = _headers(bytes(changed), _CONFIG)
    _own, central = _headers(bytes(changed), _CONFIG.upper())
    struct.pack_into("<I", changed, central + 42, first)
    return bytes(changed)


@_hostile("archive/other-name-in-the-directory")
def _(sound: Sound) -> bytes:
    changed = bytearray(sound.data)
    local, _central = _headers(sound.data, _CONFIG)
    changed[local + 30 : local + 30 + len(_CONFIG)] = b"c0nfig.json"
    return bytes(changed)


@_hostile("archive/member-beyond-the-end")
def _(sound: Sound) -> bytes:
    changed = bytearray(sound.data)
    _local, central = _headers(sound.data, _CONFIG)
    struct.pack_into("<I", changed, central + 42, 0x7FFFFFFF)
    return bytes(changed)


# Other files under the name of a model.

_hostile("other/nothing")(lambda sound: b"")
_hostile("other/garbage")(lambda sound: np.random.default_rng(0).bytes(100_000))
_hostile("other/zeros")(lambda sound: _ZEROS)
_hostile("other/text")(lambda sound: b"This is no model.\n" * 100)
_hostile("other/config-alone")(lambda sound: sound.members[_CONFIG])
_hostile("other/weights-alone")(lambda sound: sound.members[_WEIGHTS])
_hostile("other/pickle")(_pickle)
_hostile("other/python")(lambda sound: f"import os\nos.system({sound.touch!r})\n".encode())
_hostile("other/shell")(lambda sound: f"#!/bin/sh\n{sound.touch}\n".encode())
_hostile("other/link-to-a-remote-model")(lambda sound: b"hf://someone/model\n")
_hostile("other/end-of-an-archive")(lambda sound: b"PK\x05\x06" + bytes(18))
_hostile("other/start-of-an-archive")(lambda sound: b"PK\x03\x04" + bytes(1000))


@_hostile("other/torch")
def _(sound: Sound) -> bytes:
    return _zip([("archive/data.pkl", _pickle(sound)), ("archive/version", b"3\n"), ("archive/data/0", bytes(64))])


@_hostile("other/saved-model")
def _(sound: Sound) -> bytes:
    protobuf = b"\x08\x01\x12\x00"
    names = ("saved_model.pb", "keras_metadata.pb", "fingerprint.pb", "variables/variables.index")
    return _zip([(f"model/{name}", protobuf) for name in names])


@_hostile("other/hdf5-of-keras-2")
def _(sound: Sound) -> bytes:
    function = [_code(sound), None, None]
    layer = {"class_name": "Lambda", "config": {"name": "x", "function": function, "function_type": "lambda"}}
    model = {"class_name": "Sequential", "config": {"name": "model", "layers": [layer]}}
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["backend"] = "tensorflow"
        file.create_group("model_weights").attrs["layer_names"] = np.array([b"x"])
    return target.getvalue()


NAMES: tuple[str, ...] = tuple(_MAKERS)
