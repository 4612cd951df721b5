"""Which folders of the server the dashboard may read, where nobody has said so."""

import os
from pathlib import Path

from dfcore.workspace import ROOTS


def set_roots() -> None:
    """Sets `DFCORE_ROOTS`, which training runs inherit: the home folder and the one that the server was started in."""
    os.environ.setdefault(ROOTS, os.pathsep.join([str(Path.home()), str(Path.cwd())]))
