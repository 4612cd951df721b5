"""Reads large files piece by piece, so that a stop is noticed within them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

Report = Callable[[int, int], None]
# Called with the bytes that were read so far; what it raises ends the reading.
Seen = Callable[[int], None]
_PIECE = 1 << 20


def pieces(file: IO[bytes], seen: Seen) -> Iterator[bytes]:
    """What an open file holds; `seen` is called before each piece."""
    done = 0
    while piece := file.read(_PIECE):
        seen(done)
        yield piece
        done += len(piece)


def hand_on(path: Path, take: Callable[[bytes], object], seen: Seen) -> None:
    """Hands what a file holds to a hash or to another file.

    Args:
        path: The file.
        take: Gets each piece.
        seen: Called before each piece.
    """
    with open(path, "rb") as file:
        for piece in pieces(file, seen):
            take(piece)


def after(done: int, total: int, report: Report) -> Seen:
    """The progress of one file as that of all: so many bytes came before it."""
    return lambda read: report(done + read, total)
