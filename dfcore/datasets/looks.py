"""How the images of a data set look: their signatures, read anew."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.signature import Signature

_AHEAD = 256


def looks(root: Path, paths: Sequence[str], workers: int = 4) -> Iterator[Signature | None]:
    """Yields the signature of each image, None where it cannot be read any more.

    Args:
        root: Folder that the paths are relative to.
        paths: The images.
        workers: Threads that read and decode.
    """

    def look(path: str) -> Signature | None:
        try:
            return sandbox.look(decoder.read_bytes(root / path))[1]
        except ImageError:
            return None

    waiting = iter(paths)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(waiting, _AHEAD)):
            yield from pool.map(look, batch)
