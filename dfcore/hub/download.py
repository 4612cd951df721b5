"""Loads files over HTTP so that what has arrived stays: an interrupted download goes on where it ended.

The Hub's own library begins a file anew after a process was killed; bundles are large enough for that to matter.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dfcore.errors import StorageError
from dfcore.utils.files import explained
from dfcore.utils.space import is_full, told_full

Report = Callable[[int, int], None]
_ATTEMPTS = 5


class Hashes(NamedTuple):
    """Hashes of a file: SHA-256, and SHA-1 as git names a file."""

    sha256: str
    git: str


def hashes(path: Path) -> Hashes:
    """Computes a file's hashes."""
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            git.update(piece)
    return Hashes(sha256.hexdigest(), git.hexdigest())


def hashes_of(data: bytes) -> Hashes:
    """Computes the hashes of a file with this content."""
    git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return Hashes(hashlib.sha256(data).hexdigest(), git.hexdigest())


def download(url: str, target: Path, *, size: int, headers: dict[str, str], report: Report) -> None:
    """Loads a file of known size; of what lies at `target` already, only the rest is asked for.

    Args:
        url: Address of the file.
        target: Where it goes; kept as it is when the download is interrupted.
        size: Its size in bytes; the server's answer is cut off there.
        headers: Headers of the request; a token among them is not sent on to another host.
        report: Gets (bytes there, size) as they arrive; whatever it raises ends the download.

    Raises:
        StorageError: If the disk is full or the file cannot be written.
        httpx2.HTTPError: If the server cannot be reached, or ends the connection time and again.
    """
    import httpx2

    failures = 0
    if not size:
        target.touch()
    while (there := _length(target)) != size:
        report(there, size)
        try:
            _append(url, target, there if there < size else 0, size, headers, report)
            # The server ended its answer before the file did.
            failures = failures + 1 if _length(target) <= there else 0
            if failures >= _ATTEMPTS:
                raise httpx2.RemoteProtocolError("The server sends no more of the file.")
        except (httpx2.TransportError, httpx2.StreamError) as error:
            failures = failures + 1 if _length(target) <= there else 1
            if failures >= _ATTEMPTS or isinstance(error, httpx2.UnsupportedProtocol):
                raise
            time.sleep(min(0.2 * 2**failures, 5))
        except OSError as error:
            if isinstance(error, httpx2.HTTPError):
                raise
            raise _unwritten(target, error) from error
    report(size, size)


def _append(url: str, target: Path, start: int, size: int, headers: dict[str, str], report: Report) -> None:
    from huggingface_hub.utils import get_session, hf_raise_for_status

    # Compressed bytes could be neither counted nor continued.
    asked = headers | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with get_session().stream("GET", url, headers=asked, follow_redirects=True, timeout=60) as answer:
        if answer.status_code == 416:
            target.unlink(missing_ok=True)
            return
        if answer.status_code >= 400:
            answer.read()
        hf_raise_for_status(answer)
        continues = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {start}-")
        done = start if continues else 0
        with open(target, "r+b" if continues else "wb") as file:
            file.seek(done)
            # As they arrive: pieces of a fixed size would be lost unless complete.
            for piece in answer.iter_raw():
                done = _write(file, piece[: size - done], done)
                report(done, size)
                if done >= size:
                    break
            file.truncate()


def _write(file: BinaryIO, piece: bytes, done: int) -> int:
    file.write(piece)
    # At once, so that it is there for the next attempt, whatever ends this one.
    file.flush()
    return done + len(piece)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _unwritten(target: Path, error: OSError) -> StorageError:
    if is_full(error):
        return told_full(target.parent)
    return StorageError(f"{target} could not be written: {explained(error, target)}.")
