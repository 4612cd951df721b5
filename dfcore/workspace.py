"""Folders of the workbench, and which folders it may read.

`DFCORE_RUNS`, `DFCORE_MODELS`, `DFCORE_DATA`, `DFCORE_CASES`, `DFCORE_BATCHES`, `DFCORE_FILMS`, `DFCORE_CACHE` and
`DFCORE_LOGS` override the defaults, which are subfolders of the current one. `DFCORE_CASES_DATABASE` is the address
of another database for cases. `DFCORE_ROOTS` lists the readable folders (separated as in PATH); if unset, as on the
command line, every folder is readable. The dashboard always sets it, and its child processes inherit it. Whoever has a
shell on the machine can allow further folders while the server runs (`allow`); no page can.
"""

import os
from pathlib import Path

from dfcore.errors import AccessError, InputError
from dfcore.utils.files import lock, make_folder, remembered, write_text

ROOTS = "DFCORE_ROOTS"
_ALLOWED = "allowed-folders.txt"
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


def cases_dir() -> Path:
    """Folder of what is remembered of judged pictures, `cases/` by default; see `keeps_cases`."""
    return _folder("DFCORE_CASES", "cases")


def cases_database() -> str:
    """Address of the database of cases: `cases.db` in `cases_dir`, or what `DFCORE_CASES_DATABASE` says."""
    return os.environ.get("DFCORE_CASES_DATABASE") or f"sqlite:///{cases_dir() / 'cases.db'}"


def keeps_cases() -> bool:
    """Whether verdicts are remembered at all: not if `DFCORE_CASES` is "off"."""
    return os.environ.get("DFCORE_CASES", "").strip().lower() != "off"


def batches_dir() -> Path:
    """Folder of batches, `batches/` by default: what is judged, the rows, and pictures until the batch is closed."""
    return _folder("DFCORE_BATCHES", "batches")


def films_dir() -> Path:
    """Folder of judged films, `films/` by default: what was asked for, rows, thumbnails, and copies of uploads."""
    return _folder("DFCORE_FILMS", "films")


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
            f"others, on its command line and without a restart (dfcore data allow FOLDER), or in {ROOTS}."
        )


def named_roots() -> list[Path] | None:
    """The folders named in `DFCORE_ROOTS` and those of `allow`, without the workspace's own; None if it is not set."""
    text = os.environ.get(ROOTS)
    if text is None:
        return None
    named = [Path(part).expanduser().resolve() for part in text.split(os.pathsep) if part]
    return [*named, *(folder for folder in allowed_folders() if folder not in named)]


def allowed_folders() -> list[Path]:
    """The folders that were allowed on the command line, see `allow`."""
    try:
        return _read_allowed(data_dir() / _ALLOWED)
    except OSError:
        return []


def allow(folder: str | Path, *, withdraw: bool = False) -> list[Path]:
    """Allows a server, also one that is running, to read a folder; or withdraws that.

    Args:
        folder: An existing folder, or one that was allowed.
        withdraw: Whether to withdraw it.

    Returns:
        All folders that are allowed now, beside those of `DFCORE_ROOTS`.

    Raises:
        InputError: If there is no such folder, or it was not allowed.
        StorageError: If the list cannot be written.
    """
    place = Path(folder).expanduser().resolve()
    make_folder(data_dir())
    with lock(data_dir() / f".{_ALLOWED}.lock"):
        before = allowed_folders()
        if withdraw and place not in before:
            listed = ", ".join(map(str, before)) or "none"
            raise InputError(f"Expected one of the folders that were allowed ({listed}). Received: {folder}.")
        if not withdraw and not place.is_dir():
            raise InputError(f"Expected a folder. Received: {folder}, which is none.")
        after = [each for each in before if each != place] + ([] if withdraw else [place])
        write_text(data_dir() / _ALLOWED, "".join(f"{each}\n" for each in after))
    return after


@remembered(8)
def _read_allowed(path: Path) -> list[Path]:
    return [Path(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).resolve()
