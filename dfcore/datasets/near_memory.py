"""Near-duplicates that were searched for once need not be searched for again; a search that was killed goes on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dfcore.datasets import near_duplicates
from dfcore.imaging import decoder
from dfcore.imaging.signature import Signature
from dfcore.utils.files import sha256_bytes
from dfcore.utils.work import Work


class NearMemory:
    """The searches among the images of one data set.

    Args:
        cache: Folder in which they are kept; what is in it may be deleted at any time.
        root: The data set's folder.
    """

    def __init__(self, cache: Path, root: Path):
        self._folder = cache / "copies" / sha256_bytes(str(root).encode())[:24]

    def known(self, keys: Sequence[str]) -> pd.DataFrame | None:
        """The pairs among pictures, see `find`; None if they were never searched for to the end."""
        return near_duplicates.recalled(self._work(sorted(keys)))

    def find(
        self,
        keys: Sequence[str],
        signatures: Sequence[Signature],
        progress: near_duplicates.Progress | None = None,
    ) -> pd.DataFrame:
        """Finds near-duplicates, see `near_duplicates.find`, from wherever an earlier search had come.

        Args:
            keys: `pixels_sha256` of each picture, distinct.
            signatures: Theirs.
            progress: See `near_duplicates.find`.

        Returns:
            As `near_duplicates.find`; i and j are places in the sorted keys, whatever the order of `keys`.
        """
        order = sorted(range(len(keys)), key=keys.__getitem__)
        work = self._work([keys[k] for k in order])
        return near_duplicates.find([signatures[k] for k in order], progress=progress, work=work)

    def _work(self, keys: list[str]) -> Work:
        return Work(self._folder, [f"near {near_duplicates.VERSION}, decoder {decoder.VERSION}", *keys])
