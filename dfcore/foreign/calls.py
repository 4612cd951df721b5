"""How the layers of a network are called, as configurations of Keras 2 and 3 tell it."""

from dataclasses import dataclass
from typing import Any

from dfcore.detectors.untrusted import require

_MAX_NAME, _MAX_CALLS, _MAX_ARGUMENTS = 200, 200, 200


@dataclass(frozen=True)
class Tensor:
    """The output of a layer: its name, and which of its calls."""

    name: str
    call: int


@dataclass(frozen=True)
class Call:
    """A call of a layer.

    Attributes:
        arguments: What it is called with, in order: tensors, numbers, other plain data.
        options: Named arguments, plain data.
    """

    arguments: tuple[Any, ...]
    options: dict[str, Any]

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors among the arguments."""
        return [each for each in self.arguments if isinstance(each, Tensor)]


def require_layer(layer: Any) -> None:
    """Refuses what is no description of a layer."""
    sound = isinstance(layer, dict) and isinstance(layer.get("class_name"), str)
    require(sound and isinstance(layer.get("config"), (dict, list)), "one of its layers is no layer")
    sequential = layer["class_name"] == "Sequential"
    require(sequential or isinstance(layer["config"], dict), "one of its layers has no configuration")


def name_of(layer: dict[str, Any]) -> str:
    """The name of a layer."""
    name = layer.get("name")
    if name is None and isinstance(layer["config"], dict):
        name = layer["config"].get("name")
    require(isinstance(name, str) and 0 < len(name) <= _MAX_NAME, "one of its layers has no name")
    assert isinstance(name, str)
    return name


def parse(layer: dict[str, Any]) -> list[Call]:
    """All calls of a layer of a functional network."""
    nodes = layer.get("inbound_nodes")
    require(
        isinstance(nodes, list) and 0 < len(nodes) <= _MAX_CALLS, f"its layer {name_of(layer)[:60]!r} is never called"
    )
    assert isinstance(nodes, list)
    return [_keras_3(node) if isinstance(node, dict) else _keras_2(node) for node in nodes]


def _keras_3(node: dict[str, Any]) -> Call:
    arguments, options = node.get("args", []), node.get("kwargs", {})
    require(isinstance(arguments, list) and isinstance(options, dict), "a layer is called in an unknown way")
    flat: list[Any] = []
    for each in [*arguments, *([options["inputs"]] if "inputs" in options else [])]:
        tensors = isinstance(each, list) and bool(each) and all(_is_tensor(part) for part in each)
        flat += [_tensor(part) for part in each] if tensors else [_tensor(each) if _is_tensor(each) else each]
    require(len(flat) <= _MAX_ARGUMENTS, "a layer is called with too many arguments")
    options = {key: value for key, value in options.items() if key != "inputs"}
    for key, value in options.items():
        require(not _mentions_tensor(value), f"a layer is called with a tensor as {key[:40]!r}, which is not supported")
    return Call(tuple(flat), options)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _mentions_tensor(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return any(_is_tensor(part) for part in parts)


def _tensor(value: dict[str, Any]) -> Tensor:
    config = value.get("config")
    history = config.get("keras_history") if isinstance(config, dict) else None
    return _of_history(history)


def _of_history(history: Any) -> Tensor:
    sound = isinstance(history, list) and len(history) >= 3 and isinstance(history[0], str)
    require(sound and isinstance(history[1], int) and history[2] == 0, "a layer takes what no layer gives")
    return Tensor(history[0], history[1])


def _keras_2(node: Any) -> Call:
    """A list of [name, call, output, options], or one of these alone for an operation."""
    require(isinstance(node, list) and bool(node), "a layer is called in an unknown way")
    parts = [node] if isinstance(node[0], str) else node
    require(len(parts) <= _MAX_ARGUMENTS, "a layer is called with too many arguments")
    arguments: list[Any] = []
    options: dict[str, Any] = {}
    for part in parts:
        require(isinstance(part, list) and len(part) in (3, 4), "a layer is called in an unknown way")
        given = part[3] if len(part) == 4 else {}
        require(isinstance(given, dict), "a layer is called in an unknown way")
        arguments.append(part[2] if part[0] == "_CONSTANT_VALUE" else _of_history(part))
        options |= given
    if "y" in options:  # The second operand of an operation.
        second = options.pop("y")
        named = isinstance(second, list) and len(second) == 3 and isinstance(second[0], str)
        arguments.append(_of_history(second) if named else second)
    return Call(tuple(arguments), options)
