"""Which folders name a split.

"train" may be a split or a subject (a railway train among aeroplanes and buses), and "progan_train" a generator with a
split or a name of its own: the folders beside it tell.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from dfcore.datasets import noun
from dfcore.datasets.words import TEST, TRAIN, VALIDATION, read_name, settle_splits

Parts = tuple[str, ...]


class Tree:
    """The folders of a data set.

    Attributes:
        images: Number of images directly in each folder, by the parts of its path.
        children: Names of the folders in each folder that hold images, at any depth.
        shared: Depths at which all images lie in the same folder.
    """

    def __init__(self, images: Mapping[Parts, int]):
        self.images = dict(images)
        self.children: dict[Parts, set[str]] = defaultdict(set)
        for parts in self.images:
            for i, part in enumerate(parts):
                self.children[parts[:i]].add(part)

    @cached_property
    def shared(self) -> set[int]:
        """See the class."""
        shortest = min(map(len, self.images), default=0)
        return {i for i in range(shortest) if len({parts[i] for parts in self.images}) == 1}


def some(names: Iterable[str]) -> str:
    """The first four names, sorted, and how many more there are."""
    names = sorted(names)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def read_splits(
    tree: Tree, names_class: Callable[[Parts], bool]
) -> tuple[dict[Parts, tuple[str | None, set[int]]], list[str]]:
    """Reads the splits of a tree.

    Args:
        tree: The folders.
        names_class: Whether a folder names a class.

    Returns:
        For each folder with images its split and the positions of the folders that name it; and the doubts.
    """
    trusted: dict[Parts, int] = {}  # {folder: number of splits that its siblings name}
    likely: set[str] = set()
    subjects: set[str] = set()
    for node, children in tree.children.items():
        _trust(node, children, names_class, trusted, likely, subjects)
    doubts = []
    if likely:
        doubts.append(f"{some(likely)}: these look like splits, but no folder beside them does; they are read as "
                      f"groups, and their {noun.many()} are drawn into training, validation and test.")  # fmt: skip
    if subjects:
        doubts.append(f"{some(subjects)}: read as a subject among others beside it, not as the training split.")
    found = {parts: _split_of(parts, trusted) for parts in tree.images}
    meant = settle_splits({split for split, _, _ in found.values()})
    differ = sum(tree.images[parts] for parts, (_, _, unequal) in found.items() if unequal)
    if differ:
        example = next("/".join(parts) for parts, (_, _, unequal) in found.items() if unequal)
        doubts.append(f"On the paths of {differ} {noun.many()} two folders name different splits, such as {example}.")
    return {parts: (meant[split], at) for parts, (split, at, _) in found.items()}, doubts


def _trust(
    node: Parts,
    children: set[str],
    names_class: Callable[[Parts], bool],
    trusted: dict[Parts, int],
    likely: set[str],
    subjects: set[str],
) -> None:
    """Notes which of the folders beside each other name a split."""
    names = {child: read_name(child) for child in children}
    telling = {child: name for child, name in names.items() if name.split}
    splits = {name.split for name in telling.values()}
    others = [child for child, name in names.items()
              if not name.split and name.rest and not names_class((*node, child))]  # fmt: skip
    for child, name in sorted(telling.items()):
        where = "/".join((*node, child))
        if len(splits) == 1 and name.rest and others and not names_class((*node, child)):
            likely.add(where)
        elif splits == {TRAIN} and len(others) > 1 and not names_class((*node, child)):
            subjects.add(where)
        else:
            trusted[*node, child] = len(splits)


def _split_of(parts: Parts, trusted: Mapping[Parts, int]) -> tuple[str | None, set[int], bool]:
    """The split of a path, the positions that name it, and whether they name different ones.

    The level with the most splits decides; among equals what is held out stays so.
    """
    at = {i: read_name(parts[i]).split for i in range(len(parts)) if parts[: i + 1] in trusted}
    if not at:
        return None, set(), False
    most = max(trusted[parts[: i + 1]] for i in at)
    best = {at[i] for i in at if trusted[parts[: i + 1]] == most}
    order = (TEST, VALIDATION, "evaluation", TRAIN)
    return min(best, key=lambda split: order.index(str(split))), set(at), len(best) > 1
