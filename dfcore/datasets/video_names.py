"""Frames of videos: folders of numbered frames, names of frames, and numbered series."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median

from dfcore.datasets.layouts import parse_label
from dfcore.datasets.source_names import CAMERA_WORDS, FRAME, Name, Sources, by_stem, many_and_small, word_set, words_of

_FRAME_NUMBER = re.compile(r"(?i)^(?:frame|frm|fr|img|image|f)?[ _.\-]?\d+$")
_SAYS_FRAME = re.compile(r"(?i)(?:^|[ _.\-])(?:frame|frm|fr)[ _.\-]?\d|\d(?:s|ms)$")
_NUMBER = re.compile(r"^(.*?[^\d])[ _.\-]*(\d+)$")
# Names that nobody gives by hand: ten random letters as in DFDC, identifiers of YouTube, UUIDs and other hashes.
_IDENTIFIER = re.compile(r"^(?:[a-z]{10}|[\w\-]{11}|[0-9a-f]{8}(?:-[0-9a-f]{4,12})+|[0-9a-f]{8,64})$")
_RUNS = re.compile(r"[a-z]+|[A-Z]+|\d+|[_\-]+")
_VIDEO_WORDS = word_set("video videos vid clip clips film movie scene shot seq sequence track mp avi mov")
_PERSON_WORDS = word_set("person subject actor identity id user speaker people celeb")
_SHARD_WORDS = word_set(
    """part batch chunk shard split folder dir set subset archive zip vol volume disk class cat category label group
    gen generator model seed fold level page prompt size res"""
)
# Names that a collection or a camera gives: synsets of ImageNet, days and months, folders of cameras (100CANON).
_COLLECTION = re.compile(
    r"^(?:n\d{8}|(?:19|20)\d\d[ _.\-](?:0?[1-9]|1[0-2])(?:[ _.\-]\d\d?)?|(?:19|20)\d\d[01]\d[0-3]\d|\d{3}[A-Z_]{4,5})$"
)
_GENERATOR_WORDS = word_set(
    """dall dalle midjourney mj sd sdxl flux imagen glide firefly ideogram adm ddpm ldm vqdm wukong kandinsky deepfloyd
    pixart playground turbo bing gpt real fake ai seed"""
)
_FEW, _SEVERAL = 5, 8


def _is_identifier(name: str) -> bool:
    """Whether a name is one that a program gave: of eleven characters, as on YouTube, only where they are mixed."""
    mixed = len(name) != 11 or len(_RUNS.findall(name)) > 3
    return mixed and _IDENTIFIER.match(name) is not None and not set(words_of(name)) & _SHARD_WORDS


def _of_generator(name: str) -> bool:
    """Whether a name is that of a generator or class: numbers behind it count pictures, not the frames of a video."""
    words = words_of(name)
    return parse_label(name) is not None or any(
        word in _GENERATOR_WORDS or word.endswith("gan") or "diffusion" in word for word in words
    )


def video_folders(names: Sequence[Name]) -> Sources:
    """Folders of numbered frames, named as videos, as persons, by numbers or by identifiers."""
    files: dict[str, list[str]] = defaultdict(list)
    for name in names:
        files[name.folder].append(name.stem)
    numbered = {
        folder: [int(re.findall(r"\d+", stem)[-1]) for stem in stems]
        for folder, stems in files.items()
        if len(stems) > 1 and all(_FRAME_NUMBER.match(stem) or FRAME.search(stem) for stem in stems)
    }
    kinds: dict[str, list[str]] = defaultdict(list)
    for folder in numbered:
        kinds[_kind(folder.rpartition("/")[2], files[folder])].append(folder)
    videos = set(kinds["said"])
    for kind, least in (("number", _FEW), ("identifier", _FEW), ("word", _SEVERAL)):
        siblings: dict[tuple[str, str], list[str]] = defaultdict(list)
        for folder in kinds[kind]:
            parent, _, own = folder.rpartition("/")
            siblings[parent, re.sub(r"\d+", "#", own) if kind == "word" else ""].append(folder)
        # Folders 0 to 9 are classes, as in CIFAR-10.
        enough = [
            some for some in siblings.values() if len(some) > 1 and any(len(one.rpartition("/")[2]) > 1 for one in some)
        ]
        if max((len(some) for some in enough), default=0) >= least or (kind != "word" and _sum(enough) >= least):
            for some in enough:
                # Folders that go on with the numbers of the one before are a collection that was cut in parts.
                videos.update(some if _restart([numbered[folder] for folder in some]) else ())
    return [name.folder if name.folder in videos else None for name in names]


def _sum(some: Iterable[Sequence[object]]) -> int:
    return sum(map(len, some))


def _kind(folder: str, stems: Sequence[str]) -> str:
    """What the name of a folder of numbered files tells: "said" if it is a video's."""
    words = set(words_of(folder))
    if not folder or _of_generator(folder) or _COLLECTION.match(folder):
        return "other"
    if re.fullmatch(r"\d+(?:[ _.\-]\d+)*", folder):
        return "number"
    if words & (_VIDEO_WORDS | _PERSON_WORDS) and not words & _SHARD_WORDS:
        return "said"
    if all(FRAME.search(stem) for stem in stems):
        return "said"
    if _is_identifier(folder):
        return "identifier"
    return "word" if re.search(r"\d", folder) and not words & _SHARD_WORDS else "other"


def _restart(numbers: Sequence[Sequence[int]]) -> bool:
    """Whether most folders begin their numbers anew: the range of each overlaps that of its neighbour."""
    ranges = sorted((min(some), max(some)) for some in numbers)
    overlaps = [after[0] <= before[1] for before, after in pairwise(ranges)]
    return sum(overlaps) >= 0.5 * len(overlaps)


def named_frames(names: Sequence[Name]) -> Sources:
    """clip_frame12.jpg: frames of "clip"."""

    def clip(stem: str) -> str | None:
        name = FRAME.sub("", stem)
        # sample_t3 is the third sample, clip_t3 the third second: words of tools count pictures.
        of_tool = set(words_of(name)) <= CAMERA_WORDS and not _SAYS_FRAME.search(stem)
        return name if name != stem and not _of_generator(name) and not of_tool else None

    return by_stem(names, clip)


def series(names: Sequence[Name]) -> Sources:
    """name_0001, name_0002, …: many series, each numbered evenly, not named by cameras or generators."""
    numbers: dict[str, list[int]] = defaultdict(list)
    padded: set[str] = set()
    bases: Sources = []
    for folder, stem in names:
        match = _NUMBER.match(stem)
        base = f"{folder}/{match.group(1).rstrip(' _.-(')}" if match and _may_be_series(match.group(1)) else None
        bases.append(base)
        if match and base:
            numbers[base].append(int(match.group(2)))
            if match.group(2).startswith("0") and len(match.group(2)) > 1:
                padded.add(base)
    dense = {base: some for base, some in numbers.items() if len(some) > 2 and _evenly(sorted(set(some)))}
    own = {base: base.rpartition("/")[2] for base in dense}
    said = {base for base in dense if set(words_of(own[base])) & _VIDEO_WORDS}
    if len(own) >= _FEW and all(map(_is_identifier, own.values())):
        said = set(dense)
    # A few long series are subjects or generators; videos that were cut into pictures are many and short.
    many = len(dense) >= max(_FEW, median(map(len, dense.values()))) if dense else False
    # cat_1 and cat.12 are pictures of cats; a word alone is that of a video or person where its numbers are padded.
    likely = {base for base in dense if base in padded or re.search(r"\d", own[base])}
    kept = likely | said if many else said
    found = [base if base in kept else None for base in bases]
    return found if said or many_and_small(found) else [None] * len(names)


@lru_cache(10_000)
def _may_be_series(name: str) -> bool:
    words = words_of(name)
    collection = _of_generator(name) or set(words) <= CAMERA_WORDS or _COLLECTION.match(name.rstrip(" _.-("))
    return bool(words) and not collection


def _evenly(numbers: Sequence[int]) -> bool:
    """Whether numbers follow each other at one step, as frames do that were taken every so often."""
    steps = Counter(after - before for before, after in pairwise(numbers))
    return bool(steps) and steps.most_common(1)[0][1] >= 0.8 * (len(numbers) - 1)
