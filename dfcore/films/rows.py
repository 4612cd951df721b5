"""What is kept of a film: for each sample a row for the whole frame, and one for each face."""

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from dfcore.confidence import FINDINGS, Finding
from dfcore.films.sampling import Position
from dfcore.films.tracks import Box

# Why a damaged sample is not judged.
DAMAGED = "Parts of the frame are missing in the file, so it is not judged."
# What the reason of a face that is too small to be judged begins with.
TOO_SMALL = "This face is not judged: "


@dataclass(frozen=True, slots=True)
class Row:
    """What a detector said of a frame, or of a face in it.

    Attributes:
        sample: Number of the sample, from 0.
        frame: Number of the frame in the film, from 0.
        seconds: Its time.
        track: Number of the face's track, from 1; None for the whole frame.
        box: Left, top, right and bottom of the face in pixels, as `dfcore.faces.find_faces` gave it; None for the whole
            frame.
        detector: Name of the detector; None where none judged.
        version: Hash of its card, and of how it has faces cropped; "" where none judged.
        score: P(fake) in [0, 1]; None where none judged.
        logit: The network's output behind it.
        is_ood: Whether the picture is unlike those that the detector was trained on.
        is_used: Whether the score decides, see `dfcore.detectors.verdict.Verdict`.
        finding: What is said, a key of `dfcore.confidence.FINDINGS`; None where none judged.
        reason: Why it is inconclusive, or why none judged; None otherwise.
    """

    sample: int
    frame: int
    seconds: float
    track: int | None
    box: Box | None
    detector: str | None
    version: str
    score: float | None
    logit: float | None
    is_ood: bool
    is_used: bool
    finding: Finding | None
    reason: str | None

    @property
    def says(self) -> str:
        """What it says in words, as `Verdict.says`."""
        if self.finding is None:
            return "no verdict"
        return FINDINGS[self.finding] if self.is_used else "does not apply"


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """A sample with all that was found in it; one line of what is kept.

    Attributes:
        position: Where it lies.
        width, height: Size of the frame in pixels.
        damaged: Whether parts of the frame are missing; it is then not judged.
        rows: First that of the whole frame, then those of its faces by falling score of the finder.
        thumbnail: Place and length of its thumbnail in a job's file; None if there is none.
    """

    position: Position
    width: int
    height: int
    damaged: bool
    rows: tuple[Row, ...]
    thumbnail: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        rows = [{field.name: getattr(row, field.name) for field in fields(Row)} for row in self.rows]
        place = {field.name: getattr(self.position, field.name) for field in fields(Position)}
        return {
            "position": place, "width": self.width, "height": self.height, "damaged": self.damaged, "rows": rows,
            "thumbnail": self.thumbnail,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "JudgedSample":
        """From plain data; raises KeyError, TypeError or ValueError for something else."""
        position = Position.from_dict(values["position"])
        rows = tuple(_row(one) for one in values["rows"])
        if not rows or any(row.sample != position.index for row in rows):
            raise ValueError("a sample without its rows")
        thumbnail = values["thumbnail"] and tuple(map(int, values["thumbnail"]))
        return cls(position, int(values["width"]), int(values["height"]), bool(values["damaged"]), rows, thumbnail)

    def with_thumbnail(self, place: tuple[int, int]) -> "JudgedSample":
        """The same with the place of its thumbnail."""
        return replace(self, thumbnail=place)


def all_rows(samples: Iterable[JudgedSample]) -> Iterator[Row]:
    """The rows of samples, one after the other."""
    return (row for sample in samples for row in sample.rows)


def series(rows: Iterable[Row]) -> dict[int | None, list[Row]]:
    """Rows by track, the whole frame (None) first, then by number; each in the order of time."""
    found: dict[int | None, list[Row]] = {}
    for row in rows:
        found.setdefault(row.track, []).append(row)
    return {track: found[track] for track in sorted(found, key=lambda track: track or 0)}


def _row(values: dict[str, Any]) -> Row:
    # These are the same in row after row.
    same = {name: values[name] and sys.intern(values[name]) for name in ("detector", "version", "finding", "reason")}
    row = Row(**(values | same | {"box": values["box"] and tuple(map(float, values["box"]))}))
    sound = row.finding is None or row.finding in FINDINGS
    if not sound or not math.isfinite(row.seconds) or not (row.score is None or 0 <= row.score <= 1):
        raise ValueError("a row that none wrote")
    return row
