"""Atomic writes, locks, folders and content hashes; all whole files of the workbench are written here.

A file is written to a temporary file next to its target, flushed to disk and renamed over the target, so readers see
the old or the new content, never a mixture (POSIX `rename`; `os.replace` elsewhere). A killed process may leave its
temporary file behind; `sweep` removes such files.

Several accounts may share a workspace: accounts that may write to a folder may also write to the files, locks and
folders that the workbench creates in it, whatever the umask and the group of who creates them. In a folder with the
sticky bit, as /tmp, only locks are shared.
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
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from dfcore.errors import StorageError

T = TypeVar("T")
# Prefix of temporary files.
_ASIDE = ".aside-"
_NAME_DIGITS = 16
_SETTLED_SECONDS = 2.0


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` with a temporary file next to `path`, then moves that file into place.

    Raises:
        StorageError: If the disk is full or the folder is not writable; `path` is then unchanged.
    """
    _write_aside(Path(path), write, lambda _: Path(path))


def write_hashed(folder: Path, stem: str, suffix: str, write: Callable[[Path], None]) -> Path:
    """Like `write_atomic`, for a file whose name contains the first digits of its SHA-256; returns its path.

    Raises:
        StorageError: See `write_atomic`.
    """

    def name(temporary: Path) -> Path:
        return folder / f"{stem}.{sha256_file(temporary)[:_NAME_DIGITS]}{suffix}"

    return _write_aside(Path(folder) / (stem + suffix), write, name)


def is_intact(path: Path) -> bool:
    """Whether the content of a file written by `write_hashed` matches the hash in its name.

    Raises:
        OSError: If it cannot be read.
    """
    text = Path(path).suffixes[-2:-1]
    return text == [f".{sha256_file(path)[:_NAME_DIGITS]}"]


def sweep(folder: Path, spare: str | None = None) -> None:
    """Removes temporary files of killed processes from a folder, except those for a file with the stem `spare`."""
    for path in Path(folder).glob(f"{_ASIDE}*"):
        if spare is None or not path.name.startswith(f"{_ASIDE}{spare}-"):
            with suppress(OSError):
                path.unlink()


def sweep_of(path: Path) -> None:
    """Removes temporary files of killed processes for one file, which must not be being written."""
    name = re.compile(re.escape(f"{_ASIDE}{path.stem}-") + r"[a-z0-9_]{8}" + re.escape(path.suffix))
    for other in path.parent.iterdir():
        if name.fullmatch(other.name):
            other.unlink(missing_ok=True)


def _write_aside(path: Path, write: Callable[[Path], None], name: Callable[[Path], Path]) -> Path:
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        # Same suffix as the target: some writers (Keras) choose the format by it.
        handle, text = tempfile.mkstemp(dir=path.parent, prefix=f"{_ASIDE}{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(text)
        write(temporary)
        flush(temporary)
        temporary.chmod(0o644)
        share(temporary)
        target = name(temporary)
        temporary.replace(target)
        flush(path.parent)
        return target
    except OSError as error:
        raise StorageError(f"{path} could not be written: {explained(error, path)}.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Creates a folder and its parents, each writable by the accounts that may write to its parent.

    Raises:
        OSError: If it cannot be created.
    """
    path = Path(path)
    if not path.is_dir():
        make_folder(path.parent)
        try:
            path.mkdir(exist_ok=True)
        except PermissionError as error:
            raise PermissionError(error.errno, explained(error, path), str(path)) from error
        share(path)


def share(path: Path) -> None:
    """Gives the accounts that may write to a path's folder the same rights to the path.

    It gets the folder's group too, and what is made in it later inherits that. Ignored unless this account owns it.
    """
    with suppress(OSError):
        folder, own = path.parent.stat(), path.stat()
        bits = _shared_bits(folder)
        if bits & stat.S_IWGRP and own.st_gid != folder.st_gid:
            with suppress(OSError):  # This account is not in that group.
                os.chown(path, -1, folder.st_gid)
        if stat.S_ISDIR(own.st_mode):
            # Whoever may write must get in, and what others make in it stays in the group.
            bits |= (bits & (stat.S_IRGRP | stat.S_IROTH)) >> 2
            bits |= stat.S_ISGID if bits & stat.S_IWGRP else 0
        path.chmod(stat.S_IMODE(own.st_mode) | bits)


def share_all_made(folder: Path) -> None:
    """Sets the umask so that new files of this process are shared like `folder`; for processes that use one folder."""
    with suppress(OSError):
        bits = _shared_bits(folder.stat())
        os.umask(os.umask(0o077) & ~(bits | bits >> 2))


class _Lock(FileLock):
    """A lock that is also held through a file which this account may only read: the kernel asks for no more."""

    def _open_existing_lock_file(self, open_flags: int, open_mode: int) -> tuple[int, bool] | None:
        try:
            return super()._open_existing_lock_file(open_flags, open_mode)  # type: ignore[misc]  # A method of filelock that it does not declare.
        except PermissionError:
            with suppress(PermissionError):
                return os.open(self.lock_file, open_flags & ~os.O_RDWR | os.O_RDONLY), False
            raise

    def _acquire(self) -> None:
        try:
            super()._acquire()
        except PermissionError as error:
            path = Path(self.lock_file)
            raise PermissionError(error.errno, explained(error, path), str(path)) from error


def lock(path: Path, timeout: float = -1) -> FileLock:
    """A lock between processes, usable by all accounts that may write to its folder.

    Args:
        path: Lock file; it stays, see `release`.
        timeout: Seconds to wait for the lock; -1 waits indefinitely.

    Raises:
        OSError: If the folder does not exist.
    """
    mode = 0o644 | _shared_bits(path.parent.stat(), sticky=True)
    return _Lock(path, timeout=timeout, mode=mode, thread_local=False)


def release(held: FileLock, *, remove: bool) -> None:
    """Releases a lock; `remove` deletes its file first, where nothing is left to be guarded by it.

    Whoever waits for it meanwhile finds the file gone, and takes the lock of a new one.
    """
    if remove:
        with suppress(OSError):  # Windows deletes no open file.
            Path(held.lock_file).unlink(missing_ok=True)
    held.release()


def _shared_bits(folder: os.stat_result, *, sticky: bool = False) -> int:
    """Bits to read and write for group and others, as far as they may write to a folder; 0 if it is sticky."""
    mode = folder.st_mode
    if mode & stat.S_ISVTX and not sticky:
        return 0
    group = stat.S_IRGRP | stat.S_IWGRP if mode & stat.S_IWGRP else 0
    return group | (stat.S_IROTH | stat.S_IWOTH if mode & stat.S_IWOTH else 0)


def explained(error: OSError, path: Path) -> str:
    """An error in words, without a full stop; where permission is missing, whose the folder is and what would help.

    Args:
        error: What was raised.
        path: What was to be written, removed or renamed.
    """
    text = error.strerror or str(error)
    if not isinstance(error, PermissionError) or os.name != "posix" or "belongs to" in text:
        return text
    where = next((one for one in (path, *path.parents) if os.path.lexists(one) and not _writable(one)), path.parent)
    try:
        found = where.stat()
    except OSError:
        return text
    folder = where if stat.S_ISDIR(found.st_mode) else where.parent
    return (
        f"{text}. {where} belongs to {_owner(found)} with mode {stat.filemode(found.st_mode)}, and this account is "
        f"{_account()}. Several accounts need a common group: chgrp -R GROUP {folder} && chmod -R g+rwXs {folder}"
    )


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK)


def _owner(found: os.stat_result) -> str:
    return f"{_name('pwd', 'getpwuid', found.st_uid)}:{_name('grp', 'getgrgid', found.st_gid)}"


def _account() -> str:
    return _name("pwd", "getpwuid", os.geteuid())


def _name(module: str, function: str, number: int) -> str:
    """Name of a user or group; its number if it has none."""
    try:
        return str(getattr(import_module(module), function)(number)[0])
    except (ImportError, KeyError):
        return str(number)


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
    """Reads JSON from `path`; raises OSError, or ValueError for invalid JSON and non-finite numbers."""
    return json.loads(Path(path).read_text(encoding="utf-8"), parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no finite number")
    return value


def remembered(most: int) -> Callable[[Callable[[Path], T]], Callable[[Path], T]]:
    """Decorator that caches what a function reads from a file until the file changes.

    Recently written files are not cached, since a file may change twice within one timestamp. Cached values are shared
    and must not be modified.

    Args:
        most: Maximum number of cached files; the oldest entry is dropped first.
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


def stamp(path: Path) -> str | None:
    """Size, times and inode of a file as text, which differ once its content does; follows links.

    None if the file is missing, or changed so recently that a further change may leave them as they are.
    """
    try:
        result = path.stat()
    except (OSError, ValueError):
        return None
    if time.time() - max(result.st_mtime, result.st_ctime) < _SETTLED_SECONDS:
        return None
    return f"{result.st_size} {result.st_mtime_ns} {result.st_ctime_ns} {result.st_dev}:{result.st_ino}"


def _settled(path: Path) -> tuple[int, int, int] | None:
    """Inode, modification time and size; None if the file is missing or too new to tell versions apart."""
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
    """SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content as 64 hexadecimal digits; reads it in chunks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Flushes a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
