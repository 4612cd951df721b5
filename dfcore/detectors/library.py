"""The library of detectors: a folder of named bundles, one of which is the default.

A bundle can be given by its folder, by a run, or by its name in this library. The detectors that ship with an installed
package belong to the library too: they can be used and made the default, but not renamed or deleted. A detector of the
workspace takes precedence over a shipped one of the same name.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from dfcore import workspace
from dfcore.detectors import of_faces
from dfcore.detectors.bundle import CARD, read_card, verify
from dfcore.errors import BundleError
from dfcore.runs.run import Run
from dfcore.utils.files import lock, make_folder, share, write_text
from dfcore.utils.unfinished import made_aside

_DEFAULT = "default.txt"
_LOCK = ".lock"


def find_bundle(name: "str | Path | Run") -> Path:
    """Finds a bundle by its folder, a run's folder or id, or a name in the library.

    Raises:
        BundleError: If there is none; the message lists the available detectors.
    """
    given = Path(name.bundle if isinstance(name, Run) else name).expanduser()
    named = (folder / given for folder in workspace.model_folders())
    candidates = [given, given / "bundle", *named, workspace.runs_dir() / given / "bundle"]
    for folder in candidates:
        if (folder / CARD).is_file():
            return folder.resolve()
    known = ", ".join(path.name for path in list_bundles()) or "none yet"
    text = f"There is no detector {str(name)!r}. Expected a bundle folder, a finished run, or one of: {known}."
    if workspace.shipped_models_dir() not in workspace.model_folders():
        text += f" Those that ship are left out, since DFCORE_MODELS names {workspace.models_dir()}."
    raise BundleError(text)


def list_bundles(folder: Path | None = None) -> list[Path]:
    """Bundles, the default one first, then by name.

    Args:
        folder: of detectors; without it the library's, which are the workspace's and those that ship.
    """
    by_name: dict[str, Path] = {}
    for each in _folders(folder):
        for path in each.iterdir() if each.is_dir() else ():
            if (path / CARD).is_file() and not path.name.startswith("."):
                by_name.setdefault(path.name, path)
    default = default_name(folder)
    return [by_name[name] for name in sorted(by_name, key=lambda name: (name != default, name))]


def default_name(folder: Path | None = None) -> str | None:
    """The name of the default detector, if one was chosen; what the workspace chose comes first.

    Args:
        folder: as for `list_bundles`.
    """
    for each in _folders(folder):
        if (each / _DEFAULT).is_file():
            return (each / _DEFAULT).read_text(encoding="utf-8").strip()
    return None


def answering(folders: Sequence[Path]) -> list[Path]:
    """Those of some bundles that answer where nobody chose a detector, see `Card.answers_unasked`.

    One whose card cannot be read is among them: whoever loads it is told.
    """
    return [folder for folder in folders if _answers(folder)]


def _answers(folder: Path) -> bool:
    try:
        return read_card(folder).answers_unasked
    except BundleError:
        return True


def for_faces() -> tuple[str | None, str]:
    """Name of the detector that judges faces where none was asked for; or None, and in sentences why there is none."""
    cards, damaged = {}, []
    for folder in answering(list_bundles()):
        try:
            cards[folder.name] = read_card(folder)
        except BundleError as error:
            damaged.append(str(error))
    name = of_faces.best(cards)
    return name, "" if name else " ".join((of_faces.NONE, *damaged))


def is_shipped(bundle: Path) -> bool:
    """Whether a bundle belongs to the installed package, so that it cannot be changed."""
    shipped = workspace.shipped_models_dir()
    return shipped != workspace.models_dir() and Path(bundle).resolve().is_relative_to(shipped)


def set_default(folder: Path, name: str) -> None:
    """Makes a detector the default one; with the workspace's models, a shipped one too."""
    _known(folder, name)
    make_folder(folder)
    with lock(folder / _LOCK):
        _set_default(folder, name)


def _set_default(folder: Path, name: str) -> None:
    found = _known(folder, name)
    if not _answers(found):
        raise BundleError(
            f"{name} was trained on the demonstration set: it recognises a simulation, and cannot be the default. "
            "Choose a detector that was trained on real and generated images."
        )
    write_text(folder / _DEFAULT, name + "\n")


def promote(source: Path, folder: Path, name: str) -> Path:
    """Copies a bundle into the folder of detectors under a new name.

    Raises:
        BundleError: If the name is taken or invalid, or the bundle is damaged.
    """
    verify(source)
    free_place(folder, name)
    make_folder(folder)
    with made_aside(folder, ".bundle-") as aside:
        return put(Path(shutil.copytree(source, aside / name)), folder, name)


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
    """Renames a detector; it stays the default if it was.

    Raises:
        BundleError: If there is no such detector, it ships with the package, or the new name is taken or invalid.
    """
    _own(folder, name)  # Checked before a lock file is created, and again under the lock.
    free_place(folder, new)
    with lock(folder / _LOCK):
        source, target = _own(folder, name), free_place(folder, new)
        was_default = default_name(folder) == name
        source.rename(target)
        if was_default:
            write_text(folder / _DEFAULT, new + "\n")
    return target


def delete(folder: Path, name: str, *, successor: str | None = None) -> None:
    """Deletes a detector permanently.

    Args:
        folder: of detectors.
        name: of the detector to delete.
        successor: Detector that becomes the default if the deleted one was; None leaves none chosen.

    Raises:
        BundleError: If there is no such detector or successor, or the detector ships with the package.
    """
    _own(folder, name)
    if successor == name:
        raise BundleError(f"Expected another detector as the new default. Received: {name!r}, which is to be deleted.")
    with lock(folder / _LOCK):
        place, was_default = _own(folder, name), default_name(folder) == name
        if was_default and successor is not None:
            _set_default(folder, successor)  # First, since it may be refused.
        shutil.rmtree(place)
        if default_name(folder) == name:
            (folder / _DEFAULT).unlink(missing_ok=True)


def free_place(folder: Path, name: str) -> Path:
    """Path for a new detector with this name.

    Raises:
        BundleError: If the name is taken or invalid.
    """
    _check_name(name)
    if (folder / name).exists():
        raise BundleError(f"There is already a detector named {name!r}; choose another name.")
    return folder / name


def _folders(folder: Path | None) -> Sequence[Path]:
    return workspace.model_folders() if folder is None else [folder]


def _ships(folder: Path, name: str) -> bool:
    """Whether a name of the library stands for a shipped detector."""
    _check_name(name)
    folders = workspace.model_folders()
    return folder == folders[0] and not (folder / name / CARD).is_file() and (folders[-1] / name / CARD).is_file()


def _known(folder: Path, name: str) -> Path:
    """Folder of a detector of the workspace, or of one that ships."""
    return workspace.model_folders()[-1] / name if _ships(folder, name) else _own(folder, name)


def _own(folder: Path, name: str) -> Path:
    if _ships(folder, name):
        raise BundleError(
            f"{name!r} ships with the package and cannot be renamed or deleted. A detector of your own under that "
            "name would be taken instead of it."
        )
    if not (folder / name / CARD).is_file():
        raise BundleError(f"There is no detector {name!r} in {folder}.")
    return folder / name


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BundleError(
            "Expected a name of at most 64 letters, digits, dots, hyphens and underscores, starting with a letter or "
            f"digit. Received: {name!r}."
        )
