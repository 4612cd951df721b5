"""The report of a picture from what is stored of it: nothing is judged again."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from dfcore import forensics
from dfcore.cases import History, Judgement, Picture
from dfcore.errors import DfcoreError
from dfcore.explanation import Heatmap
from dfcore.imaging import sandbox
from dfcore.inspection import alarm, answers, aside, maps
from dfcore.inspection.inspect import PREVIEW
from dfcore.provenance import Evidence, read_evidence
from dfcore.reports import evidence as told
from dfcore.reports import notes, pictures, repeat
from dfcore.reports.blocks import Block, Part, Pictures, Section, Shown, Text, facts
from dfcore.reports.of_inspection import answered, of_limits, of_rates, of_thresholds
from dfcore.reports.recalled import Recalled, recall

_NOT_KEPT = "The picture was not kept. What follows is what was stored when it was judged."
_NO_SENTENCES = (
    "The sentences that explained this verdict were not stored, and the detector that gave it is not here any more, or "
    "has changed."
)
_STORED_MAP = "Drawn from the stored map, which holds at most 64 pixels a side."


def of_history(history: History, data: bytes | None) -> Part:
    """All that is stored of a picture, as a part of a report.

    Args:
        history: What is stored.
        data: The picture's file, if it was kept.
    """
    newest = history.judgements[-1] if history.judgements else None
    recalled = recall(newest) if newest else None
    evidence = _evidence(data)
    named = history.picture.name or f"Picture {history.picture.sha256[:12]}"
    said = notes.finding_in_words(newest.finding).capitalize() if newest else "Never judged"
    if recalled:
        said += aside(recalled.verdict, evidence.says if evidence else "something")
    return Part(
        named,
        (
            Section(said, (*_shown(history, recalled, data), *_verdict(newest, recalled, evidence))),
            Section("Measured at the thresholds in use", tuple(_measured(recalled))),
            *beside(history),
            *(told.of_evidence(evidence) if evidence else ()),
            told.of_figures(_figures(data)),
            Section("Limits of the detector", of_limits(recalled.limits) if recalled else ()),
            Section("The file", of_picture(history.picture)),
            Section("Detector and thresholds", tuple(_detector(newest, recalled)) if newest and recalled else ()),
            Section("How to repeat it", _repeat(history.picture, newest)),
        ),
    )


def beside(history: History) -> tuple[Section, ...]:
    """What people decided and wrote of a picture, and every verdict on it."""
    return (
        Section("Decisions", notes.of_decisions(history.decisions)),
        Section("Notes", notes.of_notes(history.notes)),
        Section("Tags", (Text(", ".join(history.tags)),) if history.tags else ()),
        Section("All stored verdicts, the newest first", notes.of_judgements(history.judgements)),
    )


def of_picture(picture: Picture) -> tuple[Block, ...]:
    """Properties and hashes of a file, as stored."""
    size = f"{picture.width} x {picture.height} pixels, {picture.bytes:,} bytes" if picture.width else ""
    hashes = [
        ("SHA-256 of the file", picture.sha256),
        ("SHA-256 of the pixels", picture.pixels_sha256),
        ("Perceptual hash", picture.phash),
    ]
    return (*facts([("Format", picture.format), ("Size", size)]), *facts(hashes, exact=True))


def _shown(history: History, recalled: Recalled | None, data: bytes | None) -> Iterator[Block]:
    rgb = _pixels(data)
    if rgb is None:
        yield Text(_NOT_KEPT if data is None else "The picture was kept, but cannot be read any more.", "warning")
        return
    caption = f"The picture as it was kept, at most {PREVIEW} pixels a side here."
    shown = [pictures.of_pixels(rgb, history.picture.name, caption)]
    if recalled and recalled.verdict.is_used and (stored := recalled.heatmap):
        shown.append(_map(rgb, recalled, *stored))
    yield Pictures(tuple(shown))


def _map(rgb: np.ndarray, recalled: Recalled, heatmap: Heatmap, view: str) -> Shown:
    size = (rgb.shape[1], rgb.shape[0])
    values = np.asarray(Image.fromarray(heatmap.values).resize(size, Image.Resampling.NEAREST))
    large = Heatmap(values, heatmap.peak, heatmap.method, heatmap.target, heatmap.layer)
    told = maps.in_words(heatmap, view, recalled.verdict, recalled.card)
    return pictures.of_heatmap(rgb, large, f"{told} {_STORED_MAP}")


def _verdict(one: Judgement | None, recalled: Recalled | None, evidence: Evidence | None) -> Iterator[Block]:
    if one is None or recalled is None:
        return
    yield from facts([("Judged", one.at), ("By", one.by), ("With", one.title or one.detector), ("Reason", one.reason),
                      ("Error", one.error)])  # fmt: skip
    if recalled.card is None:
        yield Text(_NO_SENTENCES, "small")
        return
    says = evidence.says if evidence else "something"
    said = answers(recalled.card, recalled.verdict, recalled.rates, chosen="it was in use then", kind=recalled.kind,
                   file_says=says)  # fmt: skip
    yield from answered(said, alarm(recalled.verdict, recalled.rates))


def _measured(recalled: Recalled | None) -> Iterator[Block]:
    if recalled is None or recalled.card is None or recalled.verdict.score is None:
        return
    if not recalled.verdict.is_used:
        yield Text("These figures do not hold for this picture: its score was not used.", "warning")
    yield from of_rates(recalled.rates)


def _detector(one: Judgement, recalled: Recalled) -> Iterator[Block]:
    here = "" if recalled.card else "It is not here any more, or has changed."
    yield from facts([("Detector", one.title), ("Name", one.detector), ("Engine", one.engine),
                      ("Program", f"dfcore {one.tool}" if one.tool else ""), ("Today", here)])  # fmt: skip
    hashes = [("SHA-256 of its network", one.model_sha256), ("SHA-256 of its card", one.card_sha256)]
    yield from facts(hashes, exact=True)
    if recalled.verdict.thresholds is not None:
        yield from of_thresholds(recalled.verdict.thresholds)


def _repeat(picture: Picture, one: Judgement | None) -> tuple[Block, ...]:
    return () if one is None or one.score is None else tuple(repeat.of_judgement(one, picture.sha256))


def _pixels(data: bytes | None) -> np.ndarray | None:
    try:
        return None if data is None else sandbox.decode(data, PREVIEW)
    except DfcoreError:
        return None


def _evidence(data: bytes | None) -> Evidence | None:
    try:
        return None if data is None else read_evidence(data)
    except DfcoreError as error:
        return Evidence(summary="What the file says of itself could not be read.", unreadable=(str(error),))


def _figures(data: bytes | None) -> dict | None:
    try:
        return None if data is None else forensics.figures(data)
    except DfcoreError:
        return None
