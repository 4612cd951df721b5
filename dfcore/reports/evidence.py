"""What a file says of itself, and what forensic views measured, as sections of a report."""

from collections.abc import Iterator
from typing import Any

from dfcore import forensics
from dfcore.provenance import CREDENTIAL_WORDS, Credentials, Evidence, Source
from dfcore.reports.blocks import Block, Grid, Items, Section, Text, facts

_NO_TRACE = "Apart from a content credential, nothing in the file names a generator, an editor or a camera."
_MISSING = "A missing credential means nothing: most cameras and programs write none, and most platforms remove them."
_METADATA = "Names and texts as they stand in the file. Anyone can write or remove them. Long texts are cut."
_FIGURES = "None of these is a verdict. Each says how to read it, and when it misleads."
_DECLARED = {"generated": "declares AI", "partly": "declares AI in part", None: ""}


def of_evidence(evidence: Evidence) -> tuple[Section, ...]:
    """What the file says of itself: credential, traces, remarks, metadata."""
    return (
        Section("What the file says of itself", (Text(evidence.summary, "strong"), *_traces(evidence))),
        Section("Content credential (C2PA)", tuple(_credential(evidence.credentials)), 3),
        Section("Metadata", tuple(_metadata(evidence)), 3),
    )


def of_figures(figures: dict[str, Any] | None) -> Section:
    """Forensic figures; without a block if there are none."""
    return Section("Forensic figures", tuple(_figures(figures)) if figures else ())


def _traces(evidence: Evidence) -> Iterator[Block]:
    yield Items(tuple(_source(one) for one in evidence.sources)) if evidence.sources else Text(_NO_TRACE)
    for source in evidence.sources:
        if source.kind != "credential":  # Its details stand with the credential.
            yield from facts(tuple(source.details.items()))
    remarks = [f"{remark.text} {remark.meaning}" for remark in evidence.remarks] + list(evidence.unreadable)
    if evidence.thumbnail and evidence.thumbnail.differs:
        remarks.append("The small picture inside the EXIF data shows something else than the picture.")
    if remarks:
        yield Items(tuple(remarks))
    yield from facts(
        [("JPEG", evidence.jpeg.words if evidence.jpeg else ""),
         ("Place, by EXIF", evidence.location.words if evidence.location else "")]
    )  # fmt: skip


def _source(source: Source) -> str:
    declares = f" ({_DECLARED[source.declares]})" if source.declares else ""
    return f"{source.text} Where: {source.place}.{declares}"


def _credential(told: Credentials) -> Iterator[Block]:
    title, meaning = CREDENTIAL_WORDS[told.state]
    yield Text(f"{title}. {meaning} {told.reason}".strip())
    if told.state == "none":
        yield Text(_MISSING, "small")
    rows = [("Signed by", told.signer), ("Made with", told.generator), ("Signed at, by its time stamp", told.time)]
    rows += [
        (f"Step {number}", " · ".join(part for part in (one.words, one.software, one.when) if part))
        for number, one in enumerate(told.actions, 1)
    ]
    rows += [
        (f"Made from ({one.relationship or 'ingredient'}) {number}",
         " · ".join(part for part in (one.title or "untitled", _DECLARED[one.declares]) if part))
        for number, one in enumerate(told.ingredients, 1)
    ]  # fmt: skip
    shown = facts(rows)
    if shown and told.state == "invalid":
        yield Text("What it says, which does not count:", "small")
    yield from shown


def _metadata(evidence: Evidence) -> Iterator[Block]:
    if not evidence.metadata:
        yield Text("There is none that can be read.")
        return
    yield Text(_METADATA, "small")
    rows = [(group, name, text) for group, texts in evidence.metadata.items() for name, text in texts.items()]
    yield Grid(("Group", "Name", "Text"), tuple(rows))
    yield from (
        Text(f"{count:,} more entries of {group} are not shown.", "small") for group, count in evidence.left_out.items()
    )


def _figures(figures: dict[str, Any]) -> Iterator[Block]:
    yield Text(_FIGURES, "small")
    rows = []
    for key, view in figures["views"].items():
        kind = forensics.VIEWS[key]
        rows.append((kind.title, " ".join(view["words"]), f"{kind.reads} {kind.misleads}"))
    yield Grid(("View", "Figures", "How to read them, and when they mislead"), tuple(rows))
    if figures["left_out"]:
        left = ", ".join(forensics.VIEWS[key].title for key in figures["left_out"])
        yield Text(f"Not computed, since they take longer: {left}.", "small")
