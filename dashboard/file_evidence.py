"""What files say of themselves, read once for each content and trust list; failures are kept as well."""

import os
from contextlib import suppress
from pathlib import Path

from dashboard import actions
from dashboard.recent import Recent
from dfcore.errors import DfcoreError
from dfcore.provenance import TRUST_LIST, Evidence, read_evidence
from dfcore.utils.files import sha256_bytes

_MOST = 64
_cache: Recent[Evidence] = Recent(_MOST)


def evidence(data: bytes) -> Evidence:
    """What a file says of itself, or from the cache.

    Raises:
        AccessError: If the user may not judge images.
        ImageError: If its metadata cannot be read.
        InputError: If the server's trust list cannot be read.
    """
    actions.require_judging()
    key = (sha256_bytes(data), *_trust_list())
    result = _cache.get(key)
    if result is None:
        result = _read(data)
        _cache.keep(key, result)
    if isinstance(result, DfcoreError):
        raise result
    return result


def declares_generated(data: bytes) -> bool:
    """Whether a file declares itself, or a part of it, AI-generated; not if its metadata cannot be read."""
    try:
        return evidence(data).declares_generated is True
    except DfcoreError:
        return False


def _read(data: bytes) -> Evidence | DfcoreError:
    try:
        return read_evidence(data)
    except DfcoreError as error:
        return error


def _trust_list() -> tuple[str, float]:
    """The list's path and when it was last changed: with another list the states differ."""
    path = os.environ.get(TRUST_LIST, "")
    with suppress(OSError):
        return path, Path(path).stat().st_mtime if path else 0.0
    return path, 0.0
