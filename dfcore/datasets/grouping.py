"""What images were taken from, as told by their paths: the frames of a video, crops of a face, variants of a picture.

Images of one source look alike: with some in training and others in test, figures are too good. The conventions are
those of well-known data sets; plain numbering is none, since most folders of unrelated pictures are numbered too.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from dfcore.datasets.layouts import parse_split
from dfcore.errors import LayoutError

# The pattern of a reading that turns grouping off.
OFF = "none"
_FEWEST_SOURCES = 5
_FRAME = re.compile(r"(?i)(?:^|[ _.\-])(?:frame|frm|fr|f)[ _.\-]?\d+(?:[ _.\-].*)?$|[ _.\-](?:t|time)\d+(?:s|ms)?$")
_VARIANT = re.compile(
    r"(?i)(?:[ _.\-]+(?:face|crop|patch|tile|aug(?:mented)?|flip(?:ped)?|mirror(?:ed)?|rot(?:ated?)?|q|quality|jpe?g|"
    r"resized?|scaled?|thumb(?:nail)?|compressed|blur(?:red)?|nois[ey]|copy|edit(?:ed)?|original|variant|v)"
    r"[ _.\-]?\d*| ?\(\d+\)|[ _.\-]+x\d+|[ _.\-]+\d+x\d+)$"
)
_NUMBER = re.compile(r"^(.*?[^\d])[ _.\-]*(\d+)$")
_LETTER = re.compile(r"^(.+)[ _.\-]([a-d])$")
_CELEB_DF = re.compile(r"(?i)^(id\d+)(?:_id\d+)?_(\d{4})(?:[_.\-]|$)")
_FACE_FORENSICS = re.compile(r"^(\d{3})(?:_(\d{3}))?$")
_FRAME_NUMBER = re.compile(r"(?i)^(?:frame|frm|fr|img|image|f)?[ _.\-]?\d+$")
# Words of generators: numbers behind them count pictures, not the frames of a video.
_GENERATORS = re.compile(
    r"(?i)gan|diffusion|dall|midjourney|sd[xv_\-]?\d|sdxl|flux|imagen|glide|firefly|ideogram|adm|ddpm|ldm|vqdm|wukong|"
    r"biggan|kandinsky|deepfloyd|pixart|playground|turbo|bing|gpt|real|fake|photo|nature|ai"
)


def sources(paths: Sequence[str], pattern: str = "") -> tuple[list[str | None], list[str]]:
    """Names the source of every image, from its path.

    Args:
        paths: Relative to the data set's folder, POSIX separators.
        pattern: Regular expression searched in each path; its first group, or else the whole match, is the source.
            Empty for the known conventions, `OFF` for none.

    Returns:
        The source of each image, None where nothing tells, and a sentence for each convention that was found.

    Raises:
        LayoutError: If the pattern is no regular expression.
    """
    if pattern == OFF:
        return [None] * len(paths), ["Images are not grouped by their names, as asked."]
    if pattern:
        result = _by_pattern(paths, pattern)
        return result, [_sentence(result, f"the pattern {pattern}")]
    result, notes = [None] * len(paths), []
    for title, find in _CONVENTIONS.items():
        left = [number for number, source in enumerate(result) if source is None]
        found = find([paths[number] for number in left])
        found = _without_lone(found)
        for number, source in zip(left, found, strict=True):
            result[number] = source
        if any(found):
            notes.append(_sentence(found, title))
    return result, notes


def _sentence(found: Sequence[str | None], how: str) -> str:
    """E.g. "120 images come from 12 sources, by the folders of videos, e.g. fake/video_3: …"."""
    counts = Counter(source for source in found if source is not None)
    if not counts:
        return f"No image is grouped by {how}."
    example = next(iter(counts))
    return (
        f"{sum(counts.values()):,} images come from {len(counts):,} sources, told by {how}, e.g. '{example}' with "
        f"{counts[example]:,}: images of one source stay in one split."
    )


def _without_lone(found: list[str | None]) -> list[str | None]:
    """Drops sources of a single image: there is nothing to keep together."""
    counts = Counter(found)
    return [source if source is not None and counts[source] > 1 else None for source in found]


def _by_pattern(paths: Sequence[str], pattern: str) -> list[str | None]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise LayoutError(f"Expected a regular expression for groups. Received: {pattern!r} ({error}).") from None
    result: list[str | None] = []
    for path in paths:
        match = compiled.search(path)
        result.append((match.group(1) if compiled.groups else match.group()) if match else None)
    return result


def _face_forensics(paths: Sequence[str]) -> list[str | None]:
    """Videos 000 to 999, and 000_003 made of two of them: chains of videos that share a person are one source."""
    marks = [_mark(path) for path in paths]
    pairs = {pair for pair in marks if pair and pair[1]}
    singles = {pair[0] for pair in marks if pair and not pair[1]}
    # Three digits alone are a frame's number as well: both forms must occur, and meet.
    if not pairs or not any(one in singles or other in singles for one, other in pairs if other):
        return [None] * len(paths)
    chain = _chains([(one, other) for one, other in pairs if other])
    return [f"video {chain.get(pair[0], pair[0])}" if pair else None for pair in marks]


def _mark(path: str) -> tuple[str, str | None] | None:
    """The numbers of a FaceForensics++ video on a path: of its innermost folder or file that has such a name."""
    pure = PurePosixPath(path)
    for name in (*reversed(pure.parts[:-1]), _FRAME.sub("", pure.stem)):
        if match := _FACE_FORENSICS.match(name):
            return match.group(1), match.group(2)
    return None


def _chains(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """{video: smallest video of its chain}."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return {name: root(name) for name in parent}


def _celeb_df(paths: Sequence[str]) -> list[str | None]:
    """id0_0000, and id0_id1_0000 made from it with another face: the same video."""
    result: list[str | None] = []
    for path in paths:
        pure = PurePosixPath(path)
        names = (pure.stem, *reversed(pure.parts[:-1]))
        match = next((match for name in names if (match := _CELEB_DF.match(name))), None)
        result.append(f"{match.group(1)}_{match.group(2)}".lower() if match else None)
    return result if len(set(result)) >= _FEWEST_SOURCES else [None] * len(paths)


def _video_folders(paths: Sequence[str]) -> list[str | None]:
    """Folders of numbered frames: many of them side by side, named alike but for a number or an identifier."""
    files: dict[PurePosixPath, list[str]] = defaultdict(list)
    for path in paths:
        files[PurePosixPath(path).parent].append(PurePosixPath(path).stem)
    frames = {
        folder
        for folder, stems in files.items()
        if len(stems) > 1 and all(_FRAME_NUMBER.match(stem) or _FRAME.search(stem) for stem in stems)
    }
    said = {folder for folder in frames if all(_FRAME.search(stem) for stem in files[folder])}
    shapes: dict[tuple[PurePosixPath, str], list[PurePosixPath]] = defaultdict(list)
    for folder in frames:
        shapes[folder.parent, re.sub(r"\d+", "#", folder.name)].append(folder)
    alike = {
        folder
        for (_, shape), some in shapes.items()
        if "#" in shape and len(some) >= _FEWEST_SOURCES
        for folder in some
        if not _GENERATORS.search(folder.name)
    }
    # Names of ten random letters, as in DFDC: as many folders as nobody names by hand.
    many = Counter(folder.parent for folder in frames if re.fullmatch(r"[a-z]{10}", folder.name))
    alike |= {
        folder
        for folder in frames
        if many[folder.parent] >= _FEWEST_SOURCES and re.fullmatch(r"[a-z]{10}", folder.name)
    }
    videos = alike | {folder for folder in said if not _is_split_or_class(folder)}
    parents = (PurePosixPath(path).parent for path in paths)
    return [str(parent) if parent in videos else None for parent in parents]


def _is_split_or_class(folder: PurePosixPath) -> bool:
    return parse_split(folder.name) is not None or bool(_GENERATORS.search(folder.name))


def _named_frames(paths: Sequence[str]) -> list[str | None]:
    """clip_frame12.jpg: frames of "clip"."""
    return _by_stem(paths, lambda stem: _FRAME.sub("", stem) if _FRAME.search(stem) else None)


def _variants(paths: Sequence[str]) -> list[str | None]:
    """x_face0, x_crop1, "x (2)", x_q75, x_resized and x itself: made of one picture."""

    def base(stem: str) -> str | None:
        short = stem
        while (shorter := _VARIANT.sub("", short)) != short and shorter:
            short = shorter
        return short

    bases = _by_stem(paths, base)
    changed = {b for path, b in zip(paths, bases, strict=True) if b and not b.endswith("/" + PurePosixPath(path).stem)}
    found = [b if b in changed else None for b in bases]
    return found if _many_and_small(found) else [None] * len(paths)


def _letters(paths: Sequence[str]) -> list[str | None]:
    """24_a and 24_b: where most pictures come in such pairs."""
    bases = _by_stem(paths, lambda stem: match.group(1) if (match := _LETTER.match(stem)) else None)
    counts = Counter(base for base in bases if base)
    paired = sum(count for count in counts.values() if count > 1)
    return bases if paired > len(paths) / 2 and _many_and_small(bases) else [None] * len(paths)


def _series(paths: Sequence[str]) -> list[str | None]:
    """name_0001, name_0002, …: series of many names, each numbered without gaps, that are not those of generators."""
    numbers: dict[str, list[int]] = defaultdict(list)
    bases = []
    for path in paths:
        pure = PurePosixPath(path)
        match = _NUMBER.match(pure.stem)
        known = match is not None and re.search(r"[^\W\d_]", match.group(1)) and not _GENERATORS.search(match.group(1))
        base = f"{pure.parent}/{match.group(1).rstrip(' _.-')}" if match and known else None
        bases.append(base)
        if match and base:
            numbers[base].append(int(match.group(2)))
    dense = {
        base
        for base, some in numbers.items()
        if len(some) > 2 and len(set(some)) == len(some) and _evenly(sorted(some))
    }
    found = [base if base in dense else None for base in bases]
    return found if _many_and_small(found) else [None] * len(paths)


def _evenly(numbers: list[int]) -> bool:
    """Whether numbers follow each other at one step, as frames do that were taken every so often."""
    steps = Counter(after - before for before, after in pairwise(numbers))
    return steps.most_common(1)[0][1] >= 0.8 * (len(numbers) - 1)


def _by_stem(paths: Sequence[str], base: Callable[[str], str | None]) -> list[str | None]:
    result: list[str | None] = []
    for path in paths:
        pure = PurePosixPath(path)
        short = base(pure.stem)
        result.append(f"{pure.parent}/{short}" if short else None)
    return result


def _many_and_small(found: Sequence[str | None]) -> bool:
    """Whether there are several sources and none holds most of the images."""
    counts = Counter(source for source in found if source)
    shared = {source: count for source, count in counts.items() if count > 1}
    return len(shared) >= 2 and max(shared.values()) <= max(10, 0.2 * sum(counts.values()))


_CONVENTIONS: dict[str, Callable[[Sequence[str]], list[str | None]]] = {
    "the numbers of videos as in FaceForensics++": _face_forensics,
    "the names of videos as in Celeb-DF": _celeb_df,
    "folders of frames": _video_folders,
    "names of frames": _named_frames,
    "names of crops and variants": _variants,
    "names with letters": _letters,
    "numbered series": _series,
}
