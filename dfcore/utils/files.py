"""Atomic writes, locks, folders, content hashes: the one place where the workbench writes whole files.

A file is written beside its target, flushed to the disk and renamed over it, so that a reader sees
the old content or the new, never half of either (POSIX `rename`; `os.replace` elsewhere). A process that
is killed on the way leaves the file aside; `sweep` takes such away.

Several accounts may share one workspace: whoever may write in a folder may also write the files, locks and folders
that the workbench makes in it.
"""

import hashlib
import json
import math
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from dfcore.errors import StorageError

T = TypeVar("T")
# What is being written aside begins so.
_ASIDE = ".aside-"
_NAME_DIGITS = 16
_SETTLED_SECONDS = 2.0


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a temporary file next to `path`, then moves it into place.

    Raises:
        StorageError: when the disk is full or the folder cannot be written; `path` is untouched.
    """
    _write_aside(Path(path), write, lambda _: Path(path))


def write_hashed(folder: Path, stem: str, suffix: str, write: Callable[[Path], None]) -> Path:
    """As `write_atomic`, to a file whose name holds the beginning of its SHA-256; returns its path.

    Raises:
        StorageError: as `write_atomic` does.
    """

    def name(temporary: Path) -> Path:
        return folder / f"{stem}.{sha256_file(temporary)[:_NAME_DIGITS]}{suffix}"

    return _write_aside(Path(folder) / (stem + suffix), write, name)


def is_intact(path: Path) -> bool:
    """Whether a file that `write_hashed` wrote has the content that its name tells.

    Raises:
        OSError: when it cannot be read.
    """
    text = Path(path).suffixes[-2:-1]
    return text == [f".{sha256_file(path)[:_NAME_DIGITS]}"]


def sweep(folder: Path, spare: str | None = None) -> None:
    """Removes files that a killed process had written aside in a folder, but those for a file with the stem `spare`."""
    for path in Path(folder).glob(f"{_ASIDE}*"):
        if spare is None or not path.name.startswith(f"{_ASIDE}{spare}-"):
            with suppress(OSError):
                path.unlink()


def sweep_of(path: Path) -> None:
    """Removes what killed processes had written aside for one file; nobody may be writing it."""
    name = re.compile(re.escape(f"{_ASIDE}{path.stem}-") + r"[a-z0-9_]{8}" + re.escape(path.suffix))
    for other in path.parent.iterdir():
        if name.fullmatch(other.name):
            other.unlink(missing_ok=True)


def _write_aside(path: Path, write: Callable[[Path], None], name: Callable[[Path], Path]) -> Path:
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        # The suffix is kept, since some writers (Keras) go by it.
        handle, text = tempfile.mkstemp(dir=path.parent, prefix=f"{_ASIDE}{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(text)
        write(temporary)
        flush(temporary)
        temporary.chmod(0o644 | _shared_bits(path.parent))
        target = name(temporary)
        temporary.replace(target)
        flush(path.parent)
        return target
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it; accounts that may write in the folder above may write in it.

    Raises:
        OSError: when it cannot be made.
    """
    path = Path(path)
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        share(path)


def share(path: Path) -> None:
    """Lets the accounts that may write in its folder write a file or folder too, where it belongs to this one."""
    with suppress(OSError):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | _shared_bits(path.parent))


def share_all_made(folder: Path) -> None:
    """From now on what this process makes is shared as `folder` is; for processes that work in one folder alone."""
    with suppress(OSError):
        os.umask(os.umask(0o077) & ~_shared_bits(folder))


def lock(path: Path, timeout: float = -1) -> FileLock:
    """A lock between processes, for all accounts that may write in its folder.

    Args:
        path: of the lock's file, which stays.
        timeout: seconds to wait for it, -1 for as long as it takes.

    Raises:
        OSError: when there is no such folder.
    """
    return FileLock(path, timeout=timeout, mode=0o644 | _shared_bits(path.parent), thread_local=False)


def _shared_bits(folder: Path) -> int:
    """Who besides the owner may write in a folder, as bits of a mode; nobody where each keeps their own (sticky)."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    return 0 if mode & stat.S_ISVTX else mode & (stat.S_IWGRP | stat.S_IWOTH)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` atomically."""
    write_atomic(path, lambda temporary: _write(temporary, data))


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 to `path` atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON to `path` atomically."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON from `path`; raises OSError or ValueError as `open` and `json` do, also for numbers without end."""
    return json.loads(Path(path).read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no finite number")
    return value


def remembered(most: int) -> Callable[[Callable[[Path], T]], Callable[[Path], T]]:
    """Keeps what a function read from a file for as long as the file stays the same; a decorator.

    What was written a moment ago is read anew each time, since within one tick of the clock a file may change twice.
    What it returns is shared and must not be changed.

    Args:
        most: files that are remembered, the first ones forgotten first.
    """

    def decorate(read: Callable[[Path], T]) -> Callable[[Path], T]:
        saved: dict[Path, tuple[tuple[int, int, int], T]] = {}
        lock = threading.Lock()

        @wraps(read)
        def reading(path: Path) -> T:
            seen = _settled(path)
            if seen is None:
                return read(path)
            with lock:
                result = saved.get(path)
            if result is not None and result[0] == seen:
                return result[1]
            value = read(path)
            with lock:
                saved.pop(path, None)
                if len(saved) >= most:
                    saved.pop(next(iter(saved)))
                saved[path] = seen, value
            return value

        return reading

    return decorate


def _settled(path: Path) -> tuple[int, int, int] | None:
    """What tells that a file is the same; None where it is too new to be sure, or not there."""
    try:
        result = path.stat()
    except OSError:
        return None
    return (
        (result.st_ino, result.st_mtime_ns, result.st_size)
        if time.time() - result.st_mtime > _SETTLED_SECONDS
        else None
    )


def sha256_bytes(data: bytes) -> str:
    """The SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Makes sure that a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
