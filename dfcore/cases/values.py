"""What the store of cases holds and answers, as plain values.

All times are ISO 8601 in UTC, all hashes hexadecimal. The numbers of judgements, notes and decisions are those of their
entries in the log.
"""

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from dfcore.confidence import Finding

Via = Literal["inspect", "batch", "watch", "again"]
VIAS: tuple[Via, ...] = ("inspect", "batch", "watch", "again")
Decided = Literal["real", "fake", "undecided"]
DECIDED: tuple[Decided, ...] = ("real", "fake", "undecided")
How = Literal["file", "pixels", "alike"]
T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A picture, known by the hash of its file.

    Attributes:
        sha256: SHA-256 of the file's content.
        pixels_sha256: SHA-256 of the decoded pixels; "" if unknown.
        phash: Perceptual hash, 16 digits, the first of `dfcore.imaging.signature.Signature.hashes`; "" if unknown.
        name: File name or path as it was first given.
        format: Name of the file format; "" if unknown.
        width, height: Size in pixels; 0 if unknown.
        bytes: Size of the file; 0 if unknown.
        mirrored: Perceptual hash of the mirror image; "" if unknown.
    """

    sha256: str
    pixels_sha256: str = ""
    phash: str = ""
    name: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    mirrored: str = ""


@dataclass(frozen=True)
class Judgement:
    """A detector's verdict on a picture, with all that is needed to repeat it.

    Attributes:
        id: Number of its entry; 0 if it is not stored yet.
        picture: SHA-256 of the file; filled in by `Store.remember`.
        name: File name or path as given this time.
        at: When it was judged; "" for now.
        by: Who had it judged.
        detector: Key of the detector: its name in the library, or "run:ID".
        title: Its title.
        model_sha256: Hash of its network.
        card_sha256: Hash of its card, which covers network, calibration and thresholds.
        tool: Version of dfcore.
        engine: Engine that ran it.
        score: P(fake) in [0, 1]; None if it could not be judged.
        logit: The network's output; None if unknown.
        finding: What was said of it, a key of `dfcore.confidence.FINDINGS`; None if it could not be judged.
        decision: The three-way decision; None if it could not be judged.
        reason: Why it is inconclusive.
        thresholds: The thresholds in use; None if unknown.
        ignore_ood: Whether an out-of-distribution picture was decided by its score too.
        error: Why it could not be judged.
        record: What `dfcore.inspection.record` gives; None for batches, and where only lists are asked for.
        via: What judged it.
        ood: Whether it was out of distribution; None if unknown.
        gate_sha256: Hash of how the card has pictures prepared and refused; "" if unknown.
    """

    picture: str
    detector: str
    card_sha256: str
    id: int = 0
    name: str = ""
    at: str = ""
    by: str = ""
    title: str = ""
    model_sha256: str = ""
    tool: str = ""
    engine: str = ""
    score: float | None = None
    logit: float | None = None
    finding: Finding | None = None
    decision: str | None = None
    reason: str | None = None
    thresholds: dict[str, Any] | None = None
    ignore_ood: bool = False
    error: str | None = None
    record: dict[str, Any] | None = field(default=None, repr=False)
    via: str = "inspect"
    ood: bool | None = None
    gate_sha256: str = ""

    @property
    def is_used(self) -> bool:
        """Whether the score decided: not where it could not be judged, or was out of distribution."""
        return self.score is not None and (self.ignore_ood or not self.ood)


@dataclass(frozen=True)
class Case:
    """A case: pictures that belong together, and what people said of them.

    Attributes:
        id: Its number, from 1.
        title: Its title.
        created: When it was opened.
        by: Who opened it.
        closed: When it was closed; None while it is open.
        tags: Its tags, sorted.
        pictures: Number of pictures filed in it.
    """

    id: int
    title: str
    created: str
    by: str
    closed: str | None = None
    tags: tuple[str, ...] = ()
    pictures: int = 0


@dataclass(frozen=True)
class Note:
    """What somebody wrote on a case, a picture, or a picture in a case."""

    id: int
    case: int | None
    picture: str | None
    text: str
    by: str
    at: str


@dataclass(frozen=True)
class Decision:
    """What somebody decided of a picture; the newest counts, older ones stay."""

    id: int
    picture: str
    case: int | None
    decided: str
    why: str
    by: str
    at: str


@dataclass(frozen=True)
class History:
    """All that is known of a picture, each list from the oldest to the newest.

    Attributes:
        picture: The picture.
        judgements: All verdicts, with their records.
        notes: Notes on it.
        decisions: Decisions on it; the last one counts.
        tags: Its tags, sorted.
        cases: Cases in which it is filed.
        image: Whether the picture itself is kept.
    """

    picture: Picture
    judgements: tuple[Judgement, ...]
    notes: tuple[Note, ...]
    decisions: tuple[Decision, ...]
    tags: tuple[str, ...]
    cases: tuple[Case, ...]
    image: bool = False


@dataclass(frozen=True)
class Row:
    """A picture in a list: its newest judgement (without the record) and decision, its tags and cases."""

    picture: Picture
    judgement: Judgement | None
    decision: Decision | None
    tags: tuple[str, ...]
    cases: tuple[Case, ...]
    image: bool = False


@dataclass(frozen=True)
class Seen:
    """A picture that was judged before.

    Attributes:
        picture: As it was known then.
        how: Why it is the same: the same file, the same pixels, or pixels that look alike.
        bits: Bits of 64 by which the perceptual hashes differ; 0 for the same file or pixels.
        mirrored: Whether it is alike as its mirror image.
        judgements: All verdicts on it, from the oldest to the newest, without records.
        decision: The newest decision on it.
        cases: Cases in which it is filed.
    """

    picture: Picture
    how: How
    bits: int = 0
    mirrored: bool = False
    judgements: tuple[Judgement, ...] = ()
    decision: Decision | None = None
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Query:
    """What to search pictures by; what is left as it is does not narrow the search.

    Attributes:
        text: Words in names, notes and tags, or the beginning of the file's hash; all must occur, case is ignored.
        finding: Finding of the newest judgement, a key of `dfcore.confidence.FINDINGS`; "none" for those not judged.
        decided: The newest decision; "none" for pictures without one.
        detector: Key of the detector of the newest judgement.
        tag: A tag of the picture.
        case: Number of a case in which it is filed.
        via: What made the newest judgement.
        since, until: When the newest judgement was made; a day alone is included as a whole.
        lowest, highest: Limits of the newest judgement's score, inclusive.
    """

    text: str = ""
    finding: str | None = None
    decided: str | None = None
    detector: str | None = None
    tag: str | None = None
    case: int | None = None
    via: str | None = None
    since: str | None = None
    until: str | None = None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Found(Generic[T]):
    """A page of results, and the number of all results."""

    rows: tuple[T, ...]
    total: int


@dataclass(frozen=True)
class Head:
    """The newest entry of the log: its number, its hash, and when it was written; 0 and "" if there is none."""

    number: int = 0
    hash: str = ""
    at: str = ""


@dataclass(frozen=True)
class Problem:
    """What does not hold.

    Attributes:
        number: Number of the entry; None where it is not one entry.
        kind: "altered", "removed", "inserted", "emptied", "image" or "head".
        text: In words.
    """

    number: int | None
    kind: str
    text: str


@dataclass(frozen=True)
class Verification:
    """Result of checking the log.

    Attributes:
        rows: Number of entries that were checked.
        head: The newest entry.
        problems: What does not hold; empty if all holds.
    """

    rows: int
    head: Head
    problems: tuple[Problem, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was altered, removed or inserted."""
        return not self.problems


@dataclass(frozen=True)
class Pruned:
    """What was deleted by age: numbers of pictures and cases, and of old pictures spared since their case is open."""

    pictures: int
    cases: int
    spared: int
