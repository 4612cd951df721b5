"""Pictures of films that are only measured: they lie in the cache, which is bounded in size and age.

What is deleted is made again when it is needed; what somebody uses is not deleted.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from dfcore import workspace
from dfcore.datasets.films import FilmSet
from dfcore.datasets.pixel_store import limit_bytes
from dfcore.errors import StorageError
from dfcore.films.dataset.frames_of import FrameSettings
from dfcore.films.dataset.record import stamp_of
from dfcore.utils import in_use
from dfcore.utils.environment import amount
from dfcore.utils.files import explained, sha256_bytes
from dfcore.utils.space import bytes_below

DAYS = "DFCORE_CACHE_DAYS"
_DEFAULT_DAYS = 30.0
# The folder of films may be called as anything, the marks of use too.
_FOLDER, _INSIDE, _DAY = "frames", "films", 86_400


@dataclass(frozen=True)
class CachedFilms:
    """The pictures of one folder of films.

    Attributes:
        name: Of their folder in the cache.
        bytes: On the disk.
        last_use: When they were last measured, seconds since 1970.
    """

    name: str
    bytes: int
    last_use: float


@contextmanager
def place(films: FilmSet, settings: FrameSettings) -> Iterator[Path]:
    """Where the pictures lie, or will; they are in use meanwhile. Room is made before and after.

    Args:
        films: From `dfcore.datasets.films.read_films`; others, or films that have changed, have another folder.
        settings: Which pictures.

    Raises:
        InputError: If `DFCORE_CACHE_GB` or `DFCORE_CACHE_DAYS` is no such number.
        StorageError: If the folder cannot be made.
    """
    cache = workspace.cache_dir().absolute()
    known = [(film, films.reading.confirmed, stamp_of(films.root / film.path)) for film in films.usable]
    key = sha256_bytes(repr((str(films.root), settings, known)).encode())[:16]
    folder = cache / _FOLDER / key
    make_room(cache)
    try:
        use = in_use.begin(folder)
    except OSError as error:
        raise StorageError(f"The cache folder {folder} cannot be made: {explained(error, folder)}.") from error
    with use:
        yield folder / _INSIDE / (films.root.name or "films")
    make_room(cache)


def entries(cache: Path) -> list[CachedFilms]:
    """The pictures of films in a cache, the least recently used first."""
    folders = [path for path in (cache / _FOLDER).glob("*") if path.is_dir()]
    found = [CachedFilms(f"{_FOLDER}/{one.name}", bytes_below(one), in_use.last_use(one, one)) for one in folders]
    return sorted((one for one in found if one.bytes), key=lambda one: one.last_use)


def make_room(cache: Path) -> None:
    """Deletes pictures that nobody uses: old ones, and the least recently used until all others are within the limit.

    Raises:
        InputError: If `DFCORE_CACHE_GB` or `DFCORE_CACHE_DAYS` is no such number.
    """
    held, limit, oldest = entries(cache), limit_bytes(), time.time() - days() * _DAY
    taken = sum(one.bytes for one in held)
    for one in held:
        if (taken > limit or one.last_use < oldest) and _remove(cache / one.name):
            taken -= one.bytes


def clear(cache: Path) -> tuple[list[CachedFilms], list[CachedFilms]]:
    """Deletes all that nobody uses; returns what was deleted and what is in use."""
    removed: list[CachedFilms] = []
    left: list[CachedFilms] = []
    for one in entries(cache):
        (removed if _remove(cache / one.name) else left).append(one)
    return removed, left


def days() -> float:
    """Days from their last use until pictures of films are deleted, `DFCORE_CACHE_DAYS`, 30 by default.

    Raises:
        InputError: If it is no number of days.
    """
    return amount(DAYS, _DEFAULT_DAYS, "days")


def _remove(folder: Path) -> bool:
    """Empties a folder that nobody uses."""
    with in_use.unused(folder) as unused:
        for path in [*folder.iterdir()] if unused else []:
            if path.name in in_use.MARKS:
                continue
            if path.is_dir():  # Moved first: what is deleted in part must not be taken for whole.
                shutil.rmtree(path.rename(folder / f".deleted-{uuid4().hex}"), ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    return unused
