"""All that an inspection found on one image, as plain data: what a page downloads and the command prints."""

from dataclasses import asdict
from typing import Any

import numpy as np

from dfcore.detectors.card import Card
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import Heatmap
from dfcore.imaging import ImageFacts
from dfcore.inspection import maps
from dfcore.inspection.alarm import Alarm

# Longest side of the heat-map in the record.
_SIDE = 64


def record(
    card: Card,
    name: str,
    verdict: Verdict,
    facts: ImageFacts,
    heatmap: Heatmap | None = None,
    stability: list[dict[str, Any]] | None = None,
    alarm: Alarm | None = None,
) -> dict[str, Any]:
    """A verdict with its detector, thresholds, file and heat-map, JSON-serialisable.

    Args:
        card: The detector's card.
        name: File name.
        verdict: The verdict under the thresholds in use.
        facts: Properties of the file.
        heatmap: A heat-map; every so many pixels are kept.
        stability: Scores after small changes.
        alarm: What the verdict is worth as an alarm.
    """
    thresholds, spec = verdict.thresholds, card.spec
    result: dict[str, Any] = {
        "file": {"name": name, **facts.__dict__},
        "verdict": {
            "decision": verdict.decision, "finding": verdict.finding, "reason": verdict.reason,
            "score": verdict.score, "logit": verdict.logit,
            "label": verdict.label, "threshold": verdict.threshold, "ignore_ood": verdict.ignore_ood,
            "is_used": verdict.is_used,
            "thresholds": thresholds.told() if thresholds else None,
            "trained_on": verdict.seen.value,
            "ood_distance": verdict.ood.distance, "ood_reasons": list(verdict.ood.reasons),
            "ood_rules": list(verdict.ood.rules),
        },
        "detector": {
            "title": card.title,
            "model_sha256": card.model_sha256,
            "preprocess": card.preprocess.model_dump(),
            "calibration": card.calibration.model_dump(),
            "words": card.words.model_dump(),
            "results": card.results,
            "limits": card.limits,
        },
        "judged": [
            {"view": title, "region": region}
            for title, region in zip(spec.view_titles, spec.regions(facts.height, facts.width), strict=True)
        ],
        "stability": stability,
        "alarm": asdict(alarm) if alarm else None,
    }  # fmt: skip
    if heatmap is not None:
        view = spec.view_titles[heatmap.view]
        step = max(1, max(heatmap.values.shape) // _SIDE)
        small = heatmap.values[::step, ::step]
        result["heatmap"] = {
            "method": heatmap.method, "target": heatmap.target, "layer": heatmap.layer, "peak": heatmap.peak,
            "view": view, "in_words": maps.in_words(heatmap, view, verdict, card),
            "every_nth_pixel": step,
            "values": [[None if np.isnan(v) else round(float(v), 4) for v in row] for row in small],
        }  # fmt: skip
    return result
