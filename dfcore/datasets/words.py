"""What a name says by its words: a class, a split, or neither. For folders, tables, and cells of tables.

A name is taken apart at separators, at digits and at capitals ("FakeFaces"), and where it is glued from known words
("realimages"). Signs and negations are never stripped: "!real", "not_real" and "real?" name no class.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from dfcore.labels import FAKE, REAL

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# "eval" is the validation split, unless another folder is; see `settle_splits`.
EVALUATION = "evaluation"

_REAL = "real reals authentic genuine bona fide bonafide original originals pristine unaltered untampered unmanipulated"
_FAKE = """fake fakes faked deepfake deepfakes synthetic synthetics synthesized synthesised synthesis generated
    manipulated forged forgery forgeries tampered altered"""
# Words that may also name a subject, a source or a kind of picture.
_REAL_WEAKLY = "nature natural photo photos photograph photographs human humans camera live au"
_FAKE_WEAKLY = "ai aigc gan gans artificial spoof tp"
# Weak words that only say what is shown beside another word of class: "fake_photos", "ai_nature".
_SUBJECTS = {"nature", "natural", "photo", "photos", "photograph", "photographs", "human", "humans", "live"}
_SPLITS = {
    TRAIN: "train training trn",
    VALIDATION: "val valid validation dev devel",
    TEST: "test testing tst holdout heldout",
    EVALUATION: "eval evaluation",
}
# Words for how pictures are kept, which tell nothing of them.
_STORAGE = """image images img imgs pic pics picture pictures crop crops cropped frame frames video videos sequence
    sequences data dataset datasets set sets class classes label labels labelled labeled folder dir file files sample
    samples example examples jpg jpeg png all only subset cifake resized aligned extracted raw preprocessed processed
    by the of for and"""
# Words for what they show, which are a subject where they stand alone.
_SHOWN = "face faces facial portrait portraits art arts artwork artworks painting paintings audio"
_HEDGES = """not non no un never anti without minus isnt neither nor pseudo semi quasi almost nearly maybe perhaps
    possibly probably likely partly partially half mixed unsure unknown unverified doubtful suspected alleged false
    wrong like hyper sur photoreal esrgan unlabelled unlabeled"""
_GENERATORS = """adm glide vqdm wukong midjourney mj dalle dalle2 dalle3 dall ldm ddpm ddim iddpm pndm sd sdv1 sdv2 sdxl
    sd14 sd15 sd21 sd3 flux firefly imagen ideogram kandinsky deepfloyd stable diffusion stablediffusion
    biggan gigagan progan stylegan stylegan2 stylegan3 stargan cyclegan gaugan whichfaceisreal attgan stgan
    projectedgan vqgan galip lafite guided pixart playground deepfakes faceswap face2face neuraltextures
    faceshifter fsgan simswap wav2lip latent taming transformer"""
_SOURCES = "celeb youtube ffhq celeba celebahq coco mscoco imagenet lsun raise laion flickr wiki dfdc"

GENERATORS, _KNOWN_SOURCES = frozenset(_GENERATORS.split()), frozenset(_SOURCES.split())
_CLASSES = {word: label for label, words in ((REAL, _REAL), (FAKE, _FAKE)) for word in words.split()}
# Weak words that name a class even where no folder names the other one.
_ALONE = {"nature", "natural", "photo", "photos", "ai", "gan"}
_WEAK = {word: label for label, words in ((REAL, _REAL_WEAKLY), (FAKE, _FAKE_WEAKLY)) for word in words.split()}
_SPLIT_WORDS = {word: split for split, words in _SPLITS.items() for word in words.split()}
_STORAGE_WORDS, _HEDGE_WORDS = frozenset(_STORAGE.split()), frozenset(_HEDGES.split())
_NEUTRALS = _STORAGE_WORDS | frozenset(_SHOWN.split())
_KNOWN = frozenset((*_CLASSES, *_WEAK, *_SPLIT_WORDS, *_NEUTRALS))
_SIGNS = re.compile(r"[^\w\s\-.,()\[\]&+]|^\s*[-+]|-\s*$")
_NUMBER = re.compile(r"v?\d+|id\d+|c\d+")
_CAMEL = re.compile(r"[vV]\d+(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]")
_LIKELY_SPLIT = re.compile(
    r"(fold|split|part|partition|sub_?set|set|batch|chunk|phase|round|session|shard|cv|seen|unseen)_?([0-9]+|[a-z])?"
    r"|x?(train|test|val|valid|dev|eval)_?[a-z0-9]{1,2}|cross_?val.*"
)


@dataclass(frozen=True)
class Name:
    """What one name says.

    Attributes:
        label: 0 real, 1 fake, or None when it names no class, or both.
        strong: Whether the class is said by a word that can hardly mean anything else.
        alone: Whether the class is said even where no folder names the other one.
        split: "train", "validation", "test", "evaluation", or None.
        rest: The part that says neither, as it is written: a generator, a source, a subject.
        known: Whether that part is the name of a generator or source that is known, or empty.
        generator: Whether the name is that of a known generator and nothing else.
    """

    label: int | None = None
    strong: bool = False
    alone: bool = False
    split: str | None = None
    rest: str = ""
    known: bool = True
    generator: bool = False


def parse_label(value: object) -> int | None:
    """Reads a label from a cell: "real", "fake" or a synonym. Numbers and signs say nothing by themselves."""
    try:
        text = str(value)
    except Exception:  # Dates out of range and the like, in tables of others.
        return None
    name = read_name(text[:200])
    return name.label if not name.rest else None


def parse_split(value: object) -> str | None:
    """Reads the name of a split: "train", "val", "valid", "dev", "test", "holdout", "eval" and the like."""
    name = read_name(str(value)[:200])
    return name.split if not name.rest and name.label is None else None


def settle_splits(splits: set[str | None]) -> dict[str | None, str | None]:
    """What each split means beside the others: "eval" is validation, or test where another one is validation."""
    meant: dict[str | None, str | None] = {split: split for split in splits}
    if EVALUATION in meant:
        meant[EVALUATION] = TEST if VALIDATION in splits else VALIDATION
    return meant


def tells_nothing(text: str) -> bool:
    """Whether a name only says how pictures are kept: frames, c23, 000_003."""
    words = [_words(piece) for piece in re.findall(r"[^\W_]+", text)]
    known = [word for some in words if some is not None for word in some]
    return None not in words and all(word in _STORAGE_WORDS or _NUMBER.fullmatch(word) for word in known)


def looks_like_split(text: str) -> bool:
    """Whether a name looks like a part of a split that does not say which: fold1, part_a, set2, trainA."""
    return _LIKELY_SPLIT.fullmatch(re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")) is not None


@lru_cache(maxsize=100_000)
def read_name(text: str) -> Name:
    """Takes a name apart; see `Name`."""
    if _SIGNS.search(text):
        return Name(rest=text, known=False)
    text = re.sub(r"(?i)\b(held?|hold)[ _-]out\b|(?<=_)(held?|hold)[ _-]out(?=_|$)", "holdout", text)
    pieces = re.findall(r"[^\W_]+", text)
    words = [_words(piece) for piece in pieces]
    flat = [word for some in words for word in some or ()]
    if any(word in _HEDGE_WORDS for word in (*flat, *(piece.lower() for piece in pieces))):
        return Name(rest=text, known=False)
    label, strong = _label(flat)
    splits = {_SPLIT_WORDS[word] for word in flat if word in _SPLIT_WORDS}
    split = splits.pop() if len(splits) == 1 else None
    if label is None and split is None and {*flat} & {*_CLASSES, *_SPLIT_WORDS}:
        return Name(rest=text, known=False)  # Both classes, or several splits.
    rest = _rest(text, pieces, words)
    foreign = [piece.lower() for piece, some in zip(pieces, words, strict=True) if some is None]
    known = all(_is_generator(piece) or piece in _KNOWN_SOURCES for piece in foreign)
    generator = label is None and split is None and bool(foreign) and all(map(_is_generator, foreign))
    alone = not rest and (strong or bool(_ALONE & {*flat}))
    return Name(label, strong, alone, split, rest, known, generator)


def _is_generator(piece: str) -> bool:
    return piece in GENERATORS or piece.rstrip("0123456789") in GENERATORS


def _words(piece: str) -> list[str] | None:
    """The known words of a piece between separators; None where it holds an unknown one."""
    lower = piece.lower()
    if lower in GENERATORS and lower not in _CLASSES:
        return None
    if lower in _KNOWN or lower in _HEDGE_WORDS or _NUMBER.fullmatch(lower):
        return [lower]
    glued = _unglue(lower)
    if glued:
        return glued
    parts = _CAMEL.findall(piece)
    found = [_words(part) for part in parts] if len(parts) > 1 else [None]
    return None if None in found else [word for some in found for word in some or ()]


@lru_cache(maxsize=100_000)
def _unglue(text: str) -> list[str] | None:
    if not text or len(text) > 40:
        return None
    for end in range(len(text), 1, -1):
        if text[:end] in _KNOWN:
            rest = _unglue(text[end:]) if end < len(text) else []
            if rest is not None:
                return [text[:end], *rest]
    return None


def _label(words: list[str]) -> tuple[int | None, bool]:
    strong = {_CLASSES[word] for word in words if word in _CLASSES}
    weak = {_WEAK[word] for word in words if word in _WEAK and not (strong and word in _SUBJECTS)}
    if len(weak) > 1:
        weak = {_WEAK[word] for word in words if word in _WEAK and word not in _SUBJECTS}
    labels = strong | weak
    return (labels.pop(), bool(strong)) if len(labels) == 1 else (None, False)


def _rest(text: str, pieces: list[str], words: list[list[str] | None]) -> str:
    """The parts between words of class and split that hold an unknown word, as they are written."""
    telling = {*_CLASSES, *_WEAK, *_SPLIT_WORDS}
    runs: list[str] = []
    start, end, foreign, at = None, 0, False, 0
    for piece, some in zip([*pieces, ""], [*words, ["real"]], strict=True):
        here = text.find(piece, at) if piece else len(text)
        if some is not None and telling & {*some}:
            if start is not None and foreign:
                runs.append(text[start:end])
            start, foreign = None, False
        else:
            start = here if start is None else start
            end, foreign = here + len(piece), foreign or some is None
        at = here + len(piece)
    return "_".join(runs)
