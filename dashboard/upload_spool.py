"""Files on their way from a browser to this server: received in slices, kept on disk and never whole in memory."""

import hashlib
import json
import shutil
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dfcore import workspace
from dfcore.errors import InputError, StorageError
from dfcore.imaging import SUFFIXES, decoder
from dfcore.utils.files import explained, make_folder
from dfcore.utils.texts import counted, printable, volume

ARCHIVE = ".zip"
# Limits of one upload; disk space that stays free beside it and its copy in the batch.
MOST_BYTES, MOST_FILES, RESERVE = 2 * 2**30, 20_000, 2**30
_NAME = 1_024
_FORGOTTEN_SECONDS = 12 * 3600


@dataclass(frozen=True, eq=False)
class Kind:
    """What an upload may consist of.

    Attributes:
        key: Prefix of what the session keeps of it.
        expected: What is expected, in words.
        limits: Most bytes of a file by the ending of its name.
        others: Most bytes of a file with another ending; 0 for none.
        refused: Why such a file is refused, to follow "it is".
        most: Most files.
    """

    key: str
    expected: str
    limits: Mapping[str, int]
    others: int
    refused: str
    most: int


PICTURES = Kind(
    "big_upload", "pictures or ZIP files", dict.fromkeys(SUFFIXES, decoder.MAX_BYTES) | {ARCHIVE: MOST_BYTES}, 0,
    "neither a picture nor a ZIP", MOST_FILES,
)  # fmt: skip
# What is a film is told by its content once it is there.
FILM = Kind("film_upload", "a film", {}, MOST_BYTES, "no film", 1)


@dataclass(frozen=True)
class Offered:
    """A file that a browser offers.

    Attributes:
        name: Name, with the folders above it where a folder was chosen.
        size: Bytes.
        changed: Its modification time, as the browser tells it.
    """

    name: str
    size: int
    changed: int


@dataclass(frozen=True)
class Refused:
    """A file that is not taken, and why."""

    name: str
    why: str


class Spool:
    """An upload on disk; its folder is removed with it.

    Attributes:
        files: What is received, in this order.
        refused: What is not.
        places: Numbers of `files` in the offer.
        total: Bytes in all.
        received: Bytes on disk.
    """

    def __init__(self, offer: Sequence[Offered], kind: Kind = PICTURES):
        """Makes room for an offer of a kind of files.

        Raises:
            InputError: If nothing of it can be taken, or all together is too much.
            StorageError: If there is no room, or the folder cannot be written.
        """
        why = _why_not(offer, kind)
        self.key = key(offer)
        self.places = [number for number, reason in enumerate(why) if not reason]
        self.files = [offer[number] for number in self.places]
        self.refused = [Refused(file.name, reason) for file, reason in zip(offer, why, strict=True) if reason]
        self.total, self.received = sum(file.size for file in self.files), 0
        _require_some(self, kind)
        above = workspace.batches_dir() / ".uploads"
        _require_room(above, 2 * self.total)
        _sweep(above)
        self._folder = above / uuid.uuid4().hex
        try:
            make_folder(self._folder)
        except OSError as error:
            raise StorageError(f"{self._folder} could not be made: {explained(error, self._folder)}.") from error
        self._ends = _ends(self.files)
        self._gone = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def complete(self) -> bool:
        """Whether all bytes are there."""
        return self.received == self.total

    @property
    def size_of_largest(self) -> int:
        """Bytes of the largest file."""
        return max(file.size for file in self.files)

    def add(self, at: int, data: bytes) -> None:
        """Takes the next slice of all files, one after the other; one that was already taken is ignored.

        Args:
            at: Where it begins, in bytes of all files.
            data: The bytes.

        Raises:
            InputError: If it is longer than what is missing.
            StorageError: If it cannot be written; the upload is then given up.
        """
        if at != self.received or not data:
            return
        if at + len(data) > self.total:
            raise InputError(f"Expected at most {self.total - at:,} further bytes. Received: {len(data):,}.")
        try:
            _require_room(self._folder, self.total + self.total - self.received)
            for number, start, part in self._parts(at, data):
                with open(self._folder / str(number), "ab") as file:
                    file.truncate(start)  # A slice may have been written in part before.
                    file.write(part)
            self._folder.touch()
        except OSError as error:
            self.drop()
            raise StorageError(f"The upload could not be written: {explained(error, self._folder)}.") from error
        self.received += len(data)

    def paths(self) -> Iterator[tuple[str, Path]]:
        """Name and place on disk of each file; empty ones are made here."""
        for number, file in enumerate(self.files):
            place = self._folder / str(number)
            if not file.size:
                place.touch()
            yield file.name, place

    def drop(self) -> None:
        """Removes all of it."""
        self._gone()

    def _parts(self, at: int, data: bytes) -> Iterator[tuple[int, int, memoryview]]:
        """The parts of a slice by file: its number, where in it the part begins, the bytes."""
        rest, view = at, memoryview(data)
        first = next(number for number, end in enumerate(self._ends) if end > at)
        for number in range(first, len(self.files)):
            if not view:
                return
            start = self._ends[number] - self.files[number].size
            length = min(len(view), self._ends[number] - rest)
            if length:
                yield number, rest - start, view[:length]
            rest, view = rest + length, view[length:]


def offered(value: object) -> list[Offered]:
    """An offer as it came from the browser.

    Raises:
        InputError: If it is none, or lists too many files.
    """
    if not isinstance(value, list) or not value:
        raise InputError("Expected a list of files. Received: nothing.")
    if len(value) > MOST_FILES:
        raise InputError(
            f"Expected at most {MOST_FILES:,} files in one upload. Received: {len(value):,}. Put them into a ZIP, or "
            "into a folder that the server may read."
        )
    try:
        return [Offered(_clean(name), _whole(size), _whole(changed)) for name, size, changed in value]
    except (TypeError, ValueError, OverflowError):
        raise InputError("Expected names and sizes of files. Received: something else.") from None


def _clean(name: object) -> str:
    """A name as text of one line, with forward slashes, that leads nowhere."""
    parts = PurePosixPath(printable(str(name)[:_NAME]).replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in ("/", "..", ".")) or "unnamed"


def _whole(value: object) -> int:
    if not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise ValueError
    return int(value)


def _why_not(offer: Sequence[Offered], kind: Kind) -> list[str]:
    """Why each file is not taken; "" if it is."""
    result: list[str] = []
    taken = 0
    for file in offer:
        most = kind.limits.get(PurePosixPath(file.name).suffix.lower(), kind.others)
        why = kind.refused if not most else f"larger than {_limit(most)}" if file.size > most else ""
        if not why and taken == kind.most:
            why = f"more than {counted(kind.most, 'file', 'files')} at a time"
        taken += not why
        result.append(why)
    return result


def _limit(size: int) -> str:
    return f"{size // 2**30} GB" if size >= 2**30 else f"{size // 2**20} MB"


def _require_some(spool: Spool, kind: Kind) -> None:
    if not spool.files:
        one = spool.refused[0]
        more = f", and {len(spool.refused) - 1:,} more" if len(spool.refused) > 1 else ""
        raise InputError(f"Expected {kind.expected}. Received: {one.name}, which is {one.why}{more}.")
    if spool.total > MOST_BYTES:
        raise InputError(
            f"Expected at most {MOST_BYTES // 2**30} GB in one upload. Received: {spool.total / 2**30:.1f} GB. Put "
            "them into a folder that the server may read, and name that folder."
        )


def _require_room(folder: Path, wanted: int) -> None:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < wanted + RESERVE:
        raise StorageError(
            f"The server's disk has no room for this: {volume(wanted)} are needed, and {volume(RESERVE)} must stay "
            f"free; {volume(free)} are free. Close batches that are done with, or delete other files."
        )


def _ends(files: Sequence[Offered]) -> list[int]:
    """Where each file ends, in bytes of all files."""
    end, result = 0, []
    for file in files:
        end += file.size
        result.append(end)
    return result


def key(offer: Sequence[Offered]) -> str:
    """The same for the same files, so that an upload can go on."""
    text = json.dumps([(file.name, file.size, file.changed) for file in offer])
    return hashlib.sha256(text.encode()).hexdigest()


def _sweep(above: Path) -> None:
    """Removes what servers left behind that were killed."""
    for folder in above.glob("*") if above.is_dir() else ():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _FORGOTTEN_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
