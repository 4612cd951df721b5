"""What a data set is made of, in the messages about it: images, or films where a folder of films is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NOUN = ContextVar("noun", default="image")


@contextmanager
def films() -> Iterator[None]:
    """What is said meanwhile is said of films."""
    token = _NOUN.set("film")
    try:
        yield
    finally:
        _NOUN.reset(token)


def one() -> str:
    """E.g. "image"."""
    return _NOUN.get()


def many() -> str:
    """E.g. "images"."""
    return f"{one()}s"
