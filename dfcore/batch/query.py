"""Which rows of a batch are wanted, and what is found."""

from dataclasses import dataclass
from typing import Any, Literal

Order = Literal["number", "path", "score", "finding", "detector"]


@dataclass(frozen=True)
class Query:
    """Which rows are wanted; all conditions must hold.

    Attributes:
        text: Part of the path, in any letter case.
        findings: Keys of `dfcore.confidence.FINDINGS`, "" for rows without a verdict; None for all.
        detector: Name of the detector that judged; None for any.
        lowest, highest: Limits of the score, within [0, 1]; rows whose score is not used are left out then.
    """

    text: str = ""
    findings: tuple[str, ...] | None = None
    detector: str | None = None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Page:
    """Some of the rows that were found.

    Attributes:
        rows: In the order that was asked for.
        total: Number of all that were found.
    """

    rows: list[dict[str, Any]]
    total: int
