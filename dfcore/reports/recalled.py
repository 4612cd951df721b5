"""A stored verdict brought back: with its detector, if that is still here unchanged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dfcore.cases import Judgement
from dfcore.confidence import NOT_CHECKED, DecisionThresholds, OODResult
from dfcore.detectors.bundle import read_card
from dfcore.detectors.card import Card
from dfcore.detectors.library import find_bundle
from dfcore.detectors.remembered import card_sha256
from dfcore.detectors.trained_on import Seen
from dfcore.detectors.verdict import Verdict
from dfcore.errors import DfcoreError
from dfcore.evaluation import MeasuredRates, measured_rates
from dfcore.explanation import Heatmap
from dfcore.imaging import ImageFacts
from dfcore.inspection.looks import looks_like


@dataclass(frozen=True)
class Recalled:
    """What can be said of a stored verdict today.

    Attributes:
        verdict: The verdict.
        card: The card of the detector that gave it; None if it is not here any more, or has changed.
        rates: What that detector was measured to do at the verdict's thresholds; None if nothing is stored.
        limits: Limits of the detector, as the card has them or had them.
        kind: What the picture looks like, see `looks_like`.
        heatmap: The stored heat-map, at most 64 pixels a side, and the part that it explains, in words.
    """

    verdict: Verdict
    card: Card | None
    rates: MeasuredRates | None
    limits: tuple[str, ...]
    kind: str | None
    heatmap: tuple[Heatmap, str] | None


def recall(one: Judgement) -> Recalled:
    """Brings back a stored verdict; what the store lacks, or holds in another form than today's, is left out."""
    record = one.record or {}
    folder, card = _detector(one)
    verdict = _verdict(one, _part(record, "verdict"), card)
    rates = None
    if card is not None and verdict.thresholds is not None:
        try:
            rates = measured_rates(folder, card, verdict.thresholds)
        except DfcoreError:
            rates = None
    limits = card.limits if card else _part(record, "detector").get("limits", ())
    return Recalled(verdict, card, rates, tuple(map(str, limits)), _kind(record), _heatmap(record))


def _detector(one: Judgement) -> tuple[Path | None, Card | None]:
    try:
        folder = find_bundle(one.detector.removeprefix("run:"))
        card = read_card(folder)
    except DfcoreError:
        return None, None
    return (folder, card) if card_sha256(card) == one.card_sha256 else (None, None)


def _verdict(one: Judgement, stored: dict[str, Any], card: Card | None) -> Verdict:
    thresholds = _thresholds(one, card)
    threshold = stored.get("threshold", card.threshold.value if card else None)
    seen = stored.get("trained_on")
    return Verdict(
        score=one.score,
        threshold=float(threshold) if isinstance(threshold, (int, float)) else 0.5,
        logit=one.logit,
        error=one.error,
        thresholds=thresholds,
        ood=_ood(one, stored),
        ignore_ood=one.ignore_ood,
        seen=Seen(seen) if seen in {each.value for each in Seen} else Seen.UNKNOWN,
    )


def _thresholds(one: Judgement, card: Card | None) -> DecisionThresholds | None:
    if one.thresholds is None:
        return card.thresholds if card else None
    try:
        result = DecisionThresholds.model_validate(one.thresholds)
    except ValidationError:
        return None
    return result.model_copy(update={"says_real": one.finding == "real" or one.thresholds.get("says_real") is True})


def _ood(one: Judgement, stored: dict[str, Any]) -> OODResult:
    if not one.ood:
        return NOT_CHECKED
    reasons = tuple(map(str, stored.get("ood_reasons") or ())) or ((one.reason or "").rpartition("on: ")[2],)
    return OODResult(stored.get("ood_distance"), reasons, tuple(map(str, stored.get("ood_rules") or ())))


def _kind(record: dict[str, Any]) -> str | None:
    try:
        values = {name: value for name, value in _part(record, "file").items() if name != "name"}
        return looks_like(ImageFacts(**values)) if values else None
    except (TypeError, AttributeError):
        return None


def _heatmap(record: dict[str, Any]) -> tuple[Heatmap, str] | None:
    stored = _part(record, "heatmap")
    try:
        rows = [[np.nan if value is None else value for value in row] for row in stored["values"]]
        values = np.array(rows, np.float32)
        map_ = Heatmap(values, float(stored["peak"]), stored["method"], stored["target"], stored["layer"])
        return (map_, str(stored["view"])) if values.ndim == 2 and values.size else None
    except (KeyError, TypeError, ValueError):
        return None


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    part = record.get(name)
    return part if isinstance(part, dict) else {}
