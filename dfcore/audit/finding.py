"""Findings of an audit, and their JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from dfcore.errors import InputError
from dfcore.utils.files import write_text
from dfcore.utils.texts import printable

Severity = Literal["high", "medium", "low", "ok"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
# Names kept of each finding for galleries and reports; `count` always holds the full number.
MOST_SHOWN = 200


class Finding(BaseModel):
    """One answer of the audit: a fault, or a check that was passed ("ok").

    Attributes:
        kind: Name of the check, e.g. "shortcuts" or "leaks"; several findings may share it.
        severity: "high" makes results worthless, "medium" wrong by an unknown amount, "low" is worth knowing, "ok" is
            a check that was passed or could not be made; the title says which.
        title: What was found, in one sentence.
        meaning: What it means for a detector trained or measured on the data.
        advice: What to do; empty if there is nothing to do.
        count: Number of images concerned (of pairs, if there are pairs).
        images: Paths of images concerned, relative to the data set's folder, the most telling first; at most
            `MOST_SHOWN`.
        pairs: Pairs of paths to be shown side by side, the most alike first; at most `MOST_SHOWN`.
        figures: Numbers behind the finding by name, e.g. auc, auc_low, auc_high.
        details: Sentences with particulars, e.g. which facts tell the classes apart.
        exclude: Pixel hashes to add to `Reading.excluded`, which settles it without touching files.
        together: Groups of pixel hashes to add to `Reading.together`, so that they never part between splits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    severity: Severity
    title: str
    meaning: str
    advice: str = ""
    count: int = 0
    images: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    figures: dict[str, float] = {}
    details: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()


class Audit(BaseModel):
    """The findings on one data set.

    Attributes:
        root: Folder of the data set.
        dataset: Its name.
        fingerprint: Its fingerprint, see `Dataset.fingerprint`.
        images, real, fake: Number of usable images, in total and by class.
        seed: Seed of samples and folds.
        created: Time in ISO 8601, UTC.
        findings: The most severe first.
        notes: Limits of this audit, e.g. that probes looked at a sample.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    root: str
    dataset: str
    fingerprint: str
    images: int
    real: int
    fake: int
    seed: int = 0
    created: str = ""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> Severity:
        """The highest severity among the findings; "ok" without findings."""
        return min((finding.severity for finding in self.findings), key=SEVERITIES.index, default="ok")

    def of(self, *severities: Severity) -> tuple[Finding, ...]:
        """The findings of some severities."""
        return tuple(finding for finding in self.findings if finding.severity in severities)

    def kind(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one check."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def counts(self) -> dict[Severity, int]:
        """Number of findings by severity."""
        return {severity: len(self.of(severity)) for severity in SEVERITIES}

    def to_json(self) -> str:
        """This audit as indented JSON."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Audit":
        """Reads what `to_json` wrote.

        Raises:
            InputError: If it is not an audit.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"Expected the JSON of an audit. Received: {printable(text)[:60]!r} ({error}).") from None

    def write(self, path: Path) -> None:
        """Writes the JSON to a file.

        Raises:
            StorageError: If it cannot be written.
        """
        write_text(path, self.to_json())


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Sorts findings, the most severe first; findings of one severity keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
