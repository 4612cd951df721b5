"""What a batch judges: paths, uploads that are copied into its spool, and addresses."""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from dfcore import workspace
from dfcore.batch import addresses, zip_reader
from dfcore.batch.entries import Entry, ToJudge
from dfcore.batch.found import iter_to_judge
from dfcore.datasets.dataset import LeftOut
from dfcore.errors import InputError, StorageError
from dfcore.imaging import decoder
from dfcore.utils.files import make_folder, share
from dfcore.utils.texts import storable, volume

MOST_ZIP_BYTES = 2 * 2**30
# Left free on the disk, for rows and thumbnails and for others.
FREE_BYTES = 512 * 2**20
_PIECE = 1 << 20
_LONGEST_NAME = 300


@dataclass(frozen=True)
class FromPath:
    """A file, a folder with all that is in it, or a ZIP archive, on the machine that judges.

    Attributes:
        path: It must exist and may be read.
    """

    path: str | Path


@dataclass(frozen=True)
class Upload:
    """A picture or a ZIP archive that somebody hands over; a copy is kept until the batch is closed.

    Attributes:
        name: File name, with the folders above it where a folder was handed over; only shown, never a path here.
        stream: Its content, from where it stands.
    """

    name: str
    stream: IO[bytes]


@dataclass(frozen=True)
class Address:
    """A picture to fetch, see `dfcore.batch.addresses`.

    Attributes:
        address: Where it is.
    """

    address: str


Source = FromPath | Upload | Address


def take(sources: Iterable[Source], folder: Path) -> list[dict[str, Any]]:
    """Checks sources one after the other and copies what is handed over.

    Args:
        sources: What to judge.
        folder: Of the new batch.

    Returns:
        What `iter_sources` needs, plain data.

    Raises:
        InputError: If there is nothing, or a path or address may not be read.
        StorageError: If there is no space.
    """
    spool = folder / "spool"
    make_folder(spool)
    result: list[dict[str, Any]] = []
    names: dict[str, int] = {}
    for number, source in enumerate(sources, 1):
        file = f"spool/{number:06d}"
        if isinstance(source, FromPath):
            result.append({"kind": "path", "name": str(_existing(source.path))})
        elif isinstance(source, Address):
            addresses.require_allowed(source.address)
            result.append({"kind": "address", "name": source.address, "file": file})
        else:
            name = _unique(_shown(source.name), names)
            result.append(_spooled(source.stream, name, folder, file))
    if not result:
        raise InputError("There is nothing to judge. Expected files, a folder, a ZIP archive or addresses.")
    return result


def iter_sources(folder: Path, records: Iterable[dict[str, Any]]) -> Iterator[ToJudge]:
    """All that is to be judged or was left out.

    Args:
        folder: Of the batch.
        records: As `take` returned them.
    """
    for record in records:
        name, file = record["name"], record.get("file", "")
        if record["kind"] == "path":
            yield from _in_path(Path(name))
        elif record["kind"] == "refused":
            yield LeftOut(name, record["reason"])
        elif record["kind"] == "archive":
            for found in zip_reader.entries(folder / file, name):
                yield _within(found, file) if isinstance(found, Entry) else found
        elif record["kind"] == "address":
            yield Entry(name, partial(_fetched, name, folder / file), f"from {name}", ("file", file))
        else:
            yield Entry(name, partial(decoder.read_bytes, folder / file), f"in {file}", ("file", file))


def in_words(records: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """What is judged, for people: paths and archives by their names, pictures and addresses by their number."""
    records = list(records)
    named = [record["name"] for record in records if record["kind"] in ("path", "archive")]
    pictures = sum(record["kind"] in ("picture", "refused") for record in records)
    fetched = sum(record["kind"] == "address" for record in records)
    counted = [
        f"{number:,} {one if number == 1 else several}"
        for number, one, several in ((pictures, "picture", "pictures"), (fetched, "address", "addresses"))
        if number
    ]
    return tuple(storable(name) for name in [*named, *counted])


def require_space(folder: Path, size: int) -> None:
    """Checks that so many bytes fit on the disk, 0 for what rows may take.

    Raises:
        StorageError: If not; says how much there is.
    """
    free = shutil.disk_usage(folder).free
    if free < size + FREE_BYTES:
        raise StorageError(
            f"There is no space for {volume(size) if size else 'more rows'}: {volume(free)} are free on the disk of "
            f"{folder}, of which {volume(FREE_BYTES)} stay free. Delete old batches, or judge a folder, which is not "
            "copied."
        )


def _existing(path: str | Path) -> Path:
    found = Path(path).expanduser().absolute()
    workspace.require_readable(found)
    if not os.path.lexists(found):
        raise InputError(f"There is no file or folder {found}.")
    return found


def _in_path(path: Path) -> Iterator[ToJudge]:
    try:
        yield from iter_to_judge([path])
    except InputError as error:  # It was there when the batch was asked for.
        yield LeftOut(str(path), str(error))


def _fetched(address: str, path: Path) -> bytes:
    require_space(path.parent, decoder.MAX_BYTES)
    return addresses.fetch(address, path)


def _within(entry: Entry, file: str) -> Entry:
    return replace(entry, stamp=f"in {file} {entry.origin[2]}", origin=("zip", file, *entry.origin[2:]))


def _spooled(stream: IO[bytes], name: str, folder: Path, file: str) -> dict[str, Any]:
    """Copies what is handed over; what is too large becomes a row with its reason."""
    path = folder / file
    start = stream.tell()
    first = stream.read(4)
    archive = name.lower().endswith(".zip") or first in zip_reader.STARTS
    most = MOST_ZIP_BYTES if archive else decoder.MAX_BYTES
    size = stream.seek(0, os.SEEK_END) - start
    stream.seek(start)
    if size > most:
        limit = f"{most // 2**30} GB" if archive else f"{most // 2**20} MB"
        advice = " Judge it by its path in a folder that may be read." if archive else ""
        reason = f"The file is larger than the limit of {limit}.{advice}"
        return {"kind": "refused", "name": name, "reason": reason}
    require_space(folder, size)
    with open(path, "wb") as copy:
        while piece := stream.read(_PIECE):
            copy.write(piece)
    share(path)
    return {"kind": "archive" if archive else "picture", "name": name, "file": file}


def _shown(name: str) -> str:
    """A name with the folders above it, as text that leads nowhere; its end if it is too long."""
    parts = PurePosixPath(storable(name).replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in ("/", "..", "."))[-_LONGEST_NAME:] or "without a name"


def _unique(name: str, names: dict[str, int]) -> str:
    """The name, with a number from the second file of this name on."""
    names[name] = names.get(name, 0) + 1
    return name if names[name] == 1 else f"{name} ({names[name]} of this name)"
