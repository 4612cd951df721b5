"""Variants of a picture: crops, copies and edits that are named after it."""

import re
from collections import Counter
from collections.abc import Sequence

from dfcore.datasets.source_names import CAMERA_WORDS, Name, Sources, by_stem, many_and_small, words_of

_VARIANT = re.compile(
    r"(?i)(?:[ _.\-]+(?:face|crop(?:ped)?|patch|tile|aug(?:mented)?|[hv]?flip(?:ped)?|mirror(?:ed)?|rot(?:ated?)?|"
    r"jpe?g|webp|png|resized?|scaled?|thumb(?:nail)?|(?:re)?compressed|blur(?:red)?|nois[ey]|copy|edit(?:ed)?|orig(?:inal)?|"
    r"bright(?:ness|er)?|dark(?:er)?|contrast|gr[ae]y(?:scale)?|sharp(?:ened)?|upscaled|variant|variation)[ _.\-]?\d*"
    r"|[ _.\-]+(?:q|quality|v|x|rot)[ _.\-]?\d+|[ _.\-]+\d+x\d+|[ _.\-]jpe?g\.rf\.[0-9a-f]{6,})$"
)
_COPY = re.compile(r" ?\((\d+)\)$")
_LETTER = re.compile(r"^(.+)[ _.\-]([a-d])$")
_MOST_VARIANTS = 20


def variants(names: Sequence[Name]) -> Sources:
    """x_face0, x_crop1, "x (2)", x_q75, x_resized and x itself: made of one picture."""
    copies = [int(match.group(1)) for name in names if (match := _COPY.search(name.stem))]
    # "x (7)" is rarely a seventh copy: a whole collection was numbered in this way.
    numbering = sum(number > 3 for number in copies) > len(copies) / 3

    def without_copy(stem: str) -> str:
        """Without "(2)", unless a browser or a phone gave the name before it to every picture: download (2)."""
        short = _COPY.sub("", stem)
        given = not re.search(r"\d", short) and set(words_of(short)) <= CAMERA_WORDS
        return stem if numbering or given else short

    def base(stem: str) -> str:
        while True:
            shorter = _VARIANT.sub("", without_copy(stem))
            if shorter == stem or not shorter:
                return stem
            stem = shorter

    bases = by_stem(names, base)
    counts = Counter(bases)
    plain = {str(name) for name in names}
    changed = {found for found, name in zip(bases, names, strict=True) if found != str(name)}
    shared = {found for found in changed if found is not None and 1 < counts[found] <= _MOST_VARIANTS}
    found = [base if base in shared else None for base in bases]
    # A picture beside its variants tells enough; variants alone must be many, each with few.
    return found if many_and_small(found) else [base if base in plain else None for base in found]


def letters(names: Sequence[Name]) -> Sources:
    """24_a and 24_b: in folders where most pictures come in such pairs."""
    bases = by_stem(names, lambda stem: match.group(1) if (match := _LETTER.match(stem)) else None)
    counts = Counter(base for base in bases if base)
    folders = Counter(name.folder for name in names)
    paired: Counter[str] = Counter()
    for base, count in counts.items():
        paired[base.rpartition("/")[0]] += count if count > 1 else 0
    kept = {folder for folder, count in paired.items() if count > folders[folder] / 2}
    found = [base if base and base.rpartition("/")[0] in kept else None for base in bases]
    return found if many_and_small(found) else [None] * len(names)
