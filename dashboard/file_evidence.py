"""What files say of themselves, read once for each content and trust list; failures are kept as well."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal

from dashboard import actions
from dashboard.recent import Recent
from dfcore.errors import DfcoreError
from dfcore.provenance import TRUST_LIST, Evidence, read_evidence
from dfcore.utils.files import sha256_bytes

_MOST = 64
_cache: Recent[Evidence] = Recent(_MOST)
Says = Literal["declares", "invalid", "something", "nothing"]
# The word alone, for strips of many pictures in many sessions.
_said: Recent[Says] = Recent(4_096)
_Key = tuple[str, str, float]
# What is being read ahead: one file at a time, as one process reads them.
_ahead: dict[_Key, "Future[Evidence | DfcoreError]"] = {}
_thread = ThreadPoolExecutor(1, thread_name_prefix="evidence")


def read_ahead(image_sha256: str, data: bytes) -> None:
    """Begins to read what a file says of itself, which is then waited for where it is asked for.

    Args:
        image_sha256: Hash of the file.
        data: Its contents.

    Raises:
        AccessError: If the user may not judge images.
    """
    actions.require_judging()
    key = (image_sha256, *_trust_list())
    if key in _ahead or _said.get(key) is not None or _cache.get(key) is not None:
        return
    _ahead[key] = reading = _thread.submit(_read, data)

    def done(reading: "Future[Evidence | DfcoreError]") -> None:
        if reading.exception() is None:
            _cache.keep(key, reading.result())
        _ahead.pop(key, None)

    reading.add_done_callback(done)


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
        reading = _ahead.get(key)
        result = _read(data) if reading is None else reading.result()
        _cache.keep(key, result)
    if isinstance(result, DfcoreError):
        raise result
    return result


def says(data: bytes) -> Says:
    """What a file says of how it was made, see `Evidence.says`; "something" if its metadata cannot be read."""
    key = (sha256_bytes(data), *_trust_list())
    known = _said.get(key)
    if isinstance(known, str):
        return known
    try:
        result = evidence(data).says
    except DfcoreError:
        return "something"
    _said.keep(key, result)
    return result


def in_a_word(data: bytes) -> str:
    """What a file says of how it was made, for the cell of a table."""
    try:
        told = evidence(data)
    except DfcoreError:
        return "unreadable"
    if told.declares_generated:
        return "declares AI"
    return {"trusted": "trusted credential", "unknown_signer": "credential, signer unknown",
            "invalid": "invalid credential", "none": ""}[told.credentials.state]  # fmt: skip


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
