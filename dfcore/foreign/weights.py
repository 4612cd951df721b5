"""Where the weights of each layer lie in an HDF5 file of Keras 2 or 3."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dfcore.detectors.untrusted import require

# Under these, models of different versions of Keras keep their layers.
_ROOTS = ("layers", "_layer_checkpoint_dependencies", "_functional/layers")
# Names that Keras 2 gave to weights.
_FORMER = {"kernel": ("depthwise_kernel",), "gamma": ("layer_scale", "variable")}


@dataclass(frozen=True)
class Place:
    """Where a layer stands.

    Attributes:
        path: In `.keras` files: the groups that lead to it, below one of the roots each.
        top: In `.h5` files: name of the layer or model of the outermost network that holds it.
        name: Its name.
    """

    path: tuple[str, ...] = ()
    top: str = ""
    name: str = ""

    def within(self, group: str, name: str) -> "Place":
        """The place of a layer in the network that stands here."""
        return Place((*self.path, group), self.top or name, name)


class Store(Protocol):
    """Reads weights by place."""

    def arrays(self, place: Place, names: Sequence[str]) -> list[np.ndarray]:
        """Arrays of these names, in this order.

        Raises:
            Refused: If they are not there.
        """
        ...


class ModernStore:
    """Weights as `.keras` files hold them: numbered, in groups by class."""

    def __init__(self, file: Any):
        self._file = file

    def arrays(self, place: Place, names: Sequence[str]) -> list[np.ndarray]:
        """See `Store.arrays`."""
        group = self._file
        for part in place.path:
            found = next((root for root in _ROOTS if f"{root}/{part}" in group), None)
            require(found is not None, f"the weights of its layer {place.name[:60]!r} are not in the file")
            group = group[f"{found}/{part}"]
        held = group.get("vars")
        # Keras keeps the state of random numbers beside weights; only layers that act in training have one.
        numbered = [] if held is None else [name for name in held if name.isascii() and name.isdecimal()]
        require(
            len(numbered) == len(names) and all(str(number) in held for number in range(len(names))),
            f"its layer {place.name[:60]!r} has {len(numbered)} weights. Expected {len(names)}: {', '.join(names)}",
        )
        return [_read(held[str(number)]) for number in range(len(names))]


class LegacyStore:
    """Weights as `.h5` files hold them: by name, in a group for each layer of the outermost network."""

    def __init__(self, group: Any):
        self._group = group

    def arrays(self, place: Place, names: Sequence[str]) -> list[np.ndarray]:
        """See `Store.arrays`."""
        if not names:
            return []
        require(place.top in self._group, f"the weights of its layer {place.name[:60]!r} are not in the file")
        group = self._group[place.top]
        listed = _listed(group)
        if place.top == place.name and len(place.path) == 1:  # The group is this layer's own.
            require(
                len(listed) == len(names),
                f"its layer {place.name[:60]!r} has {len(listed)} weights. Expected {len(names)}: {', '.join(names)}",
            )
            return [_read(group[path]) for path in _ordered(listed, names)]
        own = [path for path in listed if place.name in path.split("/")[:-1][-1:]]
        return [_read(group[self._named(own, name, place)]) for name in names]

    def _named(self, paths: list[str], name: str, place: Place) -> str:
        allowed = (name, *_FORMER.get(name, ()))
        found = [path for path in paths if _last(path) in allowed]
        require(
            len(found) == 1,
            f"{'several arrays' if found else 'no array'} in the file can be the weight {name!r} of its layer "
            f"{place.name[:60]!r}. Save the model as model.keras, which tells them apart",
        )
        return found[0]


def _last(path: str) -> str:
    """The name of a weight, without the number of its output or of a second one of that name."""
    return re.sub(r"(:\d+)$", "", path.split("/")[-1])


def _ordered(listed: list[str], names: Sequence[str]) -> list[str]:
    """The paths in the order of these names where all can be told, else as they are listed, which is Keras's order."""
    by_name = {_last(path): path for path in listed}
    wanted = [next((each for each in (name, *_FORMER.get(name, ())) if each in by_name), None) for name in names]
    return [by_name[name] for name in wanted if name] if all(wanted) and len(by_name) == len(listed) else listed


def _listed(group: Any) -> list[str]:
    """Names of a layer's weights, which a long list spreads over several attributes."""
    values: list[Any] = []
    if "weight_names" in group.attrs:
        values = list(group.attrs["weight_names"])
    number = 0
    while f"weight_names{number}" in group.attrs:
        values += list(group.attrs[f"weight_names{number}"])
        number += 1
    names = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    require(all(name in group for name in names), "it names weights that are not in the file")
    return names


def _read(dataset: Any) -> np.ndarray:
    require(hasattr(dataset, "dtype") and dataset.dtype.kind in "fiub", "a weight is no array of numbers")
    with np.errstate(over="ignore"):
        result = np.asarray(dataset[()], np.float32)
    require(bool(np.isfinite(result).all()), f"the weights {dataset.name[:80]!r} are not all finite")
    return result
