"""Pulls detectors from the Hugging Face Hub: pinned to a commit and to hashes, and checked as any stranger's bundle.

What is at an address is looked at first: the commit that its revision means, and names, sizes and hashes of the files.
Only files of a bundle are loaded, each at that commit and no larger than a bundle's may be. They arrive in a hidden
folder beside the detectors, where an interrupted pull finds them again. When all have the hashes that were told, the
bundle is loaded and run in an isolated process, as `dfcore.exchange.import_export` does with every bundle from
elsewhere, and becomes a detector with a record of where it came from.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from dfcore.detectors.bundle import CARD, MODEL, now
from dfcore.detectors.library import free_place
from dfcore.errors import BundleError, BusyError, DfcoreError, InputError
from dfcore.exchange.import_export import MOST_FILES, admit, most_bytes
from dfcore.hub import hugging_face, pinned
from dfcore.hub.addresses import Address, is_commit
from dfcore.hub.download import Hashes, Report, download, hashes
from dfcore.hub.page_address import endpoint
from dfcore.hub.pinned import PinnedFile, Pulled
from dfcore.utils.files import lock, make_folder, read_json, release, write_json
from dfcore.utils.space import require_room
from dfcore.utils.texts import printable, volume
from dfcore.utils.unfinished import sweep_unfinished

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoSibling

Step = Callable[[str], Report]
_PIN = "pin.json"


@dataclass(frozen=True)
class Listed:
    """A file as the Hub tells of it.

    Attributes:
        size: Bytes.
        sha256: Hash of its content, told of large files; "" of others.
        git: Hash by which git names it; "" of large files.
    """

    size: int
    sha256: str
    git: str

    def is_of(self, found: Hashes) -> bool:
        """Whether these are the hashes of this file."""
        return found.sha256 == self.sha256 if self.sha256 else found.git == self.git


@dataclass(frozen=True)
class Offer:
    """What is at an address; all of it is a stranger's word until it was pulled.

    Attributes:
        address: The address that was asked for.
        commit: The commit that its revision means now.
        files: Files of the bundle, by name.
        others: Names of other files there, which are not loaded.
        licence: As its owner states it; "" if not stated.
        private: Whether only its owner sees it.
    """

    address: Address
    commit: str
    files: dict[str, Listed]
    others: tuple[str, ...]
    licence: str
    private: bool

    @property
    def size(self) -> int:
        """Bytes to load."""
        return sum(file.size for file in self.files.values())


def look(address: Address) -> Offer:
    """Asks the Hub what is at an address; loads nothing.

    Raises:
        InputError: If there is no such repository or revision, or it holds no detector of this workbench.
        AccessError: If the token is missing, wrong, or may not read it.
        DfcoreError: If the Hub cannot be reached.
    """
    api = hugging_face.client()
    with hugging_face.explained(address), hugging_face.told_from(api, address, "dataset"):
        info = api.model_info(address.repository, revision=address.revision or None, files_metadata=True, timeout=30)
    commit = info.sha or ""
    if not is_commit(commit) or (address.is_pinned and commit != address.revision):
        raise DfcoreError(
            f"The Hugging Face Hub answered with another commit than {address} names: {printable(commit)[:40]!r}."
        )
    siblings = {one.rfilename: one for one in info.siblings or ()}
    files = {name: _listed(one) for name, one in siblings.items() if most_bytes(name)}
    others = tuple(sorted(name for name in siblings if name not in files))
    _require_bundle(address, files, others)
    card = info.card_data.to_dict() if info.card_data else {}
    named = f" ({card['license_name']})" if card.get("license_name") else ""
    licence = printable(f"{card.get('license') or ''}{named}")[:100]
    return Offer(address, commit, files, others, licence, bool(info.private))


def _listed(one: "RepoSibling") -> Listed:
    large = one.lfs.sha256 if one.lfs else ""
    return Listed(int(one.size or 0), large, "" if large else one.blob_id or "")


def _require_bundle(address: Address, files: dict[str, Listed], others: tuple[str, ...]) -> None:
    """Checks that names and sizes are those of a bundle."""
    if missing := [name for name in (CARD, MODEL) if name not in files]:
        there = ", ".join([*files, *others][:8]) or "nothing"
        raise InputError(
            f"{address} is no detector of this workbench: it has no {' and no '.join(missing)}. It has: "
            f"{printable(there)[:300]}. A Keras model made elsewhere is taken in by dfcore adopt."
        )
    if len(files) > MOST_FILES:
        raise InputError(f"Expected at most {MOST_FILES} files of a detector. {address} has {len(files)}.")
    for name, file in files.items():
        if not 0 < file.size <= most_bytes(name):
            raise InputError(
                f"{name} of {address} has {volume(file.size)} and was refused. Expected 1 byte to "
                f"{volume(most_bytes(name))}."
            )
        if not (re.fullmatch(r"[0-9a-f]{64}", file.sha256) or re.fullmatch(r"[0-9a-f]{40}", file.git)):
            raise DfcoreError(f"The Hugging Face Hub told no hash of {name} of {address}, so it was not loaded.")


def pull(offer: Offer, folder: Path, name: str, *, digest: str = "", step: Step | None = None) -> Path:
    """Loads a detector and takes it into a folder of detectors.

    Args:
        offer: What to load, from `look`.
        folder: Folder of detectors.
        name: Name of the new detector.
        digest: If given, the digest that its files must have, see `dfcore.hub.pinned`.
        step: Begins a step of the work and returns what gets its progress, of loading in kilobytes; whatever that
            raises ends the pull, and another one goes on where it was.

    Returns:
        The folder of the detector; if this very commit is there already under this name, unchanged, nothing is loaded.

    Raises:
        BundleError: If a file is not what it was said to be, the bundle was refused, or the name is taken.
        AccessError: If the token may not read it.
        StorageError: If the disk is full.
        BusyError: If another process is pulling the same.
    """
    if (there := require_free(offer, folder, name)) is not None:
        _require_digest(digest, there.digest, offer)
        return folder / name
    make_folder(folder)
    aside = folder / f".pull-{offer.address.owner}--{offer.address.name}-{offer.commit}"
    sweep_unfinished(folder, spare=aside.name)
    step = step or (lambda _: lambda done, total: None)
    held = lock(folder / f"{aside.name}.lock")
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"Another process is pulling {offer.address} into {folder}.") from None
    try:
        make_folder(aside)
        record = _load(offer, aside, step(f"Loading {offer.address}, kB"))
        with _thrown_away(aside):
            _require_digest(digest, record.digest, offer)
        step("Checking it in a separate process")(0, 0)
        return _admitted(offer, aside, folder, name, record)
    finally:
        release(held, remove=not aside.exists())


def require_free(offer: Offer, folder: Path, name: str) -> Pulled | None:
    """Checks that a name is free, or that of this very detector, unchanged; returns the record of the latter.

    Raises:
        BundleError: If the name is invalid, or that of another detector.
    """
    if (there := _there(offer, folder / name)) is None:
        free_place(folder, name)
    return there


def _there(offer: Offer, place: Path) -> Pulled | None:
    """The record of a detector that is this very one, unchanged; None if it is not there."""
    record = pinned.read(place) if place.is_dir() else None
    same = record is not None and (record.source, record.commit) == (str(offer.address.at("")), offer.commit)
    if record is None or not same:
        return None
    if differing := pinned.changed(place, record):
        raise BundleError(
            f"{place.name} was pulled from {offer.address} and changed since: {', '.join(differing)}. Delete or rename "
            "it, or choose another name."
        )
    return record


def _require_digest(expected: str, found: str, offer: Offer) -> None:
    if expected and expected.strip().lower() != found:
        raise BundleError(
            f"{offer.address} at commit {offer.commit[:12]} is not the detector that was meant. Expected the digest "
            f"{expected[:64]}. Received: {found}."
        )


def _load(offer: Offer, aside: Path, report: Report) -> Pulled:
    """Loads what is missing of the files, and compares all with their hashes."""
    _require_pin(offer, aside)
    before = sum(_length(aside / name) for name in offer.files)
    # As much again for the copy that is checked, and its network for OpenVINO.
    require_room(aside, max(3 * offer.size - before, 0), f"{offer.address}", "DFCORE_MODELS")
    api, done, files = hugging_face.client(), 0, {}
    for name, file in sorted(offer.files.items(), key=lambda item: item[1].size):
        _fetch(api, offer, name, aside / name, _from(done, offer.size, report))
        done += file.size
        found = hashes(aside / name)
        if not file.is_of(found):
            (aside / name).unlink()
            raise BundleError(
                f"{name} of {offer.address} is not the file that commit {offer.commit[:12]} names, and was refused: "
                "its hash differs. It changed after it was pinned, or on its way; what else was loaded is kept."
            )
        files[name] = PinnedFile(size=file.size, sha256=found.sha256)
    address = offer.address
    return Pulled(
        source=str(address.at("")), revision=address.revision, commit=offer.commit, at=now(), licence=offer.licence,
        files=files,
    )  # fmt: skip


def _from(done: int, total: int, report: Report) -> Report:
    """Progress of one file in bytes as that of all in kilobytes."""
    return lambda there, _: report((done + there) // 1000, total // 1000)


def _fetch(api: "HfApi", offer: Offer, name: str, target: Path, report: Report) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(offer.address.repository, name, revision=offer.commit, endpoint=endpoint())
    headers = build_hf_headers(token=api.token, library_name=api.library_name, library_version=api.library_version)
    with hugging_face.explained(offer.address.at(offer.commit)):
        download(url, target, size=offer.files[name].size, headers=headers, report=report)


def _require_pin(offer: Offer, aside: Path) -> None:
    """Remembers what the Hub told of the files, or compares that with what it told when this pull began."""
    told: dict[str, Any] = {name: [file.size, file.sha256, file.git] for name, file in sorted(offer.files.items())}
    with suppress(OSError, ValueError):
        if (before := read_json(aside / _PIN)) != told:
            differing = [name for name in sorted({*before, *told}) if before.get(name) != told.get(name)]
            shutil.rmtree(aside, ignore_errors=True)
            raise BundleError(
                f"What the Hub tells of commit {offer.commit[:12]} of {offer.address.at('')} has changed since this "
                f"pull began ({', '.join(differing)}), which a commit cannot do. What was loaded was thrown away."
            )
        return
    write_json(aside / _PIN, told)


def _admitted(offer: Offer, aside: Path, folder: Path, name: str, record: Pulled) -> Path:
    def fill(made: Path) -> None:
        for each in offer.files:
            shutil.copyfile(aside / each, made / each)

    with _thrown_away(aside):
        result = admit(fill, folder, name, finish=lambda made: pinned.write(made, record))
    shutil.rmtree(aside, ignore_errors=True)
    return result


@contextmanager
def _thrown_away(aside: Path) -> Iterator[None]:
    """Deletes what was loaded if it is refused: to go on with it would not help."""
    try:
        yield
    except BundleError:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
