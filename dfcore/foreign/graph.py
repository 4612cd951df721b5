"""A stranger's network, nested in any way, as a flat list of steps; Keras is not needed for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dfcore.detectors.untrusted import require
from dfcore.foreign import calls, layers, operations
from dfcore.foreign.calls import Call, Tensor
from dfcore.foreign.operations import Channel
from dfcore.foreign.weights import Place, Store

MAX_STEPS, _MAX_DEPTH, _MAX_VISITS = 2000, 12, 20_000
_NETWORKS = ("Functional", "Model", "Sequential")
_MODULES = re.compile(r"(keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(\.|$)")


@dataclass(frozen=True)
class Step:
    """One layer of the flat network.

    Attributes:
        kind: Its class, one of `layers.KINDS`.
        config: Its configuration, as `layers.checked` gives it.
        inputs: What it takes: 0 is the image, n the n-th step.
        name: Its name; empty if it never had one.
        weights: Its weights, float32, in Keras's order.
    """

    kind: str
    config: dict[str, Any]
    inputs: tuple[int, ...]
    name: str = ""
    weights: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Flat:
    """A network as it is read.

    Attributes:
        shape: Height, width and channels of its input; None where it takes any.
        steps: Its steps; each takes only earlier ones.
        output: The step that is its output.
        end: What its last layer makes of its logits: "sigmoid", "softmax", or "linear" for nothing. The steps end in
            the logits.
        idle: Names of layers that act in training alone, which were left out.
        notes: What else is to be known of it, as sentences.
    """

    shape: tuple[int | None, int | None, int]
    steps: tuple[Step, ...]
    output: int
    end: str
    idle: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Value = int | Channel


@dataclass
class _Flattener:
    store: Store
    keras_2: bool
    steps: list[Step] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    visits: int = 0

    def network(self, layer: dict[str, Any], value: Value, place: Place, depth: int) -> Value:
        """Adds the steps of a network that is called with a value; returns its output."""
        require(depth <= _MAX_DEPTH, f"its networks are nested more than {_MAX_DEPTH} deep")
        inner = _inner_layers(layer)
        groups = _groups(inner)
        if layer["class_name"] == "Sequential":
            for each, group in zip(inner, groups, strict=True):
                if each["class_name"] != "InputLayer":
                    call = Call((Tensor("", 0),), {})
                    value = self.layer(each, call, [value], place.within(group, calls.name_of(each)), depth)
            return value
        return self._functional(layer["config"], inner, groups, value, place, depth)

    def _functional(
        self,
        config: dict[str, Any],
        inner: list[dict[str, Any]],
        groups: list[str],
        value: Value,
        place: Place,
        depth: int,
    ) -> Value:
        entry = _end(config.get("input_layers"), "input")
        leaf = _end(config.get("output_layers"), "output")
        known: dict[str, list[Value]] = {}
        waiting: list[tuple[str, dict[str, Any], str, list[Call]]] = []
        for each, group in zip(inner, groups, strict=True):
            name = calls.name_of(each)
            require(name not in known and all(name != other[0] for other in waiting), "two of its layers have one name")
            if each["class_name"] == "InputLayer":
                require(name == entry.name, "it has several inputs. Expected one image")
                known[name] = [value]
            else:
                waiting.append((name, each, group, calls.parse(each)))
        while waiting:
            left = []
            for name, each, group, made in waiting:
                if not all(tensor.name in known for call in made for tensor in call.tensors):
                    left.append((name, each, group, made))
                    continue
                at = place.within(group, name)
                known[name] = [
                    self.layer(each, call, [_found(known, tensor) for tensor in call.tensors], at, depth)
                    for call in made
                ]
            require(len(left) < len(waiting), "its layers are not connected: some wait for one another")
            waiting = left
        require(leaf.name in known, "its output is none of its layers")
        return _found(known, leaf)

    def layer(self, layer: dict[str, Any], call: Call, values: list[Value], place: Place, depth: int) -> Value:
        """Adds the steps of a layer that is called; returns its output."""
        self.visits += 1
        require(self.visits <= _MAX_VISITS, f"its layers are called more than {_MAX_VISITS:,} times")
        kind, name = layer["class_name"], place.name
        if operations.is_operation(layer):
            return operations.add(self, layer, call, values)
        _require_keras(layer, name)
        acts = "acts as in training when it judges (it is called with training=True): its results would be random"
        # Keras 3 notes what it would do without being told, and judges as when it judges all the same.
        random = self.keras_2 and call.options.get("training") is True
        require(not random, f"its layer {name[:60]!r} {acts}")
        if kind in _NETWORKS:
            require(len(values) == 1, f"its network {name[:60]!r} takes several tensors. Expected one")
            return self.network(layer, values[0], place, depth + 1)
        if kind in layers.IDLE:
            require(len(values) == 1, f"its layer {name[:60]!r} takes several tensors. Expected one")
            self.idle.append(f"{name[:60]} ({kind})")
            return values[0]
        if kind == "Normalization":
            return self._normalization(layer["config"], values, place)
        kind, config = _renamed(kind, layer["config"], self.keras_2, name)
        require(kind in layers.KINDS, layers.refusal(name, kind))
        config = layers.checked(kind, config, name)
        weights = tuple(self.store.arrays(place, layers.weight_names(kind, config)))
        return self.step(kind, config, values, name, weights)

    def step(
        self,
        kind: str,
        config: dict[str, Any],
        values: Sequence[Value],
        name: str = "",
        weights: tuple[np.ndarray, ...] = (),
    ) -> int:
        """Adds a step; returns its number."""
        inputs = tuple(value for value in values if isinstance(value, int))
        require(len(inputs) == len(values), "it takes its image apart into channels and does not put them together")
        require(
            len(inputs) == 1 or (len(inputs) > 1 and layers.KINDS[kind].many), f"{kind} takes {len(inputs)} tensors"
        )
        require(len(self.steps) < MAX_STEPS, f"it has more than {MAX_STEPS:,} layers")
        self.steps.append(Step(kind, config, inputs, name, weights))
        return len(self.steps)

    def _normalization(self, config: dict[str, Any], values: list[Value], place: Place) -> int:
        """The layer as the scaling that it is."""
        where = f"its layer {place.name[:60]!r} (Normalization)"
        axis = config.get("axis", -1)
        require(axis in (-1, 3, [-1], [3]), f"{where} normalises over other axes than the channels")
        require(not config.get("invert"), f"{where} is inverted, which is not supported")
        if config.get("mean") is not None or config.get("variance") is not None:
            parts = [operations.constant(config.get(key)) for key in ("mean", "variance")]
            require(all(part is not None for part in parts), f"{where} has no mean or variance")
            mean, variance = (np.asarray(part, np.float64) for part in parts)
        else:
            mean, variance, _ = self.store.arrays(place, ("mean", "variance", "count"))
        require(mean.size <= 16 and mean.size == variance.size, f"{where} has {mean.size} channels")
        require(bool((variance >= 0).all()), f"{where} has a negative variance")
        scale = 1 / np.maximum(np.sqrt(variance.astype(np.float64).ravel()), 1e-7)
        offset = (-mean.ravel() * scale).tolist()
        return self.step("Rescaling", {"scale": scale.tolist(), "offset": offset}, values, place.name)


def flatten(network: dict[str, Any], store: Store, *, keras_2: bool) -> Flat:
    """Flattens a network.

    Args:
        network: Its configuration, as Keras saved it.
        store: Its weights.
        keras_2: Whether Keras 2 saved it.

    Raises:
        Refused: If it is none that can be adopted; the message says why.
    """
    calls.require_layer(network)
    require(
        network["class_name"] in _NETWORKS,
        f"expected a Functional or Sequential network. Received: {network['class_name'][:60]}, a class of its author's",
    )
    work = _Flattener(store, keras_2)
    shape = _input_shape(network)
    output = work.network(network, 0, Place(), 0)
    require(isinstance(output, int) and output > 0, "it has no layers")
    assert isinstance(output, int)
    return _without_end(Flat(shape, tuple(work.steps), output, "linear", tuple(work.idle), tuple(work.notes)))


def _without_end(flat: Flat) -> Flat:
    """The network up to its logits, with steps that lead nowhere left out."""
    steps, output, end = list(flat.steps), flat.output, "linear"
    while True:
        step = steps[output - 1]
        last = "softmax" if step.kind == "Softmax" else step.config.get("activation", "linear")
        if step.kind not in ("Activation", "Softmax", "Dense") or last == "linear":
            if step.kind != "Activation" or step.inputs[0] == 0:
                break
            output = step.inputs[0]
            continue
        require(
            last in ("sigmoid", "softmax") and end == "linear",
            f"it ends in the activation {last if end == 'linear' else f'{last} before {end}'}. Expected sigmoid for "
            "one output, softmax for two, or none for logits",
        )
        end = last
        if step.kind == "Dense":
            steps[output - 1] = replace(step, config=step.config | {"activation": "linear"})
            break
        output = step.inputs[0]
        require(output > 0, "it has no layers")
    return _pruned(replace(flat, steps=tuple(steps), output=output, end=end))


def _pruned(flat: Flat) -> Flat:
    needed = {flat.output}
    for number in range(flat.output, 0, -1):
        if number in needed:
            needed |= set(flat.steps[number - 1].inputs)
    kept = [number for number in range(1, len(flat.steps) + 1) if number in needed]
    renumbered = {0: 0} | {old: new for new, old in enumerate(kept, 1)}
    steps = [flat.steps[number - 1] for number in kept]
    return replace(
        flat,
        steps=tuple(replace(step, inputs=tuple(renumbered[each] for each in step.inputs)) for step in steps),
        output=renumbered[flat.output],
    )


def _inner_layers(layer: dict[str, Any]) -> list[dict[str, Any]]:
    config = layer["config"]
    # The oldest files of Keras 2 hold a Sequential's layers directly.
    inner = config.get("layers") if isinstance(config, dict) else config
    require(isinstance(inner, list) and len(inner) <= MAX_STEPS, f"a network has no list of at most {MAX_STEPS} layers")
    assert isinstance(inner, list)
    for each in inner:
        calls.require_layer(each)
    return inner


def _groups(inner: list[dict[str, Any]]) -> list[str]:
    """The group of each layer's weights in a `.keras` file: its class, numbered where there are several."""
    used: dict[str, int] = {}
    result = []
    for each in inner:
        if operations.is_operation(each) and "ops" in str(each.get("module")):  # No layers, so they are not counted.
            result.append("")
            continue
        name = re.sub(
            r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", each["class_name"]))
        )
        name = name.lower()
        used[name] = used.get(name, -1) + 1
        result.append(f"{name}_{used[name]}" if used[name] else name)
    return result


def _require_keras(layer: dict[str, Any], name: str) -> None:
    module, registered = layer.get("module"), layer.get("registered_name")
    own = module is None or (isinstance(module, str) and _MODULES.match(module) is not None)
    own = own and (registered is None or (isinstance(registered, str) and registered == layer["class_name"]))
    require(own, layers.refusal(name, layer["class_name"]))


def _renamed(kind: str, config: dict[str, Any], keras_2: bool, name: str) -> tuple[str, dict[str, Any]]:
    """Class and configuration by the names of Keras 3."""
    if keras_2:
        shifted = "hard_sigmoid" not in str(config.get("activation"))
        require(shifted, f"its layer {name[:60]!r} has the hard_sigmoid of Keras 2, which is another one in Keras 3")
    axis = config.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config = config | {"axis": axis[0]}
    if kind == "LeakyReLU" and "alpha" in config:
        config = config | {"negative_slope": config["alpha"]}
    return kind, config


def _end(value: Any, what: str) -> Tensor:
    """The tensor that a network begins or ends with."""
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    sound = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and value[2] == 0
    require(sound, f"it has several {what}s, or none. Expected one")
    return Tensor(value[0], value[1] if isinstance(value[1], int) else 0)


def _found(known: dict[str, list[Value]], tensor: Tensor) -> Value:
    values = known[tensor.name]
    # Networks within networks are counted from 0 or from 1, by the version that saved them; they are called once.
    if len(values) == 1:
        return values[0]
    require(
        0 <= tensor.call < len(values), f"its layer {tensor.name[:60]!r} is called less often than its calls are used"
    )
    return values[tensor.call]


def _input_shape(network: dict[str, Any]) -> tuple[int | None, int | None, int]:
    """The shape of the image that it takes."""
    config, inner = network["config"], _inner_layers(network)
    first = next((each for each in inner if each["class_name"] == "InputLayer"), inner[0] if inner else network)
    while first["class_name"] in _NETWORKS and _inner_layers(first):  # A Sequential that begins with a network.
        first = _inner_layers(first)[0]
    places = [first["config"].get(key) for key in ("batch_shape", "batch_input_shape")]
    places += [part.get(key) for part in (config, network.get("build_config")) if isinstance(part, dict)
               for key in ("build_input_shape", "input_shape")]  # fmt: skip
    shape = next((part for part in places if isinstance(part, list) and part), None)
    require(shape is not None, "it does not say what shape its input has. Call it on an image once, and save it again")
    assert shape is not None
    sides = shape[1:]
    sound = len(sides) == 3 and all(side is None or (isinstance(side, int) and 0 < side <= 4096) for side in sides)
    require(
        sound and sides[2] == 3, f"expected colour images, (height, width, 3). Received an input of shape {sides!r:.60}"
    )
    require(sides[0] == sides[1], f"expected a square input. Received: {sides[0]} x {sides[1]} pixels")
    return sides[0], sides[1], 3
