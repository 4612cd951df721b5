"""How the images of a data set look: their signatures, from the scan's memory or else read anew."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from dfcore.datasets.scan_cache import ScanMemory
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.signature import Signature
from dfcore.utils.files import sha256_bytes

_AHEAD = 256


def looks(
    root: Path, paths: Sequence[str], contents: Sequence[str], cache: Path, workers: int = 4
) -> Iterator[Signature | None]:
    """Yields the signature of each image, None where it cannot be read any more or has changed since it was scanned.

    Args:
        root: Folder that the paths are relative to.
        paths: The images.
        contents: The `sha256` of each, as scanned.
        cache: Folder of the scan's memory, which holds the signatures of what it has read.
        workers: Threads that read and decode.
    """

    def look(path: str, expected: str, known: Signature | None) -> Signature | None:
        if known is not None:
            return known
        try:
            data = decoder.read_bytes(root / path)
            return sandbox.look(data)[1] if sha256_bytes(data) == expected else None
        except ImageError:
            return None

    with ScanMemory(cache, root) as memory, ThreadPoolExecutor(workers) as pool:
        waiting = zip(paths, contents, memory.signatures(contents), strict=True)
        while batch := list(islice(waiting, _AHEAD)):
            yield from pool.map(look, *zip(*batch, strict=True))
