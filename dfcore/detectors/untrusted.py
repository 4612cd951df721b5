"""What readers of strangers' networks share: JSON and HDF5 that are only looked at, and refusals with a reason."""

import json
from typing import Any

_MAX_DATASETS, _MAX_GROUPS_DEEP = 20_000, 50


class Refused(Exception):  # noqa: N818  (becomes a BundleError that names the file)
    """The file failed a check; the message states the reason."""


def require(holds: bool, otherwise: str) -> None:
    """Refuses with a reason unless something holds."""
    if not holds:
        raise Refused(otherwise)


def parse_object(content: bytes | str, name: str) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        Refused: If it is anything else; the message names it by `name`.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is no JSON that can be read ({str(error)[:100]})") from None
    require(isinstance(value, dict), f"{name} holds no object")
    return value


def check_group(top: Any, most: int) -> None:
    """Checks that an HDF5 group holds groups and plain arrays alone, none of them elsewhere, compressed or lied about.

    Args:
        top: The group.
        most: Size of its file in bytes, which all arrays together must not claim to exceed.

    Raises:
        Refused: If it does not.
    """
    import h5py

    seen, size, groups = 0, 0, [(top, 0)]
    while groups:
        group, depth = groups.pop()
        require(depth <= _MAX_GROUPS_DEEP, f"its weights are nested more than {_MAX_GROUPS_DEEP} deep")
        for name in group:
            seen += 1
            require(seen <= _MAX_DATASETS, f"its weights have more than {_MAX_DATASETS:,} parts")
            require(type(group.get(name, getlink=True)) is h5py.HardLink, f"its weights hold a link, {name[:60]!r}")
            part = group[name]
            if isinstance(part, h5py.Group):
                groups.append((part, depth + 1))
                continue
            require(isinstance(part, h5py.Dataset), f"its weights hold {name[:60]!r}, which is no array")
            plain = not (part.is_virtual or part.external or part.compression or part.chunks)
            require(plain, f"the array {part.name[:60]!r} is virtual, external or compressed")
            require(part.dtype.kind in "fiub", f"the array {part.name[:60]!r} is of kind {part.dtype}")
            size += part.size * part.dtype.itemsize
            require(size <= most, "its weights claim to be larger than their file")
