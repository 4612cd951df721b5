"""Reads a folder of films as data sets of images are read: the same labels, splits, groups and doubts.

What keeps films together are the films that they were made of, and the persons in them as far as names tell.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from dfcore import workspace
from dfcore.datasets import grouping, kinds, noun
from dfcore.datasets.dataset import FolderReading, LeftOut
from dfcore.datasets.kinds import Kind
from dfcore.datasets.layouts import TEST, TRAIN, UNLABELLED, VALIDATION, Place
from dfcore.datasets.reading import Reading, reading_notes, recall, turned
from dfcore.datasets.scan_listing import list_files
from dfcore.datasets.understand import understand_folder
from dfcore.datasets.understood import folder_tree
from dfcore.datasets.units import connected
from dfcore.datasets.walk import walk
from dfcore.errors import LayoutError
from dfcore.labels import NAMES
from dfcore.utils.texts import counted

# Names of persons: of Celeb-DF, and of the actors of DeepFakeDetection.
_PERSONS = (re.compile(r"(id\d+)(?:_(id\d+))?_\d{4}"), re.compile(r"(\d{2})(?:_(\d{2}))?__[a-z_]+(?:__[A-Z0-9]+)?"))
# A group that holds more than this share of a class leaves nothing to draw.
_MOST_SHARE = 0.8


@dataclass(frozen=True)
class FilmRow:
    """A film of a data set.

    Attributes:
        path: Relative to the root.
        label: 0 real, 1 fake; None if nothing tells.
        split: "train", "validation", "test", or None if it is to be drawn.
        group: How it was made, or where it comes from: the method of FaceForensics++; None if nothing tells.
        source: What keeps films together that must not be parted.
        reason: Why it cannot be used, or None.
    """

    path: str
    label: int | None
    split: str | None
    group: str | None
    source: str
    reason: str | None


@dataclass(frozen=True)
class FilmSet:
    """What was understood of a folder of films.

    Attributes:
        root: The folder.
        layout: Its layout in words.
        films: One for each film, and for each row of a table that names none.
        notes, doubts: Things that a person should know, and should look at before use.
        left_out: What lies there and is no film.
        tree: What was understood, folder by folder; its images are films.
        reading: What a user has said of it.
    """

    root: Path
    layout: str
    films: tuple[FilmRow, ...]
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    tree: tuple[FolderReading, ...]
    reading: Reading

    @property
    def usable(self) -> list[FilmRow]:
        """The films that pictures can be taken from."""
        return [film for film in self.films if film.reason is None]


def holds_only_films(root: str | Path) -> bool:
    """Whether a folder holds films, and no image."""
    root = Path(root).expanduser()
    if not root.is_dir() or not workspace.readable(root):
        return False
    found = False
    for path in walk(root.resolve()):
        try:
            kind = kinds.of_file(path)
        except OSError:
            continue
        if kind is Kind.PICTURE:
            return False
        found = found or kind is Kind.VIDEO
    return found


def read_films(root: str | Path, *, reading: Reading | None = None) -> FilmSet:
    """Reads the layout or the tables of a folder of films; no film is opened.

    Args:
        root: A folder.
        reading: What a user says of how to read it; by default what is remembered for this root.

    Raises:
        AccessError: When it lies outside of the folders that may be read.
        LayoutError: When there is no such folder, no film in it, no folder or table tells a class, or what they tell
            contradicts itself.
    """
    root = Path(root).expanduser()
    workspace.require_readable(root)
    if not root.is_dir():
        raise LayoutError(
            f"Expected a folder of films. Received: {root}, {'a file' if root.exists() else 'not there'}."
        )
    root = root.resolve()
    reading = recall(root) if reading is None else reading
    with noun.films():
        understood = understand_folder(root, list_files(root, of_films=True), reading)
        found, told = grouping.sources(understood.paths, reading.groups, of_films=True)
    places = [turned(place, reading) for place in understood.places]
    own = [place.source or source for place, source in zip(places, found, strict=True)]
    sources, doubts = _kept_together(understood.paths, places, own, by_persons=not reading.groups)
    films = tuple(
        FilmRow(path, place.label, None if place.split == UNLABELLED else place.split, place.group, source,
                _reason(root, path, place, reason))
        for path, place, source, reason in zip(understood.paths, places, sources, understood.reasons, strict=True)
    )  # fmt: skip
    notes = [*understood.notes, *reading_notes(reading), *told, *_parted(films)]
    # Masks of films are known not to be films to judge.
    left_out = tuple(
        replace(one, missed=one.missed and not one.reason.startswith("Masks"))
        for one in understood.left_out
        if one.path not in understood.tables
    )
    tree = folder_tree(understood.paths, places)
    return FilmSet(root, understood.layout, films, tuple(notes), (*understood.doubts, *doubts), left_out, tree, reading)


def _reason(root: Path, path: str, place: Place, reason: str | None) -> str | None:
    if reason:
        return reason
    if not workspace.readable(root / path):
        return "It lies, or links to a file, outside of the folders that may be read here."
    if not (root / path).is_file():
        return "There is no such file."
    if place.label is None:
        return "Nothing tells whether it is real or fake: no folder on its path names a class, and no row of a table."
    return None


def _persons(path: str) -> list[str]:
    stem = PurePosixPath(path).stem
    matches = (form.fullmatch(stem) for form in _PERSONS)
    return [name for match in matches if match for name in match.groups() if name]


def _kept_together(
    paths: Sequence[str], places: Sequence[Place], sources: Sequence[str | None], *, by_persons: bool
) -> tuple[list[str], list[str]]:
    """Names what keeps each film together with others, and tells where persons cannot be kept apart."""
    by_film = [source or path for source, path in zip(sources, paths, strict=True)]
    persons = [_persons(path) if by_persons else [] for path in paths]
    if not any(persons):
        return by_film, []
    names = sorted({*by_film, *(name for some in persons for name in some)})
    number = {name: i for i, name in enumerate(names)}
    links = [(number[film], number[name]) for film, some in zip(by_film, persons, strict=True) for name in some]
    ends = np.array(links)
    component = connected(ends[:, 0], ends[:, 1], len(names))
    first: dict[int, str] = {}
    for person in sorted({name for some in persons for name in some}):
        first.setdefault(int(component[number[person]]), f"person {person}")
    together = [first.get(int(component[number[film]]), film) for film in by_film]
    if _can_be_drawn(together, places) or not _can_be_drawn(by_film, places):
        return together, []
    doubt = (
        "The persons of nearly all its films hang together, one being put into films of the next: no split can be "
        "drawn that parts none of them. Films are kept together with the film that they were made of instead, so a "
        "person may be in training and in test, and figures are better than they would be on strangers."
    )
    return by_film, [doubt]


def _can_be_drawn(sources: Sequence[str], places: Sequence[Place]) -> bool:
    """Whether the splits that are missing can be drawn without parting a source."""
    given = {place.split for place in places} - {None, UNLABELLED}
    if given >= {TRAIN, VALIDATION}:
        return True
    wanted = 2 if given & {TRAIN, TEST} else 3
    for label in range(len(NAMES)):
        counts = Counter(
            source for source, place in zip(sources, places, strict=True)
            if place.label == label and place.split in (None, TRAIN)
        )  # fmt: skip
        if counts and (len(counts) < wanted or max(counts.values()) > _MOST_SHARE * counts.total()):
            return False
    return True


def _parted(films: Sequence[FilmRow]) -> list[str]:
    """Tells of sources that the splits of the data set part."""
    splits: dict[str, set[str]] = defaultdict(set)
    for film in films:
        if film.split and film.reason is None:
            splits[film.source].add(film.split)
    parted = sorted(source for source, some in splits.items() if len(some) > 1)
    if not parted:
        return []
    groups = counted(len(parted), "group of films that belong together is", "groups of films that belong together are")
    return [
        f"{groups} parted by the splits of the data set, such as that of {parted[0]}. The splits are kept as they are: "
        "results on them are too good."
    ]
