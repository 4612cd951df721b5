"""What is known of each film while its data set is made, a file each, written once all its pictures are there."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dfcore.datasets.films import FilmRow
from dfcore.films.dataset.frames_of import Picture, Taken
from dfcore.labels import NAMES
from dfcore.utils.files import read_json, sha256_bytes, write_json

RECORDS = ".films"
_MOST_NAME = 60


@dataclass(frozen=True)
class LeftOutFilm:
    """A film that gave no pictures, or not all, or something else that was left out.

    Attributes:
        film: Path relative to the root.
        reason: Why, in sentences.
        pictures: Number of its pictures that are there nevertheless.
    """

    film: str
    reason: str
    pictures: int = 0


@dataclass(frozen=True)
class FilmRecord:
    """What was taken of a film.

    Attributes:
        film: Path relative to the root.
        stamp: Size in bytes and time of change of its file, by which a change is noticed.
        label: As which it was read.
        taken: Its pictures.
    """

    film: str
    stamp: tuple[int, int]
    label: int
    taken: Taken

    def write(self, made: Path) -> None:
        """Writes it into the data set in the making.

        Raises:
            StorageError: If it cannot be written.
        """
        write_json(_file(made, self.film), asdict(self))


def known(made: Path, film: str) -> FilmRecord | None:
    """The record of a film; None if there is none, or it is damaged."""
    try:
        values: dict[str, Any] = read_json(_file(made, film))
        taken = values["taken"]
        pictures = tuple(Picture(**one) for one in taken["pictures"])
        found = Taken(pictures, str(taken["trouble"]), bool(taken["may_pass"]), tuple(taken["notes"]))
        size, changed = map(int, values["stamp"])
        return FilmRecord(str(values["film"]), (size, changed), int(values["label"]), found)
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def stamp(file: Path) -> tuple[int, int]:
    """Size in bytes and time of change of a film's file.

    Raises:
        OSError: If it cannot be looked at.
    """
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def stamp_of(file: Path) -> tuple[int, int] | None:
    """The same; None if it cannot be looked at."""
    try:
        return stamp(file)
    except OSError:
        return None


def folder_of(film: FilmRow) -> str:
    """Where the pictures of a film lie in the data set: its class, and its name with what makes it unique."""
    stem = re.sub(r"[^\w.-]+", "_", PurePosixPath(film.path).stem, flags=re.ASCII).strip("._")[:_MOST_NAME]
    return f"{NAMES[film.label or 0]}/{stem}-{_key(film.path)}".replace("/-", "/")


def _key(film: str) -> str:
    return sha256_bytes(film.encode())[:10]


def _file(made: Path, film: str) -> Path:
    return made / RECORDS / f"{_key(film)}.json"
