"""Makes untrusted text (names of files and runs, metadata) safe to show and store."""

import unicodedata

# With these a spreadsheet begins a formula, some after having skipped what does not print.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def pasted(text: str) -> str:
    """What a person gave, without space around it and without invisible signs, which a copy from a page may hold."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf").strip()


def printable(text: object) -> str:
    """One line of text; control characters, direction overrides and the like become U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def storable(name: object) -> str:
    """A file name as valid Unicode; bytes that are not UTF-8 become \\\\udc.. escapes."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def cell(value: object) -> object:
    """A value for a CSV file as spreadsheets may have it: a text that they take for a formula gets a "'" before it.

    Names of files are strangers' words, and a formula can send what is in the table to them.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def shortened(text: str, most: int) -> str:
    """The first words of a text that has more than `most` characters, with "…" for the rest."""
    return text if len(text) <= most else f"{text[: most - 1].rpartition(' ')[0] or text[: most - 2]} …"


def duration(seconds: float | None) -> str:
    """Formats seconds: "40 s", "3 min", "2 h 5 min"; "" for None."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage of at most three digits, so that a small one does not become 0%: "0.1%"."""
    return f"{100 * share:.3g}%"


def counted(number: int, one: str, many: str) -> str:
    """A number with what is counted, in the singular or plural: "1 image is", "2 images are"."""
    return f"{number} {one if number == 1 else many}"


def volume(size: int | None) -> str:
    """Formats a number of bytes: "1.7 GB", where 1 GB are 10^9; "unknown" for None."""
    if size is None:
        return "unknown"
    for unit, least in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{size} bytes"
