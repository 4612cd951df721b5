"""What the folders of a data set tell of its images: label, split and group.

Which folders name a class is decided in `folder_classes`, which name a split in `folder_splits`; what is left of the
path is the group: a generator, a source, a subject.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from dfcore.datasets import noun
from dfcore.datasets.folder_classes import FolderClasses, GivenClasses
from dfcore.datasets.folder_splits import Tree, read_splits, some
from dfcore.datasets.words import (
    TEST,
    TRAIN,
    VALIDATION,
    looks_like_split,
    parse_label,
    parse_split,
    read_name,
    tells_nothing,
)

UNLABELLED = "unlabelled"
SPLITS = (TRAIN, VALIDATION, TEST)

KNOWN_LAYOUTS = (
    "{train,valid,test}/{real,fake}/… (also training_set, val, dev, eval, holdout; real_train, fake_test)",
    "{real,fake}/… (also real_data/fake_data, training_real/training_fake, 0_real/1_fake, original/manipulated, ai)",
    "real_cifake_images/ and fake_cifake_images/ with *_cifake_preds.json and an unlabelled test/",
    "<generator>/{0_real,1_fake}/…, <generator>/{train,val}/{nature,ai}/…, real/ beside folders of known generators",
    "original_sequences/…, manipulated_sequences/…; Celeb-real, YouTube-real, Celeb-synthesis",
    "a table (.csv, .tsv, .jsonl, .json, .parquet) with columns for path and label and, if wanted, split and group",
)
_UNLABELLED_NAMES = {"unlabelled", "unlabeled"}

__all__ = ["KNOWN_LAYOUTS", "SPLITS", "TEST", "TRAIN", "UNLABELLED", "VALIDATION", "Layout", "Place", "place_all",
           "layout_name", "parse_label", "parse_split"]  # fmt: skip
Parts = tuple[str, ...]
Splits = Mapping[Parts, tuple[str | None, set[int]]]


@dataclass(frozen=True)
class Place:
    """Where one file stands in a data set.

    Attributes:
        label: 0 real, 1 fake, or None when nothing tells.
        split: "train", "validation", "test", "unlabelled", or None when nothing tells.
        group: generator or source, or None.
        source: what it was taken from, where a table tells, or None.
        film: the film that it is a frame of, where a table tells, or None.
        depth: how many folders of its path tell any of these.
    """

    label: int | None = None
    split: str | None = None
    group: str | None = None
    source: str | None = None
    film: str | None = None
    depth: int = 0


@dataclass(frozen=True)
class Layout:
    """What the folders tell of all files.

    Attributes:
        places: one for each file.
        splits: the split that each file's folders name, labelled or not.
        doubts: what a person should look at, one sentence each.
    """

    places: list[Place]
    splits: list[str | None]
    doubts: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether the folders name both classes."""
        return len({place.label for place in self.places} - {None}) == 2


def place_all(paths: Iterable[str], class_folders: Mapping[str, str] | None = None) -> Layout:
    """Places files by their paths relative to the data set's root (POSIX separators).

    Args:
        paths: Paths of files.
        class_folders: Class of each folder, "real" or "fake", by its name or path; may hold wildcards. If given, no
            other folder names a class.

    Raises:
        LayoutError: If levels of folders contradict each other; the text shows both readings.
    """
    folders = [PurePosixPath(path).parent.parts for path in paths]
    tree = Tree(Counter(folders))
    classes = GivenClasses(tree, class_folders) if class_folders else FolderClasses(tree)
    splits, doubts = read_splits(tree, lambda parts: classes.name_at(parts).label is not None)
    placed = {parts: _place(parts, tree, classes, splits) for parts in tree.images}
    placed = _without_lone_group(placed)
    doubts = (
        classes.doubts({parts: place.label for parts, place in placed.items()}) + doubts + _likely_splits(tree, placed)
    )
    return Layout([placed[parts] for parts in folders], [splits[parts][0] for parts in folders], doubts)


def layout_name(paths: Iterable[str], places: list[Place]) -> str:
    """Says in words which layout the places add up to."""
    if any("cifake_images" in path.lower() for path in paths):
        return "competition (real_cifake_images, fake_cifake_images)"
    labelled = [place for place in places if place.label is not None]
    split = "split into folders" if any(place.split in SPLITS for place in labelled) else "not yet split"
    return f"class folders, {split}" + (", grouped" if any(place.group for place in labelled) else "")


def _place(
    parts: Parts, tree: Tree, classes: FolderClasses, splits: Mapping[Parts, tuple[str | None, set[int]]]
) -> Place:
    at = classes.deciding(parts)
    split, split_at = splits[parts]
    if not at:
        names = {part.lower() for part in parts}
        unlabelled = split == TEST or bool(names & _UNLABELLED_NAMES)
        return Place(split=UNLABELLED if unlabelled else None, depth=len(parts))
    around: list[str] = []
    depth = max((*at, *split_at)) + 1
    for i, part in enumerate(parts):
        name = classes.name_at(parts[: i + 1])
        text = name.rest if i in at or i in split_at else part
        if text in ("", *around) or i in tree.shared or (tells_nothing(part) and not looks_like_split(part)):
            continue
        if around and len(tree.children[parts[:i]]) == 1 and i not in at:
            continue  # A folder that wraps its parent's only content.
        around.append(text)
        depth = max(depth, i + 1)
    return Place(classes.label(parts), split, "/".join(around) or None, depth=depth)


def _likely_splits(tree: Tree, placed: Mapping[Parts, Place]) -> list[str]:
    found = sorted({
        part for parts, place in placed.items() if place.split is None and place.label is not None
        for part in parts if looks_like_split(part) and read_name(part).split is None
    })  # fmt: skip
    if not found:
        return []
    return [
        f"{some(found)}: these look like parts of a split but do not say which; they are taken for groups, and the "
        f"{noun.many()} of each are drawn into training, validation and test. Name them train, valid and test if they "
        "are."
    ]


def _without_lone_group(placed: dict[Parts, Place]) -> dict[Parts, Place]:
    """Drops a group that all files share: it is one more wrapping folder."""
    groups = {place.group for place in placed.values() if place.label is not None}
    if len(groups) > 1:
        return placed
    return {parts: replace(place, group=None) for parts, place in placed.items()}
