"""The data sets that people have registered: a list of folders in the workspace's data folder."""

import itertools
import re
from pathlib import Path

from filelock import FileLock

from dfcore import workspace
from dfcore.errors import LayoutError
from dfcore.utils.files import lock, make_folder, read_json, write_json

DEMO = "demo"


def registered() -> list[Path]:
    """Registered folders and manifests that still exist, in order of registration; the demo set included.

    Those that do not are in `missing`.
    """
    paths = [Path(text) for text in _stored()]
    demo = demo_folder()
    if demo.is_dir() and demo not in paths:
        paths.append(demo)
    return [path for path in paths if path.exists()]


def missing() -> list[Path]:
    """Registered folders and manifests that are not there any more: moved, deleted, or on a disk that is away."""
    return [path for path in map(Path, _stored()) if not path.exists()]


def relocate(old: str | Path, new: str | Path) -> list[Path]:
    """Registers what moved from `old`, or from below it, at its place in `new`; returns the new paths.

    Raises:
        AccessError: when it lies outside of the folders that may be read.
        LayoutError: when it is not there.
    """
    before, now = Path(old).expanduser().absolute(), Path(new).expanduser()
    workspace.require_readable(now)
    if not now.exists():
        raise LayoutError(f"Expected an existing folder or manifest on this machine. Received: {str(new)!r}.")
    now = now.resolve()
    with _lock():
        stored = _stored()
        moved = {
            text: str(now / Path(text).relative_to(before)) for text in stored if Path(text).is_relative_to(before)
        }
        moved = {text: path for text, path in moved.items() if Path(path).exists()}
        write_json(_file(), list(dict.fromkeys(moved.get(text, text) for text in stored)))
    return [Path(path) for path in moved.values()]


def register(root: str | Path) -> Path:
    """Adds a folder or manifest to the list; returns its full path.

    Raises:
        AccessError: when it lies outside of the folders that may be read.
        LayoutError: when there is no such thing.
    """
    text = str(root).strip()
    path = Path(text).expanduser()
    workspace.require_readable(path)
    if not text or not path.exists():
        raise LayoutError(f"Expected an existing folder or manifest on this machine. Received: {text!r}.")
    path = path.resolve()
    with _lock():
        stored = _stored()
        if str(path) not in stored:
            write_json(_file(), [*stored, str(path)])
    return path


def forget(root: Path) -> None:
    """Takes a folder off the list; its files stay."""
    with _lock():
        write_json(_file(), [text for text in _stored() if text != str(root)])


def demo_folder() -> Path:
    """Where the dashboard makes the demonstration data set."""
    return workspace.data_dir() / DEMO


def free_folder(name: str, suffix: str) -> Path:
    """The first folder for what is made of a data set that does not exist yet: NAME-SUFFIX, NAME-SUFFIX-2 and so on."""
    first = workspace.data_dir() / f"{name}{suffix}"
    numbered = (first.with_name(f"{first.name}-{number}") for number in itertools.count(2))
    return next(folder for folder in itertools.chain((first,), numbered) if not folder.exists())


def made_of(name: str, suffix: str) -> list[Path]:
    """The registered data sets that were made of another, by their names, see `free_folder`."""
    pattern = re.compile(re.escape(name + suffix) + r"(-\d+)?")
    return [root for root in registered() if root.parent == workspace.data_dir() and pattern.fullmatch(root.name)]


def _file() -> Path:
    return workspace.data_dir() / "registered.json"


def _lock() -> FileLock:
    """Held from reading the list until it is written: several sessions and processes change it."""
    make_folder(workspace.data_dir())
    return lock(workspace.data_dir() / ".registered.lock")


def _stored() -> list[str]:
    try:
        return [text for text in read_json(_file()) if isinstance(text, str)]
    except (OSError, ValueError):
        return []
