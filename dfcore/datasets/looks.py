"""How the images of a data set look: their signatures, from the scan's memory or else read anew."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from dfcore.datasets.scan_cache import ScanMemory
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.signature import Signature

_AHEAD = 256


def looks(
    root: Path, paths: Sequence[str], contents: Sequence[str], cache: Path, workers: int = 4
) -> Iterator[Signature | None]:
    """Yields the signature of each image, None where it cannot be read any more.

    Args:
        root: Folder that the paths are relative to.
        paths: The images.
        contents: The `sha256` of each, as scanned.
        cache: Folder of the scan's memory, which holds the signatures of what it has read.
        workers: Threads that read and decode.
    """

    def look(path: str, known: Signature | None) -> Signature | None:
        if known is not None:
            return known
        try:
            return sandbox.look(decoder.read_bytes(root / path))[1]
        except ImageError:
            return None

    with ScanMemory(cache, root) as memory, ThreadPoolExecutor(workers) as pool:
        waiting = zip(paths, memory.signatures(contents), strict=True)
        while batch := list(islice(waiting, _AHEAD)):
            yield from pool.map(look, *zip(*batch, strict=True))
