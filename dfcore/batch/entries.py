"""Files to judge that are no paths: entries of an archive, and files that were given under another name."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dfcore.datasets.walk import Found


@dataclass(frozen=True)
class Entry:
    """One file to judge, wherever its content lies.

    Attributes:
        name: What its row calls it.
        read: Gets its content. Raises `ImageError` if it cannot be had, or is larger than an image may be.
        stamp: Differs once the content does, such as that of the archive; None if nothing tells.
        origin: How to find the content again, plain data.
    """

    name: str
    read: Callable[[], bytes] = field(compare=False)
    stamp: str | None = None
    origin: tuple[str | int, ...] = ()


# What is to be judged, or was left out.
ToJudge = Found | Entry
