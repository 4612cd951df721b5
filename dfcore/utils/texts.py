"""Text from strangers (names of files and runs, metadata) as it can be shown and stored."""


def printable(text: object) -> str:
    """On one line, with a mark in the place of control characters, overrides of direction and the like."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def storable(name: object) -> str:
    """A file's name as text that every format can hold; bytes that are no UTF-8 are written as \\\\udc.. escapes."""
    return str(name).encode("utf-8", "backslashreplace").decode()
