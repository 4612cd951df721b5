"""What follows from the evidence as a whole: whether the file declares itself AI-generated, and the line on top."""

from dataclasses import replace

from dfcore.provenance.evidence import EXTENT_WORDS, Credentials, Evidence, Extent, Remark, Source
from dfcore.provenance.source_types import captured

NOTHING = "The file says nothing of how it was made."
_CONFLICT = Remark(
    "A trusted credential says that a camera captured the picture, but other data in the file declare it AI-generated.",
    "One of the two is wrong. Data outside the credential can be written by anyone, at any time.",
)
_INVALID_MEANING = (
    "An invalid credential proves nothing: not that the picture is genuine, nor that it is fake. Harmless changes such "
    "as resizing by a website break credentials too."
)
# Which declaration the line on top quotes first.
_ORDER = ("credential", "digital source type", "prompt", "label", "generator")


def concluded(evidence: Evidence, *, captured: bool) -> Evidence:
    """The evidence with what follows from it.

    Args:
        evidence: With all its sources.
        captured: Whether a trusted credential says that a camera took the picture, without generative edits.
    """
    extents = {source.declares for source in evidence.sources}
    extent: Extent | None = "generated" if "generated" in extents else "partly" if "partly" in extents else None
    # Only those that say as much as the line on top.
    declaring = sorted(
        (source for source in evidence.sources if extent and source.declares == extent),
        key=lambda source: _ORDER.index(source.kind),
    )
    remarks = list(evidence.remarks)
    if extent and captured:
        remarks.insert(0, _CONFLICT)
    if evidence.credentials.state == "invalid":
        remarks.insert(
            0, Remark(f"The content credential is not valid. {evidence.credentials.reason}", _INVALID_MEANING)
        )
    declares = True if extent else False if captured else None
    text = _summary(evidence, declaring, extent, declares)
    return replace(evidence, declares_generated=declares, extent=extent, summary=text, remarks=tuple(remarks))


def _summary(evidence: Evidence, declaring: list[Source], extent: Extent | None, declares: bool | None) -> str:
    told = evidence.credentials
    if extent:
        words = f"The file declares itself {EXTENT_WORDS[extent]}: {_short(declaring[0], told)}."
        return f"{words} Its content credential is not valid." if told.state == "invalid" else words
    if declares is False:
        return f"A trusted content credential says that a camera captured the picture (signed by {_signer(told)})."
    if told.state == "invalid":
        return f"The file's content credential is not valid and proves nothing. {told.reason}"
    if told.state == "none" and told.reason:
        return "The file names a content credential that is kept elsewhere; it was not fetched."
    if told.state == "trusted":
        return f"The file has a trusted content credential of {_signer(told)}, which says nothing of generative AI."
    if told.state == "unknown_signer":
        claim = next((action.words for action in told.actions if captured(action.source_type)), "")
        says = "it says that a camera captured the picture" if claim else "it says nothing of generative AI"
        return f"The file has a content credential of {_signer(told)}, for whom nobody vouches here; {says}."
    named = {kind: source for source in reversed(evidence.sources) for kind in [source.kind]}
    if "camera" in named or "editor" in named:
        what = [named[kind] for kind in ("camera", "editor") if kind in named]
        parts = [source.details.get("Camera") or next(iter(source.details.values())) for source in what]
        return f"The file says nothing of generative AI; it names {' and '.join(parts)}, which anyone can write."
    return NOTHING


def _short(source: Source, told: Credentials) -> str:
    match source.kind:
        case "credential":
            trusted = "trusted" if told.state == "trusted" else "valid, though its signer is unknown"
            return f"content credential of {_signer(told)} ({trusted})"
        case "prompt":
            name = source.details.get("Generator", "Stable Diffusion").partition(" (")[0]
            what = "prompt" if {"Prompt", "Parameters"} & source.details.keys() else "generation data"
            return f"{name} {what} in its {_place(source)}"
        case "digital source type":
            value = next(iter(source.details.values()), "")
            return f"'{value.rstrip('/').rpartition('/')[2]}' in its XMP"
        case "label":
            return f"a label for AI content in its {_place(source)}"
    value = next(iter(source.details.values()), "")
    return f"{source.place} says '{value[:80]}'"


def _place(source: Source) -> str:
    """Where a source stands, without the name of its field, which a stranger chose."""
    return "pixels" if source.kind == "prompt" and "pixels" in source.place else source.place.partition(" '")[0]


def _signer(told: Credentials) -> str:
    return told.signer or "a signer without a name"
