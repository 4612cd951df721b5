"""Looks through watched folders: which files are complete and were not done yet."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dfcore.watch.writing import is_open_for_writing

_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
# Under such names programs write what they rename when it is complete. Names that begin with a dot count as well.
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp", ".opdownload")
_OF_SYSTEMS = {"thumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir", "system volume information"}


class Signature(NamedTuple):
    """What differs once a file's content does: size and times."""

    size: int
    modified: int
    changed: int

    def __str__(self) -> str:
        return f"{self.size} {self.modified} {self.changed}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Something complete that was not done yet.

    Attributes:
        path: Where it is.
        signature: What it was like when it was looked at; None if it could not be.
        reason: Why it is not to be judged; "" if it is.
    """

    path: Path
    signature: Signature | None
    reason: str = ""


@dataclass(slots=True)
class _State:
    signature: Signature
    since: float
    done: bool = False


class Folders:
    """The files below some folders, as they were when they were last looked at.

    Args:
        folders: The folders.
        settle: Seconds for which a file must stay as it is before it counts as complete.
        spare: Files that are not looked at.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        settle: float,
        spare: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._folders, self._settle, self._clock = folders, settle, clock
        self._spare = {str(path) for path in spare}
        self._states: dict[str, _State] = {}

    def look(self, known: Callable[[str, Signature], bool]) -> Iterator[Arrived]:
        """Goes through all folders; what changed since the last time waits until it settles.

        Args:
            known: Whether a file that is seen for the first time was done as it is, by its path.
        """
        before, self._states = self._states, {}
        now, folders = self._clock(), [str(folder) for folder in reversed(self._folders)]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as listed:
                    entries = sorted(listed, key=lambda entry: entry.name)
            except FileNotFoundError:
                if Path(folder) in self._folders:
                    yield Arrived(Path(folder), None, "The folder is not there any more.")
                continue
            except OSError as error:
                reason = f"The folder could not be read: {_words(error)}; what is in it is not known."
                yield Arrived(Path(folder), None, reason)
                continue
            for entry in entries:
                if _is_ignored(entry.name) or entry.path in self._spare:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield from self._entry(entry, before, now, known)

    @property
    def waiting(self) -> list[Path]:
        """Files that are not done as they were at the last look: not complete yet, or to be tried again."""
        return [Path(path) for path, state in self._states.items() if not state.done]

    def done(self, arrived: Arrived) -> None:
        """Notes that something is done as it was; it comes again only once it has changed."""
        state = self._states.get(str(arrived.path))
        if state is not None and state.signature == arrived.signature:
            state.done = True

    def later(self, arrived: Arrived) -> None:
        """Has something settle anew, since it could not be done."""
        state = self._states.get(str(arrived.path))
        if state is not None:
            state.since = self._clock()

    def _entry(
        self, entry: os.DirEntry, before: dict[str, _State], now: float, known: Callable[[str, Signature], bool]
    ) -> Iterator[Arrived]:
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            yield Arrived(Path(entry.path), None, f"It could not be looked at: {_words(error)}.")
            return
        signature = Signature(found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        state = before.get(entry.path)
        if state is None or state.signature != signature:
            state = _State(signature, now, state is None and known(entry.path, signature))
        self._states[entry.path] = state
        if state.done:
            return
        path, reason = Path(entry.path), _reason(found.st_mode)
        if reason or self._is_complete(path, state, now):
            yield Arrived(path, signature, reason)

    def _is_complete(self, path: Path, state: _State, now: float) -> bool:
        settled = now - state.since >= self._settle
        return (settled or _was_moved(state.signature, self._settle)) and not is_open_for_writing(path)


def _was_moved(signature: Signature, settle: float) -> bool:
    """Whether a file was complete for a while when it got its name: renamed into place, or copied with its time.

    Both times are of the file system's own clock. Windows has no time of change.
    """
    return os.name != "nt" and signature.changed - signature.modified >= settle * 1e9


def _is_ignored(name: str) -> bool:
    low = name.lower()
    return low.startswith(".") or low.endswith(_UNFINISHED) or low in _OF_SYSTEMS


def _reason(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "A link: only files that lie in the folder itself are judged."
    return "" if stat.S_ISREG(mode) else f"Not a file but {_SPECIAL.get(stat.S_IFMT(mode), 'something else')}."


def _words(error: OSError) -> str:
    return error.strerror or str(error)
