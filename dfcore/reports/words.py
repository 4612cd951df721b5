"""Strangers' words in reports: names, metadata, prompts, notes. Nothing in them is hidden, and none of it is markup."""

import shlex
import unicodedata
from collections.abc import Callable, Sequence
from itertools import groupby

# Characters of one text, of a note and of a title that a report holds; the rest is counted.
MOST, MOST_NOTE, MOST_TITLE = 5_000, 20_000, 300


def visible(text: object, most: int = MOST) -> str:
    """A text on one line in which nothing is invisible, and of bounded length.

    Control characters, direction overrides, joiners, line breaks and what is no character are written as their code
    points, such as ⟨U+202E⟩; spaces of every width become a space.

    Args:
        text: Any text.
        most: Characters of it that are kept; where more are left out, their number is said.
    """
    whole = str(text)
    kept = "".join(_pieces(whole[:most]))
    return kept if len(whole) <= most else f"{kept} … ({len(whole) - most:,} more characters are left out here)"


def lines(text: object) -> list[str]:
    """The same for a text of several lines, such as a note; at most `MOST_NOTE` characters."""
    whole = str(text)
    shown = [visible(line, MOST_NOTE) for line in whole[:MOST_NOTE].splitlines()] or [""]
    if len(whole) > MOST_NOTE:
        shown.append(f"… ({len(whole) - MOST_NOTE:,} more characters are left out here)")
    return shown


def code_points(characters: str) -> str:
    """Characters by their numbers: ⟨U+6F22 U+5B57⟩."""
    return f"⟨{' '.join(f'U+{ord(one):04X}' for one in characters)}⟩"


def command(arguments: Sequence[str], plain: Callable[[str], bool] = str.isprintable) -> str:
    """A command for a shell, printable whatever its arguments hold.

    Args:
        arguments: The command and its arguments. Those with characters that do not print, or bytes that are no UTF-8,
            become $'…' with escapes, as Bash, Zsh and other shells read it.
        plain: Tells which arguments need no escapes.
    """
    return " ".join(shlex.quote(one) if plain(one) else _escaped(one) for one in arguments)


def _pieces(text: str) -> list[str]:
    pieces = []
    for shown, group in groupby(text, lambda c: c.isprintable() or unicodedata.category(c) == "Zs"):
        part = "".join(group)
        pieces.append("".join(c if c.isprintable() else " " for c in part) if shown else code_points(part))
    return pieces


def _escaped(argument: str) -> str:
    def byte(value: int) -> str:
        plain = 32 <= value < 127 and chr(value) not in "'\\"
        return chr(value) if plain else f"\\x{value:02x}"

    return f"$'{''.join(map(byte, argument.encode('utf-8', 'surrogateescape')))}'"
