"""Pictures of films that are only measured: they lie in the cache, and may be deleted at any time."""

import shutil
from pathlib import Path

from dfcore import workspace
from dfcore.datasets.films import FilmSet
from dfcore.films.dataset.frames_of import FrameSettings
from dfcore.films.dataset.record import stamp_of
from dfcore.utils.files import sha256_bytes
from dfcore.utils.space import bytes_below

_FOLDER = "frames"


def place(films: FilmSet, settings: FrameSettings) -> Path:
    """Where the pictures lie, or will: other films, or films that have changed, have another folder.

    Args:
        films: From `dfcore.datasets.films.read_films`.
        settings: Which pictures.
    """
    known = [(film, films.reading.confirmed, stamp_of(films.root / film.path)) for film in films.usable]
    key = sha256_bytes(repr((str(films.root), settings, known)).encode())[:16]
    return workspace.cache_dir().absolute() / _FOLDER / key / (films.root.name or "films")


def cached_bytes(cache: Path) -> int:
    """Bytes that pictures of films take in a cache."""
    return bytes_below(cache / _FOLDER)


def clear(cache: Path) -> None:
    """Deletes the pictures of films in a cache; they are made again when they are needed."""
    shutil.rmtree(cache / _FOLDER, ignore_errors=True)
