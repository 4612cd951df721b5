"""What was fetched: `fetched.json` in a data set's folder, and whether the files still are what was fetched."""

import hashlib
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfcore import __version__
from dfcore.datasets.scan_listing import FETCHED
from dfcore.errors import StorageError
from dfcore.hub.pieces import Report, Seen, after, hand_on
from dfcore.utils.files import read_json, write_json

_FORMAT = 1


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        source: Address, without the version.
        version: Number of the version on Kaggle, commit on the Hub.
        title, licence, page: As the service told.
        at: When, ISO 8601 in UTC.
        files: {path: (bytes, SHA-256)}.
        left_out: (name, reason) of what came with it and was not written.
        notes: What was done beyond loading, as sentences.
        left_out_more: Number of further pictures that were not written and are not named.
        by: Version of this workbench.
    """

    source: str
    version: str
    title: str
    licence: str
    page: str
    at: str
    files: dict[str, tuple[int, str]]
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    left_out_more: int = 0
    by: str = field(default=__version__)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.files.values())

    @property
    def left_out_in_all(self) -> int:
        """Number of all that came with it and was not written."""
        return len(self.left_out) + self.left_out_more


@dataclass(frozen=True)
class Differences:
    """How a folder differs from what was fetched.

    Attributes:
        checked: Number of files that were compared.
        changed, missing, added: Paths of files.
    """

    checked: int
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.changed or self.missing or self.added)


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def hashes(folder: Path, report: Report) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of all files below a folder, by path; `report` gets (bytes done, bytes in all)."""
    paths = _files(folder)
    total, done, result = sum(path.stat().st_size for path in paths.values()), 0, {}
    for name, path in paths.items():
        size = path.stat().st_size
        result[name] = size, _sha256(path, after(done, total, report))
        done += size
        report(done, total)
    return result


def write(folder: Path, fetched: Fetched) -> None:
    """Writes the record into a folder."""
    write_json(folder / FETCHED, {"format": _FORMAT, **asdict(fetched)})


def read(folder: Path) -> Fetched | None:
    """The record in a folder; None if there is none.

    Raises:
        StorageError: If it is damaged.
    """
    path = folder / FETCHED
    if not path.is_file():
        return None
    try:
        values: dict[str, Any] = read_json(path)
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in values.pop("files").items()}
        left_out = tuple((str(name), str(reason)) for name, reason in values.pop("left_out"))
        texts = {name: str(values[name]) for name in ("source", "version", "title", "licence", "page", "at", "by")}
        more, notes = int(values.get("left_out_more", 0)), tuple(map(str, values["notes"]))
        return Fetched(**texts, files=files, left_out=left_out, left_out_more=more, notes=notes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{path} is damaged ({error!r:.100}). Delete the folder {folder} and fetch it again."
        ) from error


def compare(folder: Path, fetched: Fetched, report: Report | None = None) -> Differences:
    """Compares a folder with what was fetched.

    Args:
        folder: The folder.
        fetched: Its record.
        report: If given, contents are compared too, and it gets (bytes done, bytes in all); else only sizes.
    """
    paths = _files(folder)
    missing = tuple(name for name in fetched.files if name not in paths)
    added = tuple(name for name in paths if name not in fetched.files)
    changed, done = [], 0
    for name, (size, digest) in fetched.files.items():
        if name not in paths:
            continue
        same = paths[name].stat().st_size == size
        if same and report is not None:
            same = _sha256(paths[name], after(done, fetched.size, report)) == digest
        if not same:
            changed.append(name)
        done += size
        if report is not None:
            report(done, fetched.size)
    return Differences(len(fetched.files) - len(missing), tuple(changed), missing, added)


def _sha256(path: Path, seen: Seen) -> str:
    digest = hashlib.sha256()
    hand_on(path, digest.update, seen)
    return digest.hexdigest()


def _files(folder: Path) -> dict[str, Path]:
    result = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if not (path.parent == folder and name == FETCHED):
                result[path.relative_to(folder).as_posix()] = path
    return result
