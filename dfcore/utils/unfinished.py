"""Hidden folders in which something is made, beside the place that it is moved to when it is complete.

A killed process leaves its folder behind. In folders that are the workbench's own, such as that of detectors, it is
removed by its age when the next one is made.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DAY = 24 * 3600
# Seconds for which a folder is kept after the last change in it, by what its name begins with. What a pull has loaded,
# the next one goes on with; nobody goes on with the others.
_KEPT_SECONDS = {
    ".pull-": 14 * _DAY,
    ".adapt-": _DAY, ".adopt-": _DAY, ".bundle-": _DAY, ".export-": _DAY, ".recalibrate-": _DAY,
}  # fmt: skip


@contextmanager
def made_aside(folder: Path, prefix: str) -> Iterator[Path]:
    """Context manager with a new hidden folder in `folder`, one of the workbench's own; removes it afterwards.

    Args:
        folder: Where; what killed processes left there long ago is removed first.
        prefix: What its name begins with, such as ".bundle-".
    """
    sweep_unfinished(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=prefix) as aside:
        yield Path(aside)


def sweep_unfinished(folder: Path, spare: str | None = None) -> None:
    """Removes what killed processes left long ago, with its locks, except what begins with the name `spare`."""
    for prefix, seconds in _KEPT_SECONDS.items():
        for path in folder.glob(f"{prefix}*"):
            if spare is not None and path.name.startswith(spare):
                continue
            with suppress(OSError):  # Another account's, or removed by another process.
                changed = max(each.stat().st_mtime for each in (path, *path.glob("*")))
                if time.time() - changed >= seconds:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
