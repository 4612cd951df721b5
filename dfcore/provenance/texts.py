"""Untrusted text from metadata: decoded, cut to a bounded length, without control characters."""

from collections.abc import Iterable, Mapping

from dfcore.utils.texts import printable

MOST_CHARACTERS = 2_000
MOST_ENTRIES = 200
_NAME_CHARACTERS = 100


def bounded(text: object, most: int = MOST_CHARACTERS) -> str:
    """One line of at most `most` characters; says how many were cut."""
    whole = str(text)
    cut = printable(" ↵ ".join(whole[: 2 * most].replace("\0", " ").split("\n")).replace("\t", " ").strip())
    if len(whole) <= most and len(cut) <= most:
        return cut
    return f"{cut[:most]} … ({len(whole):,} characters in all)"


def decoded(data: bytes) -> str:
    """Text in UTF-8 or, where it is not valid, Latin-1."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def group(entries: Mapping[str, object] | Iterable[tuple[str, object]]) -> tuple[dict[str, str], int]:
    """Names and texts of bounded length and number, and how many were left out. Equal names are numbered."""
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    result: dict[str, str] = {}
    left_out = 0
    for name, value in pairs:
        if len(result) >= MOST_ENTRIES:
            left_out += 1
            continue
        title = short = bounded(name, _NAME_CHARACTERS) or "(no name)"
        number = 2
        while title in result:
            title, number = f"{short} ({number})", number + 1
        result[title] = bounded(value)
    return result, left_out
