"""The library of detectors: a folder of bundles under plain names, one of them the default.

A bundle is named by its folder, by a run's folder, or by a name in this library.
"""

import re
import shutil
import tempfile
from pathlib import Path

from dfcore import workspace
from dfcore.detectors.bundle import CARD, verify
from dfcore.errors import BundleError
from dfcore.utils.files import lock, make_folder, share, write_text

_DEFAULT = "default.txt"
_LOCK = ".lock"


def find_bundle(name: str | Path) -> Path:
    """Finds a bundle: its folder, a run's folder or id, or a name under the models folder.

    Raises:
        BundleError: naming the detectors that there are.
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
    """Bundles in a folder of detectors, the default one first, then by name."""
    if not folder.is_dir():
        return []
    result = sorted(path for path in folder.iterdir() if (path / CARD).is_file() and not path.name.startswith("."))
    return sorted(result, key=lambda path: path.name != default_name(folder))


def default_name(folder: Path) -> str | None:
    """The name of the default detector, if one was chosen."""
    path = folder / _DEFAULT
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def set_default(folder: Path, name: str) -> None:
    """Makes a detector the default one."""
    with lock(folder / _LOCK):
        _set_default(folder, name)


def _set_default(folder: Path, name: str) -> None:
    _own(folder, name)
    write_text(folder / _DEFAULT, name + "\n")


def promote(source: Path, folder: Path, name: str) -> Path:
    """Copies a bundle into the folder of detectors under a new name.

    Raises:
        BundleError: when the name is taken or no plain name, or the bundle is damaged.
    """
    verify(source)
    free_place(folder, name)
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".bundle-") as aside:
        return put(Path(shutil.copytree(source, Path(aside) / name)), folder, name)


def put(made: Path, folder: Path, name: str) -> Path:
    """Moves a finished bundle, which lies in the same file system, into the folder of detectors under a new name.

    Raises:
        BundleError: when the name is taken or no plain name.
    """
    with lock(folder / _LOCK):
        target = made.rename(free_place(folder, name))
    share(target)
    return target


def rename(folder: Path, name: str, new: str) -> Path:
    """Gives a detector another name."""
    with lock(folder / _LOCK):
        source, target = _own(folder, name), free_place(folder, new)
        was_default = default_name(folder) == name
        source.rename(target)
        if was_default:
            _set_default(folder, new)
    return target


def delete(folder: Path, name: str) -> None:
    """Deletes a detector for good."""
    with lock(folder / _LOCK):
        shutil.rmtree(_own(folder, name))
        if default_name(folder) == name:
            (folder / _DEFAULT).unlink()


def free_place(folder: Path, name: str) -> Path:
    """Where a new detector of that name will lie.

    Raises:
        BundleError: when the name is taken or no plain name.
    """
    _plain(name)
    if (folder / name).exists():
        raise BundleError(f"There is a detector {name!r} already; choose another name.")
    return folder / name


def _own(folder: Path, name: str) -> Path:
    _plain(name)
    if not (folder / name / CARD).is_file():
        raise BundleError(f"There is no detector {name!r} in {folder}.")
    return folder / name


def _plain(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BundleError(
            "Expected a name of at most 64 letters, digits, dots, dashes and underscores that begins with a "
            f"letter or digit. Received: {name!r}."
        )
