"""Detectors that are passed on: packed into one archive, and taken in after a look at them apart.

What is in a bundle is read by large libraries (HDF5, Arrow, TensorFlow), in which nobody can rule out an error that a
file made for it would reach. So one from strangers is first loaded, and judges an image, in a process of its own
(`python -m dfcore.exchange.import_export BUNDLE_FOLDER`) that knows no secrets and is limited in memory and time.
"""

import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from dfcore.detectors.bundle import CARD, MODEL, OOD_FILE, verify
from dfcore.detectors.library import free_place, put
from dfcore.errors import ArchiveError, BundleError, DfcoreError
from dfcore.utils.archives import read_zip
from dfcore.utils.files import make_folder, write_bytes
from dfcore.utils.processes import environment, limit_memory

_MOST_BYTES = {MODEL: 512 * 2**20, CARD: 4 * 2**20, OOD_FILE: 64 * 2**20}
_MOST_MEMBERS = 16
_SECONDS = 180
_MEMORY_BYTES = 8 * 2**30


def pack(source: Path) -> bytes:
    """A bundle as one zip archive.

    Raises:
        BundleError: when it is damaged.
    """
    verify(source)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(source.iterdir()):
            if _most_bytes(path.name):
                archive.write(path, path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, name: str) -> Path:
    """Takes a packed bundle into a folder of detectors under a new name.

    Raises:
        BundleError: when it is no sound bundle, or the name is taken or no plain name.
    """
    free_place(folder, name)
    try:
        members = read_zip(data, limit=_most_bytes, most_members=_MOST_MEMBERS)
    except ArchiveError as error:
        raise BundleError(f"The bundle is refused: {error}") from None
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".bundle-") as aside:
        made = Path(aside) / name
        for member, content in members.items():
            # No name of the archive becomes a path but those few that were allowed.
            write_bytes(made / member, content)
        verify(made)
        _check_apart(made)
        return put(made, folder, name)


def _most_bytes(name: str) -> int:
    """How large a file of that name may be in a bundle; 0 where it has no place there."""
    table = re.fullmatch(r"predictions_[a-z-]{1,40}\.parquet", name)
    return _MOST_BYTES.get(name, 64 * 2**20 if table else 0)


def _check_apart(folder: Path) -> None:
    command = [sys.executable, "-m", "dfcore.exchange.import_export", str(folder)]
    alone = environment(bare=True, TF_CPP_MIN_LOG_LEVEL="3")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=alone, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"The bundle is refused: it could not be loaded within {_SECONDS} s.") from None
    if done.returncode:
        text = done.stdout.strip().splitlines()[-1:] or [f"loading it ended its process (code {done.returncode})"]
        raise BundleError(f"The bundle is refused: {text[0][:500]}")


def _look_at(folder: Path) -> str | None:
    """Loads a bundle and lets it judge a grey image; what is wrong with it, or None."""
    limit_memory(_MEMORY_BYTES)
    import numpy as np

    from dfcore.detectors.detector import Detector
    from dfcore.evaluation import predictions_path, read_predictions, stored_splits
    from dfcore.exchange.optimize import optimize

    try:
        Detector.load(folder, "keras").predict([np.full((64, 64, 3), 128, np.uint8)])
        for split in stored_splits(folder):
            read_predictions(predictions_path(folder, split))
        # A stranger's is not read; it is made anew from the model that was looked at.
        optimize(folder)
    except (DfcoreError, MemoryError) as error:
        return str(error) or "it takes too much memory"
    return None


if __name__ == "__main__":
    wrong = _look_at(Path(sys.argv[1]))
    if wrong is not None:
        print(wrong)
        sys.exit(1)
