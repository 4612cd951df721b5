"""What a report consists of, apart from its format: plain values, which `html` and `pdf` draw.

All texts are plain text, strangers' words among them: whoever draws them escapes them.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from dfcore.utils.files import sha256_bytes

Kind = Literal["plain", "small", "strong", "warning"]


@dataclass(frozen=True)
class Text:
    """A paragraph; "strong" is for the words of a verdict, "warning" for what must not be missed."""

    text: str
    kind: Kind = "plain"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for; hashes and numbers to the last digit are `exact`, in a fixed pitch."""

    rows: tuple[tuple[str, str], ...]
    exact: bool = False


@dataclass(frozen=True)
class Grid:
    """A table with a head; each row has as many cells. `exact` as for `Facts`."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    exact: bool = False


@dataclass(frozen=True)
class Shown:
    """A picture.

    Attributes:
        data: The encoded picture.
        kind: "jpeg" or "png".
        alt: What it shows, for those who do not see it.
        caption: What is to be known of it.
        scale: Words below the left and the right end of the colour scale, if it has one.
    """

    data: bytes
    kind: Literal["jpeg", "png"]
    alt: str
    caption: str
    scale: tuple[str, str] | None = None


@dataclass(frozen=True)
class Pictures:
    """Pictures beside each other."""

    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Command:
    """A command to type, by its arguments."""

    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """Words of a person, line by line, with who wrote them and when."""

    text: str
    about: str


Block = Text | Items | Facts | Grid | Pictures | Command | Note


@dataclass(frozen=True)
class Section:
    """A titled part; `level` 3 stands below one of level 2."""

    title: str
    blocks: tuple[Block, ...]
    level: Literal[2, 3] = 2


@dataclass(frozen=True)
class Part:
    """All on one subject, such as a picture: it begins a page.

    Attributes:
        title: Name of the subject.
        sections: What is said of it; those without a block are left out.
    """

    title: str
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sections", tuple(one for one in self.sections if one.blocks))


@dataclass(frozen=True)
class Report:
    """A report, ready to be drawn.

    Attributes:
        title: What it is of.
        parts: Its contents.
        made: When it was made, ISO 8601, UTC.
        by: Who made it.
        tool: Name and version of the program.
        sha256: Hash of the contents, which neither `made` nor `by` changes: made again of the same, it is the same.
        id: The first digits of that hash.
    """

    title: str
    parts: tuple[Part, ...]
    made: str
    by: str
    tool: str
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        contents = {"title": self.title, "tool": self.tool, "parts": [asdict(part) for part in self.parts]}
        text = json.dumps(contents, sort_keys=True, default=_hashed)
        object.__setattr__(self, "sha256", sha256_bytes(text.encode("utf-8", "backslashreplace")))

    @property
    def id(self) -> str:
        """Short name of the report."""
        return self.sha256[:12]


def facts(rows: Sequence[tuple[str, object]], *, exact: bool = False) -> tuple[Facts, ...]:
    """Those of some facts that have a value, as a block; none without any."""
    told = tuple((name, str(value)) for name, value in rows if value not in (None, ""))
    return (Facts(told, exact),) if told else ()


def _hashed(value: Any) -> str:
    if isinstance(value, bytes):
        return sha256_bytes(value)
    raise TypeError(f"Expected plain data or bytes. Received: {type(value).__name__}.")
