"""One thing that was examined."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        area: "packages", "extras", "engines", "sandbox", "fonts" or "folders".
        name: what was examined.
        works: whether it works here.
        detail: what it is, or what is wrong with it.
        advice: what to do about it, a sentence; empty where it works.
        core: whether the library is of no use without it.
    """

    area: str
    name: str
    works: bool
    detail: str
    advice: str = ""
    core: bool = False
