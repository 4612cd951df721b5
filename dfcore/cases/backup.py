"""Backups: one file with all entries and kept pictures, which can be restored into either database."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, func, insert, select

from dfcore.cases import images, log
from dfcore.cases.entry import canonical, now
from dfcore.cases.tables import LOG
from dfcore.cases.values import Head
from dfcore.cases.views import CHUNK, VIEWS, refresh
from dfcore.errors import InputError, StorageError
from dfcore.utils.files import sha256_bytes, write_atomic

_ABOUT, _LOG, _IMAGES = "store.json", "log.jsonl", "images/"
_FORMAT = 1
# Longest line: an entry with its record; longest description of the store.
_LONGEST, _ABOUT_LONGEST = 64 * 2**20, 2**16
_COLUMNS = tuple(column.name for column in LOG.columns)


@dataclass(frozen=True)
class Copied:
    """What was written to a backup, or read from one.

    Attributes:
        head: The newest entry.
        images: Number of kept pictures.
        missing: Hashes of those that should be kept, and are missing or altered.
    """

    head: Head
    images: int
    missing: tuple[str, ...] = ()


def backup(connection: Connection, folder: Path, path: Path) -> Copied:
    """Writes everything to a file; see `Store.backup`."""
    if Path(path).exists():
        raise InputError(f"Expected a new file for the backup. Received: {path}, which exists.")
    done: list[Copied] = []
    write_atomic(path, lambda temporary: done.append(_write(connection, folder, temporary)))
    return done[0]


def _write(connection: Connection, folder: Path, path: Path) -> Copied:
    from dfcore import __version__

    head, missing, kept = log.head(connection), [], 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entries = connection.execute(select(func.count()).select_from(LOG)).scalar_one()
        about = {"format": _FORMAT, "entries": entries, "head": asdict(head), "written": now(), "tool": __version__}
        archive.writestr(_ABOUT, json.dumps(about, indent=2))
        with archive.open(_LOG, "w", force_zip64=True) as lines:
            rows = select(LOG).order_by(LOG.c.sequence)
            for row in connection.execute(rows, execution_options={"yield_per": CHUNK}).mappings():
                lines.write(canonical(dict(row)).encode() + b"\n")
        for sha256 in images.kept(connection):
            try:
                data = images.read(folder, sha256)
            except StorageError:
                data = None
            if data is None:
                missing.append(sha256)
                continue
            archive.writestr(zipfile.ZipInfo(_IMAGES + sha256), data)  # Pictures are compressed already.
            kept += 1
    return Copied(head, kept, tuple(missing))


def restore(connection: Connection, folder: Path, path: Path) -> Copied:
    """Reads everything from a file into an empty store; see `Store.restore`."""
    if log.head(connection).number:
        raise InputError(
            "Expected an empty store to restore into, since nothing is overwritten. Received one with entries: move it "
            "aside, or point DFCORE_CASES or DFCORE_CASES_DATABASE elsewhere."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            head, entries = _about(archive)
            found = _read_log(connection, archive)
            if found != entries or log.head(connection) != head:
                raise _unreadable(path, f"it has {found} entries of {entries}, or does not end at entry {head.number}")
            for column, _, _ in VIEWS:
                names = list(connection.execute(select(column).where(column.is_not(None)).distinct()).scalars())
                refresh(connection, *((names,) if column is LOG.c.picture else ((), names)))
            return _read_images(connection, folder, archive, head)
    except FileNotFoundError:
        raise InputError(f"Expected a backup. Received: {path}, which does not exist.") from None
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        EOFError,
        RecursionError,
        NotImplementedError,
    ) as error:
        raise _unreadable(path, str(error)[:200] or "it is cut short") from error


def _unreadable(path: Path, why: str) -> InputError:
    return InputError(f"Expected a backup of a store of cases. Received: {path}, which cannot be read: {why}.")


def _about(archive: zipfile.ZipFile) -> tuple[Head, int]:
    with archive.open(_ABOUT) as file:
        about = json.loads(file.read(_ABOUT_LONGEST))
    if about["format"] != _FORMAT:
        raise ValueError(f"it has format {about['format']}, and this version reads {_FORMAT}")
    return Head(**about["head"]), int(about["entries"])


def _read_log(connection: Connection, archive: zipfile.ZipFile) -> int:
    """Adds all entries as they are; returns their number."""
    done = 0
    with archive.open(_LOG) as lines:
        parsed = map(json.loads, _lines(lines))
        while rows := [{name: row[name] for name in _COLUMNS} for row in islice(parsed, CHUNK)]:
            connection.execute(insert(LOG), rows)
            done += len(rows)
    return done


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(_LONGEST):
        if not line.endswith(b"\n"):
            raise ValueError("a line is cut short or too long")
        yield line


def _read_images(connection: Connection, folder: Path, archive: zipfile.ZipFile, head: Head) -> Copied:
    missing, kept, members = [], 0, set(archive.namelist())
    for sha256 in images.kept(connection):
        name = _IMAGES + sha256
        data = archive.read(name) if name in members else b""
        if sha256_bytes(data) == sha256:
            images.write(folder, sha256, data)
            kept += 1
        else:
            missing.append(sha256)
    return Copied(head, kept, tuple(missing))
