"""Inspects one image: verdicts and what they mean, the file's own evidence, forensic figures, a heat-map."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dfcore import forensics
from dfcore.confidence import Policy
from dfcore.detectors.card import Card
from dfcore.detectors.detector import Detector
from dfcore.detectors.remembered import card_sha256
from dfcore.detectors.selection import select_detector
from dfcore.detectors.verdict import Verdict
from dfcore.errors import DfcoreError, ImageError, InputError
from dfcore.evaluation import MeasuredRates, measured_rates
from dfcore.explanation import Heatmap
from dfcore.imaging import ImageFacts, sandbox
from dfcore.inspection.agreement import agreement, titles
from dfcore.inspection.alarm import ONE_IN, Alarm, alarm
from dfcore.inspection.answers import Answers, answers
from dfcore.inspection.faces import FaceVerdicts, FoundFaces, find, judge, unjudged
from dfcore.inspection.looks import looks_like
from dfcore.inspection.record import record
from dfcore.provenance import Evidence, read_evidence

# Longest side of the preview in pixels.
PREVIEW = 900


@dataclass(frozen=True)
class Used:
    """A detector that was asked.

    Attributes:
        key: Its name, as it was given.
        card: Its card.
        engine: Name of the engine that ran it.
    """

    key: str
    card: Card
    engine: str

    @property
    def card_sha256(self) -> str:
        """Hash of its card, which covers network, calibration and thresholds."""
        return card_sha256(self.card)


@dataclass(frozen=True)
class Inspection:
    """What was found on one image.

    Attributes:
        name: File name.
        detector: Name of the detector that judged.
        card: Its card.
        verdict: Its verdict; with an error if the file cannot be read as an image.
        answers: What the verdict means.
        others: Verdicts of all detectors by their titles, the chosen one's among them; empty if it was not read.
        agreement: Whether they agree, in words.
        evidence: What the file says of itself; its summary tells if it cannot be read.
        rates: What the detector was measured to do at the thresholds in use; None if nothing is stored.
        alarm: What the verdict is worth as an alarm; None if it is none.
        used: All detectors that were asked, by their titles; empty if the file could not be had.
        facts: Properties of the file; None if it cannot be read as an image.
        figures: Forensic figures; None if they were not asked for.
        heatmap: Evidence for the verdict; None if it was not asked for, or the score is not used.
        preview: Decoded pixels, uint8 (H, W, 3), at most `PREVIEW` a side; None if it cannot be read.
        faces: Its faces with what was said of each; None if they were not asked for, or were not judged.
        no_faces: Why its faces were not judged though they were asked for; "" otherwise.
    """

    name: str
    detector: str
    card: Card
    verdict: Verdict
    answers: Answers
    others: dict[str, Verdict]
    agreement: str
    evidence: Evidence
    rates: MeasuredRates | None = None
    alarm: Alarm | None = None
    used: dict[str, Used] = field(default_factory=dict)
    facts: ImageFacts | None = None
    figures: dict[str, Any] | None = None
    heatmap: Heatmap | None = None
    preview: np.ndarray | None = None
    faces: FaceVerdicts | None = None
    no_faces: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-serialisable values."""
        if self.facts is None:
            result: dict[str, Any] = {"file": {"name": self.name}, "verdict": None, "error": self.verdict.error}
        else:
            whole = record(self.card, self.name, self.verdict, self.facts, self.heatmap, alarm=self.alarm)
            result = whole | {"error": None}
        return result | {
            "chosen": self.detector,
            "answers": asdict(self.answers),
            "all_detectors": {title: _told(one) for title, one in self.others.items()},
            "agreement": self.agreement,
            "provenance": self.evidence.to_dict(),
            "forensics": self.figures,
            "faces": self.faces.to_dict() if self.faces else unjudged(self.no_faces),
        }


def inspect(
    data: bytes,
    name: str,
    detectors: Mapping[str, Detector],
    policies: Mapping[str, Policy] | None = None,
    *,
    explain: bool | Mapping[str, Any] = True,
    forensic: bool = True,
    one_in: int = ONE_IN,
    face_detector: tuple[str, Detector] | str | None = None,
    found_faces: FoundFaces | None = None,
) -> Inspection:
    """Inspects an image; a file that cannot be read gets a result with the reason.

    Args:
        data: Contents of the file.
        name: Its name, for the result.
        detectors: Detectors by name, at least one; with several the one that fits judges, see `select_detector`.
        policies: For each, how scores become decisions; by default as on the card.
        explain: Whether to compute the heat-map of the verdict; or which one, as options of `Detector.explain`.
        forensic: Whether to compute forensic figures.
        one_in: One in so many pictures is taken to be fake, to say what an alarm is worth.
        face_detector: Name and detector that judge its faces, see `dfcore.inspection.faces`; why there is none, in
            words; None leaves faces out.
        found_faces: Its faces, if they were looked for already.

    Raises:
        InputError: If there is no detector or no such heat-map, or the trust list cannot be read.
    """
    if not detectors:
        raise InputError("Expected at least one detector. Received: none.")
    policies, evidence = policies or {}, _evidence(data)
    try:
        image: Any = sandbox.prepare(data, [one.spec for one in detectors.values()], PREVIEW)
    except ImageError as error:
        image = error
    verdicts = {key: one.judge([image], policies.get(key, Policy()))[0] for key, one in detectors.items()}
    chosen, why = _choose(detectors, verdicts)
    detector, verdict = detectors[chosen], verdicts[chosen]
    facts = None if isinstance(image, ImageError) else image.facts
    thresholds = verdict.thresholds or detector.card.thresholds
    rates = measured_rates(detector.folder, detector.card, thresholds)
    named = titles({key: one.card for key, one in detectors.items()})
    others = {named[key]: one for key, one in verdicts.items()}
    kind = looks_like(facts) if facts else None
    faces, no_faces = _faces(data, face_detector, found_faces, chosen, policies) if facts else (None, "")
    return Inspection(
        name=name,
        detector=chosen,
        card=detector.card,
        verdict=verdict,
        answers=answers(detector.card, verdict, rates, chosen=why, kind=kind, file_says=evidence.says),
        others=others,
        agreement=agreement(others),
        evidence=evidence,
        rates=rates,
        alarm=alarm(verdict, rates, one_in),
        used={named[key]: Used(key, one.card, one.engine.name) for key, one in detectors.items()},
        facts=facts,
        figures=forensics.figures(data) if facts and forensic else None,
        heatmap=_explained(detector, image, verdict, explain) if verdict.is_used and explain else None,
        preview=image.preview if facts else None,
        faces=faces,
        no_faces=no_faces,
    )


def unread(name: str, reason: str, detectors: Mapping[str, Detector]) -> Inspection:
    """The result for a file whose contents cannot be had at all."""
    chosen = next(iter(detectors))
    verdict = Verdict(None, detectors[chosen].threshold, error=reason)
    card = detectors[chosen].card
    return Inspection(
        name,
        chosen,
        card,
        verdict,
        answers(card, verdict, None),
        {},
        agreement({}),
        Evidence(summary="The file was not read.", unreadable=(reason,)),
    )


def _faces(
    data: bytes, by: tuple[str, Detector] | str | None, found: FoundFaces | None, chosen: str,
    policies: Mapping[str, Policy],
) -> tuple[FaceVerdicts | None, str]:  # fmt: skip
    """What was said of the faces, or why nothing was."""
    if by is None or isinstance(by, str):
        return None, by or ""
    name, detector = by
    try:
        found = found or find(data)
        return judge(data, found, name, detector, policies.get(name, Policy()), judged_whole=name == chosen), ""
    except DfcoreError as error:  # The picture itself was judged.
        return None, str(error)


def _told(one: Verdict) -> dict[str, Any]:
    told = ("finding", "says", "is_used", "score", "logit", "reason")
    return {name: getattr(one, name) for name in told}


def _evidence(data: bytes) -> Evidence:
    try:
        return read_evidence(data)
    except ImageError as error:
        return Evidence(summary="What the file says of itself could not be read.", unreadable=(str(error),))


def _choose(detectors: Mapping[str, Detector], verdicts: Mapping[str, Verdict]) -> tuple[str, str]:
    if len(detectors) == 1:
        return next(iter(detectors)), ""
    records = {key: one.card.record[1].get("roc_auc") for key, one in detectors.items()}
    selection = select_detector({key: one.ood for key, one in verdicts.items()}, records)
    return selection.name, selection.why


def _explained(detector: Detector, image: Any, verdict: Verdict, wanted: bool | Mapping[str, Any]) -> Heatmap:
    options = wanted if isinstance(wanted, Mapping) else {"target": verdict.side}
    return detector.explain(image, max_side=PREVIEW, **options)
