"""Folders of the workbench, and which folders it may read.

`DFCORE_RUNS`, `DFCORE_MODELS`, `DFCORE_DATA`, `DFCORE_CACHE` and `DFCORE_LOGS` override the defaults, which are
subfolders of the current one. `DFCORE_ROOTS` lists the readable folders (separated as in PATH); if unset, as on the
command line, every folder is readable. The dashboard always sets it, and its child processes inherit it.
"""

import os
from pathlib import Path

from dfcore.errors import AccessError

ROOTS = "DFCORE_ROOTS"
_PACKAGE = Path(__file__).resolve().parent


def runs_dir() -> Path:
    """Folder of training runs, `runs/` by default."""
    return _folder("DFCORE_RUNS", "runs")


def measurements_dir() -> Path:
    """Folder of detectors' evaluation results on other data sets, inside the runs folder."""
    return runs_dir() / ".measurements"


def models_dir() -> Path:
    """Folder of detector bundles, `models/` by default."""
    return _folder("DFCORE_MODELS", "models")


def checkout() -> Path | None:
    """The checkout that contains this package; None if the package is installed."""
    return None if (_PACKAGE / "_models").is_dir() else _PACKAGE.parent


def shipped_models_dir() -> Path:
    """Folder of the shipped detectors: inside the installed package, or `models/` of the checkout."""
    root = checkout()
    return root / "models" if root else _PACKAGE / "_models"


def app_script() -> Path:
    """The dashboard's main script: inside the installed package, or at the top of the checkout."""
    return (checkout() or _PACKAGE / "_app") / "streamlit_app.py"


def model_folders() -> list[Path]:
    """Folders searched for detectors by name: the workspace's models, then the shipped ones.

    If `DFCORE_MODELS` is set, only that folder.
    """
    own = models_dir()
    if os.environ.get("DFCORE_MODELS") or own == shipped_models_dir():
        return [own]
    return [own, shipped_models_dir()]


def data_dir() -> Path:
    """Folder of data sets that the workbench generates, `data/` by default."""
    return _folder("DFCORE_DATA", "data")


def cache_dir() -> Path:
    """Folder of cached pixels and scans, `.cache/` by default; can be deleted at any time."""
    return _folder("DFCORE_CACHE", ".cache")


def logs_dir() -> Path:
    """Folder of the dashboard's log, `logs/` by default."""
    return _folder("DFCORE_LOGS", "logs")


def is_own(path: Path) -> bool:
    """Whether a path is inside the models, runs or shipped models folder, after resolving links."""
    real = Path(path).resolve()
    return any(real.is_relative_to(folder) for folder in (models_dir(), runs_dir(), shipped_models_dir()))


def roots() -> list[Path] | None:
    """The readable folders, always including the workspace's own and the shipped models; None for all folders."""
    named = named_roots()
    if named is None:
        return None
    return [*named, runs_dir(), models_dir(), data_dir(), cache_dir(), shipped_models_dir()]


def readable(path: Path) -> bool:
    """Whether a file or folder may be read, after resolving links."""
    allowed = roots()
    try:
        real = Path(path).resolve()
    except (OSError, RuntimeError, ValueError):  # Circular links, or a zero byte in the name.
        return False
    return allowed is None or any(real.is_relative_to(root) for root in allowed)


def require_readable(path: Path) -> None:
    """Checks that a file or folder may be read, after resolving links.

    Raises:
        AccessError: If not; the text lists the readable folders.
    """
    if not readable(path):
        text = ", ".join(str(root) for root in named_roots() or ()) or "none but the workspace's own"
        raise AccessError(
            f"{path} lies outside of the folders that may be read here ({text}). The operator of the server can add "
            f"others: start it with {ROOTS} set to all of them, separated by {os.pathsep!r}."
        )


def named_roots() -> list[Path] | None:
    """The folders named in `DFCORE_ROOTS`, without the workspace's own; None if it is not set."""
    text = os.environ.get(ROOTS)
    if text is None:
        return None
    return [Path(part).expanduser().resolve() for part in text.split(os.pathsep) if part]


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).resolve()
