"""Exports detectors as archives and imports them after a check in an isolated process.

A bundle is read by large libraries (HDF5, Arrow, TensorFlow), which may have vulnerabilities that a malicious file can
reach. A bundle from elsewhere is therefore first loaded, and run on an image, in a separate process
(`python -m dfcore.exchange.import_export BUNDLE_FOLDER`) without secrets and with limited memory and time.
"""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from dfcore.detectors.bundle import (
    CARD,
    MAX_OOD,
    MAX_REPLAY,
    MAX_TRAINED_ON,
    MODEL,
    OOD_FILE,
    REPLAY,
    TRAINED_ON,
    read_ood_detector,
    read_replay,
    read_trained_on,
    verify,
)
from dfcore.detectors.library import free_place, put
from dfcore.errors import ArchiveError, BundleError, DfcoreError
from dfcore.utils.archives import read_zip
from dfcore.utils.files import make_folder, write_bytes
from dfcore.utils.processes import environment, limit_memory
from dfcore.utils.unfinished import made_aside

_MAX_BYTES = {
    MODEL: 512 * 2**20,
    CARD: 4 * 2**20,
    OOD_FILE: MAX_OOD,
    TRAINED_ON: MAX_TRAINED_ON,
    REPLAY: MAX_REPLAY,
}
MOST_FILES = 16
_SECONDS = 600  # A network on CLIP is built and compared in Keras, on a busy machine in minutes.
_MEMORY_BYTES = 8 * 2**30


def pack(source: Path) -> bytes:
    """Packs a bundle as a zip archive.

    Raises:
        BundleError: If the bundle is damaged.
    """
    verify(source)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(source.iterdir()):
            if most_bytes(path.name):
                archive.write(path, path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, name: str) -> Path:
    """Imports a packed bundle into a folder of detectors under a new name.

    Returns:
        The folder of the new bundle.

    Raises:
        BundleError: If the archive or bundle is invalid, or the name is taken or invalid.
    """
    free_place(folder, name)
    try:
        members = read_zip(data, limit=most_bytes, most_members=MOST_FILES)
    except ArchiveError as error:
        raise BundleError(f"The bundle was refused: {error}") from None

    def fill(made: Path) -> None:
        for member, content in members.items():
            # Only the allowed names become paths.
            write_bytes(made / member, content)

    return admit(fill, folder, name)


def admit(fill: Callable[[Path], None], folder: Path, name: str, finish: Callable[[Path], None] | None = None) -> Path:
    """Takes a stranger's bundle into a folder of detectors, after an isolated process has loaded and run it.

    Args:
        fill: Writes the bundle's files, all with allowed names (`most_bytes`), into a folder.
        folder: Folder of detectors.
        name: Name of the new one.
        finish: Called with the bundle's folder once it has passed.

    Returns:
        The folder of the new bundle.

    Raises:
        BundleError: If the bundle is invalid, or the name is taken or invalid; nothing is left behind.
    """
    free_place(folder, name)
    make_folder(folder)
    with made_aside(folder, ".bundle-") as aside:
        made = aside / name
        made.mkdir()
        fill(made)
        verify(made)
        _check_isolated(made)
        if finish is not None:
            finish(made)
        return put(made, folder, name)


def most_bytes(name: str) -> int:
    """Maximum size of a file in a bundle, in bytes; 0 if the name is not allowed."""
    table = re.fullmatch(r"predictions_[a-z-]{1,40}\.parquet", name)
    return _MAX_BYTES.get(name, 64 * 2**20 if table else 0)


def _check_isolated(folder: Path) -> None:
    command = [sys.executable, "-m", "dfcore.exchange.import_export", str(folder)]
    alone = environment(bare=True, TF_CPP_MIN_LOG_LEVEL="3")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=alone, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"The bundle was refused: it could not be loaded within {_SECONDS} s.") from None
    if done.returncode:
        text = done.stdout.strip().splitlines()[-1:] or [f"loading it crashed the process (code {done.returncode})"]
        raise BundleError(f"The bundle was refused: {text[0][:500]}")


def _problem(folder: Path) -> str | None:
    """Loads a bundle and runs it on a grey image; returns the problem, or None."""
    import numpy as np

    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import predictions_path, read_predictions, stored_splits
    from dfcore.exchange.optimize import optimize

    try:
        # The network comes last: loading it takes seconds.
        card = verify(folder)
        for read in (read_ood_detector, read_trained_on, read_replay):
            read(folder, card)
        for split in stored_splits(folder):
            read_predictions(predictions_path(folder, split))
        Detector.load(folder, "keras").predict([np.full((64, 64, 3), 128, np.uint8)])
        # An imported OpenVINO network is never read; it is rebuilt from the validated Keras model.
        optimize(folder)
    except (DfcoreError, MemoryError) as error:
        return str(error) or "it takes too much memory"
    return None


if __name__ == "__main__":
    limit_memory(_MEMORY_BYTES)
    problem = _problem(Path(sys.argv[1]))
    if problem is not None:
        print(problem)
        sys.exit(1)
