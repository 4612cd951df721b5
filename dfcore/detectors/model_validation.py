"""Validates a `model.keras` file before Keras loads it.

Keras instantiates the objects named in the file's config, which can include arbitrary code. Three checks come first:
    1. Config, read as plain data: only objects that our architectures use, with plain values.
    2. Weights: an HDF5 file of plain arrays, without links.
    3. Sizes: the network is built without allocating its weights, and its memory use is computed.
A refusal states its reason.

Sources: the advisories on Keras's model loading (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2025-9905,
CVE-2025-9906, CVE-2025-12058, CVE-2025-12060), and Keras's own `keras/src/saving/serialization_lib.py`.
"""

import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dfcore import architectures, compat
from dfcore.detectors.untrusted import Refused, check_group, parse_object, require
from dfcore.errors import ArchiveError, BundleError
from dfcore.utils.archives import read_zip
from dfcore.utils.texts import printable

KERAS = (3, 15)
_MEMBERS = {"metadata.json": 2**16, "config.json": 4 * 2**20, "model.weights.h5": 512 * 2**20}
_MAX_DEPTH, _MAX_LAYERS, _MAX_TEXT, _MAX_LIST = 40, 2000, 1000, 4096
_MAX_INTEGER = 2**31
# Limits on Normalization layers, which allocate arrays of sizes from the config before sizes are checked.
_FEW, _MAX_NORMALIZATION = 16, 4 * 2**20
# Maximum elements per image: in one tensor (256 MB), and in all tensors together.
_MAX_ELEMENTS, _MAX_ALL_ELEMENTS = 64 * 2**20, 2**30
_MAX_PARAMETERS = 128 * 2**20

# Objects that our architectures use: (module, class, registered name).
_OURS = ("CaffeInput", "LogSpectrum", "PositionEmbedding", "MeanStdPooling", "ClassToken", "ReverseChannels")
_LAYERS = """Activation Add BatchNormalization Concatenate Conv2D Dense DepthwiseConv2D Dropout Flatten
    GlobalAveragePooling2D GlobalMaxPooling2D InputLayer LayerNormalization MaxPooling2D AveragePooling2D
    MultiHeadAttention Multiply Normalization ReLU Rescaling Reshape SeparableConv2D ZeroPadding2D Cropping1D
    UnitNormalization"""
# Further layers of Keras that hold no code, of networks made elsewhere, see `dfcore.foreign`.
_ADOPTED = """Average Conv1D Conv2DTranspose Cropping2D ELU GlobalAveragePooling1D GlobalMaxPooling1D
    GroupNormalization LeakyReLU Maximum Minimum PReLU Permute Resizing Softmax Subtract UpSampling2D"""
_INITIALIZERS = """GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Ones RandomNormal
    RandomUniform TruncatedNormal VarianceScaling Zeros"""
_ALLOWED = frozenset(
    {("keras.layers", name, None) for name in (*_LAYERS.split(), *_ADOPTED.split())}
    | {("keras.initializers", name, None) for name in _INITIALIZERS.split()}
    | {("dfcore.architectures.layers", name, f"dfcore>{name}") for name in (*_OURS, *compat.LAYERS)}
    | {
        ("keras", "DTypePolicy", None),
        ("keras.regularizers", "L2", None),
        ("keras.src.models.functional", "Functional", "Functional"),
        ("keras.src.applications.convnext", "LayerScale", "LayerScale"),
        ("keras.src.ops.numpy", "Add", "Add"),
    }
)
_TENSOR = "__keras_tensor__"
_NAMING = ("class_name", "module", "registered_name")
ACTIVATIONS = {
    "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "linear", "log_sigmoid",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
}  # fmt: skip
_DTYPES = {"float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "uint8", "int32"}
# Keys under which Keras looks up text as the name of an object; in our models the value is an object or None.
_OBJECT_KEY = re.compile(r".*(initializer|regularizer|constraint|quantization_config)$")


def check_model(path: Path) -> None:
    """Checks that a model file contains only a network of supported objects and its weights.

    Args:
        path: Path of a `model.keras`.

    Raises:
        BundleError: If the file is refused; the message states the reason.
    """
    try:
        members = read_zip(path, limit=lambda name: _MEMBERS.get(name, 0))
        require(set(members) == set(_MEMBERS), f"expected the members {', '.join(sorted(_MEMBERS))}")
        _check_version(parse_object(members["metadata.json"], "metadata.json"))
        config = parse_object(members["config.json"], "config.json")
        _check_config(config)
        _check_weights(members["model.weights.h5"])
        check_sizes(lambda: _deserialized(config))
    except ArchiveError as error:
        raise BundleError(f"{path} is refused: {printable(error)}") from None
    except Refused as error:
        raise BundleError(f"{path} is refused: {printable(error)}.") from None


# === Metadata ===


def _check_version(metadata: dict[str, Any]) -> None:
    import keras

    for what, version in (("It was saved", metadata.get("keras_version")), ("Installed is", keras.__version__)):
        result = re.match(r"(\d{1,4})\.(\d{1,4})(\.|$)", version) if isinstance(version, str) else None
        wanted = ".".join(map(str, KERAS))
        text = f"{what} with Keras {str(version)[:40]!r}; {wanted} or later is needed, which refuses more by itself"
        require(result is not None and (int(result[1]), int(result[2])) >= KERAS, text)


# === Config ===


def _check_config(config: dict[str, Any]) -> None:
    result = _triple(config)
    require(result[1] == "Functional", f"expected a Functional network. Received: {result[1]!r}")
    layers = config.get("config", {}).get("layers") if isinstance(config.get("config"), dict) else None
    require(isinstance(layers, list), "the network has no list of layers")
    require(len(layers or ()) <= _MAX_LAYERS, f"the network has more than {_MAX_LAYERS} layers")
    _walk(config, "network", 0)
    normalizations = 0
    for layer in layers or ():
        require(isinstance(layer, dict), "one of its layers is no object")
        require(layer.get("class_name") != "Functional", "it holds a network within the network")
        normalizations += layer.get("class_name") == "Normalization"
        _check_calls(layer.get("inbound_nodes"))
    require(normalizations <= _FEW, f"it has more than {_FEW} layers of the kind Normalization")


def _check_calls(calls: Any) -> None:
    """Checks that a layer is called only with tensors of the network and scalars, so that loading computes nothing."""
    require(isinstance(calls, list), "a layer does not say how it is called")
    for call in calls:
        require(isinstance(call, dict) and set(call) == {"args", "kwargs"}, "a layer is called in an unknown way")
        require(isinstance(call["args"], list) and isinstance(call["kwargs"], dict), "a layer is called wrongly")
        given = [*call["args"], *call["kwargs"].values()]
        flat = [part for value in given for part in (value if isinstance(value, list) else [value])]
        tensors = [part for part in flat if isinstance(part, dict)]
        require(all(part.get("class_name") == _TENSOR for part in tensors), "a layer is called with an object")
        require(bool(tensors), "a layer is called without a tensor")
        lists = [value for value in given if isinstance(value, list)]
        require(all(isinstance(part, dict) for value in lists for part in value), "a layer is called with numbers")


def _walk(value: Any, key: str, depth: int) -> None:
    """Checks a value and everything nested in it."""
    require(depth <= _MAX_DEPTH, f"the config is nested more than {_MAX_DEPTH} deep")
    if isinstance(value, dict):
        if any(name in value for name in _NAMING):
            _check_object(value)
        for inner, part in value.items():
            require(len(inner) <= _MAX_TEXT, "a key of the config is too long")
            if inner == "compile_config":
                require(not part, "it brings a configuration for training, which a detector does not need")
            _check_named(inner, part)
            _walk(part, inner, depth + 1)
    elif isinstance(value, list):
        require(len(value) <= _MAX_LIST or key == "layers", f"the list of {key[:40]!r} is too long")
        sides = [part for part in value if isinstance(part, int) and part > 0]
        require(math.prod(sides) <= _MAX_ELEMENTS or key == "axis", f"the shape of {key[:40]!r} is too large")
        for part in value:
            _walk(part, key, depth + 1)
    elif isinstance(value, str):
        require(len(value) <= _MAX_TEXT, f"the text of {key[:40]!r} is too long")
    elif isinstance(value, float):
        require(math.isfinite(value), f"the number of {key[:40]!r} is not finite")
    elif isinstance(value, int):
        # Keras uses the memory address of a shared object as its id.
        require(abs(value) <= _MAX_INTEGER or key == "shared_object_id", f"the number of {key[:40]!r} is too large")


def _check_object(value: dict[str, Any]) -> None:
    """Checks that a serialized Keras object is an allowed one, with an exact match of its names."""
    result = _triple(value)
    if result == (None, _TENSOR, None):
        return
    require(set(_NAMING) <= set(value), f"an object that does not name all of {', '.join(_NAMING)}")
    text = f"class_name {result[1]!r:.60}, module {result[0]!r:.60}, registered_name {result[2]!r:.60}"
    require(_is_known(result), f"it asks for an object that no detector is made of: {text}")
    require(isinstance(value.get("config"), dict), f"the config of {result[1]!r} is no object")
    if result[1] == "Normalization":
        shape = (
            (value.get("build_config") or {}).get("input_shape")
            if isinstance(value.get("build_config"), dict)
            else None
        )
        sides = [side for side in shape if isinstance(side, int)] if isinstance(shape, list) else []
        require(math.prod(sides) <= _MAX_NORMALIZATION, "a Normalization of a shape that is too large")


def _is_known(named: tuple[str | None, str | None, str | None]) -> bool:
    """Whether the object is on the allow-list or a layer of a registered architecture."""
    # Looks up only names with a package prefix, so that Keras's own objects cause no imports.
    return named in _ALLOWED or (">" in (named[2] or "") and named in architectures.own_layers())


def _triple(value: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    def text(name: str) -> str | None:
        part = value.get(name)
        return part if part is None or isinstance(part, str) else repr(part)[:60]

    return text("module"), text("class_name"), text("registered_name")


def _check_named(key: str, value: Any) -> None:
    """Checks text that Keras would look up as a name."""
    if key == "activation":
        require(
            value is None or (isinstance(value, str) and value in ACTIVATIONS), f"an activation {str(value)[:60]!r}"
        )
    elif key == "dtype":
        require(
            isinstance(value, dict) or value is None or (isinstance(value, str) and value in _DTYPES),
            f"a dtype {value!r:.60}",
        )
    elif _OBJECT_KEY.match(key):
        require(value is None or isinstance(value, dict), f"{key[:40]} is given by a name, {value!r:.60}")
    elif key in ("function", "fn", "module_object", "vocabulary", "filepath", "url"):
        require(False, f"an entry {key!r}, which no layer of a detector has")


# === Weights ===


def read_weights(path: Path) -> dict[str, Any]:
    """Reads the weights of a `model.keras`, by HDF5 path, without Keras.

    Raises:
        BundleError: If the file cannot be read or its weights are not plain arrays.
    """
    try:
        member = "model.weights.h5"
        members = read_zip(path, limit=lambda name: _MEMBERS.get(name, 0))
        require(member in members, f"expected the member {member}")
        return _check_weights(members[member])
    except (ArchiveError, Refused) as error:
        raise BundleError(f"{path} is refused: {error}.") from None


def _check_weights(content: bytes) -> dict[str, Any]:
    import h5py

    require(content[:8] == b"\x89HDF\r\n\x1a\n", "its weights are no HDF5 file")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            check_group(file, len(content))
            return _arrays(file)
    except Refused:
        raise
    except Exception as error:  # h5py raises arbitrary exceptions on damaged files.
        raise Refused(f"its weights cannot be read ({str(error)[:200]})") from None


def _arrays(file: Any) -> dict[str, Any]:
    import h5py

    result: dict[str, Any] = {}

    def keep(path: str, part: Any) -> None:
        if isinstance(part, h5py.Dataset):
            result[path] = part[()]

    file.visititems(keep)
    return result


# === Sizes ===


def _deserialized(config: dict[str, Any]) -> Any:
    import keras

    import dfcore.architectures.layers  # noqa: F401  (registers our layers)

    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    require(isinstance(model, keras.Model), "it is no network")
    return model


def check_sizes(build: Callable[[], Any]) -> None:
    """Checks parameters and activations of a network that is built without allocating its weights.

    Args:
        build: Makes the Keras model; called in a scope in which variables get no values.

    Raises:
        Refused: If it cannot be built or is too large.
    """
    import keras
    from keras.src.backend.common import global_state

    pending = "uninitialized_variables"
    before = list(global_state.get_global_attribute(pending, [], set_to_default=True))
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = build()
            parameters = sum(math.prod(variable.shape) for variable in model.variables)
            elements = [size for operation in model.operations for size in _elements(operation)]
    except Refused:
        raise
    except Exception as error:  # Keras raises arbitrary exceptions on inconsistent values.
        raise Refused(f"the network cannot be built ({type(error).__name__}: {str(error)[:200]})") from None
    finally:
        # Otherwise Keras would allocate these variables later.
        global_state.set_global_attribute(pending, before)
    require(parameters <= _MAX_PARAMETERS, f"{parameters:,} weights. At most {_MAX_PARAMETERS:,} are loaded")
    largest, together = max(elements), sum(elements)
    require(largest <= _MAX_ELEMENTS, f"a layer gives {largest:,} numbers an image. At most {_MAX_ELEMENTS:,} may be")
    text = f"its layers give {together:,} numbers an image. At most {_MAX_ALL_ELEMENTS:,} may be"
    require(together <= _MAX_ALL_ELEMENTS, text)


def _elements(operation: Any) -> list[int]:
    """Elements per image in the outputs of an operation, for each call; for attention also its score matrix."""
    result = []
    for node in operation._inbound_nodes:
        for tensor in node.output_tensors:
            sides = tensor.shape[1:]
            require(all(side is not None for side in sides), "a layer whose output has no definite size")
            result.append(math.prod(sides))
            if type(operation).__name__ == "MultiHeadAttention":
                tokens = math.prod(sides[:-1])
                result.append(operation.num_heads * tokens * tokens)
    return result
