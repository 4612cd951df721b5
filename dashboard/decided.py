"""How decisions of people, tags and times are shown: never like a detector's verdict."""

from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.markup import plain

if TYPE_CHECKING:
    from dfcore.cases import Decision

WORDS: dict[str | None, str] = {"real": "Real", "fake": "Fake", "undecided": "Undecided", None: "No decision"}
_COLOURS = {"real": "blue", "fake": "orange", "undecided": "gray"}


def in_words(decision: "Decision | None") -> str:
    """What a person decided, as Markdown with a person's icon."""
    if decision is None:
        return ":gray[:material/person: No decision yet]"
    return f":{_COLOURS[decision.decided]}[:material/person: {WORDS[decision.decided]}]"


def told(decision: "Decision") -> str:
    """A decision with who made it, when and why, as Markdown."""
    why = f": {plain(' '.join(decision.why.split()))}" if decision.why else ""
    return f"{in_words(decision)}, decided by {plain(decision.by)} on {when(decision.at)}{why}"


def when(at: str) -> str:
    """A stored time for people, in UTC; as it is if it is none."""
    try:
        return f"{datetime.fromisoformat(at):%d %b %Y, %H:%M} UTC".lstrip("0")
    except ValueError:
        return plain(at)


def short(at: str) -> str:
    """The same for the cell of a table, which sorts as text: "2026-11-26 21:05"."""
    return at.replace("T", " ")[:16]
