"""Lists of paths in text, as data sets ship them for their splits: they are not read, but told."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from dfcore.datasets import noun
from dfcore.utils.texts import printable

LISTS = (".txt", ".lst")
_LINES, _FILES = 200, 20


def doubted_lists(root: Path, files: Iterable[Path], images: Sequence[str]) -> list[str]:
    """A doubt for each text file whose lines name images of the data set.

    Args:
        root: The data set's folder.
        files: Files in it that are no images.
        images: Paths of the images, relative to it.
    """
    texts = [file for file in files if file.suffix.lower() in LISTS]
    names = (
        {part for path in images for part in (PurePosixPath(path).name, PurePosixPath(path).stem)} if texts else set()
    )
    doubts = []
    for file in sorted(texts)[:_FILES]:
        lines = _first_lines(file)
        named = sum(any(PurePosixPath(word).name in names for word in line.replace(",", " ").split()) for line in lines)
        if named and named >= len(lines) / 2:
            doubts.append(
                f"{printable(file.relative_to(root))} is a list of these {noun.many()}, perhaps of a split. Lists in "
                "text are not read: make a CSV of it, with columns for path, label and split, if it counts."
            )
    return doubts


def _first_lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return [line.strip().replace("\\", "/")[:1000] for line in islice(lines, _LINES) if line.strip()]
    except OSError:
        return []
