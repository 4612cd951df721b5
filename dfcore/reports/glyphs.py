"""Which characters the fonts inside typst have, so that a PDF never shows an empty box where a letter was.

A PDF is made with these fonts alone: with those of the machine it would differ from one machine to the next. They have
Latin, Greek, Cyrillic, Hebrew, Arabic, Devanagari and Georgian letters and many signs, but no Chinese, Japanese, Korean
or Thai and no emoji. A test holds this list against the fonts.
"""

import re

from dfcore.reports.words import code_points

_COVERED = (
    (0x20, 0x4FF), (0x5D0, 0x5EA), (0x60C, 0x60C), (0x621, 0x63A), (0x640, 0x66D), (0x67E, 0x67E), (0x686, 0x686),
    (0x698, 0x698), (0x6A9, 0x6A9), (0x6AF, 0x6AF), (0x6CC, 0x6CC), (0x6F0, 0x6F9), (0x900, 0x97F), (0x10D0, 0x10FF),
    (0x1E00, 0x1FFF), (0x2010, 0x2027), (0x2030, 0x2040), (0x2070, 0x211E), (0x2126, 0x2151), (0x2153, 0x2184),
    (0x2190, 0x23FF), (0x2500, 0x262F), (0x2701, 0x2704), (0x270C, 0x2727), (0x27C0, 0x2AFF), (0xFB00, 0xFB06),
    (0xFFFD, 0xFFFD),
)  # fmt: skip
_RANGES = "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in _COVERED)
_MISSING = re.compile(f"[^{_RANGES}]+")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]+")


def covered(text: str) -> str:
    """A text in which characters that the fonts lack are written as their code points, such as ⟨U+6F22⟩."""
    return _MISSING.sub(lambda found: code_points(found[0]), text)


def ascii_alone(text: str) -> str:
    """The same for all but ASCII, for marks whose combination no font has."""
    return _NOT_ASCII.sub(lambda found: code_points(found[0]).replace("⟨", "<").replace("⟩", ">"), text)
