"""What a folder's own names tell of its images: label, split and group, for every known layout.

The names are judged one path at a time. Letter case and punctuation do not matter, and folders that
wrap the whole data set are passed over, however many there are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from dfcore.labels import FAKE, REAL

TRAIN, VALIDATION, TEST, UNLABELLED = "train", "validation", "test", "unlabelled"
SPLITS = (TRAIN, VALIDATION, TEST)

KNOWN_LAYOUTS = (
    "{train,valid,test}/{real,fake}/…",
    "{real,fake}/… (also real_data/fake_data, training_real/training_fake, 0_real/1_fake, original/manipulated, ai)",
    "real_cifake_images/ and fake_cifake_images/ with *_cifake_preds.json and an unlabelled test/",
    "<generator>/{0_real,1_fake}/…",
    "manifest.csv or manifest.parquet with the columns path, label and, if wanted, split and group",
)

_CLASS_NAMES = {
    REAL: """real reals real_data real_images real_image real_faces training_real validation_real test_real
        0_real real_0 original originals original_sequences authentic genuine pristine nature natural photo photos
        real_cifake_images""",
    FAKE: """fake fakes fake_data fake_images fake_image fake_faces training_fake validation_fake test_fake
        1_fake fake_1 manipulated manipulated_sequences ai ai_generated generated synthetic synthesized deepfake
        deepfakes gan fake_cifake_images""",
}
_SPLIT_NAMES = {
    TRAIN: "train training",
    VALIDATION: "val valid validation dev",
    TEST: "test testing",
}
_UNLABELLED_NAMES = {"test", "testing", "unlabelled", "unlabeled"}


def _lookup(table: dict) -> dict:
    return {name: value for value, names in table.items() for name in names.split()}


_CLASSES: dict[str, int] = _lookup(_CLASS_NAMES)
_SPLITS: dict[str, str] = _lookup(_SPLIT_NAMES)
# A class folder whose name also tells the split.
_CLASS_SPLITS = {"training": TRAIN, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Place:
    """Where one file stands in a layout.

    Attributes:
        label: 0 real, 1 fake, or None when no folder tells.
        split: "train", "validation", "test", "unlabelled", or None when no folder tells.
        group: generator or source, or None.
    """

    label: int | None = None
    split: str | None = None
    group: str | None = None


def parse_label(value: object) -> int | None:
    """Reads a label from a manifest or a folder name: 0, 1, "real", "fake" or a known synonym."""
    try:
        text = _normal(str(value))
    except Exception:  # Dates out of range and the like, in tables of others.
        return None
    if text in {"0", "0_0"}:
        return REAL
    if text in {"1", "1_0"}:
        return FAKE
    return _CLASSES.get(text)


def parse_split(value: object) -> str | None:
    """Reads the name of a split: "train", "val", "valid", "validation", "test" and the like."""
    return _SPLITS.get(_normal(str(value)))


def place_all(paths: Iterable[str]) -> list[Place]:
    """Places files by their paths relative to the data set's root (POSIX separators)."""
    split_paths = [PurePosixPath(path).parent.parts for path in paths]
    wrapper = _wrapper_length(split_paths)
    places = [_place(parts[wrapper:]) for parts in split_paths]
    return _without_lone_group(places)


def layout_name(paths: Iterable[str], places: list[Place]) -> str:
    """Says in words which layout the places add up to."""
    if any("cifake_images" in path.lower() for path in paths):
        return "competition (real_cifake_images, fake_cifake_images)"
    labelled = [place for place in places if place.label is not None]
    split = "split into folders" if any(place.split in SPLITS for place in labelled) else "not yet split"
    return f"class folders, {split}" + (", grouped" if any(place.group for place in labelled) else "")


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _wrapper_length(paths: list[tuple[str, ...]]) -> int:
    """Counts the leading folders shared by all files that say nothing of class or split."""
    length = 0
    while paths and all(len(parts) > length for parts in paths):
        names = {parts[length] for parts in paths}
        name = _normal(next(iter(names)))
        if len(names) > 1 or name in _CLASSES or name in _SPLITS:
            break
        length += 1
    return length


def _place(folders: tuple[str, ...]) -> Place:
    names = [_normal(folder) for folder in folders]
    at = _class_at(names)
    split = next((_SPLITS[name] for name in names if name in _SPLITS), None)
    if at is None:
        unlabelled = any(name in _UNLABELLED_NAMES for name in names)
        return Place(split=UNLABELLED if unlabelled else None)
    split = split or _CLASS_SPLITS.get(names[at].split("_")[0])
    around = [folders[i] for i in range(len(names)) if i != at and names[i] not in _SPLITS]
    return Place(label=_CLASSES[names[at]], split=split, group="/".join(around) or None)


def _class_at(names: list[str]) -> int | None:
    """Which folder tells the class, where several could.

    One that says real or fake counts before one that may be a subject or a generator ("nature", "gan",
    "Deepfakes"); among equals the outer one counts.
    """
    result = [i for i, name in enumerate(names) if name in _CLASSES]
    plain = [i for i in result if "real" in names[i].split("_") or "fake" in names[i].split("_")]
    return next(iter(plain or result), None)


def _without_lone_group(places: list[Place]) -> list[Place]:
    """Drops a group that all files share: it is one more wrapping folder."""
    groups = {place.group for place in places if place.label is not None}
    if len(groups) > 1:
        return places
    return [Place(place.label, place.split) for place in places]
