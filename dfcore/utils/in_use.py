"""Folders of a cache that somebody uses: each use is a locked file there, which the kernel frees when the process dies.

A folder without one may be emptied; its lock stays, since somebody may be waiting for it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from dfcore.utils.files import lock, make_folder, share

LOCK = "lock"
_LAST_USE, _USERS = "last_use", "users"
# What lies in a folder for this alone.
MARKS = (LOCK, _LAST_USE, _USERS)


class Use:
    """Somebody uses a folder, until `end` or the end of the process; a context manager."""

    def __init__(self, file: FileLock):
        self._file = file

    def end(self) -> None:
        """The folder may be emptied, as far as this use goes."""
        self._file.release()
        with suppress(OSError):
            Path(self._file.lock_file).unlink(missing_ok=True)

    def __enter__(self) -> "Use":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def begin(folder: Path) -> Use:
    """From now on a folder, which is made if need be, is not emptied; if somebody is emptying it, waits for that.

    Raises:
        OSError: If it cannot be written.
    """
    make_folder(folder / _USERS)
    with lock(folder / LOCK):
        file = lock(folder / _USERS / uuid4().hex)
        file.acquire()
        _touch(folder / _LAST_USE)
        return Use(file)


@contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Whether nobody uses a folder, and for so long nobody can; marks of the dead go."""
    with ExitStack() as held:
        try:
            held.enter_context(lock(folder / LOCK, timeout=0))
            for path in (folder / _USERS).glob("*"):
                with lock(path, timeout=0):
                    path.unlink(missing_ok=True)
        except (Timeout, OSError):  # It is written, or open.
            yield False
            return
        yield os.access(folder, os.W_OK | os.X_OK)  # It may be another account's alone.


def last_use(folder: Path, otherwise: Path) -> float:
    """When a use of a folder began last, seconds since 1970; where that is not known, when `otherwise` changed."""
    stamp = folder / _LAST_USE
    return (stamp if stamp.exists() else otherwise).stat().st_mtime


def _touch(path: Path) -> None:
    """Notes the time; a file that another account owns and nobody else may write costs only the order of removal."""
    with suppress(OSError):
        path.touch()
        share(path)
