"""The pictures that a command was asked to read, and what it had to leave out."""

import sys
from collections.abc import Iterator, Sequence

from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.listing import iter_found, list_images
from dfcore.datasets.walk import Found
from dfcore.utils.texts import printable, storable


class FoundFiles:
    """The files to judge, and what is a row with its reason; counts what is neither.

    Attributes:
        counted: What has no row, from the last time that it was gone through.
    """

    def __init__(self, paths: Sequence[str]):
        self._paths = paths
        self.counted: list[LeftOut] = []

    def __iter__(self) -> Iterator[Found]:
        self.counted = []
        for found in iter_found(self._paths):
            if isinstance(found, LeftOut) and (not found.missed or found.files > 1):
                self.counted.append(found)
            else:
                yield found

    def count(self) -> int:
        """Number of rows.

        Raises:
            InputError: If a path does not exist, or there is nothing to read.
        """
        total = sum(1 for _ in self)
        if not total:
            list_images(self._paths)  # Raises the error.
        return total

    @property
    def missed(self) -> int:
        """Number of files without a row among which there may be pictures."""
        return sum(left.files for left in self.counted if left.missed)

    def tell(self) -> None:
        """Says on stderr what has no row."""
        for left in self.counted:
            print(printable(f"dfcore: {storable(left.path)}: {left.reason}"), file=sys.stderr)
