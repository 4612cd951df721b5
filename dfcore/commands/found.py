"""The pictures that a command was asked to read, and what it had to leave out."""

import sys
from collections.abc import Callable, Iterable, Sequence

from dfcore.batch.found import Rows, T
from dfcore.datasets.listing import list_images
from dfcore.utils.texts import printable, storable


class FoundFiles(Rows[T]):
    """The files to judge, and what is a row with its reason; counts what is neither."""

    def __init__(self, paths: Sequence[str], find: Callable[[Sequence[str]], Iterable[T]]):
        """Creates it.

        Args:
            paths: As they were named.
            find: Goes through them: `iter_found`, or `iter_to_judge` to open archives.
        """
        super().__init__(lambda: find(paths))
        self._paths = paths

    def count(self) -> int:
        """Number of rows.

        Raises:
            InputError: If a path does not exist, or there is nothing to read.
        """
        total = sum(1 for _ in self)
        if not total:
            list_images(self._paths)  # Raises the error.
        return total

    def tell(self) -> None:
        """Says on stderr what has no row."""
        for left in self.counted:
            print(printable(f"dfcore: {storable(left.path)}: {left.reason}"), file=sys.stderr)
