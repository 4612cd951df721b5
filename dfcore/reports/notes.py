"""What people decided and wrote, and every verdict on a picture, as blocks."""

from collections.abc import Sequence

from dfcore.cases import Decision, Judgement
from dfcore.cases import Note as Written
from dfcore.confidence import FINDINGS
from dfcore.reports.blocks import Block, Grid, Note

_VIA = {"inspect": "Inspect", "batch": "a batch", "watch": "a watched folder", "again": "judging again"}


def finding_in_words(finding: str | None) -> str:
    """What is said of a picture, by the key of `dfcore.confidence.FINDINGS` that is stored; of none "no verdict"."""
    return {str(key): words for key, words in FINDINGS.items()}.get(finding or "", "no verdict")


def of_decisions(decisions: Sequence[Decision]) -> tuple[Block, ...]:
    """Decisions, the newest first: that one counts."""
    if not decisions:
        return ()
    rows = tuple((one.decided, one.by, one.at, one.why) for one in reversed(decisions))
    return (Grid(("Decided (the first row counts)", "By", "When", "Why"), rows),)


def of_notes(written: Sequence[Written]) -> tuple[Block, ...]:
    """Notes, the oldest first."""
    return tuple(Note(one.text, f"{one.by}, {one.at}") for one in written)


def of_judgements(judgements: Sequence[Judgement]) -> tuple[Block, ...]:
    """All verdicts beside each other, the newest first; scores of one detector can be compared, of two not."""
    if not judgements:
        return ()

    def row(one: Judgement) -> tuple[str, ...]:
        score = repr(one.score) if one.is_used else "not used" if one.score is not None else ""
        said = finding_in_words(one.finding)
        how = f"{_VIA.get(one.via, one.via)}, dfcore {one.tool}" if one.tool else _VIA.get(one.via, one.via)
        return one.at, one.by, one.title or one.detector, said, score, one.error or one.reason or "", how

    head = ("When", "By", "Detector", "Verdict", "Score", "Remark", "How")
    return (Grid(head, tuple(row(one) for one in reversed(judgements))),)
