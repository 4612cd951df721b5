"""Default folders that the dashboard may read on the server."""

import os
from pathlib import Path

from dfcore.workspace import ROOTS


def set_roots() -> None:
    """Sets `DFCORE_ROOTS`, unless it is set, to the home and the current folder; training runs inherit it."""
    os.environ.setdefault(ROOTS, os.pathsep.join([str(Path.home()), str(Path.cwd())]))
