"""What images were taken from, as told by their paths: the frames of a video, crops of a face, variants of a picture.

Images of one source look alike: with some in training and others in test, figures are too good. `conventions` holds the
patterns of names; none of them is plain numbering, since most folders of unrelated pictures are numbered too.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from dfcore.datasets import noun
from dfcore.datasets.conventions import CONVENTIONS
from dfcore.datasets.layouts import parse_split
from dfcore.datasets.source_names import Name
from dfcore.errors import LayoutError

# The pattern of a reading that turns grouping off.
OFF = "none"
_SPLIT_WORD = re.compile(r"(?i)(?:^|[ _.\-])(?:train|training|val|valid|validation|test|testing)(?=$|[ _.\-])")


def sources(paths: Sequence[str], pattern: str = "", *, of_films: bool = False) -> tuple[list[str | None], list[str]]:
    """Names the source of every image, from its path.

    Args:
        paths: Relative to the data set's folder, POSIX separators.
        pattern: Regular expression searched in each path; its first group, or else the whole match, is the source.
            Empty for the known conventions, `OFF` for none.
        of_films: Whether the paths are those of films.

    Returns:
        The source of each image, None where nothing tells, and a sentence for each convention that was found.

    Raises:
        LayoutError: If the pattern is no regular expression.
    """
    if pattern == OFF:
        return [None] * len(paths), [f"{noun.many().capitalize()} are not grouped by their names, as asked."]
    if pattern:
        found = _by_pattern(paths, pattern)
        return found, [_sentence(found, f"the pattern {pattern}")]
    # Frames of one video may lie in several splits: this is to be noticed, so splits are no part of a name.
    whole = [Name.of(path) for path in paths]
    unsplit = [Name(_without_splits(name.folder), name.stem) for name in whole]
    result: list[str | None] = [None] * len(paths)
    notes = []
    for convention in (one for one in CONVENTIONS if one.of_films or not of_films):
        left = [number for number, source in enumerate(result) if source is None]
        short = [unsplit[number] for number in left]
        found = convention.find(short)
        if not convention.whole_set:
            found = _numbered_anew(found, short, [whole[number] for number in left])
        found = _without_lone(found)
        for number, source in zip(left, found, strict=True):
            result[number] = source
        if any(found):
            notes.append(_sentence(found, convention.title))
    return result, notes


def _sentence(found: Sequence[str | None], how: str) -> str:
    """E.g. "120 images come from 12 sources, told by folders of frames, e.g. 'fake/video_3' with 10: …"."""
    counts = Counter(source for source in found if source is not None)
    if not counts:
        return f"No {noun.one()} is grouped by {how}."
    example = next(iter(counts))
    return (
        f"{sum(counts.values()):,} {noun.many()} come from {len(counts):,} sources, told by {how}, e.g. '{example}' "
        f"with {counts[example]:,}: {noun.many()} of one source stay in one split. If they are unrelated, turn this "
        f"off with --groups {OFF}."
    )


@lru_cache(10_000)
def _without_splits(folder: str) -> str:
    """A folder's path without the folders that name a split, and without the words of splits in the others."""
    kept = (_SPLIT_WORD.sub("", part) for part in folder.split("/") if parse_split(part) is None)
    return "/".join(part for part in kept if part)


def _numbered_anew(found: Sequence[str | None], unsplit: Sequence[Name], whole: Sequence[Name]) -> list[str | None]:
    """Parts sources of one name in several folders that hold files of the same name: each folder counts for itself."""
    files: dict[str, set[Name]] = defaultdict(set)
    for source, name in zip(found, whole, strict=True):
        if source is not None:
            files[source].add(name)
    anew = {source for source, names in files.items() if len({name.stem for name in names}) < len(names)}
    result = list(found)
    for number, (source, short, name) in enumerate(zip(found, unsplit, whole, strict=True)):
        if source is not None and source in anew:
            result[number] = name.folder if source == short.folder else f"{name.folder}/{source.rpartition('/')[2]}"
    return result


def _without_lone(found: Sequence[str | None]) -> list[str | None]:
    """Drops sources of a single image: there is nothing to keep together."""
    counts = Counter(found)
    return [source if source is not None and counts[source] > 1 else None for source in found]


def _by_pattern(paths: Sequence[str], pattern: str) -> list[str | None]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise LayoutError(f"Expected a regular expression for groups. Received: {pattern!r} ({error}).") from None
    matches = (compiled.search(path) for path in paths)
    return [(match.group(1 if compiled.groups else 0) or None) if match else None for match in matches]
