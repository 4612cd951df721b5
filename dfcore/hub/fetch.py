"""Fetches a data set into the workspace: loads it, checks it, writes down what it is, registers and scans it.

What is not finished lies in `.fetching/NAME` in the data folder; `NAME` appears when all of it is there and checked. A
request that was stopped or killed goes on with what is there.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import Timeout

from dfcore import workspace
from dfcore.errors import ArchiveError, BusyError, DatasetError, InputError, LayoutError, StorageError
from dfcore.hub import hugging_face_data, kaggle, known, record, tables
from dfcore.hub.known import KnownSet
from dfcore.hub.linking import lay_out, links_work
from dfcore.hub.pieces import Report
from dfcore.hub.record import Differences, Fetched
from dfcore.hub.sources import Offer, Service, Source, require_folder_name
from dfcore.hub.unpack import ARCHIVES, LeftOut, is_archive, unpack, unpack_below
from dfcore.utils.files import explained, lock, make_folder, read_json, release, write_json
from dfcore.utils.space import bytes_below, is_full, told_full

# Called with (phase, units done, units in all or 0, unit: bytes or images), often; what it raises ends the work.
Progress = Callable[[str, int, int, str], None]
HALF = ".fetching"
BYTES, IMAGES = "bytes", "images"


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        known: The known set; None for another one.
        source: Where to load it; None if its owners want a signed request.
        folder: Where it will be.
    """

    known: KnownSet | None
    source: Source | None
    folder: Path

    @property
    def title(self) -> str:
        """Name for people."""
        return self.known.title if self.known else str(self.source)

    @property
    def half(self) -> Path:
        """Folder of what is not finished."""
        return self.folder.parent / HALF / self.folder.name

    @property
    def files(self) -> Path:
        """Where its files are laid out until all are there."""
        return self.half / "files"


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Attributes:
        folder: The data set.
        fetched: What it is; None for a folder that was given.
        there: Whether it was there before.
        layout: What was understood of it; "" if nothing was yet.
        trouble: Why it was not understood; "" if it was, or nobody looked.
        counts: Number of images by class (real, fake, unlabelled), and of those that cannot be used (unusable).
        differences: How it differs by names and sizes from what was fetched, if it was there before.
    """

    folder: Path
    fetched: Fetched | None
    there: bool = False
    layout: str = ""
    trouble: str = ""
    counts: dict[str, int] | None = None
    differences: Differences | None = None


def wanted(text: str, name: str = "") -> Wanted:
    """What is meant by a known set's name or an address.

    Args:
        text: As `known.find`.
        name: Name of the folder; by default that of the known set, or the last part of the address.

    Raises:
        InputError: If nothing is, or the name is none for a folder.
    """
    one, source = known.find(text)
    default = one.name if one else source.name if source else ""
    return Wanted(one, source, workspace.data_dir() / require_folder_name(name or default))


def describe(source: Source) -> Offer:
    """Asks the service about a data set; see `kaggle.describe` and `hugging_face_data.describe`."""
    service = kaggle if source.service is Service.KAGGLE else hugging_face_data
    return service.describe(source)


def there(what: Wanted) -> Fetched | None:
    """What was fetched of it before; None if nothing. Where a branch or tag is asked for, the Hub is asked too.

    Raises:
        InputError: If something else is in its folder.
        StorageError: If the record in the folder is damaged.
    """
    if not what.folder.exists():
        return None
    found = record.read(what.folder)
    asked = replace(what.source, version="") if what.source else None
    if found is None or asked is None or found.source.lower() != str(asked).lower():
        held = f"{found.source}" if found else "something that was not fetched by this command"
        raise InputError(
            f"{what.folder} is there already and holds {held}. Choose another name for this one's folder (--name)."
        )
    if what.source and what.source.version and found.version != _exactly(what.source):
        raise InputError(
            f"{what.folder} holds version {found.version} of it, not {what.source.version}. Choose another "
            "name for this one's folder (--name)."
        )
    return found


def fetch(what: Wanted, progress: Progress) -> Outcome:
    """Fetches a data set, unless it is there.

    Raises:
        InputError: If it is not there for this account, its owners want a signed request, or its folder is taken.
        StorageError: If there is no room, or the folder cannot be written.
        DfcoreError: If the service cannot be reached, or what arrives is damaged.
        BusyError: If another process is fetching it.
    """
    require_loadable(what)
    with _alone(what):
        before = there(what)
        if before is not None:
            return Outcome(_registered(what.folder), before, True, differences=record.compare(what.folder, before))
        progress("Asking about it", 0, 0, BYTES)
        assert what.source is not None
        offer = describe(what.source)
        with _explained(what.half):
            left_out, more, notes = _load(what, offer, progress)
            fetched = _recorded(offer, what.files, left_out, notes, progress, more)
            _put_in_place(what)
    return understand(Outcome(_registered(what.folder), fetched), progress)


def take(what: Wanted, path: Path, progress: Progress) -> Outcome:
    """Takes a data set that somebody loaded: a folder stays where it is, an archive is unpacked into the workspace.

    Raises:
        InputError: If there is neither, or the folder of the data set is taken.
        AccessError: If it lies outside of the folders that may be read.
        ArchiveError, StorageError: If an archive cannot be unpacked.
    """
    path = path.expanduser()
    workspace.require_readable(path)
    if path.is_dir():
        return understand(Outcome(_registered(path.resolve()), record.read(path)), progress)
    if not path.is_file() or not is_archive(path):
        raise InputError(f"Expected a folder, or a ZIP or tar archive. Received: {str(path)!r}, which is neither.")
    with _alone(what):
        if what.folder.exists():
            raise InputError(f"{what.folder} is there already. Choose another name for this one's folder (--name).")
        with _explained(what.half):
            _begin(what, f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}")
            left_out = _unpack(path, what.files, partial(_report, progress, "Unpacking"))
            source = Source(Service.KAGGLE, "", "") if what.source is None else what.source
            offer = Offer(source, what.title, what.known.licence if what.known else "")
            notes = [f"Unpacked from {path.name}, which somebody loaded; the service's own checksum was not at hand."]
            fetched = _recorded(offer, what.files, left_out, notes, progress)
            _put_in_place(what)
    return understand(Outcome(_registered(what.folder), fetched), progress)


def require_loadable(what: Wanted) -> None:
    """Checks that a program may load it.

    Raises:
        InputError: If its owners want a signed request; says how to make it.
    """
    if what.source is None:
        raise InputError(signed_request(what))


def signed_request(what: Wanted) -> str:
    """How to get a data set whose owners want a signed request."""
    assert what.known is not None
    return f"{what.known.title} cannot be loaded by a program. {what.known.request} Give it with --from FOLDER."


def verify(folder: Path, progress: Progress) -> Differences:
    """Compares all files of a data set with what was fetched, by content.

    Raises:
        InputError: If it was not fetched by this workbench.
        StorageError: If its record is damaged.
    """
    fetched = record.read(folder)
    if fetched is None:
        raise InputError(
            f"Expected a data set that was fetched. Received: {folder}, in which there is no fetched.json."
        )
    return record.compare(folder, fetched, partial(_report, progress, "Checking"))


def understand(outcome: Outcome, progress: Progress) -> Outcome:
    """The same with what was understood of the data set."""
    from dfcore.datasets import scan

    try:
        data = scan(outcome.folder, progress=lambda done, total: progress("Reading the images", done, total, IMAGES))
    except (LayoutError, DatasetError) as error:
        return replace(outcome, trouble=str(error))
    labels = data.usable.label.value_counts()
    counts = {
        "real": int(labels.get(0, 0)),
        "fake": int(labels.get(1, 0)),
        "unlabelled": int((data.table.label.isna() & data.table.error.isna()).sum()),
        "unusable": len(data.unreadable),
    }
    return replace(outcome, layout=data.layout, counts=counts)


def half_fetched() -> dict[str, int]:
    """Bytes of what is not finished, by the name of its folder."""
    place = workspace.data_dir() / HALF
    folders = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return {path.name: bytes_below(path) for path in folders}


def is_half_fetched(name: str) -> bool:
    """Whether something is there of a data set that is not finished."""
    return (workspace.data_dir() / HALF / name).is_dir()


def discard(name: str) -> None:
    """Deletes what is not finished of a data set.

    Raises:
        InputError: If there is nothing.
        BusyError: If it is being fetched.
    """
    place = workspace.data_dir() / HALF / require_folder_name(name)
    if not place.is_dir():
        raise InputError(f"Expected one of those that are not finished ({', '.join(half_fetched()) or 'none'}). "
                         f"Received: {name!r}.")  # fmt: skip
    with _alone(Wanted(None, None, workspace.data_dir() / name)):
        shutil.rmtree(place)


# === Internals ===


def _exactly(source: Source) -> str:
    """The version or commit that is asked for; what a branch or tag stands for only the Hub knows."""
    named = source.service is Service.HUGGING_FACE and not re.fullmatch("[0-9a-f]{40}", source.version)
    return describe(source).source.version if named else source.version


def _load(what: Wanted, offer: Offer, progress: Progress) -> tuple[LeftOut, int, list[str]]:
    """Loads a data set and lays out its files.

    Returns:
        What was left out, the number of further pictures that were, and notes.
    """
    _begin(what, str(offer.source))
    load, files = what.half / "load", what.files
    loading, copying, unpacking = (partial(_report, progress, phase) for phase in ("Loading", "Copying", "Unpacking"))
    if offer.source.service is Service.KAGGLE:
        archive = kaggle.download(offer, load, loading, bytes_below(files))
        try:
            return _unpack(archive, files, unpacking), 0, []
        except ArchiveError:
            archive.unlink(missing_ok=True)  # There is nothing to go on with.
            raise
    again = (*tables.SUFFIXES, *ARCHIVES) if links_work(_note(what)) else ("",)
    skipped = hugging_face_data.download(offer, load, loading, again, bytes_below(files))
    left_out = [(name, "Code is not loaded.") for name in skipped]
    make_folder(files)
    if not tables.has_tables(load) or tables.lie_as_files(load):
        given = lay_out(load, files, lambda path: True, copying)
        return left_out + unpack_below(files, given, unpacking), 0, []
    found, more, notes = tables.write_out(
        load, files, lambda done, total: progress("Writing the images", done, total, IMAGES)
    )
    lay_out(load, files, lambda path: path.stem.upper() in ("README", "LICENSE", "LICENCE", "COPYING"), copying)
    return left_out + found, more, notes


def _unpack(archive: Path, files: Path, report: Report) -> LeftOut:
    """Unpacks an archive and those in it."""
    given: set[Path] = set()
    left_out = unpack(archive, files, report, given)
    return left_out + unpack_below(files, given, report)


def _note(what: Wanted) -> Path:
    """The file that tells of which source and version the unfinished files are."""
    return what.half / "source.json"


def _begin(what: Wanted, source: str) -> None:
    """Prepares the folder of what is not finished; what is there of another source or version is laid out anew."""
    before = None
    with suppress(OSError, ValueError):
        before = read_json(_note(what)).get("source")
    if before != source:
        shutil.rmtree(what.files, ignore_errors=True)
        if before is None or str(before).split("@")[0] != source.split("@")[0]:
            shutil.rmtree(what.half / "load", ignore_errors=True)
    make_folder(what.half)
    write_json(_note(what), {"source": source})


def _recorded(
    offer: Offer, files: Path, left_out: LeftOut, notes: list[str], progress: Progress, more: int = 0
) -> Fetched:
    """Writes down what was fetched."""
    found = record.hashes(files, partial(_report, progress, "Checking"))
    if not found:
        raise InputError(f"There is no file in {offer.title}.")
    source = str(replace(offer.source, version="")) if offer.source.owner else ""
    page = offer.source.page if offer.source.owner else ""
    fetched = Fetched(source, offer.source.version, offer.title, offer.licence, page, record.now(), found,
                      tuple(left_out), tuple(notes), more)  # fmt: skip
    record.write(files, fetched)
    return fetched


def _put_in_place(what: Wanted) -> None:
    if hasattr(os, "sync"):
        os.sync()  # One for all files, before their folder says that they are there.
    what.files.rename(what.folder)
    shutil.rmtree(what.half, ignore_errors=True)


def _registered(folder: Path) -> Path:
    from dfcore.datasets import registry

    return registry.register(folder)


def _report(progress: Progress, phase: str, done: int, total: int) -> None:
    progress(phase, done, total, BYTES)


@contextmanager
def _alone(what: Wanted) -> Iterator[None]:
    """Holds the lock of a data set's folder."""
    with _explained(what.half):
        make_folder(what.half.parent)
    held = lock(what.half.with_name(f"{what.folder.name}.lock"))
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"{what.folder.name} is being fetched by another process. Wait for it, or stop it.") from None
    try:
        yield
    finally:
        release(held, remove=not what.half.exists())


@contextmanager
def _explained(folder: Path) -> Iterator[Any]:
    """Tells in words that the disk is full, or a folder cannot be written."""
    try:
        yield
    except StorageError as error:
        if isinstance(error.__cause__, OSError) and is_full(error.__cause__):
            raise told_full(folder) from error
        raise
    except OSError as error:
        if is_full(error):
            raise told_full(folder) from error
        raise StorageError(f"{folder} cannot be written: {explained(error, folder)}.") from error
