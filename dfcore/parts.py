"""Weights of networks that ship with the package, in `models/parts`: one file each, known to the code by its hash."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dfcore import workspace
from dfcore.errors import BundleError
from dfcore.utils.files import remembered, sha256_bytes, sha256_file

_hash = remembered(most=8)(sha256_file)


def part_file(name: str) -> Path:
    """Where a part ships, by the name of its file."""
    return workspace.shipped_models_dir() / "parts" / name


def require_part(path: Path, sha256: str, what: str) -> None:
    """Checks that a part is there and is the one that the code expects; the hash of a file that stays is remembered.

    Raises:
        BundleError: If it is missing, unreadable or another; names `what`, path and hashes.
    """
    try:
        found = _hash(path)
    except OSError as error:
        raise _unreadable(path, what, error) from error
    _require_same(found, path, sha256, what)


def read_part(
    path: Path, sha256: str, what: str, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, np.ndarray]:
    """The arrays of a part whose names are wanted, by name; what was checked is what is read.

    Raises:
        BundleError: As `require_part`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, what, error) from error
    _require_same(sha256_bytes(data), path, sha256, what)
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files if wanted(name)}


def _unreadable(path: Path, what: str, error: OSError) -> BundleError:
    if isinstance(error, FileNotFoundError):
        return BundleError(f"The weights of {what} are missing. Expected {path}. Installing dfcore anew mends it.")
    return BundleError(f"The weights of {what} cannot be read: {error}.")


def _require_same(found: str, path: Path, sha256: str, what: str) -> None:
    if found != sha256:
        raise BundleError(
            f"The weights of {what} in {path} are not those that ship. Expected SHA-256 {sha256[:16]}… Received: "
            f"{found[:16]}… Installing dfcore anew mends it."
        )
