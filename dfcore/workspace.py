"""Where the workbench keeps things, and which folders it may read.

`DFCORE_RUNS`, `DFCORE_MODELS`, `DFCORE_DATA`, `DFCORE_CACHE` and `DFCORE_LOGS` name other folders than those under the
current one. `DFCORE_ROOTS` lists the folders that may be read (separated as in PATH); without it all may be, which
suits the command line. The dashboard always sets it, and what it starts inherits it.
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
    """Folder of what detectors were measured to do on other data sets, within that of the runs."""
    return runs_dir() / ".measurements"


def models_dir() -> Path:
    """Folder of detector bundles, `models/` by default."""
    return _folder("DFCORE_MODELS", "models")


def checkout() -> Path | None:
    """The checkout that this package lies in; None where it was installed."""
    return None if (_PACKAGE / "_models").is_dir() else _PACKAGE.parent


def shipped_models_dir() -> Path:
    """Folder of the detectors that ship: within the installed package, or `models/` of the checkout."""
    root = checkout()
    return root / "models" if root else _PACKAGE / "_models"


def app_script() -> Path:
    """The dashboard's main script: within the installed package, or at the top of the checkout."""
    return (checkout() or _PACKAGE / "_app") / "streamlit_app.py"


def model_folders() -> list[Path]:
    """Where detectors are looked up by name: the workspace's models, then those that ship.

    Where `DFCORE_MODELS` names a folder, that one alone.
    """
    own = models_dir()
    if os.environ.get("DFCORE_MODELS") or own == shipped_models_dir():
        return [own]
    return [own, shipped_models_dir()]


def data_dir() -> Path:
    """Folder for data sets that the workbench makes, `data/` by default."""
    return _folder("DFCORE_DATA", "data")


def cache_dir() -> Path:
    """Folder of decoded pixels and scans, `.cache/` by default; it can be deleted at any time."""
    return _folder("DFCORE_CACHE", ".cache")


def logs_dir() -> Path:
    """Folder of the dashboard's log, `logs/` by default."""
    return _folder("DFCORE_LOGS", "logs")


def is_own(path: Path) -> bool:
    """Whether it lies among the models, the runs, or the detectors that ship, links resolved."""
    real = Path(path).resolve()
    return any(real.is_relative_to(folder) for folder in (models_dir(), runs_dir(), shipped_models_dir()))


def roots() -> list[Path] | None:
    """The folders that may be read, or None for all; the workspace's own and the shipped models always may."""
    named = _named_roots()
    if named is None:
        return None
    return [*named, runs_dir(), models_dir(), data_dir(), cache_dir(), shipped_models_dir()]


def readable(path: Path) -> bool:
    """Whether a file or folder may be read, links resolved."""
    allowed = roots()
    try:
        real = Path(path).resolve()
    except (OSError, RuntimeError, ValueError):  # Links in a circle, a zero byte in the name.
        return False
    return allowed is None or any(real.is_relative_to(root) for root in allowed)


def require_readable(path: Path) -> None:
    """Checks that a file or folder may be read, links resolved.

    Raises:
        AccessError: naming the folders that may be.
    """
    if not readable(path):
        text = ", ".join(str(root) for root in _named_roots() or ()) or "none but the workspace's own"
        raise AccessError(
            f"{path} lies outside of the folders that may be read here ({text}). Whoever runs the server can add "
            f"others with {ROOTS}."
        )


def _named_roots() -> list[Path] | None:
    text = os.environ.get(ROOTS)
    if text is None:
        return None
    return [Path(part).expanduser().resolve() for part in text.split(os.pathsep) if part]


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).resolve()
