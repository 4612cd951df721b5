"""The data sets that people have registered: a list of folders in the workspace's data folder."""

from pathlib import Path

from filelock import FileLock

from dfcore import workspace
from dfcore.errors import LayoutError
from dfcore.utils.files import lock, make_folder, read_json, write_json

DEMO = "demo"


def registered() -> list[Path]:
    """Registered folders and manifests that still exist, in order of registration; the demo set included."""
    paths = [Path(text) for text in _stored()]
    demo = demo_folder()
    if demo.is_dir() and demo not in paths:
        paths.append(demo)
    return [path for path in paths if path.exists()]


def missing() -> list[Path]:
    """Registered folders and manifests that no longer exist."""
    return [path for path in map(Path, _stored()) if not path.exists()]


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


def move(old: Path, new: str | Path) -> Path:
    """Replaces a folder or manifest in the list by its new place; returns the new full path.

    Raises:
        AccessError: when the new place lies outside of the folders that may be read.
        LayoutError: when there is no such thing.
    """
    path = register(new)
    forget(old)
    return path


def demo_folder() -> Path:
    """Where the dashboard makes the demonstration data set."""
    return workspace.data_dir() / DEMO


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
