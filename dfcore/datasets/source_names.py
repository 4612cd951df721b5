"""Names of files, and sources that are read from them: what the conventions of names share."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

# The source of each image; None where its name tells none.
Sources = list[str | None]
# What tells a frame of a video at the end of a name.
FRAME = re.compile(r"(?i)(?:^|[ _.\-])(?:frame|frm|fr|f)[ _.\-]?\d+(?:[ _.\-].*)?$|[ _.\-](?:t|time)\d+(?:s|ms)?$")


class Name(NamedTuple):
    """The name of a file: its folder (POSIX, "" for the root) and its stem."""

    folder: str
    stem: str

    @classmethod
    def of(cls, path: str) -> "Name":
        """The parts of a path."""
        folder, _, file = path.rpartition("/")
        return cls(folder, file.rpartition(".")[0] or file)

    def __str__(self) -> str:
        return f"{self.folder}/{self.stem}"

    @property
    def inwards(self) -> list[str]:
        """The folders, the innermost first."""
        return self.folder.split("/")[::-1]


def by_stem(names: Sequence[Name], base: Callable[[str], str | None]) -> Sources:
    """Sources from stems alone, each within its folder; `base` gives that of a stem, or None."""
    result: Sources = []
    for folder, stem in names:
        short = base(stem)
        result.append(f"{folder}/{short}" if short else None)
    return result


def many_and_small(found: Sequence[str | None]) -> bool:
    """Whether there are several sources and none holds most of the images."""
    counts = Counter(source for source in found if source)
    shared = [count for count in counts.values() if count > 1]
    return len(shared) >= 2 and max(shared) <= max(10, 0.2 * sum(counts.values()))


def word_set(words: str) -> frozenset[str]:
    """Words in one text, parted by blanks."""
    return frozenset(words.split())


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters."""
    return re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


# Words that cameras, phones and tools give: numbers behind them count pictures.
CAMERA_WORDS = word_set(
    """img image images dsc dscn dscf pxl imgp p pic pics picture pictures mvimg photo photos screenshot screen shot dji
    gopr gopro sam cimg wa file untitled download downloads unnamed out output sample result ilsvrc coco frame face"""
)
