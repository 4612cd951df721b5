"""What is to be judged, one after the other, and what has no row of its own."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from dfcore.batch import zip_reader
from dfcore.batch.entries import ToJudge
from dfcore.datasets.dataset import LeftOut
from dfcore.datasets.listing import iter_found

T = TypeVar("T", bound=ToJudge)


def iter_to_judge(paths: Iterable[str | Path]) -> Iterator[ToJudge]:
    """Files as they are named, the pictures of folders, and the entries of ZIP archives that are named.

    An archive in a folder is left out with its reason, as `dfcore.datasets.walk.pictures` does.

    Raises:
        InputError: If a path does not exist.
    """
    for path in map(Path, paths):
        if zip_reader.is_zip(path):
            yield from zip_reader.entries(path)
        else:
            yield from iter_found([path])


class Rows(Generic[T]):
    """Goes through what is to be judged: files, and what is a row with its reason; counts what is neither.

    Attributes:
        counted: What has no row, from the last time that it was gone through.
    """

    def __init__(self, find: Callable[[], Iterable[T]]):
        """Creates it.

        Args:
            find: Begins anew, each time it is called.
        """
        self._find = find
        self.counted: list[LeftOut] = []

    def __iter__(self) -> Iterator[T]:
        self.counted = []
        for found in self._find():
            if isinstance(found, LeftOut) and (not found.missed or found.files > 1):
                self.counted.append(found)
            else:
                yield found

    @property
    def missed(self) -> int:
        """Number of files without a row among which there may be pictures."""
        return sum(left.files for left in self.counted if left.missed)
