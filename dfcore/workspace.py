"""Where the workbench keeps things: folders under the current one unless the environment says otherwise.

`DFCORE_RUNS`, `DFCORE_MODELS`, `DFCORE_DATA` and `DFCORE_CACHE` name other folders.
"""

import os
from pathlib import Path


def runs_dir() -> Path:
    """Folder of training runs, `runs/` by default."""
    return _folder("DFCORE_RUNS", "runs")


def measurements_dir() -> Path:
    """Folder of what detectors were measured to do on other data sets, within that of the runs."""
    return runs_dir() / ".measurements"


def models_dir() -> Path:
    """Folder of detector bundles, `models/` by default."""
    return _folder("DFCORE_MODELS", "models")


def data_dir() -> Path:
    """Folder for data sets that the workbench makes, `data/` by default."""
    return _folder("DFCORE_DATA", "data")


def cache_dir() -> Path:
    """Folder of decoded pixels and scans, `.cache/` by default; it can be deleted at any time."""
    return _folder("DFCORE_CACHE", ".cache")


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).resolve()
