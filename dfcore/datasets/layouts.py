"""What the folders of a data set tell of its images: label, split and group.

The level decides whose folders name both classes: beside each other, or else the same level elsewhere in the tree
(train/real and test/fake). What lies around that level does not: a wrapping folder `photos` or `deepfake` names no
class, and two levels that contradict each other are refused. Only where no level names both classes does a plain word
count alone. Splits are read likewise, see `folder_splits`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from dfcore.datasets.folder_splits import Tree, read_splits, some
from dfcore.datasets.words import (
    TEST,
    TRAIN,
    VALIDATION,
    Name,
    looks_like_split,
    parse_label,
    parse_split,
    read_name,
    tells_nothing,
)
from dfcore.errors import LayoutError
from dfcore.labels import FAKE, NAMES, REAL

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


@dataclass(frozen=True)
class Place:
    """Where one file stands in a data set.

    Attributes:
        label: 0 real, 1 fake, or None when nothing tells.
        split: "train", "validation", "test", "unlabelled", or None when nothing tells.
        group: generator or source, or None.
        source: what it was taken from, where a table tells, or None.
        depth: how many folders of its path tell any of these.
    """

    label: int | None = None
    split: str | None = None
    group: str | None = None
    source: str | None = None
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
    classes = _GivenClasses(tree, class_folders) if class_folders else _Classes(tree)
    splits, doubts = read_splits(tree, lambda parts: classes.name_at(parts).label is not None)
    placed = {parts: _place(parts, tree, classes, splits) for parts in tree.images}
    placed = _without_lone_group(placed)
    doubts = classes.doubts(placed) + doubts + _likely_splits(tree, placed)
    return Layout([placed[parts] for parts in folders], [splits[parts][0] for parts in folders], doubts)


def layout_name(paths: Iterable[str], places: list[Place]) -> str:
    """Says in words which layout the places add up to."""
    if any("cifake_images" in path.lower() for path in paths):
        return "competition (real_cifake_images, fake_cifake_images)"
    labelled = [place for place in places if place.label is not None]
    split = "split into folders" if any(place.split in SPLITS for place in labelled) else "not yet split"
    return f"class folders, {split}" + (", grouped" if any(place.group for place in labelled) else "")


class _Classes:
    """Which folders of a tree name a class."""

    def __init__(self, tree: Tree):
        self._tree = tree
        self._decided: dict[Parts, list[int]] = {}
        self._sure: set[Parts] = set()  # Folders beside others that name the other class.
        by_depth: dict[int, set[int]] = defaultdict(set)
        for node, children in tree.children.items():
            labels = {self.name_at((*node, child)).label for child in children} - {None}
            by_depth[len(node)] |= {label for label in labels if label is not None}
            if len(labels) == 2:
                self._sure |= {(*node, child) for child in children}
        self._levels = {depth for depth, labels in by_depth.items() if len(labels) == 2}
        self._refuse_contradictions()

    def name_at(self, parts: Parts) -> Name:
        """What the last folder of a path says; a known generator beside `real` is fake."""
        name = read_name(parts[-1])
        if name.generator:
            beside = [read_name(other) for other in self._tree.children[parts[:-1]]]
            if any(other.label == REAL and other.strong for other in beside):
                return replace(name, label=FAKE)
        return name

    def deciding(self, parts: Parts) -> list[int]:
        """Positions on a path of the folders that tell its class, outermost first."""
        if parts not in self._decided:
            self._decided[parts] = self._decide(parts)
        return self._decided[parts]

    def _decide(self, parts: Parts) -> list[int]:
        named = [i for i in range(len(parts)) if self.name_at(parts[: i + 1]).label is not None]
        sure = [i for i in named if parts[: i + 1] in self._sure or i in self._levels]
        if sure:
            return sure
        plain = [i for i in named if not self.name_at(parts[: i + 1]).rest]
        strong = [i for i in plain if self.name_at(parts[: i + 1]).strong]
        return (strong or plain)[:1]

    def label(self, parts: Parts) -> int | None:
        """The class of the files in a folder."""
        at = self.deciding(parts)
        return self.name_at(parts[: at[0] + 1]).label if at else None

    def doubts(self, placed: Mapping[Parts, Place]) -> list[str]:
        """What a person should look at before the labels are used."""
        images, result = self._tree.images, []
        labels = {place.label for place in placed.values()} - {None}
        if len(labels) == 1:
            result.append(f"Every image that has a class is {NAMES[labels.pop() or 0]}: no folder names the other one.")
        compounds: dict[str, int] = {}
        generators, inner = set(), Counter[str]()
        for parts, place in placed.items():
            at = self.deciding(parts)
            for i in range(len(parts)):
                name = self.name_at(parts[: i + 1])
                if i in at and name.generator:
                    generators.add(parts[i])
                elif i in at and name.rest and not name.known:
                    compounds[parts[i]] = name.label or 0
                elif at and i > at[-1] and name.strong and name.label not in (None, place.label):
                    inner["/".join(parts[: i + 1])] += images[parts]
        if generators:
            result.append(f"{some(generators)}: read as fake, since they name generators beside real images.")
        for text, label in sorted(compounds.items()):
            result.append(f"The folder {text} is read as {NAMES[label]}, by one of its words.")
        for text, count in sorted(inner.items()):
            result.append(f"{text} ({count} images) has the name of one class inside a folder of the other one.")
        lone = self._lone(placed) if len(labels) == 2 else []
        if lone:
            result.append(f"{some(lone)}: read by a single word; no folder beside them names the other class.")
        return result

    def _lone(self, placed: Mapping[Parts, Place]) -> list[str]:
        result = set()
        for parts in placed:
            at = self.deciding(parts)
            if at and parts[: at[0] + 1] not in self._sure and at[0] not in self._levels:
                result.add("/".join(parts[: at[0] + 1]))
        return sorted(result)

    def _refuse_contradictions(self) -> None:
        readings = [Counter[int](), Counter[int]()]
        names: list[dict[int, set[str]]] = [defaultdict(set), defaultdict(set)]
        differ, example = 0, ""
        for parts, count in self._tree.images.items():
            at = self.deciding(parts)
            if not at:
                continue
            ends = at[0], next((i for i in reversed(at) if self._at(parts, i) != self._at(parts, at[0])), at[-1])
            for which, i in enumerate(ends):
                readings[which][self._at(parts, i)] += count
                names[which][self._at(parts, i)].add(parts[i])
            if self._at(parts, ends[0]) != self._at(parts, ends[1]):
                differ, example = differ + count, example or "/".join(parts)
        if differ:
            texts = [_reading(counts, by) for counts, by in zip(readings, names, strict=True)]
            choices = " or ".join(_choice(by) for by in names)
            images = sum(self._tree.images.values())
            raise LayoutError(
                f"Two levels of folders name classes and contradict each other for {differ} of {images} images, "
                f"such as those in {example}. Read {texts[0]}. Read {texts[1]}. Expected one level that names "
                f"the classes; choose it with {choices}."
            )

    def _at(self, parts: Parts, i: int) -> int:
        return self.name_at(parts[: i + 1]).label or 0


class _GivenClasses(_Classes):
    """Class folders as a user named them; exact names count before patterns, long patterns before short ones."""

    def __init__(self, tree: Tree, given: Mapping[str, str]):
        patterns = [(key.strip("/").lower(), NAMES.index(value)) for key, value in given.items()]
        exact = [item for item in patterns if not set("*?[") & set(item[0])]
        others = sorted((item for item in patterns if item not in exact), key=lambda item: -len(item[0]))
        self._given = [*((0, *item) for item in exact), *((rank, *item) for rank, item in enumerate(others, 1))]
        super().__init__(tree)

    def name_at(self, parts: Parts) -> Name:
        """As the user said."""
        name, (rank, label) = read_name(parts[-1]), self._match(parts)
        if rank is not None:
            return Name(label, True, name.split, "" if name.label is not None else name.rest, True)
        return replace(name, label=None, generator=False, rest=parts[-1] if name.label is not None else name.rest)

    def _decide(self, parts: Parts) -> list[int]:
        ranks = {i: rank for i in range(len(parts)) if (rank := self._match(parts[: i + 1])[0]) is not None}
        return [i for i, rank in ranks.items() if rank == min(ranks.values())]

    def _match(self, parts: Parts) -> tuple[int | None, int | None]:
        path, name = "/".join(parts).lower(), parts[-1].lower()
        for rank, pattern, label in self._given:
            if fnmatchcase(path if "/" in pattern else name, pattern):
                return rank, label
        return None, None

    def doubts(self, placed: Mapping[Parts, Place]) -> list[str]:
        """None but a class without images: the user has said what the folders are."""
        missing = {*range(2)} - {place.label for place in placed.values()}
        return [f"No image is {NAMES[label]} by the class folders that were given." for label in sorted(missing)]


def _reading(counts: Mapping[int, int], names: Mapping[int, set[str]]) -> str:
    said = ", ".join(f"{some(names[label])} as {NAMES[label]}" for label in (REAL, FAKE) if names[label])
    return f"with {said}: {counts[REAL]} real and {counts[FAKE]} fake"


def _choice(names: Mapping[int, set[str]]) -> str:
    return "--class-folders " + ",".join(f"{NAMES[label]}={'+'.join(sorted(names[label]))}" for label in (REAL, FAKE))


def _place(parts: Parts, tree: Tree, classes: _Classes, splits: Mapping[Parts, tuple[str | None, set[int]]]) -> Place:
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
        "images of each are drawn into training, validation and test. Name them train, valid and test if they are."
    ]


def _without_lone_group(placed: dict[Parts, Place]) -> dict[Parts, Place]:
    """Drops a group that all files share: it is one more wrapping folder."""
    groups = {place.group for place in placed.values() if place.label is not None}
    if len(groups) > 1:
        return placed
    return {parts: replace(place, group=None) for parts, place in placed.items()}
