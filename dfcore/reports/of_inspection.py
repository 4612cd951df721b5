"""The report of one picture, from its inspection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dfcore.confidence import FINDINGS, DecisionThresholds
from dfcore.detectors.trained_on import in_words
from dfcore.detectors.verdict import Verdict
from dfcore.evaluation import MeasuredRates
from dfcore.imaging import ImageFacts
from dfcore.inspection import Alarm, Answers, aside, maps
from dfcore.inspection.faces import not_judged
from dfcore.inspection.inspect import Inspection
from dfcore.reports import evidence, pictures, repeat
from dfcore.reports.blocks import Block, Grid, Items, Part, Pictures, Section, Text, facts
from dfcore.reports.versions import versions
from dfcore.utils.texts import percent

_LARGEST = "The picture, at most {side} pixels a side here; it has {width} x {height}."
_TOGETHER = (
    "Each score lies on a scale of its own: 0.8 of one detector is not 0.8 of another. Agreement counts for less than "
    "it seems where detectors learned from the same images."
)

_EACH_FACE = (
    "Each face was cut out of the original's own pixels, framed as the faces that the detector learned from, and "
    "judged by itself. A verdict on a face says nothing of the rest of the picture, nor the other way round."
)


@dataclass(frozen=True)
class Asked:
    """How an inspection was asked for, so that it can be asked for again.

    Attributes:
        detector: Bundle, run or name that was given; "auto" if the one that fits was to be chosen.
        options: The further options that bear on the figures, as on the command line.
        path: The file as it was given; its name if None.
    """

    detector: str
    options: tuple[str, ...] = ()
    path: str | None = None


def of_inspection(one: Inspection, asked: Asked, more: Sequence[Section] = ()) -> Part:
    """All that an inspection found, as a part of a report.

    Args:
        one: The inspection.
        asked: How it was asked for.
        more: What else is known of the picture, such as notes, decisions and earlier verdicts.
    """
    said = FINDINGS[one.verdict.finding].capitalize() if one.verdict.finding else "No verdict"
    return Part(
        one.name,
        (
            Section(f"{said}{aside(one.verdict, one.evidence.says)}", tuple(_verdict(one))),
            Section("Measured at the thresholds in use", tuple(_measured(one))),
            Section("All detectors", tuple(_detectors(one))),
            Section("Faces", tuple(_faces(one))),
            *more,
            *evidence.of_evidence(one.evidence),
            evidence.of_figures(one.figures),
            Section("Limits of the detector", of_limits(one.card.limits) if one.facts else ()),
            Section("The file", of_facts(one.facts) if one.facts else ()),
            Section("Detector and thresholds", tuple(_detector(one)) if one.facts else ()),
            Section("Versions", facts(versions())),
            Section("How to repeat it", tuple(repeat.of_inspection(one, asked)) if one.facts else ()),
        ),
    )


def answered(said: Answers, worth: Alarm | None) -> tuple[Block, ...]:
    """The four answers, and what an alarm is worth, word for word and in the order of the page."""
    return facts([("Conclusion", said.conclusion), ("How sure", said.sure), ("Why", said.why),
                  ("How often an alarm is right", worth.in_words if worth else ""), ("Next", said.next)])  # fmt: skip


def of_limits(limits: Sequence[str]) -> tuple[Block, ...]:
    """What a detector's card says that it cannot do."""
    return (Items(tuple(limits)),) if limits else ()


def of_facts(told: ImageFacts) -> tuple[Block, ...]:
    """Properties and hashes of a file."""
    rows = [
        ("Format", told.format + (", animated: the first frame is judged" if told.animated else "")),
        ("Size", f"{told.width} x {told.height} pixels, {told.bytes:,} bytes"),
        ("Pixel mode", told.mode),
        ("How it was read", " ".join(told.notes)),
    ]
    hashes = [("SHA-256 of the file", told.sha256), ("SHA-256 of the pixels", told.pixels_sha256)]
    return (*facts(rows), *facts(hashes, exact=True))


def of_thresholds(at: DecisionThresholds) -> tuple[Block, ...]:
    """Thresholds to the last digit, and what they were chosen for."""
    exact = [("Likely fake from", repr(at.fake_from)), ("Lower threshold", repr(at.real_below))]
    if not at.images:
        return (*facts(exact, exact=True), Text("One threshold: the detector's card has no error budgets."))
    chosen = (
        f"Chosen for at most {percent(at.budget.max_fpr)} false alarms and {percent(at.budget.max_fnr)} missed fakes, "
        f"on {at.images:,} images ({at.chosen_on}), of which {at.abstention_rate:.0%} are inconclusive. This holds "
        "only for images like those."
    )
    return (*facts(exact, exact=True), Text(chosen))


def _verdict(one: Inspection) -> Iterator[Block]:
    yield Text(one.evidence.summary, "small")
    if one.verdict.seen.found:
        yield Text(in_words(one.verdict.seen), "warning")
    yield from answered(one.answers, one.alarm)
    if one.preview is None or one.facts is None:
        return
    caption = _LARGEST.format(side=max(one.preview.shape), width=one.facts.width, height=one.facts.height)
    shown = [pictures.of_pixels(one.preview, one.name, caption)]
    if one.heatmap is not None:
        view = one.card.spec.view_titles[one.heatmap.view]
        told = maps.in_words(one.heatmap, view, one.verdict, one.card)
        shown.append(pictures.of_heatmap(one.preview, one.heatmap, told))
    yield Pictures(tuple(shown))
    if not one.verdict.is_used:
        yield Text(maps.NO_MAP, "small")


def of_rates(rates: MeasuredRates | None) -> tuple[Block, ...]:
    """What a detector was measured to do at thresholds."""
    if rates is None:
        return (Text("The detector has no stored figures on pictures of both classes."),)
    rows = (
        ("Real pictures called likely fake", rates.alarms, rates.real),
        ("Fakes called likely fake", rates.found, rates.fake),
        ("Fakes below the lower threshold", rates.passed, rates.fake),
        ("Between the thresholds", rates.between, rates.real + rates.fake),
    )
    cells = tuple((title, f"{count:,}", f"{of:,}", f"{count / of:.1%}" if of else "") for title, count, of in rows)
    head = ("", "Pictures", "Of", "Share")
    worst = ""
    if rates.worst:
        name, share = rates.worst
        worst = (
            f"Thresholds chosen without the worst source, {name}, call {share:.0%} of its real pictures likely fake."
        )
    said = f"On {rates.where}, without the pictures that the detector refuses."
    if rates.chosen_here:
        said += " The thresholds were chosen on these very pictures, which makes the figures look better than they are."
    return (Grid(head, cells), Text(f"{said} Other kinds of pictures can be far worse. {worst}".strip(), "small"))


def _measured(one: Inspection) -> Iterator[Block]:
    if one.facts is None:
        return
    if not one.verdict.is_used:
        yield Text("These figures do not hold for this picture: its score was not used.", "warning")
    yield from of_rates(one.rates)
    yield Text(one.card.words.in_words(one.verdict.thresholds or one.card.thresholds), "small")


def _detectors(one: Inspection) -> Iterator[Block]:
    if not one.others:
        return
    yield Text(one.agreement)

    def row(title: str, verdict: Verdict) -> tuple[str, ...]:
        score = f"{verdict.score:.3f}" if verdict.is_used else ""
        demonstration = not one.used[title].card.answers_unasked
        simulation = "Trained on the demonstration set: it recognises a simulation." if demonstration else ""
        return title, verdict.says, score, " ".join(filter(None, (verdict.error or verdict.reason or "", simulation)))

    head = ("Detector", "Verdict", "Score, on its own scale", "Remark")
    yield Grid(head, tuple(row(title, verdict) for title, verdict in one.others.items()))
    yield Text(_TOGETHER, "small")


def _faces(inspection: Inspection) -> Iterator[Block]:
    told = inspection.faces
    if told is None:
        if inspection.no_faces:
            yield Text(not_judged(inspection.no_faces))
        return
    yield Text(told.summary)
    if not told.faces:
        return
    head = ("Face", "Left, top, right and bottom in pixels", "Verdict", "Score", "Remark")
    rows, shown = [], []
    for number, one in enumerate(told.faces, 1):
        score = f"{one.verdict.score:.3f}" if one.verdict.is_used else ""
        where = ", ".join(map(str, one.region))
        rows.append((str(number), where, one.verdict.says, score, one.verdict.reason or ""))
        if one.preview is not None:
            shown.append(pictures.of_pixels(one.preview, f"of face {number}", f"Face {number}: {one.verdict.says}"))
    yield Grid(head, tuple(rows))
    yield Pictures(tuple(shown))
    yield Text(_EACH_FACE, "small")


def _detector(one: Inspection) -> Iterator[Block]:
    used = next((used for used in one.used.values() if used.key == one.detector), None)
    yield from facts([("Detector", one.card.title), ("Name", one.detector), ("Made", one.card.created),
                      ("Engine", used.engine if used else "")])  # fmt: skip
    hashes = [
        ("SHA-256 of its network", one.card.model_sha256),
        ("SHA-256 of its card", used.card_sha256 if used else ""),
    ]
    yield from facts(hashes, exact=True)
    yield from of_thresholds(one.verdict.thresholds or one.card.thresholds)
