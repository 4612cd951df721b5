"""The rows of a film over time: as a table, as stretches that are called likely fake, and its worst moments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dfcore.films.rows import JudgedSample, Row, all_rows, series
from dfcore.utils.files import write_text
from dfcore.utils.texts import cell

# Columns of a timeline, with the type of each.
COLUMNS = {
    "sample": "int64", "frame": "int64", "seconds": "float64", "track": "Int64", "left": "float64", "top": "float64",
    "right": "float64", "bottom": "float64", "detector": "string", "version": "string", "score": "float64",
    "logit": "float64", "is_ood": "bool", "is_used": "bool", "finding": "string", "reason": "string",
}  # fmt: skip


@dataclass(frozen=True)
class Stretch:
    """Samples in a row that are called likely fake; those whose score is not used neither belong to it nor end it.

    Attributes:
        track: Number of the face's track; None for the whole frame.
        start, end: Times of the first and the last of them, in seconds.
        samples: Their number.
        highest: The highest score.
    """

    track: int | None
    start: float
    end: float
    samples: int
    highest: float


def table(samples: Iterable[JudgedSample]) -> pd.DataFrame:
    """All rows of a film, with `COLUMNS`; empty cells where there is no value."""
    rows = [
        {name: getattr(row, name) for name in COLUMNS if hasattr(row, name)}
        | dict(zip(("left", "top", "right", "bottom"), row.box or (None,) * 4, strict=True))
        for row in all_rows(samples)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def to_csv(samples: Iterable[JudgedSample]) -> str:
    """The table as CSV, safe for spreadsheets; `track` is empty for whole frames."""
    found = table(samples)
    for name in ("detector", "reason"):
        found[name] = found[name].map(cell, na_action="ignore")
    return found.to_csv(index=False, lineterminator="\n")


def write_csv(path: Path, samples: Iterable[JudgedSample]) -> None:
    """Writes the table as CSV.

    Raises:
        StorageError: If it cannot be written.
    """
    write_text(path, to_csv(samples))


def stretches(rows: Iterable[Row]) -> list[Stretch]:
    """Stretches that are called likely fake, of the whole frame and of each track, by their beginning."""
    result = []
    for track, found in series(rows).items():
        now: list[Row] = []
        used = [row for row in found if row.is_used]
        for row in [*used, None]:
            if row is not None and row.finding == "fake":
                now.append(row)
            elif now:
                highest = max(one.score or 0.0 for one in now)
                result.append(Stretch(track, now[0].seconds, now[-1].seconds, len(now), highest))
                now = []
    return sorted(result, key=lambda one: (one.start, one.track or 0))


def worst(rows: Sequence[Row], most: int = 5, apart: float = 1.0) -> list[Row]:
    """The moments with the highest scores that are used, by falling score.

    Args:
        rows: Rows of a film, of frames and faces.
        most: Most moments.
        apart: Least seconds between two of them.
    """
    kept: list[Row] = []
    used = (row for row in rows if row.is_used and row.score is not None)
    for row in sorted(used, key=lambda row: (-(row.score or 0.0), row.seconds, row.track or 0)):
        if len(kept) == most:
            break
        if all(abs(row.seconds - other.seconds) >= apart for other in kept):
            kept.append(row)
    return kept
