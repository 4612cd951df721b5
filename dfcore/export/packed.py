"""Exports as ZIP archives, for those who take them from a page."""

import time
import zipfile
from pathlib import Path
from typing import Any

from dfcore import workspace
from dfcore.export.making import Exported, Progress, export
from dfcore.utils.files import make_folder, write_atomic
from dfcore.utils.unfinished import made_aside

# Archives that nobody took are removed after so many seconds, when the next one is made.
_KEPT_SECONDS = 24 * 3600


def packed(bundle: Path, to: str, name: str, progress: Progress, **options: Any) -> tuple[Exported, Path]:
    """Exports a detector as a ZIP archive in the cache of the workspace.

    Args:
        bundle: Folder of the bundle.
        to: Format.
        name: Name of the archive, without the ending; its files lie in a folder of this name.
        progress: As for `export`.
        options: quantize and data_root, see there.

    Returns:
        What was exported, and the archive.
    """
    folder = workspace.cache_dir() / "exports"
    make_folder(folder)
    for old in folder.glob("*.zip"):
        if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            old.unlink(missing_ok=True)
    with made_aside(folder, ".export-") as aside:
        made = export(bundle, to, aside / name, progress=progress, **options)
        target = folder / f"{name}.zip"
        write_atomic(target, lambda path: _pack(made.folder, path, name))
    return made, target


def _pack(folder: Path, target: Path, name: str) -> None:
    # Weights do not get smaller.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
