"""The figures behind a verdict, properties of the file, and everything as JSON."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard import detectors, inference, markup
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import Heatmap
from dfcore.imaging.decoder import ImageFacts


def show_facts(data: bytes) -> ImageFacts:
    """Shows and returns format, size and hash of the file."""
    facts = inference.facts(data)
    for note in facts.notes:
        st.caption(f":material/info: {markup.plain(note)}")
    rows = {
        "Format": facts.format + (", animated: the first frame is judged" if facts.animated else ""),
        "Size": f"{facts.width} x {facts.height} pixels, {facts.bytes:,} bytes",
        "Pixel mode": facts.mode,
        "SHA-256": facts.sha256,
        "SHA-256 of the pixels": facts.pixels_sha256,
    }
    st.dataframe({"Fact": list(rows), "Value": list(rows.values())}, hide_index=True)
    return facts


def whole_result(
    entry: detectors.Entry,
    name: str,
    verdict: Verdict,
    facts: ImageFacts,
    heatmap: Heatmap | None,
    stability: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """Everything the page shows, as a JSON-serialisable dict."""
    thresholds, spec = verdict.thresholds, entry.card.spec
    result: dict[str, Any] = {
        "file": {"name": name, **facts.__dict__},
        "verdict": {
            "decision": verdict.decision, "finding": verdict.finding, "reason": verdict.reason,
            "score": verdict.score, "logit": verdict.logit,
            "label": verdict.label, "threshold": verdict.threshold, "ignore_ood": verdict.ignore_ood,
            "thresholds": thresholds.model_dump() if thresholds else None,
            "trained_on": verdict.seen.value,
            "ood_distance": verdict.ood.distance, "ood_reasons": list(verdict.ood.reasons),
        },
        "detector": {
            "title": entry.card.title,
            "model_sha256": entry.card.model_sha256,
            "preprocess": entry.card.preprocess.model_dump(),
            "calibration": entry.card.calibration.model_dump(),
            "words": entry.card.words.model_dump(),
            "results": entry.card.results,
            "limits": entry.card.limits,
        },
        "judged": [
            {"view": title, "region": region}
            for title, region in zip(spec.view_titles, spec.regions(facts.height, facts.width), strict=True)
        ],
        "stability": stability,
    }  # fmt: skip
    if heatmap is not None:
        step = max(1, max(heatmap.values.shape) // 64)
        small = heatmap.values[::step, ::step]
        result["heatmap"] = {
            "method": heatmap.method, "target": heatmap.target, "layer": heatmap.layer, "peak": heatmap.peak,
            "view": spec.view_titles[heatmap.view],
            "every_nth_pixel": step,
            "values": [[None if np.isnan(v) else round(float(v), 4) for v in row] for row in small],
        }  # fmt: skip
    return result
