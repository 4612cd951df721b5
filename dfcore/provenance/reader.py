"""Reads the evidence of files in a process of its own, and compares what needs the decoded picture."""

import atexit
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dfcore.errors import ImageError, InputError
from dfcore.imaging import decoder, sandbox
from dfcore.imaging.sandbox.pool import Pool, Service
from dfcore.provenance import thumbnails
from dfcore.provenance.evidence import Evidence
from dfcore.utils.texts import printable

TRUST_LIST = "DFCORE_TRUST_LIST"
# In bytes: the list goes to the process in a line of at most a megabyte; evidence is cut to far less than its limit.
_MOST_TRUST_LIST, _MOST_ANSWER = 700_000, 16 * 2**20
_MOST_WORDS = 500
_EVIDENCE = TypeAdapter(Evidence)
_IDLE_SECONDS = 60.0


def read_evidence(data: bytes, trust_list: str | Path | None = None) -> Evidence:
    """Reads what a file says of itself: content credentials, metadata and traces of generators. Fetches nothing.

    The file is parsed in a separate process with limited memory and time that can open neither files nor sockets.

    Args:
        data: Content of an image file.
        trust_list: PEM file with the certificates of trusted signers; by default the file that the environment variable
            `DFCORE_TRUST_LIST` names. Without one no credential is trusted.

    Raises:
        ImageError: If it is no image in an allowed format, or reading it took too much time or memory.
        InputError: If the trust list cannot be read.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> buffer = io.BytesIO()
        >>> Image.new("RGB", (8, 8)).save(buffer, "PNG")
        >>> read_evidence(buffer.getvalue()).summary
        'The file says nothing of how it was made.'
    """
    data = decoder.read_bytes(data)
    evidence = _pool().ask({"trust_list": _trusted(trust_list)}, data)
    return _with_thumbnail(evidence, data) if evidence.thumbnail else evidence


def _trusted(path: str | Path | None) -> str:
    """The trust list's text; "" if there is none."""
    chosen = path or os.environ.get(TRUST_LIST)
    if not chosen:
        return ""
    try:
        text = Path(chosen).read_bytes()[: _MOST_TRUST_LIST + 1].decode("ascii", "replace")
    except OSError as error:
        raise InputError(f"The trust list {printable(chosen)} cannot be read: {error.strerror}.") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise InputError(f"The trust list {printable(chosen)} holds no certificate. Expected: certificates in PEM.")
    if len(text) > _MOST_TRUST_LIST:
        raise InputError(
            f"The trust list {printable(chosen)} is larger than {_MOST_TRUST_LIST // 1000} KB: name one with fewer "
            "certificates."
        )
    return text


def _understood(answer: dict[str, Any], content: bytes, data: bytes) -> Evidence:
    """Checks an answer: hostile bytes may have taken over the process."""
    if "error" in answer:
        raise ImageError(printable(answer["error"])[:_MOST_WORDS] or "The file's metadata cannot be read.")
    length = answer["text"]
    if type(length) is not int or not 0 < length <= len(content) <= _MOST_ANSWER:
        raise ValueError("a wrong length")
    evidence = _EVIDENCE.validate_json(content[:length])
    if evidence.thumbnail is None:
        return evidence
    small, pixels = evidence.thumbnail, content[length:]
    if min(small.width, small.height) < 1 or len(pixels) != 3 * small.width * small.height:
        raise ValueError("another number of pixels")
    return replace(evidence, thumbnail=replace(small, rgb=pixels, differs=None))


def _with_thumbnail(evidence: Evidence, data: bytes) -> Evidence:
    """Compares the embedded thumbnail with the picture, which the decoding processes decode."""
    small = evidence.thumbnail
    assert small is not None
    try:
        picture = sandbox.decode(data, thumbnails.SIDE)
    except ImageError:
        return evidence
    differs, remark = thumbnails.compare(small, picture)
    remarks = (*evidence.remarks, remark) if remark else evidence.remarks
    return replace(evidence, thumbnail=replace(small, differs=differs), remarks=remarks)


_SERVICE = Service("dfcore.provenance.child", "Reading the metadata", "metadata", _understood, _IDLE_SECONDS)
_shared: Pool[Evidence] | None = None
_making = threading.Lock()


def _pool() -> Pool[Evidence]:
    """The pool of this process, with one process that is started on demand; thread-safe."""
    global _shared
    with _making:
        if _shared is None:
            _shared = Pool(1, _SERVICE)
            atexit.register(_shared.close)
        return _shared
