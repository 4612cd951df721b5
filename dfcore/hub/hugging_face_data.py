"""Data sets of the Hugging Face Hub, through huggingface_hub: what the Hub says of a set, and a snapshot of its files.

No code of a repository is run, and none is loaded.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dfcore.errors import DfcoreError
from dfcore.hub.credentials import redacted
from dfcore.hub.hugging_face import explained, quiet, told_from
from dfcore.hub.page_address import endpoint
from dfcore.hub.pieces import Report, Seen, hand_on
from dfcore.hub.sources import Offer, Source
from dfcore.utils.extras import require
from dfcore.utils.files import make_folder
from dfcore.utils.space import bytes_below, is_full, require_room

# Code, and files of Git; as the library matches names, which minds their case.
NOT_LOADED = ("*.[pP][yY]", "*.[iI][pP][yY][nN][bB]", "*.[sS][hH]", ".gitattributes", ".gitignore")
_CACHE = ".cache"
_WORKERS = 4
_LEAST_SILENCE = 30


def describe(source: Source) -> Offer:
    """Asks the Hub about a data set.

    Raises:
        InputError: If there is none, or it may not be loaded with the credentials that were found.
        DfcoreError: If the Hub cannot be reached.
    """
    with _hub(source) as hub, told_from(_api(hub), source, "model"):
        found = _api(hub).dataset_info(
            source.repository, revision=source.version or None, files_metadata=True, timeout=_LEAST_SILENCE
        )
    files = [one for one in found.siblings or () if not _is_skipped(one.rfilename)]
    size = sum(one.size or 0 for one in files)
    card = found.card_data.to_dict() if found.card_data is not None else {}
    there = Source(source.service, source.owner, source.name, str(found.sha or source.version))
    title = str(card.get("pretty_name") or source.name)
    return Offer(there, title, _licence(card), size, len(files), bool(found.gated))


def download(
    offer: Offer, folder: Path, report: Report, written_out: tuple[str, ...] = (), written: int = 0
) -> list[str]:
    """Loads all files of a data set at a commit; files that are there and right are not loaded again.

    Args:
        offer: See `describe`.
        folder: Where to, for nothing else.
        report: Called with (bytes done, bytes in all); may raise to stop.
        written_out: Suffixes of files whose content will be written a second time, which needs room; "" is that of all.
        written: Bytes that an earlier attempt has written so.

    Returns:
        Names of files that were not loaded, because they are code.

    Raises:
        InputError: If it may not be loaded.
        StorageError: If there is no room.
        DfcoreError: If the Hub cannot be reached, or what arrives is damaged.
        OSError: If it cannot be written.
    """
    make_folder(folder)
    source = offer.source
    for rest in folder.rglob("*.incomplete"):  # Of a process that was killed; the library never goes on with them.
        rest.unlink(missing_ok=True)
    with _hub(source) as hub:
        there = {
            one.path: one
            for one in _api(hub).list_repo_tree(
                source.repository, recursive=True, revision=source.version, repo_type="dataset"
            )
            if isinstance(one, hub.hf_api.RepoFile)
        }
        skipped = sorted(name for name in there if _is_skipped(name) and not name.startswith(".git"))
        wanted = {name: one for name, one in there.items() if not _is_skipped(name)}
        _drop_others(folder, set(wanted))
        total = sum(one.size for one in wanted.values())
        missing = max(total - bytes_below(folder), 0)
        # Tables and archives are written out before they are deleted; other files keep their place.
        again = sum(one.size for name, one in wanted.items() if name.lower().endswith(written_out))
        require_room(folder, missing + max(again - written, 0), f"Loading and writing out {source}")
        for attempt in (1, 2):
            _snapshot(hub, source, folder, report, total)
            bad = sorted(
                name for name, one in wanted.items()
                if not _is_as_told(folder / name, one, lambda _: report(total, total))
            )  # fmt: skip
            if not bad:
                break
            if attempt == 2:
                raise DfcoreError(
                    f"{len(bad)} files of {source} are not what the Hub says they are, such as {bad[0]}, although they "
                    "were loaded twice. Try again later."
                )
            for name in bad:
                (folder / name).unlink(missing_ok=True)
    report(total, total)
    return skipped


# === Internals ===


def _is_skipped(name: str) -> bool:
    return any(fnmatchcase(name, one) for one in NOT_LOADED)


def _licence(card: dict[str, Any]) -> str:
    licence = card.get("license_name") or card.get("license") or ""
    return ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence)


def _drop_others(folder: Path, wanted: set[str]) -> None:
    """Deletes files of an earlier attempt that the data set has no more."""
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(f"{_CACHE}/") and name not in wanted:
            path.unlink()


def _is_as_told(path: Path, told: Any, seen: Seen) -> bool:
    """Whether a file is there with the content that the Hub's hashes tell: SHA-256 of a large one, else git's."""
    if not path.is_file():
        return False
    header = b"blob %d\0" % path.stat().st_size
    digest = hashlib.sha256() if told.lfs else hashlib.sha1(header, usedforsecurity=False)
    hand_on(path, digest.update, seen)
    return digest.hexdigest() == (told.lfs.sha256 if told.lfs else told.blob_id)


def _snapshot(hub: Any, source: Source, folder: Path, report: Report, total: int) -> None:
    """Loads what is missing, in threads of the library; this one reports, and stops them where `report` raises."""
    count = _Count()
    failed: list[BaseException] = []

    def load() -> None:
        try:
            hub.snapshot_download(
                source.repository, repo_type="dataset", revision=source.version, local_dir=folder,
                ignore_patterns=list(NOT_LOADED), max_workers=_WORKERS, tqdm_class=_bars(count), endpoint=endpoint(),
            )  # fmt: skip
        except BaseException as error:  # Raised again below, in the thread that asked.
            failed.append(error)

    thread = threading.Thread(target=load, daemon=True, name=f"Loading {source}")
    thread.start()
    try:
        while thread.is_alive():
            report(min(count.done, total), total)
            thread.join(0.2)
    except BaseException:
        count.stopped = True
        thread.join(_LEAST_SILENCE)
        raise
    if failed:
        raise failed[0]


class _Count:
    """Bytes written so far, by all threads, and whether they are to stop."""

    def __init__(self) -> None:
        self.done, self.stopped, self._lock = 0, False, threading.Lock()

    def add(self, number: int) -> None:
        with self._lock:
            self.done = max(self.done + number, 0)
        if self.stopped:
            raise InterruptedError("stopped")


def _bars(count: _Count) -> type:
    """A class of progress bars for the library that draw nothing and count the bytes written."""
    from tqdm.auto import tqdm

    class Bars(tqdm):
        def __init__(self, *args: Any, **options: Any):
            # Of the two bars in bytes the other one counts what comes over the network, compressed or not.
            self._counts = options.get("unit") == "B" and "ownloading" not in str(options.get("desc"))
            options.pop("name", None)
            super().__init__(*args, **(options | {"disable": True}))

        def update(self, n: float | None = 1) -> None:
            if self._counts and n:
                count.add(int(n))

    return Bars


def _api(hub: Any) -> Any:
    return hub.HfApi(endpoint=endpoint())


@contextmanager
def _hub(source: Source) -> Iterator[Any]:
    """The library, with its errors in the words of the workbench."""
    require("huggingface_hub", "hub", "Loading a data set from the Hugging Face Hub")
    quiet()
    import huggingface_hub as hub
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # Its warnings quote signed addresses.
    try:
        with explained(source):
            yield hub
    except OSError as error:
        if is_full(error) or error.errno is not None:
            raise
        # The library raises bare ones for sizes and hashes that do not match.
        raise DfcoreError(
            f"{source.repository} could not be loaded ({redacted(error)[:200]}). Try again; what is complete is kept."
        ) from None
