"""Names in well-known data sets of manipulated videos."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from dfcore.datasets.source_names import FRAME, Name, Sources

_PAIR = re.compile(r"^(\d{3})_(\d{3})(?:[_\-]+\d+)?$")
_PAIR_FRAME = re.compile(r"^(\d{3})_(\d{3})[_\-]+\d+$")
_SINGLE = re.compile(r"^(\d{3})(?:[_\-]+\d+)?$")
_FF_FOLDER = re.compile(r"^(\d{3})(?:_(\d{3}))?$")
_ACTORS = re.compile(r"^(\d{2})(?:_\d{2})?__([a-z_]+?)(?:__[A-Z0-9]{4,10})?(?:[_\-]+\d+)?$")
_CELEB_DF = re.compile(r"(?i)^(id\d+)(?:_id\d+)?_(\d{4})(?:[_.\-]|$)")
Mark = tuple[str, str | None] | None


def face_forensics(names: Sequence[Name]) -> Sources:
    """Videos 000 to 999, and 000_003 made of two of them: videos that share a person are one source, also in chains."""
    found = marks(names)
    pairs = {(one, other) for one, other in filter(None, found) if other is not None}
    singles = {one for one, other in filter(None, found) if other is None}
    # Three digits alone are a frame's number as well: both forms must occur and meet, or both directions of a pair.
    meet = any(one in singles or other in singles or (other, one) in pairs for one, other in pairs)
    partners = Counter(person for pair in {frozenset(pair) for pair in pairs} for person in pair)
    # A person is the target of one pair and the source of another; numbers of generators and prompts all meet.
    if not meet or sum(partners.values()) > 2 * len(partners):
        return [None] * len(names)
    chain = _chains(pairs)
    return [f"video {chain.get(mark[0], mark[0])}" if mark else None for mark in found]


def marks(names: Sequence[Name]) -> list[Mark]:
    """The numbers of a FaceForensics++ video on each path: of the innermost folder, or else the file, so named."""
    in_folders = {
        folder: next((match for part in folder.split("/")[::-1] if (match := _FF_FOLDER.match(part))), None)
        for folder in {name.folder for name in names}
    }
    flat: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if in_folders[name.folder] is None:
            flat[name.folder].append(FRAME.sub("", name.stem))
    # 000_003 is two persons, or a person and a frame: the latter where other folders hold 000_003_017.
    threes = any(all(map(_PAIR_FRAME.match, some)) for some in flat.values())
    forms: dict[str, re.Pattern[str] | None] = {}
    for folder, some in flat.items():
        pair = _PAIR_FRAME if threes and not all(map(_FF_FOLDER.match, some)) else _PAIR
        forms[folder] = next((form for form in (pair, _SINGLE) if all(map(form.match, some))), None)
    result: list[Mark] = []
    for name in names:
        match = in_folders[name.folder]
        if match is None and (form := forms[name.folder]):
            match = form.match(FRAME.sub("", name.stem))
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


def actors(names: Sequence[Name]) -> Sources:
    """01__walking, and 01_02__walking__A1B2C3D4 made from it with another face: the same scene."""
    return _whole_set(names, _ACTORS)


def celeb_df(names: Sequence[Name]) -> Sources:
    """id0_0000, and id0_id1_0000 made from it with another face: the same video."""
    return _whole_set(names, _CELEB_DF)


def _whole_set(names: Sequence[Name], form: re.Pattern[str]) -> Sources:
    result: Sources = []
    for name in names:
        parts = (FRAME.sub("", name.stem), *name.inwards)
        match = next((match for part in parts if (match := form.match(part))), None)
        result.append("_".join(match.groups()).lower() if match else None)
    return result
