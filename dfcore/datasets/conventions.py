"""Conventions of names that tell what an image was taken from: of well-known data sets, and of common tools.

Each takes the paths of a data set, without folders of splits, and names the source of each image where it can.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from dfcore.datasets.layouts import parse_label

Sources = list[str | None]


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


@dataclass(frozen=True)
class Convention:
    """A way of naming.

    Attributes:
        title: In words, as in "told by …".
        find: Maps paths to sources.
        whole_set: Whether a name means the same source wherever it occurs in a data set.
    """

    title: str
    find: Callable[[Sequence[Name]], Sources]
    whole_set: bool = False


# --- Well-known data sets ---

_PAIR = re.compile(r"^(\d{3})_(\d{3})(?:[_\-]+\d+)?$")
_PAIR_FRAME = re.compile(r"^(\d{3})_(\d{3})[_\-]+\d+$")
_SINGLE = re.compile(r"^(\d{3})(?:[_\-]+\d+)?$")
_FF_FOLDER = re.compile(r"^(\d{3})(?:_(\d{3}))?$")
_ACTORS = re.compile(r"^(\d{2})(?:_\d{2})?__([a-z_]+?)(?:__[A-Z0-9]{4,10})?(?:[_\-]+\d+)?$")
_CELEB_DF = re.compile(r"(?i)^(id\d+)(?:_id\d+)?_(\d{4})(?:[_.\-]|$)")
_Mark = tuple[str, str | None] | None


def _face_forensics(names: Sequence[Name]) -> Sources:
    """Videos 000 to 999, and 000_003 made of two of them: videos that share a person are one source, also in chains."""
    marks = _marks(names)
    pairs = {(one, other) for one, other in filter(None, marks) if other is not None}
    singles = {one for one, other in filter(None, marks) if other is None}
    # Three digits alone are a frame's number as well: both forms must occur and meet, or both directions of a pair.
    meet = any(one in singles or other in singles or (other, one) in pairs for one, other in pairs)
    partners = Counter(person for pair in {frozenset(pair) for pair in pairs} for person in pair)
    # A person is the target of one pair and the source of another; numbers of generators and prompts all meet.
    if not meet or sum(partners.values()) > 2 * len(partners):
        return [None] * len(names)
    chain = _chains(pairs)
    return [f"video {chain.get(mark[0], mark[0])}" if mark else None for mark in marks]


def _marks(names: Sequence[Name]) -> list[_Mark]:
    """The numbers of a FaceForensics++ video on each path: of the innermost folder, or else the file, so named."""
    in_folders = {
        folder: next((match for part in folder.split("/")[::-1] if (match := _FF_FOLDER.match(part))), None)
        for folder in {name.folder for name in names}
    }
    flat: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if in_folders[name.folder] is None:
            flat[name.folder].append(_FRAME.sub("", name.stem))
    # 000_003 is two persons, or a person and a frame: the latter where other folders hold 000_003_017.
    threes = any(all(map(_PAIR_FRAME.match, some)) for some in flat.values())
    forms: dict[str, re.Pattern[str] | None] = {}
    for folder, some in flat.items():
        pair = _PAIR_FRAME if threes and not all(map(_FF_FOLDER.match, some)) else _PAIR
        forms[folder] = next((form for form in (pair, _SINGLE) if all(map(form.match, some))), None)
    result: list[_Mark] = []
    for name in names:
        match = in_folders[name.folder]
        if match is None and (form := forms[name.folder]):
            match = form.match(_FRAME.sub("", name.stem))
        result.append((match.group(1), match.group(2) if match.re.groups > 1 else None) if match else None)
    return result


def _chains(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
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


def _actors(names: Sequence[Name]) -> Sources:
    """01__walking, and 01_02__walking__A1B2C3D4 made from it with another face: the same scene."""
    return _whole_set(names, _ACTORS)


def _celeb_df(names: Sequence[Name]) -> Sources:
    """id0_0000, and id0_id1_0000 made from it with another face: the same video."""
    return _whole_set(names, _CELEB_DF)


def _whole_set(names: Sequence[Name], form: re.Pattern[str]) -> Sources:
    result: Sources = []
    for name in names:
        parts = (_FRAME.sub("", name.stem), *name.inwards)
        match = next((match for part in parts if (match := form.match(part))), None)
        result.append("_".join(match.groups()).lower() if match else None)
    return result


# --- Frames of videos ---


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FRAME = re.compile(r"(?i)(?:^|[ _.\-])(?:frame|frm|fr|f)[ _.\-]?\d+(?:[ _.\-].*)?$|[ _.\-](?:t|time)\d+(?:s|ms)?$")
_FRAME_NUMBER = re.compile(r"(?i)^(?:frame|frm|fr|img|image|f)?[ _.\-]?\d+$")
_NUMBER = re.compile(r"^(.*?[^\d])[ _.\-]*(\d+)$")
# Names that nobody gives by hand: ten random letters as in DFDC, identifiers of YouTube, UUIDs and other hashes.
_IDENTIFIER = re.compile(r"^(?:[a-z]{10}|[\w\-]{11}|[0-9a-f]{8}(?:-[0-9a-f]{4,12})+|[0-9a-f]{8,64})$")
_RUNS = re.compile(r"[a-z]+|[A-Z]+|\d+|[_\-]+")
_VIDEO_WORDS = _set("video videos vid clip clips film movie scene shot seq sequence track mp avi mov")
_PERSON_WORDS = _set("person subject actor identity id user speaker people celeb")
_SHARD_WORDS = _set(
    """part batch chunk shard split folder dir set subset archive zip vol volume disk class cat category label group
    gen generator model seed fold level page prompt size res"""
)
_CAMERA_WORDS = _set(
    """img image images dsc dscn dscf pxl imgp p pic pics picture pictures mvimg photo photos screenshot screen shot dji
    gopr gopro sam cimg wa file untitled download downloads unnamed out output sample result ilsvrc coco frame face"""
)
# Names that a collection or a camera gives: synsets of ImageNet, days and months, folders of cameras (100CANON).
_COLLECTION = re.compile(
    r"^(?:n\d{8}|(?:19|20)\d\d[ _.\-](?:0?[1-9]|1[0-2])(?:[ _.\-]\d\d?)?|(?:19|20)\d\d[01]\d[0-3]\d|\d{3}[A-Z_]{4,5})$"
)
_GENERATOR_WORDS = _set(
    """dall dalle midjourney mj sd sdxl flux imagen glide firefly ideogram adm ddpm ldm vqdm wukong kandinsky deepfloyd
    pixart playground turbo bing gpt real fake ai seed"""
)
_FEW, _SEVERAL = 5, 8


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


def _is_identifier(name: str) -> bool:
    """Whether a name is one that a program gave: of eleven characters, as on YouTube, only where they are mixed."""
    mixed = len(name) != 11 or len(_RUNS.findall(name)) > 3
    return mixed and _IDENTIFIER.match(name) is not None and not set(_words(name)) & _SHARD_WORDS


def _of_generator(name: str) -> bool:
    """Whether a name is that of a generator or class: numbers behind it count pictures, not the frames of a video."""
    words = _words(name)
    return parse_label(name) is not None or any(
        word in _GENERATOR_WORDS or word.endswith("gan") or "diffusion" in word for word in words
    )


def _video_folders(names: Sequence[Name]) -> Sources:
    """Folders of numbered frames, named as videos, as persons, by numbers or by identifiers."""
    files: dict[str, list[str]] = defaultdict(list)
    for name in names:
        files[name.folder].append(name.stem)
    numbered = {
        folder: [int(re.findall(r"\d+", stem)[-1]) for stem in stems]
        for folder, stems in files.items()
        if len(stems) > 1 and all(_FRAME_NUMBER.match(stem) or _FRAME.search(stem) for stem in stems)
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
    words = set(_words(folder))
    if not folder or _of_generator(folder) or _COLLECTION.match(folder):
        return "other"
    if re.fullmatch(r"\d+(?:[ _.\-]\d+)*", folder):
        return "number"
    if words & (_VIDEO_WORDS | _PERSON_WORDS) and not words & _SHARD_WORDS:
        return "said"
    if all(_FRAME.search(stem) for stem in stems):
        return "said"
    if _is_identifier(folder):
        return "identifier"
    return "word" if re.search(r"\d", folder) and not words & _SHARD_WORDS else "other"


def _restart(numbers: Sequence[Sequence[int]]) -> bool:
    """Whether most folders begin their numbers anew: the range of each overlaps that of its neighbour."""
    ranges = sorted((min(some), max(some)) for some in numbers)
    overlaps = [after[0] <= before[1] for before, after in pairwise(ranges)]
    return sum(overlaps) >= 0.5 * len(overlaps)


def _named_frames(names: Sequence[Name]) -> Sources:
    """clip_frame12.jpg: frames of "clip"."""

    def clip(stem: str) -> str | None:
        name = _FRAME.sub("", stem)
        return name if name != stem and not _of_generator(name) else None

    return _by_stem(names, clip)


def _series(names: Sequence[Name]) -> Sources:
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
    said = {base for base in dense if set(_words(own[base])) & _VIDEO_WORDS}
    if len(own) >= _FEW and all(map(_is_identifier, own.values())):
        said = set(dense)
    # A few long series are subjects or generators; videos that were cut into pictures are many and short.
    many = len(dense) >= max(_FEW, median(map(len, dense.values()))) if dense else False
    # cat_1 and cat.12 are pictures of cats; a word alone is that of a video or person where its numbers are padded.
    likely = {base for base in dense if base in padded or re.search(r"\d", own[base])}
    kept = likely | said if many else said
    found = [base if base in kept else None for base in bases]
    return found if said or _many_and_small(found) else [None] * len(names)


@lru_cache(10_000)
def _may_be_series(name: str) -> bool:
    words = _words(name)
    collection = _of_generator(name) or set(words) <= _CAMERA_WORDS or _COLLECTION.match(name.rstrip(" _.-("))
    return bool(words) and not collection


def _evenly(numbers: Sequence[int]) -> bool:
    """Whether numbers follow each other at one step, as frames do that were taken every so often."""
    steps = Counter(after - before for before, after in pairwise(numbers))
    return bool(steps) and steps.most_common(1)[0][1] >= 0.8 * (len(numbers) - 1)


# --- Variants of a picture ---

_VARIANT = re.compile(
    r"(?i)(?:[ _.\-]+(?:face|crop(?:ped)?|patch|tile|aug(?:mented)?|[hv]?flip(?:ped)?|mirror(?:ed)?|rot(?:ated?)?|"
    r"jpe?g|webp|png|resized?|scaled?|thumb(?:nail)?|(?:re)?compressed|blur(?:red)?|nois[ey]|copy|edit(?:ed)?|orig(?:inal)?|"
    r"bright(?:ness|er)?|dark(?:er)?|contrast|gr[ae]y(?:scale)?|sharp(?:ened)?|upscaled|variant|variation)[ _.\-]?\d*"
    r"|[ _.\-]+(?:q|quality|v|x|rot)[ _.\-]?\d+|[ _.\-]+\d+x\d+|[ _.\-]jpe?g\.rf\.[0-9a-f]{6,})$"
)
_COPY = re.compile(r" ?\((\d+)\)$")
_LETTER = re.compile(r"^(.+)[ _.\-]([a-d])$")
_MOST_VARIANTS = 20


def _variants(names: Sequence[Name]) -> Sources:
    """x_face0, x_crop1, "x (2)", x_q75, x_resized and x itself: made of one picture."""
    copies = [int(match.group(1)) for name in names if (match := _COPY.search(name.stem))]
    # "x (7)" is rarely a seventh copy: a whole collection was numbered in this way.
    numbering = sum(number > 3 for number in copies) > len(copies) / 3

    def without_copy(stem: str) -> str:
        """Without "(2)", unless a browser or a phone gave the name before it to every picture: download (2)."""
        short = _COPY.sub("", stem)
        given = not re.search(r"\d", short) and set(_words(short)) <= _CAMERA_WORDS
        return stem if numbering or given else short

    def base(stem: str) -> str:
        while True:
            shorter = _VARIANT.sub("", without_copy(stem))
            if shorter == stem or not shorter:
                return stem
            stem = shorter

    bases = _by_stem(names, base)
    counts = Counter(bases)
    plain = {str(name) for name in names}
    changed = {found for found, name in zip(bases, names, strict=True) if found != str(name)}
    shared = {found for found in changed if found is not None and 1 < counts[found] <= _MOST_VARIANTS}
    found = [base if base in shared else None for base in bases]
    # A picture beside its variants tells enough; variants alone must be many, each with few.
    return found if _many_and_small(found) else [base if base in plain else None for base in found]


def _letters(names: Sequence[Name]) -> Sources:
    """24_a and 24_b: in folders where most pictures come in such pairs."""
    bases = _by_stem(names, lambda stem: match.group(1) if (match := _LETTER.match(stem)) else None)
    counts = Counter(base for base in bases if base)
    folders = Counter(name.folder for name in names)
    paired: Counter[str] = Counter()
    for base, count in counts.items():
        paired[base.rpartition("/")[0]] += count if count > 1 else 0
    kept = {folder for folder, count in paired.items() if count > folders[folder] / 2}
    found = [base if base and base.rpartition("/")[0] in kept else None for base in bases]
    return found if _many_and_small(found) else [None] * len(names)


def _by_stem(names: Sequence[Name], base: Callable[[str], str | None]) -> Sources:
    result: Sources = []
    for folder, stem in names:
        short = base(stem)
        result.append(f"{folder}/{short}" if short else None)
    return result


def _many_and_small(found: Sequence[str | None]) -> bool:
    """Whether there are several sources and none holds most of the images."""
    counts = Counter(source for source in found if source)
    shared = [count for count in counts.values() if count > 1]
    return len(shared) >= 2 and max(shared) <= max(10, 0.2 * sum(counts.values()))


CONVENTIONS = (
    Convention("the numbers of videos as in FaceForensics++", _face_forensics, whole_set=True),
    Convention("the names of actors and scenes as in DeepFakeDetection", _actors, whole_set=True),
    Convention("the names of videos as in Celeb-DF", _celeb_df, whole_set=True),
    Convention("folders of frames", _video_folders),
    Convention("names of frames", _named_frames),
    Convention("names of crops and variants", _variants),
    Convention("names with letters", _letters),
    Convention("numbered series", _series),
)
