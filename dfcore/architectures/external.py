"""Architectures from outside dfcore: Python files that register them, and their custom layers."""

import re
import sys
import warnings
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from dfcore.architectures.registry import Architecture, get, names
from dfcore.errors import InputError


def load_file(path: str | Path) -> Path:
    """Runs a Python file that registers architectures. Runs each file only once.

    Returns:
        Its full path.

    Raises:
        InputError: If it is not a Python file, or fails.
    """
    file = Path(path).expanduser().resolve()
    if file.suffix != ".py" or not file.is_file():
        raise InputError(f"Expected a Python file that registers an architecture. Received: {path}.")
    # By the file's name alone: saved models name the module of their layers, wherever the file lies later.
    module_name = "dfcore_architecture_" + re.sub(r"\W", "_", file.stem)
    loaded = sys.modules.get(module_name)
    if loaded is None or loaded.__file__ != str(file):
        _run(file, module_name)
    if not any(get(name).features.__module__ == module_name for name in names()):
        raise InputError(f"{file} registers no architecture: expected a function under @dfcore.register_architecture.")
    return file


def _run(file: Path, module_name: str) -> None:
    spec = spec_from_file_location(module_name, file)
    assert spec is not None  # It ends in .py.
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # Third-party code may raise anything.
        del sys.modules[module_name]
        raise InputError(f"{file} cannot be used: {type(error).__name__}: {error}") from error


def own_layers() -> frozenset[tuple[str, str, str]]:
    """Custom layers of all registered architectures: module, class, registered name. Imports Keras."""
    result = set()
    for architecture in map(get, names()):
        for layer in architecture.layers:
            try:
                result.add(_identified(architecture, layer))
            except Exception as error:  # Third-party code may raise anything.
                warnings.warn(f"{layer} of the architecture {architecture.name!r} is left out: {error}", stacklevel=2)
    return frozenset(result)


def _identified(architecture: Architecture, layer: type | str) -> tuple[str, str, str]:
    import keras

    kind: Any = layer
    if isinstance(layer, str):
        module, _, name = layer.partition(":")
        kind = getattr(import_module(module or architecture.features.__module__), name)
    registered = keras.saving.get_registered_name(kind)
    theirs = keras.saving.get_registered_object(registered) is kind and not kind.__module__.startswith("keras.")
    if not (theirs and issubclass(kind, keras.layers.Layer)):
        raise InputError("expected a layer with @keras.saving.register_keras_serializable(package=...).")
    return kind.__module__, kind.__name__, registered
