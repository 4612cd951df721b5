"""Which folders name a class: real or fake.

The level decides whose folders name both classes: beside each other, or else the same level elsewhere in the tree
(train/real and test/fake). What lies around that level does not, and two levels that contradict each other are refused.
Only where no level names both classes does a plain word count alone.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from dfcore.datasets import noun
from dfcore.datasets.folder_splits import Tree, some
from dfcore.datasets.words import Name, read_name
from dfcore.errors import LayoutError
from dfcore.labels import FAKE, NAMES, REAL

Parts = tuple[str, ...]


class FolderClasses:
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
        plain = [i for i in named if self.name_at(parts[: i + 1]).alone]
        strong = [i for i in plain if self.name_at(parts[: i + 1]).strong]
        return (strong or plain)[:1]

    def label(self, parts: Parts) -> int | None:
        """The class of the files in a folder."""
        at = self.deciding(parts)
        return self.name_at(parts[: at[0] + 1]).label if at else None

    def doubts(self, labels_of: Mapping[Parts, int | None]) -> list[str]:
        """What a person should look at before the labels are used."""
        images, result = self._tree.images, []
        labels = {*labels_of.values()} - {None}
        if len(labels) == 1:
            result.append(
                f"Every {noun.one()} that has a class is {NAMES[labels.pop() or 0]}: no folder names the other one."
            )
        compounds: dict[str, int] = {}
        generators, inner = set(), Counter[str]()
        for parts, label in labels_of.items():
            at = self.deciding(parts)
            for i in range(len(parts)):
                name = self.name_at(parts[: i + 1])
                if i in at and name.generator:
                    generators.add(parts[i])
                elif i in at and name.rest and not name.known:
                    compounds[parts[i]] = name.label or 0
                elif at and i > at[-1] and name.strong and name.label not in (None, label):
                    inner["/".join(parts[: i + 1])] += images[parts]
        if generators:
            result.append(f"{some(generators)}: read as fake, since they name generators beside real {noun.many()}.")
        for text, label in sorted(compounds.items()):
            result.append(f"The folder {text} is read as {NAMES[label]}, by one of its words.")
        for text, count in sorted(inner.items()):
            result.append(f"{text} ({count} {noun.many()}) has the name of one class inside a folder of the other one.")
        lone = self._lone(labels_of) if len(labels) == 2 else []
        if lone:
            result.append(f"{some(lone)}: read by a single word; no folder beside them names the other class.")
        return result

    def _lone(self, labels_of: Mapping[Parts, int | None]) -> list[str]:
        result = set()
        for parts in labels_of:
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
                f"Two levels of folders name classes and contradict each other for {differ} of {images} "
                f"{noun.many()}, such as those in {example}. Read {texts[0]}. Read {texts[1]}. Expected one level that "
                f"names the classes; choose it with {choices}."
            )

    def _at(self, parts: Parts, i: int) -> int:
        return self.name_at(parts[: i + 1]).label or 0


class GivenClasses(FolderClasses):
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
            return replace(
                name, label=label, strong=True, generator=False, rest="" if name.label is not None else name.rest
            )
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

    def doubts(self, labels_of: Mapping[Parts, int | None]) -> list[str]:
        """None but a class without images: the user has said what the folders are."""
        missing = {*range(2)} - {*labels_of.values()}
        return [f"No {noun.one()} is {NAMES[label]} by the class folders that were given." for label in sorted(missing)]


def _reading(counts: Mapping[int, int], names: Mapping[int, set[str]]) -> str:
    said = ", ".join(f"{some(names[label])} as {NAMES[label]}" for label in (REAL, FAKE) if names[label])
    return f"with {said}: {counts[REAL]} real and {counts[FAKE]} fake"


def _choice(names: Mapping[int, set[str]]) -> str:
    return "--class-folders " + ",".join(f"{NAMES[label]}={'+'.join(sorted(names[label]))}" for label in (REAL, FAKE))
