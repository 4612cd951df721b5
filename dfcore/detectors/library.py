"""The library of detectors: a folder of named bundles, one of which is the default.

A bundle can be given by its folder, by a run, or by its name in this library.
"""

import re
import shutil
import tempfile
from pathlib import Path

from dfcore import workspace
from dfcore.detectors.bundle import CARD, verify
from dfcore.errors import BundleError
from dfcore.utils.files import write_text

_DEFAULT = "default.txt"


def find_bundle(name: str | Path) -> Path:
    """Finds a bundle by its folder, a run's folder or id, or a name in the models folder.

    Raises:
        BundleError: If there is none; the message lists the available detectors.
    """
    given = Path(name).expanduser()
    candidates = [given, given / "bundle", workspace.models_dir() / given, workspace.runs_dir() / given / "bundle"]
    for folder in candidates:
        if (folder / CARD).is_file():
            return folder.resolve()
    known = ", ".join(path.name for path in list_bundles(workspace.models_dir())) or "none yet"
    raise BundleError(
        f"There is no detector {str(name)!r}. Expected a bundle folder, a finished run, or one of: {known}."
    )


def list_bundles(folder: Path) -> list[Path]:
    """Lists the bundles in a folder of detectors, the default first, then by name."""
    if not folder.is_dir():
        return []
    result = sorted(path for path in folder.iterdir() if (path / CARD).is_file() and not path.name.startswith("."))
    return sorted(result, key=lambda path: path.name != default_name(folder))


def default_name(folder: Path) -> str | None:
    """Name of the default detector, or None if none is set."""
    path = folder / _DEFAULT
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def set_default(folder: Path, name: str) -> None:
    """Sets the default detector.

    Raises:
        BundleError: If there is no such detector.
    """
    _existing(folder, name)
    write_text(folder / _DEFAULT, name + "\n")


def promote(source: Path, folder: Path, name: str) -> Path:
    """Copies a bundle into the folder of detectors under a new name.

    Raises:
        BundleError: If the name is taken or invalid, or the bundle is damaged.
    """
    verify(source)
    target = free_place(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".bundle-") as aside:
        shutil.copytree(source, Path(aside) / name)
        (Path(aside) / name).rename(target)
    return target


def rename(folder: Path, name: str, new: str) -> Path:
    """Renames a detector; it stays the default if it was.

    Raises:
        BundleError: If there is no such detector, or the new name is taken or invalid.
    """
    source, target = _existing(folder, name), free_place(folder, new)
    was_default = default_name(folder) == name
    source.rename(target)
    if was_default:
        set_default(folder, new)
    return target


def delete(folder: Path, name: str) -> None:
    """Deletes a detector permanently.

    Raises:
        BundleError: If there is no such detector.
    """
    shutil.rmtree(_existing(folder, name))
    if default_name(folder) == name:
        (folder / _DEFAULT).unlink()


def free_place(folder: Path, name: str) -> Path:
    """Path for a new detector with this name.

    Raises:
        BundleError: If the name is taken or invalid.
    """
    _check_name(name)
    if (folder / name).exists():
        raise BundleError(f"There is already a detector named {name!r}; choose another name.")
    return folder / name


def _existing(folder: Path, name: str) -> Path:
    _check_name(name)
    if not (folder / name / CARD).is_file():
        raise BundleError(f"There is no detector {name!r} in {folder}.")
    return folder / name


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BundleError(
            "Expected a name of at most 64 letters, digits, dots, hyphens and underscores, starting with a letter or "
            f"digit. Received: {name!r}."
        )
