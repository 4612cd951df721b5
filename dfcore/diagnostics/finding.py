"""The result of a check."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of checking one item.

    Attributes:
        area: "packages", "extras", "engines", "sandbox", "fonts", "folders" or "trackers".
        name: The item checked.
        works: Whether it works here.
        detail: Its version or state, or what is wrong with it.
        advice: What to do about it, as a sentence; empty if it works.
        core: Whether the library is unusable without it.
    """

    area: str
    name: str
    works: bool
    detail: str
    advice: str = ""
    core: bool = False
